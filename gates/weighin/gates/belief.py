"""Which measurements may be believed: about this file, of this time, sound in themselves.

Pure. What this module does not do: it holds nothing against a budget's bound.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import (
    MAY_BE_NEGATIVE,
    OF_THE_FILE,
    RELATIVE,
    VS_RELEASE,
    Budget,
    Metric,
    Origin,
)
from weighin.gates.slices import worst


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a reading must speak of to count: this file, on this device, in this runtime."""

    artifact_sha256: str
    device: str
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When the judging happens, how old evidence may be, and how sure it must be.

    ``confidence`` is one-sided: how sure each end of an interval must be on its own side.
    """

    now: datetime
    max_age: timedelta
    confidence: float = 0.95


def objection_to(
    measured: Measurement, budget: Budget, subject: Subject, moment: Moment
) -> str | None:
    """Why a measurement does not count for this budget and subject; ``None`` if it does."""
    return (
        _mismatch(measured, subject, moment)
        or _implausible(measured, moment)
        or _low_origin(measured, budget)
        or _wrong_kind(measured)
    )


def fault_of(measured: Measurement, subject: Subject, moment: Moment) -> str | None:
    """What is wrong with a measurement whatever its origin; ``None`` if it is sound in itself.

    A number that is sound but comes from a lower origin than a budget asks for has no fault.
    """
    return (
        _mismatch(measured, subject, moment)
        or _implausible(measured, moment)
        or _wrong_kind(measured)
    )


def _mismatch(measured: Measurement, subject: Subject, moment: Moment) -> str | None:
    """Evidence borrowed from another file, device, runtime or time."""
    if measured.artifact_sha256 != subject.artifact_sha256:
        return f"measured on another file ({measured.artifact_sha256[:12]})"
    of_the_file = measured.device == ANY_DEVICE and measured.origin is Origin.ARTIFACT
    if measured.device != subject.device and not of_the_file:
        return f"measured on another device ({measured.device})"
    if measured.runtime != subject.runtime:
        return f"measured in another runtime ({measured.runtime}, not {subject.runtime})"
    if measured.measured_at.utcoffset() is None:
        return f"its time has no time zone ({measured.measured_at:%Y-%m-%d})"
    if measured.measured_at > moment.now:
        return f"measured in the future ({measured.measured_at:%Y-%m-%d})"
    if moment.now - measured.measured_at > moment.max_age:
        return f"older than {moment.max_age.days} days ({measured.measured_at:%Y-%m-%d})"
    return None


def _implausible(measured: Measurement, moment: Moment) -> str | None:
    """Evidence that is no interval, or rests on nothing."""
    interval = (measured.lower, measured.value, measured.upper)
    if not all(math.isfinite(end) for end in interval):
        return "the interval is not finite"
    if not measured.lower <= measured.value <= measured.upper:
        return f"the interval does not contain its value ({interval})"
    if measured.lower < 0 and measured.metric not in MAY_BE_NEGATIVE:
        return f"the interval reaches below zero ({interval}), which only a drop can"
    if not moment.confidence <= measured.confidence <= 1:
        return (
            f"its interval holds with {measured.confidence:.4g}, but the gate asks for "
            f"{moment.confidence:.4g}"
        )
    if measured.n < 1:
        return "no samples behind it"
    if measured.origin is Origin.ARTIFACT and measured.metric not in OF_THE_FILE:
        return "a number of a device cannot come from the file alone"
    return None


def _low_origin(measured: Measurement, budget: Budget) -> str | None:
    """Evidence that comes from too low an origin for this budget."""
    if measured.origin is Origin.SCALED:
        return "scaled from specifications only, which can never pass"
    if not measured.origin.is_at_least(budget.least_origin):
        return f"{measured.origin}, but the budget asks for {budget.least_origin} or better"
    return None


def _wrong_kind(measured: Measurement) -> str | None:
    """A reading that lacks what its metric needs, or whose parts contradict each other."""
    if (measured.metric is Metric.SLICE_DROP_POINTS) is not bool(measured.slices):
        return "no slices behind it" if not measured.slices else "slices behind another metric"
    if measured.slices:
        if not measured.confidence < 1:
            return "slices that are certain"
        _, ends = worst(measured.slices, measured.confidence)
        if (ends.lower, ends.value, ends.upper) != (
            measured.lower,
            measured.value,
            measured.upper,
        ):
            return "the interval is not the one of its slices"
        if len({one.name for one in measured.slices}) < len(measured.slices):
            return "a slice is there twice"
    if (measured.metric in VS_RELEASE) is not (measured.baseline is not None):
        return "it does not say which release it was compared with"
    if measured.metric in RELATIVE and measured.baseline is not None:
        base = measured.baseline.value
        if not (math.isfinite(base) and base > 0):
            return f"the release has {base}, to which nothing can be relative"
    return None

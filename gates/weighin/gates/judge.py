"""The verdict: pure arithmetic on readings and budgets.

Nothing here measures, reads a file or looks at a clock. An outcome is computed from its
evidence whenever it is asked for and stored nowhere, so it cannot disagree with the evidence.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from weighin.gates.measurement import ANY_DEVICE, Measurement, Reading, Unreadable
from weighin.gates.metric import OF_THE_FILE, Budget, Metric, Origin


class Outcome(StrEnum):
    """What a gate says. Only ``PASS`` is ever released."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a reading must speak of to count: this file, on this device, in this runtime."""

    artifact_sha256: str
    device: str
    runtime: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """When the judging happens, and how old evidence may be."""

    now: datetime
    max_age: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One budget held against the readings there are for it."""

    budget: Budget
    readings: tuple[Reading, ...]
    subject: Subject
    moment: Moment

    @property
    def reading(self) -> Reading:
        """The one reading that is judged, or why there is none."""
        metric = self.budget.metric
        match self.readings:
            case ():
                return Unreadable(metric=metric, reason="not measured")
            case (only,):
                return only
            case several:
                return Unreadable(metric=metric, reason=f"{len(several)} readings contradict")

    @property
    def objection(self) -> str | None:
        """Why the reading cannot be believed for this budget; ``None`` if it can."""
        match self.reading:
            case Unreadable(reason=reason):
                return reason
            case Measurement() as measured:
                return _mismatch(measured, self) or _implausible(measured, self)

    @property
    def outcome(self) -> Outcome:
        """``PASS`` if the whole interval fits, ``FAIL`` if none of it does, else ``UNDECIDED``."""
        reading = self.reading
        if self.objection is not None or isinstance(reading, Unreadable):
            return Outcome.UNDECIDED
        if reading.upper <= self.budget.at_most:
            return Outcome.PASS
        return Outcome.FAIL if reading.lower > self.budget.at_most else Outcome.UNDECIDED

    @property
    def overshoot(self) -> float:
        """Upper end as a share of the budget; infinite when there is no believable reading."""
        reading, limit = self.reading, self.budget.at_most
        if self.objection is not None or isinstance(reading, Unreadable):
            return math.inf
        if limit > 0:
            return reading.upper / limit
        return 0.0 if reading.upper <= limit else math.inf

    @property
    def reason(self) -> str:
        """The outcome in words, for people."""
        objection, reading, limit = self.objection, self.reading, self.budget.at_most
        if objection is not None or isinstance(reading, Unreadable):
            return objection or "not measured"
        match self.outcome:
            case Outcome.PASS:
                return f"at most {reading.upper:.4g}, budget {limit:.4g}"
            case Outcome.FAIL:
                return f"at least {reading.lower:.4g}, budget {limit:.4g}"
            case Outcome.UNDECIDED:
                return f"budget {limit:.4g} lies within {reading.lower:.4g} to {reading.upper:.4g}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """One variant on one device: a check per budget."""

    subject: Subject
    checks: tuple[Check, ...]

    @property
    def outcome(self) -> Outcome:
        """``FAIL`` if any check fails; ``PASS`` only if there are checks and all pass."""
        outcomes = {check.outcome for check in self.checks}
        if Outcome.FAIL in outcomes:
            return Outcome.FAIL
        return Outcome.PASS if outcomes == {Outcome.PASS} else Outcome.UNDECIDED

    @property
    def reason(self) -> str:
        """What decided, in one line."""
        if not self.checks:
            return "the device has no budgets, so nothing was checked"
        decisive = [c for c in self.checks if c.outcome is self.outcome]
        if self.outcome is Outcome.PASS:
            return f"all {len(self.checks)} budgets hold"
        return "; ".join(f"{c.budget.metric}: {c.reason}" for c in decisive)


def judge(
    subject: Subject, budgets: Iterable[Budget], readings: Iterable[Reading], moment: Moment
) -> Verdict:
    """Hold every budget of one device against what is known of one variant.

    Readings of metrics without a budget are ignored; a budget without a reading is
    ``UNDECIDED``, and so is a device without budgets.
    """
    known = tuple(readings)
    checks = (
        Check(
            budget=budget,
            readings=tuple(r for r in known if r.metric is budget.metric),
            subject=subject,
            moment=moment,
        )
        for budget in sorted(budgets, key=lambda b: b.metric)
    )
    return Verdict(subject=subject, checks=tuple(checks))


def _mismatch(measured: Measurement, check: Check) -> str | None:
    """Evidence borrowed from another file, device, runtime or time."""
    subject, moment = check.subject, check.moment
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


def _implausible(measured: Measurement, check: Check) -> str | None:
    """Evidence that is no interval, rests on nothing, or comes from too low an origin."""
    interval = (measured.lower, measured.value, measured.upper)
    if not all(math.isfinite(end) for end in interval):
        return "the interval is not finite"
    if not measured.lower <= measured.value <= measured.upper:
        return f"the interval does not contain its value ({interval})"
    if measured.lower < 0 and measured.metric is not Metric.ACCURACY_DROP_POINTS:
        return f"the interval reaches below zero ({interval}), which only a drop can"
    if measured.n < 1:
        return "no samples behind it"
    if measured.origin is Origin.ARTIFACT and measured.metric not in OF_THE_FILE:
        return "a number of a device cannot come from the file alone"
    if measured.origin is Origin.SCALED:
        return "scaled from specifications only, which can never pass"
    if not measured.origin.is_at_least(check.budget.least_origin):
        return f"{measured.origin}, but the budget asks for {check.budget.least_origin} or better"
    return None

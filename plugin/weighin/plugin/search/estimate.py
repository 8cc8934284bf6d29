"""From readings on tuning data to a trial. Pure.

An accuracy interval on few tuning rows is wider than the gate's will be. So a file is *likely* to
pass if its budget would hold with the interval narrowed to the gate's number of rows; the number
of those rows is all that is known here of the gate's data.
"""

import math
from collections.abc import Sequence

from weighin.gates.dominance import FLOAT32
from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.search import DeviceStanding, Standing, Trial
from weighin.gates.variant import BuildFailure
from weighin.gates.weigh_in import Result

_DROP = Metric.ACCURACY_DROP_POINTS


def failed_trial(failure: BuildFailure) -> Trial:
    """A recipe that could not be made is an answer too."""
    return Trial(
        recipe=failure.recipe,
        format=failure.format,
        size_bytes=None,
        drop_points=None,
        drop_at_most=None,
        accurate=False,
        dominated=False,
        devices=(),
        reason=failure.reason,
    )


def trial_of(result: Result, gate_rows: int) -> Trial:
    """What the readings of one file come to.

    Args:
        result: Judged on tuning data; dominance noted.
        gate_rows: How many rows the gate will judge accuracy on.
    """
    drops = [r for r in result.readings if isinstance(r, Measurement) and r.metric is _DROP]
    drop = drops[0] if drops else None
    checks = [check for verdict in result.verdicts for check in verdict.checks]
    return Trial(
        recipe=result.variant.recipe,
        format=result.variant.format,
        size_bytes=result.variant.size_bytes,
        drop_points=None if drop is None else drop.value,
        drop_at_most=None if drop is None else drop_at_gate(drop, gate_rows),
        accurate=_accurate(checks, gate_rows) if drop or _stands(result) else None,
        dominated=any(label.startswith(f"{FLOAT32}.") for _, label in result.dominated_by),
        devices=tuple(standing_of(verdict, result, gate_rows) for verdict in result.verdicts),
        reason="",
    )


def drop_at_gate(drop: Measurement, gate_rows: int) -> float:
    """The upper end of an accuracy drop as that many rows would show it, in points.

    Widths fall with the root of the number of rows, and faster with few flips; where the gate has
    fewer rows than the tuning set, the faster rule is the careful one.
    """
    share = drop.n / max(1, gate_rows)
    factor = share if share > 1 else math.sqrt(share)
    return drop.value + (drop.upper - drop.value) * factor


def standing_of(verdict: Verdict, result: Result, gate_rows: int) -> DeviceStanding:
    """How a file stands on one device."""
    unsettled = [check for check in verdict.checks if check.outcome is not Outcome.PASS]
    known = [check.overshoot for check in unsettled if math.isfinite(check.overshoot)]
    return DeviceStanding(
        device=verdict.subject.device,
        standing=_standing(verdict, unsettled, gate_rows),
        open_checks=len(known),
        overshoot=max(known, default=math.inf),
        latency_ms=_latency(result, verdict.subject.device),
        reason=verdict.reason,
    )


def _standing(verdict: Verdict, unsettled: Sequence[Check], gate_rows: int) -> Standing:
    match verdict.outcome:
        case Outcome.PASS:
            return Standing.SURE
        case Outcome.FAIL:
            return Standing.FELL
        case Outcome.UNDECIDED:
            held = all(_holds(check, gate_rows) for check in unsettled)
            return Standing.LIKELY if unsettled and held else Standing.OPEN


def _holds(check: Check, gate_rows: int) -> bool:
    """Whether an accuracy budget would hold with as many rows as the gate has."""
    reading = check.reading
    if check.budget.metric is not _DROP or check.objection is not None:
        return False
    if not isinstance(reading, Measurement):
        return False
    return drop_at_gate(reading, gate_rows) <= check.budget.at_most


def _stands(result: Result) -> bool:
    """Whether it was looked at to the end, so that what is not known cannot be known."""
    return any(verdict.outcome is not Outcome.FAIL for verdict in result.verdicts)


def _accurate(checks: Sequence[Check], gate_rows: int) -> bool:
    """Whether the accuracy budget of some device holds; without any, nothing is asked of it."""
    own = [check for check in checks if check.budget.metric is _DROP]
    return not own or any(c.outcome is Outcome.PASS or _holds(c, gate_rows) for c in own)


def _latency(result: Result, device: str) -> float | None:
    found = [
        reading.value
        for reading in result.readings
        if isinstance(reading, Measurement)
        and reading.metric is Metric.LATENCY_P90_MS
        and reading.device == device
    ]
    return found[0] if found else None

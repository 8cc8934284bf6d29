"""The verdict: pure arithmetic on readings and budgets.

Nothing here measures, reads a file or looks at a clock. An outcome is computed from its
evidence whenever it is asked for and stored nowhere, so it cannot disagree with the evidence.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property

from weighin.gates.measurement import ANY_DEVICE, Measurement, Reading, Unreadable
from weighin.gates.metric import (
    MAY_BE_NEGATIVE,
    OF_THE_FILE,
    RELATIVE,
    VS_RELEASE,
    Budget,
    Metric,
    Origin,
)
from weighin.gates.slices import Decided, decide, worst


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
    """When the judging happens, how old evidence may be, and how sure it must be.

    ``confidence`` is one-sided: how sure each end of an interval must be on its own side.
    """

    now: datetime
    max_age: timedelta
    confidence: float = 0.95


@dataclass(frozen=True, kw_only=True)  # no slots: what follows from the fields is kept
class Check:
    """One budget held against the readings there are for it."""

    budget: Budget
    readings: tuple[Reading, ...]
    subject: Subject
    moment: Moment

    @cached_property
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

    @cached_property
    def objection(self) -> str | None:
        """Why the reading cannot be believed for this budget; ``None`` if it can."""
        match self.reading:
            case Unreadable(reason=reason):
                return reason
            case Measurement() as measured:
                return _mismatch(measured, self) or _implausible(measured, self)

    @property
    def limit(self) -> float:
        """What is held against the interval: the bound, or a growth's floor where that is larger.

        Only for a reading without an objection; the floor is a share of what the release has.
        """
        reading, floor = self.reading, self.budget.floor
        if floor is None or isinstance(reading, Unreadable) or reading.baseline is None:
            return self.budget.at_most
        return max(self.budget.at_most, 100 * floor / reading.baseline.value)

    @cached_property
    def decided(self) -> Decided | None:
        """For slices: which of them are within the budget; ``None`` for any other reading."""
        reading = self.reading
        if isinstance(reading, Unreadable) or not reading.slices:
            return None
        least = self.budget.least_slice_rows
        return decide(reading.slices, self.budget.at_most, self.moment.confidence, least)

    @cached_property
    def outcome(self) -> Outcome:
        """``PASS`` if the whole interval fits, ``FAIL`` if none of it does, else ``UNDECIDED``."""
        reading = self.reading
        if self.objection is not None or isinstance(reading, Unreadable):
            return Outcome.UNDECIDED
        if (decided := self.decided) is not None:
            return _outcome_of(decided)
        if reading.upper <= self.limit:
            return Outcome.PASS
        return Outcome.FAIL if reading.lower > self.limit else Outcome.UNDECIDED

    @property
    def overshoot(self) -> float:
        """Upper end as a share of the budget; infinite when there is no believable reading."""
        reading = self.reading
        if self.objection is not None or isinstance(reading, Unreadable):
            return math.inf
        if (limit := self.limit) > 0:
            return reading.upper / limit
        return 0.0 if reading.upper <= limit else math.inf

    @property
    def reason(self) -> str:
        """The outcome in words, for people."""
        objection, reading = self.objection, self.reading
        if objection is not None or isinstance(reading, Unreadable):
            return objection or "not measured"
        outcome = self.outcome
        if (decided := self.decided) is not None:
            return _slices_in_words(decided, outcome, reading, self.budget)
        limit = _limit_in_words(self)
        match outcome:
            case Outcome.PASS:
                return f"at most {reading.upper:.4g}, {limit}"
            case Outcome.FAIL:
                return f"at least {reading.lower:.4g}, {limit}"
            case Outcome.UNDECIDED:
                return f"{limit} lies within {reading.lower:.4g} to {reading.upper:.4g}"


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
        outcome = self.outcome
        decisive = [c for c in self.checks if c.outcome is outcome]
        if outcome is Outcome.PASS:
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


def _outcome_of(decided: Decided) -> Outcome:
    """All slices must be within; one that is above is enough to fail."""
    if decided.above:
        return Outcome.FAIL
    whole = decided.within and not decided.open and not decided.small
    return Outcome.PASS if whole else Outcome.UNDECIDED


def _limit_in_words(check: Check) -> str:
    """The budget; where a growth's floor is what counts, both of them and what they allow."""
    budget, limit = check.budget, check.limit
    if limit <= budget.at_most:
        return f"budget {budget.at_most:.4g}"
    floor = f"floor {budget.floor:.4g} in {RELATIVE[budget.metric]}"
    return f"limit {limit:.4g} (budget {budget.at_most:.4g} %, {floor})"


def _slices_in_words(
    decided: Decided, outcome: Outcome, reading: Measurement, budget: Budget
) -> str:
    limit = f"budget {budget.at_most:.4g}"
    match outcome:
        case Outcome.PASS:
            return f"all {len(decided.within)} slices are within, {limit}"
        case Outcome.FAIL:
            return f"{_named(decided.above)} above, {limit}"
        case Outcome.UNDECIDED:
            parts = [f"{_named(decided.open)} not decided"] if decided.open else []
            if decided.small:
                parts.append(f"{_named(decided.small)} below {budget.least_slice_rows} rows")
            return f"{', '.join(parts)}; {limit}, worst at most {reading.upper:.4g}"


def _named(names: tuple[str, ...]) -> str:
    shown = ", ".join(names[:3])
    return f"{shown} and {len(names) - 3} more" if len(names) > 3 else shown


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
    if measured.lower < 0 and measured.metric not in MAY_BE_NEGATIVE:
        return f"the interval reaches below zero ({interval}), which only a drop can"
    if not check.moment.confidence <= measured.confidence <= 1:
        return (
            f"its interval holds with {measured.confidence:.4g}, but the gate asks for "
            f"{check.moment.confidence:.4g}"
        )
    if measured.n < 1:
        return "no samples behind it"
    if measured.origin is Origin.ARTIFACT and measured.metric not in OF_THE_FILE:
        return "a number of a device cannot come from the file alone"
    if measured.origin is Origin.SCALED:
        return "scaled from specifications only, which can never pass"
    if not measured.origin.is_at_least(check.budget.least_origin):
        return f"{measured.origin}, but the budget asks for {check.budget.least_origin} or better"
    return _wrong_kind(measured)


def _wrong_kind(measured: Measurement) -> str | None:
    """A reading that lacks what its metric needs, or whose parts contradict each other."""
    if (measured.metric is Metric.SLICE_DROP_POINTS) is not bool(measured.slices):
        return "no slices behind it" if not measured.slices else "slices behind another metric"
    if measured.slices:
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

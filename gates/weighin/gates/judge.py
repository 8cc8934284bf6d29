"""The verdict: pure arithmetic on readings and budgets.

Nothing here measures, reads a file or looks at a clock. An outcome is computed from its
evidence whenever it is asked for and stored nowhere, so it cannot disagree with the evidence.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from weighin.gates.belief import Moment, Subject, objection_to
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import (
    RELATIVE,
    Budget,
)
from weighin.gates.slices import Decided, decide


class Outcome(StrEnum):
    """What a gate says. Only ``PASS`` is released, and what people waived, as waived."""

    PASS = "PASS"  # noqa: S105 - not a password
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


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
                return objection_to(measured, self.budget, self.subject, self.moment)

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

"""From verdicts per variant and device to shares of users. Pure.

A fleet says which share of the users has which phone. A share passes where every phone that stands
for it was weighed and passed; what nobody weighed, and everybody whom the fleet does not name, is
not covered and counts as not passed. What this module does not do: it reads no file (see
:mod:`weighin.gates.fleet_file`), and it judges no variant.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date

from weighin.gates.judge import Outcome

WHOLE = 100.0
_MILLIONTH = 1_000_000
"""Shares are summed in whole millionths of a percent: 33.3 + 33.3 + 33.4 is 100, exactly."""

Outcomes = Mapping[tuple[str, str], Outcome]
"""Outcomes by label of the variant and name of the device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetPart:
    """The users of one phone, or of a class of phones.

    Attributes:
        name: The device or class, as the fleet's file names it.
        percent: Their share of all users.
        devices: The phones that stand for them: the device itself, or the members of the class
            that have no share of their own.
    """

    name: str
    percent: float
    devices: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """What phones the users have.

    Attributes:
        parts: Shares that sum to at most 100 percent; nobody is counted twice.
        source: Who counted, and what.
        as_of: When it was counted.
        at_least_percent: The share that must pass; ``None`` where it is only reported.
    """

    parts: tuple[FleetPart, ...]
    source: str
    as_of: date
    at_least_percent: float | None = None

    @property
    def other_percent(self) -> float:
        """Users whose phones the fleet does not name."""
        return _rest(part.percent for part in self.parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """Percent of all users; the four sum to 100.

    Attributes:
        passed: It passes on their phones.
        undecided: On their phones nobody knows yet.
        failed: It fails on their phones.
        not_covered: Nobody weighed it for their phones.
    """

    passed: float
    undecided: float
    failed: float
    not_covered: float

    def against(self, at_least_percent: float) -> Outcome:
        """``PASS`` if enough passes, ``FAIL`` if it would not be enough however it turns out."""
        least, passed = _millionths(at_least_percent), _millionths(self.passed)
        if passed >= least:
            return Outcome.PASS
        possible = passed + _millionths(self.undecided)
        return Outcome.FAIL if possible < least else Outcome.UNDECIDED


def share(fleet: Fleet, on: Mapping[str, Outcome]) -> Share:
    """The share of users for whom something passes.

    Args:
        fleet: Who has which phone.
        on: The outcome on every device that was to be weighed for.
    """
    by_fate: dict[Outcome | None, list[float]] = {}
    for part in fleet.parts:
        by_fate.setdefault(part_outcome(part, on), []).append(part.percent)
    passed = total_percent(by_fate.get(Outcome.PASS, ()))
    undecided = total_percent(by_fate.get(Outcome.UNDECIDED, ()))
    failed = total_percent(by_fate.get(Outcome.FAIL, ()))
    rest = _rest((passed, undecided, failed))
    return Share(passed=passed, undecided=undecided, failed=failed, not_covered=rest)


def part_outcome(part: FleetPart, on: Mapping[str, Outcome]) -> Outcome | None:
    """The worst outcome on the phones that stand for a part; ``None`` if none was weighed for."""
    found = {on[device] for device in part.devices if device in on}
    if not found:
        return None
    if Outcome.FAIL in found:
        return Outcome.FAIL
    return Outcome.UNDECIDED if Outcome.UNDECIDED in found else Outcome.PASS


def of_variant(label: str, outcomes: Outcomes, devices: Collection[str]) -> dict[str, Outcome]:
    """The outcome of one variant on each device; a missing verdict decides nothing."""
    return {device: outcomes.get((label, device), Outcome.UNDECIDED) for device in devices}


def of_best(outcomes: Outcomes, devices: Collection[str]) -> dict[str, Outcome]:
    """The outcome if each device gets the variant that does best on it.

    ``FAIL`` needs a verdict of every variant: a missing one might have been the one that passes.
    """
    labels = {label for label, _ in outcomes}
    return {
        device: _best([of_variant(label, outcomes, (device,))[device] for label in labels])
        for device in devices
    }


def _best(found: Collection[Outcome]) -> Outcome:
    if Outcome.PASS in found:
        return Outcome.PASS
    return Outcome.FAIL if set(found) == {Outcome.FAIL} else Outcome.UNDECIDED


def total_percent(percents: Iterable[float]) -> float:
    """Their sum, exact to a millionth of a percent."""
    return sum(map(_millionths, percents)) / _MILLIONTH


def _rest(percents: Iterable[float]) -> float:
    return (_millionths(WHOLE) - sum(map(_millionths, percents))) / _MILLIONTH


def _millionths(percent: float) -> int:
    return round(percent * _MILLIONTH)

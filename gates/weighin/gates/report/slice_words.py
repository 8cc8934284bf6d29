"""What every rendering says of slices: each with its drop, and what was decided of it.

A slice's interval is shown at a risk of one of *m*, so that all intervals of a variant hold
together. Holm's procedure decides, and it may decide a slice whose interval alone does not.

What this module does not do: it decides nothing, and it escapes nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from weighin.gates.judge import Check, Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report.quality_words import measured, percent
from weighin.gates.report.words import amount, count, figure, plain
from weighin.gates.slices import Slice
from weighin.gates.stats import Interval
from weighin.gates.weigh_in import Result, WeighIn

_METRIC = Metric.SLICE_DROP_POINTS
_MOST_NAMES = 3
_MOST_LINES = 5


class State(StrEnum):
    """What was decided of one slice, worst first."""

    ABOVE = "above"
    OPEN = "open"
    SMALL = "too few rows"
    UNJUDGED = "not judged"
    WITHIN = "within"

    @property
    def outcome(self) -> Outcome:
        """What it would mean if it were the only slice."""
        match self:
            case State.ABOVE:
                return Outcome.FAIL
            case State.WITHIN:
                return Outcome.PASS
            case State.OPEN | State.SMALL | State.UNJUDGED:
                return Outcome.UNDECIDED


_RANK = {state: rank for rank, state in enumerate(State)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """One budget of slices, and the devices that share it.

    Attributes:
        check: The first device's check; the others decide the same.
        devices: Their names, in the plan's order.
    """

    check: Check
    devices: tuple[str, ...]

    @property
    def where(self) -> str:
        """The devices, with at most so many names."""
        names = ", ".join(plain(device) for device in self.devices[:_MOST_NAMES])
        more = len(self.devices) - _MOST_NAMES
        return f"{names} and {more} more" if more > 0 else names

    def state(self, name: str) -> State:
        """What was decided of one slice."""
        decided = self.check.decided if self.check.objection is None else None
        if decided is None:
            return State.UNJUDGED
        groups = {
            State.WITHIN: decided.within, State.ABOVE: decided.above,
            State.OPEN: decided.open, State.SMALL: decided.small,
        }  # fmt: skip
        return next((state for state, names in groups.items() if name in names), State.UNJUDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLine:
    """One slice.

    Attributes:
        name: Column and value, as somebody wrote them.
        rows: How many rows it has.
        drop: In points, if there is an interval.
        states: What was decided, per ruling.
        beside: The budget that the numbers are read against, if there is one.
    """

    name: str
    rows: int
    drop: Interval | None
    states: tuple[State, ...]
    beside: float | None

    @property
    def worst(self) -> State:
        """The state that somebody has to do something about."""
        return min(self.states, key=lambda state: _RANK[state], default=State.UNJUDGED)


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceTable:
    """All slices of one variant, worst first."""

    label: str
    confidence: float
    rulings: tuple[Ruling, ...]
    lines: tuple[SliceLine, ...]

    @property
    def worst(self) -> State:
        """The worst state of any slice."""
        return min((one.worst for one in self.lines), key=lambda state: _RANK[state])

    @property
    def note(self) -> str:
        """What the intervals mean."""
        decides = "Holm's procedure decides" if self.rulings else "no budget is held against them"
        return (
            f"Intervals hold for all {count(len(self.lines), 'slice')} together, each end at "
            f"{percent(self.confidence)}; {decides}."
        )

    @property
    def objections(self) -> tuple[str, ...]:
        """Why the reading could not be judged, if it could not."""
        said = (ruling.check.objection for ruling in self.rulings)
        return tuple(dict.fromkeys(one for one in said if one is not None))

    @property
    def counted(self) -> str:
        """``1 above, 19 within``, by the worst of each slice."""
        found = Counter(one.worst for one in self.lines)
        if found[State.WITHIN] == len(self.lines):
            return f"all {len(self.lines)} within"
        having = {State.SMALL: f"with {State.SMALL}"}
        return ", ".join(
            f"{found[state]} {having.get(state, state)}" for state in State if found[state]
        )


def slice_tables(weigh_in: WeighIn) -> Iterator[SliceTable]:
    """A table per variant that has a reading of slices."""
    for result in weigh_in.results:
        for reading in measured(result):
            if reading.metric is _METRIC and reading.slices:
                yield _table(result, reading)


def open_slice_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    """Per variant the worst slices that are not within a budget; variants alike share lines."""
    alike: dict[tuple[str, ...], list[str]] = {}
    for table in slice_tables(weigh_in):
        if table.rulings:
            alike.setdefault(_wanting(table), []).append(plain(table.label))
    clean = len(alike.pop((), []))
    for texts, labels in alike.items():
        yield from zip_longest(_as_many_names(labels, len(texts)), texts, fillvalue="")
    if clean:
        yield count(clean, "variant"), "all slices within"


def _as_many_names(labels: Sequence[str], lines: int) -> list[str]:
    """The names, or as many as there are lines for, and how many more there are."""
    room = max(lines, 2)
    if len(labels) <= room:
        return list(labels)
    return [*labels[: room - 1], f"and {len(labels) - room + 1} more"]


def _wanting(table: SliceTable) -> tuple[str, ...]:
    """The worst slices that are not within, in words, and how many more there are."""
    wanting = [one for one in table.lines if one.worst is not State.WITHIN]
    texts = [_spoken(one, table.rulings) for one in wanting[:_MOST_LINES]]
    if len(wanting) > _MOST_LINES:
        texts.append(f"and {len(wanting) - _MOST_LINES} more not within")
    return tuple(texts)


def _table(result: Result, reading: Measurement) -> SliceTable:
    rulings = _rulings(result, reading)
    lines = [_line(one, reading, rulings) for one in reading.slices]
    return SliceTable(
        label=result.variant.label,
        confidence=reading.confidence,
        rulings=rulings,
        lines=tuple(sorted(lines, key=lambda one: (_RANK[one.worst], -_upper(one)))),
    )


def _rulings(result: Result, reading: Measurement) -> tuple[Ruling, ...]:
    """The different budgets that the reading was held against."""
    found: dict[object, list[Check]] = {}
    for verdict in result.verdicts:
        for check in verdict.checks:
            if reading in check.readings:
                sure = check.moment.confidence
                found.setdefault((check.budget, sure, check.objection), []).append(check)
    return tuple(
        Ruling(check=checks[0], devices=tuple(check.subject.device for check in checks))
        for checks in found.values()
    )


def _line(one: Slice, reading: Measurement, rulings: Sequence[Ruling]) -> SliceLine:
    shared = 1 - (1 - reading.confidence) / len(reading.slices)
    return SliceLine(
        name=one.name,
        rows=one.rows,
        drop=one.points(shared) if 0.5 < shared < 1 else None,
        states=tuple(ruling.state(one.name) for ruling in rulings),
        beside=rulings[0].check.budget.at_most if rulings else None,
    )


def _upper(line: SliceLine) -> float:
    return line.drop.upper if line.drop is not None else 0.0


def _spoken(line: SliceLine, rulings: Sequence[Ruling]) -> str:
    """``light=night is above 2 pt: 9.5 pt [7.2, 12], 2000 rows``."""
    words = [
        _state_words(state, ruling)
        for state, ruling in zip(line.states, rulings, strict=True)
        if state is not State.WITHIN
    ]
    states = ", ".join(dict.fromkeys(words))
    return f"{plain(line.name)} {states}: {drop_words(line)}, {count(line.rows, 'row')}"


def drop_words(line: SliceLine) -> str:
    """``9.5 pt [7.2, 12]``."""
    if line.drop is None:
        return "no interval"
    value, beside = amount(_METRIC, line.drop.value, line.beside), line.beside
    return f"{value} [{figure(line.drop.lower, beside)}, {figure(line.drop.upper, beside)}]"


def _state_words(state: State, ruling: Ruling) -> str:
    budget = ruling.check.budget
    match state:
        case State.ABOVE | State.WITHIN:
            return f"is {state} {amount(_METRIC, budget.at_most)}"
        case State.OPEN:
            return f"is open at {amount(_METRIC, budget.at_most)}"
        case State.SMALL:
            return f"has fewer than {budget.least_slice_rows} rows"
        case State.UNJUDGED:
            return "is not judged"

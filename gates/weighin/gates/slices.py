"""Slices of the data: a drop for each, and which of them are decided when many are looked at.

With twenty slices one of them looks bad by chance. Holm's procedure (1979, A simple sequentially
rejective multiple test procedure, Scandinavian Journal of Statistics 6) keeps the chance of any
wrong decision among all slices at that of a single test: the clearest of *m* slices must be clear
at a risk of 1/m, the next one at 1/(m - 1), and so on.

Pure. What this module does not do: it measures nothing, and knows no budget but the number it is
given.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from weighin.gates.estimate import Estimate
from weighin.gates.stats import Interval, PairedCounts

POINTS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One value of one column of the data set, such as ``camera=front``.

    Attributes:
        name: Column and value.
        rows: How many rows it has.
        drop: What the variant loses on them: paired counts, or an estimate as a fraction.
    """

    name: str
    rows: int
    drop: PairedCounts | Estimate

    def points(self, confidence: float) -> Interval:
        """The drop in points with its interval."""
        inside = self.drop.interval(confidence)
        return Interval(
            value=inside.value * POINTS, lower=inside.lower * POINTS, upper=inside.upper * POINTS
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """Names of slices by what was decided: within the budget, above it, or neither.

    ``small`` are the ones with too few rows to decide; they are in none of the others.
    """

    within: tuple[str, ...]
    above: tuple[str, ...]
    open: tuple[str, ...]
    small: tuple[str, ...]


@lru_cache(maxsize=1024)
def decide(
    slices: tuple[Slice, ...], at_most_points: float, confidence: float, least_rows: int
) -> Decided:
    """Hold every slice against one budget, corrected for their number.

    Args:
        slices: All that were looked at, the small ones too: they count.
        at_most_points: The budget.
        confidence: One-sided confidence that no slice is decided wrongly.
        least_rows: Fewest rows of a slice that may decide.
    """
    enough = [one for one in slices if one.rows >= least_rows]
    within = _holm(enough, len(slices), confidence, lambda end: end.upper <= at_most_points)
    above = _holm(enough, len(slices), confidence, lambda end: end.lower > at_most_points)
    return Decided(
        within=within,
        above=above,
        open=tuple(one.name for one in enough if one.name not in {*within, *above}),
        small=tuple(one.name for one in slices if one.rows < least_rows),
    )


@lru_cache(maxsize=1024)
def worst(slices: tuple[Slice, ...], confidence: float) -> tuple[str, Interval]:
    """Name of the slice that may lose most, and the interval that holds for the largest drop.

    Each slice's ends are at the risk of one of *m* (Bonferroni), so that they hold together.

    Raises:
        ValueError: there is no slice.
    """
    if not slices:
        raise ValueError("there is no slice to look at")
    shared = 1 - (1 - confidence) / len(slices)
    ends = {one.name: one.points(shared) for one in slices}
    name = max(ends, key=lambda each: ends[each].upper)
    return name, Interval(
        value=max(end.value for end in ends.values()),
        lower=max(end.lower for end in ends.values()),
        upper=ends[name].upper,
    )


def _holm(
    slices: list[Slice], looked_at: int, confidence: float, holds: Callable[[Interval], bool]
) -> tuple[str, ...]:
    """Step down: whoever is clear at the risk of all that are left leaves, until nobody does."""
    left, found = list(slices), list[str]()
    while left:
        others = looked_at - len(found)
        risk = (1 - confidence) / others
        clear = [one for one in left if holds(one.points(1 - risk))]
        if not clear:
            break
        found += [one.name for one in clear]
        left = [one for one in left if one.name not in found]
    return tuple(found)

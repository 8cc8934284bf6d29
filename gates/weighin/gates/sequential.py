"""Looking at accuracy while rows come in, without paying for it in wrong decisions.

Rows are looked at in a seeded order, at a few planned numbers of rows. Each look may use a part of
the allowed risk, in proportion to the rows that are new to it (alpha spending; Kim and DeMets 1987,
Design and analysis of group sequential tests based on the type I error spending rate function,
Biometrika 74, with rho = 1). The parts add up to the whole, so an interval that is taken at any of
the looks, by whatever rule, holds with the confidence that was asked for.

Pure. What this module does not do: it runs nothing, and knows no metric.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from weighin.gates.stats import Interval

SHARES = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1.0)
LEAST_LOOK_ROWS = 200
"""Fewer rows decide nothing that matters, and would only spend risk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """One planned look.

    Attributes:
        number: From 1.
        rows: How many rows have been seen, in all.
        confidence: One-sided confidence of the interval that is taken here.
        last: Whether there are no more rows.
    """

    number: int
    rows: int
    confidence: float
    last: bool


def looks(rows: int, confidence: float) -> tuple[Look, ...]:
    """The looks at a data set.

    Args:
        rows: How many rows there are, at least 1.
        confidence: One-sided confidence over all looks together.

    Raises:
        ValueError: there are no rows, or the confidence is not between 0.5 and 1.
    """
    if rows < 1 or not 0.5 < confidence < 1:
        raise ValueError(f"no looks at {rows} rows with confidence {confidence}")
    planned = [int(share * rows) for share in SHARES if int(share * rows) >= LEAST_LOOK_ROWS]
    sizes = [*(size for size in planned if size < rows), rows]
    before = [0, *sizes]
    return tuple(
        Look(
            number=number,
            rows=size,
            confidence=1 - (1 - confidence) * (size - before[number - 1]) / rows,
            last=size == rows,
        )
        for number, size in enumerate(sizes, start=1)
    )


def one_look(rows: int, confidence: float) -> tuple[Look, ...]:
    """All rows at once, for which no risk has to be shared."""
    return (Look(number=1, rows=rows, confidence=confidence, last=True),)


def is_decided(ends: Interval, margins: Iterable[float]) -> bool:
    """Whether the interval is on one side of every margin, in its own unit."""
    return all(ends.upper <= margin or ends.lower > margin for margin in margins)

"""Where values lie on an axis from 0 to 1 that has a budget at one half.

Each half has its own scale. Latency is logarithmic; accuracy lost is linear up to the budget and
logarithmic beyond. A wide empty stretch beside the budget is drawn narrower, so that variants
that are all far from it can still be told apart.

What this module does not do: it draws nothing, and it knows no metric.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

_LEAST_RATIO = 1.25
_ABOVE, _BELOW = 0.11, 0.06
_MOST_EMPTY = 0.6
"""At most this share of a half lies empty between the budget and the nearest point."""

_LARGEST = 700.0
"""The exponential of more is no finite number."""

_Knots = tuple[tuple[float, float], ...]
"""Pairs of stretched value and share, rising in both."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """The places of some values.

    Attributes:
        shares: Of each value in turn, 0 for the best and 1 for the worst, the budget at one half.
        best: The value at the axis's start, in the unit of the values.
        worst: The value at its end.
    """

    shares: tuple[float, ...]
    best: float
    worst: float


def latency_axis(values: Sequence[float], limit: float | None, room: float) -> Axis:
    """Logarithmic on both sides of the budget.

    Args:
        values: Above zero, in ms.
        limit: The budget; without one, or with one that is not above zero, what lies between.
        room: The share that stays free at both ends, for names.
    """
    middle = math.sqrt(min(values)) * math.sqrt(max(values))
    if limit is not None and limit > 0:
        middle = limit
    stretched = tuple(map(math.log, values))
    knots = _knots(stretched, math.log(middle), math.log(_LEAST_RATIO), (room, room))
    best, worst = (math.exp(min(end, _LARGEST)) for end in (knots[0][0], knots[-1][0]))
    return Axis(shares=_shares(stretched, knots), best=best, worst=worst)


def drop_axis(values: Sequence[float], limit: float | None) -> Axis:
    """Linear up to the budget, logarithmic beyond.

    Args:
        values: In points.
        limit: The budget; without one, what lies between the values.
    """
    middle = limit if limit is not None else min(values) + (max(values) - min(values)) / 2
    stretched = tuple(
        value if value <= middle else middle + math.log1p(value - middle) for value in values
    )
    least = max(abs(middle) / 4, 0.1)
    knots = _knots(stretched, middle, least, (_ABOVE, _BELOW))
    beyond = math.expm1(min(knots[-1][0] - middle, _LARGEST))
    return Axis(shares=_shares(stretched, knots), best=knots[0][0], worst=middle + beyond)


def _knots(
    values: Sequence[float], middle: float, least: float, free: tuple[float, float]
) -> _Knots:
    """Where the axis bends: at the budget, and where it shortens an empty stretch beside it.

    Args:
        values: Stretched.
        middle: The budget, stretched.
        least: A difference that nobody should see drawn across a whole half.
        free: The shares that stay free at the start and at the end.
    """
    inside = [value for value in values if value < middle] or [middle - least]
    outside = [value for value in values if value > middle] or [middle + least]
    low, high = min(inside), max(outside)
    near = min(max(*inside, low + least), middle)
    far = max(min(*outside, high - least), middle)
    knots = [(low, free[0]), (middle, 0.5), (high, 1 - free[1])]
    if middle - near > _MOST_EMPTY * (middle - low):
        knots.insert(1, (near, 0.5 - _MOST_EMPTY * (0.5 - free[0])))
    if far - middle > _MOST_EMPTY * (high - middle):
        knots.insert(-1, (far, 0.5 + _MOST_EMPTY * (0.5 - free[1])))
    return tuple(knots)


def _shares(values: Sequence[float], knots: _Knots) -> tuple[float, ...]:
    return tuple(_share(value, knots) for value in values)


def _share(value: float, knots: _Knots) -> float:
    for (low, at), (high, to) in pairwise(knots):
        if value <= high:
            return at + min(max((value - low) / (high - low), 0.0), 1.0) * (to - at)
    return knots[-1][1]

"""Axes that show every interval: linear where that works, logarithmic where values spread.

What this module does not do: it draws nothing. It only says where a value lands, in pixels,
with the same arithmetic as Vega's scales.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from weighin.gates.measurement import Measurement

_SPREAD = 12
"""From this ratio on, small values would be squeezed together on a linear axis."""

_LINEAR_PART = 0.2
"""This share of the budget is drawn linearly: a third of the axis goes up to the budget then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Axis:
    """A range of values on so many pixels.

    Attributes:
        kind: Vega's scale type; ``symlog`` is linear up to ``constant`` and logarithmic beyond.
        low: The value at pixel 0.
        high: The value at the last pixel.
        length: How many pixels there are.
        constant: The symlog constant, in the axis's unit.
        ticks: Where to put tick marks; none leaves it to Vega.
    """

    kind: Literal["linear", "log", "symlog"]
    low: float
    high: float
    length: int
    constant: float = 1.0
    ticks: tuple[float, ...] = ()

    def pixel(self, value: float) -> float:
        """How far from the axis's start a value lands."""
        low, high = self._stretch(self.low), self._stretch(self.high)
        return self.length * (self._stretch(self.clip(value)) - low) / (high - low)

    def clip(self, value: float) -> float:
        """The value, or the end of the axis that it lies beyond."""
        return min(max(value, self.low), self.high)

    def _stretch(self, value: float) -> float:
        match self.kind:
            case "linear":
                return value
            case "log":
                return math.log(value)
            case "symlog":
                return math.copysign(math.log1p(abs(value) / self.constant), value)


def axis_for(
    measured: Sequence[Measurement], limit: float | None, length: int, *, positive: bool
) -> Axis:
    """The axis on which all of these, their intervals and their budget can be seen.

    Args:
        measured: What is shown on it; their ends must be finite.
        limit: The budget on this axis, if there is one.
        length: Pixels.
        positive: Whether the quantity cannot be below zero, like a time or a size.
    """
    points = [m.value for m in measured] + ([limit] if limit is not None else [])
    ends = [m.upper for m in measured] + points
    high = max(ends, default=1.0)
    low = 0.0 if positive else min([0.0, *(m.lower for m in measured), *points])
    if positive and points and min(points) > 0 and high > _SPREAD * min(points):
        return _log_axis(min(points), high, length)
    if not positive and limit is not None and limit > 0 and high > _SPREAD * limit:
        return _symlog_axis(low, high, length, limit)
    span = (high - low) or 1.0
    return Axis(
        kind="linear",
        low=low if positive else low - 0.06 * span,
        high=high + 0.06 * span,
        length=length,
    )


def _log_axis(low: float, high: float, length: int) -> Axis:
    low, high = low / 1.5, high * 1.2
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    steps = (1, 2, 5) if high < 300 * low else (1,)
    ticks = (step * 10.0**decade for decade in decades for step in steps)
    inside = tuple(tick for tick in ticks if low <= tick <= high)
    return Axis(kind="log", low=low, high=high, length=length, ticks=inside)


def _symlog_axis(low: float, high: float, length: int, limit: float) -> Axis:
    """Roomy up to the budget; what lost far more stays in the picture, compressed."""
    steps = [limit * 3.0**power for power in range(12)]
    ticks = (0.0, *(float(f"{step:.1g}") for step in steps if limit < step < high), limit)
    return Axis(
        kind="symlog",
        low=min(low * 1.2, -0.1 * limit),
        high=high * 1.3,
        length=length,
        constant=_LINEAR_PART * limit,
        ticks=ticks,
    )

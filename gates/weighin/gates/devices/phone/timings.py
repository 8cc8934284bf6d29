"""From a tool's summary of its runs to the runs themselves, or to what is known of their p90.

Pure. The benchmark tools print no single timing, only a summary. Of *three* runs the minimum, the
maximum and the mean tell all: the third one is what is missing in the sum. So phones are measured
with many short processes of three timed runs each, after a warm-up. Of longer processes only some
order statistics are printed; then the 90th percentile lies between the two that enclose it.

What this module does not do: it never interpolates between two printed figures.
"""

import math
from dataclasses import dataclass

from weighin.gates.binomial import binomial_cdf
from weighin.gates.devices.phone.tool_output import Summary
from weighin.gates.stats import Interval

TOLD_RUNS = 3
"""Timed runs of a process whose every timing can be told from its summary."""

_ROUNDING = 2e-5
"""Tools print six digits; of three runs the error of the mean counts three times."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """One printed order statistic: at least this rank, at most that rank, and its value."""

    least: int
    most: int
    ms: float


def timings_ms(summary: Summary) -> tuple[float, ...] | None:
    """Every run, fastest first; ``None`` if the summary does not tell them.

    Raises:
        ValueError: the summary contradicts itself.
    """
    low, high, count = summary.min_ms, summary.max_ms, summary.count
    if count == TOLD_RUNS and low is None and high is None and summary.p50_ms is not None:
        return _from_percentiles(summary)
    if low is None or high is None:
        return None
    if not low * (1 - _ROUNDING) <= summary.mean_ms <= high * (1 + _ROUNDING):
        raise ValueError(f"a mean of {summary.mean_ms:g} ms is not within {low:g} to {high:g} ms")
    if low == high:
        return (low,) * count
    match count:
        case 2:
            return (low, high)
        case 3:
            third = 3 * summary.mean_ms - low - high
            return (low, _within(third, low, high), high)
        case _:
            return None


def _from_percentiles(summary: Summary) -> tuple[float, ...] | None:
    """ONNX Runtime takes the sorted run at ``share * count``: of three, the second and third."""
    middle, high = summary.p50_ms, summary.p95_ms or summary.p90_ms
    if middle is None or high is None:
        return None
    first = 3 * summary.mean_ms - middle - high
    return (_within(first, 0.0, middle), middle, high)


def _within(value: float, low: float, high: float) -> float:
    slack = 3 * _ROUNDING * high
    if not low - slack <= value <= high + slack:
        raise ValueError(f"three runs from {low:g} to {high:g} ms cannot have this mean")
    return min(high, max(low, value))


def p90_between(summary: Summary, confidence: float) -> Interval:
    """What a longer process tells of the 90th percentile, from printed order statistics only.

    The value is the smallest printed figure that is not below the 90th percentile of the runs:
    P90 where it is printed, else p95, else the maximum.

    Raises:
        ValueError: there are too few runs, or too little is printed, for an upper end.
    """
    count, risk = summary.count, 1 - confidence
    known = _known(summary)
    below = binomial_cdf(count, 0.9)
    last = min((rank for rank in range(1, count + 1) if below[rank - 1] >= confidence), default=0)
    first = max((rank for rank in range(1, count + 1) if below[rank - 1] <= risk), default=0)
    uppers = [one.ms for one in known if last and one.least >= last]
    if not uppers:
        raise ValueError(f"the summary of {count} runs does not bound their 90th percentile")
    reached = [one.ms for one in known if one.least >= math.ceil(0.9 * count - 1e-9)]
    lowers = [one.ms for one in known if one.most <= first]
    lower, upper = max(lowers, default=0.0), min(uppers)
    return Interval(value=max(lower, min(*reached, upper)), lower=lower, upper=upper)


def _known(summary: Summary) -> list[_Known]:
    count = summary.count
    at = ((0.0, summary.min_ms), (0.5, summary.p50_ms), (0.9, summary.p90_ms))
    shares = (*at, (0.95, summary.p95_ms), (1.0, summary.max_ms))
    return [
        # Tools differ in how they round a rank, and some interpolate: so either neighbour.
        _Known(
            least=min(count, max(1, math.floor(share * (count - 1)) + 1)),
            most=min(count, max(1, math.floor(share * count) + 1)),
            ms=ms,
        )
        for share, ms in shares
        if ms is not None
    ]

"""Ranges of activations that clip the rare for the good of the many.

Two passes over the calibration rows: the widest ranges are known, then each tensor's values are
counted in a histogram, and a range is chosen from that. Memory is one histogram per tensor, so
that any number of rows will do.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, assert_never

_BINS = 2048
_LEVELS = 256
_KEPT = 0.9999
_SHARES = 24


class Method(StrEnum):
    """How a range is chosen.

    ``percentile`` keeps 99.99 % of the values; ``entropy`` loses the least information
    (Kullback-Leibler divergence of the histogram before and after); ``mse`` has the least mean
    squared error of rounding and clipping together.
    """

    PERCENTILE = "percentile"
    ENTROPY = "entropy"
    MSE = "mse"


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Smallest and largest value that is told apart; 0 is always among them."""

    low: float
    high: float


Observe = Callable[[Any], Mapping[str, Any]]


def calibrated(
    observe: Observe, rows: Any, widest: Mapping[str, Range], method: Method
) -> dict[str, Range]:
    """The range of each tensor that a method chooses.

    Args:
        observe: Values of the tensors for one row ``[1, ...]``, by name.
        rows: ``[n, ...]``.
        widest: What values the tensors take; bounds what is chosen.
        method: How to choose.
    """
    import numpy as np

    counts = {name: np.zeros(_BINS) for name in widest}
    ends = {name: (min(0.0, r.low), max(0.0, r.high)) for name, r in widest.items()}
    for place in range(len(rows)):
        for name, values in observe(rows[place : place + 1]).items():
            if name in counts and ends[name][0] < ends[name][1]:
                counts[name] += np.histogram(values, _BINS, ends[name])[0]
    return {
        name: choose(counts[name], *ends[name], method) if counts[name].sum() else widest[name]
        for name in counts
    }


def choose(counts: Any, low: float, high: float, method: Method) -> Range:
    """The range that a method chooses for a histogram.

    Args:
        counts: How many values fell in each of the equal bins between ``low`` and ``high``.
        low: At most 0.
        high: At least 0.
        method: How.
    """
    import numpy as np

    edges = np.linspace(low, high, len(counts) + 1)
    match method:
        case Method.PERCENTILE:
            return _percentile(counts, edges)
        case Method.ENTROPY | Method.MSE:
            cost = _divergence if method is Method.ENTROPY else _squared_error
            shares = np.linspace(1, 0.25, _SHARES)
            pairs = [(low * a, high * b) for b in shares for a in (shares if low < 0 else (1,))]
            best = min(pairs, key=lambda pair: cost(counts, edges, *pair))
            return Range(low=float(best[0]), high=float(best[1]))
        case _:
            assert_never(method)


def _percentile(counts: Any, edges: Any) -> Range:
    import numpy as np

    share = np.concatenate(([0], np.cumsum(counts))) / counts.sum()
    tail = (1 - _KEPT) / 2
    low = edges[max(0, int(np.searchsorted(share, tail, "right")) - 1)]
    high = edges[min(len(edges) - 1, int(np.searchsorted(share, 1 - tail, "left")))]
    return Range(low=min(0.0, float(low)), high=max(0.0, float(high)))


def _squared_error(counts: Any, edges: Any, low: float, high: float) -> float:
    """Sum of the squared errors: a twelfth of a step squared inside, the distance outside."""
    import numpy as np

    middles = (edges[1:] + edges[:-1]) / 2
    clipped = middles - np.clip(middles, low, high)
    step = (high - low) / (_LEVELS - 1)
    return float((counts * np.where(clipped == 0, step**2 / 12, clipped**2)).sum())


def _divergence(counts: Any, edges: Any, low: float, high: float) -> float:
    """Information lost by clipping to a range and keeping one number per level."""
    import numpy as np

    middles = (edges[1:] + edges[:-1]) / 2
    share = (middles - low) / max(high - low, 1e-30) * (_LEVELS - 1)
    level = np.clip(np.round(share), 0, _LEVELS - 1).astype(int)
    inside = (middles >= low) & (middles <= high)
    kept = np.where(inside, counts, 0)
    filled = np.bincount(level, (kept > 0).astype(float), _LEVELS)
    mean = np.bincount(level, kept, _LEVELS) / np.maximum(filled, 1)
    after = np.where(kept > 0, mean[level], 0)
    before = kept + np.where(inside, 0, 0)
    ends = np.flatnonzero(inside)
    before[ends[0]] += counts[: ends[0]].sum()
    before[ends[-1]] += counts[ends[-1] + 1 :].sum()
    p, q = before / before.sum(), (after + 1e-9) / (after + 1e-9).sum()
    seen = p > 0
    return float((p[seen] * np.log(p[seen] / q[seen])).sum())

"""How single samples are spread, as a few pairs of a level and the value there. Pure.

For the reader of a report only: a picture of what stands behind a 90th percentile. What this
module does not do: it gives no interval, and no verdict depends on what it says.
"""

import itertools
import math
from collections.abc import Iterable

Quantiles = tuple[tuple[float, float], ...]
"""Pairs of a level from 0 (the smallest sample) to 1 (the largest) and the value there."""

LEVELS = (*(step / 20 for step in range(20)), 0.99, 1.0)
"""Every twentieth, and the 99th percentile."""

MOST = 101
"""More pairs than percents are no summary."""

_DIGITS = 6


def spread_of(samples: Iterable[float]) -> Quantiles:
    """The samples' values at :data:`LEVELS`, to six digits; nothing for no samples.

    A value is a sample: the smallest that at least this share of them does not exceed.

    Args:
        samples: Finite numbers in any order and any unit.
    """
    ordered = sorted(samples)
    if not ordered:
        return ()
    ranks = (max(1, math.ceil(level * len(ordered) - 1e-9)) for level in LEVELS)
    values = (float(f"{ordered[rank - 1]:.{_DIGITS}g}") for rank in ranks)
    return tuple(zip(LEVELS, values, strict=True))


def checked(pairs: Iterable[tuple[float, float]]) -> Quantiles:
    """The pairs, if they can be quantiles.

    Raises:
        ValueError: there are more than :data:`MOST`, a level is not from 0 to 1 or does not rise,
            or a value is not finite or falls.
    """
    found = tuple(pairs)
    if len(found) > MOST:
        raise ValueError(f"quantiles: at most {MOST} are known, not {len(found)}")
    for level, value in found:
        if not (0 <= level <= 1 and math.isfinite(value)):
            raise ValueError(f"quantiles: no value {value:g} at level {level:g}")
    for (level, value), (next_level, next_value) in itertools.pairwise(found):
        if not (level < next_level and value <= next_value):
            raise ValueError(f"quantiles: they do not rise at level {next_level:g}")
    return found

"""Bisection of one axis: how much can be taken away before accuracy breaks? Pure.

Assumes that accuracy falls as more is taken away. Where it does not quite (training is noisy),
the bracket is still one: its upper end was seen to be inaccurate, its lower end was not.
"""

from collections.abc import Mapping
from dataclasses import dataclass

LEAST, MOST = 5, 95
"""Percentages that recipes may have."""

RESOLUTION = 5
"""A bracket that is not wider than this is not halved: training noise is wider by then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bracket:
    """Where the answer lies: not inaccurate at ``low``, inaccurate at ``high``.

    ``low`` 0 stands for the model that nothing was taken from, ``high`` 100 for nothing left.
    """

    low: int
    high: int

    @property
    def middle(self) -> int | None:
        """Where to look next, strictly inside; ``None`` if it is narrow enough."""
        if self.high - self.low <= RESOLUTION:
            return None
        middle = min(max((self.low + self.high) // 2, LEAST), MOST)
        return middle if self.low < middle < self.high else None


def bracket_of(seen: Mapping[int, bool]) -> Bracket | None:
    """The bracket after what was seen.

    Args:
        seen: Percent taken away, and whether more might be.

    Returns:
        ``None`` if everything was inaccurate: then there is nothing to go on from.
    """
    good_places = [percent for percent, good in seen.items() if good]
    if not good_places:
        return None
    low = max(good_places)
    high = min((p for p, good in seen.items() if not good and p > low), default=100)
    return Bracket(low=low, high=high)

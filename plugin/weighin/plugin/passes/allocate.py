"""How many channels each group keeps: where they cost the least accuracy per work saved.

For every group the damage of halving and of quartering it alone is measured: how far the
model's outputs move on some rows, after the layers behind it were fitted anew. Then channels go
step by step, always from the group with the least damage per multiply-accumulate saved.

What this module does not do: it cuts nothing, and it looks at no labels.
"""

import itertools
from collections.abc import Callable, Mapping
from typing import Any

from weighin.plugin.passes.follow import Followed

Damage = Mapping[int, tuple[tuple[float, float], ...]]
"""Per group, points of (share kept, damage), from the whole group down."""

SHARES = (0.5, 0.25)
_STEPS = 16


def step_size(size: int) -> int:
    """Channels go in fours where there are many: odd widths make runtimes slower."""
    return 4 if size >= 16 else 1


def allocate(found: Followed, damage: Damage, target_macs: float) -> dict[int, int]:
    """Channels to keep per group, so that at most so many multiply-accumulates stay.

    Returns:
        What every prunable group keeps; it may be more work than the target if even a single
        step of channels everywhere is.
    """
    kept = {group: found.groups.size(group) for group in found.groups.prunable()}
    macs = found.macs(kept)
    while macs > target_macs:
        offers = [o for group in kept if (o := _offer(found, damage, kept, group, macs))]
        if not offers:
            break
        _, group, count, macs = min(offers)
        kept[group] = count
    return kept


def _offer(
    found: Followed, damage: Damage, kept: Mapping[int, int], group: int, macs: int
) -> tuple[float, int, int, int] | None:
    """Damage per work saved, the group, what it would keep, and what work would stay."""
    size = found.groups.size(group)
    step = step_size(size)
    fewer = max(step, kept[group] - max(step, step * round(size / _STEPS / step)))
    if fewer >= kept[group]:
        return None
    after = found.macs({**kept, group: fewer})
    if after >= macs:
        return None
    more = at(damage[group], fewer / size) - at(damage[group], kept[group] / size)
    return max(more, 0.0) / (macs - after), group, fewer, after


def at(points: tuple[tuple[float, float], ...], share: float) -> float:
    """The damage at a share, on straight lines between what was measured; steep below."""
    for (high, light), (low, heavy) in itertools.pairwise(points):
        if share >= low:
            return light + (heavy - light) * (high - share) / (high - low)
    low, heavy = points[-1]
    return heavy * (1 + 4 * (low - share) / low)


def measure_damage(
    found: Followed, cut_and_compare: Callable[[dict[int, int]], float]
) -> dict[int, tuple[tuple[float, float], ...]]:
    """Try every group alone.

    Args:
        found: The groups.
        cut_and_compare: How far the outputs move when one group keeps so many channels.
    """
    result: dict[int, tuple[tuple[float, float], ...]] = {}
    for group in found.groups.prunable():
        size, points = found.groups.size(group), [(1.0, 0.0)]
        for share in SHARES:
            count = max(1, round(size * share))
            if count / size < points[-1][0]:
                worst = max(points[-1][1], cut_and_compare({group: count}))
                points.append((count / size, worst))
        result[group] = tuple(points)
    return result


def distance(one: Any, other: Any) -> float:
    """How far outputs moved: mean squared difference over the variance of the original."""
    spread = float(other.var().clamp(min=1e-12))
    return float((one - other).square().mean()) / spread

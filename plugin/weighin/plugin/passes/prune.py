"""Structured pruning: whole channels leave, so that every runtime gets faster.

With some rows to look at, how much every group of coupled channels loses is decided by measured
damage (:mod:`weighin.plugin.passes.allocate`), and the layers that lost inputs are fitted anew
(:mod:`weighin.plugin.passes.reconstruct`). Without, every group loses the same share. The
channels with the smallest weights go first.

What this module does not do: it trains nothing.
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from weighin.gates.errors import WeighinError
from weighin.plugin.fx import Graph, calls, record_shapes, set_attribute, tidy
from weighin.plugin.passes.allocate import allocate, distance, measure_damage, step_size
from weighin.plugin.passes.channels import FIXED, Axis
from weighin.plugin.passes.follow import Followed, follow_channels
from weighin.plugin.passes.reconstruct import Cuts, reconstruct

_LEAST_CUT = 0.02
_DAMAGE_MACS = 2e9
_FIT_MACS = 1e10
_LEAST_ROWS = 8


class PassError(WeighinError):
    """A pass cannot do what its recipe asks of this model."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """What pruning achieved.

    Attributes:
        macs_before: Multiply-accumulates for one row.
        macs_after: The same, afterwards.
        refitted: Layers whose weights were fitted to the original's outputs.
    """

    macs_before: int
    macs_after: int
    refitted: int = 0

    @property
    def removed_percent(self) -> float:
        """Share of multiply-accumulates that are gone."""
        return 100 * (1 - self.macs_after / self.macs_before)


def count_macs(graph: Graph, row: Any) -> int:
    """Multiply-accumulates of convolutions and matrix products for one row ``[1, ...]``."""
    record_shapes(graph, row)
    return follow_channels(graph).macs()


def prune(graph: Graph, row: Any, *, remove_percent: float, rows: Any | None = None) -> Pruned:
    """Remove channels until this share of the multiply-accumulates is gone.

    Args:
        graph: Changed in place.
        row: One input row, ``[1, ...]``; the pruned graph is run on it.
        remove_percent: At least this much goes, give or take the rounding of channel counts.
        rows: Inputs ``[n, ...]`` to measure damage on and to fit layers with.

    Raises:
        PassError: not so much can be removed.
    """
    record_shapes(graph, row)
    found = follow_channels(graph)
    if rows is None:
        return _cut(graph, row, found, _same_share(found, remove_percent))[0]
    _same_share(found, remove_percent)  # fails when there is too little to remove
    target = found.macs() * (1 - remove_percent / 100)
    few, more = (_affordable(found, rows, macs) for macs in (_DAMAGE_MACS, _FIT_MACS))
    damage = measure_damage(found, partial(_damage, graph, row, few))
    return _cut_and_fit(graph, row, more, allocate(found, damage, target))


def _affordable(found: Followed, rows: Any, macs: float) -> Any:
    """So many rows as one run of the model may cost: a large model is looked at on fewer."""
    return rows[: max(_LEAST_ROWS, round(macs / max(1, found.macs())))]


def _damage(graph: Graph, row: Any, rows: Any, kept: Mapping[int, int]) -> float:
    """How far the outputs move when some groups keep so many channels."""
    import torch

    tried = copy.deepcopy(graph)
    _cut_and_fit(tried, row, rows, kept)
    with torch.no_grad():
        return distance(tried(rows), graph(rows))


def _cut_and_fit(graph: Graph, row: Any, rows: Any, kept: Mapping[int, int]) -> Pruned:
    original = copy.deepcopy(graph)
    record_shapes(graph, row)
    done, cuts = _cut(graph, row, follow_channels(graph), kept)
    return replace(done, refitted=reconstruct(graph, original, cuts, rows))


def _same_share(found: Followed, remove_percent: float) -> dict[int, int]:
    """Every group keeps the same share, as large as the target allows."""
    before = found.macs()
    target, best = before * (1 - remove_percent / 100), before
    for step in range(1, 200):
        kept = _kept_counts(found, 1 - step / 200)
        best = min(best, found.macs(kept))
        if found.macs(kept) <= target * (1 + _LEAST_CUT):
            return kept
    raise PassError(
        f"{remove_percent:g} % of the multiply-accumulates cannot be pruned: at most "
        f"{100 * (1 - best / before):.0f} % sit in channels that can be removed "
        f"({len(found.groups.prunable())} groups)"
    )


def narrow(graph: Graph, row: Any, *, width_percent: float, rows: Any | None = None) -> Pruned:
    """Make a student: every group keeps this share of its channels, the largest ones.

    Args:
        graph: Changed in place.
        row: One input row, ``[1, ...]``.
        width_percent: Of the channels.
        rows: Inputs ``[n, ...]`` to fit the layers with that lost inputs.

    Raises:
        PassError: nothing can be narrowed.
    """
    record_shapes(graph, row)
    found = follow_channels(graph)
    kept = _kept_counts(found, width_percent / 100)
    if found.macs(kept) >= found.macs() * (1 - _LEAST_CUT):
        raise PassError(
            f"no narrower student can be made: {len(found.groups.prunable())} groups of "
            "channels can be removed, and they hold next to none of the work"
        )
    if rows is not None:
        return _cut_and_fit(graph, row, _affordable(found, rows, _FIT_MACS), kept)
    return _cut(graph, row, found, kept)[0]


def _kept_counts(found: Followed, share: float) -> dict[int, int]:
    """How many channels each group keeps; multiples of 4 where there are many."""
    kept: dict[int, int] = {}
    for group in found.groups.prunable():
        size = found.groups.size(group)
        step = step_size(size)
        kept[group] = min(size, max(step, step * round(size * share / step)))
    return kept


def _cut(graph: Graph, row: Any, found: Followed, kept: Mapping[int, int]) -> tuple[Pruned, Cuts]:
    """Take the channels out, and make sure that the result runs and really is smaller."""
    scores = _importance(graph, found)
    channels = {
        group: tuple(sorted(scores[group].argsort(descending=True)[:count].tolist()))
        for group, count in kept.items()
    }
    before = found.macs()
    cuts = {
        name: [_indices(found, axis, channels) for axis in axes]
        for name, axes in found.weights.items()
    }
    for name, wanted in cuts.items():
        _cut_weight(graph, name, wanted)
    _cut_literals(graph, found, kept)
    tidy(graph)
    after = count_macs(graph, row)
    if after >= before or after != found.macs(kept):
        raise PassError(f"pruning was to leave {found.macs(kept)} MACs and left {after}")
    return Pruned(macs_before=before, macs_after=after), cuts


def _importance(graph: Graph, found: Followed) -> dict[int, Any]:
    """L2 norm of everything that goes with a channel, every weight counting alike.

    The group form of magnitude pruning (Fang et al., "DepGraph", CVPR 2023).
    """
    import torch

    sizes = {group: found.groups.size(group) for group in found.groups.prunable()}
    scores = {group: torch.zeros(size) for group, size in sizes.items()}
    for name, axes in found.weights.items():
        weight = getattr(graph, name).detach()
        if weight.dim() < 2:  # biases and norms say little about size
            continue
        for place, axis in enumerate(axes):
            _add_norms(scores, found, weight.movedim(place, 0).flatten(1).square().sum(1), axis)
    return scores


def _add_norms(scores: dict[int, Any], found: Followed, squares: Any, axis: Axis) -> None:
    """Share out the squares along one axis of one weight to the channels they belong to."""
    offset = 0
    for block in axis:
        size = found.groups.size(block.group)
        length = block.outer * size * block.inner
        part = squares[offset : offset + length].reshape(block.outer, size, block.inner)
        offset += length
        group = found.groups.find(block.group)
        if group in scores:
            norms = part.sum((0, 2)).sqrt()
            scores[group] += norms / norms.mean().clamp(min=1e-12)


def _indices(
    found: Followed, axis: Axis, channels: Mapping[int, tuple[int, ...]]
) -> list[int] | None:
    if axis == FIXED or not any(found.groups.find(b.group) in channels for b in axis):
        return None
    return found.groups.indices(axis, channels)


def _cut_weight(graph: Graph, name: str, indices: list[list[int] | None]) -> None:
    import torch

    weight = getattr(graph, name)
    trainable = isinstance(weight, torch.nn.Parameter)
    for place, wanted in enumerate(indices):
        if wanted is not None:
            weight = weight.index_select(place, torch.tensor(wanted))
    if any(wanted is not None for wanted in indices):
        set_attribute(graph, name, weight, trainable=trainable)


def _cut_literals(graph: Graph, found: Followed, kept: Mapping[int, int]) -> None:
    """Sizes that are written into the graph: of reshapes, and of depthwise convolutions."""
    for node in calls(graph, "reshape"):
        sizes = list(node.args[1])
        for place, axis in enumerate(found.axes[node]):
            if axis and sizes[place] != -1:
                sizes[place] = found.groups.width(axis, kept)
        node.update_arg(1, sizes)
    for node in calls(graph, "conv2d", "conv1d"):
        if len(node.args) > 6 and node.args[6] > 1:  # the number of groups
            source = found.axes[node.args[0]][1]
            node.update_arg(6, found.groups.width(source, kept) or node.args[6])

"""Groups of channels that can only be removed together, and where each group sits.

When channel 3 of a convolution goes, so do entry 3 of its bias and of its batch norm, channel 3
of whatever is added to it, and the inputs of the next layer that read it. An :data:`Axis` says
which group runs along one axis of one tensor; :class:`Groups` joins groups that turn out to be
one, and freezes those that something not understood depends on.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A group laid along an axis: index ``(o * size + channel) * inner + i``.

    Flattening ``[C, H, W]`` gives ``inner = H * W``; flattening ``[H, W, C]`` gives
    ``outer = H * W``.
    """

    group: int
    outer: int = 1
    inner: int = 1


Axis = tuple[Block, ...]
"""The groups along one axis, one after the other; empty for an axis that has to stay whole."""

FIXED: Axis = ()


class Groups:
    """A union-find over channel groups."""

    def __init__(self) -> None:
        """Start without any group."""
        self._sizes: list[int] = []
        self._parents: list[int] = []
        self._frozen: list[bool] = []

    def new(self, size: int) -> Axis:
        """A group of its own for an axis that a layer produces."""
        self._sizes.append(size)
        self._parents.append(len(self._parents))
        self._frozen.append(False)
        return (Block(group=len(self._sizes) - 1),)

    def find(self, group: int) -> int:
        """The group that stands for all that were joined with this one."""
        while self._parents[group] != group:
            group = self._parents[group]
        return group

    def size(self, group: int) -> int:
        """How many channels a group has."""
        return self._sizes[self.find(group)]

    def freeze(self, axis: Axis) -> None:
        """Whatever runs along this axis stays whole."""
        for block in axis:
            self._frozen[self.find(block.group)] = True

    def join(self, left: Axis, right: Axis) -> Axis:
        """Two axes whose entries meet one to one; frozen when their layouts differ."""
        if self._layout(left) != self._layout(right):
            self.freeze(left)
            self.freeze(right)
            return FIXED
        for one, other in zip(left, right, strict=True):
            a, b = self.find(one.group), self.find(other.group)
            self._parents[b] = a
            self._frozen[a] = self._frozen[a] or self._frozen[b]
        return left

    def prunable(self) -> tuple[int, ...]:
        """The groups that may lose channels."""
        roots = sorted({self.find(group) for group in range(len(self._sizes))})
        return tuple(r for r in roots if not self._frozen[r] and self._sizes[r] > 1)

    def width(self, axis: Axis, kept: Mapping[int, int]) -> int:
        """Length of an axis when each group keeps so many channels (all, if not named)."""
        return sum(
            block.outer * kept.get(self.find(block.group), self.size(block.group)) * block.inner
            for block in axis
        )

    def indices(self, axis: Axis, kept: Mapping[int, tuple[int, ...]]) -> list[int]:
        """Which entries of an axis stay when each group keeps these channels."""
        found: list[int] = []
        offset = 0
        for block in axis:
            size = self.size(block.group)
            channels = kept.get(self.find(block.group), tuple(range(size)))
            found += [
                offset + (outer * size + channel) * block.inner + inner
                for outer in range(block.outer)
                for channel in channels
                for inner in range(block.inner)
            ]
            offset += block.outer * size * block.inner
        return found

    def _layout(self, axis: Axis) -> list[tuple[int, int, int]]:
        return [(block.outer, self.size(block.group), block.inner) for block in axis]


def reshape_axes(
    groups: Groups, before: tuple[int, ...], axes: tuple[Axis, ...], after: tuple[int, ...]
) -> tuple[Axis, ...]:
    """Follow axes through a reshape; what cannot be followed is frozen.

    Args:
        groups: Told what to freeze.
        before: The shape that is reshaped.
        axes: One per axis of ``before``.
        after: The shape that it becomes.
    """
    result = [FIXED] * len(after)
    for sources, targets in _chunks(before, after):
        named = [place for place in sources if axes[place]]
        moved = _move(before, axes, after, sources, targets) if len(named) == 1 else None
        if moved is None:
            for place in named:
                groups.freeze(axes[place])
        else:
            target, axis = moved
            result[target] = axis
    return tuple(result)


def _chunks(before: tuple[int, ...], after: tuple[int, ...]) -> list[tuple[list[int], list[int]]]:
    """The smallest runs of axes with equal products; axes of length 1 belong to none."""
    left = [place for place, size in enumerate(before) if size != 1]
    right = [place for place, size in enumerate(after) if size != 1]
    chunks: list[tuple[list[int], list[int]]] = []
    while left and right:
        sources, targets = [left.pop(0)], [right.pop(0)]
        while (a := _product(before, sources)) != (b := _product(after, targets)):
            if a < b:
                sources.append(left.pop(0))
            else:
                targets.append(right.pop(0))
        chunks.append((sources, targets))
    return chunks


def _move(
    before: tuple[int, ...],
    axes: tuple[Axis, ...],
    after: tuple[int, ...],
    sources: list[int],
    targets: list[int],
) -> tuple[int, Axis] | None:
    """Where the one named axis of a chunk goes; ``None`` if it cannot be said."""
    place = next(place for place in sources if axes[place])
    axis = axes[place]
    if len(targets) == 1:
        position = sources.index(place)
        outer = _product(before, sources[:position])
        inner = _product(before, sources[position + 1 :])
        if len(axis) > 1 and outer > 1:
            return None
        return targets[0], tuple(
            Block(group=b.group, outer=b.outer * outer, inner=b.inner * inner) for b in axis
        )
    block = next(iter(axis))
    if len(sources) > 1 or len(axis) > 1:
        return None
    for position, target in enumerate(targets):
        outside = (_product(after, targets[:position]), _product(after, targets[position + 1 :]))
        if outside == (block.outer, block.inner):
            return target, (Block(group=block.group),)
    return None


def _product(shape: tuple[int, ...], places: list[int]) -> int:
    return math.prod(shape[place] for place in places)

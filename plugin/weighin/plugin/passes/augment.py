"""Augmentation of images while training: a random mirror image, a random shift.

Off unless it is asked for: a mirrored digit or spectrogram means something else.

What this module does not do: it changes no data set; every step draws afresh.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import Any

_SHIFT_SHARE = 8
_MOST_CHANNELS = 4


class Augmentation(StrEnum):
    """What may happen to a training image."""

    NONE = "none"
    FLIP = "flip"
    SHIFT = "shift"
    FLIP_SHIFT = "flip+shift"


def image_axes(shape: tuple[int, ...]) -> tuple[int, int] | None:
    """Where height and width are in rows ``[n, C, H, W]`` or ``[n, H, W, C]``.

    Returns:
        The two axes; ``None`` if rows of this shape are no images of 1 to 4 channels.
    """
    if len(shape) != 4:
        return None
    _, first, middle, last = shape
    if first <= _MOST_CHANNELS < min(middle, last):
        return 2, 3
    if last <= _MOST_CHANNELS < min(first, middle):
        return 1, 2
    return None


def augmenter(kind: Augmentation, axes: tuple[int, int], seed: int) -> Callable[[Any], Any]:
    """A function from rows to rows of the same shape, with random numbers of its own.

    A shift is by up to an eighth of the image, and zeros come in.
    """
    import torch

    generator = torch.Generator().manual_seed(seed)

    def change(rows: Any) -> Any:
        if kind in (Augmentation.FLIP, Augmentation.FLIP_SHIFT):
            flipped = torch.rand(len(rows), generator=generator) < 0.5
            chosen = flipped.reshape([-1] + [1] * (rows.dim() - 1))
            rows = torch.where(chosen, rows.flip(axes[1]), rows)
        if kind in (Augmentation.SHIFT, Augmentation.FLIP_SHIFT):
            for axis in axes:
                rows = _shift(rows, axis, generator)
        return rows

    return change


def _shift(rows: Any, axis: int, generator: Any) -> Any:
    """Every row moved along one axis by its own amount."""
    import torch

    size = rows.shape[axis]
    most = size // _SHIFT_SHARE
    moved = torch.randint(-most, most + 1, (len(rows), 1), generator=generator)
    source = torch.arange(size) + moved
    inside = ((source >= 0) & (source < size)).to(rows.dtype)
    shape = [1] * rows.dim()
    shape[0], shape[axis] = len(rows), size
    index = source.clamp(0, size - 1).reshape(shape).expand(rows.shape)
    return rows.gather(axis, index) * inside.reshape(shape)

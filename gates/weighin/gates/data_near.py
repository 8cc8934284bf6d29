"""Rows of one data set that are nearly the same as rows of another: a leak that no hash sees.

    rows -> short descriptors -> the likeliest partners (a matrix product) -> exact comparison

Images ([h, w], [h, w, c] or [c, h, w], sides of 16 and more) are compared at every shift of up
to one pixel, after the best change of brightness and contrast: near is what correlates at
:data:`NEAR_IMAGES` or more. Other rows of 8 values and more are compared value by value, in
standard deviations of each column: near is a distance (root mean square) of :data:`NEAR_VALUES`
or less. What this module does not do: it sees no rotation, flip, crop or zoom, and no image
that is a plain colour; it judges nothing.
"""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

NEAR_IMAGES = 0.95
NEAR_VALUES = 0.1
SMALLEST_SIDE = 16
FEWEST_VALUES = 8
_CHANNELS = (1, 3, 4)
_PARTNERS = 3
_GRID = 8
_PROBABLE = 0.7
_DIRECTIONS = 48
_BLOCK = 500
_TINY = 1e-6

Rows = NDArray[np.float32]
Places = NDArray[np.int64]
Pairs = tuple[Places, Places, NDArray[np.float64]]
"""Row, row of the other set, and how alike they are (1 is equal): [n] each."""


def can_compare(shape: tuple[int, ...]) -> bool:
    """Whether rows of this shape hold enough to tell nearly equal from alike by chance."""
    return int(np.prod(shape)) >= FEWEST_VALUES


def near_pairs(x: NDArray[Any], other: NDArray[Any], *, same: bool = False) -> Pairs:
    """For each row of ``x`` that has one, the row of ``other`` that is nearly the same.

    Args:
        x: [n, ...], finite.
        other: [m, ...], rows of the same shape; finite.
        same: Both are the same set: a row is not compared with itself.

    Returns:
        At most one pair per row of ``x``, in the order of ``x``.
    """
    if not can_compare(x.shape[1:]) or not len(x) or not len(other):
        return _best(())
    axes = _image_axes(x.shape[1:])
    if axes is None:
        return _best(_near_values(_flat(x), _flat(other), same=same))
    return _best(_near_images(_images(x, axes), _images(other, axes), same=same))


def _best(found: Iterable[Pairs]) -> Pairs:
    """The likest partner of each row, among all that were found."""
    parts = list(found)
    if not parts:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    rows, partners, alike = (np.concatenate(part) for part in zip(*parts, strict=True))
    order = np.lexsort((partners, -alike, rows))
    first = order[np.unique(rows[order], return_index=True)[1]]
    return rows[first], partners[first], alike[first]


def _image_axes(shape: tuple[int, ...]) -> tuple[int, int, int] | None:
    """Which axes of a row are height, width and channels; none for what is no image."""
    match shape:
        case (high, wide):
            axes, sides = (0, 1, -1), (high, wide)
        case (high, wide, channels) if channels in _CHANNELS:
            axes, sides = (0, 1, 2), (high, wide)
        case (channels, high, wide) if channels in _CHANNELS:
            axes, sides = (1, 2, 0), (high, wide)
        case _:
            return None
    return axes if min(sides) >= SMALLEST_SIDE else None


def _images(x: NDArray[Any], axes: tuple[int, int, int]) -> NDArray[Any]:
    """A view of the rows as [n, h, w, c]."""
    if axes[2] < 0:
        return x[..., None]
    return x.transpose(0, *(axis + 1 for axis in axes))


def _near_images(x: NDArray[Any], other: NDArray[Any], *, same: bool) -> Iterator[Pairs]:
    for rows, partners in _likely(_pooled(x), _pooled(other), same=same):
        for start in range(0, len(rows), _BLOCK):
            some = slice(start, start + _BLOCK)
            yield _compared(x[rows[some]], other[partners[some]], rows[some], partners[some])


def _compared(a: NDArray[Any], b: NDArray[Any], rows: Places, partners: Places) -> Pairs:
    """Correlation of each pair at the best shift, over all colours."""
    high, wide = a.shape[1] - 2, a.shape[2] - 2
    middle = _unit(a[:, 1:-1, 1:-1].astype(np.float32)).reshape(len(a), high, wide, -1)
    moved = _unit(b.astype(np.float32)).reshape(b.shape)
    lengths = _lengths(moved, high, wide)
    alike = np.full(len(a), -1.0)
    for down in range(3):
        for right in range(3):
            window = moved[:, down : down + high, right : right + wide]
            product = np.einsum("nhwc,nhwc->n", middle, window)
            length = lengths[down][right]
            alike = np.maximum(alike, product / np.where(length > _TINY, length, np.inf))
    near = alike >= NEAR_IMAGES
    return rows[near], partners[near], np.minimum(alike[near], 1.0)


def _lengths(x: Rows, high: int, wide: int) -> list[list[NDArray[np.float64]]]:
    """Length of each window around its own mean, per shift down and right: [n] each."""
    strips = [x[:, :, right : right + wide] for right in range(3)]
    sums = [strip.sum(axis=(2, 3), dtype=np.float64) for strip in strips]
    squares = [np.einsum("nhwc,nhwc->nh", strip, strip) for strip in strips]
    size = high * wide * x.shape[3]

    def length(down: int, right: int) -> NDArray[np.float64]:
        rows = slice(down, down + high)
        total = sums[right][:, rows].sum(axis=1)
        found: NDArray[np.float64] = squares[right][:, rows].sum(axis=1) - total**2 / size
        return np.sqrt(np.maximum(found, 0))

    return [[length(down, right) for right in range(3)] for down in range(3)]


def _likely(a: Rows, b: Rows, *, same: bool) -> Iterator[tuple[Places, Places]]:
    """The few rows of ``b`` that correlate best with each row of ``a``."""
    for start in range(0, len(a), _BLOCK):
        product = a[start : start + _BLOCK] @ b.T
        for rows, partners, value in _largest(product, start, same=same):
            probable = value >= _PROBABLE
            yield rows[probable], partners[probable]


def _largest(
    scores: Rows, start: int, *, same: bool
) -> Iterator[tuple[Places, Places, NDArray[np.float32]]]:
    """Each row's places with the largest scores, one by one; ``scores`` is used up."""
    here = np.arange(len(scores))
    if same:
        scores[here, here + start] = -np.inf
    for _ in range(min(_PARTNERS, scores.shape[1] - same)):
        partners = scores.argmax(axis=1)
        yield here + start, partners, scores[here, partners]
        scores[here, partners] = -np.inf


def _pooled(x: NDArray[Any]) -> Rows:
    """[n, 64] unit vectors: brightness on a coarse grid, which one pixel hardly moves."""
    blocks = range(0, len(x), _BLOCK)
    parts = [_grid(x[start : start + _BLOCK].mean(axis=3, dtype=np.float32)) for start in blocks]
    return _unit(np.concatenate(parts))


def _grid(grey: Rows) -> Rows:
    """[n, h, w] as the means of 8 x 8 fields."""
    for axis in (1, 2):
        size = grey.shape[axis]
        cuts = (np.arange(_GRID) * size) // _GRID
        shape = [1, 1, 1]
        shape[axis] = _GRID
        sizes = np.diff([*cuts, size]).astype(np.float32).reshape(shape)
        fields: Rows = np.add.reduceat(grey, cuts, axis=axis)
        grey = np.divide(fields, sizes, dtype=np.float32)
    return grey


def _unit(rows: Rows) -> Rows:
    """[n, d]: each row around its mean, of length 1; all zero if it is a plain colour."""
    flat = rows.reshape(len(rows), -1)
    mean = flat.mean(axis=1, keepdims=True)
    flat = flat - mean
    length = np.sqrt(np.einsum("nd,nd->n", flat, flat))[:, None]
    plain = length <= _TINY * np.sqrt(flat.shape[1]) * np.abs(mean)
    unit: Rows = flat * np.where(plain, 0, 1 / np.where(plain, 1, length)).astype(np.float32)
    return unit


def _flat(x: NDArray[Any]) -> Rows:
    return x.reshape(len(x), -1).astype(np.float32)


def _near_values(x: Rows, other: Rows, *, same: bool) -> Iterator[Pairs]:
    """Distances in standard deviations per column; columns that never change say nothing."""
    centre, spread = x.mean(axis=0), x.std(axis=0)
    varied = spread > _TINY * (1 + np.abs(centre))
    if varied.sum() < FEWEST_VALUES:
        return
    a, b = ((part[:, varied] - centre[varied]) / spread[varied] for part in (x, other))
    for rows, partners in _closest(_projected(a), _projected(b), same=same):
        distance = np.sqrt(((a[rows] - b[partners]) ** 2).mean(axis=1, dtype=np.float64))
        near = distance <= NEAR_VALUES
        yield rows[near], partners[near], 1 - distance[near]


def _projected(rows: Rows) -> Rows:
    """[n, at most 48]: long rows on a few random directions, the same ones each time."""
    values = rows.shape[1]
    if values <= _DIRECTIONS:
        return rows
    directions = np.random.default_rng(0).standard_normal((values, _DIRECTIONS), np.float32)
    projected: Rows = rows @ directions / np.float32(np.sqrt(_DIRECTIONS))
    return projected


def _closest(a: Rows, b: Rows, *, same: bool) -> Iterator[tuple[Places, Places]]:
    """The few rows of ``b`` that are closest to each row of ``a``."""
    lengths = (b**2).sum(axis=1)
    for start in range(0, len(a), _BLOCK):
        nearness = 2 * a[start : start + _BLOCK] @ b.T - lengths
        for rows, partners, _ in _largest(nearness, start, same=same):
            yield rows, partners

"""Layers whose outputs are known exactly, because everything in them is a whole number. Pure.

The int8 ones have even weights and odd biases and are divided by powers of two, so that no result
lies halfway between two steps: every correct kernel gives the same bits, in whatever order it adds
and whichever way it rounds ties. The float ones stay below 2^24, where float32 is exact.

What this module does not do: it knows no file format, and it runs no runtime.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

ZERO_POINT = 5
"""Of the int8 results: not zero, so that kernels must add it."""

_ROWS, _SHAPE = 3, (8, 8, 16)
_REACH = 120  # of the inputs: int8 without its last steps
_FILTERS = 24
_SEED = 20_260_001
_FLOAT_REACH = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """One layer on rows [n, 8, 8, 16], without padding, stride 1.

    Attributes:
        name: What it is, such as ``conv3x3_int8``.
        weights: [filters, height, width, channels], whole numbers; one channel if depthwise.
        bias: [filters], whole numbers.
        shift: int8 results are the sums divided by 2 to this power; ``None`` for float.
    """

    name: str
    weights: Array
    bias: Array
    shift: int | None

    @property
    def depthwise(self) -> bool:
        """Whether each channel has one filter of its own."""
        return bool(self.weights.shape[3] == 1)

    @property
    def dense(self) -> bool:
        """Whether it is one product over the whole row; its output then is [n, filters]."""
        return bool(self.weights.shape[1:] == _SHAPE)


def known_rows() -> Array:
    """The inputs, [n, 8, 8, 16], float32."""
    chance = np.random.default_rng(_SEED)
    return chance.integers(-_REACH, _REACH + 1, (_ROWS, *_SHAPE)).astype(np.float32)


def layers() -> Iterator[Layer]:
    """Convolutions of each kind and a dense layer, in int8 and in float."""
    chance = np.random.default_rng(_SEED + 1)
    channels = _SHAPE[2]
    for kind, filters, window, shift in (
        ("conv3x3", _FILTERS, (3, 3, channels), 10),
        ("conv1x1", _FILTERS, (1, 1, channels), 9),
        ("depthwise3x3", channels, (3, 3, 1), 8),
        ("dense", _FILTERS, _SHAPE, 11),
    ):
        even = 2 * chance.integers(-63, 64, (filters, *window))
        odd = 2 * chance.integers(-500, 500, filters) + 1
        small = chance.integers(-_FLOAT_REACH, _FLOAT_REACH + 1, (filters, *window))
        yield Layer(name=f"{kind}_int8", weights=even, bias=odd, shift=shift)
        yield Layer(name=f"{kind}_float", weights=small, bias=odd, shift=None)


def sums(layer: Layer, rows: Array) -> Array:
    """Exact sums of products and bias, int64: [n, height, width, filters], dense [n, filters]."""
    whole = rows.astype(np.int64)
    windows = np.lib.stride_tricks.sliding_window_view(whole, layer.weights.shape[1:3], (1, 2))
    each = "nyxchw,chw->nyxc" if layer.depthwise else "nyxchw,fhwc->nyxf"
    weights = layer.weights[..., 0] if layer.depthwise else layer.weights
    total: Array = np.einsum(each, windows, weights) + layer.bias
    return total[:, 0, 0] if layer.dense else total


def answers(layer: Layer, rows: Array) -> Array:
    """What the layer's model must answer, float32."""
    exact = sums(layer, rows)
    if layer.shift is None:
        return exact.astype(np.float32)
    steps = np.rint(exact / 2.0**layer.shift) + ZERO_POINT
    real: Array = np.clip(steps, -128, 127) - ZERO_POINT
    return real.astype(np.float32)

"""Which bits a weight of a file gets.

What this module does not do: it looks for no good bits; :mod:`.mixed` does, and leaves its
choice in the weights themselves.
"""

from typing import Any

from weighin.gates.variant import Format
from weighin.plugin.passes.layers import top_of
from weighin.plugin.recipe import Quantization

_GRID_TOLERANCE = 1e-3
LEAST_BITS = {Format.LITERT: 2, Format.ONNX: 4}
"""The fewest bits of a weight that a format's runtime computes with."""

_BITS = {Quantization.W8: 8, Quantization.W4: 4}


def bits_for(quantization: Quantization, weight: Any, axis: int, *, least_bits: int) -> int | None:
    """Bits of one weight array of a file; ``None`` leaves it float32.

    Args:
        quantization: ``w8``, ``w4`` or ``mixed``.
        weight: Array of any shape.
        axis: Of its output channels.
        least_bits: The fewest that the format stores.
    """
    return _BITS.get(quantization) or grid_bits(weight, axis, least_bits=least_bits)


def grid_bits(weight: Any, axis: int, *, least_bits: int) -> int | None:
    """The coarsest grid of 2, 4 or 8 bits that a weight lies on: storing it there loses nothing.

    Weights that were rounded before conversion are still on a grid after it: folding a batch
    norm multiplies each channel by one number.
    """
    import numpy as np

    rows = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    largest = np.abs(rows).max(1, keepdims=True)
    parts = rows / np.where(largest > 0, largest, 1)
    for bits in (b for b in (2, 4, 8) if b >= least_bits):
        top = top_of(bits)
        if np.abs(parts * top - np.round(parts * top)).max() < _GRID_TOLERANCE * top:
            return bits
    return None

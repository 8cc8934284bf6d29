"""Counts the zeros of one weight: all of them, and whole output channels of them.

What this module does not do: it reads no file, and it does not know what a runtime would make
of a zero. No mobile CPU kernel skips single ones; a whole channel can be cut out.
"""

from typing import Any

from weighin.gates.cost import Weight

_NIBBLES = {"int4", "uint4"}


def weigh(
    name: str,
    kind: str,
    shape: tuple[int, ...],
    data: memoryview | bytes,
    *,
    axis: int | None,
    points: tuple[int, ...] = (),
) -> Weight:
    """One weight from its stored bytes.

    Args:
        name: Its name.
        kind: Stored type, such as ``int8``; of a type that is not known here nothing is counted.
        shape: Its sides.
        data: Little-endian values; two to a byte, low half first, for 4 bits.
        axis: Which side the output channels are; ``None`` if that is not known.
        points: The stored values that mean zero: none, one, or one per channel.

    Raises:
        ValueError: the bytes do not have the length of the shape.
    """
    import numpy as np

    plain = Weight(name=name, type=kind, shape=shape)
    values = _values(np, kind, data, plain.count)
    if values is None or not shape or not plain.count:
        return plain
    if kind in _NIBBLES:
        points = tuple(point & 15 for point in points)
    zero = values.reshape(shape) == _nothing(np, points, shape, axis)
    zeros = int(np.count_nonzero(zero))
    if axis is None:
        return Weight(name=name, type=kind, shape=shape, zeros=zeros)
    channels = np.moveaxis(zero, axis, 0).reshape(shape[axis], -1)
    return Weight(
        name=name,
        type=kind,
        shape=shape,
        zeros=zeros,
        channels=shape[axis],
        zero_channels=int(np.count_nonzero(channels.all(axis=1))),
    )


def _values(np: Any, kind: str, data: memoryview | bytes, count: int) -> Any:
    """The stored values; ``None`` for a type without a number format here."""
    if kind in _NIBBLES:
        both = np.frombuffer(data, np.uint8)
        if len(both) != (count + 1) // 2:
            raise ValueError(f"{len(both)} bytes for {count} values of 4 bits")
        return np.stack([both & 15, both >> 4], axis=1).reshape(-1)[:count]
    if kind not in {"float32", "float16", "float64", "int8", "uint8", "int16", "int32"}:
        return None
    values = np.frombuffer(data, np.dtype(kind).newbyteorder("<"))
    if len(values) != count:
        raise ValueError(f"{len(values)} values for a shape of {count}")
    return values


def _nothing(np: Any, points: tuple[int, ...], shape: tuple[int, ...], axis: int | None) -> Any:
    """What zero is stored as, ready to be compared with the values."""
    if len(set(points)) <= 1:
        return points[0] if points else 0
    if axis is None or len(points) != shape[axis]:
        raise ValueError(f"{len(points)} zero points, one per channel, do not fit {shape}")
    sides = [1] * len(shape)
    sides[axis] = len(points)
    return np.asarray(points).reshape(sides)

"""Sizes of tensors, and how many bytes of them are alive at once.

What this module does not do: it reads no file, and it plans no memory. Real runtimes need at
least as much as is computed here, because they cannot always pack without gaps.
"""

import math
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TypeVar

MOST_VALUES = 2**40
"""A tensor of more values than this is no tensor of a phone's model: the file is damaged."""

MOST_AXES = 16

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True, slots=True)
class Value:
    """One edge of a graph: shape (``None`` when not known), type name, whether constant."""

    shape: tuple[int, ...] | None
    type: str
    bits: float
    constant: bool = False

    @property
    def bytes(self) -> int:
        """Size of its values; 0 when the shape is not known (it is then named as unsized)."""
        return math.ceil(size_of(self.shape) * self.bits / 8) if self.shape is not None else 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Lifetime:
    """One activation tensor: its bytes, the step that writes it, the last step that reads it."""

    bytes: int
    born: int
    dies: int


def size_of(shape: tuple[int, ...]) -> int:
    """Number of values of a tensor; a side only known at run time counts as one.

    Raises:
        ValueError: more values than any model has: the file is damaged.
    """
    if len(shape) > MOST_AXES:
        raise ValueError(f"a tensor of {len(shape)} axes")
    count = math.prod(1 if side < 0 else side for side in shape)
    if count > MOST_VALUES:
        raise ValueError(f"a tensor of {count:.3g} values")
    return count


def lifetimes(
    steps: Sequence[tuple[Sequence[Key], Sequence[Key]]],
    outputs: Iterable[Key],
    bytes_of: Callable[[Key], int],
) -> Iterator[Lifetime]:
    """When each activation is written first and read last.

    Args:
        steps: What each step reads and writes, in the order of execution.
        outputs: What outlives the last step. What no step writes is there from the start.
        bytes_of: Size of one activation; 0 for constants.
    """
    born: dict[Key, int] = {}
    dies = dict.fromkeys(outputs, len(steps))
    for at, (read, written) in enumerate(steps):
        for key in read:
            born.setdefault(key, 0)
            dies[key] = max(dies.get(key, 0), at)
        for key in written:
            born.setdefault(key, at)
            dies[key] = max(dies.get(key, 0), at)
    for key, start in born.items():
        if size := bytes_of(key):
            yield Lifetime(bytes=size, born=start, dies=dies[key])


def alive_bytes(tensors: Iterable[Lifetime], steps: int) -> tuple[int, ...]:
    """Bytes alive in each of ``steps`` steps, with perfect packing."""
    change = [0] * (steps + 1)
    for tensor in tensors:
        change[min(tensor.born, steps)] += tensor.bytes
        change[min(tensor.dies + 1, steps)] -= tensor.bytes
    return tuple(accumulate(change[:steps]))

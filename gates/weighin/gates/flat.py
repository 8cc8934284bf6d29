"""Reads flatbuffers that nobody vouches for, field by field.

Every offset is checked against the file, and reading is paid from a budget: a file that makes
its reader go over the same bytes again and again is refused instead of followed. A schema is a
number per field, in the order of its declaration; flatbuffers never renumber them.

What this module does not do: it knows no schema, and it recurses nowhere.
"""

import struct
from typing import Any

_PER_TABLE = 256
_MOST_TEXT = 4096
_SIZES = {"b": 1, "B": 1, "h": 2, "H": 2, "i": 4, "I": 4, "q": 8, "Q": 8, "f": 4}


class Flat:
    """One flatbuffer, and what is left of its budget."""

    __slots__ = ("_left", "data")

    def __init__(self, data: bytes | memoryview) -> None:
        """Read from ``data``, the whole file."""
        self.data = data
        self._left = 64 * 2**20 + 16 * len(data)

    @property
    def root(self) -> "Table":
        """The root table."""
        return Table(self, self.read("I", 0))

    def read(self, kind: str, at: int) -> Any:
        """One number; ``kind`` as in :mod:`struct`.

        Raises:
            ValueError: it is not inside of the file.
        """
        if not 0 <= at <= len(self.data) - _SIZES[kind]:
            raise ValueError(f"offset {at} is not in the file")
        return struct.unpack_from("<" + kind, self.data, at)[0]

    def span(self, at: int, length: int) -> memoryview:
        """Bytes of the file, paid from the budget.

        Raises:
            ValueError: they are not inside of the file, or the budget is used up.
        """
        if min(at, length, len(self.data) - at - length) < 0:
            raise ValueError(f"{length} bytes at {at} are not in the file")
        self.pay(length)
        return memoryview(self.data)[at : at + length]

    def pay(self, cost: int) -> None:
        """Take ``cost`` from the budget.

        Raises:
            ValueError: it is used up.
        """
        self._left -= cost
        if self._left < 0:
            raise ValueError("its tables point at the same bytes over and over")


class Table:
    """One table of a flatbuffer; fields by their number."""

    __slots__ = ("_at", "_flat")

    def __init__(self, flat: Flat, at: int) -> None:
        """The table whose vtable offset is at ``at``."""
        flat.pay(_PER_TABLE)
        self._flat = flat
        self._at = at

    def _slot(self, field: int) -> int:
        """Where a field is; 0 if the table does not have it."""
        vtable = self._at - self._flat.read("i", self._at)
        place = 4 + 2 * field
        if place >= self._flat.read("H", vtable):
            return 0
        offset: int = self._flat.read("H", vtable + place)
        return self._at + offset if offset else 0

    def _target(self, field: int) -> int:
        at = self._slot(field)
        return at + int(self._flat.read("I", at)) if at else 0

    def number(self, field: int, kind: str = "i", default: int = 0) -> int:
        """A whole number."""
        at = self._slot(field)
        return int(self._flat.read(kind, at)) if at else default

    def table(self, field: int) -> "Table | None":
        """A table, or the value of a union."""
        at = self._target(field)
        return Table(self._flat, at) if at else None

    def tables(self, field: int) -> "tuple[Table, ...]":
        """A vector of tables."""
        start, count = self._vector(field, 4)
        self._flat.pay(count * _PER_TABLE)
        places = (start + 4 * i for i in range(count))
        return tuple(Table(self._flat, p + self._flat.read("I", p)) for p in places)

    def numbers(self, field: int, kind: str = "i") -> tuple[int, ...]:
        """A vector of whole numbers."""
        start, count = self._vector(field, _SIZES[kind])
        self._flat.pay(8 * count)
        return struct.unpack_from(f"<{count}{kind}", self._flat.data, start)

    def data(self, field: int) -> memoryview:
        """A vector of bytes."""
        start, count = self._vector(field, 1)
        return self._flat.span(start, count)

    def has(self, field: int) -> bool:
        """Whether a vector is there and not empty."""
        return self._vector(field, 1)[1] > 0

    def text(self, field: int) -> str:
        """A text.

        Raises:
            ValueError: it is too long for a name.
        """
        return _decoded(self._flat, *self._vector(field, 1))

    def texts(self, field: int) -> tuple[str, ...]:
        """A vector of texts."""
        start, count = self._vector(field, 4)
        self._flat.pay(count * _PER_TABLE)
        found: list[str] = []
        for place in range(start, start + 4 * count, 4):
            at = place + self._flat.read("I", place)
            found.append(_decoded(self._flat, at + 4, self._flat.read("I", at)))
        return tuple(found)

    def _vector(self, field: int, item: int) -> tuple[int, int]:
        """Where a vector's items start, and how many there are."""
        at = self._target(field)
        if not at:
            return 0, 0
        count: int = self._flat.read("I", at)
        if count * item > len(self._flat.data) - at - 4:
            raise ValueError(f"a vector of {count} items is longer than the file")
        return at + 4, count


def _decoded(flat: Flat, start: int, count: int) -> str:
    if count > _MOST_TEXT:
        raise ValueError(f"a name of {count} characters")
    return bytes(flat.span(start, count)).decode("utf-8", errors="replace")

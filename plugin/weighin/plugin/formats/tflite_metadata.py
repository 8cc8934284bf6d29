"""Adds metadata to a ``.tflite`` file without touching a byte of what is there.

A FlatBuffer refers to its parts by forward distances. So a new root that refers to the old parts
can stand *in front of* them: weights stay as they are, and keep their alignment, which packing
the file anew from Python would lose. Only weights that stand behind the FlatBuffer are named by
their place in the file, and these places are moved.

Source: https://flatbuffers.dev/internals, and TensorFlow Lite's ``schema.fbs`` (tables Model,
Buffer, Metadata).
"""

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weighin.plugin.passes.prune import PassError

_MARK = b"TFL3"
_ALIGNMENT = 64
_HEADER = 8
_VERSION, _BUFFERS, _METADATA, _FIELDS = 0, 4, 6, 10
"""Places of fields in the table Model, and how many it has."""

_OFFSET_ENTRY = 6
"""Entry of the field ``offset`` in the vtable of a Buffer."""


def read_metadata(data: bytes, key: str) -> bytes | None:
    """A metadata entry of a file, or ``None``."""
    model = _model(data)
    for place in range(model.MetadataLength()):
        entry = model.Metadata(place)
        if entry.Name() == key.encode():
            return _content(data, model.Buffers(entry.Buffer()))
    return None


def add_metadata(path: Path, key: str, content: bytes) -> None:
    """Add an entry to a file, or replace it.

    Raises:
        PassError: the file is of a newer kind, or has operators with options outside of it.
    """
    data = path.read_bytes()
    if read_metadata(data, key) == content:
        return
    model = _model(data)
    if _field_count(data) > _FIELDS:
        raise PassError("the .tflite file's root has fields that are not known here")
    if any(operator.LargeCustomOptionsOffset() > 1 for operator in _operators(model)):
        raise PassError("the .tflite file has operators whose options stand behind the FlatBuffer")
    front = _front(data, key, content)
    path.write_bytes(front + _moved(data, len(front)))


def _moved(data: bytes, by: int) -> bytes:
    """The old file, with the places of what stands behind its FlatBuffer moved."""
    moved, model = bytearray(data), _model(data)
    for place in range(model.BuffersLength()):
        buffer = model.Buffers(place)
        if buffer.Offset() > 1:  # 1 was a placeholder of the writer
            at = buffer._tab.Pos + buffer._tab.Offset(_OFFSET_ENTRY)
            struct.pack_into("<Q", moved, at, buffer.Offset() + by)
    return bytes(moved)


def _content(data: bytes, buffer: Any) -> bytes:
    if buffer.Offset() > 1:
        return data[buffer.Offset() : buffer.Offset() + buffer.Size()]
    return b"" if buffer.DataIsNone() else bytes(buffer.DataAsNumpy().tobytes())


def _operators(model: Any) -> Iterator[Any]:
    for graph in (model.Subgraphs(place) for place in range(model.SubgraphsLength())):
        yield from (graph.Operators(place) for place in range(graph.OperatorsLength()))


def _model(data: bytes) -> Any:
    from ai_edge_litert import schema_py_generated as schema

    return schema.Model.GetRootAs(data, 0)


def _front(data: bytes, key: str, content: bytes) -> bytes:
    """The new root and everything new, padded so that the old file keeps its alignment."""
    fields = _old_fields(data)
    buffers = _old_items(data, fields.get(_BUFFERS))
    known = _old_items(data, fields.get(_METADATA))
    entries = [entry for entry in known if _name(data, entry) != key.encode()]
    layout = _Layout()
    root = layout.table(_FIELDS)
    buffer_list = layout.vector(len(buffers) + 1)
    entry_list = layout.vector(len(entries) + 1)
    entry, buffer = layout.table(2), layout.table(1)
    name = layout.blob(key.encode() + b"\0", length=len(key.encode()))
    held = layout.blob(content, length=len(content))
    size = layout.close()
    layout.point(0, root)
    layout.data[4:_HEADER] = _MARK
    for place, target in fields.items():
        layout.point(layout.field(root, place), size + target)
    layout.put(layout.field(root, _VERSION), _version(data))
    layout.point(layout.field(root, _BUFFERS), buffer_list)
    layout.point(layout.field(root, _METADATA), entry_list)
    for place, target in enumerate([*(size + old for old in buffers), buffer]):
        layout.point(buffer_list + 4 + 4 * place, target)
    for place, target in enumerate([*(size + old for old in entries), entry]):
        layout.point(entry_list + 4 + 4 * place, target)
    layout.point(layout.field(entry, 0), name)
    layout.put(layout.field(entry, 1), len(buffers))
    layout.point(layout.field(buffer, 0), held)
    layout.drop_missing(root, set(fields) | {_VERSION, _BUFFERS, _METADATA})
    return bytes(layout.data)


class _Layout:
    """Bytes of a FlatBuffer in the order of writing, filled in afterwards."""

    def __init__(self) -> None:
        self.data = bytearray(_HEADER)
        self._fields: dict[int, int] = {}

    def table(self, count: int) -> int:
        """Room for a table of four-byte fields, with its vtable in front; where it starts."""
        vtable = self._align(4)
        places = [4 + 4 * number for number in range(count)]
        self.data += struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * count, *places)
        start = self._align(4)
        self.data += struct.pack("<i", start - vtable) + bytes(4 * count)
        self._fields[start] = vtable
        return start

    def vector(self, count: int) -> int:
        """Room for a vector of references; where it starts."""
        start = self._align(4)
        self.data += struct.pack("<I", count) + bytes(4 * count)
        return start

    def blob(self, content: bytes, *, length: int) -> int:
        """A string or a vector of bytes whose content is aligned to 16; where it starts."""
        self._align(16)
        self.data += bytes(12)
        start = len(self.data)
        self.data += struct.pack("<I", length) + content
        return start

    def close(self) -> int:
        """Pad to the alignment of the file; the length."""
        return self._align(_ALIGNMENT)

    def field(self, table: int, place: int) -> int:
        """Where a field of a table is."""
        return table + 4 + 4 * place

    def put(self, at: int, number: int) -> None:
        """Write a number."""
        self.data[at : at + 4] = struct.pack("<I", number)

    def point(self, at: int, target: int) -> None:
        """Write a reference: how far the target is."""
        self.put(at, target - at)

    def drop_missing(self, table: int, present: set[int]) -> None:
        """Mark all other fields of a table as not there."""
        vtable = self._fields[table]
        (length,) = struct.unpack_from("<H", self.data, vtable)
        for place in set(range((length - 4) // 2)) - present:
            at = vtable + 4 + 2 * place
            self.data[at : at + 2] = bytes(2)

    def _align(self, to: int) -> int:
        self.data += bytes(-len(self.data) % to)
        return len(self.data)


def _table(data: bytes) -> Any:
    return _model(data)._tab


def _old_fields(data: bytes) -> dict[int, int]:
    """Where the parts that the old root refers to are, by place of the field."""
    table = _table(data)
    found: dict[int, int] = {}
    for place in range(_FIELDS):
        offset = int(table.Offset(4 + 2 * place))
        if offset and place != _VERSION:
            found[place] = int(table.Indirect(table.Pos + offset))
    return found


def _field_count(data: bytes) -> int:
    """How many fields the old root's vtable tells of."""
    table = _table(data)
    vtable = table.Pos - struct.unpack_from("<i", data, table.Pos)[0]
    return int((struct.unpack_from("<H", data, vtable)[0] - 4) // 2)


def _version(data: bytes) -> int:
    return int(_model(data).Version())


def _old_items(data: bytes, vector: int | None) -> list[int]:
    """Where the tables of a vector are."""
    if vector is None:
        return []
    (count,) = struct.unpack_from("<I", data, vector)
    places = [vector + 4 + 4 * number for number in range(count)]
    return [place + int(struct.unpack_from("<I", data, place)[0]) for place in places]


def _name(data: bytes, entry: int) -> bytes:
    """Name of a metadata table at a place."""
    from ai_edge_litert import schema_py_generated as schema

    table: Any = schema.Metadata()
    table.Init(data, entry)
    return bytes(table.Name() or b"")

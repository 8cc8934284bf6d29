"""Opens the file that somebody wants to inspect.

What this module does not do: it counts nothing and prints nothing.
"""

import difflib
import hashlib
from collections.abc import Sequence
from pathlib import Path

from weighin.gates.cost import read_cost
from weighin.gates.delegates import Delegate, coverage
from weighin.gates.errors import SourceError
from weighin.gates.inspection import Inspection
from weighin.gates.variant import Format

_MARKS = {b"TFL3": Format.LITERT, b"ORTM": Format.ORT, b"ET12": Format.EXECUTORCH}
_POINTER = b"version https://git-lfs"
_READABLE = ".tflite, .onnx, .ort or .pte"


def inspect_file(path: Path, delegates: Sequence[Delegate]) -> Inspection:
    """Read what a file costs, and what each delegate would make of it.

    Raises:
        SourceError: there is no such file, it is of no known kind, or it cannot be read.
    """
    data = _read(path)
    cost = read_cost(path, _format(path, data))
    return Inspection(
        file=path.name,
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        cost=cost,
        coverages=tuple(coverage(cost, delegate) for delegate in delegates),
    )


def _read(path: Path) -> bytes:
    if path.is_dir():
        raise SourceError(f"{path}: a folder; give a {_READABLE} file in it")
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        near = difflib.get_close_matches(path.name, _neighbours(path.parent), n=1)
        hint = f"; did you mean {path.parent / near[0]}?" if near else ""
        raise SourceError(f"{path}: no such file{hint}") from error
    if not data:
        raise SourceError(f"{path}: an empty file; export the model again")
    if data.startswith(_POINTER):
        raise SourceError(f"{path}: a Git LFS pointer, not the model; run `git lfs pull` first")
    return data


def _neighbours(folder: Path) -> list[str]:
    return sorted(entry.name for entry in folder.iterdir()) if folder.is_dir() else []


def _format(path: Path, data: bytes) -> Format:
    """The format that the file is named after, if what it holds does not say otherwise."""
    named = next((f for f in Format if path.name.lower().endswith(f.suffix)), None)
    marked = _MARKS.get(data[4:8])
    found = named or marked
    if found is None:
        raise SourceError(f"{path}: not a {_READABLE} file by its name or by its content")
    if named is not None and marked is not None and named is not marked:
        raise SourceError(
            f"{path}: named {named.suffix}, but it holds a {marked.suffix} model; rename it"
        )
    return found

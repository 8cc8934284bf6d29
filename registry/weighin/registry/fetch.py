"""Fetching files that git only points to: on a fresh clone, before what they are is checked.

What this module does not do: it believes no file. Whoever asked compares digests afterwards; a
pointer from a merged branch may name anything. It follows only plain pointers: one file, at the
pointer's own place, from a configured remote; nothing that makes DVC import from elsewhere.
"""

from collections.abc import Iterable
from pathlib import Path

from weighin.gates.errors import StoreError
from weighin.registry.files import locked
from weighin.registry.store import dvc_errors

_POINTER = ".dvc"
_MOST_POINTER_BYTES = 8_192
_ELSEWHERE = ("deps", "wdir", "frozen")


def fetch_missing(root: Path, paths: Iterable[str]) -> tuple[str, ...]:
    """Pull every file that is missing, but that DVC has a pointer for.

    Args:
        root: The project's root.
        paths: Relative to the root; those that are there, or that nothing points to, are left.

    Returns:
        The pointers that were pulled.

    Raises:
        StoreError: a pointer is not plain, or DVC could not fetch what it names.
    """
    missing = (path for path in sorted(set(paths)) if not (root / path).exists())
    pointers = [pointer for path in missing if (pointer := _pointer_of(root, path)) is not None]
    if not pointers:
        return ()
    for pointer in pointers:
        _check_plain(root, pointer)
    with locked(root / ".dvc" / "tmp" / "weighin.lock"), dvc_errors(root):
        from dvc.repo import Repo

        with Repo(str(root)) as repo:
            repo.pull([str(root / pointer) for pointer in pointers])
    return tuple(str(pointer) for pointer in pointers)


def _pointer_of(root: Path, path: str) -> Path | None:
    """The pointer of a file, or of the nearest folder around it; ``None`` outside of the root."""
    here = Path(path)
    if here.is_absolute() or ".." in here.parts:
        return None
    around = (one for one in (here, *here.parents) if one.name)
    pointers = (one.with_name(f"{one.name}{_POINTER}") for one in around)
    return next((one for one in pointers if (root / one).is_file()), None)


def _check_plain(root: Path, pointer: Path) -> None:
    from dvc.utils.serialize import ParseError, parse_yaml

    file = root / pointer
    if not file.resolve().is_relative_to(root.resolve()):
        raise StoreError(f"{pointer}: is outside of the project")
    if file.stat().st_size > _MOST_POINTER_BYTES:
        raise StoreError(f"{pointer}: is too long for a pointer")
    try:
        document = parse_yaml(file.read_text(encoding="utf-8"), str(pointer))
    except (ParseError, UnicodeDecodeError, RecursionError) as error:
        raise StoreError(f"{pointer}: cannot be read: {error}") from error
    outs = document.get("outs") if isinstance(document, dict) else None
    whole = isinstance(outs, list) and len(outs) == 1 and isinstance(outs[0], dict)
    if not whole or outs[0].get("path") != pointer.name.removesuffix(_POINTER):
        raise StoreError(f"{pointer}: does not point to the one file beside it")
    if any(key in document for key in _ELSEWHERE):
        raise StoreError(f"{pointer}: would fetch from elsewhere than the configured remote")

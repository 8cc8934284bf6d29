"""A bundle: reports and evidence on their way from a machine that nobody trusts.

    weigh-in-0/report.json
    weigh-in-0/evidence/0.json  1.json  ...
    weigh-in-1/report.json      ...

A folder, or a zip of it as a workflow's artifact is one; each inner folder is shaped like a
results folder. Names are numbers, because names of files mean nothing: what a statement speaks of
is inside it, under its signature. Reading refuses a bundle that is not exactly this, and unpacks
into memory only, so that no name in it is a path.

What this module does not do: it checks no signature and believes no number. The law, held by a
property test: reading what was written gives the same bytes in the same order.
"""

import json
import os
import re
import stat
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import EvidenceError
from weighin.plugin.results import EVIDENCE_DIR, REPORT_JSON

_NAME = re.compile(r"weigh-in-(0|[1-9]\d{0,3})/(report|evidence/(0|[1-9]\d{0,4}))\.json", re.ASCII)
_FOLDER = re.compile(r"weigh-in-\d{1,4}/(evidence/)?", re.ASCII)
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_ENCRYPTED = 0x1


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a bundle may hold; a real one stays far below.

    Attributes:
        files: How many files.
        file_bytes: The size of each.
        total_bytes: The size of all, unpacked.
        packed_bytes: The size of the zip.
        depth: How deep its JSON may be nested.
    """

    files: int = 4000
    file_bytes: int = 8 * 2**20
    total_bytes: int = 64 * 2**20
    packed_bytes: int = 16 * 2**20
    depth: int = 40


LIMITS = Limits()
"""What reading accepts unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundled:
    """One weigh-in of a bundle, as bytes that nobody has looked at.

    Attributes:
        report: The text of ``report.json``; a JSON object, and no more is known.
        envelopes: What claims to be signed evidence; JSON objects, and no more is known.
    """

    report: bytes
    envelopes: tuple[bytes, ...]


def read_bundle(source: Path, limits: Limits = LIMITS) -> tuple[Bundled, ...]:
    """Read a folder or a zip that somebody hostile may have made.

    Raises:
        EvidenceError: it is not a bundle, or too much of one; says which file, and why.
    """
    files = _of_folder(source, limits) if source.is_dir() else _of_zip(source, limits)
    kept: dict[tuple[int, int], bytes] = {}
    room = limits.total_bytes
    for name, content in files:
        number, place = _place(name)
        if (number, place) in kept:
            raise EvidenceError(f"bundle: {name} is there twice")
        if len(kept) == limits.files or (room := room - len(content)) < 0:
            raise EvidenceError(
                f"bundle: more than {limits.files} files or {limits.total_bytes} bytes in all"
            )
        _check_json(name, content, limits.depth)
        kept[number, place] = content
    return tuple(_weigh_ins(kept))


def write_bundle(folder: Path, weigh_ins: Iterable[Bundled]) -> None:
    """Write a bundle into a new folder.

    Raises:
        OSError: the folder exists, or cannot be written.
    """
    folder.mkdir(parents=True)
    for number, one in enumerate(weigh_ins):
        inner = folder / f"weigh-in-{number}"
        (inner / EVIDENCE_DIR).mkdir(parents=True)
        for place, envelope in enumerate(one.envelopes):
            (inner / EVIDENCE_DIR / f"{place}.json").write_bytes(envelope)
        (inner / REPORT_JSON).write_bytes(one.report)


def _place(name: str) -> tuple[int, int]:
    """The weigh-in and the place in it, -1 for its report; so that they sort."""
    found = _NAME.fullmatch(name)
    if found is None:
        raise EvidenceError(f"bundle: {_shown(name)} is no name of a file in a bundle")
    return int(found[1]), -1 if found[3] is None else int(found[3])


def _weigh_ins(kept: dict[tuple[int, int], bytes]) -> Iterator[Bundled]:
    for number in sorted({number for number, _ in kept}):
        places = sorted(place for one, place in kept if one == number)
        if places[0] != -1:
            raise EvidenceError(f"bundle: weigh-in-{number} has no report.json")
        report, *envelopes = (kept[number, place] for place in places)
        yield Bundled(report=report, envelopes=tuple(envelopes))


def _check_json(name: str, content: bytes, depth: int) -> None:
    """Only objects, nested no deeper than ours are: what reads them next must not be exhausted."""
    try:
        level: list[object] = [json.loads(content.decode())]
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"bundle: {name} is not JSON: {type(error).__name__}") from error
    if not isinstance(level[0], dict):
        raise EvidenceError(f"bundle: {name} is not a JSON object")
    for _ in range(depth):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise EvidenceError(f"bundle: {name} is nested deeper than {depth} levels")


def _inside(value: object) -> Sequence[object]:
    if isinstance(value, dict):
        return tuple(value.values())
    return value if isinstance(value, list) else ()


def _of_folder(folder: Path, limits: Limits, above: str = "") -> Iterator[tuple[str, bytes]]:
    for path in sorted(folder.iterdir()):
        name = f"{above}{path.name}"
        if _FOLDER.fullmatch(f"{name}/") and path.is_dir() and not path.is_symlink():
            yield from _of_folder(path, limits, f"{name}/")
        else:
            _place(name)
            yield name, regular_content(path, name, limits.file_bytes)


def regular_content(file: Path, name: str, at_most: int) -> bytes:
    """The content of a regular file; a link, a pipe or a device is not even waited for.

    Args:
        file: Where it is.
        name: How a complaint calls it.
        at_most: Bytes.

    Raises:
        EvidenceError: it is not there, no regular file, or larger.
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise EvidenceError(f"bundle: {name} cannot be read: {error.strerror}") from error
    with os.fdopen(descriptor, "rb") as opened:
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            raise EvidenceError(f"bundle: {name} is not a regular file")
        return _bounded(opened.read(at_most + 1), name, at_most)


def _bounded(content: bytes, name: str, at_most: int) -> bytes:
    if len(content) > at_most:
        raise EvidenceError(f"bundle: {name} is larger than {at_most} bytes")
    return content


def _of_zip(file: Path, limits: Limits) -> Iterator[tuple[str, bytes]]:
    try:
        if file.stat().st_size > limits.packed_bytes:
            raise EvidenceError(f"bundle: {file.name} is larger than {limits.packed_bytes} bytes")
        with zipfile.ZipFile(file) as archive:
            for info in archive.infolist():
                if not _is_folder(info):
                    yield info.filename, _unpacked(archive, info, limits.file_bytes)
    except FileNotFoundError as error:
        raise EvidenceError(f"bundle: there is no {file}") from error
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError) as error:
        raise EvidenceError(f"bundle: {file.name} is not a sound zip: {error}") from error
    except OSError as error:  # also a zip that leads in front of its own start
        raise EvidenceError(f"bundle: {file.name} cannot be read: {error.strerror}") from error


def _is_folder(info: zipfile.ZipInfo) -> bool:
    """Some zip tools list folders; one that is spelled like ours may be there, and is empty."""
    return _FOLDER.fullmatch(info.filename) is not None and info.file_size == 0


def _unpacked(archive: zipfile.ZipFile, info: zipfile.ZipInfo, at_most: int) -> bytes:
    """One entry, in memory, and not a byte more than allowed, whatever its header promises."""
    _place(info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in {0, stat.S_IFREG}:
        raise EvidenceError(f"bundle: {info.filename} is not a regular file")
    if info.flag_bits & _ENCRYPTED or info.compress_type not in _METHODS:
        raise EvidenceError(f"bundle: {info.filename} is packed in a way that is not read")
    with archive.open(info) as opened:
        return _bounded(opened.read(at_most + 1), info.filename, at_most)


def _shown(name: str) -> str:
    """A hostile name on one short line."""
    return ascii(name if len(name) <= 80 else f"{name[:80]}...")

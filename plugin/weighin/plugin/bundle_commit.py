"""What a review branch keeps, put back into a working folder without checking the branch out.

A reviewer's waiver is recorded by a machine that runs the default branch's code. The weigh-in it
speaks of is so far on the review branch only. Its files are read from git as data: pointers,
reports and evidence under ``variants/`` and ``dvc.yaml``, and nothing else, so no line of the
branch's code, configuration or workflows is ever in the working folder.

What this module does not do: it checks no signature; the review that follows does.
"""

import re
import subprocess
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from weighin.gates.errors import StoreError

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_FILE_BYTES = 8 * 2**20
_FILES = 20_000
_REGULAR = b"100644"
_GIT_TIMEOUT_S = 120


def restore(root: Path, commit: str) -> tuple[str, ...]:
    """Write a commit's variants over those in the working folder.

    Args:
        root: The project's root, inside a git repository that has the commit.
        commit: Its full id.

    Returns:
        ``MODEL/VERSION`` of each weigh-in whose report was written or changed.

    Raises:
        StoreError: there is no such commit, or it holds what must not be written here.
    """
    if _COMMIT.fullmatch(commit) is None:
        raise StoreError(f"{commit!r} is not the full id of a commit")
    references: list[str] = []
    for path, blob in _listed(root, commit):
        content = _git(root, "cat-file", "blob", blob)
        target = root / path
        if target.is_file() and not target.is_symlink() and target.read_bytes() == content:
            continue
        _write(root, path, content)
        if (reference := _reference(path)) is not None:
            references.append(reference)
    return tuple(references)


def _listed(root: Path, commit: str) -> Iterator[tuple[PurePosixPath, str]]:
    tree = _git(root, "ls-tree", "-r", "-l", "-z", commit, "--", "variants", "dvc.yaml")
    entries = [entry for entry in tree.split(b"\0") if entry]
    if len(entries) > _FILES:
        raise StoreError(f"{commit}: more than {_FILES} files under variants/")
    for entry in entries:
        what, _, name = entry.partition(b"\t")
        mode, kind, blob, size = what.split()
        path = _path(name)
        if not _is_ours(path):
            continue
        if (mode, kind) != (_REGULAR, b"blob") or int(size) > _FILE_BYTES:
            raise StoreError(f"{commit}: {str(path)!a} is not a regular, small file")
        yield path, blob.decode()


def _path(name: bytes) -> PurePosixPath:
    try:
        text = name.decode()
    except UnicodeDecodeError as error:
        raise StoreError(f"{name!r}: a file name that is not UTF-8") from error
    parts = text.split("/")
    hidden = {"", ".", "..", ".git"}
    if any(part.lower() in hidden for part in parts) or _has_control(text):
        raise StoreError(f"{text!a}: a file name that must not be written here")
    return PurePosixPath(text)


def _has_control(text: str) -> bool:
    return any(unicodedata.category(character) == "Cc" for character in text)


def _is_ours(path: PurePosixPath) -> bool:
    if path.parts == ("dvc.yaml",):
        return True
    return path.suffix in {".dvc", ".json"} or path.name == ".gitignore"


def _write(root: Path, path: PurePosixPath, content: bytes) -> None:
    """Below the root and through no link, whatever lies there already."""
    from weighin.registry.files import write_atomically

    for parent in path.parents:
        if (root / parent).is_symlink():
            raise StoreError(f"{parent}: is a link; nothing is written through it")
    write_atomically(root / path, content)


def _reference(path: PurePosixPath) -> str | None:
    found = re.fullmatch(r"variants/([^/]+)/v(\d+)/weigh-in/report\.json", str(path))
    return None if found is None else f"{found[1]}/{found[2]}"


def _git(root: Path, *arguments: str) -> bytes:
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=root, capture_output=True, timeout=_GIT_TIMEOUT_S, check=True
        )
    except FileNotFoundError as error:
        raise StoreError("git is not installed or not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise StoreError(f"git {arguments[0]} did not end in {_GIT_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        words = error.stderr.decode(errors="replace").strip()
        raise StoreError(f"git {arguments[0]} refused: {words}") from error
    return done.stdout

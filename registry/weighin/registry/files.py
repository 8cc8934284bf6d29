"""Files that are either old or new and never half: atomic writes, digests, and a lock.

Everything that weighin keeps or releases goes through here. Standard library only, because a
pull that has nothing to do must stay fast.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from weighin.gates.digest import sha256_of

TEMPORARY_PREFIX = ".weighin-"
"""How unfinished files are called; whatever a killed process left can be found by it."""


def holds(path: Path, sha256: str, size_bytes: int) -> bool:
    """Whether a regular file with exactly this content is there."""
    return path.is_file() and path.stat().st_size == size_bytes and sha256_of(path) == sha256


def write_atomically(path: Path, content: bytes) -> None:
    """Replace a file's content so that a reader, a crash or a full disk sees the old or the new.

    Raises:
        OSError: it could not be written; the old file is untouched.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def copy_atomically(source: Path, target: Path) -> None:
    """Copy a file's bytes under the same promise as :func:`write_atomically`.

    Raises:
        OSError: it could not be copied; the old file is untouched.
    """
    with replacing(target) as temporary:
        shutil.copyfile(source, temporary)


def remove_unfinished(directory: Path) -> None:
    """Delete what a killed writer left in a folder. Only while holding the folder's lock."""
    for path in directory.glob(f"{TEMPORARY_PREFIX}*"):
        path.unlink(missing_ok=True)


@contextmanager
def locked(path: Path) -> Generator[None]:
    """Hold an exclusive lock between processes; the kernel frees it when a process dies."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def replacing(path: Path) -> Generator[Path]:
    """Yield a temporary file that takes the place of ``path`` if the block ends well.

    Raises:
        OSError: it could not be written; the old file is untouched.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=TEMPORARY_PREFIX)
    os.close(descriptor)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o644)
        _to_disk(temporary)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)
    _to_disk(path.parent)


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

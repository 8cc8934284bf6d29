"""The simulated phone's files: pushed ones in memory, system ones made up when they are read.

Errors are ``OSError`` with the errno that Android gives, so that commands can print its words.

What this module does not do: no links, no owners, and only two folders that can be written to.
"""

import errno
import fnmatch
import os
import stat
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from posixpath import basename, dirname, join, normpath

WRITABLE = ("/data/local/tmp", "/sdcard")
_TOP = ("/", "/data", "/data/local", "/dev", "/system", "/system/bin", "/proc", "/sys", *WRITABLE)

System = Callable[[], Mapping[str, Callable[[], str]]]
"""Paths of the system files of this moment, and what reads them; a reader may raise OSError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A file or folder.

    Attributes:
        path: Absolute and normal.
        mode: Kind and permission bits, as in ``st_mode``.
        size: Bytes.
        mtime_s: Unix time.
    """

    path: str
    mode: int
    size: int
    mtime_s: float

    @property
    def is_folder(self) -> bool:
        """Whether it is a folder."""
        return stat.S_ISDIR(self.mode)


@dataclass(slots=True)
class _File:
    content: bytes
    mode: int
    mtime_s: float


class Files:
    """All files of one phone; safe to use from several threads."""

    def __init__(self, *, free_bytes: int, system: System, now_s: Callable[[], float]) -> None:
        """Empty writable folders.

        Args:
            free_bytes: What fits into them.
            system: The system's own files.
            now_s: Unix time, for modification times.
        """
        self._capacity = free_bytes
        self._system = system
        self._now_s = now_s
        self._files: dict[str, _File] = {}
        self._folders = {*_TOP}
        self._lock = threading.RLock()

    @property
    def free_bytes(self) -> int:
        """What still fits."""
        with self._lock:
            return self._capacity - sum(len(f.content) for f in self._files.values())

    def stat(self, path: str) -> Entry:
        """What is at ``path``.

        Raises:
            OSError: nothing is.
        """
        path = _normal(path)
        with self._lock:
            if path in self._files:
                file = self._files[path]
                mode = stat.S_IFREG | file.mode
                return Entry(path=path, mode=mode, size=len(file.content), mtime_s=file.mtime_s)
            if path in self._folders or self._is_system_folder(path):
                writable = path.startswith(WRITABLE)
                mode = stat.S_IFDIR | (0o771 if writable else 0o755)
                return Entry(path=path, mode=mode, size=4096, mtime_s=self._now_s())
        if path in self._system():
            return Entry(path=path, mode=stat.S_IFREG | 0o444, size=4096, mtime_s=self._now_s())
        raise _error(errno.ENOENT, path)

    def exists(self, path: str) -> bool:
        """Whether anything is at ``path``."""
        try:
            self.stat(path)
        except OSError:
            return False
        return True

    def read(self, path: str) -> bytes:
        """Content of a file.

        Raises:
            OSError: there is none, or it may not be read.
        """
        if self.stat(path).is_folder:
            raise _error(errno.EISDIR, path)
        path = _normal(path)
        with self._lock:
            if path in self._files:
                return self._files[path].content
        reader = self._system().get(path)
        if reader is None:  # a process that has just ended
            raise _error(errno.ENOENT, path)
        return reader().encode()

    def write(self, path: str, content: bytes, *, mode: int = 0o644, append: bool = False) -> None:
        """Create or replace a file; a file that was there keeps its mode.

        Raises:
            OSError: the folder is missing or read-only, or nothing more fits.
        """
        path = _normal(path)
        if path == "/dev/null":
            return
        with self._lock:
            self._check_place(path)
            old = self._files.get(path)
            if append and old:
                content = old.content + content
            if len(content) > self.free_bytes + (len(old.content) if old else 0):
                raise _error(errno.ENOSPC, path)
            self._files[path] = _File(content, old.mode if old else mode, self._now_s())

    def chmod(self, path: str, mode: int) -> None:
        """Set the permission bits.

        Raises:
            OSError: no such file, or not ours.
        """
        entry = self.stat(path)
        with self._lock:
            if entry.path in self._files:
                self._files[entry.path].mode = mode
            elif not entry.path.startswith(WRITABLE):
                raise _error(errno.EPERM, path)

    def touch(self, path: str, mtime_s: float) -> None:
        """Set the modification time of one of our files."""
        with self._lock:
            self._files[_normal(path)].mtime_s = mtime_s

    def make_folder(self, path: str, *, parents: bool = False) -> None:
        """Create a folder.

        Raises:
            OSError: something is there already, or the place is missing or read-only.
        """
        path = _normal(path)
        with self._lock:
            if parents and path not in self._folders and not self.exists(dirname(path)):
                self.make_folder(dirname(path), parents=True)
            if self.exists(path):
                if parents and self.stat(path).is_folder:
                    return
                raise _error(errno.EEXIST, path)
            self._check_place(path)
            self._folders.add(path)

    def remove(self, path: str, *, recursive: bool = False) -> None:
        """Delete a file, or a folder with everything in it.

        Raises:
            OSError: there is none, it is a folder and not ``recursive``, or it is not ours.
        """
        entry = self.stat(path)
        with self._lock:
            if entry.is_folder and not recursive:
                raise _error(errno.EISDIR, path)
            if entry.path in WRITABLE or not entry.path.startswith(WRITABLE):
                raise _error(errno.EACCES, path)
            inside = entry.path + "/"
            self._folders = {
                f for f in self._folders if f != entry.path and not f.startswith(inside)
            }
            for name in [n for n in self._files if n == entry.path or n.startswith(inside)]:
                del self._files[name]

    def names(self, folder: str) -> tuple[str, ...]:
        """Sorted names in a folder.

        Raises:
            OSError: it is no folder.
        """
        if not self.stat(folder).is_folder:
            raise _error(errno.ENOTDIR, folder)
        inside = _normal(folder).rstrip("/") + "/"
        with self._lock:
            everything = [*self._files, *self._folders, *self._system()]
        below = (path.removeprefix(inside) for path in everything if path.startswith(inside))
        return tuple(sorted({path.partition("/")[0] for path in below} - {""}))

    def glob(self, pattern: str) -> tuple[str, ...]:
        """Sorted paths that match a pattern with ``*``, ``?`` or ``[...]`` in any part."""
        found = ["/"] if pattern.startswith("/") else [""]
        for part in [p for p in pattern.split("/") if p]:
            found = [
                join(folder, name)
                for folder in found
                if self.exists(folder or ".") and self.stat(folder).is_folder
                for name in self.names(folder)
                if fnmatch.fnmatchcase(name, part) and (part[0] == "." or name[0] != ".")
            ]
        return tuple(found)

    def _is_system_folder(self, path: str) -> bool:
        inside = path.rstrip("/") + "/"
        return any(name.startswith(inside) for name in self._system())

    def _check_place(self, path: str) -> None:
        if not path.startswith(tuple(f"{place}/" for place in WRITABLE)):
            raise _error(errno.EACCES, path)
        if path in self._folders:
            raise _error(errno.EISDIR, path)
        if dirname(path) not in self._folders:
            raise _error(errno.ENOENT, path)
        if len(basename(path).encode()) > 255:
            raise _error(errno.ENAMETOOLONG, path)


def absolute(path: str, folder: str) -> str:
    """``path`` as seen from ``folder``."""
    return _normal(join(folder, path))


def _normal(path: str) -> str:
    return "/" + normpath(f"/{path}").lstrip("/")


def _error(number: int, path: str) -> OSError:
    return OSError(number, os.strerror(number), path)

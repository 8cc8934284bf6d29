"""The outbox: a small SQLite file in which the hook leaves hints for `weighin sync --watch`.

A hint wakes the worker sooner and decides nothing: the registry itself is the queue, so an
outbox that is lost, locked or damaged costs a few minutes of delay and no model version.
Hence no fsync, and hence a damaged file is set aside instead of stopping anybody.

Stdlib only, because the hook loads this inside every process that registers a model.
"""

import logging
import os
import sqlite3
import threading
import time
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import StoreError

CONFIG_NAME = "weighin.toml"
_WRITER_PATIENCE_S = 0.25
_READER_PATIENCE_S = 5.0
_KEPT_HINTS = 10_000
"""Where nobody ever syncs, the file must not grow for ever."""

_SCHEMA = """
CREATE TABLE IF NOT EXISTS hint (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL,
    label TEXT NOT NULL,
    at_ms INTEGER NOT NULL
)
"""
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Hint:
    """Somebody registered a version.

    Attributes:
        seq: Position in the outbox, ever rising; what `clear` is told.
        key: `Registration.key`.
        label: `Registration.label`, for people.
        at_ms: When it was recorded, milliseconds since the epoch.
    """

    seq: int
    key: str
    label: str
    at_ms: int


def outbox_path(env: Mapping[str, str], cwd: Path) -> Path:
    """Where hints go: `WEIGHIN_OUTBOX`, else the project's own outbox, else the user's.

    The project is the nearest folder above `cwd` that holds a `weighin.toml`.
    """
    if named := env.get("WEIGHIN_OUTBOX"):
        return cwd / named
    for folder in (cwd, *cwd.parents):
        if (folder / CONFIG_NAME).is_file():
            return folder / ".weighin" / "outbox.db"
    state_home = Path(env.get("XDG_STATE_HOME", ""))
    if not state_home.is_absolute():  # the XDG specification: ignore relative ones
        state_home = Path(env.get("HOME") or Path.home()) / ".local" / "state"
    return state_home / "weighin" / "outbox.db"


class HintWriter(threading.local):
    """Records hints over one connection per thread, kept open between them.

    Opening and closing costs 0.45 ms a hint in WAL mode, an open connection 0.06 ms. The
    connection is made anew when the file was replaced or deleted, and after a fork.
    """

    def __init__(self) -> None:
        """Nothing is opened before the first hint."""
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[object, ...] = ()
        self._of_parent_process: list[sqlite3.Connection] = []

    def record(self, path: Path, *, key: str, label: str, now_ms: int) -> None:
        """Append one hint, or give up within 0.3 s.

        Raises:
            sqlite3.Error: The file is locked, damaged or not writable.
            OSError: The folder cannot be made.
        """
        try:
            db = self._connection(path)
            added = db.execute(
                "INSERT INTO hint (key, label, at_ms) VALUES (?, ?, ?)", (key, label, now_ms)
            )
            if added.lastrowid and added.lastrowid % _KEPT_HINTS == 0:
                db.execute("DELETE FROM hint WHERE seq <= ?", (added.lastrowid - _KEPT_HINTS,))
        except sqlite3.Error:
            self.close()
            raise

    def close(self) -> None:
        """Let go of the file."""
        if self._db is not None:
            self._db.close()
        self._db, self._opened = None, ()

    def _connection(self, path: Path) -> sqlite3.Connection:
        if self._opened and self._opened[0] != os.getpid() and self._db is not None:
            # SQLite: a connection must not be used, not even closed, across a fork.
            self._of_parent_process.append(self._db)
            self._db, self._opened = None, ()
        if self._db is None or self._opened != _file_identity(path):
            self.close()
            self._db = _open(path, _WRITER_PATIENCE_S)
            self._opened = _file_identity(path)
        return self._db


def record_hint(path: Path, *, key: str, label: str, now_ms: int) -> None:
    """Append one hint and close the file again; raises what `HintWriter.record` raises."""
    writer = HintWriter()
    try:
        writer.record(path, key=key, label=label, now_ms=now_ms)
    finally:
        writer.close()


def pending(path: Path) -> tuple[Hint, ...]:
    """All hints that were not cleared yet, oldest first; none where there is no outbox.

    A damaged file is moved to `<name>.damaged`, with a warning.

    Raises:
        StoreError: The file cannot be read now: locked for seconds, or no permission.
    """
    if not path.exists():
        return ()
    try:
        with closing(_open(path, _READER_PATIENCE_S)) as db:
            rows = db.execute("SELECT seq, key, label, at_ms FROM hint ORDER BY seq").fetchall()
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: the outbox cannot be read ({error}); try again") from error
    except sqlite3.DatabaseError as error:
        _set_aside(path, error)
        return ()
    return tuple(Hint(seq=s, key=k, label=label, at_ms=ms) for s, k, label, ms in rows)


def clear(path: Path, upto: int) -> None:
    """Forget the hints up to and including number `upto`; later ones stay.

    Raises:
        StoreError: The file cannot be written now.
    """
    if not path.exists():
        return
    try:
        with closing(_open(path, _READER_PATIENCE_S)) as db:
            db.execute("DELETE FROM hint WHERE seq <= ?", (upto,))
    except sqlite3.OperationalError as error:
        raise StoreError(f"{path}: the outbox cannot be cleared ({error}); try again") from error
    except sqlite3.DatabaseError as error:
        _set_aside(path, error)


def wait_for_hint(path: Path, timeout_s: float, poll_s: float = 0.1) -> bool:
    """Sleep until there is a hint, at most `timeout_s`; tells whether there is one.

    Returns at once when a hint is already pending, so none slips through between a sync and
    the next wait. Waiting costs two `stat` calls per poll.
    """
    deadline = time.monotonic() + timeout_s
    seen: tuple[object, ...] | None = None
    while True:
        state = _state(path)
        if state != seen and pending(path):
            return True
        seen = state
        left_s = deadline - time.monotonic()
        if left_s <= 0:
            return False
        time.sleep(min(poll_s, left_s))


def _open(path: Path, patience_s: float) -> sqlite3.Connection:
    path.parent.mkdir(parents=True, exist_ok=True)
    db = sqlite3.connect(path, timeout=patience_s, isolation_level=None)
    try:
        db.execute("PRAGMA page_size=512")  # of a new file: a hint rewrites three pages
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=OFF")
        db.execute(_SCHEMA)
    except sqlite3.Error:
        db.close()
        raise
    return db


def _file_identity(path: Path) -> tuple[object, ...]:
    """Changes when the path names another file, or when this is another process."""
    try:
        info = os.stat(path)  # noqa: PTH116 - half the price of Path.stat, in the user's process
    except FileNotFoundError:
        return (os.getpid(), str(path))
    return (os.getpid(), str(path), info.st_dev, info.st_ino)


def _state(path: Path) -> tuple[object, ...]:
    """Changes when something was written to the database or to its write-ahead log."""
    state: list[object] = []
    for file in (path, path.with_name(f"{path.name}-wal")):
        try:
            info = file.stat()
        except OSError:
            state.append(None)
        else:
            state.append((info.st_ino, info.st_mtime_ns, info.st_size))
    return tuple(state)


def _set_aside(path: Path, error: sqlite3.DatabaseError) -> None:
    damaged = path.with_name(f"{path.name}.damaged")
    path.replace(damaged)
    for leftover in ("-wal", "-shm"):  # of the old file: they must not be applied to a new one
        path.with_name(path.name + leftover).unlink(missing_ok=True)
    _logger.warning("%s: damaged (%s), moved to %s; no version is lost", path, error, damaged.name)

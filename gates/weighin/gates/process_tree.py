"""A process and everything it started: how much memory they hold, and how to end them all.

Reads ``/proc`` directly, so that the lowest layer needs no package for it. Where there is no
``/proc`` (macOS), only the process group is known: memory reads as zero, killing still works.
"""

import os
import signal
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Process:
    pid: int
    parent: int
    session: int
    rss_bytes: int


def tree_rss_bytes(pid: int) -> int:
    """Resident memory of a session leader and all its descendants, in bytes."""
    return sum(process.rss_bytes for process in _tree(pid))


def kill_tree(pid: int) -> None:
    """End a session leader, its group and all its descendants, at once and for good."""
    victims = tuple(process.pid for process in _tree(pid))
    _kill_group(pid)
    for victim in victims:
        _kill(victim)


def _tree(root: int) -> Iterator[_Process]:
    """The processes of the session, and those that left it but still descend from it."""
    everybody = tuple(_processes())
    members = {p.pid for p in everybody if root in (p.pid, p.session)}
    grown = True
    while grown:
        found = {p.pid for p in everybody if p.parent in members} - members
        members |= found
        grown = bool(found)
    return (p for p in everybody if p.pid in members)


def _processes() -> Iterator[_Process]:
    if not _PROC.is_dir():
        return
    for name in os.listdir(_PROC):  # noqa: PTH208 - ten times a second: Path objects cost
        if name.isdigit():
            process = _read(int(name))
            if process is not None:
                yield process


def _read(pid: int) -> _Process | None:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:  # noqa: PTH123 - as above
            data = stream.read()
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended while we looked
    # The name is in parentheses and may hold anything, also parentheses and blanks.
    fields = data[data.rfind(b")") + 2 :].split()
    return _Process(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        rss_bytes=int(fields[21]) * _PAGE_BYTES,
    )


def _kill_group(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # nobody left in it


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return  # died with its group

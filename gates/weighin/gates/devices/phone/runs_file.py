"""The file of runs beside a phone's profile: appended line by line, never rewritten.

A line is on the disk before anybody is told that the run is kept; a line that a crash left
unfinished is cut off by the next one that writes, and said.
"""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from weighin.gates.devices.phone_run import SUFFIX, PhoneRun, RunsFile, run_to_line, runs_from_bytes
from weighin.gates.errors import PhoneError


def runs_path(folder: Path, device: str) -> Path:
    """Where the runs of a phone are."""
    return folder / f"{device}{SUFFIX}"


def read_runs(folder: Path, device: str) -> RunsFile:
    """Every run of a phone; none if there is no file.

    Raises:
        PhoneError: a line is damaged; the message names file and line.
    """
    path = runs_path(folder, device)
    try:
        return runs_from_bytes(path.read_bytes())
    except FileNotFoundError:
        return RunsFile(runs=(), whole_bytes=0)
    except ValueError as error:
        raise PhoneError(
            f"{path}: {error}; repair the line, or delete it and measure again"
        ) from error


def append_run(folder: Path, run: PhoneRun) -> str:
    """Keep a run, on the disk when this returns.

    Returns:
        The unfinished line that a crash had left there and that was cut off; empty as a rule.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = runs_path(folder, run.device)
    line = run_to_line(run).encode()
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        content = os.pread(handle, os.fstat(handle).st_size, 0)
        whole = content.rfind(b"\n") + 1
        os.ftruncate(handle, whole)
        _write(handle, line, whole)
        os.fsync(handle)
    finally:
        os.close(handle)
    return content[whole:].decode(errors="replace")


def _write(handle: int, line: bytes, offset: int) -> None:
    while line:
        written = os.pwrite(handle, line, offset)
        line, offset = line[written:], offset + written


@contextmanager
def sole_user(folder: Path, serial_sha256: str) -> Generator[None]:
    """Hold one phone: whoever measures on it at the same time would measure the other's work.

    Raises:
        PhoneError: somebody else holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"phone-{serial_sha256[:16]}.lock").open("a") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise PhoneError(
                "another weighin measures on this phone now; wait for it to end"
            ) from error
        yield

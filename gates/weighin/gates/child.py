"""Runs somebody else's model in a child process that can hurt nobody.

The child gets its own session, an environment from an allow-list, no network where the
kernel lets us take it away, a time limit and a memory limit. Whatever it does, the caller
gets a value: the results it wrote so far, and how it ended.

The protocol is three files in a working directory: the parent writes ``job.json``, the child
appends one JSON object per line to ``results.jsonl``, and what it prints is kept in
``output.txt`` for the reason of a failure.

What this module does not do: it trusts nothing that a child says. Callers check every path
and digest in a result.
"""

import functools
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from weighin.gates.process_tree import kill_tree, tree_rss_bytes

Line = Mapping[str, object]
"""One result, as the child wrote it."""

_MIB = 1024 * 1024
_POLL_SECONDS = 0.05
_LINE_CHARACTERS = 300
_TAIL_LINES = 6
_TAIL_BYTES = 16_384
_KEPT_NAMES = ("PATH", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "TZ", "SYSTEMROOT")


class End(StrEnum):
    """How a child came to its end."""

    OK = "ok"
    CRASHED = "crashed"
    TIMED_OUT = "timed out"
    OVER_MEMORY = "over memory"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """How a child ended, and why in words; the reason is empty when all went well."""

    how: End
    reason: str = ""

    @property
    def ok(self) -> bool:
        """Whether the child ended by itself, with status 0."""
        return self.how is End.OK


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one child may use.

    Attributes:
        wall_seconds: From start to end.
        memory_mib: Resident memory of the child and everything it started, together.
        threads: Computing threads that numeric libraries may start.
        file_mib: Largest file it may write.
        hidden: Folders and files that it must not see, such as those that hold keys. Each that
            exists is covered by an empty one, where the machine can isolate.
    """

    wall_seconds: float
    memory_mib: int
    threads: int = 1
    hidden: tuple[Path, ...] = ()
    file_mib: int = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class ChildResult:
    """What a child left behind.

    Attributes:
        lines: The results it wrote before it ended, in order.
        ended: How it ended.
        isolated: Whether it ran without network and in its own process namespace.
        wall_seconds: How long it ran.
    """

    lines: tuple[Line, ...]
    ended: Ended
    isolated: bool
    wall_seconds: float


def run_child(
    module: str,
    job: Mapping[str, object],
    workdir: Path,
    limits: Limits,
    *,
    on_line: Callable[[Line], None] | None = None,
    interpreter: Sequence[str] = (),
) -> ChildResult:
    """Run ``python -I -m module job.json`` and wait for it.

    Args:
        module: What to run. It reads its job with :func:`read_job` and answers with
            :func:`append_result`.
        job: Must be JSON. Never put secrets into it: the child can read it.
        workdir: Made if missing, and the child's home; results of an earlier run in it are
            forgotten.
        limits: What it may use.
        on_line: Called in the parent for every result as soon as it is seen.
        interpreter: What to start instead of this Python; the module and the job follow.
    """
    workdir.mkdir(parents=True, exist_ok=True)
    job_path = workdir / "job.json"
    job_path.write_text(json.dumps(dict(job)))
    python = interpreter or (sys.executable, "-I", "-m")
    command = (*python, module, str(job_path.resolve()))
    return run_command(command, workdir, limits, on_line=on_line)


def run_command(
    command: Sequence[str],
    workdir: Path,
    limits: Limits,
    *,
    on_line: Callable[[Line], None] | None = None,
) -> ChildResult:
    """Run any command the way :func:`run_child` does."""
    workdir.mkdir(parents=True, exist_ok=True)
    results, output = workdir / "results.jsonl", workdir / "output.txt"
    results.write_bytes(b"")
    reader = _Reader(results, on_line)
    isolated = can_isolate()
    started = time.monotonic()
    with output.open("wb") as sink:
        process = subprocess.Popen(
            [*_jail(limits, isolated=isolated), *command],
            cwd=workdir,
            env=child_environment(os.environ, workdir, limits),
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        stopped = _watch(process, limits, reader, deadline=started + limits.wall_seconds)
    finally:
        kill_tree(process.pid)
        process.wait()
    reader.poll()
    ended = stopped or _ended(process.returncode, output)
    seconds = time.monotonic() - started
    return ChildResult(
        lines=tuple(reader.lines), ended=ended, isolated=isolated, wall_seconds=seconds
    )


def read_job(job_path: Path) -> tuple[Mapping[str, object], Path]:
    """In the child: the job, and the file to append results to."""
    job: dict[str, object] = json.loads(job_path.read_text())
    return job, job_path.with_name("results.jsonl")


def append_result(results: Path, line: Line) -> None:
    """In the child: hand over one result, whole or not at all."""
    data = (json.dumps(dict(line)) + "\n").encode()
    handle = os.open(results, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(handle, data)
    finally:
        os.close(handle)


def child_environment(environ: Mapping[str, str], workdir: Path, limits: Limits) -> dict[str, str]:
    """What a child may know: nothing but names on the list, so no key ever leaks into it."""
    threads = str(limits.threads)
    kept = {name: environ[name] for name in _KEPT_NAMES if name in environ}
    home = str(workdir.resolve())
    return kept | {
        "HOME": home,
        "TMPDIR": home,
        "OMP_NUM_THREADS": threads,
        "MKL_NUM_THREADS": threads,
        "OPENBLAS_NUM_THREADS": threads,
        "TF_NUM_INTRAOP_THREADS": threads,
        "TF_NUM_INTEROP_THREADS": "1",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "TF_ENABLE_ONEDNN_OPTS": "0",
        "CUDA_VISIBLE_DEVICES": "",
        "PYTHONHASHSEED": "0",
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "MLFLOW_ALLOW_PICKLE_DESERIALIZATION": "false",
    }


@functools.cache
def can_isolate() -> bool:
    """Whether this machine lets us start a child without network, in its own namespaces."""
    needed = ("unshare", "prlimit", "setpriv", "mount")
    if not all(shutil.which(name) for name in needed):
        return False
    probe = [*_namespaces(()), "true"]
    return subprocess.run(probe, capture_output=True, check=False, timeout=20).returncode == 0


_UNSHARE = (
    # Own user, network and process namespaces: when the first process of the last one ends,
    # the kernel kills whatever it left behind, however well it hid.
    *("unshare", "--map-root-user", "--net", "--pid", "--fork", "--kill-child", "--mount-proc"),
    # A shell is that first process: signals that a process sends to itself are ignored there.
    *("--", "sh", "-c"),
)
_COVER_AND_RUN = (
    'while [ "$1" != -- ]; do if [ -d "$1" ]; then mount -t tmpfs -o ro,size=4k none "$1"; '
    'else mount --bind /dev/null "$1"; fi || exit 97; shift; done; '
    # Without capabilities nothing can uncover them, not even from a namespace of its own.
    'shift; setpriv --bounding-set=-all --inh-caps=-all --no-new-privs -- "$@"; exit $?'
)


def _namespaces(hidden: Sequence[Path]) -> tuple[str, ...]:
    """The command's prefix that starts it in namespaces of its own."""
    covered = (str(path.resolve()) for path in hidden if path.exists())
    return (*_UNSHARE, _COVER_AND_RUN, "sh", *covered, "--")


def _jail(limits: Limits, *, isolated: bool) -> tuple[str, ...]:
    """The command's prefix that sets kernel limits, where the tools for it exist."""
    if not isolated:
        return ()
    # Virtual sizes are far above resident ones: a backstop against eating faster than we poll.
    data_bytes = (limits.memory_mib * 4 + 4096) * _MIB
    ceilings = (f"--data={data_bytes}", f"--fsize={limits.file_mib * _MIB}", "--core=0")
    return ("setpriv", "--pdeathsig", "KILL", "prlimit", *ceilings, *_namespaces(limits.hidden))


def _watch(
    process: "subprocess.Popen[bytes]", limits: Limits, reader: "_Reader", *, deadline: float
) -> Ended | None:
    """Wait until it ends by itself (``None``) or has to be stopped (why)."""
    while True:
        try:
            process.wait(timeout=_POLL_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        else:
            return None
        reader.poll()
        if time.monotonic() > deadline:
            return Ended(how=End.TIMED_OUT, reason=f"timed out after {limits.wall_seconds:g} s")
        used_mib = tree_rss_bytes(process.pid) / _MIB
        if used_mib > limits.memory_mib:
            reason = f"over memory: {used_mib:.0f} MiB of {limits.memory_mib} MiB allowed"
            return Ended(how=End.OVER_MEMORY, reason=reason)


def _ended(returncode: int, output: Path) -> Ended:
    """How a child ended that nobody stopped."""
    if returncode == 0:
        return Ended(how=End.OK)
    number = -returncode if returncode < 0 else returncode - 128
    try:
        how = f"killed by {signal.Signals(number).name}"
    except ValueError:
        how = f"exit status {returncode}"
    tail = _tail(output)
    return Ended(how=End.CRASHED, reason=f"crashed ({how})" + (f": {tail}" if tail else ""))


_ESCAPE = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
_RAISED = re.compile(r"[A-Za-z_][\w.]*(Error|Exception)\b")


def _tail(output: Path) -> str:
    """What a child said last, in one line: from the exception it ended with, if it raised one."""
    with output.open("rb") as stream:
        stream.seek(max(0, output.stat().st_size - _TAIL_BYTES))
        text = _ESCAPE.sub("", stream.read().decode(errors="replace"))
    lines = [line for line in text.splitlines() if line.strip()]
    raised = [number for number, line in enumerate(lines) if _RAISED.match(line)]
    told = lines[raised[-1] :][:_TAIL_LINES] if raised else lines[-_TAIL_LINES:]
    return " | ".join(line.strip()[:_LINE_CHARACTERS] for line in told)


class _Reader:
    """Reads the results that are whole so far; a torn last line waits or is dropped."""

    def __init__(self, path: Path, on_line: Callable[[Line], None] | None) -> None:
        self._path = path
        self._offset = 0
        self._on_line = on_line
        self.lines: list[Line] = []

    def poll(self) -> None:
        for line in self._new_lines():
            self.lines.append(line)
            if self._on_line is not None:
                self._on_line(line)

    def _new_lines(self) -> Iterator[Line]:
        with self._path.open("rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        whole = data[: data.rfind(b"\n") + 1]
        self._offset += len(whole)
        for raw in whole.splitlines():
            try:
                line: object = json.loads(raw)
            except ValueError:
                continue  # not from append_result: a model wrote into its own results
            if isinstance(line, dict):
                yield {str(key): value for key, value in line.items()}

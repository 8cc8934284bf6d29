"""Measures models on several phones at once: one thread per phone, one job at a time on each.

Each finished run is on the disk before the next one starts; what failed on one phone stops only
that phone. What this module does not do: it measures nothing itself, see
:mod:`weighin.gates.devices.phone.measure`.
"""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

from weighin.gates.devices.phone.link import Link
from weighin.gates.devices.phone.measure import Job, ModelFile, measure
from weighin.gates.devices.phone.runs_file import append_run, read_runs, sole_user
from weighin.gates.devices.phone_run import Missing, PhoneRun
from weighin.gates.errors import PhoneError, WeighinError

Tell = Callable[[str], None]
"""Says one line to whoever watches; called from several threads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What came of one phone's jobs: its runs, how many were there before, what stopped it."""

    device: str
    runs: tuple[PhoneRun, ...]
    skipped: int
    stopped: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where runs are kept, and what is not measured again.

    Attributes:
        folder: Of the profiles.
        locks: For the locks of phones.
        now: Tells the time, UTC.
        fresh: Runs younger than this are not measured again when resuming; ``None`` to measure
            everything.
    """

    folder: Path
    locks: Path
    now: Callable[[], datetime]
    fresh: timedelta | None


def measure_all(
    work: Sequence[tuple[Link, tuple[Job, ...]]], place: Place, tell: Tell
) -> tuple[Finished, ...]:
    """Measure every job, on all phones at the same time, and keep every run as it is finished."""
    stop = threading.Event()
    with ThreadPoolExecutor(max_workers=max(1, len(work))) as pool:
        futures = [pool.submit(_on_phone, link, jobs, place, tell, stop) for link, jobs in work]
        try:
            _await(futures)
        finally:
            stop.set()  # after an interrupt: phones that still run stop at their next step
    return tuple(future.result() for future in futures)


def _await(futures: Sequence["Future[Finished]"]) -> None:
    """Wait in short steps, so that an interrupt is heard."""
    open_ones = set(futures)
    while open_ones:
        _, open_ones = wait(open_ones, timeout=0.2, return_when=FIRST_COMPLETED)


def _on_phone(
    link: Link, jobs: tuple[Job, ...], place: Place, tell: Tell, stop: threading.Event
) -> Finished:
    device = jobs[0].device
    done: list[PhoneRun] = []
    skipped = 0
    try:
        with sole_user(place.locks, jobs[0].facts.serial_sha256):
            for job in jobs:
                left = _left(job, place)
                skipped += len(job.models) - len(left)
                if not left:
                    continue
                for run in measure(link, replace(job, models=left), _ticker(device, tell, stop)):
                    if cut := append_run(place.folder, run):
                        tell(f"{device}: an unfinished line of an earlier run was cut off: {cut!r}")
                    done.append(run)
                    tell(f"{device}: {run.title}: {_outcome(run)}")
    except WeighinError as error:
        return Finished(device=device, runs=tuple(done), skipped=skipped, stopped=str(error))
    return Finished(device=device, runs=tuple(done), skipped=skipped)


def _ticker(device: str, tell: Tell, stop: threading.Event) -> Tell:
    def tick(what: str) -> None:
        if stop.is_set():
            raise PhoneError("interrupted")
        tell(f"{device}: {what}")

    return tick


def _outcome(run: PhoneRun) -> str:
    if isinstance(run.latency_ms, Missing):
        return f"no latency: {run.latency_ms.reason}"
    p90 = run.latency_ms
    return f"p90 {p90.value:.4g} ms ({p90.lower:.4g} to {p90.upper:.4g})"


def _left(job: Job, place: Place) -> tuple[ModelFile, ...]:
    """The models without a fresh run in the same setup."""
    if place.fresh is None:
        return job.models
    oldest = place.now() - place.fresh
    known = {
        run.artifact_sha256
        for run in read_runs(place.folder, job.device).runs
        if run.measured_at >= oldest and _same_setup(run, job)
    }
    return tuple(model for model in job.models if model.sha256 not in known)


def _same_setup(run: PhoneRun, job: Job) -> bool:
    if isinstance(run.latency_ms, Missing) or run.serial_sha256 != job.facts.serial_sha256:
        return False
    had = (run.threads, run.delegate, run.tool_sha256, run.runtime_version)
    return had == (job.asked.threads, job.asked.delegate, job.tool.sha256, job.tool.version)

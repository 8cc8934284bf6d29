"""Where and how variants run in child processes on this machine.

A variant that crashes or hangs its child costs only itself: the child says which file it
starts, so the parent knows whose fault it was and goes on with the rest. What this module
does not do: it measures nothing itself.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from importlib.metadata import PackageNotFoundError
from pathlib import Path
from typing import Generic, TypeVar

from weighin.gates.child import ChildResult, Limits, run_child
from weighin.gates.digest import sha256_of
from weighin.gates.meters.quality import ACCURATE, Quality
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.quiet import QuietLimits
from weighin.gates.variant import Format

_RUNNER = "weighin.gates.meters.runner"
_LARGEST_CHUNK = 4
_INPUT_ROWS = 32

T = TypeVar("T")

Tick = Callable[[str], None]
"""Called with what has just been done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """One file to weigh, and the digest it must have."""

    label: str
    path: Path
    format: Format
    sha256: str

    @property
    def is_float32(self) -> bool:
        """Whether it is the reference of its format: no pass was applied to it."""
        return self.label == f"float32{self.format.suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class HostSettings:
    """How this machine measures.

    Attributes:
        threads: Threads of the runtime, as the app will use.
        parallel: Child processes at a time where time is not what is measured.
        processes: Fresh processes per format that time all its variants.
        rounds: Most rounds of a process; in each, every variant runs once.
        session_seconds: After this long a process stops early, but never below 40 rounds.
        warmup: Inferences of each variant before its timings.
        memory_processes: Fresh processes per variant whose peak memory is read.
        memory_inferences: Inferences in each of them.
        energy_repeats: Pairs of an idle and a busy window per variant.
        energy_seconds: Length of a window.
        confidence: One-sided confidence of each end of an interval.
        quality: By what quality is judged.
        seed: Of the order in which variants are timed.
        reuse_for: Readings younger than this are not measured again.
        powercap: Where the kernel shows energy counters.
        quiet: How much noise is let through while time is measured; ``None``: any, unseen.
        proc: Where the kernel shows who uses its processors.
        sys: Where it shows their clocks and their heat.
    """

    threads: int = 1
    parallel: int = 2
    processes: int = 5
    rounds: int = 200
    session_seconds: float = 4.0
    warmup: int = 10
    memory_processes: int = 3
    memory_inferences: int = 5
    energy_repeats: int = 5
    energy_seconds: float = 0.5
    confidence: float = 0.95
    quality: Quality = ACCURATE
    seed: int = 0
    reuse_for: timedelta = timedelta(days=7)
    powercap: Path = Path("/sys/class/powercap")
    quiet: QuietLimits | None = None
    proc: Path = Path("/proc")
    sys: Path = Path("/sys")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where and how children run.

    Attributes:
        workdir: Each child gets a folder below it.
        evaluation: The .npz whose rows are predicted.
        inputs: A few of these rows as .npy, for everything else.
        limits: What one child may use, per variant.
        settings: How to measure.
        tick: Told of every finished child.
        interpreter: What runs the children instead of this Python.
    """

    workdir: Path
    evaluation: Path
    inputs: Path
    limits: Limits
    settings: HostSettings
    tick: Tick
    interpreter: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)  # no slots: Python 3.11 cannot have both with Generic
class Raw(Generic[T]):
    """What came back, per label: the numbers, or why there are none."""

    found: dict[str, T] = field(default_factory=dict)
    crashed: dict[str, str] = field(default_factory=dict)


def first_inputs(evaluation: Path, workdir: Path) -> Path:
    """A few rows of the evaluation data as .npy, for children that need no more."""
    import numpy as np

    inputs = workdir / "inputs.npy"
    with np.load(evaluation, allow_pickle=False) as archive:
        np.save(inputs, archive["x"][:_INPUT_ROWS])
    return inputs


def all_rows(bench: Bench) -> Path:
    """Indexes of every evaluation row as .npy."""
    import numpy as np

    bench.workdir.mkdir(parents=True, exist_ok=True)
    rows = bench.workdir / "all-rows.npy"
    with np.load(bench.evaluation, allow_pickle=False) as archive:
        np.save(rows, np.arange(len(archive["x"])))
    return rows


def run_kind(
    bench: Bench,
    folder: str,
    kind: str,
    candidates: Sequence[Candidate],
    more: Mapping[str, object],
) -> ChildResult:
    """One child, with time for each of its variants."""
    job = {
        "kind": kind,
        "threads": bench.settings.threads,
        "seconds_each": bench.limits.wall_seconds,
        "inputs": str(bench.inputs.resolve()),
        "variants": [
            {
                "label": one.label,
                "path": str(one.path.resolve()),
                "format": one.format.value,
                "outputs": str(outputs_path(bench, folder, one)),
            }
            for one in candidates
        ],
        **more,
    }
    # The child's own alarm comes first; this one is for a child that switched it off.
    seconds = bench.limits.wall_seconds * (len(candidates) + 1) + bench.settings.session_seconds
    limits = replace(bench.limits, wall_seconds=seconds, threads=bench.settings.threads)
    return run_child(_RUNNER, job, bench.workdir / folder, limits, interpreter=bench.interpreter)


def outputs_path(bench: Bench, folder: str, candidate: Candidate) -> Path:
    """Where a child is told to write a variant's outputs, and where we look for them."""
    return (bench.workdir / folder / f"{candidate.label}.npy").resolve()


def chunks(candidates: Sequence[Candidate], parallel: int) -> list[Sequence[Candidate]]:
    """Small enough that a crash costs little, large enough to share the import."""
    size = max(1, min(_LARGEST_CHUNK, -(-len(candidates) // max(1, parallel))))
    return [candidates[k : k + size] for k in range(0, len(candidates), size)]


def culprits(result: ChildResult, left: Sequence[Candidate]) -> Sequence[Candidate]:
    """Whose fault it was: the last one started that has not finished; else all that are left."""
    started = [line.get("label") for line in result.lines if line.get("starting") is True]
    last = [one for one in left if started and one.label == started[-1]]
    return last or left


def why(bench: Bench, result: ChildResult) -> str:
    """How a child ended, in words; its alarm means that a variant took too long."""
    if "SIGALRM" in result.ended.reason:
        return f"timed out after {bench.limits.wall_seconds:g} s"
    return result.ended.reason or "the child left it out"


def unfit(candidate: Candidate) -> str | None:
    """Why a file cannot be weighed at all."""
    try:
        found = sha256_of(candidate.path)
        runtime_of(candidate.format)
    except OSError as error:
        return f"the file cannot be read: {error.strerror}"
    except PackageNotFoundError as error:
        return f"the runtime {error.name} is not installed here"
    if found != candidate.sha256:
        return f"the file is not the one that was built ({found[:12]}, not {candidate.sha256[:12]})"
    return None

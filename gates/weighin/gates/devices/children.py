"""The four things that children do with variants, and the raw numbers they bring back.

What this module does not do: it makes no readings, and it believes no path that a child names.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import islice
from pathlib import Path

from weighin.gates.child import ChildResult, Line
from weighin.gates.devices.bench import (
    Bench,
    Candidate,
    HostSettings,
    Raw,
    chunks,
    culprits,
    outputs_path,
    run_kind,
    why,
)
from weighin.gates.devices.watch import Watch
from weighin.gates.meters.energy import Window
from weighin.gates.meters.latency import Session


def predict(
    bench: Bench, candidates: Sequence[Candidate], rows: Path, name: str, kind: str = "predict"
) -> Iterator[Raw[Path]]:
    """Outputs of every variant on some evaluation rows, as paths of .npy files.

    Args:
        bench: Where and how.
        candidates: The variants.
        rows: .npy with the indexes of the rows, in their order.
        name: Of this look, for the children's folders.
        kind: ``predict`` for [n, ...] as apps get it; ``cross`` for [2, n, ...] with the plain
            form of the runtime behind it.
    """
    parts = chunks(candidates, bench.settings.parallel)
    with ThreadPoolExecutor(bench.settings.parallel) as pool:
        yield from pool.map(
            lambda one: _predict_chunk(bench, kind, rows, f"{kind}-{name}-{one[0]}", one[1]),
            enumerate(parts),
        )


def time_together(
    bench: Bench, candidates: Sequence[Candidate], reference: Candidate | None
) -> Raw[tuple[Session, ...]]:
    """Timings of variants of one format beside their float32 reference, from fresh processes."""
    raw = Raw[tuple[Session, ...]]()
    everybody = [*candidates, *([reference] if reference is not None else [])]
    unique = list({one.label: one for one in everybody}.values())
    watch = Watch(bench)
    for number in range(bench.settings.processes):
        sessions = watch.timed(partial(_time_once, bench, number, unique, reference, raw.crashed))
        for label, session in sessions.items():
            raw.found[label] = (*raw.found.get(label, ()), session)
        bench.tick(f"latency, process {number + 1} of {bench.settings.processes}")
        if watch.gave_up:
            break
    for label in raw.crashed:
        raw.found.pop(label, None)
    return raw


def peak_memory(
    bench: Bench, candidates: Sequence[Candidate]
) -> Iterator[Raw[tuple[tuple[int, int], ...]]]:
    """Floor and peak in KiB of several fresh processes per variant."""
    repeats = bench.settings.memory_processes
    tasks = [(one, number) for one in candidates for number in range(repeats)]
    with ThreadPoolExecutor(bench.settings.parallel) as pool:
        results = pool.map(lambda task: _peak_once(bench, *task), tasks)
        for one in candidates:
            raw = Raw[tuple[tuple[int, int], ...]]()
            for result in islice(results, repeats):
                pairs = [_wholes(line, "floor_kib", "peak_kib") for line in result.lines]
                fresh = tuple((pair[0], pair[1]) for pair in pairs if pair)
                if not result.ended.ok or len(fresh) != 1:
                    raw.crashed[one.label] = why(bench, result)
                raw.found[one.label] = raw.found.get(one.label, ()) + fresh
            yield raw


def energy(
    bench: Bench, candidates: Sequence[Candidate]
) -> Iterator[Raw[tuple[tuple[Window, Window], ...]]]:
    """Idle and busy windows of the energy counter, one variant after the other."""
    more: dict[str, object] = {
        "warmup": bench.settings.warmup,
        "powercap": str(bench.settings.powercap),
        "window_seconds": bench.settings.energy_seconds,
        "repeats": bench.settings.energy_repeats,
    }
    for one in candidates:
        result = run_kind(bench, f"energy-{one.label}", "energy", [one], more)
        bench.tick(f"energy of {one.label}")
        raw = Raw[tuple[tuple[Window, Window], ...]]()
        if not result.ended.ok:
            raw.crashed[one.label] = why(bench, result)
        windows = (_windows(line) for line in result.lines)
        raw.found[one.label] = tuple(pair for pair in windows if pair is not None)
        yield raw


def _peak_once(bench: Bench, one: Candidate, number: int) -> ChildResult:
    more: dict[str, object] = {"inferences": bench.settings.memory_inferences}
    result = run_kind(bench, f"memory-{one.label}-{number}", "memory", [one], more)
    bench.tick(f"memory of {one.label}")
    return result


def _predict_chunk(
    bench: Bench, kind: str, rows: Path, name: str, chunk: Sequence[Candidate]
) -> Raw[Path]:
    """One child for several variants; after a crash another one for the rest."""
    raw, pending, attempt = Raw[Path](), list(chunk), 0
    more = {"data": str(bench.evaluation.resolve()), "rows": str(rows.resolve())}
    while pending:
        folder = f"{name}-{attempt}"
        result = run_kind(bench, folder, kind, pending, more)
        done = {line.get("label") for line in result.lines if line.get("done") is True}
        for candidate in pending:
            if candidate.label in done:
                raw.found[candidate.label] = outputs_path(bench, folder, candidate)
                bench.tick(f"outputs of {candidate.label}")
        left = [candidate for candidate in pending if candidate.label not in done]
        for culprit in culprits(result, left):
            raw.crashed[culprit.label] = why(bench, result)
        pending = [candidate for candidate in left if candidate.label not in raw.crashed]
        attempt += 1
    return raw


def _time_once(
    bench: Bench,
    number: int,
    everybody: Sequence[Candidate],
    reference: Candidate | None,
    crashed: dict[str, str],
) -> dict[str, Session]:
    """One process of timings; whoever crashes it is noted, and it starts again without."""
    pending = [one for one in everybody if one.label not in crashed]
    while pending:
        more = _latency_job(bench.settings, number, reference, pending)
        result = run_kind(bench, f"latency-{pending[0].format}-{number}", "latency", pending, more)
        if result.ended.ok:
            return _sessions(result.lines, pending, more["reference"])
        ready = {line.get("label") for line in result.lines if line.get("ready") is True}
        left = [one for one in pending if one.label not in ready] or pending
        for culprit in culprits(result, left):
            crashed[culprit.label] = why(bench, result)
        pending = [one for one in pending if one.label not in crashed]
    return {}


def _latency_job(
    settings: HostSettings,
    number: int,
    reference: Candidate | None,
    pending: Sequence[Candidate],
) -> dict[str, object]:
    there = reference is not None and reference in pending
    return {
        "rounds": settings.rounds,
        "warmup": settings.warmup,
        "session_seconds": settings.session_seconds,
        "seed": settings.seed + number,
        "reference": reference.label if there and reference is not None else None,
    }


def _sessions(
    lines: Sequence[Line], pending: Sequence[Candidate], reference: object
) -> dict[str, Session]:
    """Join each variant's series with the two of the reference."""
    series = {
        (line.get("label"), line.get("twin") is True): _times(line)
        for line in lines
        if "times_ms" in line
    }
    return {
        one.label: Session(
            times_ms=series.get((one.label, False), ()),
            reference_ms=series.get((reference, False), ()),
            twin_ms=series.get((reference, True), ()),
        )
        for one in pending
    }


def _times(line: Line) -> tuple[float, ...]:
    values = line.get("times_ms")
    if not isinstance(values, list):
        return ()
    return tuple(float(value) for value in values if isinstance(value, int | float))


def _wholes(line: Line, *names: str) -> tuple[int, ...]:
    """These whole numbers, or nothing if one is missing."""
    values = tuple(value for name in names if isinstance(value := line.get(name), int))
    return values if len(values) == len(names) else ()


def _windows(line: Line) -> tuple[Window, Window] | None:
    idle, busy = _window(line.get("idle")), _window(line.get("busy"))
    return None if idle is None or busy is None else (idle, busy)


def _window(value: object) -> Window | None:
    match value:
        case [int(energy_uj), int() | float() as seconds, int(inferences)] if seconds > 0:
            return Window(energy_uj=energy_uj, seconds=float(seconds), inferences=inferences)
        case _:
            return None

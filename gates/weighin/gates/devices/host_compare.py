"""Runs the released file beside the new ones on this machine, and compares.

    the released file alone      size, memory, energy, as of any candidate
    its outputs                  the reference that the new files' outputs are paired with
    both in one process          timings in turn

What this module does not do: it chooses no file to compare with and judges nothing. A released
file that is gone, was changed or does not run gives a reason in place of every number.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from weighin.gates.child import Limits
from weighin.gates.devices import children as on
from weighin.gates.devices.bench import Bench, Candidate, HostSettings, all_rows, first_inputs
from weighin.gates.devices.host import measure_host
from weighin.gates.devices.weighing import HOST
from weighin.gates.digest import sha256_of
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.cache import ReadingCache
from weighin.gates.meters.latency import Session, noise_of
from weighin.gates.meters.stamp import Stamp, runtime_of
from weighin.gates.metric import RELATIVE, Metric
from weighin.gates.regression import Released, Timed, drop, growth, latency_growth

_CHANGED = "the file changed while it was measured"
_DIVIDED = tuple(m for m in RELATIVE if m is not Metric.LATENCY_VS_RELEASE_PERCENT)

Known = Mapping[str, Mapping[Metric, Reading]]
"""What is known of each new file by itself, by label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What to compare on this machine, and with what.

    Attributes:
        released: The released file; its label must not be a new file's.
        name: How people call it: ``v1 int8.tflite``.
        metrics: Which of the metrics that are relative to the release are wanted.
        evaluation: .npz with the rows that both answer.
        reference_outputs: .npy, the registered model's outputs on them.
        workdir: A folder of ours.
        limits: What a child may use; the time is per file.
        now: The time that readings carry.
        settings: How to measure; its quality says by which budgets rows are looked at.
        tick: Told of every finished child.
    """

    released: Candidate
    name: str
    metrics: Collection[Metric]
    evaluation: Path
    reference_outputs: Path
    workdir: Path
    limits: Limits
    now: datetime
    settings: HostSettings
    tick: Callable[[str], None] = lambda what: None

    @property
    def file(self) -> Released:
        """The released file, for readings."""
        return Released(sha256=self.released.sha256, name=self.name)


def compare_on_host(
    candidates: Sequence[Candidate], known: Known, comparison: Comparison
) -> dict[str, dict[Metric, Reading]]:
    """Compare new files with one released file; the same file is not for here.

    Returns:
        Per label one reading for each of the comparison's metrics.
    """
    old = _released(comparison)
    problem = old[Metric.SIZE_MIB]
    if isinstance(problem, Unreadable):
        why = f"the released file {comparison.name} cannot be compared with: {problem.reason}"
        return {one.label: _nothing(comparison, why) for one in candidates}
    found: dict[str, dict[Metric, Reading]] = {one.label: {} for one in candidates}
    for metric in (m for m in _DIVIDED if m in comparison.metrics):
        for one in candidates:
            mine = _of(known, one, RELATIVE[metric])
            found[one.label][metric] = growth(metric, mine, old[RELATIVE[metric]], comparison.file)
    if Metric.ACCURACY_DROP_VS_RELEASE_POINTS in comparison.metrics:
        _merge(found, Metric.ACCURACY_DROP_VS_RELEASE_POINTS, _drops(candidates, comparison))
    if Metric.LATENCY_VS_RELEASE_PERCENT in comparison.metrics:
        readings = _latencies(candidates, known, comparison)
        _merge(found, Metric.LATENCY_VS_RELEASE_PERCENT, readings)
    return found


def _merge(
    found: dict[str, dict[Metric, Reading]], metric: Metric, readings: Mapping[str, Reading]
) -> None:
    for label, reading in readings.items():
        found[label][metric] = reading


def _nothing(comparison: Comparison, why: str) -> dict[Metric, Reading]:
    return {metric: Unreadable(metric=metric, reason=why) for metric in comparison.metrics}


def _of(known: Known, one: Candidate, metric: Metric) -> Reading:
    return known[one.label].get(metric, Unreadable(metric=metric, reason="not measured"))


def _released(comparison: Comparison) -> dict[Metric, Reading]:
    """The released file by itself: its size says at once whether it is there and can be run."""
    wanted = {RELATIVE[metric] for metric in _DIVIDED if metric in comparison.metrics}
    readings = measure_host(
        [comparison.released],
        comparison.evaluation,
        comparison.reference_outputs,
        comparison.workdir,
        comparison.limits,
        comparison.now,
        comparison.settings,
        report_progress=lambda _done, _planned, what: comparison.tick(what),
        metrics={Metric.SIZE_MIB, *wanted},
    )
    return {reading.metric: reading for reading in readings[comparison.released.label]}


def _drops(candidates: Sequence[Candidate], comparison: Comparison) -> dict[str, Reading]:
    """Outputs of the new files paired with the released file's, row by row."""
    metric = Metric.ACCURACY_DROP_VS_RELEASE_POINTS
    outputs = _outputs(comparison)
    if isinstance(outputs, str):
        why = f"the released file {comparison.name} could not be run: {outputs}"
        return {one.label: Unreadable(metric=metric, reason=why) for one in candidates}
    readings = measure_host(
        candidates,
        comparison.evaluation,
        outputs,
        comparison.workdir,
        comparison.limits,
        comparison.now,
        comparison.settings,
        report_progress=lambda _done, _planned, what: comparison.tick(what),
        metrics={Metric.ACCURACY_DROP_POINTS},
    )
    by_metric = {label: {r.metric: r for r in found} for label, found in readings.items()}
    return {
        label: drop(found[Metric.ACCURACY_DROP_POINTS], comparison.file)
        for label, found in by_metric.items()
    }


def _outputs(comparison: Comparison) -> Path | str:
    """The released file's outputs on every row, kept for later; or why there are none."""
    one = comparison.released
    if one.format.runs_elsewhere:
        return one.format.runs_elsewhere
    data = sha256_of(comparison.evaluation)
    runtime = runtime_of(one.format).replace(" ", "-")
    kept = comparison.workdir / f"outputs-{one.sha256[:16]}-{data[:16]}-{runtime}.npy"
    if kept.is_file():
        return kept
    bench = _bench(comparison)
    for raw in on.predict(bench, [one], all_rows(bench), "released"):
        if one.label in raw.crashed:
            return raw.crashed[one.label]
        if not _is_whole(one):
            return _CHANGED
        raw.found[one.label].replace(kept)
    return kept


def _latencies(
    candidates: Sequence[Candidate], known: Known, comparison: Comparison
) -> dict[str, Reading]:
    """Timings of the new files and the released one in the same processes."""
    metric, found = Metric.LATENCY_VS_RELEASE_PERCENT, dict[str, Reading]()
    cache, todo = _cache(comparison), list[Candidate]()
    for one in candidates:
        alone = _of(known, one, Metric.LATENCY_P90_MS)
        kept = cache.recall(metric, _parts(one, comparison))
        if isinstance(alone, Unreadable):
            found[one.label] = Unreadable(metric=metric, reason=alone.reason)
        elif kept is not None:
            found[one.label] = kept
        else:
            todo.append(one)
    for one, reading in _timed(todo, comparison):
        found[one.label] = reading
        if not isinstance(reading, Unreadable):
            cache.keep(reading, _parts(one, comparison))
    return found


def _timed(todo: Sequence[Candidate], comparison: Comparison) -> list[tuple[Candidate, Reading]]:
    metric, released = Metric.LATENCY_VS_RELEASE_PERCENT, comparison.released
    if not todo:
        return []
    if released.format.runs_elsewhere:
        why = released.format.runs_elsewhere
        return [(one, Unreadable(metric=metric, reason=why)) for one in todo]
    raw = on.time_together(_bench(comparison), [*todo, released], None)
    if released.label in raw.crashed:
        why = f"the released file {comparison.name}: {raw.crashed[released.label]}"
        return [(one, Unreadable(metric=metric, reason=why)) for one in todo]
    changed = [one for one in (*todo, released) if not _is_whole(one)]
    if changed:
        why = f"{', '.join(one.label for one in changed)}: {_CHANGED}"
        return [(one, Unreadable(metric=metric, reason=why)) for one in todo]
    theirs = raw.found.get(released.label, ())
    return [
        (one, Unreadable(metric=metric, reason=raw.crashed[one.label]))
        if one.label in raw.crashed
        else (one, _ratio(one, raw.found.get(one.label, ()), theirs, comparison))
        for one in todo
    ]


def _is_whole(one: Candidate) -> bool:
    """Whether the file is still the one that a number is to speak of."""
    try:
        return sha256_of(one.path) == one.sha256
    except FileNotFoundError:
        return False


def _ratio(
    one: Candidate, mine: Sequence[Session], theirs: Sequence[Session], comparison: Comparison
) -> Reading:
    if len(mine) != len(theirs):
        reason = f"{len(mine)} of {len(theirs)} processes timed both files"
        return Unreadable(metric=Metric.LATENCY_VS_RELEASE_PERCENT, reason=reason)
    quiet = comparison.settings.quiet
    noisy = noise_of(mine, quiet) if quiet is not None and quiet.refuse else ""
    if noisy:
        reason = f"this machine was too noisy: {noisy}"
        return Unreadable(metric=Metric.LATENCY_VS_RELEASE_PERCENT, reason=reason)
    stamp = Stamp(
        artifact_sha256=one.sha256,
        runtime=runtime_of(one.format),
        device=HOST,
        measured_at=comparison.now,
    )
    processes = [
        Timed(times_ms=new.times_ms, released_ms=old.times_ms)
        for new, old in zip(mine, theirs, strict=True)
    ]
    return latency_growth(processes, comparison.file, stamp, comparison.settings.confidence)


def _bench(comparison: Comparison) -> Bench:
    return Bench(
        workdir=comparison.workdir,
        evaluation=comparison.evaluation,
        inputs=first_inputs(comparison.evaluation, comparison.workdir),
        limits=comparison.limits,
        settings=comparison.settings,
        tick=comparison.tick,
    )


def _cache(comparison: Comparison) -> ReadingCache:
    return ReadingCache(
        folder=comparison.workdir / "cache",
        now=comparison.now,
        reuse_for=comparison.settings.reuse_for,
    )


def _parts(one: Candidate, comparison: Comparison) -> dict[str, str]:
    settings = replace(comparison.settings, reuse_for=HostSettings().reuse_for)
    return {
        "artifact": one.sha256,
        "runtime": runtime_of(one.format),
        "released": comparison.released.sha256,
        "released_runtime": runtime_of(comparison.released.format),
        "evaluation": sha256_of(comparison.evaluation),
        "settings": repr(settings),
    }

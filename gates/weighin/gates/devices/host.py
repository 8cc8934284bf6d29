"""Weighs variants on this very machine: the device named ``host``.

    digests -> size -> accuracy -> memory -> energy -> latency (alone on the machine)

Each finished reading is kept on disk at once, so that a killed run goes on where it was. What
this module does not do: it judges nothing, and it never speaks for another device. The
readings of the file itself (size, accuracy) hold for every device that runs the same runtime.
"""

import json
import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from pathlib import Path

from weighin.gates.child import Limits
from weighin.gates.devices import host_stages
from weighin.gates.devices.bench import Bench, Candidate, HostSettings, Raw, first_inputs, unfit
from weighin.gates.devices.host_backends import weigh_backends
from weighin.gates.devices.host_quality import weigh_quality
from weighin.gates.devices.weighing import Weighing
from weighin.gates.digest import sha256_of
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.cache import ReadingCache
from weighin.gates.metric import Metric

Progress = Callable[[int, int, str], None]
"""Told of (children done, children planned, what was done last)."""

Stage = Callable[[Weighing, Sequence[Candidate], Sequence[Candidate]], Iterator[Raw[Reading]]]
"""Measures the first candidates; the second are all that still run, for company."""

HOST_METRICS = (
    Metric.ACCURACY_DROP_POINTS,
    Metric.SIZE_MIB,
    Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_MIB,
    Metric.ENERGY_MJ,
    Metric.BATTERY_PERCENT_PER_HOUR,
    Metric.BACKEND_DISAGREEMENT_PERCENT,
)
"""What is measured of every file, in the order in which it is reported."""

_STAGES: Mapping[Metric, Stage] = {
    Metric.SIZE_MIB: host_stages.weigh_size,
    Metric.ACCURACY_DROP_POINTS: weigh_quality,
    Metric.BACKEND_DISAGREEMENT_PERCENT: weigh_backends,
    Metric.PEAK_MEMORY_MIB: host_stages.weigh_memory,
    Metric.ENERGY_MJ: host_stages.weigh_energy,
    Metric.BATTERY_PERCENT_PER_HOUR: host_stages.weigh_battery,
    Metric.LATENCY_P90_MS: host_stages.weigh_latency,
}


def measure_host(
    candidates: Sequence[Candidate],
    evaluation: Path,
    reference_outputs: Path,
    workdir: Path,
    limits: Limits,
    now: datetime,
    settings: HostSettings | None = None,
    report_progress: Progress = lambda done, planned, what: None,
    metrics: Collection[Metric] = HOST_METRICS,
) -> dict[str, tuple[Reading, ...]]:
    """Weigh every variant on this machine.

    Args:
        candidates: The files, with unique labels. ``float32.tflite`` and ``float32.onnx`` are
            what latency is compared with.
        evaluation: .npz with ``x`` [n, ...] and ``y`` [n], checked before.
        reference_outputs: .npy [n, classes], the registered model's outputs on the same rows.
        workdir: A folder of ours, for the children and for the readings kept so far.
        limits: What a child may use; the time is per variant.
        now: The time that readings carry, timezone-aware.
        settings: How to measure.
        report_progress: Called after every finished child.
        metrics: What to measure; the rest is left out, as a search does that stops early.

    Returns:
        Per label one reading for each of :data:`HOST_METRICS`: an ``Unreadable`` with its
        reason where there is no number.

    Raises:
        ValueError: two candidates have the same label.
    """
    weighing = _prepare(
        evaluation, reference_outputs, workdir, limits, now, settings or HostSettings()
    )
    book = _Book(candidates)
    plan = {m: _missing(weighing, m, book) if m in metrics else [] for m in _STAGES}
    counter = _Counter(host_stages.count_children(plan, weighing.bench.settings), report_progress)
    weighing = replace(weighing, bench=replace(weighing.bench, tick=counter.tick))
    for metric, stage in ((m, stage) for m, stage in _STAGES.items() if m in metrics):
        todo = [one for one in plan[metric] if book.runs(one)]
        for raw in stage(weighing, todo, book.running()):
            book.note(metric, raw)
            _keep(weighing, [one for one in todo if book.runs(one)], raw)
    return book.readings()


class _Book:
    """Which readings there are, and who is out and why."""

    def __init__(self, candidates: Sequence[Candidate]) -> None:
        labels = [one.label for one in candidates]
        if len(set(labels)) != len(labels):
            raise ValueError(f"two variants have the same label: {', '.join(sorted(labels))}")
        self._candidates = tuple(candidates)
        self._found: dict[tuple[str, Metric], Reading] = {}
        self._out: dict[str, str] = {}
        self._changed: dict[str, str] = {}
        self._look(labels)

    def runs(self, candidate: Candidate) -> bool:
        """Whether it is still worth measuring."""
        return candidate.label not in self._out and candidate.label not in self._changed

    def running(self) -> list[Candidate]:
        return [one for one in self._candidates if self.runs(one)]

    def put(self, candidate: Candidate, reading: Reading) -> None:
        self._found[candidate.label, reading.metric] = reading

    def note(self, metric: Metric, raw: Raw[Reading]) -> None:
        """Write down findings; whoever crashed or changed takes no further part."""
        for label, reading in raw.found.items():
            self._found[label, reading.metric] = reading
        for label, why in raw.crashed.items():
            self._found[label, metric] = Unreadable(metric=metric, reason=why)
            self._out.setdefault(label, f"it could not be run: {why}")
        self._look(raw.found)

    def readings(self) -> dict[str, tuple[Reading, ...]]:
        """Everything, with a reason wherever there is no number."""
        metrics = (*HOST_METRICS, *({m for _, m in self._found} - set(HOST_METRICS)))
        return {
            one.label: tuple(self._reading(one, metric) for metric in metrics)
            for one in self._candidates
        }

    def _reading(self, one: Candidate, metric: Metric) -> Reading:
        if one.label in self._changed:  # whatever was measured, nobody knows on which bytes
            return Unreadable(metric=metric, reason=self._changed[one.label])
        why = self._out.get(one.label) or one.format.runs_elsewhere or "not measured"
        return self._found.get((one.label, metric), Unreadable(metric=metric, reason=why))

    def _look(self, labels: Collection[str]) -> None:
        """Compare files with their digests: a number must belong to these very bytes."""
        for one in self._candidates:
            if one.label in labels and (why := unfit(one)) is not None:
                self._changed.setdefault(one.label, why)


class _Counter:
    """Counts finished children, which end in several threads."""

    def __init__(self, planned: int, report: Progress) -> None:
        self._planned = planned
        self._report = report
        self._done = 0
        self._lock = threading.Lock()

    def tick(self, what: str) -> None:
        with self._lock:
            self._done += 1
            self._report(min(self._done, self._planned), self._planned, what)


def _prepare(
    evaluation: Path,
    reference_outputs: Path,
    workdir: Path,
    limits: Limits,
    now: datetime,
    settings: HostSettings,
) -> Weighing:
    """Digests of the data, and a few rows of it for the children that need no more."""
    workdir.mkdir(parents=True, exist_ok=True)
    cache = ReadingCache(folder=workdir / "cache", now=now, reuse_for=settings.reuse_for)
    bench = Bench(
        workdir=workdir,
        evaluation=evaluation,
        inputs=first_inputs(evaluation, workdir),
        limits=limits,
        settings=settings,
        tick=lambda what: None,
    )
    return Weighing(
        bench=bench,
        cache=cache,
        reference_outputs=reference_outputs,
        now=now,
        decided_by=(
            ("evaluation", sha256_of(evaluation)),
            ("reference", sha256_of(reference_outputs)),
            ("settings", json.dumps(deciding(settings), sort_keys=True, default=str)),
        ),
    )


def deciding(settings: HostSettings) -> dict[str, object]:
    """The settings that a number depends on: not how long it is used again or waited for."""
    quiet = settings.quiet and replace(settings.quiet, wait_seconds=0)
    told = asdict(replace(settings, quiet=quiet))
    return {name: value for name, value in told.items() if name not in {"reuse_for", "proc", "sys"}}


def _missing(weighing: Weighing, metric: Metric, book: _Book) -> list[Candidate]:
    """Whoever has no reading kept from an earlier run; the others' are written down."""
    missing = []
    for one in book.running():
        if one.format.runs_elsewhere and metric is not Metric.SIZE_MIB:
            continue
        wanted = [metric]
        if metric is Metric.ACCURACY_DROP_POINTS and weighing.bench.settings.quality.slices:
            wanted.append(Metric.SLICE_DROP_POINTS)
        known = [weighing.cache.recall(each, weighing.parts(one)) for each in wanted]
        readings = [reading for reading in known if reading is not None]
        if len(readings) < len(wanted):
            missing.append(one)
        else:
            for reading in readings:
                book.put(one, reading)
    return missing


def _keep(weighing: Weighing, measured: Sequence[Candidate], raw: Raw[Reading]) -> None:
    for one in measured:
        reading = raw.found.get(one.label)
        if reading is not None and not isinstance(reading, Unreadable):
            weighing.cache.keep(reading, weighing.parts(one))

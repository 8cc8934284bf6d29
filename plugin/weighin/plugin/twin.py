"""Latency of files on phones from counted instructions, where `[gate] emulate = true` asks for it.

    arithmetic -> the phone's published runs -> core -> count (kept, or counted now) -> reading

Each file runs once per core and kind of kernels, not once per phone. What stands in the way (no
counter, no trust, no core, no published runs with these kernels) becomes an ``Unreadable`` with
its reason; the prediction from the file's cost then stands. What this module does not do: it sets
nothing up, and it uses no time of this machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path

from weighin.gates.arm.cores import Core, NoCore
from weighin.gates.arm.count_store import CountKey, CountStore
from weighin.gates.arm.counter import (
    Counter,
    Uncounted,
    count_files,
    counting_core,
    open_counter,
    prove_counter,
)
from weighin.gates.arm.counts import Count
from weighin.gates.arm.machine import NotReady, open_machine
from weighin.gates.cost import Arithmetic
from weighin.gates.devices.bench import Bench, Candidate
from weighin.gates.devices.emulate import Twin, emulated_latency, load_twin
from weighin.gates.devices.latency import Latency
from weighin.gates.errors import SourceError
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp, runtime_of
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import Calibration, DeviceProfile
from weighin.gates.stats import Interval
from weighin.gates.variant import Format

_METRIC = Metric.LATENCY_P90_MS
_COMPUTED_AS = {
    frozenset({Arithmetic.FLOAT32}): Arithmetic.FLOAT32,
    frozenset({Arithmetic.FLOAT16, Arithmetic.FLOAT32}): Arithmetic.FLOAT32,
    frozenset({Arithmetic.INT8}): Arithmetic.INT8,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TwinPlace:
    """Where the emulated machine, the counter and kept counts are."""

    machine: Path
    counter: Path
    counts: Path


@dataclass(slots=True)
class Counting:
    """Counts files when they are asked for; whether a core is trusted is asked once.

    Attributes:
        place: Where everything is.
        bench: Where children run, and within which limits.
        twin: What was fitted.
        tick: Told of every file that is counted.
    """

    place: TwinPlace
    bench: Bench
    twin: Twin = field(default_factory=load_twin)
    tick: Callable[[str], None] = lambda _what: None
    _objections: dict[Core, str | None] = field(default_factory=dict[Core, str | None])

    def count(self, one: Candidate, core: Core, kernels: str) -> Count | str:
        """What one inference executes, or why that is not known."""
        runtime = runtime_of(one.format)
        if runtime != self.twin.runtime:
            return f"the published networks were counted with {self.twin.runtime}, not {runtime}"
        counter = open_counter(self.place.counter)
        if isinstance(counter, NotReady):
            return counter.reason
        store = CountStore(folder=self.place.counts)
        key = CountKey(
            artifact_sha256=one.sha256,
            cpu=core.cpu,
            kernels=kernels,
            runtime=runtime,
            counter=counter.version,
        )
        found = store.recall(key) or self._count(one, core, kernels, counter)
        if isinstance(found, Count):
            store.keep(key, found)
        return found

    def _count(self, one: Candidate, core: Core, kernels: str, counter: Counter) -> Count | str:
        machine = open_machine(self.place.machine)
        if isinstance(machine, NotReady):
            return machine.reason
        bench = replace(self.bench, workdir=self.bench.workdir / core.cpu.partition(",")[0])
        if core not in self._objections:
            bench.workdir.mkdir(parents=True, exist_ok=True)
            self._objections[core] = prove_counter(machine, counter, core, bench)
        if (objection := self._objections[core]) is not None:
            return objection
        self.tick(one.label)
        built_in = kernels != "xnnpack"
        (found,) = count_files(machine, counter, core, [one], bench, built_in=built_in)
        return found.reason if isinstance(found, Uncounted) else found


def twin_latency(
    one: Candidate, profile: DeviceProfile, counting: Counting, now: datetime
) -> Reading:
    """A file's latency on a phone, or why counting says nothing of it."""
    found = _latency(one, profile, counting)
    if isinstance(found, str):
        return Unreadable(metric=_METRIC, reason=found)
    calibration, core, latency = found
    stamp = Stamp(
        artifact_sha256=one.sha256,
        runtime=runtime_of(one.format),
        device=profile.name,
        measured_at=now,
    )
    interval = Interval(value=latency.value_ms, lower=latency.lower_ms, upper=latency.upper_ms)
    conditions = (
        ("rule", latency.rule),
        ("core", core.name),
        ("threads", str(calibration.threads)),
        ("published kernels", calibration.kernels.replace("_", " ")),
        ("statistic", f"published means; x{counting.twin.p90_over_mean} to the upper end's p90"),
        ("source", "; ".join(dict.fromkeys(run.source for run in calibration.anchors))),
    )
    return stamp.emulated(_METRIC, interval, len(calibration.anchors), conditions)


def with_twin(readings: Sequence[Reading], twin: Reading) -> tuple[Reading, ...]:
    """Readings with the latency from counted instructions, unless a better one is known."""
    if isinstance(twin, Unreadable):
        return tuple(readings)
    return tuple(twin if _is_worse(reading) else reading for reading in readings)


def _is_worse(reading: Reading) -> bool:
    """Whether it is a latency, and none that was measured on this phone or a like one."""
    if reading.metric is not _METRIC:
        return False
    return isinstance(reading, Unreadable) or not reading.origin.is_at_least(Origin.EMULATED)


def _latency(
    one: Candidate, profile: DeviceProfile, counting: Counting
) -> tuple[Calibration, Core, Latency] | str:
    work = _work(one)
    if isinstance(work, str):
        return work
    calibration = _calibration(one, profile, work.arithmetic)
    if isinstance(calibration, str):
        return calibration
    core = counting_core(profile)
    if isinstance(core, NoCore):
        return core.reason
    count = counting.count(one, core, calibration.kernels)
    if isinstance(count, str):
        return count
    latency = emulated_latency(counting.twin, calibration, core.cpu, count, work.operators)
    return latency if isinstance(latency, str) else (calibration, core, latency)


def _calibration(
    one: Candidate, profile: DeviceProfile, arithmetic: Arithmetic
) -> Calibration | str:
    """The phone's published runs: with today's kernels if there are such, else the most."""
    there = [
        c for c in profile.calibrations if (c.runtime, c.arithmetic) == (one.format, arithmetic)
    ]
    if not there:
        return f"no published {arithmetic} run on {profile.title}"
    return max(there, key=lambda c: (c.kernels == "xnnpack", len(c.anchors)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Work:
    """What a file's graph says of it: how it computes, and in how many operators."""

    arithmetic: Arithmetic
    operators: int


def _work(one: Candidate) -> _Work | str:
    """The one arithmetic that a file's published neighbours ran in, and its operators."""
    from weighin.gates.cost import read_cost

    if one.format is not Format.LITERT:
        return f"no published phone latency to scale {one.format.suffix} files by"
    try:
        cost = read_cost(one.path, one.format)
    except (SourceError, OSError) as error:
        return str(error)
    kinds = frozenset(cost.arithmetics)
    if kinds not in _COMPUTED_AS:
        return f"no published run of a mix of {' and '.join(sorted(kinds)) or 'nothing'}"
    return _Work(arithmetic=_COMPUTED_AS[kinds], operators=cost.terms.layers)

"""One stage per metric: from what the children brought back to readings.

A stage hands over its readings part by part, so that each can be kept as soon as it is there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeVar

from weighin.gates.cost import read_cost
from weighin.gates.devices import children as on
from weighin.gates.devices.bench import Candidate, HostSettings, Raw
from weighin.gates.devices.weighing import Weighing
from weighin.gates.errors import SourceError
from weighin.gates.measurement import Reading
from weighin.gates.meters.energy import NO_BATTERY, NO_COUNTER, energy_per_inference
from weighin.gates.meters.latency import latency_p90
from weighin.gates.meters.memory import peak_memory
from weighin.gates.meters.rapl import energy_counters
from weighin.gates.meters.size import size
from weighin.gates.metric import Metric
from weighin.gates.variant import Format

T = TypeVar("T")


def count_children(plan: Mapping[Metric, Sequence[Candidate]], settings: HostSettings) -> int:
    """How many children (or outputs of shared ones) a plan takes, for progress bars."""
    formats = {one.format for one in plan[Metric.LATENCY_P90_MS]}
    energies = plan[Metric.ENERGY_MJ] if energy_counters(settings.powercap) else ()
    return (
        len(plan[Metric.ACCURACY_DROP_POINTS])
        + len(plan[Metric.BACKEND_DISAGREEMENT_PERCENT])
        + len(plan[Metric.PEAK_MEMORY_MIB]) * settings.memory_processes
        + len(formats) * settings.processes
        + len(energies)
    )


def weigh_size(
    weighing: Weighing, todo: Sequence[Candidate], _: Sequence[Candidate]
) -> Iterator[Raw[Reading]]:
    """Length of the files."""
    sizes = {one.label: size(one.path.stat().st_size, weighing.stamp(one)) for one in todo}
    yield Raw[Reading](found=dict(sizes))


def weigh_memory(
    weighing: Weighing, todo: Sequence[Candidate], _: Sequence[Candidate]
) -> Iterator[Raw[Reading]]:
    """Peak memory of fresh processes."""
    confidence = weighing.bench.settings.confidence
    for raw in on.peak_memory(weighing.bench, todo):
        yield _readings(
            raw,
            todo,
            lambda one, pairs: peak_memory(
                pairs,
                one.path.stat().st_size,
                weighing.stamp(one),
                confidence,
                bound_mib=_computed_memory(one),
            ),
        )


def _computed_memory(one: Candidate) -> float | None:
    """Weights and activations of a file; ``None`` if they cannot be counted."""
    try:
        cost = read_cost(one.path, one.format)
    except SourceError:
        return None
    return None if cost.unsized else cost.least_memory_mib


def weigh_energy(
    weighing: Weighing, todo: Sequence[Candidate], _: Sequence[Candidate]
) -> Iterator[Raw[Reading]]:
    """Energy from the processor's counters, where there are any."""
    if not energy_counters(weighing.bench.settings.powercap):
        yield Raw[Reading](found={one.label: NO_COUNTER for one in todo})
        return
    confidence = weighing.bench.settings.confidence
    for raw in on.energy(weighing.bench, todo):
        yield _readings(
            raw,
            todo,
            lambda one, pairs: energy_per_inference(pairs, weighing.stamp(one), confidence),
        )


def weigh_battery(
    weighing: Weighing, todo: Sequence[Candidate], _: Sequence[Candidate]
) -> Iterator[Raw[Reading]]:
    """A machine like this one has none."""
    yield Raw[Reading](found={one.label: NO_BATTERY for one in todo})


def weigh_latency(
    weighing: Weighing, todo: Sequence[Candidate], running: Sequence[Candidate]
) -> Iterator[Raw[Reading]]:
    """Latency of all files of a format together, beside the float32 one."""
    settings = weighing.bench.settings
    for format in Format:
        group = [one for one in todo if one.format is format]
        if not group:
            continue
        same = (one for one in running if one.format is format and one.is_float32)
        raw = on.time_together(weighing.bench, group, next(same, None))
        yield _readings(
            raw,
            group,
            lambda one, sessions: latency_p90(
                sessions,
                weighing.stamp(one),
                settings.threads,
                settings.confidence,
                settings.quiet,
            ),
        )


def _readings(
    raw: Raw[T], todo: Sequence[Candidate], reading: Callable[[Candidate, T], Reading]
) -> Raw[Reading]:
    """A reading for everything that was found; reasons are carried over."""
    crashed = {one.label: raw.crashed[one.label] for one in todo if one.label in raw.crashed}
    found = {
        one.label: reading(one, raw.found[one.label])
        for one in todo
        if one.label in raw.found and one.label not in crashed
    }
    return Raw[Reading](found=found, crashed=crashed)

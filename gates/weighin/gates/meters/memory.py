"""From peaks of fresh processes to a peak memory with its interval. Pure."""

import statistics
from collections.abc import Sequence

from weighin.gates.estimate import repeats_interval
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.stats import Interval

_METRIC = Metric.PEAK_MEMORY_MIB
_KIB_PER_MIB = 1024
_LEAST_SPREAD = 0.01
_ALONE = 0.95


def peak_memory(
    processes_kib: Sequence[tuple[int, int]],
    size_bytes: int,
    stamp: Stamp,
    confidence: float = 0.95,
    bound_mib: float | None = None,
) -> Reading:
    """Peak resident memory above the runtime's own floor.

    The few processes span a range; the interval is wider than it by its own width on either
    side, because the next process may well lie outside, and by 1 % at least: repeats were seen
    to differ by half of that. It is never within Student's t interval of the repeats; a single
    process is not taken for surer than 95 %.

    Args:
        processes_kib: Per fresh process, the resident memory before the model was loaded and
            the peak after its inferences, in KiB.
        size_bytes: Length of the file: its weights are the least that must be resident.
        stamp: What was measured.
        confidence: One-sided confidence of each end.
        bound_mib: Weights and activations as counted in the file; ``None`` if nobody could.
    """
    if not processes_kib:
        return Unreadable(metric=_METRIC, reason="no process finished")
    peaks = [(peak - floor) / _KIB_PER_MIB for floor, peak in processes_kib]
    if min(peaks) < 0:
        return Unreadable(metric=_METRIC, reason="the peak lies below the runtime's floor")
    spread = max(max(peaks) - min(peaks), _LEAST_SPREAD * statistics.median(peaks))
    lower, upper = min(peaks) - spread, max(peaks) + spread
    student = repeats_interval(peaks, confidence)
    if student is None:
        confidence = min(confidence, _ALONE)
    else:
        lower, upper = min(lower, student.lower), max(upper, student.upper)
    interval = Interval(value=statistics.median(peaks), lower=max(0.0, lower), upper=upper)
    floor_mib = statistics.median(floor for floor, _ in processes_kib) / _KIB_PER_MIB
    conditions = (
        ("processes", str(len(peaks))),
        ("runtime_floor_mib", f"{floor_mib:.1f}"),
        ("weights_mib", f"{size_bytes / _KIB_PER_MIB**2:.4g}"),
        *_beside(bound_mib, interval),
    )
    return stamp.on_the_device(_METRIC, interval, len(peaks), conditions, confidence)


def _beside(bound_mib: float | None, measured: Interval) -> tuple[tuple[str, str], ...]:
    """The computed bound, and an alarm if less was measured: then something was not counted."""
    if bound_mib is None:
        return (("computed_mib", "not known: the file's operators cannot all be counted"),)
    told = ("computed_mib", f"{bound_mib:.4g}")
    if measured.upper >= bound_mib:
        return (told,)
    alarm = (
        f"measured {measured.upper:.4g} MiB at most, but weights and activations alone are "
        f"{bound_mib:.4g} MiB: parts of the file may never have been loaded"
    )
    return (told, ("alarm", alarm))

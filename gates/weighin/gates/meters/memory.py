"""From peaks of fresh processes to a peak memory with its interval. Pure."""

import statistics
from collections.abc import Sequence

from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.stats import Interval

_METRIC = Metric.PEAK_MEMORY_MIB
_KIB_PER_MIB = 1024
_LEAST_SPREAD = 0.01


def peak_memory(processes_kib: Sequence[tuple[int, int]], size_bytes: int, stamp: Stamp) -> Reading:
    """Peak resident memory above the runtime's own floor.

    The few processes span a range; the interval is wider than it by its own width on either
    side, because the next process may well lie outside, and by 1 % at least: repeats were seen
    to differ by half of that.

    Args:
        processes_kib: Per fresh process, the resident memory before the model was loaded and
            the peak after its inferences, in KiB.
        size_bytes: Length of the file: its weights are the least that must be resident.
        stamp: What was measured.
    """
    if not processes_kib:
        return Unreadable(metric=_METRIC, reason="no process finished")
    peaks = [(peak - floor) / _KIB_PER_MIB for floor, peak in processes_kib]
    if min(peaks) < 0:
        return Unreadable(metric=_METRIC, reason="the peak lies below the runtime's floor")
    spread = max(max(peaks) - min(peaks), _LEAST_SPREAD * statistics.median(peaks))
    interval = Interval(
        value=statistics.median(peaks),
        lower=max(0.0, min(peaks) - spread),
        upper=max(peaks) + spread,
    )
    floor_mib = statistics.median(floor for floor, _ in processes_kib) / _KIB_PER_MIB
    conditions = (
        ("processes", str(len(peaks))),
        ("runtime_floor_mib", f"{floor_mib:.1f}"),
        ("weights_mib", f"{size_bytes / _KIB_PER_MIB**2:.4g}"),
    )
    return stamp.on_the_device(_METRIC, interval, len(peaks), conditions)

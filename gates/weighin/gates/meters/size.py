"""The size of the file, which is exact."""

from weighin.gates.measurement import Measurement
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.stats import Interval

_BYTES_PER_MIB = 1024 * 1024


def size(size_bytes: int, stamp: Stamp) -> Measurement:
    """Size of the file in MiB; all three numbers of the interval are the same."""
    mib = size_bytes / _BYTES_PER_MIB
    exact = Interval(value=mib, lower=mib, upper=mib)
    return stamp.of_the_file(Metric.SIZE_MIB, exact, 1, (("bytes", str(size_bytes)),), 1.0)

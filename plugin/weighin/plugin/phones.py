"""What is known of a file on a phone that is not here: predictions, or why there are none."""

from datetime import datetime
from pathlib import Path

from weighin.gates.devices.predict import predict
from weighin.gates.errors import SourceError
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric
from weighin.gates.profile import load_profile
from weighin.gates.variant import Format

PREDICTED = (
    Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_MIB,
    Metric.ENERGY_MJ,
    Metric.BATTERY_PERCENT_PER_HOUR,
)


def predict_file(
    path: Path,
    format: Format,
    sha256: str,
    device: str,
    inferences_per_hour: float | None,
    now: datetime,
) -> tuple[Reading, ...]:
    """Predict one file on one phone; a file that cannot be read says why."""
    from weighin.gates.cost import read_cost

    try:
        cost = read_cost(path, format)
    except (SourceError, OSError) as error:
        return tuple(Unreadable(metric=metric, reason=str(error)) for metric in PREDICTED)
    return predict(
        load_profile(device),
        cost,
        format,
        artifact_sha256=sha256,
        runtime=runtime_of(format),
        inferences_per_hour=inferences_per_hour,
        now=now,
    )

"""What is known of a file on a phone that is not here: predictions, or why there are none."""

from datetime import datetime
from pathlib import Path

from weighin.gates.cost import ModelCost
from weighin.gates.devices.predict import predict
from weighin.gates.errors import SourceError
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric
from weighin.gates.profile import DeviceProfile, load_profile
from weighin.gates.variant import Format

PREDICTED = (
    Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_MIB,
    Metric.ENERGY_MJ,
    Metric.BATTERY_PERCENT_PER_HOUR,
)


class Phones:
    """Predicts files on phones; each profile and each file is read once, however many ask."""

    def __init__(self, own: Path, inferences_per_hour: float | None, now: datetime) -> None:
        """Prepare for predictions made at ``now``.

        Args:
            own: The user's folder of profiles.
            inferences_per_hour: How often the app runs the model; ``None`` if not stated.
            now: Timezone-aware time of the predictions.
        """
        self._own, self._per_hour, self._now = own, inferences_per_hour, now
        self._profiles: dict[str, DeviceProfile] = {}
        self._costs: dict[str, ModelCost | str] = {}
        self._runtimes: dict[Format, str] = {}
        self._readings: dict[tuple[str, str], tuple[Reading, ...]] = {}

    def profile(self, device: str) -> DeviceProfile:
        """The profile of a device.

        Raises:
            ConfigError: there is none.
        """
        if device not in self._profiles:
            self._profiles[device] = load_profile(device, self._own)
        return self._profiles[device]

    def predict(self, path: Path, format: Format, sha256: str, device: str) -> tuple[Reading, ...]:
        """Predict one file on one phone; a file that cannot be read says why.

        Args:
            path: The file.
            format: Its format.
            sha256: Of its content: the same content is not read again.
            device: Name of the phone.
        """
        key = (sha256, device)
        if key not in self._readings:
            self._readings[key] = self._predict(path, format, sha256, device)
        return self._readings[key]

    def _predict(self, path: Path, format: Format, sha256: str, device: str) -> tuple[Reading, ...]:
        if sha256 not in self._costs:
            self._costs[sha256] = _cost_of(path, format)
        if format not in self._runtimes:
            self._runtimes[format] = runtime_of(format)
        cost = self._costs[sha256]
        if isinstance(cost, str):
            return tuple(Unreadable(metric=metric, reason=cost) for metric in PREDICTED)
        return predict(
            self.profile(device),
            cost,
            format,
            artifact_sha256=sha256,
            runtime=self._runtimes[format],
            inferences_per_hour=self._per_hour,
            now=self._now,
        )


def _cost_of(path: Path, format: Format) -> ModelCost | str:
    """What a file costs, or why that cannot be read."""
    from weighin.gates.cost import read_cost

    try:
        return read_cost(path, format)
    except (SourceError, OSError) as error:
        return str(error)

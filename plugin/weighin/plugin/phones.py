"""What is known of a file on a phone: what was measured on it, else what is predicted.

A run on the phone (``devices/NAME.runs.jsonl``) stands before every prediction, and replaces it
also where it says why there is no number. One that is too old is no longer looked at: then the
prediction stands, as if nobody had measured. Runs of other files settle the phone's prices; runs
of the same file on other phones say what it takes beyond its terms.

What this module does not do: it judges nothing.
"""

from datetime import datetime, timedelta
from pathlib import Path

from weighin.gates.cost import ModelCost
from weighin.gates.devices.basis import OwnRuns
from weighin.gates.devices.coefficients import own_coefficients
from weighin.gates.devices.phone.evidence import anchors_of, newest_run, with_run
from weighin.gates.devices.phone.runs_file import read_runs
from weighin.gates.devices.phone_run import SUFFIX, PhoneRun
from weighin.gates.devices.predict import predict
from weighin.gates.errors import PhoneError, SourceError
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric
from weighin.gates.profile import DeviceProfile, load_profile
from weighin.gates.usage import Usage
from weighin.gates.variant import Format

PREDICTED = (
    Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_MIB,
    Metric.ENERGY_MJ,
    Metric.BATTERY_PERCENT_PER_HOUR,
)


VALID = timedelta(days=30)
"""How long a run holds if nobody says otherwise, as ``evidence.valid_days``."""


class Phones:
    """Says what is known of files on phones; every file is read once, however many ask."""

    def __init__(
        self, own: Path, usage: Usage | None, now: datetime, max_age: timedelta = VALID
    ) -> None:
        """Prepare for readings taken at ``now``.

        Args:
            own: The user's folder of profiles and runs; it need not exist.
            usage: How the app uses the model; ``None`` if not stated.
            now: Timezone-aware time of the readings.
            max_age: How old a run on a phone may be.

        Raises:
            ConfigError: the user's own fit cannot be read.
        """
        self._own, self._usage, self._now, self._max_age = own, usage, now, max_age
        self._fitted = own_coefficients(own)
        self._profiles: dict[str, DeviceProfile] = {}
        self._runs: dict[str, tuple[PhoneRun, ...] | str] = {}
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

    def known(self, path: Path, format: Format, sha256: str, device: str) -> tuple[Reading, ...]:
        """What is known of one file on one phone, one reading per metric of :data:`PREDICTED`.

        Args:
            path: The file.
            format: Its format.
            sha256: Of its content: the same content is not read again.
            device: Name of the phone.
        """
        key = (sha256, device)
        if key not in self._readings:
            self._readings[key] = self._known(path, format, sha256, device)
        return self._readings[key]

    def is_measured(self, sha256: str, device: str) -> bool:
        """Whether a fresh run on the phone speaks of the file, with a number or not."""
        runs = self._runs_on(device)
        return isinstance(runs, str) or newest_run(self._fresh(runs), sha256) is not None

    def _known(self, path: Path, format: Format, sha256: str, device: str) -> tuple[Reading, ...]:
        runs = self._runs_on(device)
        if isinstance(runs, str):
            return tuple(Unreadable(metric=metric, reason=runs) for metric in PREDICTED)
        predicted = self._predict(path, format, sha256, device)
        run = newest_run(self._fresh(runs), sha256)
        if run is None:
            return predicted
        return with_run(predicted, run, self.profile(device), self._usage)

    def _fresh(self, runs: tuple[PhoneRun, ...]) -> list[PhoneRun]:
        return [run for run in runs if self._now - run.measured_at <= self._max_age]

    def _runs_on(self, device: str) -> tuple[PhoneRun, ...] | str:
        if device not in self._runs:
            try:
                self._runs[device] = read_runs(self._own, device).runs
            except PhoneError as error:
                self._runs[device] = str(error)
        return self._runs[device]

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
            usage=self._usage,
            now=self._now,
            own=self._own_runs(device),
        )

    def _own_runs(self, device: str) -> OwnRuns:
        """The user's runs on this phone and on all others; damaged files calibrate nothing."""
        others = sorted(path.name.removesuffix(SUFFIX) for path in self._own.glob(f"*{SUFFIX}"))
        return OwnRuns(
            here=anchors_of(_readable(self._runs_on(device))),
            elsewhere=tuple(
                (name, anchors_of(_readable(self._runs_on(name))))
                for name in others
                if name != device
            ),
            coefficients=self._fitted,
        )


def _readable(runs: tuple[PhoneRun, ...] | str) -> tuple[PhoneRun, ...]:
    return () if isinstance(runs, str) else runs


def _cost_of(path: Path, format: Format) -> ModelCost | str:
    """What a file costs, or why that cannot be read."""
    from weighin.gates.cost import read_cost

    try:
        return read_cost(path, format)
    except (SourceError, OSError) as error:
        return str(error)

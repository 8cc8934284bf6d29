"""What every reading of one variant has in common."""

from dataclasses import dataclass, replace
from datetime import datetime
from importlib.metadata import version

from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import Metric, Origin
from weighin.gates.slices import Slice
from weighin.gates.stats import Interval
from weighin.gates.variant import Format

Conditions = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """Which file, in which runtime, on which device, when."""

    artifact_sha256: str
    runtime: str
    device: str
    measured_at: datetime

    def of_the_file(
        self,
        metric: Metric,
        interval: Interval,
        n: int,
        conditions: Conditions,
        confidence: float = 0.95,
    ) -> Measurement:
        """A reading that holds on every device."""
        return self._measurement(
            metric, interval, n, conditions, Origin.ARTIFACT, ANY_DEVICE, confidence
        )

    def of_slices(
        self,
        interval: Interval,
        n: int,
        conditions: Conditions,
        confidence: float,
        slices: tuple[Slice, ...],
    ) -> Measurement:
        """The reading of all slices of the data, which holds on every device."""
        metric = Metric.SLICE_DROP_POINTS
        whole = self.of_the_file(metric, interval, n, conditions, confidence)
        return replace(whole, slices=slices)

    def on_the_device(
        self,
        metric: Metric,
        interval: Interval,
        n: int,
        conditions: Conditions,
        confidence: float = 0.95,
    ) -> Measurement:
        """A reading that was measured on the device itself."""
        return self._measurement(
            metric, interval, n, conditions, Origin.DEVICE, self.device, confidence
        )

    def emulated(
        self,
        metric: Metric,
        interval: Interval,
        n: int,
        conditions: Conditions,
        confidence: float = 0.95,
    ) -> Measurement:
        """A reading of the device's kernels, run on another machine."""
        return self._measurement(
            metric, interval, n, conditions, Origin.EMULATED, self.device, confidence
        )

    def _measurement(
        self,
        metric: Metric,
        interval: Interval,
        n: int,
        conditions: Conditions,
        origin: Origin,
        device: str,
        confidence: float,
    ) -> Measurement:
        return Measurement(
            metric=metric,
            value=interval.value,
            lower=interval.lower,
            upper=interval.upper,
            n=n,
            origin=origin,
            artifact_sha256=self.artifact_sha256,
            device=device,
            runtime=self.runtime,
            measured_at=self.measured_at,
            conditions=conditions,
            confidence=confidence,
        )


def runtime_of(format: Format) -> str:
    """Runtime and version as readings name it, such as ``ai-edge-litert 2.3.0``.

    Raises:
        PackageNotFoundError: the runtime is not installed.
    """
    return f"{format.runtime_package} {version(format.runtime_package)}"

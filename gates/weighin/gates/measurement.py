"""A number with its interval, or the reason why there is none."""

from dataclasses import dataclass
from datetime import datetime

from weighin.gates.metric import Metric, Origin
from weighin.gates.quantiles import Quantiles
from weighin.gates.slices import Slice

ANY_DEVICE = "any"
"""The device of a reading that belongs to the file itself (origin ``artifact``)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The released file that a number is relative to, and its own number there.

    Attributes:
        sha256: The file that the channel offered when this was measured.
        value: What that file has, in the unit of the metric that is compared; above zero.
    """

    sha256: str
    value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """One value of one metric, and what it was measured on.

    Attributes:
        metric: What was measured; the unit is in its name.
        value: The estimate.
        lower: Lower end of the interval, same unit.
        upper: Upper end of the interval, same unit. The gate judges this end.
        n: How many samples stand behind it (images, inferences, anchors).
        origin: How the number was obtained.
        artifact_sha256: The file that was measured.
        device: Name of the device profile that the number speaks of; :data:`ANY_DEVICE` for
            what belongs to the file.
        runtime: Runtime and version the number speaks of, such as ``ai-edge-litert 2.3.0``.
        measured_at: When, timezone-aware UTC.
        conditions: Anything a reader needs to repeat it (threads, processes, anchors, source).
        confidence: How sure each end of the interval is, on its own side; 1 for what is exact.
        slices: For ``slice_drop_points``: every slice. The interval is theirs, see
            :func:`weighin.gates.slices.worst`.
        baseline: For what is relative to the release: which file, and how much it has.
        quantiles: How the single samples are spread, as pairs of a level from 0 to 1 and the
            value there, in rising order; for readers, nothing is judged by it.
    """

    metric: Metric
    value: float
    lower: float
    upper: float
    n: int
    origin: Origin
    artifact_sha256: str
    device: str
    runtime: str
    measured_at: datetime
    conditions: tuple[tuple[str, str], ...] = ()
    confidence: float = 0.95
    slices: tuple[Slice, ...] = ()
    baseline: Baseline | None = None
    quantiles: Quantiles = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """There is no number, and this is why."""

    metric: Metric
    reason: str


Reading = Measurement | Unreadable

"""A number with its interval, or the reason why there is none."""

from dataclasses import dataclass
from datetime import datetime

from weighin.gates.metric import Metric, Origin

ANY_DEVICE = "any"
"""The device of a reading that belongs to the file itself (origin ``artifact``)."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """There is no number, and this is why."""

    metric: Metric
    reason: str


Reading = Measurement | Unreadable

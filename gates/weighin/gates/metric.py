"""What is budgeted, in which unit, and how a number may have been obtained."""

import math
from dataclasses import dataclass
from enum import StrEnum


class Metric(StrEnum):
    """A quantity with its unit in its name. Everything is "at most"."""

    ACCURACY_DROP_POINTS = "accuracy_drop_points"
    SIZE_MIB = "size_mib"
    LATENCY_P90_MS = "latency_p90_ms"
    PEAK_MEMORY_MIB = "peak_memory_mib"
    ENERGY_MJ = "energy_mj"
    BATTERY_PERCENT_PER_HOUR = "battery_percent_per_hour"
    ARM_DISAGREEMENT_PERCENT = "arm_disagreement_percent"


OF_THE_FILE = frozenset({Metric.ACCURACY_DROP_POINTS, Metric.SIZE_MIB})
"""The metrics that may belong to the file itself; all others belong to a device."""


class Origin(StrEnum):
    """How a number was obtained, most trustworthy first.

    ``artifact`` is a property of the file itself, the same on every device: its size, or its
    accuracy in its own runtime. The other six are the design's ladder for numbers that
    belong to a device.
    """

    ARTIFACT = "artifact"
    DEVICE = "device"
    PUBLISHED = "published"
    TRANSFERRED = "transferred"
    EMULATED = "emulated"
    PREDICTED = "predicted"
    SCALED = "scaled"

    def is_at_least(self, least: "Origin") -> bool:
        """Whether this origin is as trustworthy as ``least`` or more."""
        ladder = tuple(Origin)
        return ladder.index(self) <= ladder.index(least)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An upper bound on one metric, and the least origin that may satisfy it.

    Raises:
        ValueError: the bound is not finite, or ``scaled`` evidence is asked to satisfy it.
    """

    metric: Metric
    at_most: float
    least_origin: Origin = Origin.PREDICTED

    def __post_init__(self) -> None:
        """Refuse bounds that could never be judged, and origins that may never pass."""
        if not math.isfinite(self.at_most):
            raise ValueError(f"{self.metric}: a budget must be a finite number, not {self.at_most}")
        if self.least_origin is Origin.SCALED:
            raise ValueError(f"{self.metric}: 'scaled' numbers can never pass a budget")

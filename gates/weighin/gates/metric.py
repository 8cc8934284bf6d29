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
    SLICE_DROP_POINTS = "slice_drop_points"
    BACKEND_DISAGREEMENT_PERCENT = "backend_disagreement_percent"
    ARM_DISAGREEMENT_PERCENT = "arm_disagreement_percent"
    ACCURACY_DROP_VS_RELEASE_POINTS = "accuracy_drop_vs_release_points"
    SIZE_VS_RELEASE_PERCENT = "size_vs_release_percent"
    LATENCY_VS_RELEASE_PERCENT = "latency_vs_release_percent"
    PEAK_MEMORY_VS_RELEASE_PERCENT = "peak_memory_vs_release_percent"
    ENERGY_VS_RELEASE_PERCENT = "energy_vs_release_percent"


RELATIVE = {
    Metric.SIZE_VS_RELEASE_PERCENT: Metric.SIZE_MIB,
    Metric.LATENCY_VS_RELEASE_PERCENT: Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_VS_RELEASE_PERCENT: Metric.PEAK_MEMORY_MIB,
    Metric.ENERGY_VS_RELEASE_PERCENT: Metric.ENERGY_MJ,
}
"""Growth in percent of what the channel offers now, and the metric that grows."""

VS_RELEASE = frozenset({Metric.ACCURACY_DROP_VS_RELEASE_POINTS, *RELATIVE})
"""The metrics that compare with the file that the channel offers now."""

OF_THE_FILE = frozenset(
    {
        Metric.ACCURACY_DROP_POINTS,
        Metric.SIZE_MIB,
        Metric.SLICE_DROP_POINTS,
        Metric.BACKEND_DISAGREEMENT_PERCENT,
        Metric.ACCURACY_DROP_VS_RELEASE_POINTS,
        Metric.SIZE_VS_RELEASE_PERCENT,
    }
)
"""The metrics that may belong to the file itself; all others belong to a device."""

MAY_BE_NEGATIVE = frozenset({Metric.ACCURACY_DROP_POINTS, Metric.SLICE_DROP_POINTS, *VS_RELEASE})
"""The metrics that are differences: below zero means better."""

LEAST_SLICE_ROWS = 50
"""A slice with fewer rows is never decided, unless its budget says otherwise."""


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
        return _RANK[self] <= _RANK[least]


_RANK = {origin: rank for rank, origin in enumerate(Origin)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """An upper bound on one metric, and the least origin that may satisfy it.

    Attributes:
        metric: What is bounded; the unit is in its name.
        at_most: The bound.
        least_origin: The least trustworthy origin that may satisfy it.
        floor: For a growth in percent only: how much it may grow in any case, in the unit of
            the metric that grows. Ten percent of nearly nothing is noise.
        least_rows: For slices only: fewest rows of a slice that may decide.

    Raises:
        ValueError: the bound is not finite, ``scaled`` evidence is asked to satisfy it, a growth
            in percent has no floor, or something is given that this metric does not have.
    """

    metric: Metric
    at_most: float
    least_origin: Origin = Origin.PREDICTED
    floor: float | None = None
    least_rows: int | None = None

    def __post_init__(self) -> None:
        """Refuse bounds that could never be judged, and origins that may never pass."""
        if not math.isfinite(self.at_most):
            raise ValueError(f"{self.metric}: a budget must be a finite number, not {self.at_most}")
        if self.least_origin is Origin.SCALED:
            raise ValueError(f"{self.metric}: 'scaled' numbers can never pass a budget")
        grows = RELATIVE.get(self.metric)
        if grows is None and self.floor is not None:
            raise ValueError(f"{self.metric}: only a growth in percent has a floor")
        if grows is not None and not (
            self.floor is not None and math.isfinite(self.floor) and self.floor > 0
        ):
            raise ValueError(
                f"{self.metric}: needs a floor above zero, how much {grows} may grow in any case"
            )
        of_slices = self.metric is Metric.SLICE_DROP_POINTS
        if self.least_rows is not None and not (of_slices and self.least_rows >= 1):
            raise ValueError(f"{self.metric}: least_rows is for slices, and at least 1")

    @property
    def least_slice_rows(self) -> int:
        """Fewest rows of a slice that may decide."""
        return LEAST_SLICE_ROWS if self.least_rows is None else self.least_rows

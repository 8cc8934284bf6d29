"""By what quality is judged, and the readings of one variant on rows that were looked at.

    outputs of the variant, outputs of the registered model, labels
        -> accuracy_drop_points (and slice_drop_points, if columns are named)

Shares of right answers are counted here. Any other metric may run a user's own code, so it is
computed in a child; what comes back are estimates. What this module does not do: it starts no
child itself.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from numpy.typing import NDArray

from weighin.gates import wire
from weighin.gates.estimate import Estimate
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.accuracy import (
    accuracy_drop,
    answers,
    not_comparable,
    slice_drop,
    slices_reading,
)
from weighin.gates.meters.columns import Rows
from weighin.gates.meters.metrics import ACCURACY, BUILT_IN, QualityMetric
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.slices import POINTS, Slice
from weighin.gates.stats import Interval

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Quality:
    """By what a model's quality is judged.

    Attributes:
        metric: The metric whose drop is budgeted.
        slices: Columns of the evaluation data whose values are judged apart.
        margins: Budgets of the drop in points. With any, rows are looked at step by step until
            all of them are decided; with none, all rows are looked at.
        seed: Of the order of rows, and of the groups of the jackknife.
        root: Where the user's own functions are; empty if there are none.
        code_sha256: Content of the user's own function's file; empty if there is none.
    """

    metric: QualityMetric = BUILT_IN[ACCURACY]
    slices: tuple[str, ...] = ()
    margins: tuple[float, ...] = ()
    seed: int = 0
    root: str = ""
    code_sha256: str = ""

    @property
    def counted(self) -> bool:
        """Whether it is a share of right answers."""
        return self.metric.right_among is not None

    @property
    def sequential(self) -> bool:
        """Whether rows are looked at step by step; slices need all of them."""
        return bool(self.margins) and not self.slices


ACCURATE = Quality()
"""Accuracy on all rows."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Compared:
    """What two models said about the same rows.

    Attributes:
        outputs: [n, k], of the variant.
        reference: [n, k], of the registered model.
        labels: [n] or [n, k].
        slices: The rows of each slice.
    """

    outputs: Array
    reference: Array
    labels: Array
    slices: tuple[Rows, ...] = ()


def counted_readings(
    compared: Compared, quality: Quality, stamp: Stamp, confidence: float
) -> tuple[Reading, ...]:
    """Readings of a share of right answers: of the slices if there are any, then of all rows."""
    among = quality.metric.right_among or 1
    arrays = (compared.outputs, compared.reference, compared.labels)
    whole = accuracy_drop(*arrays, stamp, confidence, among=among)
    if not quality.slices:
        return (whole,)
    if isinstance(whole, Unreadable):
        return (Unreadable(metric=Metric.SLICE_DROP_POINTS, reason=whole.reason), whole)
    both = answers(*arrays, among)
    return (slice_drop(both, compared.slices, stamp, confidence), whole)


def estimated_readings(
    line: Mapping[str, object],
    compared: Compared,
    quality: Quality,
    stamp: Stamp,
    confidence: float,
) -> tuple[Reading, ...]:
    """Readings of any other metric, from what the child said of one variant.

    A child that ran somebody's code is believed only as far as its numbers have the right form.
    """
    metrics = (
        *((Metric.SLICE_DROP_POINTS,) if quality.slices else ()),
        Metric.ACCURACY_DROP_POINTS,
    )
    objection = not_comparable(compared.outputs, compared.reference, compared.labels)
    if objection is None and "reason" in line:
        objection = f"{quality.metric.words} cannot be computed: {line['reason']}"
    if objection is not None:
        return tuple(Unreadable(metric=metric, reason=objection) for metric in metrics)
    try:
        whole = _whole(line, quality, stamp, len(compared.labels), confidence)
        if not quality.slices:
            return (whole,)
        return (_of_slices(line, compared, stamp, confidence), whole)
    except ValueError as error:
        reason = f"{quality.metric.words} cannot be read: {error}"
        return tuple(Unreadable(metric=metric, reason=reason) for metric in metrics)


def _whole(
    line: Mapping[str, object], quality: Quality, stamp: Stamp, rows: int, confidence: float
) -> Reading:
    estimate = _estimate(wire.object_of(line.get("drop"), "drop"))
    inside = estimate.interval(confidence)
    name = quality.metric.name
    how = "paired mean of differences" if line.get("by_row") is True else "paired jackknife"
    conditions = (
        ("metric", name),
        (name, f"{wire.number_of(line, 'variant'):.6g}"),
        (f"reference {name}", f"{wire.number_of(line, 'reference'):.6g}"),
        ("rows_that_differ", str(wire.whole_of(line, "differing"))),
        ("interval", f"{how}, skewness counted, at half the risk"),
    )
    ends = Interval(
        value=inside.value * POINTS, lower=inside.lower * POINTS, upper=inside.upper * POINTS
    )
    return stamp.of_the_file(Metric.ACCURACY_DROP_POINTS, ends, rows, conditions, confidence)


def _of_slices(
    line: Mapping[str, object], compared: Compared, stamp: Stamp, confidence: float
) -> Reading:
    said = wire.list_of(line, "slices")
    if len(said) != len(compared.slices):
        raise ValueError(f"{len(said)} slices for {len(compared.slices)}")
    parts: list[Slice] = []
    for rows, document in zip(compared.slices, said, strict=True):
        fields = wire.object_of(document, "slice")
        if "reason" in fields:
            reason = f"slice {rows.name}: {wire.text_of(fields, 'reason')}"
            return Unreadable(metric=Metric.SLICE_DROP_POINTS, reason=reason)
        drop = _estimate(wire.object_of(fields.get("drop"), "drop"))
        parts.append(Slice(name=rows.name, rows=int(rows.mask.sum()), drop=drop))
    return slices_reading(tuple(parts), stamp, confidence)


def _estimate(fields: wire.JsonObject) -> Estimate:
    return Estimate(
        value=wire.number_of(fields, "value"),
        standard_error=wire.number_of(fields, "standard_error"),
        degrees=wire.whole_of(fields, "degrees"),
        skew=wire.number_of(fields, "skew"),
        slack=wire.number_of(fields, "slack"),
    )

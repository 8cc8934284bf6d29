"""Accuracy that a variant loses against another model, on the same rows: right or wrong, paired.

Pure: arrays in, readings out. What this module does not do: it compares no two accuracies that were
measured on different rows.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.columns import Rows
from weighin.gates.meters.flips import alarm, flips_by_class, in_words
from weighin.gates.meters.score_functions import probabilities
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.slices import Slice, worst
from weighin.gates.stats import (
    FEW_DISAGREEMENTS,
    Interval,
    PairedCounts,
    paired_drop,
    samples_for_margin,
)

Array = NDArray[Any]

_METRIC = Metric.ACCURACY_DROP_POINTS
_POINTS = 100.0


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answers:
    """Which rows two models get right.

    Attributes:
        right: [n], of the variant.
        was_right: [n], of the model it is held against.
    """

    right: NDArray[np.bool_]
    was_right: NDArray[np.bool_]

    def counts(self, rows: NDArray[np.bool_] | None = None) -> PairedCounts:
        """The four counts, of some of the rows if a mask is given.

        Raises:
            ValueError: there are no such rows.
        """
        right, was = self.right, self.was_right
        if rows is not None:
            right, was = right[rows], was[rows]
        return PairedCounts(
            both_right=int((right & was).sum()),
            only_reference=int((was & ~right).sum()),
            only_variant=int((right & ~was).sum()),
            both_wrong=int((~right & ~was).sum()),
        )


def answers(outputs: Array, reference: Array, labels: Array, among: int = 1) -> Answers:
    """Which rows are right: the label is among so many of the largest outputs."""
    return Answers(right=_right(outputs, labels, among), was_right=_right(reference, labels, among))


def accuracy_drop(
    outputs: Array,
    reference: Array,
    labels: Array,
    stamp: Stamp,
    confidence: float = 0.95,
    *,
    among: int = 1,
) -> Reading:
    """The drop in percentage points with its paired interval (Tango, exact for few flips).

    Args:
        outputs: [n, classes], logits or probabilities of the variant.
        reference: [n, classes], of the registered model on the same rows.
        labels: [n], true classes.
        stamp: What was measured.
        confidence: One-sided confidence of each end of the interval.
        among: Among how many of the largest outputs the label must be.
    """
    objection = not_comparable(outputs, reference, labels)
    if objection is None and labels.ndim != 1:
        objection = f"the labels have shape {list(labels.shape)}; one class per row is needed"
    if objection is not None:
        return Unreadable(metric=_METRIC, reason=objection)
    both = answers(outputs, reference, labels, among)
    counts = both.counts()
    conditions = (
        *_counted(both, counts, confidence),
        ("agreement", f"{(outputs.argmax(axis=1) == reference.argmax(axis=1)).mean():.6f}"),
        ("calibration_error", f"{calibration_error(outputs, labels):.6f}"),
        ("reference_calibration_error", f"{calibration_error(reference, labels):.6f}"),
        *_by_class(both, labels),
    )
    ends = _points(paired_drop(counts, confidence))
    return stamp.of_the_file(_METRIC, ends, counts.n, conditions, confidence)


def slice_drop(both: Answers, slices: tuple[Rows, ...], stamp: Stamp, confidence: float) -> Reading:
    """The drop of every slice of right and wrong answers."""
    parts = tuple(
        Slice(name=one.name, rows=int(one.mask.sum()), drop=both.counts(one.mask)) for one in slices
    )
    return slices_reading(parts, stamp, confidence)


def slices_reading(parts: tuple[Slice, ...], stamp: Stamp, confidence: float) -> Reading:
    """One reading of all slices; its interval is the worst one's."""
    if not parts:
        return Unreadable(metric=Metric.SLICE_DROP_POINTS, reason="no column is named as a slice")
    name, ends = worst(parts, confidence)
    rows = sum(one.rows for one in parts)
    conditions = (
        ("slices", str(len(parts))),
        ("widest", name),
        ("interval", "Bonferroni over slices; judged by Holm"),
    )
    return stamp.of_slices(ends, rows, conditions, confidence, parts)


def calibration_error(outputs: Array, labels: Array, bins: int = 15) -> float:
    """Expected calibration error: how far confidence is from accuracy, 0 to 1.

    Guo et al. (2017), On calibration of modern neural networks, equation 3. Logits are turned
    into probabilities by softmax; rows that already are probabilities are taken as they are.

    Args:
        outputs: [n, classes], finite.
        labels: [n].
        bins: Number of equally wide bins of confidence.
    """
    shares = probabilities(outputs.astype(np.float64))
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = [abs(float(confidence[place == k].sum() - right[place == k].sum())) for k in range(bins)]
    return sum(gaps) / len(labels)


def not_comparable(outputs: Array, reference: Array, labels: Array) -> str | None:
    """Why these arrays cannot be compared row by row; ``None`` if they can."""
    if labels.ndim < 1 or len(labels) == 0:
        return f"there are no labels to compare with (shape {list(labels.shape)})"
    theirs, ours = list(reference.shape), list(outputs.shape)
    if reference.ndim != 2 or len(reference) != len(labels):
        return f"the registered model's outputs have shape {theirs} for {len(labels)} labels"
    if outputs.shape != reference.shape:
        return f"the outputs have shape {ours}, the registered model's {theirs}"
    if not np.isfinite(reference).all():
        return "the registered model's outputs are not all finite"
    if not np.isfinite(outputs).all():
        broken = int((~np.isfinite(outputs)).any(axis=1).sum())
        return f"the outputs are not finite on {broken} of {len(labels)} rows"
    return None


def _right(outputs: Array, labels: Array, among: int) -> NDArray[np.bool_]:
    if among == 1:
        first: NDArray[np.bool_] = outputs.argmax(axis=1) == labels
        return first
    largest = np.argsort(-outputs, axis=1, kind="stable")[:, :among]
    found: NDArray[np.bool_] = (largest == labels[:, None]).any(axis=1)
    return found


def _points(drop: Interval) -> Interval:
    return Interval(
        value=drop.value * _POINTS, lower=drop.lower * _POINTS, upper=drop.upper * _POINTS
    )


def _counted(both: Answers, counts: PairedCounts, confidence: float) -> tuple[tuple[str, str], ...]:
    disagree = counts.only_reference + counts.only_variant
    one_point = samples_for_margin(disagree / counts.n, 1 / _POINTS, confidence)
    return (
        ("accuracy", f"{both.right.mean():.6f}"),
        ("reference_accuracy", f"{both.was_right.mean():.6f}"),
        ("flips_right_to_wrong", str(counts.only_reference)),
        ("flips_wrong_to_right", str(counts.only_variant)),
        ("interval", "exact, paired" if disagree <= FEW_DISAGREEMENTS else "Tango score, paired"),
        ("samples_for_one_point", str(one_point)),
    )


def _by_class(both: Answers, labels: Array) -> tuple[tuple[str, str], ...]:
    """Flips by class, and the alarm if they are in one class."""
    flips = flips_by_class(labels, both.was_right, both.right)
    found = alarm(flips, int(both.was_right.sum())) if flips else None
    said = (("flips_by_class", in_words(flips)),)
    return (*said, ("alarm", found)) if found is not None else said

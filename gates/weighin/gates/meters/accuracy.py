"""Accuracy that a variant loses against the registered model, on the same rows.

Pure: arrays in, a reading out. What this module does not do: it compares no two accuracies
that were measured on different rows.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.stats import (
    FEW_DISAGREEMENTS,
    Interval,
    PairedCounts,
    paired_drop,
    samples_for_margin,
)

_METRIC = Metric.ACCURACY_DROP_POINTS
_POINTS = 100.0


def accuracy_drop(
    outputs: NDArray[Any],
    reference: NDArray[Any],
    labels: NDArray[Any],
    stamp: Stamp,
    confidence: float = 0.95,
) -> Reading:
    """The drop in percentage points with its paired interval (Tango, exact for few flips).

    Args:
        outputs: [n, classes], logits or probabilities of the variant.
        reference: [n, classes], of the registered model on the same rows.
        labels: [n], true classes.
        stamp: What was measured.
        confidence: One-sided confidence of each end of the interval.
    """
    objection = _objection(outputs, reference, labels)
    if objection is not None:
        return Unreadable(metric=_METRIC, reason=objection)
    guess, expected = outputs.argmax(axis=1), reference.argmax(axis=1)
    right, was_right = guess == labels, expected == labels
    counts = PairedCounts(
        both_right=int((right & was_right).sum()),
        only_reference=int((was_right & ~right).sum()),
        only_variant=int((right & ~was_right).sum()),
        both_wrong=int((~right & ~was_right).sum()),
    )
    drop = paired_drop(counts, confidence)
    points = Interval(
        value=drop.value * _POINTS, lower=drop.lower * _POINTS, upper=drop.upper * _POINTS
    )
    few = counts.only_reference + counts.only_variant <= FEW_DISAGREEMENTS
    conditions = (
        ("accuracy", f"{right.mean():.6f}"),
        ("reference_accuracy", f"{was_right.mean():.6f}"),
        ("flips_right_to_wrong", str(counts.only_reference)),
        ("flips_wrong_to_right", str(counts.only_variant)),
        ("agreement", f"{(guess == expected).mean():.6f}"),
        ("interval", "exact, paired" if few else "Tango score, paired"),
        ("confidence_one_sided", f"{confidence:g}"),
        ("samples_for_one_point", str(_samples_for_one_point(counts, confidence))),
        ("calibration_error", f"{calibration_error(outputs, labels):.6f}"),
        ("reference_calibration_error", f"{calibration_error(reference, labels):.6f}"),
    )
    return stamp.of_the_file(_METRIC, points, counts.n, conditions)


def calibration_error(outputs: NDArray[Any], labels: NDArray[Any], bins: int = 15) -> float:
    """Expected calibration error: how far confidence is from accuracy, 0 to 1.

    Guo et al. (2017), On calibration of modern neural networks, equation 3. Logits are turned
    into probabilities by softmax; rows that already are probabilities are taken as they are.

    Args:
        outputs: [n, classes], finite.
        labels: [n].
        bins: Number of equally wide bins of confidence.
    """
    shares = _probabilities(outputs.astype(np.float64))
    confidence, right = shares.max(axis=1), shares.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    gaps = [abs(float(confidence[place == k].sum() - right[place == k].sum())) for k in range(bins)]
    return sum(gaps) / len(labels)


def _samples_for_one_point(counts: PairedCounts, confidence: float) -> int:
    """How many rows would settle a margin of one point at this rate of disagreement."""
    disagreement = (counts.only_reference + counts.only_variant) / counts.n
    return samples_for_margin(disagreement, 1 / _POINTS, confidence)


def _probabilities(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    if (outputs >= 0).all() and np.allclose(outputs.sum(axis=1), 1.0, atol=0.02):
        return outputs
    powers = np.exp(outputs - outputs.max(axis=1, keepdims=True))
    result: NDArray[np.float64] = powers / powers.sum(axis=1, keepdims=True)
    return result


def _objection(outputs: NDArray[Any], reference: NDArray[Any], labels: NDArray[Any]) -> str | None:
    """Why these arrays cannot be compared row by row."""
    if labels.ndim != 1 or len(labels) == 0:
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

"""Whether a file answers alike in the two forms of its runtime, and like the registered model.

A phone's app runs the fast form (XNNPACK, a rewritten graph). Kernels that are wrong for some
shape, layout or scale show as another answer than the plain form gives.

Pure: arrays in, a reading out.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.stats import percent_interval
from weighin.gates.variant import Format

Array = NDArray[Any]

_METRIC = Metric.BACKEND_DISAGREEMENT_PERCENT
ALARM_PERCENT = 1.0
NUMBERS_SLACK = 0.05
"""Outputs that are numbers differ if they are further apart than this share of their spread."""

FORMS = {
    Format.LITERT: ("XNNPACK", "LiteRT's own kernels"),
    Format.ONNX: ("the rewritten graph", "the graph as it is in the file"),
}
"""Per format: what apps run, and its plain form. Other formats have one form only."""


def backend_disagreement(
    both: Array,
    reference: Array,
    format: Format,
    stamp: Stamp,
    confidence: float,
    *,
    is_float: bool,
) -> Reading:
    """Share of rows on which the two forms give another class, in percent, with exact ends.

    Args:
        both: [2, n, k], outputs of the form that apps run, then of the plain one.
        reference: [n, k], of the registered model on the same rows.
        format: Of the file.
        stamp: What was measured.
        confidence: One-sided confidence of each end.
        is_float: Whether the file is the float32 variant, which must answer like the model.
    """
    if both.ndim != 3 or both[0].shape != reference.shape:
        return Unreadable(metric=_METRIC, reason=f"the outputs have shape {list(both.shape)}")
    fast, plain = FORMS[format]
    rows, apart = len(reference), int(differing(both[0], both[1], reference).sum())
    from_source = [int(differing(one, reference, reference).sum()) for one in both]
    alarms = []
    if percent_interval(apart, rows, confidence).lower > ALARM_PERCENT:
        alarms.append(f"{fast} and {plain} differ on {apart} of {rows} rows")
    if is_float and percent_interval(from_source[0], rows, confidence).lower > ALARM_PERCENT:
        alarms.append(
            f"float32 differs from the registered model on {from_source[0]} of {rows} rows"
        )
    conditions = (
        ("forms", f"{fast} against {plain}"),
        ("largest_difference", f"{_largest(both):.4g}"),
        ("differs_from_source", f"{from_source[0]} rows, {from_source[1]} in plain form"),
        *((("alarm", "; ".join(alarms)),) if alarms else ()),
    )
    ends = percent_interval(apart, rows, confidence)
    return stamp.of_the_file(_METRIC, ends, rows, conditions, confidence)


def differing(outputs: Array, others: Array, reference: Array) -> NDArray[np.bool_]:
    """Rows that are answered differently: another class, or a number that is far off.

    What is not finite differs from everything.
    """
    finite = np.isfinite(outputs).all(axis=1) & np.isfinite(others).all(axis=1)
    if reference.shape[1] > 1:
        apart = outputs.argmax(axis=1) != others.argmax(axis=1)
    else:
        apart = np.abs(outputs - others).max(axis=1) > NUMBERS_SLACK * reference.std()
    found: NDArray[np.bool_] = apart | ~finite
    return found


def _largest(both: Array) -> float:
    """Largest difference of outputs, where both are finite."""
    gap = np.abs(both[0].astype(np.float64) - both[1].astype(np.float64))
    finite = gap[np.isfinite(gap)]
    return float(finite.max()) if finite.size else float("inf")

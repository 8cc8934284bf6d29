"""How often the ARM kernels see another class than this machine's kernels, on the same rows.

Pure: arrays in, a reading out. What this module does not do: it knows no labels. Whether the class
is the right one is the accuracy's business.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.arm.trust import Trusted
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.stats import percent_interval

Array = NDArray[Any]

_METRIC = Metric.ARM_DISAGREEMENT_PERCENT
_REAL = "fiu"


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Two runs of one file, row by row.

    Attributes:
        rows: How many rows were compared.
        disagreeing: Rows whose class differs, or that are not finite in the ARM run.
        not_finite: Rows that are not finite in the ARM run.
        largest: Largest absolute difference of an output where both are finite.
        bit_exact: Whether all outputs are the same bits.
    """

    rows: int
    disagreeing: int
    not_finite: int
    largest: float
    bit_exact: bool


def arm_disagreement(
    arm: Array, here: Array, stamp: Stamp, trusted: Trusted, confidence: float = 0.95
) -> Reading:
    """The share of rows at another class, in percent, with its exact interval.

    Args:
        arm: [n, classes], outputs of the emulated ARM run.
        here: [n, classes], of this machine's run of the same file on the same rows.
        stamp: Which file, for which phone.
        trusted: On which core, and by which emulator.
        confidence: One-sided confidence of each end (Clopper and Pearson, 1934).
    """
    objection = _objection(arm, here)
    if objection is not None:
        return Unreadable(metric=_METRIC, reason=objection)
    found = compare(arm, here)
    conditions = (
        ("core", trusted.core.name),
        ("cpu", trusted.core.cpu),
        ("emulator", trusted.emulator),
        ("known_answers", str(trusted.checks)),
        ("rows", str(found.rows)),
        ("rows_at_another_class", str(found.disagreeing)),
        ("rows_not_finite", str(found.not_finite)),
        ("largest_difference", f"{found.largest:.6g}"),
        ("bit_exact", "yes" if found.bit_exact else "no"),
        ("interval", "exact (Clopper-Pearson)"),
    )
    share = percent_interval(found.disagreeing, found.rows, confidence)
    return stamp.emulated(_METRIC, share, found.rows, conditions, confidence)


def compare(arm: Array, here: Array) -> Difference:
    """Two runs of the same shape [n, classes]; ``here`` is finite."""
    finite = np.isfinite(arm).all(axis=1)
    same = finite & (arm.argmax(axis=1) == here.argmax(axis=1))
    apart = np.abs(arm[finite].astype(np.float64) - here[finite].astype(np.float64))
    return Difference(
        rows=len(here),
        disagreeing=int((~same).sum()),
        not_finite=int((~finite).sum()),
        largest=float(apart.max(initial=0.0)),
        bit_exact=arm.dtype == here.dtype and arm.tobytes() == here.tobytes(),
    )


def _objection(arm: Array, here: Array) -> str | None:
    """Why the two cannot be compared row by row."""
    if here.ndim != 2 or len(here) == 0 or here.shape[1] < 2:
        return f"this machine's outputs have shape {list(here.shape)}, not rows of classes"
    if arm.shape != here.shape:
        return f"the ARM run's outputs have shape {list(arm.shape)} instead of {list(here.shape)}"
    if arm.dtype.kind not in _REAL or here.dtype.kind not in _REAL:
        return f"the outputs are no numbers ({arm.dtype} and {here.dtype})"
    if not np.isfinite(here).all():
        return "this machine's own outputs are not all finite"
    return None

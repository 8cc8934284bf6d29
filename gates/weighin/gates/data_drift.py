"""What an evaluation set looks like in a few hundred numbers, and how far two of them differ.

Labels are compared with a chi-square test, row statistics with Kolmogorov and Smirnov's, all
corrected for the number of comparisons (Bonferroni). With 10,000 rows everything is significant,
so each comes with the size of the effect. What this module does not do: it keeps no row, so two
sets with the same statistics look the same to it.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from weighin.gates.data_record import Comparison, Drift, EvaluationSummary

POINTS = 129
"""Quantiles per statistic: the gap between two sets is known within 1/128 on either side."""

_DIGITS = 7


def summarise(
    sha256: str,
    labels: NDArray[np.int64] | NDArray[np.float64],
    statistics: Mapping[str, NDArray[np.float64]],
) -> EvaluationSummary:
    """Sum an evaluation set up.

    Args:
        sha256: Digest of its file.
        labels: int64 [n] for classes; float64 [n, k] for numbers, which become statistics.
        statistics: Per name, one finite number per row [n].
    """
    classes: tuple[tuple[int, int], ...] = ()
    columns = dict(statistics)
    if labels.ndim == 1:
        found, counts = np.unique(labels, return_counts=True)
        classes = tuple((int(one), int(n)) for one, n in zip(found, counts, strict=True))
    else:
        numbers = labels.astype(np.float64)
        columns |= {f"label {place}": numbers[:, place] for place in range(numbers.shape[1])}
    return EvaluationSummary(
        sha256=sha256,
        rows=len(labels),
        classes=classes,
        quantiles=tuple((name, _quantiles(values)) for name, values in columns.items()),
    )


def compare(now: EvaluationSummary, before: EvaluationSummary, released: str) -> Drift:
    """How the evaluation data differs from that of a released version."""
    if now.sha256 == before.sha256:
        return Drift(released=released, same=True)
    known = dict(before.quantiles)
    raw = [
        _rows_compared(name, values, known[name], (now.rows, before.rows))
        for name, values in now.quantiles
        if name in known
    ]
    if now.classes and before.classes:
        raw.insert(0, _labels_compared(dict(now.classes), dict(before.classes)))
    corrected = tuple(
        Comparison(what=what, test=test, p=min(1.0, p * len(raw)), effect=effect)
        for what, test, p, effect in raw
    )
    return Drift(released=released, same=False, comparisons=corrected)


_Raw = tuple[str, str, float, float]


def _labels_compared(now: Mapping[int, int], before: Mapping[int, int]) -> _Raw:
    """Chi-square on the table of labels; effect is Cohen's w between the two sets' shares."""
    from scipy.stats import chi2

    labels = sorted(set(now) | set(before))
    table = np.array([[one.get(label, 0) for label in labels] for one in (now, before)], float)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0) / table.sum()
    statistic = float(((table - expected) ** 2 / expected).sum())
    p = float(chi2.sf(statistic, len(labels) - 1)) if len(labels) > 1 else 1.0
    shares = table / table.sum(axis=1, keepdims=True)
    middle = shares.mean(axis=0)
    effect = float(np.sqrt(((shares[0] - shares[1]) ** 2 / middle).sum()))
    return "labels", "chi-square", p, effect


def _rows_compared(
    name: str, now: tuple[float, ...], before: tuple[float, ...], rows: tuple[int, int]
) -> _Raw:
    """Kolmogorov-Smirnov from quantiles: the gap, less what the quantiles cannot resolve."""
    from scipy.stats import kstwobign

    a, b = np.asarray(now), np.asarray(before)
    at = np.union1d(a, b)
    gap = float(np.abs(_share_below(a, at) - _share_below(b, at)).max())
    sure = max(0.0, gap - 1 / (len(a) - 1) - 1 / (len(b) - 1))
    scale = np.sqrt(rows[0] * rows[1] / (rows[0] + rows[1]))
    return f"row {name}", "Kolmogorov-Smirnov", float(kstwobign.sf(scale * sure)), gap


def _share_below(quantiles: NDArray[np.float64], at: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.searchsorted(quantiles, at, side="right") / len(quantiles)


def _quantiles(values: NDArray[np.float64]) -> tuple[float, ...]:
    points = np.quantile(values, np.linspace(0, 1, POINTS))
    return tuple(float(f"{point:.{_DIGITS}g}") for point in points)

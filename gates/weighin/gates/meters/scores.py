"""How much a metric drops on the same rows, with what an interval needs.

A metric with a score per row: the mean of the paired differences. Any other: the jackknife, leaving
out one of 50 groups of rows at a time, of the difference of both models' metrics.

Where at most ten rows differ, neither sees what rows that agree so far may still do. Then the
interval is widened by the loss that there would be if as many more rows as the counts allow were
answered wrongly. A metric that neither differs nor can be lowered on the rows has measured nothing,
and has no estimate.

Pure: arrays in, an estimate out.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.binomial import one_proportion_upper
from weighin.gates.estimate import Estimate

Array = NDArray[Any]

GROUPS = 50
LEAST_ROWS = 20
FEW_DIFFERING = 10
_SPOILT_DRAWS = 20


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pair:
    """Labels, and what a metric reads of both models' outputs on the same rows.

    Attributes:
        labels: [n] or [n, k].
        reference: [n, ...], of the registered model.
        variant: [n, ...], of the variant.
    """

    labels: Array
    reference: Array
    variant: Array

    def rows(self, which: Array) -> "Pair":
        """Some of the rows, by index or by mask."""
        return Pair(
            labels=self.labels[which],
            reference=self.reference[which],
            variant=self.variant[which],
        )

    @property
    def differing(self) -> int:
        """How many rows the two do not agree on."""
        unequal = (self.reference != self.variant).reshape(len(self.labels), -1)
        return int(unequal.any(axis=1).sum())


class NotDefinedError(ValueError):
    """The metric has no finite value on these rows, or on nearly all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drop:
    """A metric of both models, and how much it drops.

    Attributes:
        reference: The metric of the registered model.
        variant: The metric of the variant.
        estimate: Of the drop: positive is worse, whichever way the metric counts.
        by_row: Whether it is a mean of paired differences.
    """

    reference: float
    variant: float
    estimate: Estimate
    by_row: bool


def drop_of(
    score: Callable[[Array, Array], Any],
    pair: Pair,
    *,
    larger_is_better: bool,
    risk: float,
    seed: int,
) -> Drop:
    """How much a metric drops.

    Args:
        score: From labels and what is read of the outputs to a number, or to one per row.
        pair: The rows.
        larger_is_better: Whether more of the metric is good.
        risk: Allowed risk of either end, for the widening where few rows differ.
        seed: Of the groups.

    Raises:
        NotDefinedError: too few rows, the metric is not finite on them or on parts of them, or it
            is the same whatever the variant answers.
    """
    if len(pair.labels) < LEAST_ROWS:
        raise NotDefinedError(f"{len(pair.labels)} rows are too few; {LEAST_ROWS} are needed")
    sign = 1.0 if larger_is_better else -1.0
    both = [np.asarray(score(pair.labels, read)) for read in (pair.reference, pair.variant)]
    by_row = both[0].shape == pair.labels.shape[:1] and both[0].ndim == 1
    means = [_finite(float(one.mean()), "these rows") for one in both]
    generator = np.random.default_rng(seed)
    if by_row:
        value, error, skew, degrees = _of_rows(sign * (both[0] - both[1]))
    else:
        value, error, skew, degrees = _jackknife(score, pair, sign, generator)
    slack = _slack(score, pair, sign, risk, generator)
    if error == 0 and slack == 0:
        raise NotDefinedError(
            f"it measures nothing on these rows: {pair.differing} are answered differently, and "
            "neither that nor a wrong answer changes it"
        )
    estimate = Estimate(value=value, standard_error=error, skew=skew, degrees=degrees, slack=slack)
    return Drop(reference=means[0], variant=means[1], estimate=estimate, by_row=by_row)


def _of_rows(differences: NDArray[np.float64]) -> tuple[float, float, float, int]:
    """Mean, its standard error, its skewness and the degrees of freedom."""
    n, mean = len(differences), float(differences.mean())
    spread = differences - mean
    error = float(np.sqrt((spread**2).sum() / (n - 1) / n))
    return mean, error, _skewness(spread), n - 1


def _jackknife(
    score: Callable[[Array, Array], Any],
    pair: Pair,
    sign: float,
    generator: np.random.Generator,
) -> tuple[float, float, float, int]:
    """The same, from leaving out one group of rows at a time."""
    n = len(pair.labels)
    groups = min(GROUPS, n // 2)
    group = generator.permutation(n) % groups

    def drop(rows: Pair) -> float:
        both = [float(score(rows.labels, read)) for read in (rows.reference, rows.variant)]
        return _finite(sign * (both[0] - both[1]), "some of these rows")

    without = np.array([drop(pair.rows(group != k)) for k in range(groups)])
    spread = without.mean() - without
    error = float(np.sqrt((groups - 1) / groups * (spread**2).sum()))
    return drop(pair), error, _skewness(spread), groups - 1


def _skewness(spread: NDArray[np.float64]) -> float:
    """Of a mean or a jackknifed value, from its parts' deviations."""
    square = float((spread**2).sum())
    return float((spread**3).sum()) / square**1.5 if square > 0 else 0.0


def _slack(
    score: Callable[[Array, Array], Any],
    pair: Pair,
    sign: float,
    risk: float,
    generator: np.random.Generator,
) -> float:
    """What could be lost by as many more differing rows as the counts allow; 0 if many differ.

    The rows get another row's answer; the worst of several draws counts.
    """
    n, differing = len(pair.labels), pair.differing
    if differing > FEW_DIFFERING:
        return 0.0
    more = int(np.ceil(n * one_proportion_upper(differing, n, risk / 2))) - differing
    if more < 1:
        return 0.0
    whole = float(np.mean(score(pair.labels, pair.variant)))
    losses = [0.0]
    for _ in range(_SPOILT_DRAWS):
        spoilt = pair.variant.copy()
        rows = generator.choice(n, size=min(n, more), replace=False)
        spoilt[rows] = pair.variant[_others(pair.variant, rows, generator)]
        losses.append(sign * (whole - float(np.mean(score(pair.labels, spoilt)))))
    return _finite(max(losses), "rows with other answers")


def _others(read: Array, rows: Array, generator: np.random.Generator) -> Array:
    """For each row another one whose answer differs, where there is one among some tries."""
    flat = read.reshape(len(read), -1)
    found = generator.integers(0, len(read), size=len(rows))
    for _ in range(_SPOILT_DRAWS):
        same = (flat[found] == flat[rows]).all(axis=1)
        found[same] = generator.integers(0, len(read), size=int(same.sum()))
    return found


def _finite(number: float, where: str) -> float:
    if not np.isfinite(number):
        raise NotDefinedError(f"it is {number} on {where}")
    return number

"""Populations with a known truth, one per kind of metric: what the verdict benchmark draws from.

Run by itself it shows what the interval of metrics that are not counted is made of: how often gates
at the margin pass with Student's t alone, with skewness counted, and at half the risk as well.

The metrics are computed by a few lines of numpy here (the libraries' argument checks would take
hours over all gates); the intervals are the product's own.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.estimate import CAUTION, Estimate
from weighin.gates.meters.scores import Pair, drop_of
from weighin.gates.stats import Interval, PairedCounts, paired_drop

Array = NDArray[Any]
Draw = Callable[[np.random.Generator, int], Pair]
Score = Callable[[Array, Array], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """A kind of metric, and data whose variant really loses something.

    Attributes:
        name: For the tables.
        draw: Draws rows.
        score: The metric; ``None`` for right and wrong, which is counted.
        larger_is_better: Whether more of it is good.
        exact: What the variant loses, where it is known exactly.
        sizes: Numbers of rows to judge on.
    """

    name: str
    draw: Draw
    score: Score | None
    larger_is_better: bool = True
    exact: float | None = None
    sizes: tuple[int, ...] = (300, 1000, 3000)

    def truth(self, random: np.random.Generator, rows: int = 200_000, parts: int = 20) -> float:
        """What the variant loses on the whole population, nearly: the mean over many rows."""
        return float(np.mean([self._drop(self.draw(random, rows)) for _ in range(parts)]))

    def _drop(self, pair: Pair) -> float:
        score = self.score or right
        both = [np.mean(score(pair.labels, read)) for read in (pair.reference, pair.variant)]
        return float(both[0] - both[1]) * (1 if self.larger_is_better else -1)

    def interval(self, pair: Pair, confidence: float, seed: int) -> Interval:
        """The product's interval of the drop."""
        if self.score is None:
            return paired_drop(_counts(pair), confidence)
        return self.estimate(pair, 1 - confidence, seed).interval(confidence)

    def estimate(self, pair: Pair, risk: float, seed: int) -> Estimate:
        """The product's estimate of the drop, of a metric that is not counted."""
        if self.score is None:
            raise ValueError(f"{self.name} is counted")
        better = self.larger_is_better
        drop = drop_of(self.score, pair, larger_is_better=better, risk=risk, seed=seed)
        return drop.estimate


def right(labels: Array, read: Array) -> Array:
    hits: Array = (read == labels).astype(np.float64)
    return hits


def _counts(pair: Pair) -> PairedCounts:
    was, now = pair.reference == pair.labels, pair.variant == pair.labels
    return PairedCounts(
        both_right=int((was & now).sum()),
        only_reference=int((was & ~now).sum()),
        only_variant=int((now & ~was).sum()),
        both_wrong=int((~was & ~now).sum()),
    )


def flips(lost: float, won: float) -> Draw:
    """Right and wrong: shares of rows that only one of the two gets right."""

    def draw(random: np.random.Generator, rows: int) -> Pair:
        place = random.random(rows)
        reference = np.where((place >= lost) & (place < lost + won), 1, 0)
        return Pair(
            labels=np.zeros(rows, np.int64),
            reference=reference,
            variant=np.where(place < lost, 1, 0),
        )

    return draw


def _classes(random: np.random.Generator, rows: int) -> Pair:
    """Five classes, the rarest with 5 % of the rows; a few answers of the variant are others."""
    labels = random.choice(5, rows, p=[0.4, 0.25, 0.2, 0.1, 0.05])
    reference = np.where(random.random(rows) < 0.12, random.integers(0, 5, rows), labels)
    other = np.where(random.random(rows) < 0.25, labels, random.integers(0, 5, rows))
    variant = np.where(random.random(rows) < 0.04, other, reference)
    return Pair(labels=labels, reference=reference, variant=variant)


def _scores(random: np.random.Generator, rows: int) -> Pair:
    """Scores of two classes, a fifth of the rows in one; the variant's are noisier."""
    labels = (random.random(rows) < 0.2).astype(np.int64)
    reference = 1.8 * labels + random.normal(size=rows)
    return Pair(
        labels=labels, reference=reference, variant=reference + 0.35 * random.normal(size=rows)
    )


def _numbers(random: np.random.Generator, rows: int) -> Pair:
    """Skewed numbers, and errors that are larger in some rows than in others."""
    labels = random.gamma(2.0, 1.0, rows)
    reference = labels + 0.4 * random.normal(size=rows) * (0.5 + random.random(rows))
    noise = 0.15 * random.laplace(size=rows) * (0.5 + random.random(rows))
    return Pair(labels=labels, reference=reference, variant=reference + noise)


def f1_macro(labels: Array, read: Array) -> float:
    hits = np.bincount(labels[labels == read], minlength=5)
    both = np.bincount(labels, minlength=5) + np.bincount(read, minlength=5)
    return float(np.mean(2 * hits / np.maximum(both, 1)))


def roc_auc(labels: Array, read: Array) -> float:
    hits = labels[np.argsort(read)]  # scores are continuous here: there are no ties
    ones = int(hits.sum())
    below = np.cumsum(1 - hits)[hits == 1].sum()
    return float(below) / (ones * (len(hits) - ones))


def average_precision(labels: Array, read: Array) -> float:
    hits = labels[np.argsort(-read)]
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits == 1].mean())


def correlation(labels: Array, read: Array) -> float:
    one, other = labels - labels.mean(), read - read.mean()
    return float(one @ other / np.sqrt((one @ one) * (other @ other)))


def rmse(labels: Array, read: Array) -> float:
    return float(np.sqrt(np.mean((labels - read) ** 2)))


def absolute_error(labels: Array, read: Array) -> Array:
    errors: Array = np.abs(labels - read)
    return errors


def users_own(labels: Array, read: Array) -> float:
    """What a user may think of: the median of relative errors, which is not smooth."""
    return float(np.median(np.abs(labels - read) / (0.1 + labels)))


FAMILIES: Sequence[Family] = (
    Family(
        name="accuracy, 5 % flip",
        draw=flips(0.03, 0.02),
        score=None,
        exact=0.01,
        sizes=(300, 1000, 4000),
    ),
    Family(
        name="accuracy, 1 % flips",
        draw=flips(0.009, 0.001),
        score=None,
        exact=0.008,
        sizes=(1000, 4000),
    ),
    Family(name="macro F1", draw=_classes, score=f1_macro),
    Family(name="ROC AUC", draw=_scores, score=roc_auc),
    Family(name="average precision", draw=_scores, score=average_precision),
    Family(name="correlation", draw=_numbers, score=correlation),
    Family(name="RMSE", draw=_numbers, score=rmse, larger_is_better=False),
    Family(name="mean error", draw=_numbers, score=absolute_error, larger_is_better=False),
    Family(name="user's function", draw=_numbers, score=users_own, larger_is_better=False),
)


def every() -> Iterator[tuple[Family, int]]:
    """Every family at every size."""
    for family in FAMILIES:
        for rows in family.sizes:
            yield family, rows


def steps(family: Family, rows: int, gates: int) -> tuple[float, float, float]:
    """Percent of gates at the margin that pass: Student's t, with skewness, at half the risk."""
    random = np.random.default_rng([FAMILIES.index(family), rows, 1])
    truth, risk = family.truth(random), 0.05
    passed = np.zeros(3)
    for gate in range(gates):
        one = family.estimate(family.draw(random, rows), risk, gate)
        whole = 1 - risk / CAUTION  # an interval at this confidence uses all of the risk
        ends = (
            replace(one, skew=0.0, slack=0.0).interval(whole),
            replace(one, slack=0.0).interval(whole),
            one.interval(1 - risk),
        )
        passed += [end.upper <= truth for end in ends]
    plain, skewed, halved = 100 * passed / gates
    return float(plain), float(skewed), float(halved)


def main() -> None:
    gates = int(os.environ.get("WEIGHIN_BENCH_GATES", "2000"))
    print("| metric | rows | Student's t % | and skewness % | and half the risk % |")
    print("| --- | --: | --: | --: | --: |")
    for family in FAMILIES:
        for rows in family.sizes if family.score is not None else ():
            shares = " | ".join(f"{share:.1f}" for share in steps(family, rows, gates))
            print(f"| {family.name} | {rows:,} | {shares} |", flush=True)


if __name__ == "__main__":
    main()

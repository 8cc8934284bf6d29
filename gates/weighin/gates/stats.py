"""Intervals for what the gate judges: a paired difference of accuracies, and a quantile.

All functions are pure and use nothing but the standard library. What this module does not do:
it never rounds in anybody's favour. Where few samples disagree the score interval is known to
be slightly too short, so an exact one takes its place.

Sources:
    Tango T. (1998), Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design, Statistics in Medicine 17, 891-908.
    Buehler R.J. (1957), Confidence intervals for the product of two binomial parameters, JASA 52.
    Berger R.L., Boos D.D. (1994), P values maximized over a confidence set for the nuisance
    parameter, JASA 89, 1012-1016.
    David H.A., Nagaraja H.N. (2003), Order statistics, 3rd ed., section 7.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from weighin.gates.binomial import (
    binomial_at_most,
    binomial_cdf,
    binomial_pmf,
    last_where,
    one_proportion_upper,
    tail_rank,
)

FEW_DISAGREEMENTS = 30
"""Up to this many samples on which the two models disagree, the interval is exact."""

_NUISANCE_RISK = 1e-4  # Berger and Boos: spent on bounding the nuisance parameter
_NEGLIGIBLE = 1e-12  # probability left out of an exact sum; far below the risk above
_NUISANCE_STEPS = 12
_LOSSES_SHARE = 0.8  # of the risk, where losses and wins are bounded apart
_EXACT_PRECISION = 1e-3  # of an exact end, which is rounded outwards


@dataclass(frozen=True, slots=True, kw_only=True)
class Interval:
    """An estimate between its two ends, all in the same unit."""

    value: float
    lower: float
    upper: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PairedCounts:
    """How two classifiers did on the same samples, as four counts.

    Attributes:
        both_right: Samples that both the reference and the variant get right.
        only_reference: Samples that the reference gets right and the variant wrong.
        only_variant: Samples that the variant gets right and the reference wrong.
        both_wrong: Samples that both get wrong.

    Raises:
        ValueError: a count is negative, or there is no sample.
    """

    both_right: int
    only_reference: int
    only_variant: int
    both_wrong: int

    def __post_init__(self) -> None:
        """Refuse counts that no experiment can give."""
        counts = (self.both_right, self.only_reference, self.only_variant, self.both_wrong)
        if min(counts) < 0:
            raise ValueError(f"a count is negative: {counts}")
        if sum(counts) == 0:
            raise ValueError("no samples were compared")

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.both_right + self.only_reference + self.only_variant + self.both_wrong

    def interval(self, confidence: float) -> Interval:
        """The drop as a share of the samples; see :func:`quick_drop`."""
        return quick_drop(self, confidence)


@lru_cache(maxsize=4096)
def paired_drop(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """How much accuracy the variant loses against its reference, as a fraction of the samples.

    Each end holds with ``confidence`` on its own side, so the two together are a
    ``2 * confidence - 1`` interval (90 % by default). Score interval of Tango (1998); exact
    (Buehler) when at most :data:`FEW_DISAGREEMENTS` samples disagree.

    Args:
        counts: The paired outcomes.
        confidence: One-sided confidence of each end, above 0.5 and below 1.

    Returns:
        Accuracy of the reference minus accuracy of the variant, -1 to 1; positive is a loss.

    Raises:
        ValueError: the confidence is not between 0.5 and 1.
    """
    _check_confidence(confidence)
    lost, won, n = counts.only_reference, counts.only_variant, counts.n
    upper_end = _exact_upper if lost + won <= FEW_DISAGREEMENTS else _score_upper
    return Interval(
        value=(lost - won) / n,
        lower=-upper_end(won, lost, n, confidence),
        upper=upper_end(lost, won, n, confidence),
    )


@lru_cache(maxsize=4096)
def quick_drop(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """Like :func:`paired_drop`, a hundred times as fast and a little wider where few disagree.

    For many slices at many levels. The score interval; where at most :data:`FEW_DISAGREEMENTS`
    samples disagree, Clopper and Pearson's end of the losses at four fifths of the risk, less their
    end of the wins at one fifth, which is valid whatever the two have to do with each other.
    """
    _check_confidence(confidence)
    lost, won, n = counts.only_reference, counts.only_variant, counts.n
    upper_end = _split_upper if lost + won <= FEW_DISAGREEMENTS else _score_upper
    return Interval(
        value=(lost - won) / n,
        lower=-upper_end(won, lost, n, confidence),
        upper=upper_end(lost, won, n, confidence),
    )


def score_interval(counts: PairedCounts, confidence: float = 0.95) -> Interval:
    """Tango's score interval whatever the counts; same arguments as :func:`paired_drop`."""
    _check_confidence(confidence)
    lost, won, n = counts.only_reference, counts.only_variant, counts.n
    return Interval(
        value=(lost - won) / n,
        lower=-_score_upper(won, lost, n, confidence),
        upper=_score_upper(lost, won, n, confidence),
    )


def quantile_interval(samples: Sequence[float], share: float, confidence: float = 0.95) -> Interval:
    """A quantile with the order statistics that enclose it, free of any distribution.

    Args:
        samples: Independent values, any unit, at least one.
        share: Which quantile, between 0 and 1 (0.9 for the 90th percentile).
        confidence: One-sided confidence of each end, above 0.5 and below 1.

    Returns:
        The quantile (smallest sample with at least ``share`` of them at or below it) and two
        samples as ends. With too few samples an end does not exist and is infinite: for the
        90th percentile at 95 % the upper end needs 29 samples.

    Raises:
        ValueError: no samples, one that is not finite, or a share or confidence out of range.
    """
    _check_confidence(confidence)
    if not 0 < share < 1:
        raise ValueError(f"a quantile lies between 0 and 1, not at {share}")
    if not samples or not all(math.isfinite(sample) for sample in samples):
        raise ValueError("a quantile needs finite samples, and at least one")
    ordered, n, risk = sorted(samples), len(samples), 1 - confidence
    below = binomial_cdf(n, share)
    first = max((rank for rank in range(1, n + 1) if below[rank - 1] <= risk), default=0)
    last = min((rank for rank in range(1, n + 1) if below[rank - 1] >= confidence), default=0)
    return Interval(
        value=ordered[math.ceil(share * n - 1e-9) - 1],
        lower=ordered[first - 1] if first else -math.inf,
        upper=ordered[last - 1] if last else math.inf,
    )


def percent_interval(count: int, n: int, confidence: float = 0.95) -> Interval:
    """A share in percent, each end exact with ``confidence`` on its own side.

    Clopper C.J., Pearson E.S. (1934), The use of confidence or fiducial limits, Biometrika 26.

    Raises:
        ValueError: the count is not between 0 and ``n``, or the confidence is out of range.
    """
    _check_confidence(confidence)
    if not 0 <= count <= n or n < 1:
        raise ValueError(f"{count} of {n} is no share")
    risk = 1 - confidence
    return Interval(
        value=100 * count / n,
        lower=100 * (1 - one_proportion_upper(n - count, n, risk)) if count else 0.0,
        upper=100 * one_proportion_upper(count, n, risk),
    )


def samples_for_margin(
    disagreement: float,
    margin: float,
    confidence: float = 0.95,
    *,
    drop: float = 0.0,
    power: float = 0.8,
) -> int:
    """How many samples until a variant passes a margin, about.

    Normal approximation of the paired difference.

    Args:
        disagreement: Share of the samples on which exactly one of the two is right, 0 to 1.
        margin: Largest loss that is accepted, as a fraction above 0.
        confidence: One-sided confidence of the gate.
        drop: What the variant really loses, as a fraction below the margin.
        power: How often it should pass, above 0 and below 1.

    Raises:
        ValueError: an argument is out of range.
    """
    _check_confidence(confidence)
    possible = 0 <= disagreement <= 1 and abs(drop) <= max(disagreement, margin)
    if not possible or not margin > max(0.0, drop) or not 0 < power < 1:
        raise ValueError(
            f"no sample size for disagreement {disagreement}, margin {margin}, drop {drop} and "
            f"power {power}"
        )
    z = NormalDist().inv_cdf(confidence) + NormalDist().inv_cdf(power)
    variance = max(disagreement, margin) - drop**2
    return max(1, math.ceil(variance * (max(0.0, z) / (margin - drop)) ** 2))


def _check_confidence(confidence: float) -> None:
    if not 0.5 < confidence < 1:
        raise ValueError(f"confidence lies between 0.5 and 1, not at {confidence}")


def _split_upper(lost: int, won: int, n: int, confidence: float) -> float:
    """Most losses at part of the risk, less the fewest wins at the rest."""
    risk = 1 - confidence
    fewest_won = 1 - one_proportion_upper(n - won, n, risk * (1 - _LOSSES_SHARE))
    return max((lost - won) / n, one_proportion_upper(lost, n, risk * _LOSSES_SHARE) - fewest_won)


def _score_upper(lost: int, won: int, n: int, confidence: float) -> float:
    """The drop at which Tango's statistic says: a larger one is too unlikely."""
    if lost == n:
        return 1.0
    z = NormalDist().inv_cdf(confidence)
    estimate = (lost - won) / n
    return last_where(lambda drop: _tango_z(lost, won, n, drop) >= -z, estimate, 1.0)


def _tango_z(lost: int, won: int, n: int, drop: float) -> float:
    """Tango (1998), equation 11: standardised distance of the counts from an assumed drop."""
    a = 2 * n
    b = -lost - won + (2 * n - lost + won) * drop
    c = -won * drop * (1 - drop)
    q = max(0.0, (math.sqrt(max(0.0, b * b - 4 * a * c)) - b) / (2 * a))
    distance = lost - won - n * drop
    variance = n * (2 * q + drop * (1 - drop))
    if variance <= 0:
        return 0.0 if distance == 0 else math.copysign(math.inf, distance)
    return distance / math.sqrt(variance)


@lru_cache(maxsize=4096)
def _exact_upper(lost: int, won: int, n: int, confidence: float) -> float:
    """Largest drop under which counts as good as these still have probability ``1 - confidence``.

    "As good" is ordered by the score interval's upper end (Buehler's method: valid for every
    ordering, and the shortest for this one). The share of samples that only the variant gets
    right is a nuisance parameter; it is maximised over a confidence set of its own.
    """
    if lost == n:
        return 1.0
    score = _score_upper(lost, won, n, confidence)
    risk = 1 - confidence - _NUISANCE_RISK
    most_won = one_proportion_upper(won, n, _NUISANCE_RISK)
    as_good = _as_good_as(score, n, tail_rank(n, most_won), confidence, (lost, won))

    def plausible(drop: float) -> bool:
        least = max(0.0, -drop)
        shares = (
            least + (most_won - least) * k / _NUISANCE_STEPS for k in range(_NUISANCE_STEPS + 1)
        )
        return any(
            _probability(as_good, n, q + drop, q) >= risk for q in shares if drop + 2 * q <= 1
        )

    inside = outside = score
    step = 0.3 * max(abs(score), 1 / n)
    while plausible(outside):
        if outside >= 1:
            return 1.0
        inside, outside = outside, min(1.0, outside + step)
    while outside - inside > _EXACT_PRECISION * max(abs(outside), 1 / n):
        middle = (inside + outside) / 2
        inside, outside = (middle, outside) if plausible(middle) else (inside, middle)
    return outside


def _as_good_as(
    score: float, n: int, most_won: int, confidence: float, observed: tuple[int, int]
) -> tuple[int, ...]:
    """For 0, 1, … ``most_won`` samples won: the most lost ones that are no worse than observed."""
    z = NormalDist().inv_cdf(confidence)
    limits, lost = list[int](), -1
    for won in range(most_won + 1):
        while lost + 1 + won <= n and _tango_z(lost + 1, won, n, score) <= -z + 1e-9:
            lost += 1
        limits.append(max(lost, observed[0]) if won >= observed[1] else lost)
    return tuple(limits)


def _probability(as_good: tuple[int, ...], n: int, p_lost: float, p_won: float) -> float:
    """Probability of the region: trinomial, as won times (lost given won)."""
    total = 0.0
    for won, limit in enumerate(as_good):
        share = binomial_pmf(won, n, p_won)
        if limit >= 0 and share > _NEGLIGIBLE:
            given = min(1.0, p_lost / (1 - p_won))
            total += share * binomial_at_most(limit, n - won, given)
    return total

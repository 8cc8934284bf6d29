"""Intervals for what the gate judges: a paired difference of accuracies, and a quantile.

All functions are pure and use nothing but the standard library. What this module does not do:
it never rounds in anybody's favour. The ends of paired differences are in
:mod:`weighin.gates.paired_ends`.

Sources:
    David H.A., Nagaraja H.N. (2003), Order statistics, 3rd ed., section 7.1.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

from weighin.gates.binomial import binomial_cdf, one_proportion_upper
from weighin.gates.paired_ends import exact_upper, score_upper, split_upper

FEW_DISAGREEMENTS = 30
"""Up to this many samples on which the two models disagree, the interval is exact."""


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
    upper_end = exact_upper if lost + won <= FEW_DISAGREEMENTS else score_upper
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
    upper_end = split_upper if lost + won <= FEW_DISAGREEMENTS else score_upper
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
        lower=-score_upper(won, lost, n, confidence),
        upper=score_upper(lost, won, n, confidence),
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

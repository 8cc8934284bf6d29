"""Upper ends of a paired difference of accuracies, from its counts: three ways to get them.

The score end is right where many samples disagree. Where few do it is known to miss, most of all
where losses are many times the wins; there an exact end takes its place, or a quick one that is
valid too. A lower end is the upper end with losses and wins swapped.

Pure, and nothing but the standard library.

Sources:
    Tango T. (1998), Equivalence test and confidence interval for the difference in proportions
    for the paired-sample design, Statistics in Medicine 17, 891-908.
    Buehler R.J. (1957), Confidence intervals for the product of two binomial parameters, JASA 52.
    Berger R.L., Boos D.D. (1994), P values maximized over a confidence set for the nuisance
    parameter, JASA 89, 1012-1016.
"""

import math
from functools import lru_cache
from statistics import NormalDist

from weighin.gates.binomial import (
    binomial_at_most,
    binomial_pmf,
    last_where,
    one_proportion_upper,
    tail_rank,
)

_NUISANCE_RISK = 1e-4  # Berger and Boos: spent on bounding the nuisance parameter
_NEGLIGIBLE = 1e-12  # probability left out of an exact sum; far below the risk above
_NUISANCE_STEPS = 12
_LOSSES_SHARE = 0.8  # of the risk, where losses and wins are bounded apart
_EXACT_PRECISION = 1e-3  # of an exact end, which is rounded outwards


def split_upper(lost: int, won: int, n: int, confidence: float) -> float:
    """Most losses at part of the risk, less the fewest wins at the rest."""
    risk = 1 - confidence
    fewest_won = 1 - one_proportion_upper(n - won, n, risk * (1 - _LOSSES_SHARE))
    return max((lost - won) / n, one_proportion_upper(lost, n, risk * _LOSSES_SHARE) - fewest_won)


def score_upper(lost: int, won: int, n: int, confidence: float) -> float:
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
def exact_upper(lost: int, won: int, n: int, confidence: float) -> float:
    """Largest drop under which counts as good as these still have probability ``1 - confidence``.

    "As good" is ordered by the score interval's upper end (Buehler's method: valid for every
    ordering, and the shortest for this one). The share of samples that only the variant gets
    right is a nuisance parameter; it is maximised over a confidence set of its own.
    """
    if lost == n:
        return 1.0
    score = score_upper(lost, won, n, confidence)
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

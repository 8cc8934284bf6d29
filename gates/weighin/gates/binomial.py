"""The binomial distribution, exactly, with nothing but the standard library. Pure."""

import math
from collections.abc import Callable
from itertools import accumulate

_BISECTIONS = 60
_PRECISION = 1e-6  # relative, below what any report shows; the wider side is returned


def binomial_pmf(k: int, n: int, p: float) -> float:
    """Probability of exactly ``k`` in ``n``."""
    if p <= 0 or p >= 1:
        return float(k == (0 if p <= 0 else n))
    choose = math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
    return math.exp(choose + k * math.log(p) + (n - k) * math.log1p(-p))


def binomial_at_most(k: int, n: int, p: float) -> float:
    """Probability of at most ``k`` in ``n``, summed downwards from ``k`` by the recurrence."""
    if k >= n:
        return 1.0
    term = total = binomial_pmf(k, n, p)
    if p <= 0 or p >= 1:
        return 1.0 if p <= 0 else total
    for j in range(k, 0, -1):
        term *= j / (n - j + 1) * (1 - p) / p
        total += term
    return min(1.0, total)


def binomial_cdf(n: int, p: float) -> list[float]:
    """Probability of at most 0, 1, … n."""
    return list(accumulate(binomial_pmf(k, n, p) for k in range(n + 1)))


def one_proportion_upper(k: int, n: int, risk: float) -> float:
    """Clopper and Pearson: the share above which ``k`` or fewer have less than ``risk``."""
    return last_where(lambda p: binomial_at_most(k, n, p) >= risk, k / n, 1.0)


def tail_rank(n: int, p: float) -> int:
    """The count beyond which a binomial has nothing left worth summing (10 deviations)."""
    return min(n, math.ceil(n * p + 10 * math.sqrt(n * p) + 10))


def last_where(holds: Callable[[float], bool], start: float, end: float) -> float:
    """The end of the stretch from ``start`` on which ``holds`` is true, by bisection."""
    if holds(end):
        return end
    for _ in range(_BISECTIONS):
        middle = (start + end) / 2
        if end - start < _PRECISION * max(abs(end), _PRECISION):
            break
        start, end = (middle, end) if holds(middle) else (start, middle)
    return end

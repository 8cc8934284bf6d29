"""Intervals for drops that are no share of right and wrong: means, and jackknifed metrics.

Pure, and nothing but the standard library.

Sources:
    Tukey J.W. (1958), Bias and confidence in not-quite large samples, Annals of Mathematical
    Statistics 29; Quenouille M.H. (1956), Notes on bias in estimation, Biometrika 43.
    Johnson N.J. (1978), Modified t tests and confidence intervals for asymmetrical populations,
    JASA 73: why skewness moves the ends. The form used here is the score interval's.
    Hill G.W. (1970), Algorithm 396: Student's t-quantiles, Communications of the ACM 13.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from weighin.gates.stats import Interval

CAUTION = 0.5
"""Share of the allowed risk that an end may use.

With all of it, gates at the margin passed too often at a few hundred rows, also with skewness
counted (``python tests/benchmarks/verdict_families.py``): a standard error that comes from the data
is small in the same samples in which the drop is.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """A drop with what is needed for an interval at any confidence.

    Attributes:
        value: The drop, in the unit of the metric that drops.
        standard_error: Of the value, same unit, zero or more.
        skew: Skewness of the value's distribution; above zero if the rare rows are losses.
        degrees: Degrees of freedom of the standard error, at least 1.
        slack: Added to either end: what rows that agreed so far may still do, zero or more.

    Raises:
        ValueError: a number is not finite or out of its range.
    """

    value: float
    standard_error: float
    degrees: int
    skew: float = 0.0
    slack: float = 0.0

    def __post_init__(self) -> None:
        """Refuse what no computation may give."""
        numbers = (self.value, self.skew, self.standard_error, self.slack)
        if not all(map(math.isfinite, numbers)) or min(numbers[2:]) < 0 or self.degrees < 1:
            raise ValueError(f"no estimate: {numbers} with {self.degrees} degrees of freedom")

    def interval(self, confidence: float) -> Interval:
        """Each end holds with ``confidence`` on its own side.

        Raises:
            ValueError: the confidence is not between 0.5 and 1.
        """
        t = student_quantile(1 - (1 - confidence) * CAUTION, self.degrees)
        return Interval(
            value=self.value,
            lower=self.value - self.slack - self.standard_error * _reach(t, -self.skew),
            upper=self.value + self.slack + self.standard_error * _reach(t, self.skew),
        )


def _reach(t: float, skew: float) -> float:
    """How many standard errors an end is away; skewness only ever moves it outwards.

    From (end - value)^2 = t^2 (variance + (end - value) skew standard error): the variance is the
    one that there would be if the end were the truth, as in a score interval.
    """
    half = max(0.0, skew) * t * t / 2
    return half + math.sqrt(half * half + t * t)


def repeats_interval(values: Sequence[float], confidence: float) -> Interval | None:
    """Student's t interval of a mean of repeats; ``None`` for fewer than two.

    Raises:
        ValueError: the confidence is not between 0.5 and 1.
    """
    if len(values) < 2:
        return None
    mean, spread = statistics.fmean(values), statistics.stdev(values)
    reach = student_quantile(confidence, len(values) - 1) * spread / math.sqrt(len(values))
    return Interval(value=mean, lower=mean - reach, upper=mean + reach)


def student_quantile(share: float, degrees: int) -> float:
    """Quantile of Student's t distribution, for shares above one half.

    Exact for 1 and 2 degrees of freedom; right to about six digits otherwise (Hill, 1970).

    Raises:
        ValueError: an argument is out of range.
    """
    if not 0.5 < share < 1 or degrees < 1:
        raise ValueError(f"no quantile of Student's t at {share} with {degrees} degrees")
    two_sided = 2 * (1 - share)
    if degrees == 1:
        return 1 / math.tan(two_sided * math.pi / 2)
    if degrees == 2:
        return math.sqrt(2 / (two_sided * (2 - two_sided)) - 2)
    return _hill(two_sided, degrees)


def _hill(two_sided: float, n: int) -> float:
    """Hill (1970): an expansion around the normal quantile, or around zero far in the tail."""
    a = 1 / (n - 0.5)
    b = 48 / a**2
    c = ((20700 * a / b - 98) * a - 16) * a + 96.36
    d = ((94.5 / (b + c) - 3) / b + 1) * math.sqrt(a * math.pi / 2) * n
    y = (d * two_sided) ** (2 / n)
    if y > 0.05 + a:
        x = NormalDist().inv_cdf(two_sided / 2)
        y = x * x
        if n < 5:
            c += 0.3 * (n - 4.5) * (x + 0.6)
        c += (((0.05 * d * x - 5) * x - 7) * x - 2) * x + b
        y = (((((0.4 * y + 6.3) * y + 36) * y + 94.5) / c - y - 3) / b + 1) * x
        return math.sqrt(n * math.expm1(a * y * y))
    tail = ((n + 6) / (n * y) - 0.089 * d - 0.822) * (n + 2) * 3
    y = ((1 / tail + 0.5 / (n + 4)) * y - 1) * (n + 1) / (n + 2) + 1 / y
    return math.sqrt(n * y)

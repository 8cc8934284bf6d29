"""Intervals of means and of jackknifed metrics: known quantiles, laws, and gates at the margin."""

import math
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.estimate import Estimate, student_quantile

numbers = st.floats(-1e6, 1e6)
errors = st.floats(0, 1e6)


@pytest.mark.parametrize(
    ("share", "degrees", "quantile"),
    [
        # Abramowitz and Stegun (1964), Handbook of mathematical functions, table 26.10.
        pytest.param(0.95, 1, 6.314, id="one-degree"),
        pytest.param(0.95, 2, 2.920, id="two-degrees"),
        pytest.param(0.975, 5, 2.571, id="five-degrees"),
        pytest.param(0.95, 10, 1.812, id="ten-degrees"),
        pytest.param(0.995, 30, 2.750, id="thirty-degrees"),
        pytest.param(0.9995, 4, 8.610, id="far-in-the-tail"),
    ],
)
def test_students_quantiles_are_the_ones_in_the_tables(
    share: float, degrees: int, quantile: float
) -> None:
    assert student_quantile(share, degrees) == pytest.approx(quantile, abs=6e-4)


def test_students_quantile_becomes_the_normal_one() -> None:
    normal = NormalDist().inv_cdf(0.95)
    assert student_quantile(0.95, 10**7) == pytest.approx(normal, abs=1e-4)


@pytest.mark.parametrize(("share", "degrees"), [(0.5, 3), (1.0, 3), (0.4, 3), (0.9, 0)])
def test_a_quantile_that_there_is_not_is_refused(share: float, degrees: int) -> None:
    with pytest.raises(ValueError, match="no quantile"):
        student_quantile(share, degrees)


@given(value=numbers, error=errors, skew=st.floats(-5, 5), slack=errors, degrees=st.integers(1, 99))
def test_an_interval_contains_its_value_and_grows_with_confidence(
    value: float, error: float, skew: float, slack: float, degrees: int
) -> None:
    one = Estimate(value=value, standard_error=error, skew=skew, slack=slack, degrees=degrees)
    loose, strict = one.interval(0.9), one.interval(0.99)
    assert strict.lower <= loose.lower <= value <= loose.upper <= strict.upper


@given(error=st.floats(1e-3, 1e3), skew=st.floats(0.01, 5))
def test_skewness_moves_one_end_outwards_and_the_other_not_inwards(
    error: float, skew: float
) -> None:
    even = Estimate(value=0.0, standard_error=error, degrees=50).interval(0.95)
    skewed = Estimate(value=0.0, standard_error=error, skew=skew, degrees=50).interval(0.95)
    assert skewed.upper > even.upper
    assert skewed.lower == pytest.approx(even.lower)


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param({"value": math.nan}, id="value-nan"),
        pytest.param({"value": math.inf}, id="value-infinite"),
        pytest.param({"standard_error": math.nan}, id="error-nan"),
        pytest.param({"standard_error": -1.0}, id="error-negative"),
        pytest.param({"skew": math.inf}, id="skew-infinite"),
        pytest.param({"slack": -0.1}, id="slack-negative"),
        pytest.param({"degrees": 0}, id="no-degrees"),
    ],
)
def test_what_no_computation_gives_is_refused(broken: dict[str, float]) -> None:
    sound: dict[str, float] = {"value": 0.1, "standard_error": 0.1, "degrees": 9}
    with pytest.raises(ValueError, match="no estimate"):
        Estimate(**{**sound, **broken})  # type: ignore[arg-type]


def test_rare_losses_are_not_passed_because_few_were_drawn() -> None:
    """Means of a rare loss: the plain t interval passes 10 % at the margin, this one at most 5."""
    random, rows, gates = np.random.default_rng(5), 300, 2000
    passed = 0
    for _ in range(gates):
        losses = (random.random(rows) < 0.03).astype(np.float64)
        spread = losses - losses.mean()
        square = float((spread**2).sum())
        if square == 0:
            continue
        one = Estimate(
            value=float(losses.mean()),
            standard_error=math.sqrt(square / (rows - 1) / rows),
            skew=float((spread**3).sum()) / square**1.5,
            degrees=rows - 1,
        )
        passed += one.interval(0.95).upper <= 0.03
    assert passed / gates <= 0.05 + 2 * math.sqrt(0.05 * 0.95 / gates)

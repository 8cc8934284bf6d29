"""Budgets that could never be judged are refused when they are written."""

import math
from itertools import pairwise

import pytest

from weighin.gates.metric import Budget, Metric, Origin


@pytest.mark.parametrize("at_most", [math.nan, math.inf, -math.inf])
def test_a_budget_must_be_a_finite_number(at_most: float) -> None:
    with pytest.raises(ValueError, match="latency_p90_ms: a budget must be a finite number"):
        Budget(metric=Metric.LATENCY_P90_MS, at_most=at_most)


@pytest.mark.parametrize(
    ("metric", "more", "said"),
    [
        pytest.param(Metric.SIZE_VS_RELEASE_PERCENT, {}, "needs a floor", id="no-floor"),
        pytest.param(
            Metric.LATENCY_VS_RELEASE_PERCENT, {"floor": 0.0}, "needs a floor", id="floor-of-zero"
        ),
        pytest.param(
            Metric.LATENCY_VS_RELEASE_PERCENT, {"floor": math.nan}, "needs a floor", id="floor-nan"
        ),
        pytest.param(Metric.SIZE_MIB, {"floor": 1.0}, "only a growth", id="floor-of-a-size"),
        pytest.param(Metric.SIZE_MIB, {"least_rows": 5}, "for slices", id="rows-of-a-size"),
        pytest.param(Metric.SLICE_DROP_POINTS, {"least_rows": 0}, "at least 1", id="no-rows"),
    ],
)
def test_a_budget_says_what_its_metric_has_and_nothing_else(
    metric: Metric, more: dict[str, float], said: str
) -> None:
    with pytest.raises(ValueError, match=said):
        Budget(metric=metric, at_most=1.0, **more)  # type: ignore[arg-type]


def test_scaled_evidence_cannot_be_asked_for() -> None:
    with pytest.raises(ValueError, match="'scaled' numbers can never pass"):
        Budget(metric=Metric.SIZE_MIB, at_most=1.0, least_origin=Origin.SCALED)


@pytest.mark.parametrize("metric", list(Metric))
def test_every_metric_carries_its_unit_in_its_name(metric: Metric) -> None:
    units = ("_points", "_mib", "_ms", "_mj", "_percent", "_percent_per_hour")
    assert metric.endswith(units)


@pytest.mark.parametrize("origin", list(Origin))
def test_an_origin_is_at_least_itself(origin: Origin) -> None:
    assert origin.is_at_least(origin)


def test_the_ladder_of_origins_has_one_order() -> None:
    ladder = list(Origin)
    for better, worse in pairwise(ladder):
        assert better.is_at_least(worse)
        assert not worse.is_at_least(better)

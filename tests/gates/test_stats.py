"""Intervals: published examples, laws, and coverage on simulated and enumerated data."""

import math
import random
from collections import Counter
from statistics import NormalDist

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.stats import (
    FEW_DISAGREEMENTS,
    PairedCounts,
    paired_drop,
    quantile_interval,
    quick_drop,
    samples_for_margin,
    score_interval,
)


def counts(lost: int, won: int, n: int) -> PairedCounts:
    return PairedCounts(
        both_right=n - lost - won, only_reference=lost, only_variant=won, both_wrong=0
    )


@pytest.mark.parametrize(
    ("lost", "won", "n", "lower", "upper"),
    [
        # Fagerland, Lydersen, Laake (2017), Statistical analysis of contingency tables, ch. 8;
        # digits from the tests of their R package `contingencytables`.
        pytest.param(6, 16, 161, -0.1240, -0.0054, id="Cavo-2012-complete-response"),
        # Fagerland, Lydersen, Laake (2014), Statistics in Medicine 33, airway reactivity.
        pytest.param(1, 7, 21, -0.517, -0.026, id="Bentur-2009-airway-reactivity"),
    ],
)
def test_score_interval_agrees_with_published_examples(
    lost: int, won: int, n: int, lower: float, upper: float
) -> None:
    interval = score_interval(counts(lost, won, n), confidence=0.975)
    digits = len(str(upper).split(".")[1])
    assert round(interval.lower, digits) == lower
    assert round(interval.upper, digits) == upper


def closed_form(lost: int, won: int, n: int, z: float, drop: float) -> float:
    """Tango's condition cleared of its nuisance parameter; zero at the ends of the interval.

    From (b - c - n d)^2 = z^2 n (2 q + d (1 - d)) with q solved out: an independent check.
    """
    square = (lost - won - n * drop) ** 2 / (z * z * n)
    q = (square - drop * (1 - drop)) / 2
    return 2 * n * q * q + (-lost - won + (2 * n - lost + won) * drop) * q - won * drop * (1 - drop)


@pytest.mark.parametrize(
    ("lost", "won", "n"), [(40, 20, 160), (150, 86, 1600), (12, 30, 500), (300, 1, 5000)]
)
def test_ends_of_the_score_interval_solve_its_equation(lost: int, won: int, n: int) -> None:
    z = NormalDist().inv_cdf(0.95)
    interval = score_interval(counts(lost, won, n))
    for end in (interval.lower, interval.upper):
        assert closed_form(lost, won, n, z, end) == pytest.approx(0, abs=1e-3)


paired = st.integers(1, 3000).flatmap(
    lambda n: st.tuples(st.integers(0, n), st.integers(0, n), st.just(n)).map(
        lambda t: (t[0], min(t[1], t[2] - t[0]), t[2])
    )
)


@given(paired, st.floats(0.8, 0.99))
@settings(max_examples=60, deadline=None)
def test_interval_contains_the_estimate_and_stays_a_difference(
    case: tuple[int, int, int], confidence: float
) -> None:
    interval = paired_drop(counts(*case), confidence)
    assert -1 <= interval.lower <= interval.value <= interval.upper <= 1
    assert interval.lower < interval.upper


@given(paired)
@settings(max_examples=60, deadline=None)
def test_swapping_the_two_models_mirrors_the_interval(case: tuple[int, int, int]) -> None:
    lost, won, n = case
    there, back = paired_drop(counts(lost, won, n)), paired_drop(counts(won, lost, n))
    assert there.value == -back.value
    assert (there.lower, there.upper) == (-back.upper, -back.lower)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(20, 300), st.integers(2, 6))
@settings(max_examples=15, deadline=None)
def test_more_of_the_same_samples_make_it_narrower(lost: int, won: int, n: int, times: int) -> None:
    few, many = (
        paired_drop(counts(lost, won, n)),
        paired_drop(counts(lost * times, won * times, n * times)),
    )
    assert many.upper - many.lower < few.upper - few.lower


@given(paired)
@settings(max_examples=40, deadline=None)
def test_more_confidence_is_never_narrower(case: tuple[int, int, int]) -> None:
    loose, strict = paired_drop(counts(*case), 0.9), paired_drop(counts(*case), 0.975)
    assert strict.lower <= loose.lower
    assert loose.upper <= strict.upper


@pytest.mark.parametrize("n", [1, 10, 100, 1000, 10_000])
def test_no_disagreement_at_all_is_not_certainty(n: int) -> None:
    interval = paired_drop(counts(0, 0, n))
    exact = 1 - 0.05 ** (1 / n)  # none of n at a rate p has probability (1 - p)^n
    assert interval.value == 0
    assert exact <= interval.upper <= exact * 1.01
    assert interval.lower == -interval.upper


@pytest.mark.parametrize("lost", [0, 1, 2, 5, 10, 20, FEW_DISAGREEMENTS])
def test_exact_interval_is_never_shorter_than_the_score_interval(lost: int) -> None:
    case = counts(lost, FEW_DISAGREEMENTS - lost, 800)
    exact, score = paired_drop(case), score_interval(case)
    assert exact.lower <= score.lower
    assert score.upper <= exact.upper


def trinomial(lost: int, won: int, n: int, p_lost: float, p_won: float) -> float:
    rest = n - lost - won
    ways = math.comb(n, lost) * math.comb(n - lost, won)
    return ways * p_lost**lost * p_won**won * (1 - p_lost - p_won) ** rest


@pytest.mark.parametrize(
    ("p_lost", "p_won"),
    [(0.02, 0.0), (0.05, 0.01), (0.1, 0.1), (0.01, 0.05), (0.2, 0.02), (0.08, 0.0), (0.3, 0.1)],
)
def test_exact_coverage_by_enumeration_of_every_outcome(p_lost: float, p_won: float) -> None:
    n, missed = 20, 0.0
    for lost in range(n + 1):
        for won in range(n + 1 - lost):
            chance = trinomial(lost, won, n, p_lost, p_won)
            # Outcomes this rare cannot change the answer, and skipping them saves seconds.
            if chance > 1e-7 and paired_drop(counts(lost, won, n)).upper < p_lost - p_won:
                missed += chance
    assert missed <= 0.05 + 1e-3


@pytest.mark.parametrize(("p_lost", "p_won"), [(0.03, 0.02), (0.05, 0.05), (0.10, 0.04)])
def test_upper_end_covers_the_truth_as_often_as_promised(p_lost: float, p_won: float) -> None:
    shuffler, n, trials, missed = random.Random(20261122), 600, 400, 0
    for _ in range(trials):
        seen = Counter(shuffler.choices("LW-", [p_lost, p_won, 1 - p_lost - p_won], k=n))
        missed += paired_drop(counts(seen["L"], seen["W"], n)).upper < p_lost - p_won
    assert missed / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


def test_sample_size_is_the_one_that_the_margin_rule_of_thumb_gives() -> None:
    assert 3000 < samples_for_margin(disagreement=0.05, margin=0.01) < 3200


@pytest.mark.parametrize(
    ("disagreement", "margin", "drop", "power"),
    [
        pytest.param(0.05, 0.01, 0.0, 0.8, id="no loss"),
        pytest.param(0.05, 0.01, 0.0, 0.5, id="as often as not"),
        pytest.param(0.10, 0.03, 0.01, 0.8, id="a loss within the margin"),
        pytest.param(0.04, 0.02, -0.01, 0.95, id="better than the registered model"),
    ],
)
def test_so_many_rows_pass_the_gate_so_often(
    disagreement: float, margin: float, drop: float, power: float
) -> None:
    """The gate's own interval on 400 drawn data sets of the size that is asked for."""
    n = samples_for_margin(disagreement, margin, drop=drop, power=power)
    lost, won = (disagreement + drop) / 2, (disagreement - drop) / 2
    draws = np.random.default_rng(0).multinomial(n, [lost, won, 1 - lost - won], size=400)
    passed = [paired_drop(counts(int(a), int(b), n)).upper <= margin for a, b, _ in draws]
    assert float(np.mean(passed)) == pytest.approx(power, abs=0.08)


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param({"margin": 0.0}, id="no margin"),
        pytest.param({"drop": 0.02}, id="loses more than the margin"),
        pytest.param({"power": 1.0}, id="certainty"),
        pytest.param({"disagreement": 1.5}, id="no share"),
        pytest.param({"disagreement": float("nan")}, id="not a number"),
    ],
)
def test_no_number_of_rows_is_made_up(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="no sample size"):
        samples_for_margin(**{"disagreement": 0.05, "margin": 0.01, **wrong})


@pytest.mark.parametrize(
    ("broken", "message"),
    [
        pytest.param((0, 0, 0, 0), "no samples", id="nothing-compared"),
        pytest.param((5, -1, 0, 0), "negative", id="negative-count"),
    ],
)
def test_impossible_counts_are_refused(broken: tuple[int, int, int, int], message: str) -> None:
    both, lost, won, none = broken
    with pytest.raises(ValueError, match=message):
        PairedCounts(both_right=both, only_reference=lost, only_variant=won, both_wrong=none)


@pytest.mark.parametrize("confidence", [0.5, 1.0, math.nan, -1, 95])
def test_impossible_confidence_is_refused(confidence: float) -> None:
    with pytest.raises(ValueError, match="confidence"):
        paired_drop(counts(1, 1, 10), confidence)
    with pytest.raises(ValueError, match="confidence"):
        quantile_interval([1.0], 0.9, confidence)


@pytest.mark.parametrize(
    ("n", "lower_rank", "upper_rank"),
    [
        # Ranks by hand from cumulative binomials at p = 0.9, 5 % on either side.
        pytest.param(40, 33, 40, id="40-timings"),
        pytest.param(100, 85, 96, id="100-timings"),
    ],
)
def test_quantile_ends_are_the_right_order_statistics(
    n: int, lower_rank: int, upper_rank: int
) -> None:
    interval = quantile_interval([float(rank) for rank in range(n, 0, -1)], 0.9)
    assert interval.value == math.ceil(0.9 * n)
    assert (interval.lower, interval.upper) == (lower_rank, upper_rank)


def test_quantile_of_too_few_samples_has_no_upper_end() -> None:
    assert quantile_interval([1.0] * 28, 0.9).upper == math.inf
    assert quantile_interval([1.0] * 29, 0.9).upper == 1.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80), st.floats(0.05, 0.95))
@settings(max_examples=80, deadline=None)
def test_quantile_interval_contains_its_quantile(samples: list[float], share: float) -> None:
    interval = quantile_interval(samples, share)
    assert interval.lower <= interval.value <= interval.upper
    assert interval.value in samples


def test_quantile_interval_covers_the_truth_as_often_as_promised() -> None:
    shuffler, trials, missed = random.Random(7), 600, 0
    truth = -math.log(0.1)  # the 90th percentile of an exponential distribution
    for _ in range(trials):
        interval = quantile_interval([shuffler.expovariate(1) for _ in range(60)], 0.9)
        missed += interval.upper < truth
    assert missed / trials <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / trials)


@pytest.mark.parametrize(
    ("samples", "share"),
    [([], 0.9), ([1.0, math.nan], 0.9), ([math.inf], 0.5), ([1.0], 0.0), ([1.0], 1.0)],
    ids=["none", "nan", "infinite", "share-0", "share-1"],
)
def test_impossible_quantiles_are_refused(samples: list[float], share: float) -> None:
    with pytest.raises(ValueError, match="quantile"):
        quantile_interval(samples, share)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(20, 900), st.floats(0.8, 0.999))
@settings(max_examples=25, deadline=None)
def test_the_quick_interval_is_about_as_wide_as_the_exact_one(
    lost: int, won: int, n: int, confidence: float
) -> None:
    case = counts(lost, won, n)
    quick, exact = quick_drop(case, confidence), paired_drop(case, confidence)
    assert quick.value == exact.value
    assert quick.lower <= quick.value <= quick.upper
    assert quick.upper - quick.lower <= 3.0 * (exact.upper - exact.lower)


@pytest.mark.parametrize(
    ("p_lost", "p_won"),
    [(0.02, 0.0), (0.05, 0.01), (0.1, 0.1), (0.01, 0.05), (0.2, 0.02), (0.08, 0.0), (0.3, 0.1)],
)
def test_coverage_of_the_quick_interval_by_enumeration_of_every_outcome(
    p_lost: float, p_won: float
) -> None:
    n, missed = 20, 0.0
    for lost in range(n + 1):
        for won in range(n + 1 - lost):
            if quick_drop(counts(lost, won, n)).upper < p_lost - p_won:
                missed += trinomial(lost, won, n, p_lost, p_won)
    assert missed <= 0.05 + 2e-3

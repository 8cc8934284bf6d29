"""Drift: what moved is seen, what did not is not, however many rows there are."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.data_drift import compare, summarise
from weighin.gates.data_record import NOTABLE_EFFECT, Comparison, Drift, EvaluationSummary
from weighin.gates.data_wire import evaluation_from_json, evaluation_to_json


def summary(seed: int, rows: int = 10_000, **moved: Any) -> EvaluationSummary:
    random = np.random.default_rng(seed)
    shares = moved.get("shares", [0.25] * 4)
    return summarise(
        f"sha of {seed}",
        random.choice(4, rows, p=shares),
        {
            "mean": random.normal(moved.get("mean", 0.5), 0.1, rows),
            "lowest value": np.zeros(rows),
        },
    )


def drift(now: EvaluationSummary, before: EvaluationSummary) -> Drift:
    return compare(now, before, "digits/1")


def test_the_same_bytes_have_no_drift_and_need_no_test() -> None:
    assert drift(summary(1), summary(1)) == Drift(released="digits/1", same=True)


@pytest.mark.parametrize("rows", [60, 1000, 30_000])
def test_another_sample_of_the_same_has_no_drift(rows: int) -> None:
    found = [drift(summary(seed, rows), summary(100 + seed, rows)) for seed in range(20)]
    assert [one.notable for one in found] == [()] * 20
    assert all(len(one.comparisons) == 3 for one in found)


@pytest.mark.parametrize(
    ("moved", "what"),
    [
        pytest.param({"shares": [0.4, 0.2, 0.2, 0.2]}, "labels", id="labels"),
        pytest.param({"shares": [0.5, 0.5, 0, 0]}, "labels", id="labels-gone"),
        pytest.param({"mean": 0.55}, "row mean", id="brighter"),
    ],
)
def test_what_moved_is_named(moved: dict[str, Any], what: str) -> None:
    (one,) = drift(summary(2, 2000, **moved), summary(3, 2000)).notable
    assert one.what == what
    assert one.p < 0.001


def test_significant_but_small_is_not_worth_a_look() -> None:
    moved = drift(summary(2, 30_000, mean=0.51), summary(3, 30_000))
    (mean,) = [one for one in moved.comparisons if one.what == "row mean"]
    assert mean.p < 0.01
    assert mean.effect < NOTABLE_EFFECT
    assert moved.notable == ()


def test_labels_that_are_numbers_are_compared_as_rows_are() -> None:
    random = np.random.default_rng(5)
    before = summarise("a", random.normal(size=(900, 2)), {})
    after = summarise("b", random.normal([0, 1], size=(900, 2)), {})
    assert before.classes == ()
    assert [one.what for one in drift(after, before).notable] == ["row label 1"]


def test_the_quantiles_say_what_all_rows_would() -> None:
    from scipy import stats

    random = np.random.default_rng(6)
    a, b = random.normal(size=4000), random.normal(0.3, 1.2, size=3000)
    labels = np.zeros(1, np.int64)
    now, before = (summarise(name, labels, {"v": v}) for name, v in (("a", a), ("b", b)))
    (compared,) = (one for one in drift(now, before).comparisons if one.what == "row v")
    largest_gap: Any = stats.ks_2samp(a, b)
    assert compared.effect == pytest.approx(largest_gap.statistic, abs=2 / 128)


def test_chi_square_is_scipys() -> None:
    from scipy import stats

    now, before = summary(2, 500, shares=[0.3, 0.3, 0.2, 0.2]), summary(3, 400)
    table = [[rows for _, rows in one.classes] for one in (now, before)]
    (labels,) = (one for one in drift(now, before).comparisons if one.what == "labels")
    expected: Any = stats.chi2_contingency(table, correction=False)
    assert labels.p == pytest.approx(min(1, 3 * expected.pvalue))


@pytest.mark.parametrize(
    ("p", "effect", "notable"),
    [
        (0.5, 0.9, False),
        (1e-9, 0.01, False),
        (1e-9, 0.9, True),
        (float("nan"), 0.9, True),
        (1e-9, float("nan"), True),
    ],
)
def test_a_number_that_is_none_is_worth_a_look(p: float, effect: float, notable: bool) -> None:
    assert Comparison(what="x", test="t", p=p, effect=effect).notable is notable


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=40), st.integers(0, 3))
def test_a_summary_survives_its_file_and_equals_itself(values: list[float], label: int) -> None:
    column = np.array(values)
    made = summarise("s", np.full(len(values), label), {"v": column})
    read = evaluation_from_json(evaluation_to_json(made))
    assert read == made
    other = summarise("t", np.full(len(values), label), {"v": column})
    assert [one.effect for one in drift(other, read).comparisons] == [0.0, 0.0]

"""Looking step by step: the looks share one risk, and stop as soon as every margin is decided."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.sequential import LEAST_LOOK_ROWS, is_decided, looks
from weighin.gates.stats import Interval, PairedCounts, paired_drop


@given(st.integers(1, 10**6), st.floats(0.6, 0.999))
def test_the_risks_of_all_looks_add_up_to_the_risk_that_is_allowed(
    rows: int, confidence: float
) -> None:
    planned = looks(rows, confidence)
    assert sum(1 - look.confidence for look in planned) == pytest.approx(1 - confidence)
    assert [look.number for look in planned] == list(range(1, len(planned) + 1))
    assert [look.last for look in planned] == [False] * (len(planned) - 1) + [True]
    sizes = [look.rows for look in planned]
    assert sizes == sorted(set(sizes))
    assert sizes[-1] == rows
    assert all(size >= LEAST_LOOK_ROWS for size in sizes[:-1])


@pytest.mark.parametrize(("rows", "confidence"), [(0, 0.95), (-1, 0.95), (100, 0.5), (100, 1.0)])
def test_looks_at_nothing_or_without_confidence_are_refused(rows: int, confidence: float) -> None:
    with pytest.raises(ValueError, match="no looks"):
        looks(rows, confidence)


@pytest.mark.parametrize(
    ("margins", "decided"),
    [
        pytest.param((2.0,), True, id="below-the-margin"),
        pytest.param((0.5,), True, id="above-the-margin"),
        pytest.param((0.5, 2.0), True, id="between-two-margins"),
        pytest.param((1.2,), False, id="margin-inside"),
        pytest.param((2.0, 1.2), False, id="one-margin-inside"),
        pytest.param((1.5,), True, id="upper-end-on-the-margin"),
        pytest.param((1.0,), False, id="lower-end-on-the-margin"),
    ],
)
def test_it_is_decided_when_every_margin_is(margins: tuple[float, ...], decided: bool) -> None:
    assert is_decided(Interval(value=1.2, lower=1.0, upper=1.5), margins) is decided


def sequential_pass(lost: np.ndarray, won: np.ndarray, margin: float) -> tuple[bool, int]:
    """Whether a gate that looks step by step passes, and how many rows it took."""
    rows = len(lost)
    for look in looks(rows, 0.95):
        seen = (int(lost[: look.rows].sum()), int(won[: look.rows].sum()))
        counts = PairedCounts(
            both_right=look.rows - sum(seen),
            only_reference=seen[0],
            only_variant=seen[1],
            both_wrong=0,
        )
        ends = paired_drop(counts, look.confidence)
        if is_decided(ends, (margin,)) or look.last:
            return ends.upper <= margin, look.rows
    raise AssertionError


def test_peeking_passes_no_more_often_than_it_may_where_a_plain_interval_does() -> None:
    random, gates, margin = np.random.default_rng(3), 300, 0.02
    passed = peeked = 0
    for _ in range(gates):
        draw = random.random(4000)
        lost, won = draw < 0.04, draw > 0.98
        passed += sequential_pass(lost, won, margin)[0]
        peeked += any(
            paired_drop(
                PairedCounts(
                    both_right=n - int(lost[:n].sum()) - int(won[:n].sum()),
                    only_reference=int(lost[:n].sum()),
                    only_variant=int(won[:n].sum()),
                    both_wrong=0,
                )
            ).upper
            <= margin
            for n in range(1000, 4001, 150)
        )
    slack = 3 * math.sqrt(0.05 * 0.95 / gates)
    assert passed / gates <= 0.05 + slack
    assert peeked / gates > 0.08, "a plain interval that is peeked at would have been as good"


def test_a_clear_answer_takes_few_rows() -> None:
    random = np.random.default_rng(4)
    draw = random.random(20_000)
    good, taken = sequential_pass(draw < 0.005, draw > 0.995, 0.02)
    bad, taken_too = sequential_pass(draw < 0.08, draw > 0.99, 0.02)
    assert (good, bad) == (True, False)
    assert max(taken, taken_too) <= 5000

"""Flips by class: where they are, and when one class has more of them than chance gives it."""

import numpy as np
import pytest

from weighin.gates.meters.flips import alarm, flips_by_class, in_words

LABELS = np.repeat(np.arange(10), 100)
ALL = np.ones(1000, dtype=bool)


def lose(*rows: int) -> np.ndarray:
    right = ALL.copy()
    right[list(rows)] = False
    return right


def test_flips_are_counted_per_class_most_first() -> None:
    was = ALL.copy()
    was[300] = False
    flips = flips_by_class(LABELS, was, lose(0, 1, 300, 301, 302, 303))
    assert [(one.label, one.lost, one.was_right) for one in flips] == [(3, 3, 99), (0, 2, 100)]
    assert in_words(flips) == "3: 3 of 99, 0: 2 of 100"


@pytest.mark.parametrize(
    ("rows", "alarmed"),
    [
        pytest.param(range(8), True, id="eight-in-one-class"),
        pytest.param(range(0, 1000, 50), False, id="spread-evenly"),
        pytest.param(range(4), False, id="too-few-to-say"),
        pytest.param([0, 1, 100, 101, 200, 201, 300, 301], False, id="two-in-each-of-four"),
    ],
)
def test_the_alarm_is_for_flips_that_one_class_has(rows: list[int], alarmed: bool) -> None:
    found = alarm(flips_by_class(LABELS, ALL, lose(*rows)), 1000)
    assert (found is not None) is alarmed
    if found is not None:
        assert "8 of 8 flips from right to wrong are of class 0" in found


def test_a_class_that_most_rows_have_may_have_most_flips() -> None:
    labels = np.where(np.arange(1000) < 900, 0, 1)
    assert alarm(flips_by_class(labels, ALL, lose(*range(30))), 1000) is None


def test_even_flips_raise_few_alarms() -> None:
    random, alarms = np.random.default_rng(1), 0
    for _ in range(300):
        right = random.random(1000) > 0.03
        alarms += alarm(flips_by_class(LABELS, ALL, right), 1000) is not None
    assert alarms / 300 <= 0.03


def test_no_flips_are_none() -> None:
    assert in_words(flips_by_class(LABELS, ALL, ALL)) == "none"

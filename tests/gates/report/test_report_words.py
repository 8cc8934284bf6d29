import math
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.metric import Metric, Origin
from weighin.gates.report.terminal_tables import DEVICE_WIDTH
from weighin.gates.report.words import METRIC_WORDS, ORIGIN_WORDS, count, figure, plain

numbers = st.floats(allow_nan=False, allow_infinity=False, min_value=-1e12, max_value=1e12)


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.0, "0"), (-0.0, "0"), (1.0, "1"), (0.1, "0.1"), (3.14159, "3.14"), (12.345, "12.3"),
        (1234.5, "1234"), (0.00123, "0.00123"), (-0.0754, "-0.0754"), (1e-9, "0"),
        (math.inf, "inf"), (math.nan, "nan"),
    ],
)  # fmt: skip
def test_figure_shows_three_significant_digits(number: float, shown: str) -> None:
    assert figure(number) == shown


@pytest.mark.parametrize(
    ("number", "budget", "shown"),
    [(1.004, 1.0, "1.004"), (0.9996, 1.0, "0.9996"), (1.0, 1.0, "1"), (5.0, 1.0, "5")],
)
def test_figure_never_hides_on_which_side_of_the_budget_it_is(
    number: float, budget: float, shown: str
) -> None:
    assert figure(number, budget) == shown


@given(numbers, numbers)
def test_figure_keeps_the_order_with_its_budget(number: float, budget: float) -> None:
    shown = float(figure(number, budget))
    assert (shown > budget, shown < budget) == (number > budget, number < budget)


@given(numbers.filter(lambda number: abs(number) > 1e-3))
def test_figure_is_within_half_a_percent(number: float) -> None:
    assert float(figure(number)) == pytest.approx(number, rel=0.0051)


@given(st.text())
def test_plain_text_is_one_line_that_nothing_obeys(text: str) -> None:
    shown = plain(text)
    assert shown
    assert shown.splitlines() == [shown]
    assert not any(unicodedata.category(char).startswith("C") for char in shown)
    assert plain(shown) == shown


@pytest.mark.parametrize(
    ("attack", "shown"),
    [
        ("\x1b[31mred", "\ufffd[31mred"),
        ("two\r\nlines\ttab", "two lines tab"),
        ("right\u202eleft", "right\ufffdleft"),
        ("zero\u200bwidth", "zero\ufffdwidth"),
        ("\x9b2J", "\ufffd2J"),
        ("\u2028", "(empty)"),
        ("", "(empty)"),
    ],
)
def test_plain_text_takes_the_teeth_out_of(attack: str, shown: str) -> None:
    assert plain(attack) == shown


def test_every_metric_and_origin_has_its_words() -> None:
    assert set(METRIC_WORDS) == set(Metric)
    assert set(ORIGIN_WORDS) == set(Origin)


def test_every_short_word_fits_a_cell_of_the_terminal() -> None:
    """Behind the outcome's sign and before the star of what is dominated."""
    room = DEVICE_WIDTH - len("? ") - len("*")
    assert max(len(words.short) for words in METRIC_WORDS.values()) <= room
    assert len({words.short for words in METRIC_WORDS.values()}) == len(Metric)


def test_count_knows_one_from_many() -> None:
    assert [count(n, "device") for n in (0, 1, 2)] == ["0 devices", "1 device", "2 devices"]

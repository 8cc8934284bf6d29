"""Many slices at once: Holm's procedure, and the reading that speaks for all of them."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.estimate import Estimate
from weighin.gates.slices import Slice, decide, worst
from weighin.gates.stats import PairedCounts


def counted(name: str, lost: int, won: int, rows: int) -> Slice:
    counts = PairedCounts(
        both_right=rows - lost - won, only_reference=lost, only_variant=won, both_wrong=0
    )
    return Slice(name=name, rows=rows, drop=counts)


def estimated(name: str, value: float, error: float, rows: int = 500) -> Slice:
    drop = Estimate(value=value, standard_error=error, degrees=49)
    return Slice(name=name, rows=rows, drop=drop)


GOOD = counted("good", 12, 12, 4000)
BAD = counted("bad", 300, 20, 2000)
UNCLEAR = counted("unclear", 30, 10, 900)
SMALL = counted("small", 0, 0, 20)


@pytest.mark.parametrize(
    ("slices", "within", "above", "open_", "small"),
    [
        pytest.param((GOOD,), ("good",), (), (), (), id="one-good"),
        pytest.param((GOOD, BAD), ("good",), ("bad",), (), (), id="one-of-each"),
        pytest.param((GOOD, UNCLEAR), ("good",), (), ("unclear",), (), id="one-unclear"),
        pytest.param((GOOD, SMALL), ("good",), (), (), ("small",), id="too-few-rows"),
        pytest.param((), (), (), (), (), id="none"),
    ],
)
def test_every_slice_is_in_one_place(
    slices: tuple[Slice, ...],
    within: tuple[str, ...],
    above: tuple[str, ...],
    open_: tuple[str, ...],
    small: tuple[str, ...],
) -> None:
    found = decide(slices, 2.0, 0.95, least_rows=50)
    assert (found.within, found.above, found.open, found.small) == (within, above, open_, small)


def test_the_last_slice_may_be_as_unclear_as_a_single_one() -> None:
    """Holm, not Bonferroni: once the clear ones are out of the way, the rest has more risk."""
    reach = 2 * estimated("x", 0.0, 0.01).points(0.95).upper  # of one slice alone, points
    clear = [estimated(f"clear{k}", -0.5, 0.01) for k in range(9)]
    last = estimated("last", 0.0, 0.02)
    assert decide((last, *clear), reach + 1e-9, 0.95, 1).open == ()
    alone = [estimated(f"other{k}", 0.0, 0.02) for k in range(9)]
    assert decide((last, *alone), reach + 1e-9, 0.95, 1).within == ()


@given(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30), st.integers(60, 900)), min_size=1),
    st.floats(-5, 20),
)
@settings(max_examples=60, deadline=None)
def test_more_slices_never_make_one_pass_that_did_not_alone(
    drawn: list[tuple[int, int, int]], limit: float
) -> None:
    slices = tuple(counted(f"s{k}", *one) for k, one in enumerate(drawn[:6]))
    together = decide(slices, limit, 0.95, 1)
    for one in slices:
        alone = decide((one,), limit, 0.95, 1)
        assert not (one.name in together.within and alone.within == ())
        assert not (one.name in together.above and alone.above == ())
    assert not set(together.within) & set(together.above)


def test_the_worst_slice_speaks_for_all() -> None:
    name, ends = worst((GOOD, BAD, UNCLEAR), 0.95)
    assert name == "bad"
    assert ends.lower <= ends.value <= ends.upper
    assert ends.upper > max(one.points(0.95).upper for one in (GOOD, BAD, UNCLEAR))


def test_no_slice_has_no_worst_one() -> None:
    with pytest.raises(ValueError, match="no slice"):
        worst((), 0.95)


def test_twenty_good_slices_at_the_margin_rarely_have_a_wrong_pass() -> None:
    """The chance that any of twenty slices at the margin is passed stays near one test's."""
    random, gates, wrong = np.random.default_rng(8), 400, 0
    for _ in range(gates):
        lost = random.binomial(400, 0.04, size=20)
        slices = tuple(counted(f"s{k}", int(each), 0, 400) for k, each in enumerate(lost))
        wrong += bool(decide(slices, 4.0, 0.95, 50).within)
    assert wrong / gates <= 0.05 + 3 * math.sqrt(0.05 * 0.95 / gates)

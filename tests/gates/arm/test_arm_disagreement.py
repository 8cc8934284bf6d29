"""From two runs of one file to a share of rows with its interval."""

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from weighin.gates.arm.cores import DOTPROD
from weighin.gates.arm.disagreement import arm_disagreement, compare
from weighin.gates.arm.trust import Trusted
from weighin.gates.binomial import binomial_at_most
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric, Origin
from weighin.gates.stats import percent_interval

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
STAMP = Stamp(artifact_sha256="a" * 64, runtime="r 1", device="pixel-4", measured_at=NOW)
TRUSTED = Trusted(core=DOTPROD, emulator="qemu-aarch64 10.0.13", checks=100)


def votes(*classes: int) -> NDArray[np.float32]:
    return 5 * np.eye(3, dtype=np.float32)[list(classes)]


def read(arm: NDArray[Any], here: NDArray[Any]) -> Reading:
    return arm_disagreement(arm, here, STAMP, TRUSTED)


def number(reading: Reading) -> Measurement:
    assert isinstance(reading, Measurement), reading
    return reading


def test_the_reading_says_everything_that_it_rests_on() -> None:
    here = votes(*[0, 1, 2, 0] * 16)
    arm = here.copy()
    arm[5] = [0, 1, 3.5]
    found = number(read(arm, here))
    conditions = dict(found.conditions)
    assert found.metric is Metric.ARM_DISAGREEMENT_PERCENT
    assert (found.value, found.n) == (100 / 64, 64)
    assert found.lower < found.value < found.upper
    assert (found.origin, found.device, found.runtime) == (Origin.EMULATED, "pixel-4", "r 1")
    assert conditions["core"] == "dotprod"
    assert conditions["cpu"] == "cortex-a76"
    assert conditions["emulator"] == "qemu-aarch64 10.0.13"
    assert conditions["rows"] == "64"
    assert conditions["rows_at_another_class"] == "1"
    assert conditions["largest_difference"] == "4"
    assert conditions["bit_exact"] == "no"


def test_the_same_bits_are_said_to_be_the_same() -> None:
    found = number(read(votes(0, 1), votes(0, 1)))
    assert dict(found.conditions)["bit_exact"] == "yes"
    assert (found.value, found.lower) == (0, 0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
def test_outputs_that_are_no_numbers_disagree(bad: float) -> None:
    here = votes(0, 1, 2, 0)
    arm = here.copy()
    arm[1, 2] = bad
    found = number(read(arm, here))
    assert found.value == 25
    assert dict(found.conditions)["rows_not_finite"] == "1"


@pytest.mark.parametrize(
    ("arm", "here", "why"),
    [
        pytest.param(votes(0), votes(0, 1), "shape [1, 3] instead of [2, 3]", id="a row short"),
        pytest.param(votes(0)[:, :2], votes(0), "[1, 2]", id="a class short"),
        pytest.param(votes(), votes(), "[0, 3]", id="no rows"),
        pytest.param(votes(0)[:, :1], votes(0)[:, :1], "[1, 1]", id="one class always agrees"),
        pytest.param(votes(0)[0], votes(0)[0], "shape [3]", id="no rows of classes"),
        pytest.param(votes(0), votes(0) * np.nan, "own outputs are not all finite", id="NaN here"),
        pytest.param(votes(0).astype("S4"), votes(0), "no numbers", id="text"),
        pytest.param(votes(0).astype(complex), votes(0), "no numbers", id="complex"),
    ],
)
def test_runs_that_cannot_be_compared_give_no_number(
    arm: NDArray[Any], here: NDArray[Any], why: str
) -> None:
    found = read(arm, here)
    assert isinstance(found, Unreadable)
    assert why in found.reason


@given(st.integers(1, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_each_end_is_where_the_count_becomes_too_unlikely(counts: tuple[int, int]) -> None:
    count, n = counts
    found = percent_interval(count, n, 0.95)
    assert 0 <= found.lower <= found.value <= found.upper <= 100
    if count < n:
        assert binomial_at_most(count, n, found.upper / 100) == pytest.approx(0.05, rel=1e-3)
    if count:
        as_many = 1 - binomial_at_most(count - 1, n, found.lower / 100)
        assert as_many == pytest.approx(0.05, rel=1e-3)


def test_sixty_four_rows_without_disagreement_say_less_than_five_percent() -> None:
    found = percent_interval(0, 64, 0.95)
    assert found.upper == pytest.approx(100 * (1 - 0.05 ** (1 / 64)), rel=1e-4)
    assert found.upper < 5


@given(st.data())
def test_the_largest_difference_bounds_every_difference(data: st.DataObject) -> None:
    random = np.random.default_rng(data.draw(st.integers(0, 2**32)))
    here = random.normal(size=(20, 4))
    arm = here + random.normal(scale=data.draw(st.sampled_from([0, 0.1, 3])), size=here.shape)
    found = compare(arm, here)
    assert found.largest == np.abs(arm - here).max()
    assert found.bit_exact is bool((arm == here).all())
    assert found.disagreeing == (arm.argmax(1) != here.argmax(1)).sum()

"""Ranges of activations that clip the rare."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.plugin.passes.ranges import Method, Range, calibrated, choose


@pytest.mark.parametrize("method", Method)
@settings(deadline=None, max_examples=15)
@given(seed=st.integers(0, 100), low=st.sampled_from((0.0, -3.0)), high=st.floats(0.1, 100))
def test_a_range_holds_zero_and_is_no_wider_than_the_values(
    method: Method, seed: int, low: float, high: float
) -> None:
    histogram = np.random.default_rng(seed).integers(0, 100, 256)
    found = choose(histogram, low, high, method)
    assert low <= found.low <= 0 <= found.high <= high
    assert found.low < found.high


@pytest.mark.parametrize("method", [Method.PERCENTILE, Method.ENTROPY])
def test_one_value_far_out_does_not_stretch_the_range(method: Method) -> None:
    rows = np.random.default_rng(0).random((40, 1000), np.float32)
    rows[3, 7] = 3

    def observe(row: Any) -> Any:
        return {"t": row}

    widest = {"t": Range(low=0.0, high=3.0), "constant": Range(low=0.0, high=0.0)}
    found = calibrated(observe, rows, widest, method)
    assert 0.7 < found["t"].high < 1.2
    assert found["constant"] == widest["constant"]

"""How single timings are spread: what is kept, what is refused, and that no verdict hears of it."""

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import judge
from weighin.gates.measurement import Measurement
from weighin.gates.meters.latency import Session, latency_p90
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Budget, Metric
from weighin.gates.quantiles import LEVELS, MOST, Quantiles, checked, spread_of
from weighin.gates.wire import reading_from_json, reading_to_json

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = Stamp(artifact_sha256="a" * 64, runtime="r 1", device="host", measured_at=NOW)
finite = st.floats(allow_nan=False, allow_infinity=False)
spreads = st.lists(finite, max_size=50).map(spread_of)


def latency(times_ms: Sequence[float]) -> Measurement:
    found = latency_p90([Session(times_ms=tuple(times_ms))] * 2, STAMP, threads=1)
    assert isinstance(found, Measurement), found
    return found


def test_a_spread_goes_from_the_fastest_run_to_the_slowest() -> None:
    spread = dict(spread_of(range(1, 1001)))
    assert (spread[0], spread[0.5], spread[0.9], spread[0.99], spread[1]) == (
        1,
        500,
        900,
        990,
        1000,
    )
    assert len(spread) == 22


def test_nothing_has_no_spread() -> None:
    assert spread_of([]) == ()


def test_a_spread_has_six_digits() -> None:
    assert {value for _, value in spread_of([1.23456789, 1.23456789])} == {1.23457}


@given(st.lists(finite, min_size=1, max_size=60))
def test_law_a_spread_can_be_read_back(samples: list[float]) -> None:
    spread = spread_of(samples)
    assert checked(spread) == spread
    assert [level for level, _ in spread] == list(LEVELS)


def test_latency_pools_the_timings_of_all_processes() -> None:
    quick, slow = ([base + k / 100 for k in range(40)] for base in (1.0, 2.0))
    sessions = [Session(times_ms=tuple(times)) for times in (quick, slow)]
    found = latency_p90(sessions, STAMP, threads=1)
    assert isinstance(found, Measurement)
    spread = dict(found.quantiles)
    assert (spread[0], spread[0.5], spread[0.55], spread[1]) == (1.0, 1.39, 2.03, 2.39)


@pytest.mark.parametrize(
    ("written", "why"),
    [
        pytest.param([[0.5, 1.0], [0.5, 2.0]], "do not rise", id="level-twice"),
        pytest.param([[0.9, 1.0], [0.5, 2.0]], "do not rise", id="levels-fall"),
        pytest.param([[0.1, 2.0], [0.5, 1.0]], "do not rise", id="values-fall"),
        pytest.param([[1.1, 1.0]], "no value 1 at level 1.1", id="above-one"),
        pytest.param([[-0.1, 1.0]], "at level -0.1", id="below-zero"),
        pytest.param([["NaN", 1.0]], "at level nan", id="no-level"),
        pytest.param([[0.5, "NaN"]], "no value nan", id="nan"),
        pytest.param([[0.5, "Infinity"]], "no value inf", id="infinite"),
        pytest.param([[k / MOST, 1.0] for k in range(MOST + 1)], "at most 101", id="too-many"),
        pytest.param([[0.5]], "a level and a value", id="half-a-pair"),
        pytest.param([[0.5, 1.0, 2.0]], "a level and a value", id="three"),
        pytest.param([{"0.5": 1.0}], "a level and a value", id="an-object"),
        pytest.param([[0.5, "fast"]], "a number is needed", id="a-word"),
        pytest.param([[True, 1.0]], "a number is needed", id="a-truth"),
        pytest.param({"0.5": 1.0}, "a list is needed", id="no-list"),
        pytest.param(None, "a list is needed", id="null"),
    ],
)
def test_what_cannot_be_quantiles_is_refused(written: Any, why: str) -> None:
    document = reading_to_json(latency(range(1, 41))) | {"quantiles": written}
    with pytest.raises(ValueError, match=why):
        reading_from_json(document)


@given(spreads)
def test_law_a_reading_with_a_spread_is_read_as_it_was_written(spread: Quantiles) -> None:
    reading = replace(latency(range(1, 41)), quantiles=spread)
    assert reading_from_json(reading_to_json(reading)) == reading


@given(spreads, st.floats(0.01, 100))
def test_law_no_verdict_depends_on_a_spread(spread: Quantiles, at_most: float) -> None:
    plain = replace(latency(range(1, 41)), quantiles=())
    subject = Subject(artifact_sha256="a" * 64, device="host", runtime="r 1")
    moment = Moment(now=NOW, max_age=timedelta(days=1), confidence=0.95)
    budgets = (Budget(metric=Metric.LATENCY_P90_MS, at_most=at_most),)
    verdicts = [
        judge(subject, budgets, [reading], moment)
        for reading in (plain, replace(plain, quantiles=spread))
    ]
    one, other = ([(c.outcome, c.reason, c.overshoot) for c in v.checks] for v in verdicts)
    assert one == other
    assert verdicts[0].reason == verdicts[1].reason
    assert all(math.isfinite(c.overshoot) for v in verdicts for c in v.checks)

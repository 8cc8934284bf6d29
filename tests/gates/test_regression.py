"""Growth against a released file: by division, or within the processes that timed both."""

import math
import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.judge import Moment, Outcome, Subject, judge
from weighin.gates.measurement import Measurement, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import RELATIVE, VS_RELEASE, Budget, Metric, Origin
from weighin.gates.regression import (
    Released,
    Timed,
    compared_metric,
    drop,
    growth,
    latency_growth,
    unchanged,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
NEW, OLD = "a" * 64, "b" * 64
RELEASED = Released(sha256=OLD, name="v1 int8.tflite")
STAMP = Stamp(artifact_sha256=NEW, runtime="r 1", device="host", measured_at=NOW)
LATENCY = Metric.LATENCY_VS_RELEASE_PERCENT


def measured(value: float, spread: float = 0.1, metric: Metric = Metric.ENERGY_MJ) -> Measurement:
    return Measurement(
        metric=metric,
        value=value,
        lower=value * (1 - spread),
        upper=value * (1 + spread),
        n=9,
        origin=Origin.DEVICE,
        artifact_sha256=NEW,
        device="host",
        runtime="r 1",
        measured_at=NOW,
    )


def outcome(reading: Measurement, at_most: float, floor: float) -> Outcome:
    subject = Subject(artifact_sha256=NEW, device="host", runtime="r 1")
    budget = Budget(metric=reading.metric, at_most=at_most, floor=floor)
    moment = Moment(now=NOW, max_age=timedelta(days=30))
    return judge(subject, [budget], [reading], moment).outcome


positive = st.floats(1e-3, 1e6)


@given(new=positive, old=positive, spread=st.floats(0, 0.9))
def test_law_the_interval_holds_every_ratio_of_numbers_within_the_two(
    new: float, old: float, spread: float
) -> None:
    one, other = measured(new, spread), measured(old, spread)
    reading = growth(Metric.ENERGY_VS_RELEASE_PERCENT, one, other, RELEASED)
    assert isinstance(reading, Measurement)
    slack = 1e-9 * (1 + abs(reading.upper))
    for mine in (one.lower, one.value, one.upper):
        for theirs in (other.lower, other.value, other.upper):
            ratio = (mine / theirs - 1) * 100
            assert reading.lower - slack <= ratio <= reading.upper + slack


@given(new=positive, old=positive, factor=st.floats(0.01, 100))
def test_law_a_growth_does_not_depend_on_the_unit(new: float, old: float, factor: float) -> None:
    metric = Metric.SIZE_VS_RELEASE_PERCENT
    one = growth(metric, measured(new), measured(old), RELEASED)
    scaled = growth(metric, measured(new * factor), measured(old * factor), RELEASED)
    assert isinstance(one, Measurement)
    assert isinstance(scaled, Measurement)
    assert math.isclose(one.value, scaled.value, rel_tol=1e-6, abs_tol=1e-6)


def test_a_growth_is_as_old_and_as_weak_as_the_weaker_of_the_two() -> None:
    old = replace(measured(10.0), origin=Origin.PREDICTED, measured_at=NOW - timedelta(days=9), n=3)
    old = replace(old, confidence=0.9)
    reading = growth(Metric.ENERGY_VS_RELEASE_PERCENT, measured(12.0), old, RELEASED)
    assert isinstance(reading, Measurement)
    assert (reading.origin, reading.n, reading.confidence) == (Origin.PREDICTED, 3, 0.9)
    assert reading.measured_at == NOW - timedelta(days=9)
    assert reading.baseline is not None
    assert (reading.baseline.sha256, reading.baseline.value) == (OLD, 10.0)


NO_METER = Unreadable(metric=Metric.ENERGY_MJ, reason="no meter")
ENDLESS = replace(measured(1.0), upper=math.inf)
NO_NUMBER = replace(measured(1.0), upper=math.nan)


@pytest.mark.parametrize(
    ("new", "old", "said"),
    [
        pytest.param(NO_METER, measured(1.0), "no meter", id="new"),
        pytest.param(measured(1.0), NO_METER, "released file v1 int8.tflite: no meter", id="old"),
        pytest.param(measured(1.0), measured(0.0), "nothing can be relative to", id="nothing"),
        pytest.param(measured(1.0), ENDLESS, "nothing can be relative to", id="no end"),
        pytest.param(NO_NUMBER, measured(1.0), "nothing can be relative to", id="not a number"),
    ],
)
def test_what_cannot_be_divided_is_no_number(new: object, old: object, said: str) -> None:
    reading = growth(Metric.ENERGY_VS_RELEASE_PERCENT, new, old, RELEASED)  # type: ignore[arg-type] # pyright: ignore[reportArgumentType]
    assert isinstance(reading, Unreadable)
    assert said in reading.reason


def test_two_independent_intervals_divided_hold_more_often_than_each() -> None:
    """Each at 95 % on its side; of 2,000 drawn pairs well below 5 % miss on either side."""
    dice, sigma, z = random.Random(4), 0.2, 1.645
    missed = 0
    for _ in range(2000):
        new, old = (math.exp(dice.gauss(0, sigma)) for _ in range(2))
        ends = math.exp(z * sigma)
        one, other = (
            replace(measured(v), lower=v / ends, upper=v * ends) for v in (1.3 * new, old)
        )
        reading = growth(Metric.ENERGY_VS_RELEASE_PERCENT, one, other, RELEASED)
        assert isinstance(reading, Measurement)
        missed += reading.upper < 30
    assert missed < 0.02 * 2000


def timed(ratio: float, number: int, noise: float = 0.02, rounds: int = 60) -> Timed:
    """One process on a machine whose speed is its own."""
    dice = random.Random(number)
    speed = dice.uniform(0.5, 2.0)
    released = tuple(speed * dice.lognormvariate(0, noise) for _ in range(rounds))
    mine = tuple(speed * ratio * dice.lognormvariate(0, noise) for _ in range(rounds))
    return Timed(times_ms=mine, released_ms=released)


def test_machines_of_different_speed_do_not_matter_within_a_process() -> None:
    reading = latency_growth([timed(1.2, k) for k in range(5)], RELEASED, STAMP, 0.95)
    assert isinstance(reading, Measurement)
    assert reading.lower < 20 < reading.upper
    assert reading.upper - reading.lower < 6
    assert outcome(reading, at_most=10, floor=1e-6) is Outcome.FAIL
    assert outcome(reading, at_most=30, floor=1e-6) is Outcome.PASS


def test_the_interval_of_a_ratio_holds_as_often_as_it_says() -> None:
    """Each end at 95 %: of 400 drawn comparisons about 20 miss on either side."""
    above = below = 0
    for draw in range(400):
        processes = [timed(1.1, 1000 * draw + k) for k in range(5)]
        reading = latency_growth(processes, RELEASED, STAMP, 0.95)
        assert isinstance(reading, Measurement)
        above += reading.upper < 10
        below += reading.lower > 10
    assert 4 <= above <= 36
    assert 4 <= below <= 36


@pytest.mark.parametrize(
    ("processes", "said"),
    [
        pytest.param([], "0 process timed both", id="none"),
        pytest.param([timed(1, 1)], "two are needed", id="one"),
        pytest.param(
            [timed(1, 1), Timed(times_ms=(), released_ms=(1.0,))],
            "one of the two files only",
            id="half",
        ),
    ],
)
def test_too_few_timings_are_no_number(processes: list[Timed], said: str) -> None:
    reading = latency_growth(processes, RELEASED, STAMP, 0.95)
    assert isinstance(reading, Unreadable)
    assert said in reading.reason


def test_ten_percent_of_nearly_nothing_is_within_the_floor() -> None:
    """0.02 ms that become 0.03 ms: +50 %, which nobody feels; a floor of 0.5 ms says so."""
    reading = growth(LATENCY, measured(0.03, 0.01), measured(0.02, 0.01), RELEASED)
    assert isinstance(reading, Measurement)
    assert outcome(reading, at_most=10, floor=0.5) is Outcome.PASS
    assert outcome(reading, at_most=10, floor=0.0001) is Outcome.FAIL
    large = growth(LATENCY, measured(30.0, 0.01), measured(20.0, 0.01), RELEASED)
    assert isinstance(large, Measurement)
    assert outcome(large, at_most=10, floor=0.5) is Outcome.FAIL


@pytest.mark.parametrize("metric", sorted(VS_RELEASE))
def test_the_same_file_differs_by_exactly_nothing(metric: Metric) -> None:
    known = measured(3.0, metric=compared_metric(metric))
    reading = unchanged(metric, known, "host", RELEASED)
    assert (reading.lower, reading.value, reading.upper) == (0, 0, 0)
    floor = 1e-9 if metric in RELATIVE else None
    subject = Subject(artifact_sha256=NEW, device="host", runtime="r 1")
    budget = Budget(metric=metric, at_most=0, floor=floor)
    moment = Moment(now=NOW, max_age=timedelta(days=30))
    assert judge(subject, [budget], [reading], moment).outcome is Outcome.PASS


def test_a_drop_without_the_released_files_own_number_is_none() -> None:
    reading = measured(1.0, metric=Metric.ACCURACY_DROP_POINTS)
    assert isinstance(drop(reading, RELEASED), Unreadable)
    known = drop(replace(reading, conditions=(("reference_accuracy", "0.9"),)), RELEASED)
    assert isinstance(known, Measurement)
    assert known.baseline is not None
    assert known.baseline.value == pytest.approx(90.0)

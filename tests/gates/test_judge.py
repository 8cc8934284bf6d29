"""The verdict: three outcomes, and no way to a PASS but sound evidence."""

import math
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import Check, Outcome, Verdict, judge
from weighin.gates.measurement import ANY_DEVICE, Baseline, Measurement, Reading, Unreadable
from weighin.gates.metric import (
    MAY_BE_NEGATIVE,
    OF_THE_FILE,
    RELATIVE,
    VS_RELEASE,
    Budget,
    Metric,
    Origin,
)
from weighin.gates.slices import Slice, worst
from weighin.gates.stats import PairedCounts

SHA, OTHER_SHA = "a" * 64, "b" * 64
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOMENT = Moment(now=NOW, max_age=timedelta(days=30))
SUBJECT = Subject(artifact_sha256=SHA, device="phone", runtime="onnxruntime 1.31.1")


def measured(
    lower: float = 8.0,
    value: float = 9.0,
    upper: float = 10.0,
    origin: Origin = Origin.DEVICE,
    device: str = "phone",
    metric: Metric = Metric.LATENCY_P90_MS,
) -> Measurement:
    return Measurement(
        metric=metric,
        value=value,
        lower=lower,
        upper=upper,
        n=200,
        origin=origin,
        artifact_sha256=SHA,
        device=device,
        runtime=SUBJECT.runtime,
        measured_at=NOW - timedelta(days=1),
    )


def check(at_most: float, *readings: Reading, least: Origin = Origin.PREDICTED) -> Check:
    budget = Budget(metric=Metric.LATENCY_P90_MS, at_most=at_most, least_origin=least)
    return Check(budget=budget, readings=readings, subject=SUBJECT, moment=MOMENT)


@pytest.mark.parametrize(
    ("at_most", "outcome"),
    [
        pytest.param(12.0, Outcome.PASS, id="whole-interval-within"),
        pytest.param(10.0, Outcome.PASS, id="upper-end-on-the-budget"),
        pytest.param(9.999, Outcome.UNDECIDED, id="upper-end-just-above"),
        pytest.param(9.0, Outcome.UNDECIDED, id="budget-in-the-middle"),
        pytest.param(8.0, Outcome.UNDECIDED, id="lower-end-on-the-budget"),
        pytest.param(7.999, Outcome.FAIL, id="whole-interval-above"),
    ],
)
def test_outcome_follows_the_interval_and_not_the_value(at_most: float, outcome: Outcome) -> None:
    assert check(at_most, measured()).outcome is outcome


@pytest.mark.parametrize(
    ("reading", "reason"),
    [
        pytest.param(
            Unreadable(metric=Metric.LATENCY_P90_MS, reason="it crashed"), "it crashed", id="crash"
        ),
        pytest.param(replace(measured(), artifact_sha256=OTHER_SHA), "another file", id="file"),
        pytest.param(replace(measured(), device="tablet"), "another device", id="device"),
        pytest.param(replace(measured(), device=ANY_DEVICE), "another device", id="any-device"),
        pytest.param(
            replace(measured(), runtime="onnxruntime 1.0"), "another runtime", id="runtime"
        ),
        pytest.param(
            replace(measured(), measured_at=NOW - timedelta(days=31)), "older than", id="stale"
        ),
        pytest.param(
            replace(measured(), measured_at=NOW + timedelta(seconds=1)), "future", id="future"
        ),
        pytest.param(replace(measured(), value=math.nan), "not finite", id="nan-value"),
        pytest.param(replace(measured(), upper=math.nan), "not finite", id="nan-upper"),
        pytest.param(replace(measured(), lower=-math.inf), "not finite", id="minus-infinity"),
        pytest.param(measured(lower=10, value=9, upper=8), "does not contain", id="swapped"),
        pytest.param(replace(measured(), n=0), "no samples", id="no-samples"),
        pytest.param(measured(-1, -1, -1), "below zero", id="sentinel"),
        pytest.param(
            replace(measured(), measured_at=NOW.replace(tzinfo=None)), "time zone", id="naive"
        ),
        pytest.param(
            measured(origin=Origin.ARTIFACT, device=ANY_DEVICE),
            "from the file",
            id="latency-of-file",
        ),
        pytest.param(measured(origin=Origin.SCALED), "can never pass", id="scaled"),
    ],
)
def test_evidence_that_cannot_be_believed_is_undecided_and_says_why(
    reading: Reading, reason: str
) -> None:
    judged = check(1e9, reading)
    assert judged.outcome is Outcome.UNDECIDED
    assert reason in judged.reason
    assert judged.overshoot == math.inf


@pytest.mark.parametrize("least", [origin for origin in Origin if origin is not Origin.SCALED])
@pytest.mark.parametrize("origin", list(Origin))
def test_a_budget_accepts_its_least_origin_and_better(origin: Origin, least: Origin) -> None:
    ladder = list(Origin)
    enough = ladder.index(origin) <= ladder.index(least) and origin is not Origin.SCALED
    budget = Budget(metric=Metric.SIZE_MIB, at_most=100.0, least_origin=least)
    reading = measured(origin=origin, metric=Metric.SIZE_MIB)
    outcome = judge(SUBJECT, [budget], [reading], MOMENT).outcome
    assert outcome is (Outcome.PASS if enough else Outcome.UNDECIDED)


def test_a_property_of_the_file_holds_on_every_device() -> None:
    size = measured(metric=Metric.SIZE_MIB, origin=Origin.ARTIFACT, device=ANY_DEVICE)
    verdict = judge(SUBJECT, [Budget(metric=Metric.SIZE_MIB, at_most=10.0)], [size], MOMENT)
    assert verdict.outcome is Outcome.PASS


def test_a_metric_that_was_not_measured_is_undecided() -> None:
    assert check(10.0).outcome is Outcome.UNDECIDED
    assert check(10.0).reason == "not measured"


def test_two_readings_of_one_metric_contradict_even_when_they_agree() -> None:
    twice = check(100.0, measured(), measured())
    assert twice.outcome is Outcome.UNDECIDED
    assert "contradict" in twice.reason


def test_a_device_without_budgets_passes_nothing() -> None:
    verdict = judge(SUBJECT, [], [measured()], MOMENT)
    assert verdict.outcome is Outcome.UNDECIDED
    assert "no budgets" in verdict.reason


@pytest.mark.parametrize(
    ("outcomes", "whole"),
    [
        ("PASS PASS", Outcome.PASS),
        ("PASS UNDECIDED", Outcome.UNDECIDED),
        ("PASS FAIL", Outcome.FAIL),
        ("UNDECIDED FAIL", Outcome.FAIL),
    ],
)
def test_the_worst_check_decides(outcomes: str, whole: Outcome) -> None:
    budget_for = {"PASS": 11.0, "UNDECIDED": 9.5, "FAIL": 1.0}
    verdict = Verdict(
        subject=SUBJECT,
        checks=tuple(check(budget_for[name], measured()) for name in outcomes.split()),
    )
    assert verdict.outcome is whole
    assert verdict.reason


@pytest.mark.parametrize(
    ("at_most", "overshoot"), [(20.0, 0.5), (5.0, 2.0), (0.0, math.inf), (-1.0, math.inf)]
)
def test_overshoot_is_the_upper_end_as_a_share_of_the_budget(
    at_most: float, overshoot: float
) -> None:
    assert check(at_most, measured()).overshoot == overshoot


def test_a_budget_of_zero_is_met_by_a_variant_that_gains() -> None:
    metric = Metric.ACCURACY_DROP_POINTS
    reading = measured(lower=-2, value=-1, upper=0, metric=metric)
    (gains,) = judge(SUBJECT, [Budget(metric=metric, at_most=0.0)], [reading], MOMENT).checks
    assert (gains.outcome, gains.overshoot) == (Outcome.PASS, 0.0)


# The law of the gate: take any passing set, delete or corrupt any one piece: no PASS.

Attack = Callable[[Measurement], tuple[Reading, ...]]

ATTACKS: dict[str, Attack] = {
    "deleted": lambda m: (),
    "unreadable": lambda m: (Unreadable(metric=m.metric, reason="lost"),),
    "value is NaN": lambda m: (replace(m, value=math.nan),),
    "lower is NaN": lambda m: (replace(m, lower=math.nan),),
    "upper is NaN": lambda m: (replace(m, upper=math.nan),),
    "value is infinite": lambda m: (replace(m, value=math.inf),),
    "lower is -infinite": lambda m: (replace(m, lower=-math.inf),),
    "upper is infinite": lambda m: (replace(m, upper=math.inf),),
    "of another file": lambda m: (replace(m, artifact_sha256=OTHER_SHA),),
    "of no file": lambda m: (replace(m, artifact_sha256=""),),
    "on another device": lambda m: (replace(m, device="tablet"),),
    "in another runtime": lambda m: (replace(m, runtime="onnxruntime 1.0.0"),),
    "stale": lambda m: (replace(m, measured_at=NOW - timedelta(days=30, seconds=1)),),
    "from the future": lambda m: (replace(m, measured_at=NOW + timedelta(seconds=1)),),
    "without a time zone": lambda m: (replace(m, measured_at=NOW.replace(tzinfo=None)),),
    "no samples": lambda m: (replace(m, n=0),),
    "negative samples": lambda m: (replace(m, n=-5),),
    "scaled": lambda m: (replace(m, origin=Origin.SCALED),),
    "value above the interval": lambda m: (replace(m, value=m.upper + 1),),
    "value below the interval": lambda m: (replace(m, value=m.lower - 1),),
    "ends swapped": lambda m: (replace(m, lower=m.upper + 1, upper=m.lower - 1),),
    "twice": lambda m: (m, m),
    "of another metric": lambda m: (replace(m, metric=_other(m.metric)),),
    "above the budget": lambda m: (replace(m, upper=1e12),),
    "with less confidence": lambda m: (replace(m, confidence=0.9),),
    "confidence is NaN": lambda m: (replace(m, confidence=math.nan),),
    "more than certain": lambda m: (replace(m, confidence=1.01),),
    "slices that are certain": lambda m: (
        replace(m, confidence=1.0, slices=m.slices or (_slice("all", 0, 0, 500),)),
    ),
    "a slice added": lambda m: (replace(m, slices=(*m.slices, _slice("more", 90, 0, 100))),),
    "slices removed or made up": lambda m: (
        replace(m, slices=() if m.slices else (_slice("all", 0, 0, 500),)),
    ),
    "a slice twice": lambda m: (replace(m, slices=(*m.slices, *m.slices) or _TWICE),),
    "release removed or made up": lambda m: (
        replace(m, baseline=None if m.baseline else Baseline(sha256=OTHER_SHA, value=1.0)),
    ),
}


def _other(metric: Metric) -> Metric:
    ladder = list(Metric)
    return ladder[(ladder.index(metric) + 1) % len(ladder)]


def _with_slices(reading: Measurement, slices: tuple[Slice, ...]) -> Measurement:
    _, ends = worst(slices, reading.confidence)
    return replace(reading, slices=slices, lower=ends.lower, value=ends.value, upper=ends.upper)


def _slice(name: str, lost: int, won: int, rows: int) -> Slice:
    counts = PairedCounts(
        both_right=rows - lost - won, only_reference=lost, only_variant=won, both_wrong=0
    )
    return Slice(name=name, rows=rows, drop=counts)


_TWICE: tuple[Slice, ...] = (_slice("all", 0, 0, 500), _slice("all", 0, 0, 500))


def sliced(*slices: Slice, confidence: float = 0.95) -> Measurement:
    reading = measured(metric=Metric.SLICE_DROP_POINTS, origin=Origin.ARTIFACT, device=ANY_DEVICE)
    return _with_slices(replace(reading, confidence=confidence), slices)


def about_slices(at_most: float, reading: Reading, least_rows: int | None = None) -> Check:
    budget = Budget(metric=Metric.SLICE_DROP_POINTS, at_most=at_most, least_rows=least_rows)
    return Check(budget=budget, readings=(reading,), subject=SUBJECT, moment=MOMENT)


GOOD, BAD = _slice("light=day", 8, 8, 2000), _slice("light=night", 200, 10, 2000)
THIN = _slice("light=dusk", 0, 0, 30)


@pytest.mark.parametrize(
    ("slices", "least_rows", "outcome", "reason"),
    [
        pytest.param((GOOD,), None, Outcome.PASS, "all 1 slices are within", id="good"),
        pytest.param((GOOD, BAD), None, Outcome.FAIL, "light=night above", id="one-bad"),
        pytest.param(
            (GOOD, THIN), None, Outcome.UNDECIDED, "light=dusk below 50 rows", id="too-few-rows"
        ),
        pytest.param((BAD, THIN), None, Outcome.FAIL, "light=night above", id="bad-beats-thin"),
        pytest.param(
            (GOOD, THIN), 20, Outcome.UNDECIDED, "light=dusk not decided", id="fewer-rows-asked"
        ),
    ],
)
def test_slices_are_judged_one_by_one(
    slices: tuple[Slice, ...], least_rows: int | None, outcome: Outcome, reason: str
) -> None:
    judged = about_slices(2.0, sliced(*slices), least_rows)
    assert judged.outcome is outcome
    assert reason in judged.reason


def relative(value: float, base: float) -> Measurement:
    reading = measured(value - 1, value, value + 1, metric=Metric.LATENCY_VS_RELEASE_PERCENT)
    return replace(reading, baseline=Baseline(sha256=OTHER_SHA, value=base))


def grows(at_most: float, floor: float, reading: Reading) -> Check:
    budget = Budget(metric=Metric.LATENCY_VS_RELEASE_PERCENT, at_most=at_most, floor=floor)
    return Check(budget=budget, readings=(reading,), subject=SUBJECT, moment=MOMENT)


FLOOR = "limit 100 (budget 10 %, floor 0.5 in latency_p90_ms)"


@pytest.mark.parametrize(
    ("percent", "base", "outcome"),
    [
        pytest.param(5.0, 100.0, Outcome.PASS, id="within-ten-percent"),
        pytest.param(30.0, 100.0, Outcome.FAIL, id="above-ten-percent"),
        pytest.param(30.0, 0.5, Outcome.PASS, id="tiny-number-within-the-floor"),
        pytest.param(300.0, 0.5, Outcome.FAIL, id="tiny-number-above-the-floor"),
        pytest.param(-40.0, 100.0, Outcome.PASS, id="faster"),
    ],
)
def test_a_growth_in_percent_may_always_be_as_large_as_its_floor(
    percent: float, base: float, outcome: Outcome
) -> None:
    assert grows(10.0, 0.5, relative(percent, base)).outcome is outcome


@pytest.mark.parametrize(
    ("percent", "base", "reason"),
    [
        pytest.param(5.0, 100.0, "at most 6, budget 10", id="the-budget-counts"),
        pytest.param(30.0, 0.5, f"at most 31, {FLOOR}", id="within-the-floor"),
        pytest.param(300.0, 0.5, f"at least 299, {FLOOR}", id="above-the-floor"),
        pytest.param(100.5, 0.5, f"{FLOOR} lies within 99.5 to 101.5", id="on-the-floor"),
    ],
)
def test_a_limit_that_the_floor_made_is_said_with_both_of_its_reasons(
    percent: float, base: float, reason: str
) -> None:
    assert grows(10.0, 0.5, relative(percent, base)).reason == reason


@pytest.mark.parametrize("base", [0.0, -1.0, math.nan, math.inf])
def test_nothing_is_relative_to_a_number_that_is_none(base: float) -> None:
    judged = grows(1e6, 0.5, relative(5.0, base))
    assert judged.outcome is Outcome.UNDECIDED
    assert "relative" in judged.reason


def test_a_gate_that_asks_for_more_confidence_believes_no_wider_interval() -> None:
    strict = replace(MOMENT, confidence=0.99)
    budget = Budget(metric=Metric.LATENCY_P90_MS, at_most=1e6)
    verdict = judge(SUBJECT, [budget], [measured()], strict)
    assert verdict.outcome is Outcome.UNDECIDED
    assert "holds with 0.95, but the gate asks for 0.99" in verdict.reason
    surer = replace(measured(), confidence=0.99)
    assert judge(SUBJECT, [budget], [surer], strict).outcome is Outcome.PASS


def _believable(metric: Metric) -> list[Origin]:
    never = {Origin.SCALED} if metric in OF_THE_FILE else {Origin.SCALED, Origin.ARTIFACT}
    return [origin for origin in Origin if origin not in never]


@st.composite
def passing(draw: st.DrawFn) -> tuple[tuple[Budget, ...], tuple[Measurement, ...]]:
    """Budgets, and readings that pass every one of them."""
    metrics = draw(st.lists(st.sampled_from(list(Metric)), min_size=1, unique=True))
    budgets, readings = [], []
    for metric in metrics:
        least = -1e6 if metric in MAY_BE_NEGATIVE else 0.0
        ends = st.floats(least, 1e6, allow_subnormal=False)
        lower, value, upper = sorted(draw(st.tuples(ends, ends, ends)))
        origin, slack = draw(st.sampled_from(_believable(metric))), draw(st.floats(0, 100))
        device = ANY_DEVICE if origin is Origin.ARTIFACT and draw(st.booleans()) else "phone"
        reading = measured(lower, value, upper, origin, device, metric)
        if metric is Metric.SLICE_DROP_POINTS:
            flips = st.tuples(st.integers(0, 40), st.integers(0, 40), st.integers(80, 500))
            drawn = draw(st.lists(flips, min_size=1, max_size=4))
            slices = (_slice(f"s{k}", *counts) for k, counts in enumerate(drawn))
            reading = _with_slices(reading, tuple(slices))
        if metric in VS_RELEASE:
            reading = replace(reading, baseline=Baseline(sha256=OTHER_SHA, value=7.0))
        floor = 1e-9 if metric in RELATIVE else None
        at_most = reading.upper + slack
        budgets.append(Budget(metric=metric, at_most=at_most, least_origin=origin, floor=floor))
        age = timedelta(seconds=draw(st.integers(0, 30 * 24 * 3600)))
        readings.append(replace(reading, measured_at=NOW - age, n=draw(st.integers(1, 10**6))))
    return tuple(budgets), tuple(readings)


@given(passing())
def test_sound_evidence_within_every_budget_passes(
    case: tuple[tuple[Budget, ...], tuple[Measurement, ...]],
) -> None:
    budgets, readings = case
    assert judge(SUBJECT, budgets, readings, MOMENT).outcome is Outcome.PASS


@given(passing(), st.sampled_from(sorted(ATTACKS)), st.data())
def test_a_passing_set_with_any_one_piece_deleted_or_corrupted_no_longer_passes(
    case: tuple[tuple[Budget, ...], tuple[Measurement, ...]], attack: str, data: st.DataObject
) -> None:
    budgets, readings = case
    at = data.draw(st.integers(0, len(readings) - 1))
    corrupted = (*readings[:at], *ATTACKS[attack](readings[at]), *readings[at + 1 :])
    verdict = judge(SUBJECT, budgets, corrupted, MOMENT)
    assert verdict.outcome is not Outcome.PASS
    assert verdict.reason


@given(passing(), st.data())
def test_an_origin_below_what_the_budget_asks_for_no_longer_passes(
    case: tuple[tuple[Budget, ...], tuple[Measurement, ...]], data: st.DataObject
) -> None:
    budgets, readings = case
    at = data.draw(st.integers(0, len(readings) - 1))
    ladder = list(Origin)
    worse = ladder[ladder.index(budgets[at].least_origin) + 1 :]
    lowered = replace(readings[at], origin=data.draw(st.sampled_from(worse)))
    corrupted = (*readings[:at], lowered, *readings[at + 1 :])
    assert judge(SUBJECT, budgets, corrupted, MOMENT).outcome is not Outcome.PASS


@given(passing(), st.sampled_from(["device", "runtime", "artifact_sha256"]))
def test_evidence_of_one_subject_says_nothing_about_another(
    case: tuple[tuple[Budget, ...], tuple[Measurement, ...]], what: str
) -> None:
    budgets, readings = case
    of_files_only = all(reading.device == ANY_DEVICE for reading in readings)
    subject = replace(SUBJECT, **{what: "something else"})
    outcome = judge(subject, budgets, readings, MOMENT).outcome
    assert outcome is (Outcome.PASS if what == "device" and of_files_only else Outcome.UNDECIDED)


@given(passing(), st.randoms(use_true_random=False))
def test_the_order_of_evidence_does_not_matter(
    case: tuple[tuple[Budget, ...], tuple[Measurement, ...]], shuffler: Random
) -> None:
    budgets, readings = case
    mixed = list(readings)
    shuffler.shuffle(mixed)
    assert judge(SUBJECT, budgets, mixed, MOMENT) == judge(SUBJECT, budgets, readings, MOMENT)

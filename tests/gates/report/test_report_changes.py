from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric, Origin
from weighin.gates.report.change_words import (
    change_of,
    file_words,
    numbers_words,
    reference_words,
    short_words,
    step_words,
    title_words,
)
from weighin.gates.report.changes import Changes, DeviceChange, Step, changes_since, step_between
from weighin.gates.report.context import Context
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
Review = Callable[[str], tuple[WeighIn, Context]]
ENDS = st.tuples(st.floats(-1e6, 1e6), st.floats(0, 1e6)).map(lambda e: (e[0], e[0] + e[1]))
OPPOSITE = {Step.BETTER: Step.WORSE, Step.WORSE: Step.BETTER}


def reading(
    lower: float,
    upper: float,
    origin: Origin = Origin.DEVICE,
    metric: Metric = Metric.LATENCY_P90_MS,
) -> Measurement:
    return Measurement(
        metric=metric,
        value=(lower + upper) / 2,
        lower=lower,
        upper=upper,
        n=200,
        origin=origin,
        artifact_sha256="a" * 64,
        device="host",
        runtime="ai-edge-litert 2.3.0",
        measured_at=datetime(2026, 11, 22, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("before", "after", "step"),
    [
        pytest.param((3, 4), (1, 2), Step.BETTER, id="apart-and-less"),
        pytest.param((1, 2), (3, 4), Step.WORSE, id="apart-and-more"),
        pytest.param((1, 3), (2, 4), Step.UNCLEAR, id="overlap"),
        pytest.param((1, 2), (2, 3), Step.UNCLEAR, id="touch"),
        pytest.param((2, 2), (2, 2), Step.SAME, id="exact-and-equal"),
        pytest.param((2, 2), (1, 1), Step.BETTER, id="exact-and-less"),
        pytest.param((1, 2), (1, 2), Step.UNCLEAR, id="equal-intervals-prove-nothing"),
    ],
)
def test_a_difference_needs_intervals_that_are_apart(
    before: tuple[float, float], after: tuple[float, float], step: Step
) -> None:
    assert step_between(reading(*before), reading(*after)) is step


def test_numbers_obtained_differently_do_not_compare() -> None:
    before, after = reading(3, 4), reading(1, 2, Origin.PREDICTED)
    assert step_between(before, after) is Step.UNLIKE


@pytest.mark.parametrize(
    ("metric", "step"),
    [
        (Metric.ACCURACY_DROP_POINTS, Step.UNLIKE),
        (Metric.LATENCY_P90_MS, Step.BETTER),
        (Metric.SIZE_MIB, Step.BETTER),
    ],
)
def test_accuracy_on_other_rows_does_not_compare_and_the_rest_does(
    metric: Metric, step: Step
) -> None:
    before, after = reading(3, 4, metric=metric), reading(1, 2, metric=metric)
    assert step_between(before, after, same_data=False) is step


@given(ENDS, ENDS)
def test_seen_from_the_other_side_better_is_worse(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    forth = step_between(reading(*before), reading(*after))
    back = step_between(reading(*after), reading(*before))
    assert back is OPPOSITE.get(forth, forth)


@given(ENDS, ENDS)
def test_a_step_never_contradicts_the_values(
    before: tuple[float, float], after: tuple[float, float]
) -> None:
    old, new = reading(*before), reading(*after)
    match step_between(old, new):
        case Step.BETTER:
            assert new.value < old.value
        case Step.WORSE:
            assert new.value > old.value
        case _:
            assert max(old.lower, new.lower) <= min(old.upper, new.upper)


@pytest.fixture
def since_release(review: Review) -> Changes:
    weigh_in, context = review("since-release")
    assert context.against is not None
    return changes_since(context.against, weigh_in, context)


def on(changes: Changes, device: str) -> DeviceChange:
    return next(one for one in changes.devices if one.device == device)


def test_each_device_says_what_it_got_and_gets(since_release: Changes) -> None:
    told = {one.device: file_words(one) for one in since_release.devices}
    assert told == {
        "host": "fp16.tflite → prune50+distill+int8.tflite",
        "pixel-3a": "nothing → prune50+distill+int8.tflite",
        "galaxy-a51": "nothing, as before",
        "pixel-8-pro": "nothing → prune50+distill+int8.tflite",
    }
    assert on(since_release, "pixel-3a").won
    assert on(since_release, "galaxy-a51").is_same


def test_a_change_has_its_numbers_and_an_arrow(since_release: Changes) -> None:
    change = change_of(on(since_release, "host"), Metric.LATENCY_P90_MS)
    assert change is not None
    assert numbers_words(change) == "4.1 [3.98, 4.22] → 0.984 [0.954, 1.01] ms"
    assert step_words(change) == "↓ 76 %"
    drop = change_of(on(since_release, "host"), Metric.ACCURACY_DROP_POINTS)
    assert drop is not None
    assert (drop.percent, step_words(drop)) == (None, "↑ 0.9 pt")
    assert short_words(on(since_release, "host")).startswith("size ↓ 69 %, accuracy drop ↑ 0.9 pt")


def test_the_same_weigh_in_again_changed_nothing(sample: Sample) -> None:
    weigh_in = sample("mixed")
    changes = changes_since(weigh_in, weigh_in)
    assert all(one.is_same and not one.lost and not one.won for one in changes.devices)
    steps = {change.step for one in changes.devices for change in one.changes}
    assert steps == {Step.SAME, Step.UNCLEAR}
    assert title_words(changes) == "Since v3 was weighed on 2026-11-22"


def test_what_was_lost_and_what_is_no_target_any_more_is_told(sample: Sample) -> None:
    before = sample("mixed")
    after = replace(before, devices=("host", "watch"), results=())
    changes = changes_since(before, after)
    told = {one.device: file_words(one) for one in changes.devices}
    assert told["host"] == "prune50+distill+int8.tflite → nothing"
    assert on(changes, "host").lost
    assert told["watch"] == "new target → nothing"
    assert told["pixel-3a"] == "prune50+distill+int8.tflite → no target any more"


def test_other_evaluation_data_is_said(sample: Sample) -> None:
    after = sample("mixed")
    other = tuple(replace(data, sha256="0" * 64) for data in after.data)
    changes = changes_since(replace(after, data=other), after)
    assert reference_words(changes).endswith(
        "on other evaluation data, so accuracy does not compare"
    )
    drop = change_of(changes.devices[0], Metric.ACCURACY_DROP_POINTS)
    assert drop is not None
    assert drop.step is Step.UNLIKE


def test_what_is_had_only_by_waiver_is_said(review: Review) -> None:
    weigh_in, context = review("waived-only")
    changes = changes_since(weigh_in, weigh_in, context)
    assert file_words(on(changes, "host")) == (
        "nothing → prune50+distill+int8.tflite (only by waiver)"
    )

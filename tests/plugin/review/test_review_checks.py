"""Checks on a commit: nothing that is not a pass looks like one."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from review_samples import EVIL, NOW, make_weigh_in

from weighin.gates.fleet import Fleet, FleetPart
from weighin.gates.judge import Outcome
from weighin.gates.metric import Metric
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.github.records import CheckRun, Conclusion, KnownCheck, Status
from weighin.plugin.review.check_words import Shown
from weighin.plugin.review.checks import (
    as_status,
    check_runs,
    required_check,
    required_status,
)

NEUTRAL, SUCCESS, FAILURE = Conclusion.NEUTRAL, Conclusion.SUCCESS, Conclusion.FAILURE


def line_of(device: str, metric: Metric) -> int | None:
    return {"pixel-4": 12}.get(device) if metric is Metric.LATENCY_P90_MS else None


def shown(weigh_in: WeighIn, context: Context = PLAIN) -> Shown:
    return Shown(weigh_in=weigh_in, context=context, line_of=line_of, toml_path="weighin.toml")


def runs(weigh_in: WeighIn, context: Context = PLAIN) -> dict[str, CheckRun]:
    return {run.name: run for run in check_runs(shown(weigh_in, context))}


def waiver(device: str | None = "pixel-4", **changed: object) -> Waiver:
    made = Waiver(
        model="digits",
        version="3",
        plan_digest="cc" * 32,
        metric=Metric.LATENCY_P90_MS,
        device=device,
        reason="only this week",
        by="ada",
        url="https://github.com/o/r/pull/7#issuecomment-1",
        issued_at=NOW - timedelta(hours=1),
        expires_at=NOW + timedelta(days=3),
    )
    return replace(made, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fate", "conclusion", "words"),
    [
        pytest.param("pass", SUCCESS, "passed: int8.tflite, size 1 MiB", id="pass"),
        pytest.param("fail", FAILURE, "failed: nearest int8.tflite, latency p90", id="fail"),
        pytest.param("undecided", FAILURE, "undecided, so not passed: nearest", id="undecided"),
    ],
)
def test_a_device_ends_as_its_best_variant(fate: str, conclusion: Conclusion, words: str) -> None:
    run = runs(make_weigh_in({"pixel-4": fate}))["weighin / digits / pixel-4"]
    assert run.conclusion is conclusion
    assert run.title.startswith(words)


def test_there_is_one_check_per_device_and_one_for_the_model() -> None:
    weigh_in = make_weigh_in({"host": "pass", "pixel-4": "fail"})
    found = runs(weigh_in)
    assert list(found) == [
        "weighin / digits / host",
        "weighin / digits / pixel-4",
        "weighin / digits",
    ]
    assert found["weighin / digits"].conclusion is SUCCESS
    required = required_check(found["weighin / digits"], [])
    assert (required.name, required.conclusion) == ("weighin", SUCCESS)


@pytest.mark.parametrize("fate", ["fail", "undecided"])
def test_the_line_of_the_budget_is_remarked_on(fate: str) -> None:
    run = runs(make_weigh_in({"pixel-4": fate}, recipes=("int8", "fp16")))[
        "weighin / digits / pixel-4"
    ]
    (remark,) = run.annotations
    assert (remark.path, remark.line) == ("weighin.toml", 12)
    assert remark.level == ("failure" if fate == "fail" else "warning")
    assert "known to meet it: 0 of 2 variants" in remark.message


def test_a_budget_that_the_file_does_not_have_is_said_in_the_text() -> None:
    run = runs(make_weigh_in({"mi-9": "fail"}))["weighin / digits / mi-9"]
    assert run.annotations == ()
    assert "not found in `weighin.toml` of this commit" in run.summary


def test_a_device_that_something_passed_on_has_no_remarks() -> None:
    assert runs(make_weigh_in({"pixel-4": "pass"}))["weighin / digits / pixel-4"].annotations == ()


@pytest.mark.parametrize("fate", ["pass", "fail", "undecided"])
@pytest.mark.parametrize("waived", [(), (waiver(None),)], ids=["plain", "waived"])
def test_numbers_that_nobody_believes_never_end_well(fate: str, waived: tuple[Waiver, ...]) -> None:
    context = Context(now=NOW, untrusted="a fork's, signed by nobody", waivers=waived)
    found = runs(make_weigh_in({"pixel-4": fate}), context)
    assert {run.conclusion for run in found.values()} == {FAILURE}
    for run in found.values():
        assert run.title.startswith("not believed: a fork's")
        assert "PASS" not in run.summary
        assert "✅" not in run.summary
    assert as_status(found["weighin / digits"], "").state == "failure"


def test_what_a_person_waived_is_neutral_and_says_who() -> None:
    context = Context(now=NOW, waivers=(waiver(),))
    found = runs(make_weigh_in({"pixel-4": "fail"}), context)
    device = found["weighin / digits / pixel-4"]
    assert (device.conclusion, device.title) == (
        NEUTRAL,
        "waived: int8.tflite, latency p90, by ada",
    )
    assert "until 2026-11-25: `only this week`" in device.summary
    assert found["weighin / digits"].conclusion is NEUTRAL
    assert "only by waiver" in found["weighin / digits"].title


@pytest.mark.parametrize(
    "wrong",
    [
        pytest.param(waiver("mi-9"), id="another-device"),
        pytest.param(waiver(metric=Metric.SIZE_MIB), id="another-metric"),
        pytest.param(waiver(expires_at=NOW), id="expired"),
        pytest.param(waiver(issued_at=NOW + timedelta(hours=1)), id="not-yet"),
    ],
)
def test_a_waiver_of_something_else_changes_no_conclusion(wrong: Waiver) -> None:
    context = Context(now=NOW, waivers=(wrong,))
    for run in runs(make_weigh_in({"pixel-4": "fail"}), context).values():
        assert run.conclusion is FAILURE


def test_a_waiver_serves_no_user_of_a_fleet_that_is_not_served() -> None:
    part = FleetPart(name="pixel-4", percent=80.0, devices=("pixel-4",))
    counted = date(2026, 11, 1)
    fleet = Fleet(parts=(part,), source="shop", as_of=counted, at_least_percent=70.0)
    weigh_in = replace(make_weigh_in({"pixel-4": "fail", "host": "pass"}), fleet=fleet)
    assert weigh_in.fleet_outcome is not Outcome.PASS
    context = Context(now=NOW, waivers=(waiver(),))
    assert runs(weigh_in, context)["weighin / digits"].conclusion is FAILURE


@pytest.mark.parametrize(
    "weigh_in",
    [
        pytest.param(make_weigh_in({"pixel-4": "pass"}, recipes=()), id="no-variant"),
        pytest.param(make_weigh_in({}), id="no-device"),
    ],
)
def test_nothing_weighed_is_nothing_passed(weigh_in: WeighIn) -> None:
    assert {run.conclusion for run in runs(weigh_in).values()} == {FAILURE}


def known(name: str, conclusion: Conclusion) -> KnownCheck:
    return KnownCheck(
        id=1, check=CheckRun(name=name, conclusion=conclusion, title="said", summary="")
    )


@pytest.mark.parametrize(
    ("there", "expected"),
    [
        pytest.param(("weighin / other", FAILURE), FAILURE, id="another-model-failed"),
        pytest.param(("weighin / other", NEUTRAL), NEUTRAL, id="another-model-was-waived"),
        pytest.param(("weighin / other", SUCCESS), SUCCESS, id="another-model-passed"),
        pytest.param(("weighin / digits", FAILURE), SUCCESS, id="its-own-of-before"),
        pytest.param(("weighin", FAILURE), SUCCESS, id="the-required-one-of-before"),
        pytest.param(("weighin / other / mi-9", FAILURE), SUCCESS, id="one-device-of-another"),
    ],
)
def test_the_required_check_is_no_better_than_any_model_on_the_commit(
    there: tuple[str, Conclusion], expected: Conclusion
) -> None:
    model = runs(make_weigh_in({"host": "pass"}))["weighin / digits"]
    assert required_check(model, [known(*there)]).conclusion is expected


def test_the_same_holds_for_statuses() -> None:
    model = runs(make_weigh_in({"host": "pass"}))["weighin / digits"]
    other = Status(context="weighin / other", state="failure", description="nothing passed")
    assert required_status(model, [other]).conclusion is FAILURE
    assert required_status(model, []).conclusion is SUCCESS


def test_a_name_made_to_be_obeyed_stays_a_name() -> None:
    weigh_in = make_weigh_in({EVIL: "fail", "host": "pass"}, model=EVIL, recipes=(EVIL,))
    context = Context(now=NOW, waivers=(replace(waiver(EVIL), reason=EVIL, by=EVIL),))
    for run in (*runs(weigh_in, context).values(), *runs(weigh_in).values()):
        assert "\n" not in run.name + run.title
        assert len(run.title) <= 250
        assert "\u202e" not in run.name + run.title + run.summary
        for line in run.summary.splitlines():
            outside = "".join(line.split("`")[::2])
            assert "<script>" not in outside
            assert "@all" not in outside


def test_a_check_says_by_its_id_whether_it_must_be_written_again() -> None:
    one, again = (runs(make_weigh_in({"pixel-4": "fail"})) for _ in range(2))
    other = runs(make_weigh_in({"pixel-4": "undecided"}))
    name = "weighin / digits / pixel-4"
    assert one[name].external_id == again[name].external_id
    assert one[name].external_id != other[name].external_id

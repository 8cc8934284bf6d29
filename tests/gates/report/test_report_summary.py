from collections.abc import Callable
from dataclasses import replace

import pytest

from weighin.gates.judge import Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.html import to_html
from weighin.gates.report.markdown import to_markdown
from weighin.gates.report.terminal import to_text
from weighin.gates.report.verdict_words import Standing, fates, overall
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("all-pass", "may ship on every device: 14 of 14 variants passed somewhere."),
        ("mixed", "may ship on 3 of 4 devices: 9 of 14 variants passed somewhere. Nothing for g"),
        ("none-passed", "may not ship: of 14 variants, none passed on any of 4 devices."),
        ("zero-variants", "may not ship: no variant was built (2 builds failed)."),
    ],
)
def test_the_verdict_in_words(sample: Sample, name: str, words: str) -> None:
    assert f"digits-cnn v3 {words}" in summary.sentence(sample(name))


def test_many_uncovered_devices_are_counted_not_listed(sample: Sample) -> None:
    weigh_in = sample("many-devices")
    more = tuple(f"watch-{n}" for n in range(9))
    spoken = summary.sentence(replace(weigh_in, devices=(*weigh_in.devices, *more)))
    assert spoken.endswith("phone-29-go, 9 more.")


def test_a_dominated_variant_is_preferred_to_nothing_but_to_nothing_else(sample: Sample) -> None:
    weigh_in = sample("all-pass")
    smallest = summary.smallest_pass(weigh_in, "host")
    assert smallest is not None
    dominated = tuple(
        replace(r, dominated_by=(("host", "x.tflite"),) if r is smallest else ())
        for r in weigh_in.results
    )
    other = summary.smallest_pass(replace(weigh_in, results=dominated), "host")
    assert other is not None
    assert other.variant != smallest.variant
    alone = tuple(r for r in dominated if r.variant == smallest.variant)
    last = summary.smallest_pass(replace(weigh_in, results=alone), "host")
    assert last is not None
    assert last.variant == smallest.variant


def test_a_device_without_verdicts_is_undecided_and_named(sample: Sample) -> None:
    weigh_in = sample("mixed")
    extended = replace(weigh_in, devices=(*weigh_in.devices, "watch"))
    assert summary.device_outcome(extended, "watch") is Outcome.UNDECIDED
    missing = summary.skipped(extended)
    assert {skipped.device for skipped in missing} == {"watch"}
    assert len(missing) == len(weigh_in.results)


def test_the_shown_check_has_the_outcome_of_its_verdict(weigh_in: WeighIn) -> None:
    for result in weigh_in.results:
        for verdict in result.verdicts:
            check = summary.deciding_check(verdict)
            assert check is not None
            assert check.outcome is verdict.outcome
            if verdict.outcome is Outcome.PASS:
                assert check.budget.metric is Metric.LATENCY_P90_MS


def test_an_unreadable_metric_is_what_is_shown_of_an_undecided_verdict(sample: Sample) -> None:
    onnx = sample("mixed").results[1]
    verdict = summary.verdict_on(onnx, "galaxy-a51")
    assert verdict is not None
    check = summary.deciding_check(verdict)
    assert check is not None
    assert "no calibration rows" in summary.why(check)


def test_nearest_miss_exists_exactly_where_nothing_passed(weigh_in: WeighIn) -> None:
    for device in weigh_in.devices:
        miss = summary.nearest_miss(weigh_in, device)
        passed = summary.smallest_pass(weigh_in, device)
        assert (miss is None) == (passed is not None or not weigh_in.results)
        if miss is not None:
            assert miss[1].outcome is not Outcome.PASS


def test_readings_without_a_budget_are_found_beside_the_verdict(sample: Sample) -> None:
    result = sample("mixed").results[0]
    energy = summary.reading_on(result, "host", Metric.ENERGY_MJ)
    assert isinstance(energy, Measurement)
    assert energy.device == "host"
    assert summary.reading_on(result, "host", Metric.BATTERY_PERCENT_PER_HOUR) is None


def test_a_device_without_budgets_passes_nothing_in_any_rendering(sample: Sample) -> None:
    weigh_in = sample("one-device")
    bare = tuple(
        replace(r, verdicts=tuple(replace(v, checks=()) for v in r.verdicts))
        for r in weigh_in.results
    )
    weigh_in = replace(weigh_in, results=bare)
    assert summary.overall_outcome(weigh_in) is Outcome.UNDECIDED
    assert summary.exit_code(weigh_in) == summary.NOTHING_PASSED
    assert "? no budget" in to_text(weigh_in)
    assert "none, so nothing can pass" in to_text(weigh_in)
    assert "the device has no budgets" in to_markdown(weigh_in)
    assert "the device has no budgets" in to_html(weigh_in)
    assert "PASS" not in to_html(weigh_in) + to_markdown(weigh_in)


def test_no_waiver_makes_a_pass_and_untrusted_numbers_have_none(
    reviewed: tuple[WeighIn, Context],
) -> None:
    weigh_in, context = reviewed
    bare = replace(context, waivers=(), untrusted="")
    with_waivers, without = fates(weigh_in, context), fates(weigh_in, bare)
    for one, plain in zip(with_waivers, without, strict=True):
        assert (one.standing is Standing.PASS) == (
            plain.standing is Standing.PASS and not context.untrusted
        )
    doubted = replace(context, untrusted="a fork")
    assert overall(weigh_in, doubted) is Standing.UNDECIDED
    assert {fate.standing for fate in fates(weigh_in, doubted)} == {Standing.UNDECIDED}

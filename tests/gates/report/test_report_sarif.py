import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from weighin.gates.judge import Outcome
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.annotations import to_annotations
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.misses import misses
from weighin.gates.report.sarif import to_sarif
from weighin.gates.report.verdict_words import Standing
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
Review = Callable[[str], tuple[WeighIn, Context]]
LINES = {("galaxy-a51", Metric.LATENCY_P90_MS): 12, ("host", Metric.LATENCY_P90_MS): 0}


def run_of(weigh_in: WeighIn, context: Context = PLAIN) -> dict[str, Any]:
    document: Any = json.loads(json.dumps(to_sarif(weigh_in, lines=LINES, context=context)))
    assert document["version"] == "2.1.0"
    (run,) = document["runs"]
    return dict(run)


def test_every_result_has_its_rule_a_level_a_place_and_a_fingerprint(
    reviewed: tuple[WeighIn, Context],
) -> None:
    run = run_of(*reviewed)
    rules = run["tool"]["driver"]["rules"]
    assert len({rule["id"] for rule in rules}) == len(rules)
    for result in run["results"]:
        assert rules[result["ruleIndex"]]["id"] == result["ruleId"]
        assert result["level"] in {"error", "warning", "note"}
        (place,) = result["locations"]
        assert place["physicalLocation"]["artifactLocation"]["uri"] == "weighin.toml"
        assert place["physicalLocation"].get("region", {"startLine": 1})["startLine"] >= 1
    marks = [result["partialFingerprints"]["budget/v1"] for result in run["results"]]
    assert len(set(marks)) == len(marks)


def test_a_device_has_a_miss_exactly_if_it_gets_nothing(weigh_in: WeighIn) -> None:
    told = {miss.device for miss in misses(weigh_in)}
    without = {
        device
        for device in weigh_in.devices
        if summary.device_outcome(weigh_in, device) is not Outcome.PASS
    }
    assert told == without


def test_budgets_held_only_by_different_variants_are_still_a_miss(sample: Sample) -> None:
    """Each budget is held by some variant, but no variant holds all."""
    weigh_in = sample("one-device")
    keep = ("float32.tflite", "prune50.tflite")
    first, second = (one for one in weigh_in.results if one.variant.label in keep)

    def limited(result: Any, metric: Metric, at_most: float) -> Any:
        (verdict,) = result.verdicts
        checks = tuple(
            replace(check, budget=replace(check.budget, at_most=at_most))
            if check.budget.metric is metric
            else check
            for check in verdict.checks
        )
        return replace(result, verdicts=(replace(verdict, checks=checks),))

    results = [
        limited(limited(one, Metric.LATENCY_P90_MS, 3.0), Metric.ACCURACY_DROP_POINTS, 0.2)
        for one in (first, second)
    ]
    alone = replace(weigh_in, results=tuple(results))
    assert [miss.metric for miss in misses(alone)] == [Metric.LATENCY_P90_MS]


def test_the_line_of_a_budget_is_told_if_it_is_known(sample: Sample) -> None:
    (result,) = run_of(sample("mixed"))["results"]
    assert result["locations"][0]["physicalLocation"]["region"] == {"startLine": 12}
    assert result["level"] == "warning"
    assert result["ruleId"] == "latency_p90_ms"
    assert "line=12," in to_annotations(sample("mixed"), lines=LINES)
    bare = to_sarif(sample("mixed"))["runs"]
    assert "region" not in json.dumps(bare)


def test_a_waived_budget_is_suppressed_with_the_persons_reason(review: Review) -> None:
    run = run_of(*review("waived-only"))
    waived = [result for result in run["results"] if "suppressions" in result]
    assert [one["suppressions"][0]["status"] for one in waived] == ["accepted"]
    assert waived[0]["suppressions"][0]["justification"].startswith("ada: the A51")
    assert [one["level"] for one in waived] == ["note"]
    assert {one["level"] for one in run["results"]} == {"note", "error"}


def test_untrusted_numbers_are_a_result_on_every_device(review: Review) -> None:
    weigh_in, context = review("untrusted")
    results = run_of(weigh_in, context)["results"]
    assert [one["ruleId"] for one in results] == ["not_judged"] * len(weigh_in.devices)


def test_a_device_without_budgets_is_a_result(sample: Sample) -> None:
    weigh_in = sample("one-device")
    bare = tuple(
        replace(one, verdicts=tuple(replace(v, checks=()) for v in one.verdicts))
        for one in weigh_in.results
    )
    (result,) = run_of(replace(weigh_in, results=bare))["results"]
    assert result["ruleId"] == "not_judged"


def test_nothing_in_the_way_is_no_result(sample: Sample) -> None:
    assert run_of(sample("all-pass"))["results"] == []
    assert to_annotations(sample("all-pass")) == ""


def decoded(line: str) -> tuple[str, dict[str, str], str]:
    """A command as the runner reads it."""
    head, _, message = line.removeprefix("::").partition("::")
    command, _, pairs = head.partition(" ")
    properties = dict(pair.split("=", 1) for pair in pairs.split(","))
    return command, {key: _decoded(value) for key, value in properties.items()}, _decoded(message)


def _decoded(text: str) -> str:
    for code, char in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        text = text.replace(code, char)
    return text


@pytest.mark.parametrize(
    "name",
    ["a,line=1", "a::error::b", "100%", "%0A::set-env name=X::y", "two\n::error::x", "a:b\r", "∷"],
    ids=ascii,
)
def test_a_name_cannot_become_a_command_of_its_own(sample: Sample, name: str) -> None:
    weigh_in = replace(sample("none-passed"), model=name)
    text = to_annotations(weigh_in, lines=LINES)
    lines = text.splitlines()
    assert len(lines) == len(misses(weigh_in))
    shown = " ".join(name.split())
    for line in lines:
        command, properties, _ = decoded(line)
        assert command in {"error", "warning"}
        assert properties["file"] == "weighin.toml"
        assert properties["title"].startswith(f"{shown} v3 on ")


def test_errors_come_before_warnings_since_a_step_shows_ten(review: Review) -> None:
    weigh_in, context = review("waived-only")
    commands = [decoded(line)[0] for line in to_annotations(weigh_in, context=context).splitlines()]
    order = ["error", "warning", "notice"]
    assert commands == sorted(commands, key=order.index)
    assert {miss.standing for miss in misses(weigh_in, context)} >= {Standing.WAIVED, Standing.FAIL}

"""Alarms, slices, classes, rows looked at and limits, in every shape of the report."""

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.cells import cell_len

from weighin.gates.judge import Outcome, Verdict, judge
from weighin.gates.measurement import Measurement, Reading
from weighin.gates.metric import Budget, Metric
from weighin.gates.report import summary
from weighin.gates.report.document import from_document, to_document
from weighin.gates.report.html import to_html
from weighin.gates.report.markdown import to_markdown
from weighin.gates.report.markdown_quality import slices as slices_in_markdown
from weighin.gates.report.page_quality import quality
from weighin.gates.report.quality_words import alarms, looked
from weighin.gates.report.slice_words import State, open_slice_lines, slice_tables
from weighin.gates.report.terminal import to_text
from weighin.gates.report.words import plain
from weighin.gates.slices import Slice, worst
from weighin.gates.stats import PairedCounts
from weighin.gates.weigh_in import Result, WeighIn

Sample = Callable[[str], WeighIn]
Form = Callable[[WeighIn], str]
FORMS = pytest.mark.parametrize("form", [to_text, to_markdown, to_html])
SLICES = Metric.SLICE_DROP_POINTS
EVIL = [
    pytest.param("<script>alert(1)</script>", id="script"),
    pytest.param("a|b|c", id="pipes"),
    pytest.param("`ticks` ``and`` more```", id="backticks"),
    pytest.param("</details></td>\n\n# heading", id="closing"),
    pytest.param("\x1b[31m[bold]red", id="escape"),
    pytest.param("\u202egnp.exe", id="override"),
    pytest.param("camera=\u05e7\u05d3\u05de\u05d9 \u0623\u0645\u0627\u0645", id="right-to-left"),
    pytest.param("\u8db3" * 90, id="wide"),
    pytest.param("x" * 500, id="long"),
    pytest.param("", id="empty"),
]


def words(shown: str) -> str:
    return " ".join(shown.split())


def changed(weigh_in: WeighIn, change: Callable[[Reading], Reading]) -> WeighIn:
    """The same weigh-in with every reading changed, judged again."""

    def again(verdict: Verdict) -> Verdict:
        checks = tuple(
            replace(check, readings=tuple(map(change, check.readings))) for check in verdict.checks
        )
        return replace(verdict, checks=checks)

    results = tuple(
        replace(
            one,
            readings=tuple(map(change, one.readings)),
            verdicts=tuple(map(again, one.verdicts)),
        )
        for one in weigh_in.results
    )
    return replace(weigh_in, results=results)


def without_alarm(reading: Reading) -> Reading:
    if not isinstance(reading, Measurement):
        return reading
    return replace(reading, conditions=tuple(c for c in reading.conditions if c[0] != "alarm"))


@FORMS
def test_an_alarm_is_seen_once_however_many_devices_there_are(sample: Sample, form: Form) -> None:
    weigh_in = sample("closer")
    shown = form(weigh_in)
    assert "Look at" in shown
    assert [label for label, _ in alarms(weigh_in)] == [
        "int8.onnx",
        "prune50.tflite",
        "prune50.onnx",
    ]
    beginning = words(shown[: len(shown) // 2] if form is not to_html else shown[:40_000])
    assert beginning.count("differ on 120 of 5000 rows") == 1


@FORMS
def test_without_an_alarm_there_is_nothing_to_look_at(sample: Sample, form: Form) -> None:
    assert "Look at" not in form(changed(sample("closer"), without_alarm))
    assert "Look at" not in form(sample("mixed"))


@FORMS
def test_an_alarm_of_a_reading_without_a_budget_is_seen_too(sample: Sample, form: Form) -> None:
    weigh_in = sample("one-device")
    result = weigh_in.results[0]
    loud = tuple(
        replace(one, conditions=(("alarm", "it hums"),)) if isinstance(one, Measurement) else one
        for one in result.readings
        if one.metric is Metric.ENERGY_MJ
    )
    quiet = replace(result, readings=loud)
    assert "it hums" in form(replace(weigh_in, results=(quiet, *weigh_in.results[1:])))


def test_a_short_comment_keeps_its_alarms_and_counts_what_is_too_many(sample: Sample) -> None:
    weigh_in = sample("closer")
    assert "120 of 5000 rows" in to_markdown(weigh_in, longest=3000)
    many = replace(weigh_in, results=tuple(
        replace(one, variant=replace(one.variant, recipe=f"{one.variant.recipe}-{n}"))
        for n in range(20) for one in weigh_in.results
    ))  # fmt: skip
    assert "- and 40 more, in the HTML and JSON reports" in to_markdown(many)


@pytest.mark.parametrize("attack", EVIL)
def test_an_alarm_can_do_no_more_than_be_read(sample: Sample, attack: str) -> None:
    tame = changed(sample("closer"), lambda one: replace_alarm(one, "tame"))
    assert_same_shape(tame, changed(tame, lambda one: replace_alarm(one, attack)))


def replace_alarm(reading: Reading, text: str) -> Reading:
    """Only the text of an alarm, where there is one."""
    if isinstance(reading, Measurement) and "alarm" in dict(reading.conditions):
        return replace(reading, conditions=(("alarm", text),))
    return reading


def assert_same_shape(tame: WeighIn, evil: WeighIn) -> None:
    """Somebody's text adds no markup, no line that is too wide, nothing that is obeyed."""
    assert elements(to_html(evil)) == elements(to_html(tame))
    assert tokens(to_markdown(evil)) == tokens(to_markdown(tame))
    text = to_text(evil)
    assert not any(char in text for char in "\x1b\u202e")
    assert max(map(cell_len, text.splitlines())) <= 80


def elements(page: str) -> dict[str, int]:
    names = ("<script", "<td", "<tr", "<details", "<p", "<li", "<h1", "<bdi", "<table")
    return {name: page.count(name) for name in names}


def tokens(markdown: str) -> list[str]:
    return [one.type for one in MarkdownIt("commonmark").enable("table").parse(markdown)]


def states_of(weigh_in: WeighIn, label: str) -> dict[str, tuple[State, ...]]:
    (table,) = (one for one in slice_tables(weigh_in) if one.label == label)
    return {line.name: line.states for line in table.lines}


def test_slices_say_what_holm_decided_for_the_budget_of_each_device(sample: Sample) -> None:
    states = states_of(sample("closer"), "int8.tflite")
    assert states["light=night"] == (State.ABOVE, State.WITHIN)
    assert states["lens=macro"] == (State.OPEN, State.WITHIN)
    assert states["light=dawn"] == (State.SMALL, State.WITHIN)
    assert states["light=day"] == (State.WITHIN, State.WITHIN)
    assert list(states)[:4] == ["light=night", "light=dusk", "lens=macro", "light=dawn"]


def test_devices_with_one_budget_share_a_column(sample: Sample) -> None:
    weigh_in = sample("closer")
    table = next(slice_tables(with_slices(weigh_in, DAY_AND_NIGHT, at_most=2.0)))
    assert [ruling.devices for ruling in table.rulings] == [("host", "pixel-3a")]
    assert "≤ 2 pt |" in slices_in_markdown(with_slices(weigh_in, DAY_AND_NIGHT, at_most=2.0))


def part(name: str, rows: int, lost: int, won: int = 0) -> Slice:
    counts = PairedCounts(
        both_right=rows - lost - won, only_reference=lost, only_variant=won, both_wrong=0
    )
    return Slice(name=name, rows=rows, drop=counts)


DAY_AND_NIGHT = (part("day", 900, 3), part("night", 900, 90))


def with_slices(weigh_in: WeighIn, parts: tuple[Slice, ...], at_most: float) -> WeighIn:
    """A weigh-in of one variant, of which only these slices are judged."""
    _, ends = worst(parts, 0.95)
    result = weigh_in.results[0]
    (found,) = (one for one in result.readings if one.metric is SLICES)
    assert isinstance(found, Measurement)
    reading = replace(
        found, slices=parts, value=ends.value, lower=ends.lower, upper=ends.upper, conditions=()
    )
    return only(weigh_in, result, reading, at_most)


def only(weigh_in: WeighIn, result: Result, reading: Measurement, at_most: float) -> WeighIn:
    budget = Budget(metric=SLICES, at_most=at_most)
    verdicts = tuple(
        judge(one.subject, [budget], [reading], one.checks[0].moment) for one in result.verdicts
    )
    return replace(weigh_in, results=(replace(result, readings=(reading,), verdicts=verdicts),))


def test_a_slice_that_holm_lets_pass_is_not_called_wide_of_its_budget(sample: Sample) -> None:
    """With the clearest one out of the way, the other needs to be clear at less risk only."""
    parts = (part("clear", 4000, 0), part("near", 900, 9))
    weigh_in = with_slices(sample("closer"), parts, at_most=1.82)
    (table,) = slice_tables(weigh_in)
    assert {line.name: line.states for line in table.lines} == {
        "near": (State.WITHIN,),
        "clear": (State.WITHIN,),
    }
    assert table.lines[0].drop is not None
    assert table.lines[0].drop.upper > 1.82
    (check,) = weigh_in.results[0].verdicts[0].checks
    assert check.outcome is Outcome.PASS
    assert summary.why(check) == "slices' drops in points: all 2 slices are within, budget 1.82"


def test_the_terminal_shows_at_most_five_slices_of_a_variant_and_none_that_is_within(
    sample: Sample,
) -> None:
    lines = list(open_slice_lines(sample("closer")))
    assert not any("light=day" in text for _, text in lines)
    labels = [name for name, _ in lines]
    after = labels.index("prune50.tflite")
    assert labels[after:] == ["prune50.tflite", "prune50.onnx", "", "", "", ""]
    assert lines[after + 5] == ("", "and 1 more not within")
    assert lines[after][1] == "light=night is above 2 pt: 7.11 pt [4.92, 9.77], 900 rows"


def test_variants_that_lose_alike_share_lines_and_keep_as_many_names_as_fit(
    sample: Sample,
) -> None:
    weigh_in = with_slices(sample("closer"), DAY_AND_NIGHT, at_most=2.0)
    (one,) = weigh_in.results
    many = tuple(
        replace(one, variant=replace(one.variant, recipe=f"prune{n}")) for n in range(10, 60, 10)
    )
    lines = list(open_slice_lines(replace(weigh_in, results=many)))
    assert [name for name, _ in lines] == ["prune10.tflite", "and 4 more"]
    assert [bool(text) for _, text in lines] == [True, False]


def test_variants_whose_slices_are_all_within_share_a_line(sample: Sample) -> None:
    weigh_in = with_slices(sample("closer"), (part("day", 900, 0),), at_most=2.0)
    assert list(open_slice_lines(weigh_in)) == [("1 variant", "all slices within")]
    assert "all 1 within" in quality(weigh_in)


def test_a_reading_that_is_not_believed_says_why_beside_its_slices(sample: Sample) -> None:
    def of_another_file(reading: Reading) -> Reading:
        if isinstance(reading, Measurement) and reading.metric is SLICES:
            return replace(reading, artifact_sha256="f" * 64)
        return reading

    weigh_in = changed(sample("closer"), of_another_file)
    for shown in (quality(weigh_in), slices_in_markdown(weigh_in)):
        assert "measured on another file" in shown
        assert "not judged" in shown
        assert "✓" not in shown


def test_slices_without_a_budget_are_shown_undecided_by_nobody(sample: Sample) -> None:
    weigh_in = sample("closer")
    bare = tuple(
        replace(
            one,
            verdicts=tuple(
                replace(v, checks=tuple(c for c in v.checks if c.budget.metric is not SLICES))
                for v in one.verdicts
            ),
        )
        for one in weigh_in.results
    )
    weigh_in = replace(weigh_in, results=bare)
    assert not list(open_slice_lines(weigh_in))
    assert "light=night" in quality(weigh_in)
    assert "within" not in quality(weigh_in)
    assert "no budget is held against them" in quality(weigh_in)


@pytest.mark.parametrize("attack", EVIL)
def test_the_name_of_a_slice_can_do_no_more_than_be_read(sample: Sample, attack: str) -> None:
    weigh_in = sample("closer")
    tame, evil = (
        with_slices(weigh_in, (part(name, 900, 90), part("day", 900, 90)), at_most=2.0)
        for name in ("night", attack)
    )
    assert_same_shape(tame, evil)
    assert plain(attack)[:20].replace("`", "\u02cb").replace("|", "\u2502") in to_markdown(evil)


def test_classes_and_calibration_stand_on_the_page_and_in_a_comment_with_an_alarm(
    sample: Sample,
) -> None:
    weigh_in = sample("closer")
    quiet = changed(weigh_in, without_alarm)
    classes = "8: 41 of 470, 3: 9 of 455, 5: 8 of 430"
    for page in (quality(weigh_in), quality(quiet)):
        assert page.count(classes) == 4
        assert "0.0121" in page
        assert "0.0613" in page
    assert to_markdown(weigh_in).count(classes) == 2
    assert classes not in to_markdown(quiet)


@pytest.mark.parametrize(
    ("confidence", "said"),
    [
        pytest.param(0.95, "2500 rows, stopped at look 2 of 5", id="as-usual"),
        pytest.param(0.99, "2500 rows, stopped at look 2 of 5, each end at 99 %", id="surer"),
        pytest.param(0.99995, "stopped at look 2 of 5, each end at 99.995 %", id="not-certain"),
    ],
)
def test_how_many_rows_it_took_and_how_sure_it_is(
    sample: Sample, confidence: float, said: str
) -> None:
    def surer(reading: Reading) -> Reading:
        return (
            replace(reading, confidence=confidence) if isinstance(reading, Measurement) else reading
        )

    weigh_in = changed(sample("stepwise"), surer)
    accuracy = weigh_in.results[0].readings[0]
    assert isinstance(accuracy, Measurement)
    assert said in looked(accuracy)
    evidence = to_markdown(weigh_in)
    assert evidence.count(f"{said}: `float32.tflite`, `fp16.tflite`") == 1
    assert evidence.index("Data and files") < evidence.index(said)
    page = to_html(weigh_in)
    in_the_tile = bool(weigh_in.passed)
    assert in_the_tile is (confidence >= 0.99)
    assert page.count(said) == len(weigh_in.results) + in_the_tile
    assert ("each end holds with" in page) is (confidence != 0.95)


def test_nothing_is_said_of_rows_when_all_were_looked_at(sample: Sample) -> None:
    assert "What the accuracy drops rest on" not in to_markdown(sample("mixed"))
    assert 'class="looked"' not in to_html(sample("mixed"))


@FORMS
def test_the_limit_that_the_floor_made_is_said(sample: Sample, form: Form) -> None:
    weigh_in = sample("closer")
    growth = Metric.LATENCY_VS_RELEASE_PERCENT
    results = tuple(
        replace(
            one,
            verdicts=tuple(
                replace(v, checks=tuple(c for c in v.checks if c.budget.metric is growth))
                for v in one.verdicts
            ),
        )
        for one in weigh_in.results
    )
    alone = changed(replace(weigh_in, results=results), lambda one: far_more(one, growth))
    shown = words(form(alone))
    assert "limit 55.6 % (budget 10 %, floor 0.5 ms)" in shown
    assert "10 % (floor 0.5 ms)" in shown
    assert "latency_p90_ms" not in shown


def far_more(reading: Reading, metric: Metric) -> Reading:
    if isinstance(reading, Measurement) and reading.metric is metric:
        return replace(reading, lower=70.0, value=75.0, upper=80.0)
    return reading


def test_json_has_alarms_limits_and_decided_slices(sample: Sample) -> None:
    document: Any = json.loads(json.dumps(to_document(sample("closer")), allow_nan=False))
    assert document["alarms"][0]["variant"] == "int8.onnx"
    checks = {one["metric"]: one for one in document["variants"][2]["devices"][0]["checks"]}
    growth, parts = checks["latency_vs_release_percent"], checks["slice_drop_points"]
    assert (growth["budget"], growth["limit"]) == (10.0, pytest.approx(500 / 9))
    assert parts["slices"]["above"] == ["light=night"]
    assert parts["slices"]["small"] == ["light=dawn"]
    assert checks["size_mib"]["slices"] is None
    assert {one["confidence"] for one in checks.values()} == {0.95}


def test_an_alarm_or_a_slice_that_somebody_edited_away_is_back(sample: Sample) -> None:
    weigh_in = sample("closer")
    document: Any = json.loads(json.dumps(to_document(weigh_in)))
    document["alarms"] = []
    for variant in document["variants"]:
        for device in variant["devices"]:
            for check in device["checks"]:
                check |= {"limit": 1e9, "slices": None, "confidence": 1.0}
    assert from_document(document) == weigh_in


texts = st.text(max_size=30)
parts = st.builds(part, texts, st.integers(90, 900), st.integers(0, 45), st.integers(0, 45))


@settings(max_examples=40, deadline=None)
@given(
    found=st.lists(parts, min_size=1, max_size=8, unique_by=lambda one: one.name),
    at_most=st.floats(-3, 9),
)
def test_every_slice_has_a_row_and_a_state_in_markdown_and_on_the_page(
    sample: Sample, found: list[Slice], at_most: float
) -> None:
    weigh_in = with_slices(sample("closer"), tuple(found), at_most)
    (table,) = slice_tables(weigh_in)
    assert sorted(line.name for line in table.lines) == sorted(one.name for one in found)
    check = weigh_in.results[0].verdicts[0].checks[0]
    assert table.worst.outcome is check.outcome
    page, text = quality(weigh_in), to_text(weigh_in)
    assert page.count("<bdi>") == len(found)
    assert tokens(slices_in_markdown(weigh_in)).count("tr_open") == len(found) + 1
    assert max(map(cell_len, text.splitlines())) <= 80

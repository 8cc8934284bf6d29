"""The data in every shape of the report: what held, near duplicates, and drift."""

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.data_record import (
    CheckedSet,
    Comparison,
    DataSummary,
    Drift,
    EvaluationSummary,
    NearDuplicates,
    NearPair,
)
from weighin.gates.data_wire import summary_from_json, summary_to_json
from weighin.gates.report.data_words import data_lines, flag_lines
from weighin.gates.report.document import from_document, to_document
from weighin.gates.report.html import to_html
from weighin.gates.report.markdown import to_markdown
from weighin.gates.report.terminal import to_text
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]
EVIL = "<b>|`x`\n# y"

SETS = (
    CheckedSet(
        role="evaluation",
        rows=5000,
        expectations=35,
        suite_expectations=17,
        suite_sha256="ab" * 32,
    ),
    CheckedSet(role="training", rows=40_000, expectations=13),
)
NEAR = NearDuplicates(
    other="training",
    rows=5000,
    near=20,
    among=10,
    pairs=(NearPair(row=506, other_row=3473, likeness=0.9714),),
)
MOVED = Comparison(what="labels", test="chi-square", p=1e-12, effect=0.31)
STILL = Comparison(what="row mean", test="Kolmogorov-Smirnov", p=0.2, effect=0.02)
DRIFT = Drift(released="digits/1", same=False, comparisons=(MOVED, STILL))
FLAGGED = DataSummary(sets=SETS, near=(NEAR,), drift=DRIFT)
CLEAN = DataSummary(sets=SETS, near=(replace(NEAR, near=0, pairs=()),))


def said(summary: DataSummary) -> dict[str, str]:
    return dict(data_lines(summary))


def test_each_set_says_what_held_and_whether_its_suite_is_committed() -> None:
    lines = said(CLEAN)
    assert lines["evaluation"] == "5000 rows, 35 expectations hold, 17 from its committed suite"
    assert lines["training"] == "40000 rows, 13 expectations hold, no suite is committed"


def test_near_duplicates_are_flagged_with_share_and_rows() -> None:
    assert said(CLEAN)["near duplicates"] == "none in the training data"
    assert said(FLAGGED)["! near duplicates"] == (
        "20 of 5000 evaluation rows (0.4 %) are nearly in the training data; 0.2 % have a near "
        "duplicate in the evaluation data itself. First rows, with likeness: 506 and 3473 (0.971)"
    )


@pytest.mark.parametrize(
    ("drift", "name", "text"),
    [
        pytest.param(None, "drift", "nothing to compare with", id="first-release"),
        pytest.param(
            Drift(released="d/1", same=True), "drift", "none: d/1 was released", id="same"
        ),
        pytest.param(
            replace(DRIFT, comparisons=(STILL,)),
            "drift",
            "largest effect 0.02, row mean",
            id="still",
        ),
        pytest.param(DRIFT, "! drift", "labels moved by 0.31 (chi-square, p < 0.001)", id="moved"),
    ],
)
def test_drift_is_said(drift: Drift | None, name: str, text: str) -> None:
    assert text in said(replace(CLEAN, drift=drift))[name]


def test_rows_that_were_not_compared_are_not_called_clean() -> None:
    unseen = replace(CLEAN, near=(replace(NEAR, rows=0, near=0, among=0, pairs=()),))
    assert said(unseen)["near duplicates"].startswith("not looked for")


@pytest.mark.parametrize("form", [to_text, to_markdown, to_html])
def test_every_shape_shows_the_data_and_its_flags(
    sample: Sample, form: Callable[[WeighIn], str]
) -> None:
    shown = form(replace(sample("one-device"), data_report=FLAGGED))
    for words in ("40000 rows", "no suite is committed", "! near duplicates", "! drift"):
        assert words in " ".join(shown.split())
    assert "no suite is committed" not in form(sample("one-device"))


def test_a_short_comment_leaves_details_out_but_no_flag(sample: Sample) -> None:
    weigh_in = replace(sample("mixed"), data_report=FLAGGED)
    shown = to_markdown(weigh_in, longest=4000)
    assert "Details were left out" in shown
    assert "no suite is committed" not in shown
    for _, text in flag_lines(FLAGGED):
        assert text in shown
    assert "Look at the data" not in to_markdown(replace(weigh_in, data_report=CLEAN))


@pytest.mark.parametrize("form", [to_text, to_markdown, to_html])
def test_names_that_nobody_vouches_for_do_nothing(
    sample: Sample, form: Callable[[WeighIn], str]
) -> None:
    evil = DataSummary(
        sets=(replace(SETS[0], role=EVIL),),
        near=(replace(NEAR, other=EVIL),),
        drift=replace(DRIFT, released=EVIL, comparisons=(replace(MOVED, what=EVIL, test=EVIL),)),
    )
    shown = form(replace(sample("one-device"), data_report=evil))
    assert "\n# y" not in shown
    if form is to_html:
        assert "<b>" not in shown


def test_the_terminal_shows_it_in_80_columns(sample: Sample) -> None:
    shown = to_text(replace(sample("one-device"), data_report=FLAGGED))
    assert max(map(len, shown.splitlines())) <= 80


names = st.text(max_size=8)
whole = st.integers(0, 2**53)
numbers = st.floats(allow_nan=False)


def few(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


quantiles = st.dictionaries(names, few(numbers), max_size=2).map(lambda d: tuple(d.items()))
summaries = st.builds(
    DataSummary,
    sets=few(
        st.builds(
            CheckedSet,
            role=names,
            rows=whole,
            expectations=whole,
            suite_expectations=whole,
            suite_sha256=names,
        )
    ),
    near=few(
        st.builds(
            NearDuplicates,
            other=names,
            rows=whole,
            near=whole,
            among=whole,
            pairs=few(st.builds(NearPair, row=whole, other_row=whole, likeness=st.floats(0, 1))),
        )
    ),
    evaluation=st.none()
    | st.builds(
        EvaluationSummary,
        sha256=names,
        rows=whole,
        classes=few(st.tuples(whole, whole)),
        quantiles=quantiles,
    ),
    drift=st.none()
    | st.builds(
        Drift,
        released=names,
        same=st.booleans(),
        comparisons=few(st.builds(Comparison, what=names, test=names, p=numbers, effect=numbers)),
    ),
)


@settings(max_examples=60, deadline=None)
@given(summaries)
def test_reading_back_what_was_written_gives_the_same_record(summary: DataSummary) -> None:
    assert summary_from_json(summary_to_json(summary)) == summary


def test_the_report_document_keeps_it(sample: Sample) -> None:
    weigh_in = replace(sample("one-device"), data_report=FLAGGED)
    assert from_document(to_document(weigh_in)) == weigh_in
    old = to_document(weigh_in)
    del old["data_report"]  # written before there was one
    assert from_document(old).data_report is None


def test_a_flag_that_somebody_edited_away_is_back() -> None:
    document: Any = summary_to_json(FLAGGED)
    document["drift"]["comparisons"][0]["notable"] = False
    document["near_duplicates"][0]["share"] = 0.0
    assert summary_from_json(document) == FLAGGED


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda d: d["sets"][0].pop("rows"), id="no-rows"),
        pytest.param(lambda d: d["sets"][0].update(note="x"), id="unknown-field"),
        pytest.param(lambda d: d["drift"].update(same="yes"), id="no-truth"),
        pytest.param(lambda d: d["near_duplicates"][0].update(near=1.5), id="half-a-row"),
        pytest.param(lambda d: d.update(evaluation={"classes": [[1]]}), id="half-a-class"),
    ],
)
def test_a_record_of_another_shape_is_refused(change: Callable[[Any], object]) -> None:
    document: Any = summary_to_json(FLAGGED)
    change(document)
    with pytest.raises(ValueError, match=r"\w"):
        summary_from_json(document)


def test_the_other_sets_of_a_search_are_added_once() -> None:
    tuning = CheckedSet(role="tuning", rows=500, expectations=9)
    with_tuning = DataSummary(
        sets=(*SETS, tuning), near=(NEAR, replace(NEAR, other="tuning")), drift=None
    )
    both = FLAGGED.with_sets_of(with_tuning)
    assert [one.role for one in both.sets] == ["evaluation", "training", "tuning"]
    assert [one.other for one in both.near] == ["training", "tuning"]
    assert both.drift == DRIFT
    assert FLAGGED.with_sets_of(None) == FLAGGED


def test_a_share_of_nothing_is_zero() -> None:
    nothing = replace(NEAR, rows=0, near=0)
    assert nothing.share == 0
    assert math.isfinite(nothing.share)

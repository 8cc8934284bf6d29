"""What is due follows from the registry alone, and half a mark is no mark."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.plugin.event import Registration
from weighin.plugin.mark import (
    DESCRIPTION_LIMIT,
    PLAN_TAG,
    Conclusion,
    Mark,
    mark_tags,
    read_mark,
    with_block,
    without_block,
)
from weighin.plugin.reconcile import due, marks_of

PLAN = "plan-a"
DIGITS = Registration(
    registry_uri="sqlite:///mlflow.db",
    name="digits",
    version="1",
    created_at_ms=1_000,
    source="models:/m-1",
    run_id=None,
)
MARK = Mark(plan_digest=PLAN, conclusion=Conclusion.PASSED, report="run-1")


def weighed(registration: Registration, mark: Mark = MARK) -> Registration:
    return replace(registration, tags=mark_tags(registration, mark))


def due_now(*registrations: Registration, plan: str | None = PLAN) -> tuple[Registration, ...]:
    return due(registrations, marks_of(registrations), lambda _: plan)


def test_a_version_without_a_mark_is_due() -> None:
    assert due_now(DIGITS) == (DIGITS,)


@pytest.mark.parametrize("conclusion", list(Conclusion))
def test_a_weighed_version_is_not_due_however_it_ended(conclusion: Conclusion) -> None:
    assert due_now(weighed(DIGITS, replace(MARK, conclusion=conclusion))) == ()


def test_another_plan_makes_it_due_again() -> None:
    assert due_now(weighed(DIGITS), plan="plan-b") == (weighed(DIGITS),)


def test_a_model_without_a_plan_is_never_due() -> None:
    assert due_now(DIGITS, plan=None) == ()


def test_a_version_recreated_under_its_old_number_is_due() -> None:
    recreated = replace(weighed(DIGITS), created_at_ms=2_000)
    assert due_now(recreated) == (recreated,)
    assert due((replace(DIGITS, created_at_ms=2_000),), {DIGITS.key: MARK}, lambda _: PLAN)


def test_a_copy_that_brought_the_tags_along_is_due_on_its_own() -> None:
    copy = replace(weighed(DIGITS), name="digits-production", created_at_ms=2_000)
    assert due_now(weighed(DIGITS), copy) == (copy,)


def test_the_oldest_is_weighed_first_and_a_repeated_one_once() -> None:
    older = replace(DIGITS, version="2", created_at_ms=500)
    assert due_now(DIGITS, older, DIGITS) == (older, DIGITS)


@pytest.mark.parametrize(
    "missing", [tag for tag, _ in mark_tags(DIGITS, MARK) if "report" not in tag]
)
def test_a_mark_that_lost_a_tag_does_not_count(missing: str) -> None:
    tags = tuple(tag for tag in mark_tags(DIGITS, MARK) if tag[0] != missing)
    assert due_now(replace(DIGITS, tags=tags))


def test_an_outcome_that_nobody_knows_does_not_count() -> None:
    tags = dict(mark_tags(DIGITS, MARK)) | {"weighin.outcome": "splendid"}
    assert read_mark(replace(DIGITS, tags=tuple(tags.items()))) is None


def test_the_plan_is_the_last_tag_to_be_written() -> None:
    assert mark_tags(DIGITS, MARK)[-1] == (PLAN_TAG, PLAN)
    assert len(mark_tags(DIGITS, MARK)) <= 4


@given(
    plan=st.text(min_size=1),
    report=st.text(),
    conclusion=st.sampled_from(Conclusion),
    name=st.text(min_size=1),
)
def test_law_a_mark_reads_back_as_it_was_written(
    plan: str, report: str, conclusion: Conclusion, name: str
) -> None:
    mark = Mark(plan_digest=plan, conclusion=conclusion, report=report)
    assert read_mark(weighed(replace(DIGITS, name=name), mark)) == mark


@given(own=st.text(max_size=2_000), table=st.text(max_size=8_000))
def test_law_the_description_keeps_what_people_wrote(own: str, table: str) -> None:
    once = with_block(own, table)
    assert without_block(once) == own.strip()
    assert with_block(once, table) == once
    assert len(once) <= DESCRIPTION_LIMIT


def test_the_block_is_replaced_where_people_wrote_around_it() -> None:
    edited = f"Ours, since May.\n\n{with_block(None, 'old table')}\n\nAsk Kim."
    rewritten = with_block(edited, "new table")
    assert "old table" not in rewritten
    assert without_block(rewritten) == "Ours, since May.\n\nAsk Kim."


def test_a_block_that_lost_its_end_takes_nothing_of_theirs_with_it() -> None:
    broken = with_block("Mine.", "old").replace("<!-- weighin:end -->", "") + "Also mine."
    twice = with_block(with_block(broken, "new"), "newer")
    assert without_block(twice).endswith("Also mine.")
    assert "new\n" not in twice


def test_a_table_that_quotes_our_delimiter_stays_inside_the_block() -> None:
    hostile = "| a |<!-- weighin:end -->\nescaped"
    assert without_block(with_block("Mine.", hostile)) == "Mine."


def test_a_long_table_is_cut_at_a_line_end_and_says_so() -> None:
    description = with_block("Mine.", "\n".join(f"| row {n:04} |" for n in range(1_000)))
    assert "| row 0000 |" in description
    assert "the whole table is in the report" in description
    assert all(line.endswith("|") for line in description.splitlines() if line.startswith("| row"))


def test_a_description_without_room_for_ours_is_left_alone() -> None:
    own = "x" * (DESCRIPTION_LIMIT - 20)
    assert with_block(own, "table") == own

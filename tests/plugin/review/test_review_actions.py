"""What is written on GitHub, given what is there: nothing twice, nobody else's."""

from dataclasses import replace
from datetime import timedelta
from itertools import count

import pytest
from hypothesis import given
from hypothesis import strategies as st
from review_samples import NOW

from weighin.gates.report.markdown import marker
from weighin.plugin.github.records import (
    Annotation,
    CheckRun,
    Comment,
    Conclusion,
    KnownCheck,
    PullRequest,
    Status,
)
from weighin.plugin.review.actions import (
    AddComment,
    CreateCheck,
    DeleteComment,
    EditComment,
    EditPull,
    OpenPull,
    ReopenPull,
    SetStatus,
    UpdateCheck,
    check_actions,
    comment_actions,
    is_ours,
    pull_actions,
    status_actions,
)
from weighin.plugin.review.checks import as_status

MARK = marker("digits")
US = "github-actions[bot]"


def comment(author: str, body: str, number: int = 1) -> Comment:
    at = NOW + timedelta(minutes=number)
    url = f"https://github.com/o/r/pull/1#issuecomment-{number}"
    return Comment(id=number, url=url, author=author, body=body, created_at=at, updated_at=at)


@pytest.mark.parametrize(
    ("author", "body", "login", "ours"),
    [
        pytest.param(US, f"{MARK}\ntext", US, True, id="ours"),
        pytest.param("GitHub-Actions[bot]", f"{MARK}\ntext", US, True, id="spelt-otherwise"),
        pytest.param("mallory", f"{MARK}\ntext", US, False, id="a-stranger-with-our-marker"),
        pytest.param("mallory", f"> {MARK}\ntext", US, False, id="a-stranger-quoting-us"),
        pytest.param(US, f"> {MARK}\ntext", US, False, id="our-own-about-something-else"),
        pytest.param(US, f"{marker('other')}\ntext", US, False, id="another-model"),
        pytest.param("our-app[bot]", f"{MARK}\n", "", True, id="login-unknown-an-app"),
        pytest.param("mallory", f"{MARK}\n", "", False, id="login-unknown-a-person"),
        pytest.param("octocat", f"{MARK}\n", "octocat", True, id="personal-token"),
        pytest.param(US, f"{MARK}\n", "octocat", True, id="a-workflows-for-a-person"),
        pytest.param("octocat", f"{MARK}\n", US, False, id="a-persons-for-a-workflow"),
        pytest.param("", f"{MARK}\n", "", False, id="an-account-that-is-gone"),
    ],
)
def test_only_our_own_comment_is_taken_for_ours(
    author: str, body: str, login: str, ours: bool
) -> None:
    assert is_ours(comment(author, body), MARK, login) is ours


def test_of_several_comments_the_oldest_stays() -> None:
    there = [comment(US, "new", 3), comment(US, "old", 1), comment(US, "new", 2)]
    assert comment_actions(there, "new") == (
        EditComment(comment_id=1, body="new"),
        DeleteComment(comment_id=2),
        DeleteComment(comment_id=3),
    )


def test_an_equal_comment_is_not_written_again() -> None:
    assert comment_actions([comment(US, "a\r\nb")], "a\nb\n") == ()
    assert comment_actions([], "a") == (AddComment(body="a"),)


PULL = PullRequest(
    number=7,
    url="https://github.com/o/r/pull/7",
    title="digits v3: passed",
    body="text",
    state="open",
    merged=False,
    head_branch="weighin/digits/v3",
    head_sha="a" * 40,
    head_repository="o/r",
    base_branch="main",
    base_sha="b" * 40,
)
WANTED = OpenPull(head=PULL.head_branch, base="main", title=PULL.title, body=PULL.body)


def test_a_pull_request_is_opened_once_and_edited_only_when_it_differs() -> None:
    edit = EditPull(number=7, title=PULL.title, body="new")
    closed = replace(PULL, state="closed")
    assert pull_actions(None, WANTED, reopen=False) == (WANTED,)
    assert pull_actions(PULL, WANTED, reopen=False) == ()
    assert pull_actions(PULL, replace(WANTED, body="new"), reopen=False) == (edit,)
    assert pull_actions(closed, WANTED, reopen=True) == (ReopenPull(number=7),)


def check(name: str, title: str, *lines: int) -> CheckRun:
    remarks = tuple(
        Annotation(path="weighin.toml", line=line, title="t", message="m") for line in lines
    )
    return CheckRun(
        name=name,
        conclusion=Conclusion.FAILURE,
        title=title,
        summary="s",
        annotations=remarks,
        external_id=f"{title}:{lines}",
    )


def test_a_check_whose_remarks_changed_is_written_anew_because_remarks_only_ever_add_up() -> None:
    known = [KnownCheck(id=5, check=check("d", "same", 4))]
    assert check_actions(known, [check("d", "same", 4)]) == ()
    assert check_actions(known, [check("d", "same", 9)]) == (
        CreateCheck(check=check("d", "same", 9)),
    )
    (update,) = check_actions(known, [check("d", "new", 4)])
    assert isinstance(update, UpdateCheck)
    assert (update.check_id, update.check.title, update.check.annotations) == (5, "new", ())


def test_somebody_who_turned_a_check_around_is_corrected() -> None:
    turned = replace(check("d", "same"), conclusion=Conclusion.SUCCESS)
    (action,) = check_actions([KnownCheck(id=5, check=turned)], [check("d", "same")])
    assert isinstance(action, UpdateCheck)
    assert action.check.conclusion is Conclusion.FAILURE


def test_a_status_fits_into_140_characters_and_is_written_once() -> None:
    status = as_status(check("d", "x" * 500), "https://github.com/o/r/pull/7")
    assert len(status.description) == 140
    assert (status.state, status.context) == ("failure", "d")
    assert status_actions([], [status]) == (SetStatus(status=status),)
    assert status_actions([status], [status]) == ()


COMMENTS = st.lists(
    st.tuples(st.sampled_from([US, "mallory"]), st.sampled_from([MARK, f"{MARK}\nold", "hello"]))
)
TITLES = st.dictionaries(
    st.sampled_from("abc"), st.tuples(st.sampled_from("xy"), st.integers(0, 1))
)


@given(COMMENTS)
def test_once_it_is_done_there_is_nothing_to_do_and_strangers_keep_theirs(
    rows: list[tuple[str, str]],
) -> None:
    there = [comment(author, body, number) for number, (author, body) in enumerate(rows)]
    body, fresh = f"{MARK}\nnew", count(1000)
    after = {one.id: one for one in there}
    for action in comment_actions([one for one in there if is_ours(one, MARK, US)], body):
        match action:
            case AddComment():
                number = next(fresh)
                after[number] = comment(US, action.body, number)
            case EditComment():
                after[action.comment_id] = replace(after[action.comment_id], body=action.body)
            case DeleteComment():
                del after[action.comment_id]
    ours = [one for one in after.values() if is_ours(one, MARK, US)]
    assert [one.body for one in ours] == [body]
    assert comment_actions(ours, body) == ()
    strangers = [one for one in there if not is_ours(one, MARK, US)]
    assert [one for one in after.values() if one not in ours] == strangers


@given(TITLES, TITLES)
def test_checks_once_written_are_not_written_again(
    there: dict[str, tuple[str, int]], wanted: dict[str, tuple[str, int]]
) -> None:
    known = {
        name: KnownCheck(id=number, check=check(name, title, line))
        for number, (name, (title, line)) in enumerate(there.items())
    }
    runs = [check(name, title, line) for name, (title, line) in wanted.items()]
    for action in check_actions(known.values(), runs):
        assert isinstance(action, CreateCheck | UpdateCheck)
        known[action.check.name] = KnownCheck(id=99, check=action.check)
    assert check_actions(known.values(), runs) == ()


def test_statuses_of_others_are_left_alone() -> None:
    other = Status(context="ci/build", state="success", description="ok")
    assert status_actions([other], []) == ()

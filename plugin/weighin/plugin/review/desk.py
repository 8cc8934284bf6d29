"""What a review works with, what it did, and the one place that writes to GitHub."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal, assert_never

from weighin.gates.errors import ConfigError
from weighin.gates.report.context import Context
from weighin.gates.report.markdown import marker
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.github.api import Repository
from weighin.plugin.github.records import Comment, Conclusion, PullRequest
from weighin.plugin.project import Project
from weighin.plugin.review.actions import (
    AddComment,
    CheckAction,
    CommentAction,
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
    in_words,
    is_ours,
    status_actions,
)
from weighin.plugin.review.check_words import Shown
from weighin.plugin.review.checks import (
    as_status,
    check_runs,
    required_check,
    required_status,
)
from weighin.plugin.review.trust import Believed, Bundle, believe

SCHEMA = "weighin/review/v1"

Words = tuple[str, ...]
"""Sentences, one a line."""

State = Literal["open", "closed", "merged", "moved"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything that a review needs from outside.

    Attributes:
        project: The user's repository; on a fork's pull request, the base branch of it.
        repository: The same on GitHub.
        now: The time of the review, UTC.
        context_of: What else is known of a weigh-in with these statements, and notes on that.
        waivers_of: What the comments of a pull request waive, and words on what they do not.
        dry_run: Whether nothing is written anywhere.
    """

    project: Project
    repository: Repository
    now: datetime
    context_of: Callable[[WeighIn, Mapping[str, bytes]], tuple[Context, Words]]
    waivers_of: Callable[[WeighIn, Sequence[Comment]], tuple[tuple[Waiver, ...], Words]]
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What a review did.

    Attributes:
        model: Registered model name.
        version: Registered model version.
        state: Of the pull request; ``moved``: it has newer commits, which are reported apart.
        pull: Its number; ``None`` where a dry run would open it.
        url: Its page.
        branch: The branch that holds the files.
        commit: The commit that the checks are on.
        conclusion: Of the check to require; ``None`` where none was written.
        done: What was written, in words; empty if everything was there already.
        notes: What a person should know beside it.
        dry_run: Whether ``done`` is only what would be written.
    """

    model: str
    version: str
    state: State
    pull: int | None
    url: str
    branch: str
    commit: str
    conclusion: Conclusion | None
    done: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    dry_run: bool = False

    @property
    def exit_code(self) -> int:
        """0 if a merge is not held up by this; else 3, like every command with nothing to ship."""
        good = self.conclusion in (Conclusion.SUCCESS, Conclusion.NEUTRAL)
        return 0 if good or self.state in ("merged", "moved") else 3

    def to_json(self) -> dict[str, object]:
        """The same as JSON values (``weighin/review/v1``)."""
        return {
            "schema": SCHEMA,
            "model": self.model,
            "version": self.version,
            "state": self.state,
            "pull": self.pull,
            "url": self.url,
            "branch": self.branch,
            "commit": self.commit,
            "conclusion": self.conclusion and self.conclusion.value,
            "written": list(self.done),
            "notes": list(self.notes),
            "dry_run": self.dry_run,
        }


def believe_here(desk: Desk, bundle: Bundle) -> Believed:
    """What a bundle is worth by the project's keys; without keys nothing in it is believed."""
    try:
        return believe(bundle, trusted_keys(desk.project), desk.now)
    except ConfigError as error:
        believed = believe(bundle, (), desk.now)
        return replace(believed, objections=(f"nobody's signature counts: {error}",))


def say_comment(
    desk: Desk, model: str, text: str, there: Sequence[Comment], pull: int | None
) -> Words:
    """Keep one comment with this text; what was written, in words.

    Args:
        desk: Where to.
        model: Whose comment it is.
        text: The comment.
        there: The comments there are.
        pull: The pull request; ``None`` in a dry run that would open it.
    """
    mark, login = marker(model), desk.repository.login
    ours = [comment for comment in there if is_ours(comment, mark, login)]
    actions = comment_actions(ours, text)
    for action in actions:
        if not desk.dry_run and pull is not None:
            _write_comment(desk.repository, action, pull)
    return tuple(in_words(action) for action in actions)


def say_checks(
    desk: Desk, shown: Shown, sha: str, url: str, *, pushed: bool = True
) -> tuple[Conclusion, Words]:
    """Write what changed of the checks, or of the statuses where the token may not write checks.

    Args:
        desk: Where to.
        shown: What they speak of.
        sha: The commit that they are on.
        url: Where a status leads to.
        pushed: Whether GitHub has the commit; in a dry run it may not.

    Returns:
        How the check to require ended, and what was written, in words.
    """
    repository, runs = desk.repository, check_runs(shown)
    *_, model = runs
    actions: Sequence[CheckAction]
    if repository.writes_checks:
        known = repository.checks(sha) if pushed else ()
        required = required_check(model, known)
        actions = check_actions(known, (*runs, required))
    else:
        statuses = repository.statuses(sha) if pushed else ()
        required = required_status(model, statuses)
        wanted = [as_status(check, url) for check in (*runs, required)]
        actions = status_actions(statuses, wanted)
    for action in actions:
        if not desk.dry_run:
            _write_check(repository, action, sha)
    return required.conclusion, tuple(in_words(action) for action in actions)


def write_pull(desk: Desk, action: OpenPull | EditPull | ReopenPull) -> PullRequest:
    """Open, change or reopen a pull request."""
    match action:
        case OpenPull(head=head, base=base, title=title, body=body):
            return desk.repository.open_pull(head=head, base=base, title=title, body=body)
        case EditPull(number=number, title=title, body=body):
            return desk.repository.edit_pull(number, title=title, body=body)
        case ReopenPull(number=number):
            return desk.repository.reopen_pull(number)
        case _:
            assert_never(action)


def _write_comment(repository: Repository, action: CommentAction, pull: int) -> None:
    match action:
        case AddComment(body=body):
            repository.add_comment(pull, body)
        case EditComment(comment_id=number, body=body):
            if repository.edit_comment(number, body) is None:  # somebody just deleted it
                repository.add_comment(pull, body)
        case DeleteComment(comment_id=number):
            repository.delete_comment(number)
        case _:
            assert_never(action)


def _write_check(repository: Repository, action: CheckAction, sha: str) -> None:
    match action:
        case CreateCheck(check=check):
            repository.create_check(sha, check)
        case UpdateCheck(check_id=number, check=check):
            repository.update_check(number, check)
        case SetStatus(status=status):
            repository.set_status(sha, status)
        case _:
            assert_never(action)

"""What is on GitHub, what should be there, and what is to be written: nothing twice. Pure.

The law, held by a property test: once the actions are done, asking again gives none.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from weighin.gates.report.words import count
from weighin.plugin.github.records import CheckRun, Comment, KnownCheck, PullRequest, Status


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenPull:
    """Open a pull request."""

    head: str
    base: str
    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditPull:
    """Change a pull request's title and description."""

    number: int
    title: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReopenPull:
    """Open a closed pull request again."""

    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class AddComment:
    """Write the comment."""

    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EditComment:
    """Replace the comment's text."""

    comment_id: int
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteComment:
    """Remove a second comment of ours."""

    comment_id: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CreateCheck:
    """Write a check run."""

    check: CheckRun


@dataclass(frozen=True, slots=True, kw_only=True)
class UpdateCheck:
    """Replace a check run's outcome and text; its remarks are those that it has."""

    check_id: int
    check: CheckRun


@dataclass(frozen=True, slots=True, kw_only=True)
class SetStatus:
    """Write a commit status."""

    status: Status


PullAction = OpenPull | EditPull | ReopenPull
CommentAction = AddComment | EditComment | DeleteComment
CheckAction = CreateCheck | UpdateCheck | SetStatus
Action = PullAction | CommentAction | CheckAction


def is_ours(comment: Comment, marker: str, login: str) -> bool:
    """Whether we wrote a comment: it starts with our marker, and is by who we write as, or an App.

    Somebody else may quote the marker; their comment is theirs. An App's account is taken for us,
    whoever we write as: no person can have a name like that, so a review by hand goes on in the
    comment that a workflow wrote.

    Args:
        comment: The comment.
        marker: The invisible first line.
        login: Who we write as; empty if that is not known.
    """
    author = comment.author.casefold()
    by_us = (login and author == login.casefold()) or _is_app(comment)
    return bool(by_us) and comment.body.lstrip().startswith(marker)


def comment_actions(ours: Sequence[Comment], body: str) -> tuple[CommentAction, ...]:
    """Keep one comment with this text: the oldest of an App's, else the oldest.

    Args:
        ours: Our comments with this marker, in any order.
        body: The text that there should be.
    """
    if not ours:
        return (AddComment(body=body),)
    kept, *others = sorted(ours, key=lambda one: (not _is_app(one), one.created_at, one.id))
    edit = () if same_text(kept.body, body) else (EditComment(comment_id=kept.id, body=body),)
    return (*edit, *(DeleteComment(comment_id=other.id) for other in others))


def _is_app(comment: Comment) -> bool:
    return comment.author.casefold().endswith("[bot]")


def same_text(there: str, wanted: str) -> bool:
    """Whether two texts are equal but for what a server changes: line ends, outer blanks."""
    return _settled(there) == _settled(wanted)


def pull_actions(
    pull: PullRequest | None, wanted: OpenPull, *, reopen: bool
) -> tuple[PullAction, ...]:
    """One pull request of this branch, open, with this title and description.

    Args:
        pull: The one there is, if there is one that may be used.
        wanted: What there should be. A title that a person wrote and text outside of our part
            of the description are theirs, see :mod:`weighin.plugin.review.pull_text`.
        reopen: Whether a closed one is opened again.
    """
    if pull is None:
        return (wanted,)
    again = (ReopenPull(number=pull.number),) if reopen and pull.state == "closed" else ()
    if pull.title == wanted.title and same_text(pull.body, wanted.body):
        return again
    edit = EditPull(number=pull.number, title=wanted.title, body=wanted.body)
    return (*again, edit)


def check_actions(
    known: Iterable[KnownCheck], wanted: Iterable[CheckRun]
) -> tuple[CheckAction, ...]:
    """The check runs to write on a commit.

    GitHub adds annotations to a run and never takes one away: a run whose remarks changed is
    written anew, and the newest of a name is the one that counts.
    """
    by_name = {one.check.name: one for one in known}
    actions: list[CheckAction] = []
    for check in wanted:
        there = by_name.get(check.name)
        if there is None or _remarks_of(there.check) != _remarks_of(check):
            actions.append(CreateCheck(check=check))
        elif (there.check.external_id, there.check.conclusion) != (
            check.external_id,
            check.conclusion,
        ):
            quiet = replace(check, annotations=())
            actions.append(UpdateCheck(check_id=there.id, check=quiet))
    return tuple(actions)


def status_actions(known: Iterable[Status], wanted: Iterable[Status]) -> tuple[CheckAction, ...]:
    """The commit statuses to write on a commit."""
    by_context = {one.context: one for one in known}
    return tuple(SetStatus(status=one) for one in wanted if by_context.get(one.context) != one)


def in_words(action: Action) -> str:
    """What an action does, for people; a dry run prints these."""
    match action:
        case OpenPull():
            return f"open a pull request of {action.head} into {action.base}"
        case EditPull():
            return f"change title and description of #{action.number}"
        case ReopenPull():
            return f"reopen #{action.number}"
        case AddComment():
            return f"write the comment ({len(action.body)} characters)"
        case EditComment():
            return f"change comment {action.comment_id}"
        case DeleteComment():
            return f"remove the second comment {action.comment_id}"
        case CreateCheck(check=check) | UpdateCheck(check=check):
            remarks = f", {count(len(check.annotations), 'remark')}" if check.annotations else ""
            return f"check {check.name}: {check.conclusion}{remarks}"
        case SetStatus(status=status):
            return f"status {status.context}: {status.state}"


def _remarks_of(check: CheckRun) -> str:
    return check.external_id.partition(":")[2]


def _settled(text: str) -> str:
    return text.replace("\r\n", "\n").strip()

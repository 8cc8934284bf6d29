"""The seam: one repository on GitHub, as far as a review needs it."""

from collections.abc import Iterator, Sequence
from typing import Protocol

from weighin.plugin.github.records import (
    Branch,
    CheckRun,
    Comment,
    KnownCheck,
    PullRequest,
    Status,
)


class Repository(Protocol):
    """One repository with the rights of one token.

    Every method raises :class:`weighin.gates.errors.GitHubError`, which says what was refused, of
    which thing, and what to do: no rights, an expired token, no such repository, a limit that
    outlasts the patience, a server that does not recover.
    """

    @property
    def full_name(self) -> str:
        """``OWNER/NAME``, as GitHub spells it."""
        ...

    @property
    def writes_checks(self) -> bool:
        """Whether the token may write check runs (an App's, or a workflow's); else statuses."""
        ...

    @property
    def login(self) -> str:
        """Who comments are written as: ``github-actions[bot]``, ``octocat``; empty if unknown."""
        ...

    def default_branch(self) -> str:
        """The branch that pull requests go to."""
        ...

    def branch(self, name: str) -> Branch | None:
        """A branch, or ``None``."""
        ...

    def file_at(self, path: str, ref: str) -> bytes | None:
        """A file's content at a commit, or ``None``."""
        ...

    def pull(self, number: int) -> PullRequest | None:
        """One pull request, or ``None``."""
        ...

    def pulls_of(self, head_branch: str) -> Sequence[PullRequest]:
        """Every pull request of a branch of this repository, newest first, closed ones too."""
        ...

    def open_pull(self, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request."""
        ...

    def edit_pull(self, number: int, *, title: str, body: str) -> PullRequest:
        """Change its title and description."""
        ...

    def reopen_pull(self, number: int) -> PullRequest:
        """Open it again."""
        ...

    def comments(self, number: int) -> Iterator[Comment]:
        """Every comment on a pull request, oldest first; fetched page by page as asked for."""
        ...

    def add_comment(self, number: int, body: str) -> Comment:
        """Write a comment."""
        ...

    def edit_comment(self, comment_id: int, body: str) -> Comment | None:
        """Replace a comment's text; ``None`` if it is gone."""
        ...

    def delete_comment(self, comment_id: int) -> None:
        """Remove a comment; one that is gone already is no error."""
        ...

    def checks(self, sha: str) -> Sequence[KnownCheck]:
        """The newest check run of each name on a commit that this token's App wrote."""
        ...

    def create_check(self, sha: str, check: CheckRun) -> int:
        """Write a finished check run, all of its annotations included."""
        ...

    def update_check(self, check_id: int, check: CheckRun) -> None:
        """Replace a check run's outcome and text, and add the annotations that are missing.

        GitHub takes no annotation back: if old ones must go, create a new run of the same name.
        """
        ...

    def statuses(self, sha: str) -> Sequence[Status]:
        """The newest status of each context on a commit."""
        ...

    def set_status(self, sha: str, status: Status) -> None:
        """Write a commit status."""
        ...

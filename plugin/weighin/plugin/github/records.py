"""What a review reads from GitHub and writes to it, as records."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Literal


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """A branch and the commit it points to."""

    name: str
    sha: str
    protected: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """A pull request.

    Attributes:
        number: Its number.
        url: Its page.
        title: Its title.
        body: Its description.
        state: ``open`` or ``closed``.
        merged: Whether it was merged.
        head_branch: The branch that is merged.
        head_sha: Its newest commit.
        head_repository: ``OWNER/NAME`` of the branch; empty if that repository is gone.
        base_branch: The branch that it is merged into.
        base_sha: That branch's commit.
    """

    number: int
    url: str
    title: str
    body: str
    state: Literal["open", "closed"]
    merged: bool
    head_branch: str
    head_sha: str
    head_repository: str
    base_branch: str
    base_sha: str

    def from_fork(self, repository: str) -> bool:
        """Whether its branch is in another repository than its base."""
        return self.head_repository.lower() != repository.lower()


@dataclass(frozen=True, slots=True, kw_only=True)
class Comment:
    """A comment on a pull request."""

    id: int
    url: str
    author: str
    body: str
    created_at: datetime
    updated_at: datetime

    @property
    def edited(self) -> bool:
        """Whether somebody changed it after it was written."""
        return self.updated_at != self.created_at


class Conclusion(StrEnum):
    """How a finished check ended; only these are used."""

    SUCCESS = "success"
    FAILURE = "failure"
    NEUTRAL = "neutral"


@dataclass(frozen=True, slots=True, kw_only=True)
class Annotation:
    """A remark on lines of one file, shown in the pull request's changes."""

    path: str
    line: int
    title: str
    message: str
    level: Literal["notice", "warning", "failure"] = "failure"


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckRun:
    """A finished check on a commit.

    Attributes:
        name: What branch protection may require, such as ``weighin / digits / pixel-4``.
        conclusion: How it ended.
        title: One line.
        summary: Markdown, at most 65,535 characters.
        annotations: Any number; they are sent 50 at a time.
        external_id: Ours, to find it again.
    """

    name: str
    conclusion: Conclusion
    title: str
    summary: str
    annotations: tuple[Annotation, ...] = ()
    external_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownCheck:
    """A check run that is on GitHub already."""

    id: int
    check: CheckRun


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """A commit status: what a personal token may write in place of a check run."""

    context: str
    state: Literal["success", "failure", "error", "pending"]
    description: str
    url: str = ""

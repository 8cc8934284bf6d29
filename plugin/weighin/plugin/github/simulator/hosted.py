"""One repository on the simulated GitHub: its git, pull requests, comments, checks, statuses.

What this module does not do: it answers no call and knows no rights.
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from weighin.plugin.github.simulator.gitrepo import BareRepository
from weighin.plugin.github.simulator.people import Token


@dataclass(slots=True, kw_only=True)
class CommentRow:
    """A comment as it is kept."""

    id: int
    number: int
    author: str | None
    body: str
    created_at: datetime
    updated_at: datetime


@dataclass(slots=True, kw_only=True)
class CheckRow:
    """A check run as it is kept; ``facts`` holds what was sent, less the output."""

    id: int
    sha: str
    author: Token
    facts: dict[str, Any]
    title: str | None = None
    summary: str | None = None
    text: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    started_at: datetime
    completed_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRow:
    """A commit status as it is kept."""

    id: int
    sha: str
    author: str
    state: str
    context: str
    description: str | None
    target_url: str | None
    created_at: datetime


@dataclass(slots=True, kw_only=True)
class PullRow:
    """A pull request as it is kept."""

    number: int
    id: int
    author: str
    title: str
    body: str | None
    head_repository: "Hosted | None"
    head_branch: str
    head_sha: str
    base_branch: str
    created_at: datetime
    updated_at: datetime
    state: str = "open"
    closed_at: datetime | None = None
    merged_at: datetime | None = None
    merged_by: str | None = None
    merge_sha: str | None = None


@dataclass(slots=True, kw_only=True, eq=False)
class Hosted:
    """A repository as it is kept.

    Attributes:
        full_name: ``OWNER/NAME``.
        id: Its number.
        git: Where its branches and files are.
        default_branch: Where pull requests go.
        private: Whether strangers may not see it.
        parent: What it is a fork of.
        old_names: What it was called before; leads to 301.
        protected: Branches that refuse pushes, each with the checks that merging needs.
    """

    full_name: str
    id: int
    git: BareRepository
    default_branch: str
    created_at: datetime
    private: bool = False
    parent: "Hosted | None" = None
    old_names: tuple[str, ...] = ()
    protected: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    pulls: dict[int, PullRow] = field(default_factory=dict[int, PullRow])
    comments: dict[int, CommentRow] = field(default_factory=dict[int, CommentRow])
    checks: dict[int, CheckRow] = field(default_factory=dict[int, CheckRow])
    statuses: list[StatusRow] = field(default_factory=list[StatusRow])

    @property
    def owner(self) -> str:
        """The account that it belongs to."""
        return self.full_name.split("/", 1)[0]

    @property
    def name(self) -> str:
        """Its name without the account."""
        return self.full_name.split("/", 1)[1]

    def protect(self, branch: str, required: tuple[str, ...] = ()) -> None:
        """Refuse pushes to a branch, and merging into it until the named checks are green."""
        self.protected[branch] = required
        self.git.protect(branch)

    def missing_checks(self, branch: str, sha: str) -> list[str]:
        """The required checks and statuses that are not green on a commit."""
        green = {
            row.facts["name"]
            for row in sorted(self.checks.values(), key=lambda row: row.id)
            if row.sha == sha and row.facts.get("conclusion") in ("success", "neutral", "skipped")
        }
        latest = {row.context: row.state for row in self.statuses if row.sha == sha}
        green |= {context for context, state in latest.items() if state == "success"}
        return [name for name in self.protected.get(branch, ()) if name not in green]

    def follow(self, pull: PullRow, now: datetime) -> None:
        """Bring an open pull request up to date with its branches, as GitHub does after a push."""
        if pull.state != "open" or pull.head_repository is None:
            return
        sha = pull.head_repository.git.head(pull.head_branch)
        if sha is not None and sha != pull.head_sha:
            pull.head_sha, pull.updated_at = sha, now
        self.keep(pull)
        base = self.git.head(pull.base_branch)
        if base is not None and self.git.contains(base, pull.head_sha):
            pull.state, pull.merge_sha = "closed", base
            pull.closed_at = pull.merged_at = pull.updated_at = now

    def keep(self, pull: PullRow) -> None:
        """Keep its newest commit under ``refs/pull/NUMBER/head``, as GitHub does."""
        ref = f"refs/pull/{pull.number}/head"
        if self.git.resolve(ref) == pull.head_sha or pull.head_repository is None:
            return
        if pull.head_repository is self:
            self.git.update(ref, pull.head_sha)
        elif pull.head_repository.git.head(pull.head_branch):
            self.git.fetch(pull.head_repository.git, pull.head_branch, ref)

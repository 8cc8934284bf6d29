"""One repository on GitHub, as :class:`weighin.plugin.github.api.Repository` describes it.

Made by :func:`weighin.plugin.github.connect.connect_repository`; import that where GitHub is really
needed, since github3 comes with it.

What this module does not do: it keeps nothing between calls, and decides nothing about a review.
"""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weighin.gates.errors import GitHubError
from weighin.plugin.github import rows
from weighin.plugin.github.checks import Checks
from weighin.plugin.github.records import (
    Branch,
    CheckRun,
    Comment,
    KnownCheck,
    PullRequest,
    Status,
)
from weighin.plugin.github.refusals import Ask
from weighin.plugin.github.talk import Talk, parsed, path_of

_CONTENTS = "contents: read"
_READS = "pull-requests: read"
_WRITES = "pull-requests: write"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Who a connection is.

    Attributes:
        login: Who comments are written as; empty if unknown.
        app: The App's name in addresses; empty for a person, or if unknown.
        writes_checks: Whether check runs may be written.
        token: Whose rights it has, for messages.
    """

    login: str
    app: str
    writes_checks: bool
    token: str


@dataclass(frozen=True, slots=True)
class GitHubRepository:
    """One repository with the rights of one token."""

    _full_name: str
    _default_branch: str
    _identity: Identity
    _talk: Talk

    @property
    def full_name(self) -> str:
        """``OWNER/NAME``, as GitHub spells it."""
        return self._full_name

    @property
    def writes_checks(self) -> bool:
        """Whether the token may write check runs; else statuses."""
        return self._identity.writes_checks

    @property
    def login(self) -> str:
        """Who comments are written as; empty if unknown."""
        return self._identity.login

    def default_branch(self) -> str:
        """The branch that pull requests go to."""
        return self._default_branch

    def branch(self, name: str) -> Branch | None:
        """A branch, or ``None``."""
        ask = self._ask(f"read the branch {name!r}", _CONTENTS)
        row = self._talk.find(ask, self._root + path_of("branches", name))
        return None if row is None else parsed(ask, rows.branch_of, row)

    def file_at(self, path: str, ref: str) -> bytes | None:
        """A file's content at a commit, up to 100 MB; ``None`` if there is no such file."""
        ask = self._ask(f"read {path!r} at {ref}", _CONTENTS)
        at = self._root + path_of("contents", path)
        row = self._talk.find(ask, at, {"ref": ref})
        # A folder is a list; a link and a submodule have no content.
        if row is None or isinstance(row, list) or parsed(ask, _type_of, row) != "file":
            return None
        if row.get("encoding") != "base64":
            row = self._talk.read(ask, self._root + path_of("git", "blobs", str(row.get("sha"))))
        return parsed(ask, _content_of, row)

    def pull(self, number: int) -> PullRequest | None:
        """One pull request, or ``None``."""
        ask = self._ask(f"read pull request {number}", _READS)
        row = self._talk.find(ask, self._root + path_of("pulls", number))
        return None if row is None else parsed(ask, rows.pull_of, row)

    def pulls_of(self, head_branch: str) -> Sequence[PullRequest]:
        """Every pull request of a branch of this repository, newest first, closed ones too."""
        ask = self._ask(f"list the pull requests of {head_branch!r}", _READS)
        owner = self._full_name.split("/", 1)[0]
        params = {"state": "all", "head": f"{owner}:{head_branch}", "direction": "desc"}
        listed = self._talk.pages(ask, self._root + "/pulls", params)
        pulls = [parsed(ask, rows.pull_of, row) for row in listed]
        # An older GitHub ignores a head that it cannot read, and lists everything.
        return [row for row in pulls if row.head_branch == head_branch and not self._fork(row)]

    def _fork(self, pull: PullRequest) -> bool:
        return bool(pull.head_repository) and pull.from_fork(self._full_name)

    def open_pull(self, *, head: str, base: str, title: str, body: str) -> PullRequest:
        """Open a pull request."""
        ask = self._ask(f"open a pull request of {head!r} into {base!r}", _WRITES)
        path = self._root + "/pulls"
        fields = {"head": head, "base": base, "title": title, "body": body}
        return self._talk.write_once(
            lambda: parsed(ask, rows.pull_of, self._talk.write(ask, path, fields)),
            lambda: self._open_one(head, base),
        )

    def _open_one(self, head: str, base: str) -> PullRequest | None:
        found = (row for row in self.pulls_of(head) if row.base_branch == base)
        return next((row for row in found if row.state == "open"), None)

    def edit_pull(self, number: int, *, title: str, body: str) -> PullRequest:
        """Change its title and description."""
        return self._change_pull(number, "change", {"title": title, "body": body})

    def reopen_pull(self, number: int) -> PullRequest:
        """Open it again."""
        return self._change_pull(number, "reopen", {"state": "open"})

    def _change_pull(self, number: int, verb: str, fields: Mapping[str, Any]) -> PullRequest:
        ask = self._ask(f"{verb} pull request {number}", _WRITES)
        row = self._talk.change(ask, self._root + path_of("pulls", number), fields)
        if row is None:
            raise GitHubError(
                f"GitHub could not {ask.doing}: it is not there, or {ask.token} may "
                f"not write it; it needs the permission {_WRITES!r}."
            )
        return parsed(ask, rows.pull_of, row)

    def comments(self, number: int) -> Iterator[Comment]:
        """Every comment on a pull request, oldest first; fetched page by page as asked for."""
        ask = self._ask(f"read the comments on pull request {number}", _READS)
        path = self._root + path_of("issues", number, "comments")
        for row in self._talk.pages(ask, path):
            yield parsed(ask, rows.comment_of, row)

    def add_comment(self, number: int, body: str) -> Comment:
        """Write a comment."""
        ask = self._ask(f"comment on pull request {number}", _WRITES)
        path = self._root + path_of("issues", number, "comments")
        return self._talk.write_once(
            lambda: parsed(ask, rows.comment_of, self._talk.write(ask, path, {"body": body})),
            lambda: self._same_comment(number, body),
        )

    def _same_comment(self, number: int, body: str) -> Comment | None:
        # GitHub keeps line ends as they come, but strips what is around the text.
        same = (row for row in self.comments(number) if row.body.strip() == body.strip())
        return next((row for row in same if self.login in ("", row.author)), None)

    def edit_comment(self, comment_id: int, body: str) -> Comment | None:
        """Replace a comment's text; ``None`` if it is gone."""
        ask = self._ask(f"change comment {comment_id}", _WRITES)
        path = self._root + path_of("issues", "comments", comment_id)
        row = self._talk.change(ask, path, {"body": body})
        return None if row is None else parsed(ask, rows.comment_of, row)

    def delete_comment(self, comment_id: int) -> None:
        """Remove a comment; one that is gone already is no error."""
        ask = self._ask(f"delete comment {comment_id}", _WRITES)
        self._talk.remove(ask, self._root + path_of("issues", "comments", comment_id))

    def checks(self, sha: str) -> Sequence[KnownCheck]:
        """The newest check run of each name on a commit that this token's App wrote."""
        return self._checks.known(sha)

    def create_check(self, sha: str, check: CheckRun) -> int:
        """Write a finished check run, all of its annotations included."""
        return self._checks.create(sha, check)

    def update_check(self, check_id: int, check: CheckRun) -> None:
        """Replace a check run's outcome and text; missing annotations are added, none removed."""
        self._checks.update(check_id, check)

    def statuses(self, sha: str) -> Sequence[Status]:
        """The newest status of each context on a commit."""
        return self._checks.statuses(sha)

    def set_status(self, sha: str, status: Status) -> None:
        """Write a commit status; a description over 140 characters is cut."""
        self._checks.set_status(sha, status)

    @property
    def _root(self) -> str:
        return "/repos" + path_of(*self._full_name.split("/", 1))

    @property
    def _checks(self) -> Checks:
        return Checks(
            talk=self._talk,
            root=self._root,
            app=self._identity.app,
            writes_checks=self.writes_checks,
            ask=self._ask,
        )

    def _ask(self, doing: str, needs: str) -> Ask:
        return Ask(doing=f"{doing} in {self._full_name}", needs=needs, token=self._identity.token)


def _type_of(row: Mapping[str, Any]) -> str:
    return str(row["type"])


def _content_of(row: Mapping[str, Any]) -> bytes:
    return base64.b64decode(row["content"])

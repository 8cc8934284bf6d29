"""Fetching the bundle of a workflow run that nobody trusts, and the pull request that it is for.

Which pull request it is comes from the event and from GitHub, never from the bundle. The event
names no pull request when the branch is in a fork, so the open ones of that branch are asked for,
and the one whose newest commit is the run's is taken. A branch that has moved on has none: its
next run reports.

What this module does not do: it unpacks nothing (:mod:`weighin.plugin.bundle` does), and it sends
the token to nobody but the API's own host.
"""

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException
from typing import IO, Protocol

from weighin.gates import wire
from weighin.gates.errors import EvidenceError, GitHubError

ARTIFACT = "weighin-bundle"
"""What the measuring workflow calls its artifact."""

_PATIENCE_S = 30.0
_ANSWER_BYTES = 16 * 2**20
_REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """The finished run of the measuring workflow, as GitHub's event tells of it.

    Attributes:
        id: Of the run.
        event: What started it.
        head_sha: The pull request's newest commit at that time.
        head_branch: Its branch.
        head_owner: Who owns the repository of that branch; empty if it is gone.
        head_repository: ``OWNER/NAME`` of it; empty if it is gone.
    """

    id: int
    event: str
    head_sha: str
    head_branch: str
    head_owner: str
    head_repository: str


class Api(Protocol):
    """GitHub's REST API, as far as this module needs it."""

    def ask(self, path: str, query: Mapping[str, str]) -> object:
        """The JSON answer to a GET."""
        ...

    def download(self, path: str, at_most: int) -> bytes:
        """The file behind an address, which may be on another host."""
        ...


def run_of(event: object) -> Run:
    """Read a ``workflow_run`` event.

    Raises:
        GitHubError: it is something else.
    """
    try:
        fields = wire.object_of(wire.object_of(event, "event").get("workflow_run"), "workflow_run")
        gone = fields.get("head_repository") is None
        head = {} if gone else wire.object_of(fields["head_repository"], "head_repository")
        return Run(
            id=wire.whole_of(fields, "id"),
            event=wire.text_of(fields, "event"),
            head_sha=wire.text_of(fields, "head_sha"),
            head_branch=wire.text_of(fields, "head_branch"),
            head_owner="" if gone else _owner(head),
            head_repository="" if gone else wire.text_of(head, "full_name"),
        )
    except ValueError as error:
        raise GitHubError(f"the event is no finished workflow run: {error}") from error


def pull_of(run: Run, repository: str, api: Api) -> int | None:
    """The open pull request whose newest commit the run measured; ``None`` if it has moved on.

    Raises:
        GitHubError: GitHub refused, or answered something else.
    """
    if run.event != "pull_request" or not run.head_owner:
        return None
    query = {"state": "open", "head": f"{run.head_owner}:{run.head_branch}", "per_page": "100"}
    answer = api.ask(f"/repos/{repository}/pulls", query)
    try:
        pulls = [
            wire.object_of(one, "pull request") for one in wire.list_of({"pulls": answer}, "pulls")
        ]
        found = [wire.whole_of(pull, "number") for pull in pulls if _is_of(pull, run)]
    except ValueError as error:
        raise GitHubError(f"{repository}: its pull requests cannot be read: {error}") from error
    return found[0] if found else None


def packed_bundle(run: Run, repository: str, api: Api, at_most: int) -> bytes | None:
    """The zip that the run left; ``None`` if it left none.

    Args:
        run: The run.
        repository: ``OWNER/NAME``.
        api: Where to ask.
        at_most: The largest size in bytes that is fetched.

    Raises:
        GitHubError: GitHub refused.
        EvidenceError: the artifact is larger than allowed.
    """
    query = {"name": ARTIFACT, "per_page": "1"}
    answer = api.ask(f"/repos/{repository}/actions/runs/{run.id}/artifacts", query)
    try:
        listed = wire.list_of(wire.object_of(answer, "artifacts"), "artifacts")
        if not listed:
            return None
        fields = wire.object_of(listed[0], "artifact")
        number, expired = wire.whole_of(fields, "id"), fields.get("expired") is True
    except ValueError as error:
        raise GitHubError(f"run {run.id}: its artifacts cannot be read: {error}") from error
    if expired:
        return None
    return api.download(f"/repos/{repository}/actions/artifacts/{number}/zip", at_most)


class RestApi:
    """The API over HTTP with one token."""

    def __init__(self, address: str, token: str) -> None:
        """Talk to ``address`` (``https://api.github.com``) with a token that it never shows."""
        self._address = address.rstrip("/")
        self._token = token
        self._opener = urllib.request.build_opener(_NoRedirects)

    def ask(self, path: str, query: Mapping[str, str]) -> object:
        """The JSON answer to a GET.

        Raises:
            GitHubError: it was refused, or is no JSON.
        """
        address = f"{self._address}{path}?{urllib.parse.urlencode(query)}"
        try:
            return json.loads(self._get(address, _ANSWER_BYTES, path, secret=True)[0])
        except (ValueError, RecursionError) as error:
            raise GitHubError(f"GET {path}: the answer is not JSON") from error

    def download(self, path: str, at_most: int) -> bytes:
        """The file behind an address; the token does not follow it to another host.

        Raises:
            GitHubError: it was refused.
            EvidenceError: the file is larger than allowed.
        """
        content, elsewhere = self._get(f"{self._address}{path}", at_most, path, secret=True)
        if elsewhere is None:
            return content
        own = urllib.parse.urlsplit(self._address).scheme
        if urllib.parse.urlsplit(elsewhere).scheme not in {"https", own}:
            raise GitHubError(f"GET {path}: leads to an address that is not https")
        content, again = self._get(elsewhere, at_most, path, secret=False)
        if again is not None:
            raise GitHubError(f"GET {path}: leads from one address to the next")
        return content

    def _get(
        self, address: str, at_most: int, path: str, *, secret: bool
    ) -> tuple[bytes, str | None]:
        """The content, or the address that it has moved to."""
        request = urllib.request.Request(address, headers=self._headers(secret=secret))  # noqa: S310 - the API's scheme, or one checked above
        try:
            with self._opener.open(request, timeout=_PATIENCE_S) as answer:
                content = answer.read(at_most + 1)
        except urllib.error.HTTPError as error:
            with error:
                moved = error.headers.get("Location")
            if error.code in _REDIRECTS and moved:
                return b"", urllib.parse.urljoin(address, moved)
            raise GitHubError(
                f"GET {path}: HTTP {error.code}; the job needs `actions: read` and "
                "`pull-requests: read` at least"
            ) from error
        except (OSError, HTTPException) as error:
            raise GitHubError(f"GET {path}: no answer: {type(error).__name__}") from error
        if len(content) > at_most:
            raise EvidenceError(f"GET {path}: larger than {at_most} bytes, so it was not fetched")
        return content, None

    def _headers(self, *, secret: bool) -> dict[str, str]:
        common = {"User-Agent": "weighin"}
        if not secret:
            return common
        return common | {
            "Accept": "application/vnd.github+json",
            "X-GitHub-Api-Version": "2022-11-28",
            "Authorization": f"Bearer {self._token}",
        }


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """urllib would take the token along to wherever an answer points."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Never by itself."""


def _owner(head: Mapping[str, object]) -> str:
    return wire.text_of(wire.object_of(head.get("owner"), "owner"), "login")


def _is_of(pull: Mapping[str, object], run: Run) -> bool:
    head = wire.object_of(pull.get("head"), "head")
    repository = head.get("repo")
    if repository is None:
        return False
    name = wire.text_of(wire.object_of(repository, "repo"), "full_name")
    return wire.text_of(head, "sha") == run.head_sha and name == run.head_repository

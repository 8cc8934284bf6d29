"""From a command line and an environment to what a review works with.

The one place that chooses: which repository, which server, whose token, where the branch goes.
A token is shown to git only where the branch goes to that very server.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from weighin.gates.errors import ConfigError
from weighin.gates.report.context import Context
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import FILE_NAME, ReviewConfig
from weighin.plugin.console import warn
from weighin.plugin.context import context_for
from weighin.plugin.github.connect import connect_repository, push_token
from weighin.plugin.github.credentials import Credentials, choose_credentials
from weighin.plugin.github.patience import SystemClock
from weighin.plugin.github.records import Comment
from weighin.plugin.project import Project, open_project
from weighin.plugin.review.desk import Desk, Words
from weighin.plugin.review.workplace import Workplace
from weighin.plugin.waiver_ask import waivers_from_comments
from weighin.plugin.waivers import record_waivers
from weighin.registry.git_plumbing import Remote, at_top, remote_of, token_fits

_CLOUD = "api.github.com"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """What the command line says; ``None`` where it says nothing.

    Attributes:
        repository: ``OWNER/NAME``.
        api: The API's address.
        base: The branch to merge into.
        remote: Where the branch goes: a name or a URL.
        reopen: Whether a closed pull request is opened again.
        renew: Whether a merged version that was weighed again gets a new pull request.
        dry_run: Whether nothing is written.
    """

    repository: str | None = None
    api: str | None = None
    base: str | None = None
    remote: str = "origin"
    reopen: bool = False
    renew: bool = False
    dry_run: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """A desk, and what it was opened with.

    Attributes:
        desk: The desk.
        api: The API's address.
        credentials: What GitHub was shown.
    """

    desk: Desk
    api: str
    credentials: Credentials


def open_desk(
    wishes: Wishes, environ: Mapping[str, str], start: Path, *, signs: bool, now: datetime
) -> Opened:
    """Connect to GitHub for the project at or above a folder.

    Args:
        wishes: The command line.
        environ: The environment, with the credentials.
        start: The folder.
        signs: Whether waivers are recorded under the evidence key; else they are only shown.
        now: The time of the review.

    Raises:
        ConfigError: there is no project, or nobody says which repository.
        GitHubError: there are no credentials, or GitHub does not accept them.
    """
    project = open_project(start, environ)
    api = api_of(wishes.api, project.config.review, environ)
    credentials = choose_credentials(environ, api)
    repository = connect_repository(
        repository_name(wishes.repository, project.config.review, environ),
        api,
        credentials,
        clock=SystemClock(tell=warn),
    )

    def context_of(weigh_in: WeighIn, envelopes: Mapping[str, bytes]) -> tuple[Context, Words]:
        return context_for(project, weigh_in, now, envelopes=envelopes)

    def waivers_of(
        weigh_in: WeighIn, comments: Sequence[Comment]
    ) -> tuple[tuple[Waiver, ...], Words]:
        if signs and not wishes.dry_run:
            recorded = record_waivers(project, weigh_in, comments, now)
            return recorded.waivers, tuple(one.words for one in recorded.refused)
        return asked_waivers(project, weigh_in, comments, now)

    desk = Desk(
        project=project,
        repository=repository,
        now=now,
        context_of=context_of,
        waivers_of=waivers_of,
        dry_run=wishes.dry_run,
    )
    return Opened(desk=desk, api=api, credentials=credentials)


def open_workplace(wishes: Wishes, environ: Mapping[str, str], opened: Opened) -> Workplace:
    """Where the branch is made and where it goes.

    Raises:
        StoreError: the project is in no git repository.
        GitHubError: an App gets no token.
    """
    git, prefix = at_top(opened.desk.project.root, environ)
    url, token = remote_of(git, wishes.remote), ""
    if token_fits(url, git_host(opened.api)):
        name = opened.desk.repository.full_name
        token = push_token(name, opened.api, opened.credentials)
    return Workplace(
        git=git,
        prefix=prefix,
        remote=Remote(name=wishes.remote, url=url, token=token),
        base=wishes.base,
        reopen=wishes.reopen,
        renew=wishes.renew,
    )


def asked_waivers(
    project: Project, weigh_in: WeighIn, comments: Sequence[Comment], now: datetime
) -> tuple[tuple[Waiver, ...], Words]:
    """What comments waive, without recording it, and words on what they ask for in vain."""
    asked = waivers_from_comments(comments, project.config.review, weigh_in, now)
    granted = tuple(one for one in asked if isinstance(one, Waiver))
    return granted, tuple(one.words for one in asked if not isinstance(one, Waiver))


def repository_name(said: str | None, review: ReviewConfig, environ: Mapping[str, str]) -> str:
    """``OWNER/NAME``: from the command line, the file, or the workflow that runs this.

    Raises:
        ConfigError: none of them says it.
    """
    name = said or review.repository or environ.get("GITHUB_REPOSITORY")
    if not name:
        raise ConfigError(
            f"which repository? --repo OWNER/NAME, or repository in [review] of {FILE_NAME}"
        )
    return name


def api_of(said: str | None, review: ReviewConfig, environ: Mapping[str, str]) -> str:
    """The API's address: from the command line, the file, or the server whose workflow runs."""
    if said is not None:
        return said
    if review.api != ReviewConfig().api:
        return review.api
    return environ.get("GITHUB_API_URL") or review.api


def git_host(api: str) -> str:
    """The server that git speaks with, for the server of an API; with its port, if it has one."""
    host = urlsplit(api).netloc.rpartition("@")[2].lower()
    of_cloud = host == _CLOUD or host.endswith(".ghe.com")
    return host.removeprefix("api.") if of_cloud else host


def utc_now() -> datetime:
    """The time of a review."""
    return datetime.now(UTC)

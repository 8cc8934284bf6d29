"""From credentials to a repository: who we are, and whether the repository is there.

``connect_repository`` is the one place where :class:`weighin.plugin.github.api.Repository` gets
its implementation. What this module does not do: it chooses no credentials and writes nothing.
"""

import re
from datetime import datetime
from typing import Any

from weighin.gates.errors import GitHubError
from weighin.plugin.github.api import Repository
from weighin.plugin.github.authority import (
    AppTokens,
    Authority,
    PersonalToken,
    WorkflowToken,
    app_jwt,
    private_key,
)
from weighin.plugin.github.connection import GitHubRepository, Identity
from weighin.plugin.github.credentials import Credentials, Kind
from weighin.plugin.github.patience import Clock, Patience, SystemClock
from weighin.plugin.github.refusals import Ask
from weighin.plugin.github.talk import Talk, new_session, path_of
from weighin.plugin.github.transport import checked_api

_FULL_NAME = re.compile(r"[\w-]+/(?!\.{1,2}$)[\w.-]+", re.ASCII)
_BOT = "[bot]"
_JWT_S = 540


def connect_repository(
    full_name: str,
    api: str,
    credentials: Credentials,
    *,
    clock: Clock | None = None,
    patience: Patience | None = None,
) -> Repository:
    """One repository with the rights of some credentials.

    Args:
        full_name: ``OWNER/NAME``.
        api: The API's address; on GitHub Enterprise ``https://HOST/api/v3``.
        credentials: From :func:`weighin.plugin.github.credentials.choose_credentials`.
        clock: The time, and waiting; this machine's by default.
        patience: How long to wait for limits and failures.

    Raises:
        GitHubError: the token is not accepted, the repository is not there, or GitHub is not.
    """
    if _FULL_NAME.fullmatch(full_name) is None:
        raise GitHubError(f"{full_name!r} is no repository; write OWNER/NAME.")
    door = _Door(full_name, checked_api(api), credentials, clock or SystemClock(), patience)
    talk = door.talk(door.authority())
    ask = door.ask(f"read the repository {full_name}", "metadata: read")
    row = talk.read(ask, "/repos" + path_of(*full_name.split("/", 1)))
    return GitHubRepository(row["full_name"], row["default_branch"], door.identity(talk), talk)


def push_token(
    full_name: str,
    api: str,
    credentials: Credentials,
    *,
    clock: Clock | None = None,
    patience: Patience | None = None,
) -> str:
    """What git shows the same server: the token itself, or for an App a new installation's.

    Raises:
        GitHubError: the App's key is not accepted, or GitHub is not there.
    """
    if credentials.kind is not Kind.APP:
        return credentials.token
    door = _Door(full_name, checked_api(api), credentials, clock or SystemClock(), patience)
    return door.installation_token()[0]


class _Door:
    """What is known before the first call."""

    def __init__(
        self,
        full_name: str,
        api: str,
        credentials: Credentials,
        clock: Clock,
        patience: Patience | None,
    ) -> None:
        self._full_name = full_name
        self._api = api
        self._credentials = credentials
        self._clock = clock
        self._patience = patience or Patience()

    def ask(self, doing: str, needs: str) -> Ask:
        return Ask(doing=doing, needs=needs, token=self._credentials.holder)

    def talk(self, authority: Authority) -> Talk:
        session = new_session(self._api, clock=self._clock, patience=self._patience)
        return Talk(session=session, authority=authority, clock=self._clock)

    def authority(self) -> Authority:
        match self._credentials.kind:
            case Kind.APP:
                return AppTokens(fetch=self.installation_token, now=self._clock.now)
            case Kind.INSTALLATION:
                return WorkflowToken(token=self._credentials.token, since=self._clock.now())
            case Kind.PERSONAL:
                return PersonalToken(token=self._credentials.token)

    def identity(self, talk: Talk) -> Identity:
        login = self._credentials.login or self._login(talk)
        return Identity(
            login=login,
            app=login.removesuffix(_BOT) if login.endswith(_BOT) else "",
            writes_checks=self._credentials.writes_checks,
            token=self._credentials.holder,
        )

    def _login(self, talk: Talk) -> str:
        match self._credentials.kind:
            case Kind.APP:
                row = self._as_app().read(self.ask("read the App", "an App's key"), "/app")
                return f"{row['slug']}{_BOT}" if row.get("slug") else ""
            case Kind.PERSONAL:
                row = talk.read(
                    self.ask("read who the token's owner is", "metadata: read"), "/user"
                )
                return str(row["login"])
            case Kind.INSTALLATION:
                return ""

    def _as_app(self) -> Talk:
        key = private_key(self._credentials.app_key)
        return self.talk(_AppItself(self._credentials.app_id, key, self._clock))

    def installation_token(self) -> tuple[str, datetime]:
        """A new token of the App on this repository, and when it expires."""
        talk = self._as_app()
        number = self._credentials.installation_id or self._installation(talk)
        ask = self.ask(f"get a token of the App's installation {number}", "an installation")
        path = path_of("app", "installations", number, "access_tokens")
        # Only this repository's, whatever else the App is installed on.
        fields = {"repositories": [self._full_name.split("/", 1)[1]]}
        row = talk.write(ask, path, fields, repeatable=True)
        return str(row["token"]), datetime.fromisoformat(row["expires_at"])

    def _installation(self, talk: Talk) -> str:
        doing = f"find the App's installation on {self._full_name}"
        path = "/repos" + path_of(*self._full_name.split("/", 1)) + "/installation"
        return str(talk.read(self.ask(doing, "an installation"), path)["id"])


class _AppItself:
    """An App that shows its own key rather than an installation's token."""

    def __init__(self, app_id: str, key: bytes, clock: Clock) -> None:
        self._app_id = app_id
        self._key = key
        self._clock = clock

    def refresh(self, session: Any) -> None:
        token = app_jwt(self._app_id, self._key, self._clock.now())
        session.app_bearer_token_auth(token, _JWT_S)

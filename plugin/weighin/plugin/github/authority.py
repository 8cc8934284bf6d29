"""The token of each call: a fixed one, or an App's installation token, renewed in time.

What this module does not do: it chooses no credentials; ``credentials`` does.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from weighin.gates.errors import GitHubError
from weighin.plugin.github.credentials import APP_KEY

# GitHub takes ten minutes at most, and clocks differ.
_LIFE = timedelta(minutes=9)
_BACKDATED = timedelta(seconds=60)
_EARLY = timedelta(minutes=5)
# A workflow's token ends with its job, a day later at most.
_JOB = timedelta(hours=24)


class Authority(Protocol):
    """What keeps a session's token fresh."""

    def refresh(self, session: Any) -> None:
        """Give the session its token; called before each call."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonalToken:
    """A person's token."""

    token: str = field(repr=False)

    def refresh(self, session: Any) -> None:
        """Set it."""
        session.token_auth(self.token)


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkflowToken:
    """An installation's token that somebody else got and renews, if anybody does."""

    token: str = field(repr=False)
    since: datetime

    def refresh(self, session: Any) -> None:
        """Set it, so that github3 knows it for an App's."""
        expires = (self.since + _JOB).isoformat()
        session.app_installation_token_auth({"token": self.token, "expires_at": expires})


@dataclass(slots=True, kw_only=True)
class AppTokens:
    """An App's installation tokens.

    Attributes:
        fetch: Gets a new one: its text and when it expires.
        now: The clock.
    """

    fetch: Callable[[], tuple[str, datetime]]
    now: Callable[[], datetime]
    _token: str = field(default="", repr=False)
    _expires_at: datetime | None = None

    def refresh(self, session: Any) -> None:
        """Set a token that is good for some minutes more."""
        if self._expires_at is None or self.now() >= self._expires_at - _EARLY:
            self._token, self._expires_at = self.fetch()
            expires = self._expires_at.isoformat()
            session.app_installation_token_auth({"token": self._token, "expires_at": expires})


def app_jwt(app_id: str, key: bytes, now: datetime) -> str:
    """What an App shows in order to get an installation's token.

    github3 has this too, but dates it to this very second, which a server whose clock is behind
    refuses, and gives the App as a number, which PyJWT refuses.

    Args:
        app_id: The App's number or client id.
        key: Its private key, PEM.
        now: The time.

    Raises:
        GitHubError: the key is none.
    """
    import jwt

    claims = {"iat": now - _BACKDATED, "exp": now + _LIFE, "iss": app_id}
    try:
        return jwt.encode(claims, key, algorithm="RS256")
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        raise GitHubError(
            f"{APP_KEY} holds no RSA private key in PEM. Download one from the App's settings and "
            "give its text or its path."
        ) from error


def private_key(text: str) -> bytes:
    r"""A key that was given as PEM (line ends may be written as ``\n``) or as a path.

    Raises:
        GitHubError: the file cannot be read.
    """
    if text.startswith("-----BEGIN"):
        return text.replace("\\n", "\n").encode()
    try:
        return Path(text).read_bytes()
    except (OSError, ValueError) as error:
        # The value may be a mangled key, so it is not repeated.
        raise GitHubError(
            f"{APP_KEY} is neither a key that begins with -----BEGIN nor the path of a file that "
            "can be read."
        ) from error

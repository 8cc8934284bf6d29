"""Which of the environment's credentials to use with GitHub, decided from values alone.

A GitHub App (``WEIGHIN_GITHUB_APP_ID`` and ``WEIGHIN_GITHUB_APP_KEY``) comes first, then the
tokens ``WEIGHIN_GITHUB_TOKEN``, ``GH_ENTERPRISE_TOKEN``, ``GH_TOKEN``, ``GITHUB_TOKEN``. What a
token is, its beginning tells: ``ghs_`` (and the older ``v1.``) belongs to an App's installation, a
workflow's own ``GITHUB_TOKEN`` among them, and may write check runs; anything else (``ghp_``,
``github_pat_``, ``gho_``, ``ghu_``, 40 hex digits) is a person's and writes commit statuses.

``GH_TOKEN`` and ``GITHUB_TOKEN`` are for github.com, for GitHub Enterprise Cloud with data
residency, and for the server whose workflow runs (``GITHUB_API_URL``). They are not sent to any
other host: the address comes from a file in the repository, which a stranger may have written.

What this module does not do: it reads no environment itself, opens no file, sends nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import urlsplit

from weighin.gates.errors import GitHubError

APP_ID = "WEIGHIN_GITHUB_APP_ID"
APP_KEY = "WEIGHIN_GITHUB_APP_KEY"
APP_INSTALLATION = "WEIGHIN_GITHUB_APP_INSTALLATION_ID"
LOGIN = "WEIGHIN_GITHUB_LOGIN"
ACTIONS_LOGIN = "github-actions[bot]"
_ANY_SERVER = ("WEIGHIN_GITHUB_TOKEN", "GH_ENTERPRISE_TOKEN")
_GITHUB_ONLY = ("GH_TOKEN", "GITHUB_TOKEN")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")


class Kind(StrEnum):
    """Whose rights a review has."""

    APP = "app"
    INSTALLATION = "installation"
    PERSONAL = "personal"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What to show GitHub. The secrets are in no ``repr``.

    Attributes:
        kind: Whose rights they give.
        source: The variable that they came from.
        reason: Why these, in a sentence.
        token: The token; empty for an App.
        login: Who comments are written as, as far as that is known beforehand.
        app_id: The App's number.
        app_key: Its private key in PEM, or the path of a file with it.
        installation_id: Its installation; looked up by the repository if empty.
    """

    kind: Kind
    source: str
    reason: str
    token: str = field(default="", repr=False)
    login: str = ""
    app_id: str = ""
    app_key: str = field(default="", repr=False)
    installation_id: str = ""

    @property
    def holder(self) -> str:
        """Whose rights they give, for messages."""
        if self.kind is Kind.APP:
            return f"the App in {self.source}"
        return f"the token in {self.source}"

    @property
    def writes_checks(self) -> bool:
        """Whether check runs may be written; else commit statuses."""
        return self.kind is not Kind.PERSONAL


def choose_credentials(environment: Mapping[str, str], api: str) -> Credentials:
    """The credentials for one server.

    Args:
        environment: Names and values.
        api: The API's address.

    Raises:
        GitHubError: there are none for this server, or those of an App are incomplete.
    """
    if environment.get(APP_ID) or environment.get(APP_KEY):
        return _app(environment)
    for name in (*_ANY_SERVER, *_GITHUB_ONLY):
        token = environment.get(name, "").strip()
        if token and (name in _ANY_SERVER or _is_its_server(environment, api)):
            return _of_token(environment, name, token)
    raise GitHubError(_none(environment, api))


def _app(environment: Mapping[str, str]) -> Credentials:
    missing = [name for name in (APP_ID, APP_KEY) if not environment.get(name, "").strip()]
    if missing:
        raise GitHubError(
            f"A GitHub App needs {APP_ID} and {APP_KEY}; {missing[0]} is not set. "
            "Set it, or unset the other one to use a token."
        )
    return Credentials(
        kind=Kind.APP,
        source=APP_ID,
        reason=f"{APP_ID} and {APP_KEY} are set, so weighin acts as that App",
        login=environment.get(LOGIN, ""),
        app_id=environment[APP_ID].strip(),
        app_key=environment[APP_KEY].strip(),
        installation_id=environment.get(APP_INSTALLATION, "").strip(),
    )


def _of_token(environment: Mapping[str, str], name: str, token: str) -> Credentials:
    if not (token.isascii() and token.isprintable() and " " not in token):
        raise GitHubError(f"{name} holds something that is no token; set it again.")
    if not token.startswith(("ghs_", "v1.")):
        return Credentials(
            kind=Kind.PERSONAL,
            source=name,
            token=token,
            login=environment.get(LOGIN, ""),
            reason=f"{name} holds a person's token, so results are written as commit statuses",
        )
    in_workflow = environment.get("GITHUB_ACTIONS") == "true"
    return Credentials(
        kind=Kind.INSTALLATION,
        source=name,
        token=token,
        login=environment.get(LOGIN, "") or (ACTIONS_LOGIN if in_workflow else ""),
        reason=f"{name} holds an App's token, so results are written as check runs",
    )


def _is_its_server(environment: Mapping[str, str], api: str) -> bool:
    host = _host(api)
    own = _host(environment.get("GITHUB_API_URL", ""))
    if own:
        return host == own
    return host == "api.github.com" or host.endswith(".ghe.com") or host in _LOOPBACK


def _host(address: str) -> str:
    try:
        return (urlsplit(address).hostname or "").lower()
    except ValueError:
        return ""


def _none(environment: Mapping[str, str], api: str) -> str:
    held = [name for name in _GITHUB_ONLY if environment.get(name, "").strip()]
    if held:
        return (
            f"{held[0]} is not sent to {_host(api) or api!r}, which `api` in [review] of "
            "weighin.toml names: it is for another server. If that address is right, put a token "
            "for it into WEIGHIN_GITHUB_TOKEN."
        )
    return (
        "There is no token for GitHub. Set GITHUB_TOKEN (in a workflow: "
        "`GITHUB_TOKEN: ${{ github.token }}`), or WEIGHIN_GITHUB_TOKEN, or "
        f"{APP_ID} and {APP_KEY}."
    )

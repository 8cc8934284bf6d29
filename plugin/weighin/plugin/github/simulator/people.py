"""Who may talk to the simulated GitHub: tokens with their rights, and Apps.

What this module does not do: it decides about no call; ``gate`` does.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Level = Literal["read", "write"]
FULL: Mapping[str, Level] = {
    "metadata": "read",
    "contents": "write",
    "pull_requests": "write",
    "issues": "write",
    "checks": "write",
    "statuses": "write",
}
READ_ONLY: Mapping[str, Level] = dict.fromkeys(FULL, "read")
ACTIONS_APP_ID = 15368
ACTIONS_SLUG = "github-actions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """A token and what it may do.

    Attributes:
        text: What is sent.
        login: Whose it is; comments are written as this.
        app_id: The App of an installation token; ``None`` for a person's.
        app_slug: That App's name in addresses.
        permissions: Read or write, by GitHub's name of the permission.
        repositories: ``OWNER/NAME`` of those that it sees; ``None``: all.
        expires_at: From when on it is refused.
    """

    text: str = field(repr=False)
    login: str
    app_id: int | None = None
    app_slug: str = ""
    permissions: Mapping[str, Level] = field(default_factory=lambda: FULL)
    repositories: tuple[str, ...] | None = None
    expires_at: datetime | None = None

    def sees(self, full_name: str) -> bool:
        """Whether the repository exists for it."""
        names = self.repositories
        return names is None or full_name.lower() in {name.lower() for name in names}

    def may(self, permission: str, level: str) -> bool:
        """Whether it has this right."""
        held = self.permissions.get(permission)
        return held == "write" or (held == "read" and level == "read")


@dataclass(frozen=True, slots=True, kw_only=True)
class App:
    """A GitHub App with one installation.

    Attributes:
        id: Its number.
        slug: Its name in addresses.
        public_key: PEM, of the key that its JSON Web Tokens are signed with.
        installation_id: The installation's number.
        repositories: ``OWNER/NAME`` of those that it is installed on.
        permissions: What its installation tokens may do.
        token_minutes: How long they live.
    """

    id: int
    slug: str
    public_key: bytes
    installation_id: int
    repositories: tuple[str, ...]
    permissions: Mapping[str, Level] = field(default_factory=lambda: FULL)
    token_minutes: int = 60


def personal(text: str, login: str = "octocat", **rights: object) -> Token:
    """A person's token; ``rights`` are further fields of :class:`Token`."""
    return Token(text=text, login=login, **rights)  # type: ignore[arg-type]


def workflow(text: str, **rights: object) -> Token:
    """The token that GitHub Actions gives a workflow."""
    return Token(
        text=text,
        login=f"{ACTIONS_SLUG}[bot]",
        app_id=ACTIONS_APP_ID,
        app_slug=ACTIONS_SLUG,
        **rights,  # type: ignore[arg-type]
    )

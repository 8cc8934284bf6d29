"""Everything that the simulated GitHub knows: accounts' tokens, Apps, repositories, its limits.

What this module does not do: it serves nothing and answers nothing.
"""

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from weighin.plugin.github.simulator.faults import FaultBook
from weighin.plugin.github.simulator.gitrepo import BareRepository
from weighin.plugin.github.simulator.hosted import CommentRow, Hosted
from weighin.plugin.github.simulator.people import App, Token

_HOUR = timedelta(hours=1)


def utc_now() -> datetime:
    """The time in whole seconds, as GitHub writes it."""
    return datetime.now(UTC).replace(microsecond=0)


@dataclass(slots=True)
class HourlyLimit:
    """How many calls one token may make within an hour."""

    limit: int = 5000
    used: int = 0
    resets_at: datetime | None = None

    def count(self, now: datetime) -> bool:
        """Count a call; whether it is still within the limit."""
        if self.resets_at is None or now >= self.resets_at:
            self.used, self.resets_at = 0, now + _HOUR
        self.used += 1
        return self.used <= self.limit

    def headers(self) -> dict[str, str]:
        """What every answer says about it."""
        resets = int(self.resets_at.timestamp()) if self.resets_at else 0
        return {
            "X-RateLimit-Limit": str(self.limit),
            "X-RateLimit-Remaining": str(max(0, self.limit - self.used)),
            "X-RateLimit-Used": str(min(self.used, self.limit)),
            "X-RateLimit-Reset": str(resets),
            "X-RateLimit-Resource": "core",
        }


@dataclass(slots=True, eq=False)
class World:
    """What is known, and the lock that every call takes.

    Attributes:
        now: The clock.
        hourly_limit: Calls that a token may make within an hour.
    """

    now: Callable[[], datetime] = utc_now
    hourly_limit: int = 5000
    tokens: dict[str, Token] = field(default_factory=dict[str, Token], repr=False)
    apps: dict[int, App] = field(default_factory=dict[int, App])
    repositories: dict[str, Hosted] = field(default_factory=dict[str, Hosted])
    limits: dict[str, HourlyLimit] = field(default_factory=dict[str, HourlyLimit], repr=False)
    faults: FaultBook = field(default_factory=FaultBook)
    lock: threading.RLock = field(default_factory=threading.RLock)
    ids: Iterator[int] = field(default_factory=lambda: itertools.count(1001))

    def add_token(self, token: Token) -> Token:
        """Let somebody in."""
        self.tokens[token.text] = token
        return token

    def add_app(self, app: App) -> App:
        """Install an App."""
        self.apps[app.id] = app
        return app

    def host(
        self,
        full_name: str,
        git: Path,
        *,
        default_branch: str = "main",
        private: bool = False,
        fork_of: str = "",
        old_names: tuple[str, ...] = (),
    ) -> Hosted:
        """Show a bare git repository as ``OWNER/NAME``."""
        hosted = Hosted(
            full_name=full_name,
            id=next(self.ids),
            git=BareRepository(path=git),
            default_branch=default_branch,
            created_at=self.now(),
            private=private,
            parent=self.find(fork_of) if fork_of else None,
            old_names=old_names,
        )
        self.repositories[full_name.lower()] = hosted
        return hosted

    def find(self, full_name: str) -> Hosted | None:
        """A repository by its present name."""
        return self.repositories.get(full_name.lower())

    def renamed(self, full_name: str) -> Hosted | None:
        """A repository by a former name."""
        for hosted in self.repositories.values():
            if full_name.lower() in (name.lower() for name in hosted.old_names):
                return hosted
        return None

    def say(self, hosted: Hosted, number: int, body: str, *, login: str | None) -> CommentRow:
        """Write a comment as anybody; ``None`` is an account that is gone."""
        now = self.now()
        row = CommentRow(
            id=next(self.ids),
            number=number,
            author=login,
            body=body,
            created_at=now,
            updated_at=now,
        )
        hosted.comments[row.id] = row
        return row

    def limit_of(self, token: Token) -> HourlyLimit:
        """The hourly limit of one token."""
        return self.limits.setdefault(token.text, HourlyLimit(limit=self.hourly_limit))

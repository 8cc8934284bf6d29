"""How long to wait for GitHub, and when to ask again: decided from values, without waiting.

GitHub limits calls an hour (403 or 429, ``x-ratelimit-remaining: 0``, ``x-ratelimit-reset``) and
writes in a short time (403 or 429, often with ``retry-after``); see "Rate limits for the REST API"
in GitHub's documentation. A call that a limit refused was not carried out, so it may be sent again
whatever it is. After a server error or a lost connection nobody knows; then only what does no
harm twice is sent again.

What this module does not do: it neither waits nor sends. urllib3's ``Retry`` would not do: it does
not know ``x-ratelimit-reset``, takes a lack of rights for a limit, and waits by the real clock.
"""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

_FORBIDDEN = 403
_TOO_MANY = 429
_BROKEN = (500, 502, 503, 504)
_MINUTE_S = 60.0


class Clock(Protocol):
    """The time, and waiting."""

    def now(self) -> datetime:
        """The time, with its zone."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


class SystemClock:
    """This machine's."""

    def now(self) -> datetime:
        """The time in UTC."""
        return datetime.now(UTC)

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How much waiting one call is worth.

    Attributes:
        total_s: Seconds of waiting in all.
        attempts: How often it is sent at most.
        answer_s: Seconds that GitHub may think about one answer.
    """

    total_s: float = 300.0
    attempts: int = 6
    answer_s: float = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """What GitHub said, as far as anybody here reads it.

    Attributes:
        status: The HTTP status.
        headers: With lower-case names.
        body: The whole body.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    body: bytes = b""

    def content(self) -> Any:
        """The body's JSON; ``None`` if it is empty or no JSON."""
        try:
            return json.loads(self.body)
        except ValueError:
            return None

    def message(self) -> str:
        """GitHub's own words, on one line."""
        content = self.content()
        text = content.get("message") if isinstance(content, dict) else None
        return one_line(text) if isinstance(text, str) else ""

    def limited(self) -> bool:
        """Whether a limit refused the call, so that it was not carried out."""
        if self.status != _FORBIDDEN:
            return self.status == _TOO_MANY
        spent = self.headers.get("x-ratelimit-remaining") == "0"
        return spent or "retry-after" in self.headers or "rate limit" in self.message().lower()

    def broken(self) -> bool:
        """Whether the server failed, so that nobody knows if the call was carried out."""
        return self.status in _BROKEN


def one_line(text: str, at_most: int = 300) -> str:
    """Somebody else's words, made safe for a message."""
    plain = "".join(sign if sign.isprintable() else " " for sign in text)
    return " ".join(plain.split())[:at_most]


def pause_s(reply: Reply, attempt: int, now: datetime) -> float:
    """Seconds to wait before the next attempt.

    Args:
        reply: What refused the last one.
        attempt: How many there were, at least 1.
        now: The time here; the server's own, if it told, counts for when a limit resets.
    """
    told = reply.headers.get("retry-after", "")
    if told.isdecimal():
        return float(told)
    if not reply.limited():
        return min(30.0, 2.0 ** (attempt - 1))
    reset = reset_at(reply)
    if reset is not None:
        return max(1.0, (reset - _server_time(reply, now)).total_seconds() + 1.0)
    return _MINUTE_S * 2.0 ** (attempt - 1)


def reset_at(reply: Reply) -> datetime | None:
    """When the hour's limit begins anew, if it is used up."""
    text = reply.headers.get("x-ratelimit-reset", "")
    if reply.headers.get("x-ratelimit-remaining") != "0" or not text.isdecimal():
        return None
    return datetime.fromtimestamp(min(int(text), 2**32), UTC)


def _server_time(reply: Reply, now: datetime) -> datetime:
    try:
        told = parsedate_to_datetime(reply.headers.get("date", ""))
    except ValueError:
        return now
    return told if told.tzinfo else now

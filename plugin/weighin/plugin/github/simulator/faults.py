"""What may go wrong between a client and GitHub, as values that a caller puts in.

What this module does not do: it answers nothing; ``server`` asks it about every call.
"""

import re
import threading
from dataclasses import dataclass, field

from weighin.plugin.github.simulator.wire import Answer, Call


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One thing that goes wrong, a number of times.

    Attributes:
        method: Whose calls; empty: any.
        path: A regular expression found in the path; empty: any.
        answer: What the client gets in place of the real answer; ``None``: the real one.
        applied: Whether the call is carried out all the same, unseen.
        drops: The connection ends without an answer.
        delay_s: Seconds of real time before anything is said.
        skip: How many matching calls go well first.
        times: How many go wrong after that.
    """

    method: str = ""
    path: str = ""
    answer: Answer | None = None
    applied: bool = False
    drops: bool = False
    delay_s: float = 0.0
    skip: int = 0
    times: int = 1

    def concerns(self, call: Call) -> bool:
        """Whether it is about this call."""
        return self.method in ("", call.method) and re.search(self.path, call.path) is not None


def broken(
    status: int = 502, *, method: str = "", path: str = "", applied: bool = False, times: int = 1
) -> Fault:
    """A server error; ``applied`` if what was asked for was done before it."""
    page = Answer(
        status=status,
        raw=b"<html><body><h1>Unicorn!</h1></body></html>",
        headers={"Content-Type": "text/html; charset=utf-8"},
    )
    return Fault(method=method, path=path, answer=page, applied=applied, times=times)


def secondary_limit(
    retry_after_s: int | None,
    *,
    status: int = 403,
    method: str = "",
    path: str = "",
    times: int = 1,
) -> Fault:
    """GitHub's protection against many writes in a short time; ``None`` names no time."""
    content = {
        "message": "You have exceeded a secondary rate limit. Please wait a few minutes before "
        "you try again.",
        "documentation_url": "https://docs.github.com/rest/overview/rate-limits-for-the-rest-api"
        "#about-secondary-rate-limits",
    }
    headers = {} if retry_after_s is None else {"Retry-After": str(retry_after_s)}
    answer = Answer(status=status, content=content, headers=headers)
    return Fault(method=method, path=path, answer=answer, times=times)


def empty_body(
    status: int = 200, *, method: str = "", path: str = "", applied: bool = True
) -> Fault:
    """A success that says nothing."""
    return Fault(method=method, path=path, answer=Answer(status=status), applied=applied)


def redirect(to: str, *, status: int = 302, method: str = "", path: str = "") -> Fault:
    """Somewhere else is named."""
    answer = Answer(status=status, headers={"Location": to})
    return Fault(method=method, path=path, answer=answer)


def dropped(*, method: str = "", path: str = "", applied: bool = False, times: int = 1) -> Fault:
    """The connection ends without an answer."""
    return Fault(method=method, path=path, drops=True, applied=applied, times=times)


@dataclass(slots=True)
class FaultBook:
    """The faults that are still to come."""

    _left: list[list[int]] = field(default_factory=list[list[int]])
    _faults: list[Fault] = field(default_factory=list[Fault])
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def put(self, fault: Fault) -> None:
        """Let it happen from now on."""
        with self._lock:
            self._faults.append(fault)
            self._left.append([fault.skip, fault.times])

    def clear(self) -> None:
        """Nothing goes wrong any more."""
        with self._lock:
            self._faults.clear()
            self._left.clear()

    def next_for(self, call: Call) -> Fault | None:
        """What goes wrong with this call; counts it."""
        with self._lock:
            for fault, left in zip(self._faults, self._left, strict=True):
                if not fault.concerns(call) or left[1] == 0:
                    continue
                if left[0]:
                    left[0] -= 1
                    continue
                left[1] -= 1
                return fault
        return None

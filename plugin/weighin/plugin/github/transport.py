"""The only way out to GitHub: one server, patient, and with a token that is fresh.

What this module does not do: it knows no call's meaning, and decides about waiting nowhere:
``patience`` does.
"""

from collections.abc import Mapping
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from requests.adapters import HTTPAdapter

from weighin.gates.errors import GitHubError
from weighin.plugin.github.patience import Clock, Patience, Reply, pause_s

_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_REPEATABLE = ("GET", "PATCH", "PUT", "DELETE")
_PORTS = {"http": 80, "https": 443}
REPEAT_HEADER = "X-Weighin-Repeatable"


class ElsewhereError(requests.exceptions.InvalidURL):
    """An answer led to another server, which must not see the token."""


def checked_api(api: str) -> str:
    """The API's address without a slash at its end.

    Raises:
        GitHubError: it is none, holds a password, or would send the token unencrypted.
    """
    try:
        split = urlsplit(api)
        host, _ = split.hostname or "", split.port
    except ValueError as error:
        raise GitHubError(f"The API's address {api!r} is none: {error}. Mend `api`.") from error
    if split.scheme not in _PORTS or not host or split.query or split.fragment or split.username:
        raise GitHubError(
            f"The API's address {host!r} must look like https://api.github.com or, on GitHub "
            "Enterprise, https://HOST/api/v3. Mend `api` in [review] of weighin.toml."
        )
    if split.scheme == "http" and host not in _LOOPBACK:
        raise GitHubError(
            f"The API's address http://{host} would send the token unencrypted; use https."
        )
    return api.rstrip("/")


class PatientAdapter(HTTPAdapter):
    """Sends to one server only; waits out limits and short failures.

    A POST is sent again only if it certainly was not carried out: a limit refused it, or the
    connection never came about; or if its sender marked it as harmless twice.
    """

    def __init__(self, api: str, *, clock: Clock, patience: Patience) -> None:
        """Send to the server of ``api``."""
        super().__init__()
        self._origin = _origin(urlsplit(api))
        self._clock = clock
        self._patience = patience

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> Any:
        """Send, and again while that is worth it.

        Raises:
            ElsewhereError: it would go to another server, or a redirect would change a write.
        """
        if _origin(urlsplit(request.url or "")) != self._origin:
            raise ElsewhereError("an answer led to another server; nothing was sent there")
        repeatable = request.headers.pop(REPEAT_HEADER, None) or request.method in _REPEATABLE
        kwargs["timeout"] = (self._patience.answer_s, self._patience.answer_s)
        waited, attempt = 0.0, 0
        while True:
            attempt += 1
            failure, response = self._once(request, *args, **kwargs)
            reply = Reply(status=503) if response is None else reply_of(response)
            again = reply.limited() or (reply.broken() and repeatable) or never_sent(failure)
            pause = pause_s(reply, attempt, self._clock.now())
            over = attempt >= self._patience.attempts or waited + pause > self._patience.total_s
            if not again or over:
                break
            self._clock.sleep(pause)
            waited += pause
        if failure is not None:
            raise failure
        return response

    def _once(
        self, request: requests.PreparedRequest, *args: Any, **kwargs: Any
    ) -> tuple[requests.RequestException | None, Any]:
        try:
            response = super().send(request, *args, **kwargs)
            # Read here, so that an answer that breaks off counts as a lost connection.
            _ = response.content
        except (requests.ConnectionError, requests.Timeout) as error:
            return error, None
        except requests.exceptions.ChunkedEncodingError as error:
            return error, None
        return None, _unfollowed(response, request.method or "")


def _unfollowed(response: Any, method: str) -> Any:
    # requests would turn a redirected POST into a GET, and call its answer a success.
    if method != "GET" and response.status_code in (301, 302, 303):
        response.headers.pop("Location", None)
    return response


def never_sent(failure: BaseException | None) -> bool:
    """Whether the connection never came about, so that nothing was sent."""
    if isinstance(failure, requests.exceptions.ConnectTimeout):
        return True
    causes = failure.args if failure is not None else ()
    return any(type(getattr(c, "reason", None)).__name__ == "NewConnectionError" for c in causes)


def reply_of(response: Any) -> Reply:
    """What requests received, as a record."""
    headers: Mapping[str, str] = response.headers
    return Reply(
        status=int(response.status_code),
        headers={name.lower(): text for name, text in headers.items()},
        body=bytes(response.content),
    )


def _origin(split: SplitResult) -> tuple[str, str, int]:
    port = split.port or _PORTS.get(split.scheme, 0)
    return split.scheme, (split.hostname or "").lower(), port

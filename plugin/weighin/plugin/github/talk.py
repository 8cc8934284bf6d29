"""Calls to GitHub in plain values, over github3's session, pages and errors.

github3's objects are not used: they cannot be built from a comment whose author is gone, turn an
empty body into ``None`` or ``False``, and go wherever an answer's addresses lead. Every address is
built here; only the next page's comes from an answer, and it cannot leave the server.

What this module does not do: it knows no pull request and no check; ``connection`` does.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar
from urllib.parse import quote, urlsplit

import requests
from github3 import exceptions
from github3.session import GitHubSession
from github3.structs import GitHubIterator

from weighin.gates.errors import GitHubError
from weighin.plugin.github.authority import Authority
from weighin.plugin.github.patience import Clock, Patience, Reply
from weighin.plugin.github.refusals import (
    Ask,
    InDoubt,
    in_doubt,
    refusal,
    unreachable,
    unreadable,
)
from weighin.plugin.github.transport import (
    ONCE_HEADER,
    ElsewhereError,
    PatientAdapter,
    never_sent,
    reply_of,
)

_Found = TypeVar("_Found")
_OK = 200
_GONE = (404, 410)
_LOOK_AGAIN_S = (2.0, 5.0, 15.0)
_HEADERS = {
    "Accept": "application/vnd.github+json",
    "X-GitHub-Api-Version": "2022-11-28",
    "User-Agent": "weighin",
}


def new_session(api: str, *, clock: Clock, patience: Patience) -> Any:
    """github3's session for one server, which it cannot leave."""
    session: Any = GitHubSession()
    session.base_url = api
    session.headers.update(_HEADERS)
    adapter = PatientAdapter(api, clock=clock, patience=patience)
    session.adapters.clear()
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def path_of(*parts: str | int) -> str:
    """A path whose parts may hold slashes and anything else.

    Raises:
        GitHubError: a part would lead somewhere else.
    """
    for part in parts:
        if str(part) in ("", ".", ".."):
            raise GitHubError(f"GitHub cannot be asked for something that is called {part!r}.")
    return "".join(f"/{quote(str(part), safe='')}" for part in parts)


def parsed(ask: Ask, parse: Callable[[Any], _Found], row: Any) -> _Found:
    """An answer's row as a record.

    Raises:
        GitHubError: what must be in it is not.
    """
    try:
        return parse(row)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise unreadable(ask) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Talk:
    """One session with one token.

    Attributes:
        session: github3's.
        authority: What keeps its token fresh.
        clock: For looking again after a doubtful write.
    """

    session: Any
    authority: Authority
    clock: Clock

    def read(self, ask: Ask, path: str, params: Mapping[str, str] | None = None) -> dict[str, Any]:
        """One thing that must be there."""
        return _object(ask, self._call(ask, "GET", path, params=params))

    def find(self, ask: Ask, path: str, params: Mapping[str, str] | None = None) -> Any:
        """One thing as JSON, or ``None`` if it is not there."""
        reply = self._call(ask, "GET", path, params=params, fine=_GONE)
        if reply.status in _GONE:
            return None
        content = reply.content()
        if content is None:
            raise unreadable(ask)
        return content

    def pages(
        self, ask: Ask, path: str, params: Mapping[str, str] | None = None, key: str | None = None
    ) -> Iterator[dict[str, Any]]:
        """A list's rows, a page at a time as they are asked for.

        Args:
            ask: The call in words.
            path: Below the API's address.
            params: The query; 100 rows a page are asked for.
            key: The list's name, if it is within an object.
        """
        self.authority.refresh(self.session)
        rows: Any = GitHubIterator(
            -1, self.session.base_url + path, dict, self.session, dict(params or {}), list_key=key
        )
        while True:
            try:
                row = next(rows)
            except StopIteration:
                # github3 takes "not modified" for an empty list.
                if rows.last_status != _OK:
                    raise refusal(ask, Reply(status=rows.last_status)) from None
                return
            except (exceptions.GitHubException, TypeError, ValueError) as error:
                raise self._page_error(ask, error) from error
            yield row

    def _page_error(self, ask: Ask, error: Exception) -> Exception:
        if isinstance(error, exceptions.TransportError):
            return self._lost(ask, error.exception, once=False)
        response = getattr(error, "response", None)
        reply = reply_of(response) if response is not None else Reply(status=200)
        return unreadable(ask) if reply.status < 300 else refusal(ask, reply)

    def change(
        self, ask: Ask, path: str, fields: Mapping[str, Any], *, repeatable: bool = True
    ) -> dict[str, Any] | None:
        """Change one thing; ``None`` if it is not there.

        Args:
            ask: The call in words.
            path: Below the API's address.
            fields: What to set.
            repeatable: Whether doing it twice is as good as once.

        Raises:
            InDoubt: it is not repeatable, and may have been carried out or not.
        """
        reply = self._call(ask, "PATCH", path, fields=fields, fine=_GONE, repeatable=repeatable)
        return None if reply.status in _GONE else _object(ask, reply)

    def remove(self, ask: Ask, path: str) -> None:
        """Remove one thing; one that is gone is no error."""
        self._call(ask, "DELETE", path, fine=_GONE)

    def note(self, ask: Ask, path: str, fields: Mapping[str, Any]) -> None:
        """Post something that is as good twice as once, and whose answer nobody needs."""
        self._call(ask, "POST", path, fields=fields)

    def write(
        self, ask: Ask, path: str, fields: Mapping[str, Any], *, repeatable: bool = False
    ) -> dict[str, Any]:
        """Make a new thing.

        Args:
            ask: The call in words.
            path: Below the API's address.
            fields: What it is.
            repeatable: Whether doing it twice is as good as once.

        Raises:
            InDoubt: it may have been made or not.
        """
        reply = self._call(ask, "POST", path, fields=fields, repeatable=repeatable)
        content = reply.content()
        if not isinstance(content, dict):
            raise in_doubt(ask, "its answer was empty")
        return content

    def write_once(self, write: Callable[[], _Found], find: Callable[[], _Found | None]) -> _Found:
        """Make a new thing; after a doubt, look whether it is there before making it again."""
        for pause in _LOOK_AGAIN_S:
            try:
                return write()
            except InDoubt:
                self.clock.sleep(pause)
                found = find()
                if found is not None:
                    return found
        return write()

    def _call(
        self,
        ask: Ask,
        method: str,
        path: str,
        *,
        params: Mapping[str, str] | None = None,
        fields: Mapping[str, Any] | None = None,
        fine: Sequence[int] = (),
        repeatable: bool = True,
    ) -> Reply:
        self.authority.refresh(self.session)
        url = self.session.base_url + path
        marks = None if repeatable else {ONCE_HEADER: "1"}
        try:
            response = self.session.request(method, url, params=params, json=fields, headers=marks)
        except requests.RequestException as error:
            raise self._lost(ask, error, once=not repeatable) from error
        reply = reply_of(response)
        if reply.status < 300 or reply.status in fine:
            return reply
        if not repeatable and reply.broken():
            raise in_doubt(ask, f"status {reply.status}")
        raise refusal(ask, reply)

    def _lost(self, ask: Ask, error: BaseException, *, once: bool) -> Exception:
        if isinstance(error, ElsewhereError):
            return refusal(ask, Reply(status=302))
        if once and not never_sent(error):
            return in_doubt(ask, type(error).__name__)
        return unreachable(ask, urlsplit(self.session.base_url).netloc, type(error).__name__)


def _object(ask: Ask, reply: Reply) -> dict[str, Any]:
    content = reply.content()
    if not isinstance(content, dict):
        raise unreadable(ask)
    return content

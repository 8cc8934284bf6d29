"""What goes in and out of the simulated server: a call, an answer, and both as somebody saw them.

What this module does not do: it knows neither HTTP nor what a call means.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar
from urllib.parse import urlencode

_Row = TypeVar("_Row")
_DOCUMENTATION = "https://docs.github.com/rest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, read from the wire.

    Attributes:
        method: Such as ``GET``.
        path: Decoded at the edges only: ``%2F`` inside a part is still there.
        query: The last value of each name.
        headers: With lower-case names.
        body: As it was sent.
        base: The address that the server is reached at, with its prefix.
    """

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str] = field(repr=False)
    body: bytes
    base: str

    def fields(self) -> dict[str, Any]:
        """The body as a JSON object; empty if there is none.

        Raises:
            ValueError: it is something else.
        """
        parsed = json.loads(self.body or b"{}")
        if not isinstance(parsed, dict):
            raise ValueError("Body should be a JSON object")  # noqa: TRY004 - a value from outside
        return parsed


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the server says.

    Attributes:
        status: The HTTP status.
        content: JSON as Python values; ``None`` is an empty body.
        headers: Beside those that every answer has.
        raw: Sent in place of ``content``.
    """

    status: int = 200
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    raw: bytes | None = None

    def encoded(self) -> bytes:
        """The body."""
        if self.raw is not None:
            return self.raw
        return b"" if self.content is None else json.dumps(self.content).encode()

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        """The same with more headers; its own win."""
        return replace(self, headers={**headers, **self.headers})


@dataclass(frozen=True, slots=True, kw_only=True)
class Exchange:
    """A call and the answer that it got."""

    call: Call
    answer: Answer


Observer = Callable[[Exchange], None]


class Refused(Exception):  # noqa: N818 - it is an answer
    """An answer that ends the call where it is raised."""

    def __init__(self, answer: Answer) -> None:
        """Keep the answer."""
        super().__init__(answer.status)
        self.answer = answer


def refused(
    status: int,
    message: str,
    *,
    errors: tuple[Mapping[str, str], ...] = (),
    headers: Mapping[str, str] | None = None,
) -> Refused:
    """GitHub's usual refusal, to be raised."""
    content: dict[str, Any] = {
        "message": message,
        "documentation_url": _DOCUMENTATION,
        "status": str(status),
    }
    if errors:
        content["errors"] = [dict(error) for error in errors]
    return Refused(Answer(status=status, content=content, headers=headers or {}))


def invalid(resource: str, message: str, *, field_name: str = "") -> Refused:
    """A 422 about one field or thing."""
    error = {"resource": resource, "code": "custom", "message": message}
    if field_name:
        error["field"] = field_name
    return refused(422, "Validation Failed", errors=(error,))


def paged(call: Call, rows: Sequence[_Row], show: Callable[[_Row], Any], key: str = "") -> Answer:
    """One page of a list, with the Link header that leads to the others.

    Args:
        call: What asked for it; at most 100 a page, 30 if it does not say.
        rows: The whole list.
        show: Makes JSON of a row; called for the rows of this page only.
        key: The list's name in an object with ``total_count``; empty for a plain list.
    """
    size = max(1, min(100, _number(call, "per_page", 30)))
    page = max(1, _number(call, "page", 1))
    last = max(1, -(-len(rows) // size))
    shown = [show(row) for row in rows[(page - 1) * size : page * size]]
    content: Any = {"total_count": len(rows), key: shown} if key else shown
    links = {"next": page + 1, "last": last} if page < last else {}
    links |= {"prev": page - 1, "first": 1} if page > 1 else {}
    parts = [f'<{_page(call, number, size)}>; rel="{name}"' for name, number in links.items()]
    return Answer(content=content, headers={"Link": ", ".join(parts)} if parts else {})


def _number(call: Call, name: str, default: int) -> int:
    text = call.query.get(name, "")
    return int(text) if text.isdecimal() else default


def _page(call: Call, number: int, size: int) -> str:
    query = {**call.query, "per_page": str(size), "page": str(number)}
    return f"{call.base}{call.path}?{urlencode(query)}"

"""GitHub's published OpenAPI description as a judge of what is sent to it and answered.

A :class:`Judge` is an observer of the simulated GitHub: it validates every request, and every
answer, with openapi-core. The description is npm's ``@octokit/openapi`` as it is published, cut
down to the calls of a review; a call outside of them is a violation.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from openapi_core import Config, OpenAPI
from openapi_core.datatypes import RequestParameters
from openapi_core.exceptions import OpenAPIError
from werkzeug.datastructures import Headers, ImmutableMultiDict

from weighin.plugin.github.simulator.wire import Exchange

DESCRIPTION = Path("node_modules/@octokit/openapi/generated/api.github.com.json")
_HOST = "https://api.github.com"
_REPO = "/repos/{owner}/{repo}"
_PATHS = (
    "/app",
    "/app/installations/{installation_id}/access_tokens",
    "/rate_limit",
    "/user",
    _REPO,
    f"{_REPO}/branches/{{branch}}",
    f"{_REPO}/check-runs",
    f"{_REPO}/check-runs/{{check_run_id}}",
    f"{_REPO}/check-runs/{{check_run_id}}/annotations",
    f"{_REPO}/commits/{{ref}}/check-runs",
    f"{_REPO}/commits/{{ref}}/status",
    f"{_REPO}/contents/{{path}}",
    f"{_REPO}/git/blobs/{{file_sha}}",
    f"{_REPO}/installation",
    f"{_REPO}/issues/comments/{{comment_id}}",
    f"{_REPO}/issues/{{issue_number}}/comments",
    f"{_REPO}/pulls",
    f"{_REPO}/pulls/{{pull_number}}",
    f"{_REPO}/pulls/{{pull_number}}/merge",
    f"{_REPO}/statuses/{{sha}}",
)


def extract(published: Path) -> dict[str, Any]:
    """The published description with the calls of a review alone, and all that they refer to."""
    whole: dict[str, Any] = json.loads(published.read_bytes())
    cut: dict[str, Any] = {name: whole[name] for name in ("openapi", "info", "servers")}
    cut["paths"] = {path: whole["paths"][path] for path in _PATHS}
    cut["components"] = {}
    waiting = [cut["paths"]]
    while waiting:
        for reference in _references(waiting.pop()):
            _, kind, name = reference.removeprefix("#/").split("/")
            held = cut["components"].setdefault(kind, {})
            if name not in held:
                held[name] = whole["components"][kind][name]
                waiting.append(held[name])
    return cut


def _is_uri(value: Any) -> bool:
    return re.fullmatch(r"[a-z]+:[^\s<>{}|\\^`\[\]\"]+", str(value)) is not None


def _references(node: Any) -> Iterator[str]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node["$ref"]
        for value in node.values():
            yield from _references(value)
    elif isinstance(node, list):
        for value in node:
            yield from _references(value)


@dataclass(slots=True)
class Judge:
    """Collects what GitHub's description does not allow.

    Attributes:
        description: From :func:`extract`.
        violations: One line each.
        judged: How many exchanges were looked at.
    """

    description: Mapping[str, Any]
    violations: list[str] = field(default_factory=list[str])
    judged: int = 0
    _openapi: OpenAPI = field(init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __post_init__(self) -> None:
        # openapi-core leaves this format unchecked.
        config = Config(extra_format_validators={"uri": _is_uri})
        self._openapi = OpenAPI.from_dict(dict(self.description), config=config)

    def __call__(self, exchange: Exchange) -> None:
        """Judge one exchange; given to the simulator as its observer."""
        with self._lock:
            self.judged += 1
            where = f"{exchange.call.method} {exchange.call.path}"
            for what, problem in self._problems(exchange):
                self.violations.append(f"{where}: {what}: {problem}")

    def _problems(self, exchange: Exchange) -> Iterator[tuple[str, str]]:
        request = _Request(exchange)
        try:
            self._openapi.validate_request(request)
        except OpenAPIError as error:
            yield "request", _causes(error)
        status = exchange.answer.status
        if not self._documents(exchange):
            # GitHub answers some refusals that its description leaves out.
            if status < 400:
                yield "answer", f"status {status} is not described"
            return
        try:
            self._openapi.validate_response(request, _Response(exchange))
        except OpenAPIError as error:
            yield f"answer {status}", _causes(error)

    def _documents(self, exchange: Exchange) -> bool:
        for path, operations in self.description["paths"].items():
            pattern = re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))
            operation = operations.get(exchange.call.method.lower())
            if operation and re.fullmatch(pattern, exchange.call.path):
                return str(exchange.answer.status) in operation["responses"]
        return False


def _causes(error: BaseException) -> str:
    told = [type(error).__name__]
    for deeper in getattr(error, "schema_errors", ()):
        told += [f"{at}: {message}" for at, message in _leaves(deeper)]
    if error.__cause__ is not None:
        told.append(_causes(error.__cause__))
    elif len(told) == 1:
        told.append(str(error)[:200])
    return " <- ".join(told)


def _leaves(error: Any) -> Iterator[tuple[str, str]]:
    if not error.context:
        yield "/".join(map(str, error.absolute_path)), _end_of(error.message)
    for deeper in error.context or ():
        yield from _leaves(deeper)


def _end_of(message: str) -> str:
    # The beginning repeats the value.
    return message if len(message) < 200 else f"…{message[-200:]}"


class _Request:
    """A call as openapi-core wants it."""

    def __init__(self, exchange: Exchange) -> None:
        call = exchange.call
        self.parameters = RequestParameters(
            query=ImmutableMultiDict(call.query), header=Headers(list(call.headers.items()))
        )
        self.method = call.method.lower()
        self.host_url = _HOST
        self.path = call.path
        self.body = call.body or None
        self.content_type = call.headers.get("content-type", "")


class _Response:
    """An answer as openapi-core wants it."""

    def __init__(self, exchange: Exchange) -> None:
        said = exchange.answer
        self.status_code = said.status
        self.headers = Headers(list(said.headers.items()))
        self.content_type = said.headers.get("Content-Type", "application/json")
        self.data = said.encoded() or None


def openapi_violations(judge: Judge) -> int:
    """How often GitHub's description was broken, over everything that was observed."""
    return len(judge.violations)

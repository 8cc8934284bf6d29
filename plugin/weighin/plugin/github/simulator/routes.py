"""Which function answers which call, and the right that it takes.

What this module does not do: it checks no right itself; ``gate`` does.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote

from weighin.plugin.github.simulator import (
    answer_apps,
    answer_checks,
    answer_comments,
    answer_pulls,
    answer_repository,
)
from weighin.plugin.github.simulator.asked import Asked
from weighin.plugin.github.simulator.gate import Needs, check_rights, count, sender
from weighin.plugin.github.simulator.hosted import Hosted
from weighin.plugin.github.simulator.people import App, Token
from weighin.plugin.github.simulator.wire import Answer, Call, Refused, refused
from weighin.plugin.github.simulator.world import World


@dataclass(frozen=True, slots=True)
class Route:
    """One kind of call on a repository; ``{name}`` is a part of the path, ``{name+}`` the rest."""

    method: str
    path: str
    needs: Needs
    answer: Callable[[Asked], Answer]

    def parts(self, call: Call, path: str) -> dict[str, str] | None:
        """The variable parts of a path, or ``None`` if it is another route's."""
        pattern = re.sub(r"\{(\w+)\+\}", r"(?P<\1>.+)", self.path)
        pattern = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", pattern)
        found = re.fullmatch(pattern, path) if call.method == self.method else None
        return found and {name: unquote(text) for name, text in found.groupdict().items()}


_READ = (("contents", "read"),)
_PULLS = (("pull_requests", "read"),)
_EDITS_PULLS = (("pull_requests", "write"),)
_TALK = (("issues", "read"), ("pull_requests", "read"))
_TALKS = (("issues", "write"), ("pull_requests", "write"))
_CHECKS = (("checks", "read"),)
_WRITES_CHECKS = (("checks", "write"),)
_STATUSES = (("statuses", "read"),)
_WRITES_STATUSES = (("statuses", "write"),)
_MERGES = (("contents", "write"),)

_ROUTES = (
    Route("GET", "", (("metadata", "read"),), answer_repository.repository),
    Route("GET", "/branches/{branch+}", _READ, answer_repository.branch),
    Route("GET", "/contents/{path+}", _READ, answer_repository.contents),
    Route("GET", "/git/blobs/{file_sha}", _READ, answer_repository.blob),
    Route("GET", "/pulls", _PULLS, answer_pulls.list_pulls),
    Route("POST", "/pulls", _EDITS_PULLS, answer_pulls.open_pull),
    Route("GET", "/pulls/{number}", _PULLS, answer_pulls.get_pull),
    Route("PATCH", "/pulls/{number}", _EDITS_PULLS, answer_pulls.edit_pull),
    Route("PUT", "/pulls/{number}/merge", _MERGES, answer_pulls.merge_pull),
    Route("GET", "/issues/comments/{comment_id}", _TALK, answer_comments.get_comment),
    Route("PATCH", "/issues/comments/{comment_id}", _TALKS, answer_comments.edit_comment),
    Route("DELETE", "/issues/comments/{comment_id}", _TALKS, answer_comments.delete_comment),
    Route("GET", "/issues/{number}/comments", _TALK, answer_comments.list_comments),
    Route("POST", "/issues/{number}/comments", _TALKS, answer_comments.add_comment),
    Route("POST", "/check-runs", _WRITES_CHECKS, answer_checks.create_check),
    Route("GET", "/check-runs/{check_run_id}", _CHECKS, answer_checks.get_check),
    Route("PATCH", "/check-runs/{check_run_id}", _WRITES_CHECKS, answer_checks.update_check),
    Route("GET", "/check-runs/{check_run_id}/annotations", _CHECKS, answer_checks.list_annotations),
    Route("GET", "/commits/{ref}/check-runs", _CHECKS, answer_checks.list_checks),
    Route("GET", "/commits/{ref}/status", _STATUSES, answer_checks.combined_status),
    Route("POST", "/statuses/{sha}", _WRITES_STATUSES, answer_checks.set_status),
)


def answer(world: World, call: Call) -> Answer:
    """What the simulated GitHub says to a call."""
    with world.lock:
        now, headers = world.now(), dict[str, str]()
        try:
            who = sender(world, call, now)
            if isinstance(who, App):
                return answer_apps.as_app(world, who, call, now)
            headers = count(world, who, now)
            return _to_token(world, call, who, now).with_headers(headers)
        except Refused as refusal:
            return refusal.answer.with_headers(headers)


def _to_token(world: World, call: Call, token: Token, now: datetime) -> Answer:
    if not call.path.startswith(("/repos/", "/repositories/")):
        return answer_apps.about_token(world, token, call)
    hosted, rest = _repository(world, call)
    for route in _ROUTES:
        parts = route.parts(call, rest)
        if parts is not None:
            check_rights(token, hosted, route.needs)
            asked = Asked(world=world, call=call, token=token, hosted=hosted, parts=parts, now=now)
            return route.answer(asked)
    raise refused(404, "Not Found")


def _repository(world: World, call: Call) -> tuple[Hosted, str]:
    numbered = re.fullmatch(r"/repositories/(\d+)(/.*)?", call.path)
    if numbered:
        for hosted in world.repositories.values():
            if hosted.id == int(numbered[1]):
                return hosted, numbered[2] or ""
    named = re.fullmatch(r"/repos/([^/]+/[^/]+)(/.*)?", call.path)
    if named is None:
        raise refused(404, "Not Found")
    found, moved = world.find(named[1]), world.renamed(named[1])
    if found is not None:
        return found, named[2] or ""
    if moved is None:
        raise refused(404, "Not Found")
    status = 301 if call.method == "GET" else 307
    to = f"{call.base}/repositories/{moved.id}{named[2] or ''}"
    words = "Moved Permanently" if status == 301 else "Temporary Redirect"
    raise refused(status, words, headers={"Location": to})

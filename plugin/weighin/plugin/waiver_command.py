"""Reads ``weighin: waive METRIC [on DEVICE] REASON`` out of a comment, as a reader sees it. Pure.

A command is a line of an ordinary paragraph. What stands in a code block, a quote, a list, a
heading, a table, behind ``<!--`` or struck out is no command: people quote and explain commands,
and nobody reads a hidden one. The comment is parsed as CommonMark, as GitHub shows it.

What this module does not do: it asks nobody who wrote the comment, and knows no weigh-in.
"""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighin.gates.metric import Metric
from weighin.gates.plain import plain

if TYPE_CHECKING:
    from markdown_it.token import Token

MOST_REASON = 300
"""Characters of a reason that fit in every report."""

MOST_COMMENT = 4_000
"""Characters of a comment that is parsed: anybody may write one, and hostile Markdown is slow."""

_MOST_COMMANDS = 50
_QUOTED = 80
_COMMAND = re.compile(r"weighin:[ \t]*waive\b(.*)", re.IGNORECASE | re.DOTALL)
_MAY_HAVE_ONE = re.compile(r"^weighin:[ \t]*waive\b", re.IGNORECASE | re.MULTILINE)
_WORDS = re.compile(r"[ \t]*(\S*)(?:[ \t]+on[ \t]+(\S+))?[ \t]*(.*)", re.IGNORECASE | re.DOTALL)
_AFTER_WORDS = ":,;"
"""What people write behind a name that is no part of it."""

_BREAKS = ("softbreak", "hardbreak")
_SHOWN = ("text", "code_inline", "html_inline", "image")


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverAsk:
    """What one command asks for: a metric, a device or every one, and why."""

    metric: Metric
    device: str | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedAsk:
    """A command that cannot be obeyed, as it was written, and why."""

    said: str
    why: str


def parse_waiver_command(body: str) -> tuple[WaiverAsk | RefusedAsk, ...]:
    """Every command of a comment, in order; empty if there is none."""
    if not _MAY_HAVE_ONE.search(body):
        return ()
    if len(body) > MOST_COMMENT:
        why = f"the comment has {len(body)} characters; a command goes into one of its own"
        return (RefusedAsk(said=shortened(body), why=why),)
    lines = [line for line in _lines(body) if _COMMAND.match(line)]
    if len(lines) > _MOST_COMMANDS:
        why = f"{len(lines)} commands in one comment; at most {_MOST_COMMANDS} are read"
        return (RefusedAsk(said=shortened(lines[0]), why=why),)
    return tuple(_ask(line) for line in lines)


def shortened(text: str) -> str:
    """The beginning of a text that nobody vouches for, in one line, safe to show."""
    line = plain(text[: 4 * _QUOTED])
    return line if len(line) <= _QUOTED else f"{line[: _QUOTED - 1]}…"


def _lines(body: str) -> Iterator[str]:
    """The lines of the ordinary paragraphs that begin with text, without their markup."""
    from markdown_it import MarkdownIt

    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(body)
    for before, token in itertools.pairwise(tokens):
        if (before.type, before.level, token.type) == ("paragraph_open", 0, "inline"):
            yield from _paragraph(token.children or [])


def _paragraph(children: list["Token"]) -> Iterator[str]:
    line: list[Token] = []
    for child in children:
        if child.type in _BREAKS:
            yield _shown(line)
            line = []
        else:
            line.append(child)
    yield _shown(line)


def _shown(line: list["Token"]) -> str:
    """What a line reads as; nothing if it begins with anything but text."""
    if not line or line[0].type != "text":
        return ""
    return "".join(token.content for token in line if token.type in _SHOWN)


def _ask(line: str) -> WaiverAsk | RefusedAsk:
    found = _COMMAND.match(line)
    words = _WORDS.match(found[1] if found else "")
    if words is None:  # pragma: no cover - the pattern matches every text
        return RefusedAsk(said=shortened(line), why="it is no command")
    name, device = (word and word.rstrip(_AFTER_WORDS) for word in words.groups()[:2])
    reason = plain(words[3]) if words[3].strip() else ""
    if why := _bad_metric(name) or _bad_reason(reason):
        return RefusedAsk(said=shortened(line), why=why)
    return WaiverAsk(metric=Metric(name.lower()), device=device, reason=reason)


def _bad_metric(name: str) -> str:
    """Why this is no metric; empty if it is one."""
    if name.lower() in tuple(Metric):
        return ""
    known = ", ".join(sorted(Metric))
    said = f"there is no metric {shortened(name)!r}" if name else "it names no metric"
    return f"{said}; there are {known}"


def _bad_reason(reason: str) -> str:
    """Why these words are none that a report can show; empty if they are."""
    if reason.lower() == "on":
        return "it names no device behind 'on'"
    if not any(character.isalnum() for character in reason):
        return "it gives no reason; write why behind the metric"
    if len(reason) > MOST_REASON:
        return f"its reason has {len(reason)} characters; {MOST_REASON} fit in a report"
    return ""

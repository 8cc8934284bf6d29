"""What shell text means: a tree of commands, words and redirections.

What this module does not do: it parses nothing (``shell_words`` does) and runs nothing
(``shell`` does).
"""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a part of a word is."""

    TEXT = "text"
    VARIABLE = "variable"
    COMMAND = "command"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A piece of a word; ``quoted`` pieces are neither split nor globbed."""

    kind: Kind
    text: str
    quoted: bool


Word = tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Redirect:
    """``2> file`` is (2, ">", file); ``2>&1`` is (2, ">&", 1)."""

    stream: int
    operator: str
    target: Word


@dataclass(frozen=True, slots=True, kw_only=True)
class Simple:
    """``NAME=x command argument > file``."""

    sets: tuple[tuple[str, Word], ...]
    words: tuple[Word, ...]
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """``( list )`` or ``{ list; }``."""

    body: "Lines"
    is_subshell: bool
    redirects: tuple[Redirect, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Loop:
    """``for name in words; do list; done``."""

    name: str
    words: tuple[Word, ...]
    body: "Lines"
    redirects: tuple[Redirect, ...]


Command = Simple | Group | Loop


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """Pipelines joined by ``&&`` and ``||``; the first one's operator is empty."""

    links: tuple[tuple[str, tuple[Command, ...]], ...]
    in_background: bool


Lines = tuple[Chain, ...]

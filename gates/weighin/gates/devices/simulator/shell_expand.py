"""Words of a shell command to its arguments: braces, variables, commands, splitting, patterns.

What this module does not do: tilde, arithmetic and substrings are not expanded.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import product
from re import fullmatch
from typing import assert_never

from weighin.gates.devices.simulator.files import absolute
from weighin.gates.devices.simulator.session import Session
from weighin.gates.devices.simulator.shell_tree import Kind, Part, Word

_SHELL_PID = 4_000


class Expander:
    """Expands words in a session."""

    def __init__(self, session: Session, output_of: Callable[[str], bytes]) -> None:
        """For one session.

        Args:
            session: Variables and folder.
            output_of: Runs ``$( ... )`` and returns what it writes.
        """
        self._session = session
        self._output_of = output_of

    def arguments(self, words: tuple[Word, ...]) -> tuple[str, ...]:
        """The arguments that these words become."""
        return tuple(value for word in words for value in self._word(word))

    def _word(self, word: Word) -> Iterator[str]:
        for variant in _braces(word):
            fields = self._fields(variant)
            for pattern, value in fields:
                matches = self._matches(pattern) if pattern is not None else ()
                yield from matches or (value,)

    def _fields(self, word: Word) -> list[tuple[str | None, str]]:
        """Unquoted results of variables and commands are split; each field with its pattern."""
        fields: list[tuple[str, bool]] = []
        current, has_glob, any_part = "", False, False
        for part in word:
            value = self._value(part)
            if part.kind is Kind.TEXT or part.quoted:
                current += value
                has_glob |= not part.quoted and any(sign in value for sign in "*?[")
                any_part |= part.quoted or bool(value)
                continue
            pieces = value.split()
            for piece in pieces[:-1]:
                fields.append((current + piece, has_glob))
                current, has_glob = "", False
            current += pieces[-1] if pieces else ""
            any_part |= bool(pieces)
        if any_part or current:
            fields.append((current, has_glob))
        return [(text if glob else None, text) for text, glob in fields]

    def _matches(self, pattern: str) -> tuple[str, ...]:
        folder = self._session.folder
        found = self._session.state.files.glob(absolute(pattern, folder))
        if pattern.startswith("/"):
            return found
        return tuple(path.removeprefix(folder.rstrip("/") + "/") for path in found)

    def text(self, word: Word) -> str:
        """A word that is not split: an assignment's value or a redirection's target."""
        return "".join(self._value(part) for part in word)

    def _value(self, part: Part) -> str:
        match part.kind:
            case Kind.TEXT:
                return part.text
            case Kind.VARIABLE:
                return self._variable(part.text)
            case Kind.COMMAND:
                return self._output_of(part.text).decode(errors="replace").rstrip("\n")
            case _:
                assert_never(part.kind)

    def _variable(self, name: str) -> str:
        session = self._session
        special = {"?": session.status, "!": session.last_background or "", "$": _SHELL_PID}
        if name in special:
            return str(special[name])
        plain, _, default = name.partition(":-")
        return session.variables.get(plain, "") or default


def _braces(word: Word) -> Iterator[Word]:
    """``{a,b}`` in unquoted text: one word per alternative."""
    options: list[tuple[Part, ...]] = []
    for part in word:
        found = None
        if part.kind is Kind.TEXT and not part.quoted:
            found = fullmatch(r"([^{}]*)\{([^{}]*,[^{}]*)\}(.*)", part.text)
        if found is None:
            options.append((part,))
            continue
        head, inside, tail = found.groups()
        options.append(tuple(replace(part, text=head + one + tail) for one in inside.split(",")))
    for combination in product(*options):
        if combination == word:
            yield word
        else:
            yield from _braces(combination)

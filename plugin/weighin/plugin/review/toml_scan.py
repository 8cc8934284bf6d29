"""Where each key of a TOML document stands: :mod:`tomllib` gives values, but no lines.

The law, held by a property test: for every document that :mod:`tomllib` reads, the keys found
here are the keys that it finds (what stands within arrays left out). What this module does not
do: it reads no value and refuses nothing; a document that is no TOML has no keys.
"""

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

Path = tuple[str, ...]

_BLANK = " \t\r\n"
_ENDS_BARE_KEY = " \t.=]\r\n"
_QUOTES = ("'''", '"""')


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLine:
    """One key, or the head of one table.

    Attributes:
        path: From the top of the document.
        line: Counted from 1.
        is_table: Whether this is a head such as ``[budgets.default]``.
    """

    path: Path
    line: int
    is_table: bool = False


def key_lines(text: str) -> tuple[KeyLine, ...]:
    """Every key of a document, in the order in which they stand; nothing if it is no TOML."""
    try:
        tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError):
        return ()
    return tuple(_Scanner(text).document())


class _Scanner:
    """Walks once over a document that is known to be TOML."""

    def __init__(self, text: str) -> None:
        self._text = text + "\n"
        self._at = 0
        self._line, self._counted = 1, 0

    def document(self) -> Iterator[KeyLine]:
        table: Path = ()
        while self._skip_blank():
            if self._peek() == "[":
                line, table = self._line_here(), self._head()
                yield KeyLine(path=table, line=line, is_table=True)
            else:
                yield from self._pair(table)

    def _head(self) -> Path:
        """``[a.b]`` or ``[[a.b]]``, with the brackets."""
        while self._peek() == "[":
            self._at += 1
        path = self._key()
        while self._peek() in "] \t":
            self._at += 1
        return path

    def _pair(self, table: Path) -> Iterator[KeyLine]:
        line = self._line_here()
        path = (*table, *self._key())
        self._at += 1  # the equals sign
        self._skip(" \t")
        yield KeyLine(path=path, line=line)
        yield from self._value(path)

    def _key(self) -> Path:
        """A dotted key, up to what follows it."""
        parts: list[str] = []
        while True:
            self._skip(" \t")
            start = self._at
            if self._peek() in "\"'":
                self._string()
                parts.append(str(tomllib.loads(f"k = {self._text[start : self._at]}")["k"]))
            else:
                while self._peek() not in _ENDS_BARE_KEY:
                    self._at += 1
                parts.append(self._text[start : self._at])
            self._skip(" \t")
            if self._peek() != ".":
                return tuple(parts)
            self._at += 1

    def _value(self, path: Path) -> Iterator[KeyLine]:
        match self._peek():
            case '"' | "'":
                self._string()
            case "[":
                self._array()
            case "{":
                yield from self._inline_table(path)
            case _:
                while self._peek() not in ",]}#\n":
                    self._at += 1

    def _inline_table(self, path: Path) -> Iterator[KeyLine]:
        self._at += 1
        while self._skip_blank() and self._peek() != "}":
            if self._peek() == ",":
                self._at += 1
            else:
                yield from self._pair(path)
        self._at += 1

    def _array(self) -> None:
        """Past an array; keys of tables in it are nobody's that can be named."""
        self._at += 1
        while self._skip_blank() and self._peek() != "]":
            if self._peek() == ",":
                self._at += 1
            else:
                for _ in self._value(()):
                    pass
        self._at += 1

    def _string(self) -> None:
        for quote in _QUOTES:
            if self._text.startswith(quote, self._at):
                self._at += 3
                self._until(quote)
                while self._peek() == quote[0]:  # up to two quotes may stand before the end
                    self._at += 1
                return
        quote = self._peek()
        self._at += 1
        self._until(quote)

    def _until(self, quote: str) -> None:
        """Past the closing quote; only strings in double quotes have escapes."""
        while not self._text.startswith(quote, self._at):
            self._at += 2 if self._peek() == "\\" and quote[0] == '"' else 1
        self._at += len(quote)

    def _skip_blank(self) -> bool:
        """Past blanks and comments; whether anything follows."""
        self._skip(_BLANK)
        while self._peek() == "#":
            self._at = self._text.index("\n", self._at)
            self._skip(_BLANK)
        return self._at < len(self._text)

    def _skip(self, characters: str) -> None:
        while self._at < len(self._text) and self._text[self._at] in characters:
            self._at += 1

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _line_here(self) -> int:
        self._line += self._text.count("\n", self._counted, self._at)
        self._counted = self._at
        return self._line

"""Shell text character by character: words with their quotes, variables and commands in them.

What this module does not do: it knows no grammar beyond words; ``shell_words`` does.
"""

from typing import NoReturn

from weighin.gates.devices.simulator.shell_tree import Kind, Part, Word

BREAKS = " \t\n;&|()<>"
"""What ends a word."""
_BLANKS = ("", " ", "\t", "\n", ";")


class ShellSyntaxError(ValueError):
    """The text is no shell command that the simulator understands."""


class Scanner:
    """Reads words and signs from a text, from left to right."""

    def __init__(self, text: str) -> None:
        """At the beginning of ``text``."""
        self._text = text
        self._at = 0

    @property
    def at_end(self) -> bool:
        """Whether nothing is left."""
        return self._at >= len(self._text)

    def fail(self) -> NoReturn:
        """Refuse what comes next."""
        near = self._text[self._at : self._at + 12] or "end of line"
        raise ShellSyntaxError(f"syntax error: unexpected '{near}'")

    def word(self) -> Word:
        """The next word, up to a blank or an operator."""
        parts: list[Part] = []
        while not self.at_end and self._text[self._at] not in BREAKS:
            parts.extend(self._piece())
        if not parts:
            self.fail()
        return tuple(parts)

    def _piece(self) -> list[Part]:
        sign = self._text[self._at]
        if sign == "'":
            return [text_part(self._until("'"), quoted=True)]
        if sign == '"':
            return self._double_quoted()
        if sign == "\\":
            self._at += 2
            return [text_part(self._text[self._at - 1 : self._at], quoted=True)]
        if sign in "$`":
            return [self._dollar(quoted=False)]
        start = self._at
        while not self.at_end and self._text[self._at] not in BREAKS + "'\"\\$`":
            self._at += 1
        return [text_part(self._text[start : self._at], quoted=False)]

    def _double_quoted(self) -> list[Part]:
        self._at += 1
        parts = [text_part("", quoted=True)]
        literal = ""
        while not self.at_end and self._text[self._at] != '"':
            sign = self._text[self._at]
            if sign in "$`":
                parts += [text_part(literal, quoted=True), self._dollar(quoted=True)]
                literal = ""
                continue
            if sign == "\\" and self.peek(2)[1:] in ('"', "\\", "$", "`"):
                self._at += 1
            literal += self._text[self._at]
            self._at += 1
        if self.at_end:
            raise ShellSyntaxError("no closing quote")
        self._at += 1
        return [*parts, text_part(literal, quoted=True)]

    def _dollar(self, *, quoted: bool) -> Part:
        if self._text[self._at] == "`":
            return Part(kind=Kind.COMMAND, text=self._until("`"), quoted=quoted)
        self._at += 1
        following = self.peek(1)
        if following == "(":
            return Part(kind=Kind.COMMAND, text=self._bracketed(), quoted=quoted)
        if following == "{":
            return Part(kind=Kind.VARIABLE, text=self._until("}"), quoted=quoted)
        if following in ("?", "!", "$"):
            self._at += 1
            return Part(kind=Kind.VARIABLE, text=following, quoted=quoted)
        start = self._at
        while not self.at_end and (self._text[self._at].isalnum() or self._text[self._at] == "_"):
            self._at += 1
        if start == self._at:
            return text_part("$", quoted=quoted)
        return Part(kind=Kind.VARIABLE, text=self._text[start : self._at], quoted=quoted)

    def _bracketed(self) -> str:
        """Inside of ``( ... )``, with brackets inside of it balanced."""
        start, depth = self._at + 1, 0
        while not self.at_end:
            depth += {"(": 1, ")": -1}.get(self._text[self._at], 0)
            self._at += 1
            if depth == 0:
                return self._text[start : self._at - 1]
        raise ShellSyntaxError("no closing ')'")

    def _until(self, sign: str) -> str:
        end = self._text.find(sign, self._at + 1)
        if end < 0:
            raise ShellSyntaxError("no closing quote")
        inside = self._text[self._at + 1 : end]
        self._at = end + 1
        return inside

    def plain(self) -> str:
        """The next word as it stands."""
        self.skip()
        return "".join(part.text for part in self.word())

    def peek(self, count: int) -> str:
        """The next characters after blanks, without taking them."""
        self.skip()
        return self._text[self._at : self._at + count]

    def take(self, *options: str) -> str | None:
        """Take the first of these that comes next; ``None`` if none does."""
        self.skip()
        for option in options:
            if self._text.startswith(option, self._at):
                self._at += len(option)
                return option
        return None

    def keyword(self, word: str) -> bool:
        """Take ``word`` if it comes next and stands alone."""
        after = self._text[self._at + len(word) : self._at + len(word) + 1]
        if self._text.startswith(word, self._at) and after in ("", " ", "\t", "\n"):
            self._at += len(word)
            return True
        return False

    def next_is(self, enders: tuple[str, ...]) -> bool:
        """Whether one of these comes next."""
        return any(self._text.startswith(ender, self._at) for ender in enders)

    def skip(self, also: str = "") -> None:
        """Pass blanks, comments and the characters in ``also``."""
        while not self.at_end and self._text[self._at] in " \t" + also:
            self._at += 1
        if self._text.startswith("#", self._at) and self._text[: self._at][-1:] in _BLANKS:
            end = self._text.find("\n", self._at)
            self._at = end if end >= 0 else len(self._text)
            self.skip(also)


def text_part(text: str, *, quoted: bool) -> Part:
    """Text as it stands."""
    return Part(kind=Kind.TEXT, text=text, quoted=quoted)

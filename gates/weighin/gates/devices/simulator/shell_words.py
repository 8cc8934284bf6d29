"""Shell text to a tree of commands: quotes, variables, lists, pipes, redirections, loops.

The part of mksh's grammar that people send through ``adb shell``. What this module does not do:
functions, ``if``, ``while``, arithmetic and here-documents are syntax errors, never guessed at.
"""

from typing import NoReturn

from weighin.gates.devices.simulator.shell_tree import (
    Chain,
    Command,
    Group,
    Kind,
    Lines,
    Loop,
    Part,
    Redirect,
    Simple,
    Word,
)


class ShellSyntaxError(ValueError):
    """The text is no shell command that the simulator understands."""


def parse(text: str) -> Lines:
    """The commands in ``text``.

    Raises:
        ShellSyntaxError: unbalanced quotes or brackets, or grammar that is not covered.
    """
    parser = _Parser(text)
    lines = parser.lines(())
    if not parser.at_end:
        parser.fail()
    return lines


_BREAKS = " \t\n;&|()<>"
_BLANKS = ("", " ", "\t", "\n", ";")
_RESERVED = ("if", "while", "until", "case", "function", "then", "do", "done", "in", "esac")
_DEEPEST = 50


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0

    @property
    def at_end(self) -> bool:
        return self._at >= len(self._text)

    def fail(self) -> NoReturn:
        near = self._text[self._at : self._at + 12] or "end of line"
        raise ShellSyntaxError(f"syntax error: unexpected '{near}'")

    def lines(self, enders: tuple[str, ...]) -> Lines:
        """Commands up to one of ``enders``, which is not consumed."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ShellSyntaxError("syntax error: nested too deeply")
        found: list[Chain] = []
        while True:
            self._skip("\n;")
            if self.at_end or self._next_is(enders):
                break
            found.append(self._chain())
        self._depth -= 1
        return tuple(found)

    def _chain(self) -> Chain:
        links = [("", self._pipeline())]
        while (operator := self._take("&&", "||")) is not None:
            self._skip("\n")
            links.append((operator, self._pipeline()))
        self._skip()
        background = self._text[self._at : self._at + 1] == "&"
        if background:
            self._at += 1
        elif not self.at_end and self._text[self._at] not in ";\n)}":
            self.fail()
        return Chain(links=tuple(links), in_background=background)

    def _pipeline(self) -> tuple[Command, ...]:
        commands = [self._command()]
        while self._peek(1) == "|" and self._peek(2) != "||":
            self._at += 1
            self._skip("\n")
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Command:
        self._skip()
        if self._take("("):
            return self._group(")", is_subshell=True)
        if self._keyword("{"):
            return self._group("}", is_subshell=False)
        if self._keyword("for"):
            return self._loop()
        return self._simple()

    def _group(self, ender: str, *, is_subshell: bool) -> Group:
        body = self.lines((ender,))
        if not self._take(ender):
            self.fail()
        return Group(body=body, is_subshell=is_subshell, redirects=self._redirects())

    def _loop(self) -> Loop:
        name = self._plain()
        if self._plain() != "in":
            self.fail()
        words: list[Word] = []
        while self._peek(1) not in (";", "\n", ""):
            words.append(self._word())
        self._skip("\n;")
        if self._plain() != "do":
            self.fail()
        body = self.lines(("done",))
        if self._plain() != "done":
            self.fail()
        return Loop(name=name, words=tuple(words), body=body, redirects=self._redirects())

    def _simple(self) -> Simple:
        sets: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self._skip()
            if (redirect := self._redirect()) is not None:
                redirects.append(redirect)
            elif self.at_end or self._text[self._at] in _BREAKS:
                break
            else:
                word = self._word()
                pair = _assignment(word) if not words else None
                sets.append(pair) if pair else words.append(word)
        if not (sets or words or redirects):
            self.fail()
        if (
            words
            and len(words[0]) == 1
            and words[0][0].text in _RESERVED
            and not words[0][0].quoted
        ):
            raise ShellSyntaxError(f"syntax error: '{words[0][0].text}' unexpected")
        return Simple(sets=tuple(sets), words=tuple(words), redirects=tuple(redirects))

    def _redirects(self) -> tuple[Redirect, ...]:
        found: list[Redirect] = []
        self._skip()
        while (redirect := self._redirect()) is not None:
            found.append(redirect)
            self._skip()
        return tuple(found)

    def _redirect(self) -> Redirect | None:
        start = self._at
        stream = self._text[start : start + 1] if self._text[start : start + 1] in "012" else ""
        self._at += len(stream)
        operator = self._operator()
        if operator is None:
            self._at = start
            return None
        self._skip()
        default = 0 if operator == "<" else 1
        number = int(stream) if stream else default
        return Redirect(stream=number, operator=operator, target=self._word())

    def _operator(self) -> str | None:
        for operator in (">>", ">&", ">", "<"):
            if self._text.startswith(operator, self._at):
                if self._text.startswith("<<", self._at):
                    self.fail()
                self._at += len(operator)
                return operator
        return None

    def _word(self) -> Word:
        parts: list[Part] = []
        while not self.at_end and self._text[self._at] not in _BREAKS:
            parts.extend(self._piece())
        if not parts:
            self.fail()
        return tuple(parts)

    def _piece(self) -> list[Part]:
        sign = self._text[self._at]
        if sign == "'":
            return [_text(self._until("'"), quoted=True)]
        if sign == '"':
            return self._double_quoted()
        if sign == "\\":
            self._at += 2
            return [_text(self._text[self._at - 1 : self._at], quoted=True)]
        if sign in "$`":
            return [self._dollar(quoted=False)]
        start = self._at
        while not self.at_end and self._text[self._at] not in _BREAKS + "'\"\\$`":
            self._at += 1
        return [_text(self._text[start : self._at], quoted=False)]

    def _double_quoted(self) -> list[Part]:
        self._at += 1
        parts = [_text("", quoted=True)]
        literal = ""
        while not self.at_end and self._text[self._at] != '"':
            sign = self._text[self._at]
            if sign in "$`":
                parts += [_text(literal, quoted=True), self._dollar(quoted=True)]
                literal = ""
                continue
            if sign == "\\" and self._peek(2)[1:] in ('"', "\\", "$", "`"):
                self._at += 1
            literal += self._text[self._at]
            self._at += 1
        if self.at_end:
            raise ShellSyntaxError("no closing quote")
        self._at += 1
        return [*parts, _text(literal, quoted=True)]

    def _dollar(self, *, quoted: bool) -> Part:
        if self._text[self._at] == "`":
            return Part(kind=Kind.COMMAND, text=self._until("`"), quoted=quoted)
        self._at += 1
        following = self._peek(1)
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
            return _text("$", quoted=quoted)
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

    def _plain(self) -> str:
        self._skip()
        return "".join(part.text for part in self._word())

    def _peek(self, count: int) -> str:
        self._skip()
        return self._text[self._at : self._at + count]

    def _take(self, *options: str) -> str | None:
        self._skip()
        for option in options:
            if self._text.startswith(option, self._at):
                self._at += len(option)
                return option
        return None

    def _keyword(self, word: str) -> bool:
        after = self._text[self._at + len(word) : self._at + len(word) + 1]
        if self._text.startswith(word, self._at) and after in ("", " ", "\t", "\n"):
            self._at += len(word)
            return True
        return False

    def _next_is(self, enders: tuple[str, ...]) -> bool:
        return any(self._text.startswith(ender, self._at) for ender in enders)

    def _skip(self, also: str = "") -> None:
        while not self.at_end and self._text[self._at] in " \t" + also:
            self._at += 1
        if self._text.startswith("#", self._at) and self._text[: self._at][-1:] in _BLANKS:
            end = self._text.find("\n", self._at)
            self._at = end if end >= 0 else len(self._text)
            self._skip(also)


def _text(text: str, *, quoted: bool) -> Part:
    return Part(kind=Kind.TEXT, text=text, quoted=quoted)


def _assignment(word: Word) -> tuple[str, Word] | None:
    """``NAME`` and value if the word is ``NAME=value``."""
    head = word[0]
    name, equals, rest = head.text.partition("=")
    if head.kind is not Kind.TEXT or head.quoted or not equals or not name.isidentifier():
        return None
    return name, (_text(rest, quoted=False), *word[1:])

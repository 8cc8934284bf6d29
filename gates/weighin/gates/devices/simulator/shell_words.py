"""Shell text to a tree of commands: quotes, variables, lists, pipes, redirections, loops.

The part of mksh's grammar that people send through ``adb shell``. What this module does not do:
functions, ``if``, ``while``, arithmetic and here-documents are syntax errors, never guessed at.
"""

from weighin.gates.devices.simulator.shell_scan import BREAKS, Scanner, ShellSyntaxError, text_part
from weighin.gates.devices.simulator.shell_tree import (
    Chain,
    Command,
    Group,
    Kind,
    Lines,
    Loop,
    Redirect,
    Simple,
    Word,
)


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


_RESERVED = ("if", "while", "until", "case", "function", "then", "do", "done", "in", "esac")
_DEEPEST = 50


class _Parser(Scanner):
    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0

    def lines(self, enders: tuple[str, ...]) -> Lines:
        """Commands up to one of ``enders``, which is not consumed."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise ShellSyntaxError("syntax error: nested too deeply")
        found: list[Chain] = []
        while True:
            self.skip("\n;")
            if self.at_end or self.next_is(enders):
                break
            found.append(self._chain())
        self._depth -= 1
        return tuple(found)

    def _chain(self) -> Chain:
        links = [("", self._pipeline())]
        while (operator := self.take("&&", "||")) is not None:
            self.skip("\n")
            links.append((operator, self._pipeline()))
        self.skip()
        background = self._text[self._at : self._at + 1] == "&"
        if background:
            self._at += 1
        elif not self.at_end and self._text[self._at] not in ";\n)}":
            self.fail()
        return Chain(links=tuple(links), in_background=background)

    def _pipeline(self) -> tuple[Command, ...]:
        commands = [self._command()]
        while self.peek(1) == "|" and self.peek(2) != "||":
            self._at += 1
            self.skip("\n")
            commands.append(self._command())
        return tuple(commands)

    def _command(self) -> Command:
        self.skip()
        if self.take("("):
            return self._group(")", is_subshell=True)
        if self.keyword("{"):
            return self._group("}", is_subshell=False)
        if self.keyword("for"):
            return self._loop()
        return self._simple()

    def _group(self, ender: str, *, is_subshell: bool) -> Group:
        body = self.lines((ender,))
        if not self.take(ender):
            self.fail()
        return Group(body=body, is_subshell=is_subshell, redirects=self._redirects())

    def _loop(self) -> Loop:
        name = self.plain()
        if self.plain() != "in":
            self.fail()
        words: list[Word] = []
        while self.peek(1) not in (";", "\n", ""):
            words.append(self.word())
        self.skip("\n;")
        if self.plain() != "do":
            self.fail()
        body = self.lines(("done",))
        if self.plain() != "done":
            self.fail()
        return Loop(name=name, words=tuple(words), body=body, redirects=self._redirects())

    def _simple(self) -> Simple:
        sets: list[tuple[str, Word]] = []
        words: list[Word] = []
        redirects: list[Redirect] = []
        while True:
            self.skip()
            if (redirect := self._redirect()) is not None:
                redirects.append(redirect)
            elif self.at_end or self._text[self._at] in BREAKS:
                break
            else:
                word = self.word()
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
        self.skip()
        while (redirect := self._redirect()) is not None:
            found.append(redirect)
            self.skip()
        return tuple(found)

    def _redirect(self) -> Redirect | None:
        start = self._at
        stream = self._text[start : start + 1] if self._text[start : start + 1] in "012" else ""
        self._at += len(stream)
        operator = self._operator()
        if operator is None:
            self._at = start
            return None
        self.skip()
        default = 0 if operator == "<" else 1
        number = int(stream) if stream else default
        return Redirect(stream=number, operator=operator, target=self.word())

    def _operator(self) -> str | None:
        for operator in (">>", ">&", ">", "<"):
            if self._text.startswith(operator, self._at):
                if self._text.startswith("<<", self._at):
                    self.fail()
                self._at += len(operator)
                return operator
        return None


def _assignment(word: Word) -> tuple[str, Word] | None:
    """``NAME`` and value if the word is ``NAME=value``."""
    head = word[0]
    name, equals, rest = head.text.partition("=")
    if head.kind is not Kind.TEXT or head.quoted or not equals or not name.isidentifier():
        return None
    return name, (text_part(rest, quoted=False), *word[1:])

"""Runs shell text on a simulated phone: the tree of ``shell_words`` with the table of commands.

What this module does not do: it is no terminal; there is no job control and no line editing.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import product
from re import fullmatch
from typing import assert_never

from weighin.gates.devices.simulator.files import absolute
from weighin.gates.devices.simulator.shell_words import (
    Chain,
    Command,
    Group,
    Kind,
    Lines,
    Loop,
    Part,
    Redirect,
    ShellSyntaxError,
    Simple,
    Word,
    parse,
)
from weighin.gates.devices.simulator.state import Process, State

Sink = Callable[[bytes], None]
SHELL = "/system/bin/sh"


@dataclass(frozen=True, slots=True, kw_only=True)
class Streams:
    """Where a command reads from and writes to."""

    out: Sink
    err: Sink
    stdin: bytes = b""


@dataclass(slots=True, kw_only=True)
class Session:
    """One shell: its folder, variables and last status.

    Attributes:
        state: The phone.
        folder: Working folder.
        variables: All variables; they are the environment of what it runs, too.
        status: Exit code of the last command, ``$?``.
        last_background: ``$!``.
        process: The process that the next program shall be, when it runs in the background.
        running: Programs that run in it now.
        gone: Set when nobody listens any more.
        exited: ``exit`` was called in it.
    """

    state: State
    folder: str = "/"
    variables: dict[str, str] = field(default_factory=dict[str, str])
    status: int = 0
    last_background: int = 0
    process: Process | None = None
    running: list[Process] = field(default_factory=list[Process])
    gone: threading.Event = field(default_factory=threading.Event)
    exited: bool = False

    def hang_up(self) -> None:
        """The client went away: end what runs, start nothing more."""
        self.gone.set()
        for process in tuple(self.running):
            process.kill(1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One command with its arguments, as the functions in the table get it."""

    session: Session
    name: str
    args: tuple[str, ...]
    streams: Streams
    commands: "Commands"
    cores: tuple[int, ...]

    @property
    def state(self) -> State:
        """The phone."""
        return self.session.state

    def say(self, text: str) -> None:
        """Write to standard output."""
        self.streams.out(text.encode())

    def complain(self, text: str, status: int = 1) -> int:
        """Write ``name: text`` to standard error and return ``status``."""
        self.streams.err(f"{self.name}: {text}\n".encode())
        return status

    def run(self, words: tuple[str, ...], streams: Streams) -> int:
        """Run another command in its place, on the same cores."""
        return Shell(self.session, self.commands).run_words(words, streams, self.cores)

    def path(self, name: str) -> str:
        """An absolute path from an argument."""
        return absolute(name, self.session.folder)


Builtin = Callable[[Call], int]
Program = Callable[[Call, bytes, Process], int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Commands:
    """What a phone can run.

    Attributes:
        builtins: Commands by name.
        program: What a pushed file does, or ``None`` if it is no program of ours.
    """

    builtins: Mapping[str, Builtin]
    program: Callable[[bytes], Program | None]


class Shell:
    """Runs text in a session."""

    def __init__(self, session: Session, commands: Commands) -> None:
        """A shell over ``session``."""
        self._session = session
        self._commands = commands
        self._cores = tuple(range(len(session.state.phone.cores)))

    def run_text(self, text: str, streams: Streams) -> int:
        """Run ``text`` and return the exit code."""
        try:
            lines = parse(text)
        except ShellSyntaxError as error:
            streams.err(f"{SHELL}: {error}\n".encode())
            return 1
        return self._lines(lines, streams)

    def _lines(self, lines: Lines, streams: Streams) -> int:
        session = self._session
        for chain in lines:
            if session.gone.is_set() or session.exited:
                break
            if chain.in_background:
                session.status = self._background(chain, streams)
            else:
                session.status = self._chain(chain, streams)
        return session.status

    def _chain(self, chain: Chain, streams: Streams) -> int:
        status = 0
        for operator, pipeline in chain.links:
            if (operator == "&&" and status != 0) or (operator == "||" and status == 0):
                continue
            status = self._session.status = self._pipeline(pipeline, streams)
        return status

    def _background(self, chain: Chain, streams: Streams) -> int:
        session = self._session
        process = session.state.start("sh")
        session.last_background = process.pid
        copy = replace(
            session,
            variables=dict(session.variables),
            process=process,
            running=[],
            gone=threading.Event(),
        )
        shell = Shell(copy, self._commands)

        def work() -> None:
            try:
                shell._chain(chain, streams)
            finally:
                session.state.end(process)

        threading.Thread(target=work, name=f"phone-job-{process.pid}", daemon=True).start()
        return 0

    def _pipeline(self, commands: tuple[Command, ...], streams: Streams) -> int:
        stdin = streams.stdin
        for command in commands[:-1]:
            written = bytearray()
            self._command(command, Streams(out=written.extend, err=streams.err, stdin=stdin))
            stdin = bytes(written)
        return self._command(commands[-1], replace(streams, stdin=stdin))

    def _command(self, command: Command, streams: Streams) -> int:
        try:
            inner = self._redirected(command.redirects, streams)
            return self._plain_command(command, inner)
        except OSError as error:
            streams.err(f"{SHELL}: can't use {error.filename}: {error.strerror}\n".encode())
            return 1

    def _plain_command(self, command: Command, streams: Streams) -> int:
        match command:
            case Simple():
                return self._simple(command, streams)
            case Group():
                if not command.is_subshell:
                    return self._lines(command.body, streams)
                variables = dict(self._session.variables)
                copy = replace(self._session, variables=variables)
                return Shell(copy, self._commands)._lines(command.body, streams)
            case Loop():
                for value in self._expand(command.words):
                    self._session.variables[command.name] = value
                    self._lines(command.body, streams)
                return self._session.status
            case _:
                assert_never(command)

    def _simple(self, command: Simple, streams: Streams) -> int:
        session = self._session
        sets = {name: self._join(word) for name, word in command.sets}
        words = self._expand(command.words)
        if not words:
            session.variables.update(sets)
            return 0
        before = dict(session.variables)
        session.variables.update(sets)
        try:
            return self.run_words(words, streams)
        finally:
            for name in sets:
                session.variables.pop(name)
                session.variables.update({name: before[name]} if name in before else {})

    def run_words(
        self, words: tuple[str, ...], streams: Streams, cores: tuple[int, ...] | None = None
    ) -> int:
        """Run one command that is split already, on these cores only if given."""
        name, *args = words
        allowed = self._cores if cores is None else cores
        call = Call(
            session=self._session,
            name=name,
            args=tuple(args),
            streams=streams,
            commands=self._commands,
            cores=allowed,
        )
        plain = name.removeprefix("/system/bin/")
        if plain in self._commands.builtins:
            return self._commands.builtins[plain](replace(call, name=plain))
        return self._program(call)

    def _program(self, call: Call) -> int:
        state = self._session.state
        if "/" not in call.name or not state.files.exists(call.path(call.name)):
            return self._refuse(call, "inaccessible or not found", 127)
        entry = state.files.stat(call.path(call.name))
        if entry.is_folder or not entry.mode & 0o111:
            return self._refuse(call, "can't execute: Permission denied", 126)
        program = self._commands.program(state.files.read(entry.path))
        if program is None:
            return self._refuse(call, "not executable: no program that this phone can run", 126)
        return self._watched(call, program, state.files.read(entry.path))

    def _watched(self, call: Call, program: Program, content: bytes) -> int:
        session = self._session
        own = session.process
        process = own or session.state.start("")
        process.name = call.name.rpartition("/")[2]
        session.running.append(process)
        try:
            status = program(call, content, process)
        finally:
            session.running.remove(process)
            if own is None:
                session.state.end(process)
        return 128 + process.signal if process.signal else status

    @staticmethod
    def _refuse(call: Call, why: str, status: int) -> int:
        call.streams.err(f"{SHELL}: {call.name}: {why}\n".encode())
        return status

    def _redirected(self, redirects: tuple[Redirect, ...], streams: Streams) -> Streams:
        files = self._session.state.files
        for redirect in redirects:
            target = self._join(redirect.target)
            if redirect.operator == ">&":
                sink = streams.err if target == "2" else streams.out
                streams = _with(streams, redirect.stream, sink)
                continue
            path = absolute(target, self._session.folder)
            if redirect.operator == "<":
                streams = replace(streams, stdin=files.read(path))
                continue
            if redirect.operator == ">":
                files.write(path, b"")
            streams = _with(streams, redirect.stream, _appending(files.write, path))
        return streams

    def _expand(self, words: tuple[Word, ...]) -> tuple[str, ...]:
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

    def _join(self, word: Word) -> str:
        """A word that is not split: an assignment's value or a redirection's target."""
        return "".join(self._value(part) for part in word)

    def _value(self, part: Part) -> str:
        match part.kind:
            case Kind.TEXT:
                return part.text
            case Kind.VARIABLE:
                return self._variable(part.text)
            case Kind.COMMAND:
                written = bytearray()
                quiet = Streams(out=written.extend, err=lambda _: None)
                self._session.status = self.run_text(part.text, quiet)
                return written.decode(errors="replace").rstrip("\n")
            case _:
                assert_never(part.kind)

    def _variable(self, name: str) -> str:
        session = self._session
        special = {"?": session.status, "!": session.last_background or "", "$": 4_000}
        if name in special:
            return str(special[name])
        plain, _, default = name.partition(":-")
        return session.variables.get(plain, "") or default


def _with(streams: Streams, number: int, sink: Sink) -> Streams:
    return replace(streams, err=sink) if number == 2 else replace(streams, out=sink)


def _appending(write: Callable[..., None], path: str) -> Sink:
    return lambda data: write(path, data, append=True)


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

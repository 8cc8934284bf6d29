"""Runs shell text on a simulated phone: the tree of ``shell_tree`` with the table of commands.

What this module does not do: it is no terminal; there is no job control and no line editing.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import assert_never

from weighin.gates.devices.simulator.files import absolute
from weighin.gates.devices.simulator.session import SHELL, Session, Sink, Streams
from weighin.gates.devices.simulator.shell_expand import Expander
from weighin.gates.devices.simulator.shell_scan import ShellSyntaxError
from weighin.gates.devices.simulator.shell_tree import (
    Chain,
    Command,
    Group,
    Lines,
    Loop,
    Redirect,
    Simple,
)
from weighin.gates.devices.simulator.shell_words import parse
from weighin.gates.devices.simulator.state import Process, State


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
        self._words = Expander(session, self._output_of)
        self._err: Sink = lambda _: None
        self._substituted = 0
        self._cores = tuple(range(len(session.state.phone.cores)))

    def run_text(self, text: str, streams: Streams) -> int:
        """Run ``text`` and return the exit code."""
        try:
            return self._lines(parse(text), streams)
        except ShellSyntaxError as error:
            streams.err(f"{SHELL}: {error}\n".encode())
        except RecursionError:  # a script that runs itself, or commands in commands in commands
            streams.err(f"{SHELL}: nested too deeply\n".encode())
        return 1

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
        ended = threading.Event()
        session.jobs[process.pid] = (process, ended)
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
                process.status = shell._chain(chain, streams)
            finally:
                session.state.end(process)
                ended.set()

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
        self._err = streams.err
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
                for value in self._words.arguments(command.words):
                    self._session.variables[command.name] = value
                    self._lines(command.body, streams)
                return self._session.status
            case _:
                assert_never(command)

    def _simple(self, command: Simple, streams: Streams) -> int:
        session = self._session
        self._substituted = 0
        sets = {name: self._words.text(word) for name, word in command.sets}
        words = self._words.arguments(command.words)
        if not words:
            session.variables.update(sets)
            return self._substituted
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
            target = self._words.text(redirect.target)
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

    def _output_of(self, text: str) -> bytes:
        written = bytearray()
        inner = Streams(out=written.extend, err=self._err)
        self._session.status = self._substituted = self.run_text(text, inner)
        return bytes(written)


def _with(streams: Streams, number: int, sink: Sink) -> Streams:
    return replace(streams, err=sink) if number == 2 else replace(streams, out=sink)


def _appending(write: Callable[..., None], path: str) -> Sink:
    return lambda data: write(path, data, append=True)

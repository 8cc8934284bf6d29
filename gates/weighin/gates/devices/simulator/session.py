"""One shell on a simulated phone: its folder, variables, status and what runs in it.

What this module does not do: it runs nothing.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from weighin.gates.devices.simulator.state import Process, State

Sink = Callable[[bytes], None]
Job = tuple[Process, threading.Event]
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
        jobs: Background jobs by number, and what is set when one has ended.
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
    jobs: dict[int, Job] = field(default_factory=dict[int, Job])

    def hang_up(self) -> None:
        """The client went away: end what runs, start nothing more."""
        self.gone.set()
        for process in tuple(self.running):
            process.kill(1)

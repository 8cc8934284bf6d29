"""What a connection to one phone can ask for: shell, shell v2, exec and sync.

What this module does not do: it lists no phones and chooses none; ``server`` does.
"""

import socket
import threading
from collections.abc import Callable

from weighin.gates.devices.simulator.commands import commands_of
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.session import Session, Streams
from weighin.gates.devices.simulator.shell import Shell
from weighin.gates.devices.simulator.state import State
from weighin.gates.devices.simulator.sync import serve_sync
from weighin.gates.devices.simulator.wire import Packet, fail, okay, packet

FEATURES = "shell_v2,cmd,stat_v2,fixed_push_mkdir"


def serve_phone(connection: socket.socket, state: State, service: str) -> None:
    """Answer one service request of a client that has chosen this phone."""
    name, _, command = service.partition(":")
    kind, *options = name.split(",")
    match kind:
        case "shell" if command:
            okay(connection)
            _run(connection, state, command, is_v2="v2" in options)
        case "exec" if command:
            okay(connection)
            _run(connection, state, command, is_v2=False)
        case "shell":
            fail(connection, "a simulated phone has no interactive shell: give a command")
        case "sync":
            okay(connection)
            serve_sync(connection, state)
        case "root":
            okay(connection)
            connection.sendall(b"adbd cannot run as root in production builds\n")
        case _:
            fail(connection, f"the simulator has no service '{service}'")


def _run(connection: socket.socket, state: State, command: str, *, is_v2: bool) -> None:
    connection.settimeout(None)
    faults = state.phone.faults
    session = Session(state=state)
    threading.Thread(
        target=_watch, args=(connection, session), name="phone-listener", daemon=True
    ).start()
    if Fault.SLOW_SHELL in faults:
        session.gone.wait(faults.slow_shell_s)
    shell = Shell(session, commands_of(state.phone))
    streams = Streams(
        out=_sink(connection, session, Packet.STDOUT, is_v2=is_v2),
        err=_sink(connection, session, Packet.STDERR, is_v2=is_v2),
    )
    status = shell.run_text(command, streams)
    if is_v2:
        connection.sendall(packet(Packet.EXIT, bytes([status & 0xFF])))


def _sink(
    connection: socket.socket, session: Session, kind: Packet, *, is_v2: bool
) -> Callable[[bytes], None]:
    """Send what a command writes; a client that has left ends the command."""

    def send(data: bytes) -> None:
        if not data or session.gone.is_set():
            return
        try:
            connection.sendall(packet(kind, data) if is_v2 else data)
        except OSError:
            session.hang_up()

    return send


def _watch(connection: socket.socket, session: Session) -> None:
    """Notice when the client leaves. What it types is thrown away."""
    try:
        while connection.recv(4096):
            pass
    except OSError:
        pass
    session.hang_up()

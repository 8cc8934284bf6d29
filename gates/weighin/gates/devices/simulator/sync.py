"""The sync service: files to and from a simulated phone (STAT, LIST, SEND, RECV, QUIT).

What this module does not do: compression and the second versions of LIST, SEND and RECV; the
server does not offer them as features, so no client asks for them.
"""

import socket
import stat
import struct
from posixpath import dirname

from weighin.gates.devices.simulator.files import Entry, absolute
from weighin.gates.devices.simulator.state import State
from weighin.gates.devices.simulator.wire import Gone, read_exactly

_CHUNK = 64 * 1024
_LONGEST_PATH = 1024
_ENOENT = 2


def serve_sync(connection: socket.socket, state: State) -> None:
    """Answer sync requests until the client quits.

    Raises:
        Gone: the client left in the middle, or broke the protocol.
    """
    while True:
        request, length = _head(connection)
        if request == b"QUIT":
            return
        if length > _LONGEST_PATH:
            _refuse(connection, "path too long")
            raise Gone("a sync path that is too long")
        path = read_exactly(connection, length).decode(errors="surrogateescape")
        match request:
            case b"STAT":
                connection.sendall(b"STAT" + _short(_entry(state, path)))
            case b"STA2" | b"LST2":
                connection.sendall(request + _long(_entry(state, path)))
            case b"LIST":
                _list(connection, state, path)
            case b"RECV":
                _send_content(connection, state, path)
            case b"SEND":
                _receive(connection, state, path)
            case _:
                _refuse(connection, f"unknown command {request.hex()}")
                raise Gone(f"unknown sync command {request!r}")


def _head(connection: socket.socket) -> tuple[bytes, int]:
    head = read_exactly(connection, 8)
    return head[:4], int.from_bytes(head[4:], "little")


def _refuse(connection: socket.socket, why: str) -> None:
    data = why.encode()
    connection.sendall(b"FAIL" + struct.pack("<I", len(data)) + data)


def _entry(state: State, path: str) -> Entry | None:
    try:
        return state.files.stat(path)
    except OSError:
        return None


def _short(entry: Entry | None) -> bytes:
    """Mode, size and time; all zero where nothing is."""
    if entry is None:
        return bytes(12)
    size = min(entry.size, 0xFFFFFFFF)
    return struct.pack("<III", entry.mode, size, int(entry.mtime_s) & 0xFFFFFFFF)


def _long(entry: Entry | None) -> bytes:
    """Error, device, inode, mode, links, user, group, size, three times."""
    if entry is None:
        return struct.pack("<IQQIIIIQqqq", _ENOENT, *[0] * 10)
    when = int(entry.mtime_s)
    return struct.pack(
        "<IQQIIIIQqqq", 0, 1, 1, entry.mode, 1, 2000, 2000, entry.size, when, when, when
    )


def _list(connection: socket.socket, state: State, path: str) -> None:
    try:
        names = state.files.names(path)
    except OSError:
        names = ()
    for name in names:
        inner = _entry(state, absolute(name, path))
        if inner is not None:
            encoded = name.encode()
            head = _short(inner) + struct.pack("<I", len(encoded))
            connection.sendall(b"DENT" + head + encoded)
    connection.sendall(b"DONE" + bytes(16))


def _send_content(connection: socket.socket, state: State, path: str) -> None:
    try:
        content = state.files.read(path)
    except OSError as error:
        _refuse(connection, f"open failed: {error.strerror}")
        return
    for start in range(0, len(content), _CHUNK):
        chunk = content[start : start + _CHUNK]
        connection.sendall(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
    connection.sendall(b"DONE" + bytes(4))


def _receive(connection: socket.socket, state: State, target: str) -> None:
    """A file; when it does not fit, the rest of it is read and thrown away, as adbd does."""
    path, _, mode = target.rpartition(",")
    content = bytearray()
    room = state.files.free_bytes
    while True:
        kind, length = _head(connection)
        if kind == b"DONE":
            break
        if kind != b"DATA" or length > _CHUNK:
            _refuse(connection, "invalid data message")
            raise Gone(f"{kind!r} of {length} bytes in a pushed file")
        chunk = read_exactly(connection, length)
        if len(content) <= room:
            content += chunk
    try:
        bits = stat.S_IMODE(int(mode))
        state.files.make_folder(dirname(path), parents=True)
        state.files.write(path, bytes(content), mode=bits)
        state.files.chmod(path, bits)
        state.files.touch(path, float(length))
    except OSError as error:
        _refuse(connection, f"couldn't create file: {error.strerror}")
    except ValueError:
        _refuse(connection, f"missing , in ID_SEND: {target}")
    else:
        connection.sendall(b"OKAY" + bytes(4))

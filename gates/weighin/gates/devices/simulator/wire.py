"""Bytes of the adb protocols: requests, answers, shell packets. Pure, but for the sockets.

Sources: AOSP ``packages/modules/adb``: OVERVIEW.TXT, SERVICES.TXT, SYNC.TXT, shell_protocol.h.

What this module does not do: it knows no service.
"""

import select
import socket
import struct
from enum import IntEnum

ADB_VERSION = 41
"""The protocol of adb 1.0.41. A client of another version would kill and replace the server."""


class Gone(ConnectionError):  # noqa: N818 - what the other side is
    """The other side closed the connection, or said what is no protocol."""


class Packet(IntEnum):
    """Kinds of shell protocol packets."""

    STDIN = 0
    STDOUT = 1
    STDERR = 2
    EXIT = 3
    CLOSE_STDIN = 4


def read_exactly(connection: socket.socket, count: int) -> bytes:
    """Exactly so many bytes.

    Raises:
        Gone: the connection ended before them.
    """
    data = bytearray()
    while len(data) < count:
        chunk = connection.recv(min(count - len(data), 65_536))
        if not chunk:
            raise Gone(f"the client left after {len(data)} of {count} bytes")
        data += chunk
    return bytes(data)


def read_request(connection: socket.socket) -> str:
    """One request: four hexadecimal digits of length, then text.

    Raises:
        Gone: the client left, or what it sent is no request.
    """
    head = read_exactly(connection, 4)
    try:
        length = int(head.decode("ascii"), 16) if head.isalnum() else -1
        text = read_exactly(connection, length).decode() if length >= 0 else ""
    except ValueError:  # no hexadecimal digits, or no UTF-8
        length = -1
        text = ""
    if length < 0:
        raise Gone(f"{head!r} begins no request")
    return text


def okay(connection: socket.socket) -> None:
    """Accept."""
    connection.sendall(b"OKAY")


def fail(connection: socket.socket, why: str) -> None:
    """Refuse with a reason."""
    connection.sendall(b"FAIL" + block(why))


def block(text: str) -> bytes:
    """Text with its length before it, as answers have it."""
    data = text.encode()[:0xFFFF]
    return f"{len(data):04x}".encode() + data


def packet(kind: Packet, data: bytes) -> bytes:
    """A shell protocol packet."""
    return struct.pack("<BI", kind, len(data)) + data


def has_left(connection: socket.socket) -> bool:
    """Whether the other side closed, without reading anything away."""
    try:
        readable, _, _ = select.select([connection], [], [], 0)
        return bool(readable) and connection.recv(1, socket.MSG_PEEK) == b""
    except (OSError, ValueError):  # broken, or closed here
        return True

"""adbutils' client, without what a measurement must not do: start a server, or send half a chunk.

Imported only by :mod:`.adb`, and there only when a phone is used: adbutils brings an imaging
library with it.

What this module does not do: it gives no meaning to errors; they are adbutils' own or ``OSError``.
"""

import socket
import struct
import time
from pathlib import Path

from adbutils import AdbClient, AdbConnection, AdbError
from adbutils.errors import AdbConnectionError

_CHUNK = 64 * 1024
_CONNECT_S = 3.0
_FILE = 0o100000


class Connection(AdbConnection):  # type: ignore[misc]
    """A connection to a server that is there.

    The original starts a server where there is none, as a child that inherits the environment
    and with it every token in it.
    """

    def __init__(self, host: str, port: int) -> None:
        """Connect.

        Raises:
            AdbConnectionError: nobody listens.
        """
        self._at = (host, port)
        super().__init__(host, port)

    def _safe_connect(self) -> socket.socket:
        try:
            return socket.create_connection(self._at, timeout=_CONNECT_S)
        except OSError as error:
            raise AdbConnectionError(f"connect to adb server failed: {error}") from error


class Client(AdbClient):  # type: ignore[misc]
    """A client that never starts a server."""

    def make_connection(self, timeout: float | None = None) -> AdbConnection:
        """Connect.

        Raises:
            AdbError: nobody listens.
        """
        connection = Connection(self.host, self.port)
        connection.conn.settimeout(timeout)
        return connection

    def listed(self, timeout_s: float) -> str:
        """The server's list of phones, one per line."""
        with self.make_connection(timeout_s) as connection:
            connection.send_command("host:devices")
            connection.check_okay()
            return str(connection.read_string_block())

    def push(self, serial: str, local: Path, remote: str, mode: int, timeout_s: float) -> None:
        """Put a file there; whole chunks always, which the original's ``send`` does not promise.

        Raises:
            AdbError: the phone refused; its words are the message.
        """
        target = f"{remote},{_FILE | mode}".encode()
        with self.device(serial).open_transport(timeout=timeout_s) as connection:
            connection.send_command("sync:")
            connection.check_okay()
            connection.conn.sendall(b"SEND" + struct.pack("<I", len(target)) + target)
            with local.open("rb") as stream:
                while chunk := stream.read(_CHUNK):
                    connection.conn.sendall(b"DATA" + struct.pack("<I", len(chunk)) + chunk)
            connection.conn.sendall(b"DONE" + struct.pack("<I", int(time.time())))
            status, length = struct.unpack("<4sI", connection.read_exact(8))
            if status != b"OKAY":
                raise AdbError(connection.read_exact(length).decode(errors="replace"))

    def pull(self, serial: str, remote: str, local: Path, timeout_s: float) -> None:
        """Fetch a file, whole or not at all.

        Raises:
            AdbError: the phone refused; its words are the message.
        """
        asked = remote.encode()
        content = bytearray()
        with self.device(serial).open_transport(timeout=timeout_s) as connection:
            connection.send_command("sync:")
            connection.check_okay()
            connection.conn.sendall(b"RECV" + struct.pack("<I", len(asked)) + asked)
            while True:
                status, length = struct.unpack("<4sI", connection.read_exact(8))
                if status == b"DONE":
                    break
                chunk = connection.read_exact(length)
                if status != b"DATA":
                    raise AdbError(chunk.decode(errors="replace"))
                content += chunk
        local.write_bytes(content)

"""A connection that is cut in the middle of an answer, as when somebody pulls the cable.

What this module does not do: it decides nothing; ``hosts`` does.
"""

import contextlib
import socket
import threading
from collections.abc import Callable, Generator

_OKAY_BYTES = 4


@contextlib.contextmanager
def tapped(
    connection: socket.socket, after_bytes: int, leave: Callable[[], None]
) -> Generator[socket.socket]:
    """A stand-in for ``connection`` that lets OKAY and ``after_bytes`` more through.

    Args:
        connection: The client.
        after_bytes: How much of the answer it still gets.
        leave: Called when the rest is withheld, or at the end of a shorter answer.
    """
    inner, outer = socket.socketpair()

    def to_phone() -> None:
        with contextlib.suppress(OSError):
            while data := connection.recv(65_536):
                outer.sendall(data)
        _close(outer)

    def to_client() -> None:
        left = _OKAY_BYTES + after_bytes
        with contextlib.suppress(OSError):
            while left and (data := outer.recv(min(left, 65_536))):
                connection.sendall(data)
                left -= len(data)
        leave()
        _close(connection)
        _close(outer)

    pumps = [threading.Thread(target=pump, daemon=True) for pump in (to_phone, to_client)]
    for pump in pumps:
        pump.start()
    try:
        yield inner
    finally:
        _close(inner)
        pumps[1].join()
        inner.close()
        outer.close()


def _close(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)

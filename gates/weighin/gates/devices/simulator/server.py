"""A real adb server for simulated phones: adb clients on this machine see them as devices.

    with AdbSimulator((simulated(load_profile("pixel-4")),)) as server:
        adbutils.AdbClient(port=server.port).device_list()

Every connection has its own thread. It listens on 127.0.0.1 only.

What this module does not do: it reaches no real phone, forwards no ports and installs no apps.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Sequence
from types import TracebackType
from typing import Self

from weighin.gates.devices.simulator.clock import Clock, ScaledClock
from weighin.gates.devices.simulator.hosts import HostService
from weighin.gates.devices.simulator.phone import SimulatedPhone
from weighin.gates.devices.simulator.roster import Roster
from weighin.gates.devices.simulator.wire import Gone

HOST = "127.0.0.1"
_IDLE_S = 60.0


class AdbSimulator:
    """An adb server with simulated phones, from ``start`` (or ``with``) until ``stop``."""

    def __init__(
        self,
        phones: Sequence[SimulatedPhone],
        *,
        port: int = 0,
        clock: Clock | None = None,
        started_unix_s: float | None = None,
    ) -> None:
        """Nothing runs yet.

        Args:
            phones: With different serials.
            port: Where to listen; 0 for any free port.
            clock: The phones' time; real time if not given.
            started_unix_s: Unix time on the phones at the clock's start; now if not given. Their
                own clocks run on in simulated time.
        """
        started = time.time() if started_unix_s is None else started_unix_s
        self._wanted_port = port
        self._listener: socket.socket | None = None
        self._connections: set[socket.socket] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self.roster = Roster(phones, clock or ScaledClock(), started)
        self._host = HostService(self.roster, drop_all=self._drop_all, stop=self._stop_soon)

    @property
    def port(self) -> int:
        """Where it listens.

        Raises:
            RuntimeError: it was not started.
        """
        if self._listener is None:
            raise RuntimeError("the simulator was not started")
        port: int = self._listener.getsockname()[1]
        return port

    def start(self) -> Self:
        """Listen.

        Raises:
            OSError: the port is taken, perhaps by a real adb server.
        """
        self._listener = socket.create_server((HOST, self._wanted_port), backlog=128)
        threading.Thread(target=self._accept, name="adb-simulator", daemon=True).start()
        return self

    def stop(self) -> None:
        """Close everything and end what runs on the phones."""
        self._stopped.set()
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
        self.roster.stop()
        self._drop_all()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Until it is stopped, by ``stop`` or by a client's ``adb kill-server``."""
        return self._stopped.wait(timeout_s)

    def __enter__(self) -> Self:
        """Start."""
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop."""
        self.stop()

    def _accept(self) -> None:
        listener = self._listener
        while listener is not None and not self._stopped.is_set():
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        with self._lock:
            self._connections.add(connection)
        try:
            connection.settimeout(_IDLE_S)
            self._host.serve(connection)
        except (Gone, OSError):
            pass  # the client's loss: nobody is there to tell
        finally:
            with self._lock:
                self._connections.discard(connection)
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()

    def _drop_all(self) -> None:
        with self._lock:
            dropped = tuple(self._connections)
        for connection in dropped:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _stop_soon(self) -> None:
        """From a connection's own thread, after its answer is out."""
        threading.Thread(target=self.stop, daemon=True).start()

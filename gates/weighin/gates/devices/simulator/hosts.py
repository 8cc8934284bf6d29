"""The adb server's own services: versions, lists, and choosing a phone for what follows.

What this module does not do: ``forward``, ``reverse``, ``connect`` and ``pair`` are refused.
"""

import socket
import struct
from collections.abc import Callable

from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.roster import Plugged, Roster
from weighin.gates.devices.simulator.services import FEATURES, serve_phone
from weighin.gates.devices.simulator.tap import tapped
from weighin.gates.devices.simulator.wire import (
    ADB_VERSION,
    block,
    fail,
    has_left,
    okay,
    read_request,
)

_NOBODY = "no devices/emulators found"
_SEVERAL = "more than one device/emulator"


class HostService:
    """Answers everything that a connection to the server asks for."""

    def __init__(
        self, roster: Roster, *, drop_all: Callable[[], None], stop: Callable[[], None]
    ) -> None:
        """For the phones of ``roster``.

        Args:
            roster: The phones.
            drop_all: Closes all connections, as a server that restarts.
            stop: Ends the server.
        """
        self._roster = roster
        self._drop_all = drop_all
        self._stop = stop

    def serve(self, connection: socket.socket) -> None:
        """One connection, until it is over.

        Raises:
            Gone: the client left or spoke no protocol.
            OSError: the connection broke.
        """
        request = read_request(connection)
        phone = self._chosen(connection, request)
        if phone is None:
            return
        service = read_request(connection)
        if service.startswith("host:"):
            self._of_phone(connection, phone, service.removeprefix("host:"))
        else:
            self._serve_phone(connection, phone, service)

    def _chosen(self, connection: socket.socket, request: str) -> Plugged | None:
        """The phone for the next request of this connection; ``None``: all is answered."""
        match request.split(":", 2):
            case ["host", "transport", serial]:
                return self._choose(connection, self._by_serial(serial), says_id=False)
            case ["host", "transport-id", number]:
                return self._choose(connection, self._by_id(number), says_id=False)
            case ["host", "transport-any" | "transport-usb" | "transport-local"]:
                return self._choose(connection, self._only(), says_id=False)
            case ["host", "tport", "any" | "usb" | "local"]:
                return self._choose(connection, self._only(), says_id=True)
            case ["host", "tport", rest] if rest.startswith("serial:"):
                found = self._by_serial(rest.removeprefix("serial:"))
                return self._choose(connection, found, says_id=True)
            case ["host-serial", *_]:
                self._of_serial(connection, request.removeprefix("host-serial:"))
            case ["host-transport-id", number, rest]:
                self._of_phone(connection, self._by_id(number), rest)
            case ["host-usb" | "host-local", *rest]:
                self._of_phone(connection, self._only(), ":".join(rest))
            case ["host", *rest]:
                self._host(connection, ":".join(rest))
            case _:
                fail(connection, f"unknown host service '{request[:100]}'")
        return None

    def _choose(
        self, connection: socket.socket, found: Plugged | str, *, says_id: bool
    ) -> Plugged | None:
        if isinstance(found, str):
            fail(connection, found)
            return None
        if why := _not_ready(found):
            fail(connection, why)
            return None
        okay(connection)
        if says_id:
            connection.sendall(struct.pack("<Q", found.transport_id))
        return found

    def _host(self, connection: socket.socket, service: str) -> None:
        match service:
            case "version":
                _answer(connection, f"{ADB_VERSION:04x}")
            case "devices" | "devices-l":
                _answer(connection, self._roster.listing(extended=service.endswith("-l")))
            case "track-devices" | "track-devices-l":
                self._track(connection, extended=service.endswith("-l"))
            case "host-features":
                _answer(connection, FEATURES)
            case "list-forward":
                _answer(connection, "")
            case "kill":
                okay(connection)
                self._stop()
            case _:
                self._of_phone(connection, self._only(), service)

    def _track(self, connection: socket.socket, *, extended: bool) -> None:
        okay(connection)
        known = "nothing sent yet"

        def is_over() -> bool:
            return has_left(connection)

        while (text := self._roster.wait_for_change(known, extended, is_over)) is not None:
            connection.sendall(block(text))
            known = text

    def _of_serial(self, connection: socket.socket, rest: str) -> None:
        """A serial may hold colons itself, as in ``127.0.0.1:5555``."""
        for one in self._roster.here():
            if rest.startswith(f"{one.serial}:"):
                return self._of_phone(connection, one, rest.removeprefix(f"{one.serial}:"))
        serial, _, service = rest.rpartition(":")
        if service.startswith("wait-for-"):
            return self._wait_for(connection, serial, service)
        return fail(connection, f"device '{serial}' not found")

    def _of_phone(self, connection: socket.socket, found: Plugged | str, service: str) -> None:
        if service.startswith("wait-for-"):
            serial = found.serial if isinstance(found, Plugged) else ""
            return self._wait_for(connection, serial, service)
        if isinstance(found, str):
            return fail(connection, found)
        answers = {
            "get-state": found.adb_state,
            "get-serialno": found.serial,
            "get-devpath": f"usb:1-{found.transport_id}",
            "features": FEATURES,
            "list-forward": "",
        }
        if service not in answers:
            return fail(connection, f"the simulator has no host service '{service[:100]}'")
        if service in ("features", "get-state") and found.adb_state != "device":
            return fail(connection, _not_ready(found))
        return _answer(connection, answers[service])

    def _wait_for(self, connection: socket.socket, serial: str, service: str) -> None:
        """``wait-for-any-device`` and its kind: two OKAYs, the second when it is so."""
        wanted = service.rpartition("-")[2]
        okay(connection)
        known = ""
        while not self._is_so(serial, wanted):
            listing = self._roster.wait_for_change(known, False, lambda: has_left(connection))
            if listing is None:
                return
            known = listing
        okay(connection)

    def _is_so(self, serial: str, wanted: str) -> bool:
        phones = [one for one in self._roster.here() if serial in ("", one.serial)]
        if wanted == "disconnect":
            return not phones
        return any(wanted in ("any", one.adb_state) for one in phones)

    def _by_serial(self, serial: str) -> Plugged | str:
        found = [one for one in self._roster.here() if one.serial == serial]
        return found[0] if found else f"device '{serial}' not found"

    def _by_id(self, number: str) -> Plugged | str:
        found = [one for one in self._roster.here() if str(one.transport_id) == number]
        return found[0] if found else f"no device with transport id '{number}'"

    def _only(self) -> Plugged | str:
        phones = self._roster.here()
        if len(phones) == 1:
            return phones[0]
        return _SEVERAL if phones else _NOBODY

    def _serve_phone(self, connection: socket.socket, phone: Plugged, service: str) -> None:
        """The service, or the fault that hits it."""
        faults = phone.state.phone.faults
        phone.commands += 1
        hit = phone.commands == faults.at_command
        if hit and Fault.SERVER_RESTARTS in faults:
            return self._drop_all()
        if not (hit and Fault.DISCONNECTS in faults):
            return serve_phone(connection, phone.state, service)

        def leave() -> None:
            self._roster.unplug(phone.serial, faults.away_s)

        with tapped(connection, faults.after_bytes, leave) as short:
            serve_phone(short, phone.state, service)
        return None


def _answer(connection: socket.socket, text: str) -> None:
    connection.sendall(b"OKAY" + block(text))


def _not_ready(one: Plugged) -> str:
    match one.adb_state:
        case "offline":
            return "device offline"
        case "unauthorized":
            return (
                "device unauthorized.\nThis adb server's $ADB_VENDOR_KEYS is not set\n"
                "Try 'adb kill-server' if that seems wrong.\n"
                "Otherwise check for a confirmation dialog on your device."
            )
        case _:
            return ""

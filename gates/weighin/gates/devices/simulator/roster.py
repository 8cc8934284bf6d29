"""Which simulated phones are plugged in, and in which state adb lists them.

What this module does not do: it speaks no protocol.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from weighin.gates.devices.simulator.clock import Clock
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.phone import SimulatedPhone
from weighin.gates.devices.simulator.state import State
from weighin.gates.errors import ConfigError


@dataclass(slots=True)
class Plugged:
    """One phone at the server.

    Attributes:
        state: The phone.
        transport_id: The server's number for it.
        commands: How many services were asked of it.
        away_until_s: Monotonic time at which it is back; ``None``: it is here.
    """

    state: State
    transport_id: int
    commands: int = 0
    away_until_s: float | None = None

    @property
    def serial(self) -> str:
        """As adb lists it."""
        return self.state.phone.serial

    @property
    def adb_state(self) -> str:
        """``device``, ``offline`` or ``unauthorized``."""
        names = self.state.phone.faults.names
        if Fault.OFFLINE in names:
            return "offline"
        return "unauthorized" if Fault.UNAUTHORIZED in names else "device"


class Roster:
    """All phones of one server. Safe to use from several threads."""

    def __init__(
        self, phones: Sequence[SimulatedPhone], clock: Clock, started_unix_s: float
    ) -> None:
        """Everything plugged in.

        Args:
            phones: With different serials.
            clock: Their time.
            started_unix_s: Unix time at the clock's start.

        Raises:
            ConfigError: two phones have the same serial.
        """
        serials = [phone.serial for phone in phones]
        if twice := {s for s in serials if serials.count(s) > 1}:
            raise ConfigError(f"two simulated phones have the serial {min(twice)}")
        self._all = [
            Plugged(State(phone, clock, started_unix_s), n + 1) for n, phone in enumerate(phones)
        ]
        self._changed = threading.Condition()
        self._stopped = False

    def here(self) -> tuple[Plugged, ...]:
        """The phones that are listed now."""
        now = time.monotonic()
        with self._changed:
            for one in self._all:
                if one.away_until_s is not None and one.away_until_s <= now:
                    one.away_until_s = None
                    one.transport_id += len(self._all)
            return tuple(one for one in self._all if one.away_until_s is None)

    def state(self, serial: str) -> State:
        """The phone with this serial, listed or not.

        Raises:
            KeyError: there is none.
        """
        return {one.serial: one.state for one in self._all}[serial]

    def unplug(self, serial: str, away_s: float | None = None) -> None:
        """Take a phone away, for good or for some seconds of real time."""
        with self._changed:
            for one in self._all:
                if one.serial == serial:
                    wait_s = float("inf") if away_s is None else away_s
                    one.away_until_s = time.monotonic() + wait_s
            self._changed.notify_all()

    def plug(self, serial: str) -> None:
        """Bring a phone back."""
        self.unplug(serial, away_s=0.0)

    def wait_for_change(
        self, known: str, extended: bool, is_over: Callable[[], bool]
    ) -> str | None:
        """The list once it differs from ``known``; ``None`` when nobody waits any more."""
        while True:
            if self._stopped or is_over():
                return None
            if (text := self.listing(extended=extended)) != known:
                return text
            with self._changed:
                self._changed.wait(0.05)

    def listing(self, *, extended: bool) -> str:
        """``adb devices``, or ``adb devices -l``."""
        return "".join(
            _long_line(one) if extended else f"{one.serial}\t{one.adb_state}\n"
            for one in self.here()
        )

    def stop(self) -> None:
        """End what runs on all phones."""
        self._stopped = True
        for one in self._all:
            one.state.cancel_all()
        with self._changed:
            self._changed.notify_all()


def _long_line(one: Plugged) -> str:
    phone = one.state.phone
    known = ""
    if one.adb_state == "device":
        model = "".join(c if c.isalnum() else "_" for c in phone.model)
        known = f" product:{phone.codename} model:{model} device:{phone.codename}"
    return f"{one.serial:<22} {one.adb_state}{known} transport_id:{one.transport_id}\n"

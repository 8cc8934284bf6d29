"""A running simulated phone: its record, clock, physics, files and processes together.

What this module does not do: it speaks no protocol and understands no command.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from weighin.gates.devices.simulator.clock import Clock
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.files import Files
from weighin.gates.devices.simulator.phone import LatencyModel, SimulatedPhone
from weighin.gates.devices.simulator.physics import Physics
from weighin.gates.devices.simulator.speed import default_latency
from weighin.gates.devices.simulator.system_files import system_files

_NO_SPACE_BYTES = 64 * 2**10


@dataclass(slots=True)
class Process:
    """A program that runs on the phone.

    Attributes:
        pid: Its number.
        name: Its command.
        cancelled: Set when it shall end.
        signal: The signal that ended it; 0 if none did.
        rss_kib: Memory now.
        peak_kib: Most memory so far, VmHWM.
        threads: How many threads keep cores busy.
        status: Exit code of a background job that has ended; ``None`` while it runs.
    """

    pid: int
    name: str
    cancelled: threading.Event = field(default_factory=threading.Event)
    signal: int = 0
    rss_kib: int = 3_000
    peak_kib: int = 3_000
    threads: int = 1
    status: int | None = None

    def kill(self, signal: int) -> None:
        """End it with this signal."""
        self.signal = signal
        self.cancelled.set()

    def use_memory(self, kib: int) -> None:
        """Set the memory in use now."""
        self.rss_kib = kib
        self.peak_kib = max(self.peak_kib, kib)


class State:
    """Everything about one phone that changes. Shared by all connections to it."""

    def __init__(self, phone: SimulatedPhone, clock: Clock, started_unix_s: float) -> None:
        """Switched on when the clock started, which was at ``started_unix_s``."""
        self._started_unix_s = started_unix_s
        self.phone = phone
        self.clock = clock
        self.physics = Physics(phone)
        self.random = np.random.default_rng(phone.seed)
        self.latency_ms: LatencyModel = phone.latency_ms or default_latency(phone)
        full = Fault.NO_SPACE in phone.faults
        self.files = Files(
            free_bytes=_NO_SPACE_BYTES if full else phone.free_bytes,
            system=self._system,
            now_s=self.unix_s,
        )
        self.fakes_unplugged = False
        self.status_override: int | None = None
        self._processes: dict[int, Process] = {}
        self._next_pid = 4_000 + phone.seed % 1_000
        self._lock = threading.Lock()

    def now_s(self) -> float:
        """Simulated seconds since it was switched on."""
        return self.clock.now_s()

    def unix_s(self) -> float:
        """What its own clock says, right or wrong."""
        faults = self.phone.faults
        skew_s = faults.skew_s if Fault.CLOCK_SKEWED in faults else 0.0
        return self._started_unix_s + skew_s + self.now_s()

    def start(self, name: str) -> Process:
        """A new process."""
        with self._lock:
            self._next_pid += 1
            process = Process(self._next_pid, name)
            self._processes[process.pid] = process
            return process

    def end(self, process: Process) -> None:
        """It is over: nothing finds it any more."""
        with self._lock:
            self._processes.pop(process.pid, None)

    def processes(self) -> tuple[Process, ...]:
        """What runs now, by number."""
        with self._lock:
            return tuple(self._processes.values())

    def cancel_all(self) -> None:
        """End everything, as when the phone is switched off."""
        for process in self.processes():
            process.kill(9)

    def _system(self) -> Mapping[str, Callable[[], str]]:
        return system_files(self.phone, self.physics, self.now_s, self.processes)

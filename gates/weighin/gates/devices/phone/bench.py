"""One phone with a tool on it: how long it may take, how it is held, and that it may come back.

What this module does not do: it computes no figure.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from weighin.gates.devices.phone.health import Pause
from weighin.gates.devices.phone.link import Link
from weighin.gates.devices.phone.timings import TOLD_RUNS
from weighin.gates.devices.phone.tools import Call, Tool
from weighin.gates.errors import PhoneGone

T = TypeVar("T")

_RETURN_STEP_S = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What its user wants of a measurement.

    Attributes:
        threads: Threads of the runtime, as the app will use.
        delegate: By name; empty for the runtime's default.
        half_width: Half of the latency's interval, as a share of its value, that is narrow enough.
        most_blocks: After so many blocks of runs the interval stays as it is.
        minutes: After so long a model's latency stays as it is.
        confidence: One-sided confidence of each end of an interval.
        cool_s: How long a hot phone may cool down, each time.
        away_s: How long a phone may be away, each time.
        memory_processes: Fresh processes whose peak memory is read; 0 for no memory.
        energy: Whether energy is measured, which takes minutes.
        energy_pairs: Pairs of an idle and a busy window, at least 3.
        energy_s: Length of a window.
    """

    threads: int = 4
    delegate: str = ""
    half_width: float = 0.05
    most_blocks: int = 12
    minutes: float = 6.0
    confidence: float = 0.95
    cool_s: float = 300.0
    away_s: float = 60.0
    memory_processes: int = 3
    energy: bool = False
    energy_pairs: int = 3
    energy_s: float = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A phone that is ready: its tool is on it.

    Attributes:
        link: The phone.
        tool: The tool.
        program: Where it is on the phone.
        mask: The cores that calls are pinned to, hexadecimal; empty if they cannot be.
        asked: What its user wants.
        pause: Waits.
        clock: Seconds, from anywhere.
        tick: Told of every step, in words.
    """

    link: Link
    tool: Tool
    program: str
    mask: str
    asked: Asked
    pause: Pause
    clock: Callable[[], float]
    tick: Callable[[str], None]

    def call(self, model: str, *, runs: int = TOLD_RUNS, seconds: float = 0.0) -> Call:
        """A call of the tool, as asked for."""
        return Call(
            model=model,
            threads=self.asked.threads,
            mask=self.mask,
            delegate=self.asked.delegate,
            runs=runs,
            seconds=seconds,
        )

    def patiently(self, work: Callable[[], T]) -> T:
        """Do something on the phone; if it goes away, wait for it and do it again, once.

        Raises:
            PhoneGone: it did not come back, or went away again.
        """
        try:
            return work()
        except PhoneGone as error:
            self.tick("the phone went away: waiting for it")
            if not self._comes_back():
                raise PhoneGone(
                    f"{error}; plug it in and run the same command with --resume: "
                    "finished models are kept"
                ) from error
            return work()

    def _comes_back(self) -> bool:
        waited = 0.0
        while waited < self.asked.away_s:
            self.pause(_RETURN_STEP_S)
            waited += _RETURN_STEP_S
            try:
                if self.link.run("echo here", timeout_s=10).ok:
                    return True
            except PhoneGone:
                continue
        return False

"""A program that keeps cores busy: how its runs pass in the phone's time, power and heat.

What this module does not do: it prints nothing and knows no tool.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.devices.simulator.physics import SLOWDOWN
from weighin.gates.devices.simulator.state import Process, State

Seconds = NDArray[Any]
_SLICE_S = 1.0
_CROWDED = 0.3


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """One model run over and over.

    Attributes:
        state: The phone.
        process: Whose work it is; the loop ends early when it is cancelled.
        latency_s: One run on a cool phone.
        threads: Threads that compute.
        cores: Numbers of the cores they may use.
    """

    state: State
    process: Process
    latency_s: float
    threads: int
    cores: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse a latency model that says what cannot be.

        Raises:
            ValueError: the latency is not a positive number, or there is nothing to run on.
        """
        if not (math.isfinite(self.latency_s) and self.latency_s > 0):
            raise ValueError(f"a latency must be above 0 ms, not {self.latency_s * 1e3}")
        if not self.cores or self.threads < 1:
            raise ValueError(f"{self.threads} threads on cores {self.cores} compute nothing")

    @property
    def mw(self) -> float:
        """Power of the busy cores: the strongest of those allowed, one per thread."""
        powers = sorted((self.state.phone.cores[n].active_mw for n in self.cores), reverse=True)
        return sum(powers[: self.threads])

    @property
    def crowding(self) -> float:
        """More threads than cores cost extra."""
        return 1 + _CROWDED * max(self.threads / len(self.cores) - 1, 0)

    def runs_s(self, count: int) -> Seconds:
        """So many runs right now: heat and noise included."""
        status = self.state.physics.status(self.state.now_s())
        noise = self.state.random.lognormal(0, self.state.phone.noise, count)
        return self.latency_s * self.crowding * SLOWDOWN[status] * noise


@dataclass(frozen=True, slots=True, kw_only=True)
class Until:
    """When a loop ends: after ``runs`` and ``min_s``, or after ``max_s``.

    ``period_s`` is the least time from start to start, ``pause_s`` the rest after each run.
    """

    runs: int
    min_s: float = 0.0
    max_s: float = float("inf")
    period_s: float = 0.0
    pause_s: float = 0.0

    def is_over(self, runs: Seconds, elapsed_s: Seconds) -> NDArray[np.bool_]:
        """Whether no further run is started after each of these moments."""
        enough = (runs >= self.runs) & (elapsed_s >= self.min_s)
        return enough | (elapsed_s >= self.max_s)


def run_loop(load: Load, until: Until) -> Seconds:
    """Let the runs pass; what each of them took, in seconds."""
    took: list[Seconds] = []
    count, elapsed_s = 0, 0.0
    while not until.is_over(np.array(count), np.array(elapsed_s)):
        usual_s = max(load.latency_s, until.period_s) + until.pause_s
        part = load.runs_s(max(math.ceil(_SLICE_S / usual_s), 1))
        steps = np.maximum(part, until.period_s) + until.pause_s
        over = until.is_over(count + 1 + np.arange(len(part)), elapsed_s + np.cumsum(steps))
        if over.any():
            part = part[: over.argmax() + 1]
        part_s = float(steps[: len(part)].sum())
        state = load.state
        state.physics.work(state.now_s(), part_s, load.mw * float(part.sum()) / part_s)
        took.append(part)
        count += len(part)
        elapsed_s += part_s
        if not state.clock.wait(part_s, load.process.cancelled):
            break
    return np.concatenate(took) if took else np.empty(0)

"""The simulated phone's time: real time, faster or slower, or time that moves only by waiting.

What this module does not do: it knows no date; ``state`` puts the seconds on a calendar.
"""

import threading
import time
from typing import Protocol


class Clock(Protocol):
    """Seconds since the phones were switched on."""

    def now_s(self) -> float:
        """Simulated seconds since the start."""
        ...

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Let simulated time pass; ``False`` if ``cancelled`` was set before it was over."""
        ...


class ScaledClock:
    """Real time, times ``speed``."""

    def __init__(self, speed: float = 1.0) -> None:
        """Start now.

        Args:
            speed: Simulated seconds per real second.
        """
        if not speed > 0:
            raise ValueError(f"a clock's speed must be above 0, not {speed}")
        self._speed = speed
        self._start = time.monotonic()

    def now_s(self) -> float:
        """Simulated seconds since the start."""
        return (time.monotonic() - self._start) * self._speed

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Sleep ``seconds / speed`` of real time, or until cancelled."""
        return not cancelled.wait(max(seconds, 0.0) / self._speed)


class ManualClock:
    """Time that only waiting moves, and at once: for tests that want the same figures always."""

    def __init__(self) -> None:
        """Start at zero."""
        self._now = 0.0
        self._lock = threading.Lock()

    def now_s(self) -> float:
        """Simulated seconds since the start."""
        return self._now

    def wait(self, seconds: float, cancelled: threading.Event) -> bool:
        """Move on by ``seconds`` without waiting for anything."""
        with self._lock:
            self._now += max(seconds, 0.0)
        return not cancelled.is_set()

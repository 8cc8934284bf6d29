"""Charge, current and temperature of a simulated phone, from the power that it draws.

Power is constant between events, so energy is summed exactly and temperature follows
``T' = (ambient + resistance x power - T) / tau`` exactly: one thermal mass, no hot spots.

What this module does not do: it models no voltage drop, no ageing and no cold battery.
"""

import bisect
import math
import random
import threading
from dataclasses import dataclass

from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.phone import SimulatedPhone

CHARGER_MW = 7500.0
STATUS_FROM_C = (40.0, 43.0, 46.0, 49.0, 52.0, 55.0)
"""Skin temperature from which the thermal status is 1, 2, ... 6."""

SLOWDOWN = (1.0, 1.05, 1.2, 1.5, 2.0, 3.0, 4.0)
"""How much longer an inference takes at thermal status 0 to 6."""

_TAU_S = 240.0
_KELVIN_PER_W = 4.0
_KEPT = 20_000


@dataclass(slots=True)
class _Busy:
    """Extra power from ``start_s`` until ``end_s``."""

    start_s: float
    end_s: float
    mw: float


class Physics:
    """State that follows from the phone's power; every call brings it up to ``now_s`` first."""

    def __init__(self, phone: SimulatedPhone) -> None:
        """Cool, idle, charged as the record says, at time 0."""
        self._phone = phone
        self._lock = threading.RLock()
        self._busy: list[_Busy] = []
        self._times_s = [0.0]
        self._used_mj = [0.0]
        self._skin_c = phone.ambient_c + self._kelvin_per_w * phone.idle_mw / 1e3
        self.charging = Fault.CHARGING in phone.faults

    @property
    def _kelvin_per_w(self) -> float:
        return _KELVIN_PER_W * (10.0 if Fault.OVERHEATS in self._phone.faults else 1.0)

    def work(self, start_s: float, duration_s: float, mw: float) -> None:
        """Draw ``mw`` more from ``start_s`` for ``duration_s``; not before what is settled."""
        with self._lock:
            start = max(start_s, self._times_s[-1])
            self._busy.append(_Busy(start, start + duration_s, mw))

    def used_mj(self, now_s: float) -> float:
        """Energy that the phone used since the start, whoever paid for it."""
        with self._lock:
            self._advance(now_s)
            return self._used_at(now_s)

    def skin_c(self, now_s: float) -> float:
        """Temperature of the skin."""
        with self._lock:
            self._advance(now_s)
            return self._skin_c

    def status(self, now_s: float) -> int:
        """Android's thermal status, 0 to 6."""
        return bisect.bisect_right(STATUS_FROM_C, self.skin_c(now_s))

    def charge_uah(self, now_s: float) -> int:
        """The charge counter as the gauge tells it: late and in steps."""
        step = self._phone.gauge.step_uah
        return int(self._charge_uah(self._tick(now_s)) // step * step)

    def level_percent(self, now_s: float) -> int:
        """Charge in per cent of the full battery."""
        return round(self._charge_uah(now_s) / self._phone.battery_mah / 10)

    def current_now(self, now_s: float) -> int:
        """Mean current of the gauge's last period and its jitter, in its own unit and sign."""
        gauge = self._phone.gauge
        end = self._tick(now_s)
        start = max(end - gauge.period_s, 0.0)
        with self._lock:
            self._advance(now_s)
            used_mj = self._used_at(end) - self._used_at(start)
        mw = used_mj / (end - start) if end > start else self._phone.idle_mw
        out_mw = mw - (CHARGER_MW if self.charging else 0.0)
        true = gauge.discharging_sign * out_mw / self._phone.volts * gauge.per_ma
        return round(true * (1 + gauge.jitter * self._drawn(round(end / gauge.period_s))))

    def load_mw(self, now_s: float) -> float:
        """Power above idle at this moment."""
        with self._lock:
            return sum(b.mw for b in self._busy if b.start_s <= now_s < b.end_s)

    def _drawn(self, tick: int) -> float:
        """A standard normal number that belongs to this update of the gauge."""
        return random.Random(f"{self._phone.seed} {tick}").gauss()  # noqa: S311

    def _tick(self, now_s: float) -> float:
        period = self._phone.gauge.period_s
        return now_s // period * period

    def _charge_uah(self, now_s: float) -> float:
        full = self._phone.battery_mah * 1e3
        charger_mj = CHARGER_MW * now_s if self.charging else 0.0
        out_uah = (self.used_mj(now_s) - charger_mj) / self._phone.volts / 3.6
        return min(max(full * self._phone.level_percent / 100 - out_uah, 0.0), full)

    def _used_at(self, when_s: float) -> float:
        """Interpolated; exact, because power is constant between the kept moments."""
        right = bisect.bisect_left(self._times_s, when_s)
        if right == 0:
            return self._used_mj[0]
        right = min(right, len(self._times_s) - 1)
        before, after = self._times_s[right - 1], self._times_s[right]
        share = (when_s - before) / (after - before) if after > before else 0.0
        return self._used_mj[right - 1] + share * (self._used_mj[right] - self._used_mj[right - 1])

    def _advance(self, now_s: float) -> None:
        edges = {
            e for b in self._busy for e in (b.start_s, b.end_s) if self._times_s[-1] < e < now_s
        }
        for edge in sorted({*edges, now_s}):
            self._settle(edge)
        self._busy = [b for b in self._busy if b.end_s > self._times_s[-1]]
        if len(self._times_s) > 2 * _KEPT:
            del self._times_s[:_KEPT], self._used_mj[:_KEPT]

    def _settle(self, until_s: float) -> None:
        """One stretch of constant power."""
        start = self._times_s[-1]
        if until_s <= start:
            return
        middle = (start + until_s) / 2
        mw = self._phone.idle_mw + self.load_mw(middle)
        target = self._phone.ambient_c + self._kelvin_per_w * mw / 1e3
        fade = math.exp(-(until_s - start) / _TAU_S)
        self._skin_c = target + (self._skin_c - target) * fade
        self._times_s.append(until_s)
        self._used_mj.append(self._used_mj[-1] + mw * (until_s - start))

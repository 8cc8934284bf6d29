"""From energy counters read around idle and busy windows to energy per inference. Pure."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.estimate import repeats_interval
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.stats import Interval

_METRIC = Metric.ENERGY_MJ
NO_COUNTER = Unreadable(metric=_METRIC, reason="this machine offers no energy counter")
NO_BATTERY = Unreadable(metric=Metric.BATTERY_PERCENT_PER_HOUR, reason="host has no battery")


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """What the counter said over a while: microjoules, seconds, inferences."""

    energy_uj: int
    seconds: float
    inferences: int


def energy_per_inference(
    pairs: Sequence[tuple[Window, Window]], stamp: Stamp, confidence: float = 0.95
) -> Reading:
    """Energy of one inference above idling, from pairs of an idle and a busy window.

    The counter covers the whole processor, so that anything else that runs is counted too;
    the interval is the range of the pairs, or Student's t interval where that is wider.
    """
    usable = [(idle, busy) for idle, busy in pairs if idle.energy_uj > 0 and busy.energy_uj > 0]
    if not usable or len(usable) < len(pairs):
        return Unreadable(metric=_METRIC, reason="the energy counter stood still or started anew")
    each_mj = [_above_idle_mj(idle, busy) for idle, busy in usable]
    if min(each_mj) <= 0:
        return Unreadable(metric=_METRIC, reason="the machine was too busy to tell")
    lower, upper = min(each_mj), max(each_mj)
    student = repeats_interval(each_mj, confidence)
    if student is None:
        return Unreadable(metric=_METRIC, reason="one pair of windows has no interval")
    interval = Interval(
        value=statistics.median(each_mj),
        lower=max(0.0, min(lower, student.lower)),
        upper=max(upper, student.upper),
    )
    n = sum(busy.inferences for _, busy in usable)
    conditions = (("counter", "RAPL package, above idle"),)
    return stamp.on_the_device(_METRIC, interval, n, conditions, confidence)


def _above_idle_mj(idle: Window, busy: Window) -> float:
    idle_uj = idle.energy_uj / idle.seconds * busy.seconds
    return (busy.energy_uj - idle_uj) / max(1, busy.inferences) / 1000

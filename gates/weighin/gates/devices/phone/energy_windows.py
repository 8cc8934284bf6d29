"""From what a phone tells of its power, before and while it works, to energy per inference.

Pure. Two sources: cumulative microjoules of power rails, where a phone shows them; else its fuel
gauge's current times its voltage. The traps of a gauge are checked here: unit and sign are told by
the busy readings, and a gauge that was read between too few updates gives no figure.
"""

import re
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.devices.phone.battery import amperes, parse_rails, volts
from weighin.gates.devices.phone.figures import quoted, whole
from weighin.gates.devices.phone_run import Figure, Missing
from weighin.gates.estimate import repeats_interval
from weighin.gates.stats import Interval

LEAST_UPDATES = 10
"""Updates of the fuel gauge that a window needs: between two of them it tells nothing."""

LEAST_PAIRS = 3
"""Pairs of windows: fewer have no interval worth the name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeSample:
    """One reading of the fuel gauge, raw."""

    current: int
    voltage: int


@dataclass(frozen=True, slots=True, kw_only=True)
class GaugeWindow:
    """The gauge over a while.

    Attributes:
        samples: Its readings, evenly spread.
        mean_ms: What an inference took, one after the other; 0 for an idle window.
    """

    samples: tuple[GaugeSample, ...]
    mean_ms: float

    @property
    def updates(self) -> int:
        """How often the readings changed."""
        pairs = zip(self.samples, self.samples[1:], strict=False)
        return sum(one.current != other.current for one, other in pairs)


@dataclass(frozen=True, slots=True, kw_only=True)
class RailsWindow:
    """The rails over a while: microjoules, seconds by their own clock, inferences."""

    energy_uj: int
    seconds: float
    inferences: int


def parse_samples(lines: Sequence[str]) -> tuple[GaugeSample, ...]:
    """Read lines ``@ current voltage``.

    Raises:
        ValueError: a line is not understood.
    """
    samples: list[GaugeSample] = []
    for line in lines:
        found = re.fullmatch(r"@ (\S+) (\S+)\s*", line)
        if not found:
            raise ValueError(f"not a reading of the fuel gauge: {quoted(line)}")
        samples.append(GaugeSample(current=whole(found[1]), voltage=whole(found[2])))
    return tuple(samples)


def rails_window(before: str, after: str, inferences: int) -> RailsWindow:
    """What the rails took between two readings of ``energy_value``.

    Raises:
        ValueError: they are not understood, or the counters started anew.
    """
    (start_ms, first), (end_ms, last) = parse_rails(before), parse_rails(after)
    if [name for name, _ in first] != [name for name, _ in last] or end_ms <= start_ms:
        raise ValueError("the power rails changed between two readings")
    used = [end - start for (_, start), (_, end) in zip(first, last, strict=True)]
    if min(used) < 0:
        raise ValueError("the counters of the power rails started anew")
    return RailsWindow(
        energy_uj=sum(used), seconds=(end_ms - start_ms) / 1000, inferences=inferences
    )


def energy_from_gauge(
    pairs: Sequence[tuple[GaugeWindow, GaugeWindow]], confidence: float
) -> Figure:
    """Energy of one inference, mJ, from pairs of an idle and a busy window."""
    slow = min((w.updates for pair in pairs for w in pair[1:]), default=0)
    if slow < LEAST_UPDATES:
        return Missing(
            reason=f"the fuel gauge changed {slow} times in a window, which is too seldom; "
            f"at least {LEAST_UPDATES} are needed: use longer windows (--energy-seconds)"
        )
    busy = [sample.current for _, window in pairs for sample in window.samples]
    try:
        each = [_milliwatts(window, busy) - _milliwatts(idle, busy) for idle, window in pairs]
    except ValueError as error:
        return Missing(reason=str(error))
    return _interval(
        [
            mw * window.mean_ms / 1000
            for mw, (_, window) in zip(each, pairs, strict=True)
            if window.mean_ms
        ],
        confidence,
    )


def _milliwatts(window: GaugeWindow, busy: Sequence[int]) -> float:
    currents = amperes(busy, [sample.current for sample in window.samples])
    powers = [
        ampere * volts(sample.voltage) * 1000
        for ampere, sample in zip(currents, window.samples, strict=True)
    ]
    return statistics.fmean(powers)


def energy_from_rails(
    pairs: Sequence[tuple[RailsWindow, RailsWindow]], confidence: float
) -> Figure:
    """Energy of one inference, mJ, from pairs of an idle and a busy window."""
    return _interval(
        [
            (busy.energy_uj - idle.energy_uj / idle.seconds * busy.seconds) / busy.inferences / 1000
            for idle, busy in pairs
            if busy.inferences
        ],
        confidence,
    )


def _interval(each_mj: Sequence[float], confidence: float) -> Figure:
    """Student's t of the pairs, and never narrower than their range."""
    student = repeats_interval(each_mj, confidence) if len(each_mj) >= LEAST_PAIRS else None
    if student is None:
        return Missing(reason=f"{len(each_mj)} pairs of windows are fewer than {LEAST_PAIRS}")
    if min(each_mj) <= 0:
        return Missing(reason="the phone took no more when it worked than idle: not to be told")
    return Interval(
        value=student.value,
        lower=max(0.0, min(student.lower, *each_mj)),
        upper=max(student.upper, *each_mj),
    )

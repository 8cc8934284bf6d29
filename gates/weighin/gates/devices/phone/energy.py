"""Energy of a model on a phone: windows in which it idles and windows in which it only infers.

Nothing is measured while it charges, on a warm phone, or when the screen changed in between. What
this module does not do: it believes no figure of ``dumpsys batterystats``, which computes them from
the vendor's power table.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from weighin.gates.devices.phone.bench import Rig
from weighin.gates.devices.phone.energy_windows import (
    GaugeWindow,
    RailsWindow,
    energy_from_gauge,
    energy_from_rails,
    parse_samples,
    rails_window,
)
from weighin.gates.devices.phone.health import cooled, read_battery, read_heat
from weighin.gates.devices.phone.link import FOLDER, Link
from weighin.gates.devices.phone.tools import command_of, outcome
from weighin.gates.devices.phone_run import Figure, Missing

NOT_ASKED = Missing(reason="not asked for (--energy)")

_RAILS = "cat /sys/bus/iio/devices/iio:device*/energy_value"
_BATTERY = "/sys/class/power_supply/battery"
_OUTPUT = f"{FOLDER}/output.txt"
_STEP_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Raw:
    """One window, unread: the gauge's lines, the rails before and after, and how it went."""

    lines: tuple[str, ...]
    before: str
    after: str
    inferences: int
    mean_ms: float


def measure_energy(rig: Rig, model: str) -> Figure:
    """Energy of one inference of a model that is on the phone.

    Raises:
        PhoneError: the phone does not tell its state.
        PhoneGone: it went away and did not come back.
    """
    battery = rig.patiently(lambda: read_battery(rig.link))
    if battery.objection is not None:
        return Missing(reason=f"energy cannot be measured: {battery.objection}")
    source = rig.patiently(lambda: _source(rig.link))
    if source is None:
        return Missing(reason="neither power rails nor the current of its battery are readable")
    pairs: list[tuple[_Raw, _Raw]] = []
    for number in range(rig.asked.energy_pairs):
        rig.tick(f"energy, windows {number + 1} of {rig.asked.energy_pairs}")
        pair = _pair(rig, model)
        if isinstance(pair, Missing):
            return pair
        pairs.append(pair)
    again = rig.patiently(lambda: read_battery(rig.link))
    if again.objection is not None:
        return Missing(reason=f"energy cannot be measured: meanwhile {again.objection}")
    return source(pairs, rig.asked.confidence)


_Conclude = Callable[[list[tuple[_Raw, _Raw]], float], Figure]


def _source(link: Link) -> _Conclude | None:
    """Rails before the gauge: they leave the rest of the phone out."""
    if link.run(_RAILS).ok:
        return _from_rails
    probe = link.run(f"cat {_BATTERY}/current_now {_BATTERY}/voltage_now")
    return _from_gauge if probe.ok and len(probe.text.split()) == 2 else None


def _pair(rig: Rig, model: str) -> tuple[_Raw, _Raw] | Missing:
    """An idle window and a busy one, on a phone that is cool before and after."""
    rig.patiently(lambda: cooled(rig.link, rig.asked.cool_s, rig.pause))
    screen = rig.patiently(lambda: _screen(rig.link))
    idle = rig.patiently(lambda: _window(rig, None))
    busy = rig.patiently(lambda: _window(rig, model))
    for found in (idle, busy):
        if isinstance(found, Missing):
            return found
    if rig.patiently(lambda: _screen(rig.link)) != screen:
        return Missing(reason="the screen was switched on or off between the windows")
    hot = rig.patiently(lambda: read_heat(rig.link)).objection
    if hot is not None:
        return Missing(reason=f"the phone grew too hot while its energy was measured ({hot})")
    assert not isinstance(idle, Missing)  # noqa: S101 - for the type checker
    assert not isinstance(busy, Missing)  # noqa: S101
    return idle, busy


def _screen(link: Link) -> str:
    found = re.search(r"mWakefulness=(\w+)", link.run("dumpsys power").text)
    return found[1] if found else ""


def _window(rig: Rig, model: str | None) -> _Raw | Missing:
    """Readings once a second, in one command: beside the tool only a shell sleeps."""
    seconds = rig.asked.energy_s
    # A little longer than the readings: they shall not see its end.
    call = rig.call(model or "", seconds=1.05 * seconds + 1)
    tool = command_of(rig.tool, rig.program, call) if model else None
    answer = rig.link.run(_window_command(tool, seconds), timeout_s=4 * seconds + 120)
    before, begun, rest = answer.text.partition("BEGIN\n")
    readings, ended, rest = rest.partition("ENDED ")
    status, _, rest = rest.partition("\n")
    output, after, rails = rest.rpartition("AFTER\n")
    if not (begun and ended and after) or not status.strip().isdigit():
        return Missing(reason="the phone broke off in the middle of a window")
    lines = tuple(line for line in readings.split("\n") if line.strip())
    raw = _Raw(lines=lines, before=before, after=rails, inferences=0, mean_ms=0.0)
    if not model:
        return raw
    done = outcome(rig.tool, int(status), output, call)
    if isinstance(done, Missing):
        return done
    inferences = done.warm_up + done.timed.count
    return replace(raw, inferences=inferences, mean_ms=done.timed.mean_ms)


def _window_command(tool: str | None, seconds: float) -> str:
    """One window for the phone's shell; without a tool, an idle one."""
    steps = " ".join(map(str, range(round(seconds / _STEP_S))))
    start = f"{tool} > {_OUTPUT} 2>&1 & p=$!; " if tool else ""
    # A reading after the tool's end would be one of an idle phone.
    while_busy = "grep -q VmRSS /proc/$p/status 2>/dev/null && " if tool else ""
    end = f"wait $p; echo ENDED $?; cat {_OUTPUT}" if tool else "echo ENDED 0"
    return (
        f"{_RAILS} 2>/dev/null; echo BEGIN; {start}for i in {steps}; do sleep {_STEP_S:g}; "
        f'{while_busy}echo "@ $(cat {_BATTERY}/current_now 2>/dev/null) '
        f'$(cat {_BATTERY}/voltage_now 2>/dev/null)"; done; {end}; '
        f"echo AFTER; {_RAILS} 2>/dev/null"
    )


def _from_rails(raws: list[tuple[_Raw, _Raw]], confidence: float) -> Figure:
    try:
        pairs = [(_rails(idle), _rails(busy)) for idle, busy in raws]
    except ValueError as error:
        return Missing(reason=str(error))
    return energy_from_rails(pairs, confidence)


def _rails(raw: _Raw) -> RailsWindow:
    return rails_window(raw.before, raw.after, raw.inferences)


def _from_gauge(raws: list[tuple[_Raw, _Raw]], confidence: float) -> Figure:
    try:
        pairs = [(_gauge(idle), _gauge(busy)) for idle, busy in raws]
    except ValueError as error:
        return Missing(reason=str(error))
    return energy_from_gauge(pairs, confidence)


def _gauge(raw: _Raw) -> GaugeWindow:
    return GaugeWindow(samples=parse_samples(raw.lines), mean_ms=raw.mean_ms)

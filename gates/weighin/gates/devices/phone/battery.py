"""What a phone tells of its battery and its power rails.

Pure. The traps: the sign of the current differs between vendors, some report milliamperes where
microamperes are meant, and some fake the state of the charger. Nothing here is repaired by guess.

Sources: Android's BatteryManager (CURRENT_NOW, CHARGE_COUNTER) and BatteryService dump; the
kernel's Documentation/ABI/testing/sysfs-class-power; perfetto's docs on battery counters.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.devices.phone.figures import quoted, whole

_STATES = {1: "unknown", 2: "charging", 3: "discharging", 4: "not charging", 5: "full"}
_MILLI_BELOW = 20_000
"""A busy phone draws at least 0.02 A: a smaller figure is in milliamperes."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryState:
    """What ``dumpsys battery`` says.

    Attributes:
        powered: By which source it is powered; empty when unplugged.
        status: Charging or not, in words.
        level_percent: How full it is.
        voltage_v: Its voltage; ``None`` if not told.
        charge_uah: Its charge counter; ``None`` if not told.
        faked: Whether somebody told Android to stop reading the hardware.
    """

    powered: tuple[str, ...]
    status: str
    level_percent: int
    voltage_v: float | None
    charge_uah: int | None
    faked: bool

    @property
    def objection(self) -> str | None:
        """Why no energy may be measured now; ``None`` if it may."""
        if self.faked:
            return "the state of its charger is faked; run `adb shell cmd battery reset`"
        if self.powered or self.status in ("charging", "full"):
            by = f" ({', '.join(self.powered)})" if self.powered else ""
            return f"it is charging{by}: unplug it and use adb over Wi-Fi"
        return None


def parse_battery(text: str) -> BatteryState:
    """Read ``dumpsys battery``.

    Raises:
        ValueError: a field that decides is missing or not understood.
    """
    fields = dict(re.findall(r"^\s*([A-Za-z][A-Za-z ]*?):\s*(\S+)\s*$", text, re.MULTILINE))
    flags = {name: fields[name] for name in fields if name.endswith(" powered")}
    if not flags or not set(flags.values()) <= {"true", "false"}:
        raise ValueError(f"dumpsys battery does not tell what powers it: {quoted(text)}")
    status = whole(_needed(fields, "status", text))
    level = whole(_needed(fields, "level", text))
    if status not in _STATES or not 0 <= level <= 100:
        raise ValueError(f"dumpsys battery: status {status}, level {level} is no state")
    millivolts = whole(fields["voltage"]) if "voltage" in fields else None
    return BatteryState(
        powered=tuple(name.removesuffix(" powered") for name in flags if flags[name] == "true"),
        status=_STATES[status],
        level_percent=level,
        voltage_v=None if millivolts is None else volts(millivolts),
        charge_uah=whole(fields["Charge counter"]) if "Charge counter" in fields else None,
        faked="UPDATES STOPPED" in text,
    )


def _needed(fields: dict[str, str], name: str, text: str) -> str:
    if name not in fields:
        raise ValueError(f"dumpsys battery has no {name}: {quoted(text)}")
    return fields[name]


def volts(raw: int) -> float:
    """A voltage in volts, told in microvolts or millivolts.

    Raises:
        ValueError: it is neither a phone battery's microvolts nor its millivolts.
    """
    for divisor in (1_000_000, 1000):
        if 2.0 <= raw / divisor <= 10.0:
            return raw / divisor
    raise ValueError(f"{raw} is no voltage of a phone's battery")


def amperes(busy: Sequence[int], raws: Sequence[int]) -> tuple[float, ...]:
    """Currents out of the battery in amperes; sign and unit are told by the busy samples.

    Args:
        busy: Raw readings while the phone worked hard and was not charging.
        raws: The readings to convert.

    Raises:
        ValueError: the sign changes, or there is no current at all.
    """
    signs = {value > 0 for value in busy if value != 0}
    if len(signs) != 1:
        raise ValueError("the battery's current changes its sign, or is zero, while it works")
    outwards = 1 if signs == {True} else -1
    unit = 1e-3 if max(abs(value) for value in busy) < _MILLI_BELOW else 1e-6
    return tuple(outwards * value * unit for value in raws)


def parse_rails(text: str) -> tuple[int, tuple[tuple[str, int], ...]]:
    """Read ``energy_value`` of a power monitor: its own clock in ms, microjoules per rail.

    Raises:
        ValueError: there is no rail, or a line is not understood.
    """
    stamps: list[int] = []
    rails: list[tuple[str, int]] = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        if clock := re.fullmatch(r"\s*t=(\d+)\s*", line):
            stamps.append(int(clock[1]))
            continue
        rail = re.fullmatch(r"\s*CH\d+(?:\(T=(\d+)\))?\[(\S+)\],\s*(\d+)\s*", line)
        if not rail:
            raise ValueError(f"not a power rail: {quoted(line)}")
        rails.append((rail[2], int(rail[3])))
    if not rails or not stamps:
        raise ValueError(f"the power monitor tells no rail: {quoted(text)}")
    return max(stamps), tuple(rails)

"""Whether a phone is in a state in which a measurement means something.

What this module does not do: it changes nothing on the phone; a state that was faked, by anybody,
is refused.
"""

import re
from collections.abc import Callable

from weighin.gates.devices.phone.battery import BatteryState, parse_battery
from weighin.gates.devices.phone.link import Link, text_of
from weighin.gates.devices.phone.thermal import Heat, parse_thermal_service, parse_zones
from weighin.gates.errors import PhoneError

Pause = Callable[[float], None]
"""Waits so many seconds."""

_ZONES = (
    "for z in /sys/class/thermal/thermal_zone*; do "
    "echo $(cat $z/type)'|'$(cat $z/temp 2>/dev/null); done"
)
_COOL_STEP_S = 5.0


def read_heat(link: Link) -> Heat:
    """How hot it is.

    Raises:
        PhoneError: it does not say, or its status is overridden.
        PhoneGone: it does not answer.
    """
    try:
        heat = parse_thermal_service(link.run("dumpsys thermalservice").text)
        return heat if heat is not None else parse_zones(link.run(_ZONES).text)
    except ValueError as error:
        raise PhoneError(f"phone {link.serial}: {error}") from error


def cooled(link: Link, at_most_s: float, pause: Pause) -> Heat:
    """Wait until it is cool enough to measure.

    Raises:
        PhoneError: it does not cool down in time.
        PhoneGone: it does not answer.
    """
    waited = 0.0
    while True:
        heat = read_heat(link)
        if heat.objection is None:
            return heat
        if waited >= at_most_s:
            raise PhoneError(
                f"phone {link.serial} is too hot ({heat.objection}) and did not cool down in "
                f"{at_most_s:.0f} s; let it lie in the shade, out of its case"
            )
        pause(_COOL_STEP_S)
        waited += _COOL_STEP_S


def read_battery(link: Link) -> BatteryState:
    """How its battery is.

    Raises:
        PhoneError: it does not say.
        PhoneGone: it does not answer.
    """
    try:
        return parse_battery(text_of(link, "dumpsys battery"))
    except ValueError as error:
        raise PhoneError(f"phone {link.serial}: {error}") from error


def conditions(link: Link) -> tuple[tuple[str, str], ...]:
    """What else a reader should know: charger, charge, screen.

    Raises:
        PhoneError: battery saver is on, which slows the cores down.
        PhoneGone: it does not answer.
    """
    if link.run("settings get global low_power").text.strip() == "1":
        raise PhoneError(
            f"phone {link.serial}: battery saver is on, which slows it down; switch it off"
        )
    battery = read_battery(link)
    power = ", ".join(battery.powered) if battery.powered else "unplugged"
    screen = re.search(r"mWakefulness=(\w+)", link.run("dumpsys power").text)
    return (
        ("power", f"{power}, battery at {battery.level_percent} %"),
        ("screen", screen[1] if screen else "not told"),
    )

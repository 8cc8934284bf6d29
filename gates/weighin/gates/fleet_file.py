"""From the text of ``fleet.toml`` to a fleet, or one line that says what is wrong with it.

    source = "Play Console, active devices of the last 28 days"
    as_of = 2026-11-01

    [percent]
    "pixel-4" = 12.5
    "tier:low" = 31

A class stands for its members that are not named by themselves. Nobody may be counted twice: two
classes with a phone in common are an error. What this module does not do: it reads no files.
"""

import tomllib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime

from weighin.gates.device_class import EXAMPLES, expand, is_class
from weighin.gates.errors import ConfigError
from weighin.gates.fleet import WHOLE, Fleet, FleetPart, total_percent
from weighin.gates.profile_record import DeviceProfile
from weighin.gates.toml_table import Table, close_names

_LEAST_PERCENT = 1e-6


def parse_fleet(
    file: str, text: str, profiles: Sequence[DeviceProfile], at_least_percent: float | None = None
) -> Fleet:
    """A fleet from the text of its file.

    Args:
        file: Its name, for complaints.
        text: What is in it.
        profiles: The devices there are.
        at_least_percent: The share of users that must pass, if there is a budget on it.

    Raises:
        ConfigError: it is no fleet; the message names the key and what is allowed.
    """
    try:
        table = Table(tomllib.loads(text))
        table.only("source", "as_of", "percent")
        return Fleet(
            parts=_parts(table.table("percent"), profiles),
            source=table.text("source"),
            as_of=_day(table.get("as_of")),
            at_least_percent=at_least_percent,
        )
    except (ValueError, TypeError, ConfigError) as error:
        raise ConfigError(f"{file}: {error}") from error


def _day(value: object) -> date:
    if isinstance(value, datetime) or not isinstance(value, date):
        raise TypeError(f"as_of must be a day such as 2026-11-01 without quotes, not {value!r}")
    return value


def _parts(table: Table, profiles: Sequence[DeviceProfile]) -> tuple[FleetPart, ...]:
    if not table.values:
        raise ValueError(f"percent must name at least one device or class, such as {EXAMPLES}")
    shares = {name: table.number(name, _LEAST_PERCENT, WHOLE) for name in table.values}
    members = _members(shares, profiles)
    if (total := total_percent(shares.values())) > WHOLE:
        raise ValueError(f"percent: the shares sum to {total:.9g}; at most {WHOLE:g} is allowed")
    _check_once(members)
    return tuple(
        FleetPart(name=name, percent=percent, devices=members[name])
        for name, percent in shares.items()
    )


def _members(names: Iterable[str], profiles: Sequence[DeviceProfile]) -> dict[str, tuple[str, ...]]:
    """Who stands for each share: a class leaves out who is named by itself."""
    known = [profile.name for profile in profiles]
    named = {name for name in names if not is_class(name)}
    for name in named:
        if name not in known:
            raise ValueError(
                f"percent: unknown device '{name}'{close_names(name, known)}; allowed: a name from "
                f"`weighin device list`, or a class such as {EXAMPLES}"
            )
    members = {}
    for name in names:
        found = expand(name, profiles)
        members[name] = found if name in named else tuple(d for d in found if d not in named)
        if not members[name]:
            raise ValueError(f"percent: everybody in '{name}' has a share of their own already")
    return members


def _check_once(members: Mapping[str, tuple[str, ...]]) -> None:
    owner: dict[str, str] = {}
    for name, devices in members.items():
        for device in devices:
            if device in owner:
                raise ValueError(
                    f"percent: {device} is in both '{owner[device]}' and '{name}', so its users "
                    "are counted twice; use classes without common members, or name the device"
                )
            owner[device] = name

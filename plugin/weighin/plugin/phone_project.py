"""Where a user's phones are kept, and with what they are measured: from weighin.toml, if any."""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from weighin.gates.devices.phone.facts import PhoneFacts
from weighin.gates.devices.phone.naming import is_simulated, phone_of
from weighin.gates.devices.phone.tools import NAMES, Tool, open_tool
from weighin.gates.errors import ConfigError, PhoneError
from weighin.gates.profile import OWN_FOLDER, DeviceProfile, load_profile, own_names
from weighin.gates.variant import Format
from weighin.plugin.config import FILE_NAME, STATE_DIR, PhonesConfig
from weighin.plugin.config_file import find_root, load_config


@dataclass(frozen=True, slots=True, kw_only=True)
class PhonePlace:
    """Where a user's phones are kept.

    Attributes:
        root: The folder of weighin.toml; the working folder where there is none.
        config: Table ``[phones]``.
        fresh: How long a measurement holds.
    """

    root: Path
    config: PhonesConfig
    fresh: timedelta

    @property
    def own(self) -> Path:
        """The user's profiles and runs."""
        return self.root / OWN_FOLDER

    @property
    def locks(self) -> Path:
        """What git does not track."""
        return self.root / STATE_DIR


def phone_place(start: Path) -> PhonePlace:
    """The project at or above ``start``, or ``start`` itself: phones need no weighin.toml.

    Raises:
        ConfigError: there is a weighin.toml, and it is wrong.
    """
    try:
        root = find_root(start)
    except ConfigError:
        return PhonePlace(root=start, config=PhonesConfig(), fresh=timedelta(days=30))
    config = load_config(root / FILE_NAME)
    fresh = timedelta(days=config.evidence.valid_days)
    return PhonePlace(root=root, config=config.phones, fresh=fresh)


def own_profiles(place: PhonePlace) -> tuple[DeviceProfile, ...]:
    """The user's own profiles."""
    return tuple(load_profile(name, place.own) for name in own_names(place.own))


def profile_of(place: PhonePlace, facts: PhoneFacts) -> DeviceProfile | None:
    """The profile that was read from this very phone, if there is one."""
    digest = facts.serial_sha256[:12]
    return next((one for one in own_profiles(place) if phone_of(one) == digest), None)


def device_for(place: PhonePlace, facts: PhoneFacts, asked: str | None) -> str:
    """The profile that runs on a phone are kept for.

    Raises:
        ConfigError: the profile that was asked for does not exist.
        PhoneError: nobody added this phone.
    """
    if asked is not None:
        _check_same_phone(load_profile(asked, place.own), facts)
        return asked
    found = profile_of(place, facts)
    if found is None:
        raise PhoneError(
            f"phone {facts.serial} ({facts.model}) has no profile yet; run "
            f"`weighin device add --serial {facts.serial}` first, or name one with --device"
        )
    return found.name


def _check_same_phone(profile: DeviceProfile, facts: PhoneFacts) -> None:
    """Numbers of one phone must not be kept as those of another."""
    same_code = (profile.codename or "").lower() == facts.codename
    if not same_code and profile.title.removesuffix(" (simulated)") != facts.model:
        raise PhoneError(
            f"phone {facts.serial} is a {facts.model} ({facts.codename}), but profile "
            f"'{profile.name}' is a {profile.title} ({profile.codename or 'no codename'})"
        )
    if is_simulated(profile.name) and not facts.simulated:
        raise PhoneError(
            f"phone {facts.serial} is real, but profile '{profile.name}' is a simulated phone's"
        )


def tool_for(place: PhonePlace, format: Format, path: Path | None, version: str | None) -> Tool:
    """The tool for a format: from the command line, else from weighin.toml.

    Raises:
        ConfigError: nobody says where it is, or it is not there.
    """
    name = NAMES[format]
    configured = getattr(place.config, name)
    if path is None and configured is None:
        raise ConfigError(
            f"where is {name}? Say it with --tool, or as `{name}` in [phones] of weighin.toml; "
            "docs/phones.md says where to get one"
        )
    stated = version if version is not None else getattr(place.config, f"{name}_version")
    return open_tool(format, path if path is not None else place.root / configured, stated)

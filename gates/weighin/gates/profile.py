"""Where device profiles are: the user's own folder first, then the ones that weighin ships.

A profile is one TOML file, and every table in it names its source. Users keep theirs in
``devices/`` beside ``weighin.toml``; a profile of theirs hides the shipped one of the same name. A
phone without published measurements for a runtime and an arithmetic gets no number for them.

What this module does not do: it predicts nothing, and it measures nothing. The records are in
:mod:`weighin.gates.profile_record`; they are exported here as well.
"""

import difflib
from importlib import resources
from pathlib import Path

from weighin.gates.errors import ConfigError
from weighin.gates.profile_file import check_name, parse_profile
from weighin.gates.profile_record import (
    HOST,
    Anchor,
    Battery,
    Calibration,
    Cluster,
    ClusterPower,
    DeviceProfile,
    Memory,
    Os,
    Power,
    PowerKind,
    PowerStep,
    Tier,
)
from weighin.gates.profile_wire import render_profile

__all__ = [
    "HOST",
    "OWN_FOLDER",
    "Anchor",
    "Battery",
    "Calibration",
    "Cluster",
    "ClusterPower",
    "DeviceProfile",
    "Memory",
    "Os",
    "Power",
    "PowerKind",
    "PowerStep",
    "Tier",
    "all_profiles",
    "check_name",
    "load_profile",
    "own_names",
    "parse_profile",
    "profile_names",
    "render_profile",
    "shipped_names",
]

OWN_FOLDER = "devices"
"""Beside ``weighin.toml``: the user's own profiles."""

_SUFFIX = ".toml"
_NOT_PROFILES = "prices-"
"""What `weighin device fit --write` keeps in the same folder."""


def shipped_names() -> tuple[str, ...]:
    """Names of the profiles that weighin ships, sorted."""
    folder = resources.files("weighin.gates") / "profiles"
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(_SUFFIX) for name in files if name.endswith(_SUFFIX)))


def own_names(own: Path | None) -> tuple[str, ...]:
    """Names of the profiles in the user's folder, sorted; the folder need not exist.

    Raises:
        ConfigError: a file there has a name that no profile may have, or is called ``host``.
    """
    if own is None or not own.is_dir():
        return ()
    files = (path for path in own.glob(f"*{_SUFFIX}") if path.is_file())
    names = sorted(path.stem for path in files if not path.name.startswith(_NOT_PROFILES))
    for name in names:
        check_name(name)
        if name == HOST:
            raise ConfigError(f"{own / HOST}{_SUFFIX}: 'host' is this machine; rename the file")
    return tuple(names)


def profile_names(own: Path | None = None) -> tuple[str, ...]:
    """Names of all profiles, sorted: the user's own and the shipped ones."""
    return tuple(sorted({*shipped_names(), *own_names(own)}))


def load_profile(name: str, own: Path | None = None) -> DeviceProfile:
    """The profile called ``name``: the user's own if there is one, else the shipped one.

    Args:
        name: As :func:`profile_names` lists it.
        own: The user's folder of profiles, if there is one.

    Raises:
        ConfigError: there is no such profile, and the message says what was meant; or its
            file cannot be read or is no profile.
    """
    if name in own_names(own) and own is not None:
        return _read_own(name, own)
    if name not in shipped_names():
        close = difflib.get_close_matches(name, profile_names(own), n=2)
        hint = f"; did you mean {' or '.join(close)}?" if close else "."
        raise ConfigError(f"no device profile '{name}'{hint} `weighin device list` shows them all")
    file = resources.files("weighin.gates") / "profiles" / f"{name}{_SUFFIX}"
    return parse_profile(name, file.read_text("utf-8"))


def all_profiles(own: Path | None = None) -> tuple[DeviceProfile, ...]:
    """Every profile, sorted by name.

    Raises:
        ConfigError: one of the user's files is no profile.
    """
    return tuple(load_profile(name, own) for name in profile_names(own))


def _read_own(name: str, own: Path) -> DeviceProfile:
    path = own / f"{name}{_SUFFIX}"
    try:
        return parse_profile(name, path.read_text("utf-8"))
    except ConfigError as error:
        raise ConfigError(f"{path}: {error}") from error
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read: {error}") from error

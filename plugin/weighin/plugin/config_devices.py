"""Devices and classes of devices in ``weighin.toml``: what is wrong with them, and what they mean.

After :func:`resolved` a configuration names devices only. A device that several classes with
budgets match gets, for each metric, the strictest of what they say: the lowest bound, the most
trustworthy origin, the lowest floor, the most rows. A table that names the device itself wins over
classes, and classes win over ``default``.
"""

import dataclasses
from collections.abc import Iterator, Mapping
from pathlib import Path

from weighin.gates.device_class import EXAMPLES, expand, is_class
from weighin.gates.errors import ConfigError
from weighin.gates.metric import Budget
from weighin.gates.profile import DeviceProfile, all_profiles, load_profile, profile_names
from weighin.gates.toml_table import close_names
from weighin.plugin.config import Config, ModelConfig
from weighin.plugin.config_budget import DEFAULT, BudgetTable, BudgetValue, budget_of

ALLOWED = f"a name from `weighin device list`, or a class such as {EXAMPLES}"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KnownDevices:
    """The devices that a configuration may speak of.

    Attributes:
        names: Of all profiles.
        profiles: All profiles, or none where no class is used and nobody needs them.
        own: The user's folder of profiles.
    """

    names: tuple[str, ...]
    profiles: tuple[DeviceProfile, ...]
    own: Path | None


def known_devices(config: Config, own: Path | None) -> KnownDevices:
    """The devices there are; profiles are read only if a class is used.

    Raises:
        ConfigError: a profile of the user's is none.
    """
    used = any(is_class(text) for text in _device_texts(config))
    profiles = all_profiles(own) if used else ()
    return KnownDevices(names=profile_names(own), profiles=profiles, own=own)


def device_mistakes(config: Config, known: KnownDevices) -> Iterator[str]:
    """One line per device or class that there is not, or whose profile is none."""
    yield from _scope_mistakes("budgets", config.budgets, known)
    for name, model in config.models.items():
        where = f"models.{name}"
        yield from _scope_mistakes(f"{where}.budgets", model.budgets, known)
        if not model.devices:
            yield f"{where}.devices: must not be empty; allowed: {ALLOWED}"
        for text in model.devices:
            yield from name_mistakes_of(f"{where}.devices", text, known)


def name_mistakes_of(where: str, text: str, known: KnownDevices) -> Iterator[str]:
    """What is wrong with one name or class of devices."""
    if not is_class(text) and text not in known.names:
        meant = close_names(text, known.names)
        yield f"{where}: unknown name '{text}'{meant}; allowed: {ALLOWED}"
        return
    try:
        expand(text, known.profiles)
        if not is_class(text):
            load_profile(text, known.own)
    except ConfigError as error:
        yield f"{where}: {error}"


def resolved(config: Config, known: KnownDevices) -> Config:
    """The same configuration without classes: devices by name, and budgets by device."""
    models = {
        name: dataclasses.replace(
            model,
            devices=_devices(model, known),
            budgets=_by_device(model.budgets, known.profiles),
        )
        for name, model in config.models.items()
    }
    budgets = _by_device(config.budgets, known.profiles)
    return dataclasses.replace(config, budgets=budgets, models=models)


def _device_texts(config: Config) -> Iterator[str]:
    yield from config.budgets
    for model in config.models.values():
        yield from (*model.budgets, *model.devices)


def _devices(model: ModelConfig, known: KnownDevices) -> tuple[str, ...]:
    """Each device once, in the order in which the file speaks of it."""
    names = (name for text in model.devices for name in expand(text, known.profiles))
    return tuple(dict.fromkeys(names))


def _scope_mistakes(where: str, table: BudgetTable, known: KnownDevices) -> Iterator[str]:
    for scope in table:
        if scope != DEFAULT:
            yield from name_mistakes_of(f"{where}.{scope}", scope, known)


def _by_device(table: BudgetTable, profiles: tuple[DeviceProfile, ...]) -> BudgetTable:
    """Budgets of classes handed to their members, below what a member's own table says."""
    shared: dict[str, dict[str, BudgetValue]] = {}
    for scope, budgets in table.items():
        for device in expand(scope, profiles) if is_class(scope) else ():
            shared[device] = _strictest(shared.get(device, {}), budgets)
    named = {scope: budgets for scope, budgets in table.items() if not is_class(scope)}
    devices = dict.fromkeys((*named, *shared))
    return {device: shared.get(device, {}) | named.get(device, {}) for device in devices}


def _strictest(
    one: Mapping[str, BudgetValue], other: Mapping[str, BudgetValue]
) -> dict[str, BudgetValue]:
    merged = {**one, **other}
    for metric in one.keys() & other.keys():
        merged[metric] = _stricter(budget_of(metric, one[metric]), budget_of(metric, other[metric]))
    return merged


def _stricter(one: Budget, other: Budget) -> BudgetValue:
    """Of two budgets on one metric, the harder half of each part."""
    origin = one if one.least_origin.is_at_least(other.least_origin) else other
    table: dict[str, float | str] = {
        "at_most": min(one.at_most, other.at_most),
        "least_origin": origin.least_origin.value,
    }
    if one.floor is not None and other.floor is not None:
        table["floor"] = min(one.floor, other.floor)
    if one.least_rows is not None or other.least_rows is not None:
        table["least_rows"] = max(one.least_slice_rows, other.least_slice_rows)
    return table

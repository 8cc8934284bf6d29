"""Classes of devices, such as ``tier:low``, ``soc:sm8150``, ``android>=12``, ``ram>=4096``. Pure.

A class stands wherever a device may be named, and means every phone whose profile says so. What a
profile does not say matches nothing: a phone whose newest Android is not known is not one with
Android 12. The host is no phone and is in no class; it is named. What this module does not do: it
loads no profiles.
"""

import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

from weighin.gates.core_design import ISA_FLAGS
from weighin.gates.errors import ConfigError
from weighin.gates.profile_record import HOST, DeviceProfile, Os, Tier
from weighin.gates.toml_table import near_names

EXAMPLES = "tier:low, soc:sm8150, os:ios, isa:dotprod, android>=12, ios>=17, ram>=4096, year>=2019"


class Fact(StrEnum):
    """What a class looks at: words after a colon, or numbers after a comparison."""

    TIER = "tier"
    SOC = "soc"
    OS = "os"
    ISA = "isa"
    ANDROID = "android"
    IOS = "ios"
    RAM = "ram"
    YEAR = "year"


_WORDS: Mapping[Fact, tuple[str, ...]] = {
    Fact.TIER: tuple(tier for tier in Tier if tier is not Tier.HOST),
    Fact.SOC: (),  # an open set: whatever the profiles have
    Fact.OS: tuple(os for os in Os if os is not Os.HOST),
    Fact.ISA: ISA_FLAGS,
}
_RELATIONS: Mapping[str, Callable[[int, int], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
    "=": operator.eq,
}
_SHAPE = re.compile(r"\s*(\w+)\s*(:|>=|<=|==|>|<|=)\s*(.*?)\s*")


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceClass:
    """One class.

    Attributes:
        text: As it was written.
        fact: What it looks at.
        relation: ``:`` for words, else how the number compares.
        value: The word, or the number in the fact's unit: major version, MiB, or year.
    """

    text: str
    fact: Fact
    relation: str
    value: str

    def holds(self, profile: DeviceProfile) -> bool | None:
        """Whether the phone is of this class; ``None`` if its profile does not say."""
        if profile.name == HOST:
            return False
        match self.fact:
            case Fact.TIER:
                return profile.tier == self.value
            case Fact.SOC:
                return profile.soc_id == self.value
            case Fact.OS:
                return profile.os == self.value
            case Fact.ISA:
                return self.value in profile.clusters[0].isa if profile.clusters else None
            case Fact.ANDROID | Fact.IOS:
                return (
                    self._compares(profile.os_release)
                    if profile.os.value == self.fact.value
                    else False
                )
            case Fact.RAM:
                return self._compares(profile.memory.ram_mib if profile.memory else None)
            case Fact.YEAR:
                return self._compares(profile.year)
            case _:
                assert_never(self.fact)

    def _compares(self, number: int | None) -> bool | None:
        return None if number is None else _RELATIONS[self.relation](number, int(self.value))


@dataclass(frozen=True, slots=True, kw_only=True)
class Members:
    """Who is in a class, and whose profile does not say; names in the profiles' order."""

    names: tuple[str, ...]
    unknown: tuple[str, ...]


def is_class(text: str) -> bool:
    """Whether this is written like a class: no name has a colon or a comparison in it."""
    return any(mark in text for mark in ":<>=")


def parse_class(text: str) -> DeviceClass:
    """A class from its text.

    Raises:
        ConfigError: it is none; the message says what was probably meant and what is allowed.
    """
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ConfigError(f"'{text}' is no class of devices; write one like {EXAMPLES}")
    key, relation, value = shape[1], shape[2].replace("==", "="), shape[3]
    if key not in tuple(Fact):
        raise ConfigError(f"class '{text}': unknown fact '{key}'{near_names(key, Fact)}")
    fact = Fact(key)
    if fact in _WORDS:
        return _of_words(text, fact, relation, value)
    if relation not in _RELATIONS or not (value.isascii() and value.isdigit()):
        allowed = f"{fact}>=NUMBER, with {', '.join(_RELATIONS)} and a whole number"
        raise ConfigError(f"class '{text}': {fact} is compared with a number; allowed: {allowed}")
    return DeviceClass(text=text, fact=fact, relation=relation, value=value)


def members(wanted: DeviceClass, profiles: Iterable[DeviceProfile]) -> Members:
    """The profiles of a class, and those that do not say; no error if there are none."""
    held = [(profile.name, wanted.holds(profile)) for profile in profiles]
    return Members(
        names=tuple(name for name, holds in held if holds),
        unknown=tuple(name for name, holds in held if holds is None),
    )


def expand(text: str, profiles: Sequence[DeviceProfile]) -> tuple[str, ...]:
    """The devices that a class means, or the device itself if this is a name.

    Raises:
        ConfigError: it is no class, or no phone is in it.
    """
    if not is_class(text):
        return (text,)
    wanted = parse_class(text)
    found = members(wanted, profiles)
    if not found.names:
        silent = f"; {len(found.unknown)} profiles do not say" if found.unknown else ""
        raise ConfigError(f"class '{text}' matches no profile{_instead(wanted, profiles)}{silent}")
    return found.names


def _of_words(text: str, fact: Fact, relation: str, value: str) -> DeviceClass:
    allowed = _WORDS[fact]
    if relation != ":" or not value:
        raise ConfigError(f"class '{text}': {fact} is a word; write it like {fact}:WORD")
    if allowed and value not in allowed:
        raise ConfigError(f"class '{text}': unknown {fact} '{value}'{near_names(value, allowed)}")
    return DeviceClass(text=text, fact=fact, relation=relation, value=value)


def _instead(wanted: DeviceClass, profiles: Sequence[DeviceProfile]) -> str:
    """What the profiles have in place of what was asked for."""
    phones = [profile for profile in profiles if profile.name != HOST]
    if wanted.fact is Fact.SOC:
        return near_names(wanted.value, sorted({profile.soc_id for profile in phones}))
    return f"; there are {len(phones)} phones: weighin device list"

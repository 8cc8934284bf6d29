"""What a phone's profile is called, and the profile that its facts make. Pure.

Every figure is marked as read from the phone, with the date. What cannot be read over adb, the
power of its cores, is taken from a shipped profile of the same phone or chip, with the source that
stands there, or left out. What this module does not do: it writes no file.
"""

import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from weighin.gates.devices.phone.facts import PhoneFacts
from weighin.gates.errors import PhoneError
from weighin.gates.profile import Battery, Cluster, DeviceProfile, Memory, Os, Tier

SIMULATED = "simulated-"
"""How the name of every simulated phone's profile begins, wherever it is shown."""

NOMINAL_VOLTS = 3.85
"""Of a lithium-ion phone battery; an assumption, as in the shipped profiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """A profile made from a phone's facts, and what its owner should know of it."""

    profile: DeviceProfile
    notes: tuple[str, ...]


def phone_of(profile: DeviceProfile) -> str:
    """The digest of the serial of the phone that a profile was read from; empty if from none."""
    found = re.fullmatch(r"read over adb on \S+ from phone ([0-9a-f]{12})", profile.source)
    return found[1] if found else ""


def is_simulated(name: str) -> bool:
    """Whether a profile is one of a simulated phone."""
    return name.startswith(SIMULATED)


def name_for(facts: PhoneFacts, taken: Collection[str]) -> str:
    """A name for a phone: its model's, with a piece of its serial's digest if that is taken."""
    words = re.sub(r"[^a-z0-9]+", "-", facts.model.lower()).strip("-") or facts.codename
    plain = (SIMULATED if facts.simulated else "") + words
    return plain if plain not in taken else f"{plain}-{facts.serial_sha256[:6]}"


def check_name_for(facts: PhoneFacts, name: str) -> str:
    """The name that its owner chose, unless it would pass a simulated phone off as a real one.

    Raises:
        PhoneError: it would, or the other way round.
    """
    if facts.simulated is not is_simulated(name):
        kind = "a simulated phone" if facts.simulated else "a real phone"
        rule = "must" if facts.simulated else "must not"
        raise PhoneError(f"'{name}': the name of {kind} {rule} begin with '{SIMULATED}'")
    return name


def relative_of(facts: PhoneFacts, shipped: Sequence[DeviceProfile]) -> DeviceProfile | None:
    """The shipped profile of the same phone, or else of one with the same chip."""
    android = [one for one in shipped if one.os is Os.ANDROID]
    chips = {facts.platform, facts.soc.lower()}
    same = [one for one in android if one.codename and one.codename.lower() == facts.codename]
    return next((one for one in (*same, *(o for o in android if o.soc_id in chips))), None)


def draft_profile(
    facts: PhoneFacts, name: str, relative: DeviceProfile | None, today: date
) -> Drafted:
    """The profile of a phone.

    Raises:
        PhoneError: its cores cannot be told, and no shipped profile knows them.
    """
    read = f"read over adb on {today.isoformat()} from phone {facts.serial_sha256[:12]}"
    same_phone = relative is not None and (relative.codename or "").lower() == facts.codename
    simulated = " (simulated)" if facts.simulated else ""
    notes: list[str] = []
    profile = DeviceProfile(
        name=name,
        title=f"{facts.model}{simulated}",
        codename=facts.codename,
        os=Os.ANDROID,
        os_release=facts.android,
        tier=relative.tier if relative and same_phone else Tier.MID,
        year=relative.year if relative and same_phone else _year(facts.android),
        soc=relative.soc if relative else (facts.soc or facts.platform),
        soc_id=facts.platform,
        source=read,
        clusters=_clusters(facts, relative, read, notes),
        memory=Memory(ram_mib=facts.ram_mib, source=f"{read}: MemTotal, what Linux sees"),
        battery=_battery(facts, relative if same_phone else None, read, notes),
        calibrations=relative.calibrations if relative and same_phone else (),
    )
    if profile.calibrations and relative is not None:
        notes.append(f"published runs: of '{relative.name}', with their sources")
    if not same_phone:
        notes.append(
            f"tier and year are not told by a phone: '{profile.tier}' and {profile.year} are "
            "placeholders; set them in the file"
        )
    return Drafted(profile=profile, notes=tuple(notes))


def _year(android: int) -> int:
    """Android 10 came in 2019, and one a year since: the earliest that this one may be."""
    return max(2012, 2009 + android)


def _clusters(
    facts: PhoneFacts, relative: DeviceProfile | None, read: str, notes: list[str]
) -> tuple[Cluster, ...]:
    known = relative.clusters if relative else ()
    if not facts.clusters:
        if not known or not _same_shape(facts, known):
            raise PhoneError(
                f"phone {facts.serial}: {facts.clusters_missing}; write its cores into a profile "
                "by hand, from the kernel's or the maker's documents"
            )
        assert relative is not None  # noqa: S101 - for the type checker: known is its clusters
        notes.append(f"cores: of '{relative.name}', which has the same chip: its kernel tells none")
        return known
    found = tuple(
        Cluster(
            core=one.core,
            called=one.called,
            count=len(one.cpus),
            max_ghz=one.max_ghz,
            isa=one.isa,
            source=read,
        )
        for one in facts.clusters
    )
    return _with_power(found, relative, notes)


def _same_shape(facts: PhoneFacts, known: Sequence[Cluster]) -> bool:
    """Whether a profile's clusters have as many cores at the same clocks as the phone's."""
    own = sorted((len(policy.cpus), policy.max_khz / 1e6) for policy in facts.policies)
    other = sorted((cluster.count, cluster.max_ghz) for cluster in known)
    return len(own) == len(other) and all(
        a[0] == b[0] and abs(a[1] - b[1]) < 0.05 for a, b in zip(own, other, strict=True)
    )


def _with_power(
    found: tuple[Cluster, ...], relative: DeviceProfile | None, notes: list[str]
) -> tuple[Cluster, ...]:
    """Power of the same cores at the same clocks, from the relative, with its own source."""
    powered = tuple(_powered(one, relative.clusters if relative else ()) for one in found)
    without = list(dict.fromkeys(one.core for one in powered if one.power is None))
    if relative is not None and any(one.power for one in powered):
        notes.append(f"power of its cores: of '{relative.name}', with the sources that it names")
    if without:
        notes.append(f"no power figures for {', '.join(without)}: energy must be measured")
    return powered


def _powered(one: Cluster, known: Sequence[Cluster]) -> Cluster:
    same = (k for k in known if k.core == one.core and abs(k.max_ghz - one.max_ghz) < 0.05)
    match = next((k for k in same if k.power is not None), None)
    return one if match is None else replace(one, power=match.power)


def _battery(
    facts: PhoneFacts, relative: DeviceProfile | None, read: str, notes: list[str]
) -> Battery | None:
    if facts.battery_mah is not None:
        source = f"{read}: charge_full_design"
        return Battery(mah=facts.battery_mah, nominal_volts=NOMINAL_VOLTS, source=source)
    if relative is not None and relative.battery is not None:
        notes.append(f"battery: of '{relative.name}': the phone lets nobody read its own")
        return relative.battery
    notes.append("battery: not readable; add [battery] by hand for percent per hour")
    return None

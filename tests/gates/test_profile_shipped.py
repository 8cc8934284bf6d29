"""The shipped phones: enough of every tier, sourced, plausible, and of one mind about a chip."""

import itertools
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from weighin.gates.profile import HOST, DeviceProfile, Os, PowerKind, Tier, all_profiles

PROFILES = all_profiles()
PHONES = tuple(profile for profile in PROFILES if profile.name != HOST)

BY_NAME = pytest.mark.parametrize("phone", PHONES, ids=lambda phone: phone.name)


def raw(phone: DeviceProfile) -> dict[str, Any]:
    file = resources.files("weighin.gates") / "profiles" / f"{phone.name}.toml"
    return tomllib.loads(file.read_text("utf-8"))


def tables_without_source(table: dict[str, Any], at: str) -> Iterator[str]:
    """Tables that hold figures and do not say whose; runs are sourced by the table around them."""
    if "published" not in table and not str(table.get("source", "")).strip():
        yield at
    for key, value in table.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict) and key != "mean_ms":
                yield from tables_without_source(item, f"{at}.{key}")


def test_there_are_ten_phones_of_every_kind() -> None:
    tiers = Counter(phone.tier for phone in PHONES)
    assert len(PHONES) >= 30
    assert tiers[Tier.HIGH] >= 10
    assert tiers[Tier.MID] >= 10
    assert tiers[Tier.LOW] + tiers[Tier.OLD] >= 10
    assert {phone.os for phone in PHONES} == {Os.ANDROID, Os.IOS}


def test_titles_and_codenames_are_unique() -> None:
    assert len({phone.title for phone in PROFILES}) == len(PROFILES)
    codenames = [phone.codename for phone in PHONES if phone.codename]
    assert len(set(codenames)) == len(codenames)


@BY_NAME
def test_every_table_of_a_phone_names_its_source(phone: DeviceProfile) -> None:
    assert list(tables_without_source(raw(phone), phone.name)) == []


def test_a_table_without_a_source_is_noticed() -> None:
    table = {"source": "a", "battery": {"mah": 1}, "clusters": [{"source": "b", "power": {}}]}
    assert list(tables_without_source(table, "x")) == ["x.battery", "x.clusters.power"]


@BY_NAME
def test_the_figures_of_a_phone_are_those_of_a_phone(phone: DeviceProfile) -> None:
    cores = sum(cluster.count for cluster in phone.clusters)
    assert 2013 <= phone.year <= 2026
    assert cores in {2, 4, 6, 8, 9, 10}
    assert all(1.0 <= cluster.max_ghz <= 4.5 for cluster in phone.clusters)
    assert phone.memory is not None
    assert 1024 <= phone.memory.ram_mib <= 16_384
    assert phone.battery is not None
    assert 1500 <= phone.battery.mah <= 6100
    assert 3.7 <= phone.battery.nominal_volts <= 3.9
    assert phone.os_release is None or 6 <= phone.os_release <= 18


@BY_NAME
def test_power_of_a_phone_rises_with_the_clock_or_its_note_says_that_it_does_not(
    phone: DeviceProfile,
) -> None:
    for power in (cluster.power for cluster in phone.clusters if cluster.power):
        falls = any(a.mw > b.mw for a, b in itertools.pairwise(power.steps))
        assert falls is ("does not rise everywhere" in (power.note or ""))
        assert power.steps[-1].mw >= 0.95 * max(step.mw for step in power.steps)
        assert all(4 <= step.mw <= 4000 for step in power.steps)


@BY_NAME
def test_the_kind_of_power_is_what_its_source_is(phone: DeviceProfile) -> None:
    for power in (cluster.power for cluster in phone.clusters if cluster.power):
        of_freqbench = power.source.startswith("kdrag0n/freqbench")
        assert of_freqbench is (power.kind is PowerKind.MEASURED)
        assert of_freqbench or power.source.startswith("power_profile.xml")


def test_phones_with_the_same_chip_have_the_same_cores_and_extensions() -> None:
    by_chip = defaultdict(set)
    for phone in PHONES:
        cores = tuple((c.core, c.called, c.count, c.isa) for c in phone.clusters)
        by_chip[phone.soc_id].add((phone.soc, cores))
    assert {soc: len(kinds) for soc, kinds in by_chip.items() if len(kinds) > 1} == {}


def test_most_phones_have_measured_power() -> None:
    measured = [p for p in PHONES if (w := p.active_mw(1)) and w.kind is PowerKind.MEASURED]
    assert len(measured) >= 30

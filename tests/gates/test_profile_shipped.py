"""The shipped phones: enough of every tier, sourced, plausible, and of one mind about a chip."""

import csv
import itertools
import re
import statistics
import tomllib
from collections import Counter, defaultdict
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
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


Runs = dict[tuple[str, str], dict[str, dict[float, float]]]


@pytest.fixture(scope="module")
def freqbench(shared_dir: Path) -> Runs:
    """Milliwatts by chip and run, cluster and clock; what it could not read is left out."""
    runs: Runs = defaultdict(lambda: defaultdict(dict))
    with (shared_dir / "devices" / "freqbench_cpu_power.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            ghz, mw = int(row["Frequency (kHz)"]) / 1e6, float(row["Power (mW)"])
            if mw >= 1:
                runs[row["soc_dir"], row["run"]][row["CPU"]][ghz] = mw
    return runs


def test_measured_power_is_what_freqbench_published(freqbench: Runs) -> None:
    checked = 0
    for phone in PHONES:
        for power in (cluster.power for cluster in phone.clusters if cluster.power):
            named = re.match(r"kdrag0n/freqbench results/([^/ ]+)/?(\S*) ", power.source)
            if named is None:
                continue
            published = freqbench[named[1], named[2]].values()
            steps = [(round(s.ghz, 4), s.mw) for s in power.steps]
            assert any(
                set(steps) <= {(round(ghz, 4), round(mw, 1)) for ghz, mw in rows.items()}
                for rows in published
            ), f"{phone.name}: {power.source}"
            checked += 1
    assert checked >= 80


def test_chips_that_were_measured_more_than_once_show_how_far_power_repeats(
    freqbench: Runs,
) -> None:
    """At the highest clock that all runs of a chip have; docs/devices.md says it."""
    by_chip: dict[str, list[dict[float, float]]] = defaultdict(list)
    for (chip, _), clusters in freqbench.items():
        by_chip[chip].append(max(clusters.values(), key=max))
    spread = []
    for runs in by_chip.values():
        top = max(set.intersection(*(set(run) for run in runs)))
        if len(runs) > 1:
            spread.append(max(run[top] for run in runs) / min(run[top] for run in runs))
    assert (len(spread), round(statistics.median(spread), 2)) == (17, 1.08)
    assert round(max(spread), 2) == 1.79

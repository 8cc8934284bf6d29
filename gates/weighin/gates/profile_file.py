"""From the text of a profile file to its record, or one line that says what is wrong with it.

Strict on purpose: an unknown key is an error (``ram`` is not ``ram_mib``, and a figure without a
unit is no figure), and so is a number out of the range that a phone can have (2840 is no clock in
GHz). What this module does not do: it finds no files; see :mod:`weighin.gates.profile`.
"""

import itertools
import re
import tomllib
from collections.abc import Iterable

from weighin.gates.core_design import CORE_DESIGNS, ISA_FLAGS
from weighin.gates.cost import Arithmetic
from weighin.gates.errors import ConfigError
from weighin.gates.profile_record import (
    RUNTIMES,
    Anchor,
    Battery,
    Calibration,
    Cluster,
    ClusterPower,
    DeviceProfile,
    Memory,
    Os,
    PowerKind,
    PowerStep,
    Tier,
)
from weighin.gates.toml_table import Table, near_names, number_of

MOST_CORES = 16

_NAME = re.compile(r"[a-z0-9]+([-_.][a-z0-9]+)*")
_SOC_ID = re.compile(r"[a-z0-9][a-z0-9_-]*")
_FACTS = ("title", "os", "tier", "soc", "source")
_PHONE_FACTS = ("codename", "os_release", "year", "soc_id")
_TABLES = ("clusters", "memory", "battery", "calibrations")
_TAKEN = frozenset({"default", "other"})


def check_name(name: str) -> str:
    """The name itself, if a profile may be called so.

    Raises:
        ConfigError: it may not; the message says what a name looks like.
    """
    if not _NAME.fullmatch(name) or name in _TAKEN:
        raise ConfigError(
            f"'{name}' is no name for a device profile; it takes lower-case letters, digits, "
            f"'-', '_' and '.', such as 'pixel-4', and is not {' or '.join(sorted(_TAKEN))}"
        )
    return name


def parse_profile(name: str, text: str) -> DeviceProfile:
    """A profile from the text of its TOML file.

    Raises:
        ConfigError: the text is not a profile; the message names the key and what is allowed.
    """
    check_name(name)
    try:
        return _profile(name, Table(tomllib.loads(text)))
    except (ValueError, TypeError) as error:
        raise ConfigError(f"profile {name}: {error}") from error


def _profile(name: str, table: Table) -> DeviceProfile:
    os, tier = table.one_of("os", Os), table.one_of("tier", Tier)
    if (os is Os.HOST) != (tier is Tier.HOST):
        raise ValueError(f"os '{os}' and tier '{tier}' do not go together; 'host' is both or none")
    phone = os is not Os.HOST
    table.only(*_FACTS, *(_PHONE_FACTS if phone else ()), *_TABLES)
    return DeviceProfile(
        name=name,
        title=table.text("title"),
        codename=table.text_if("codename"),
        os=os,
        os_release=table.whole("os_release", 1, 99) if "os_release" in table.values else None,
        tier=tier,
        year=table.whole("year", 2007, 2099) if phone else 0,
        soc=table.text("soc"),
        soc_id=_soc_id(table) if phone else "",
        source=table.text("source"),
        clusters=_clusters(table),
        memory=_memory(table.table("memory")) if "memory" in table.values else None,
        battery=_battery(table.table("battery")) if "battery" in table.values else None,
        calibrations=tuple(_calibration(one) for one in table.tables("calibrations")),
    )


def _soc_id(table: Table) -> str:
    value = table.text("soc_id")
    if not _SOC_ID.fullmatch(value):
        raise ValueError(f"soc_id must be one lower-case word such as 'sm8150', not '{value}'")
    return value


def _clusters(table: Table) -> tuple[Cluster, ...]:
    clusters = tuple(_cluster(one) for one in table.tables("clusters"))
    cores = sum(cluster.count for cluster in clusters)
    if cores > MOST_CORES:
        raise ValueError(f"clusters have {cores} cores together; at most {MOST_CORES} are allowed")
    clocks = [cluster.max_ghz for cluster in clusters]
    if clocks != sorted(clocks, reverse=True):
        raise ValueError(f"clusters must be fastest first, not max_ghz = {clocks}")
    return clusters


def _cluster(table: Table) -> Cluster:
    table.only("core", "called", "count", "max_ghz", "isa", "source", "power")
    core = table.text("core")
    if core not in CORE_DESIGNS:
        raise ValueError(
            f"{table.key('core')}: unknown core '{core}'{near_names(core, CORE_DESIGNS)}"
        )
    max_ghz = table.number("max_ghz", 0.1, 10)
    return Cluster(
        core=core,
        called=table.text_if("called"),
        count=table.whole("count", 1, MOST_CORES),
        max_ghz=max_ghz,
        isa=_isa(table, core),
        source=table.text("source"),
        power=_power(table.table("power"), max_ghz) if "power" in table.values else None,
    )


def _isa(table: Table, core: str) -> tuple[str, ...]:
    flags, key = table.get("isa"), table.key("isa")
    if not isinstance(flags, list):
        raise TypeError(f"{key} must be a list, not {flags!r}")
    for flag in flags:
        if flag not in ISA_FLAGS:
            raise ValueError(f"{key}: unknown extension {flag!r}{near_names(str(flag), ISA_FLAGS)}")
        if flag not in CORE_DESIGNS[core].most_isa:
            has = ", ".join(CORE_DESIGNS[core].most_isa) or "none of them"
            raise ValueError(f"{key}: no {core} has {flag}; allowed for it: {has}")
    if len(set(flags)) < len(flags):
        raise ValueError(f"{key} names an extension twice")
    return tuple(flags)


def _power(table: Table, max_ghz: float) -> ClusterPower:
    table.only("kind", "steps", "source", "note")
    steps, key = table.get("steps"), table.key("steps")
    if not isinstance(steps, list) or not steps:
        raise ValueError(f"{key} must be pairs of GHz and mW such as [[0.7, 55.1], [2.84, 1310]]")
    pairs = tuple(_step(step, f"{key}[{k}]") for k, step in enumerate(steps))
    if any(a.ghz >= b.ghz for a, b in itertools.pairwise(pairs)):
        raise ValueError(f"{key} must be in ascending order of GHz, each clock once")
    if pairs[-1].ghz > max_ghz * 1.02:  # tables round the clock that the cluster states
        raise ValueError(f"{key} end at {pairs[-1].ghz:g} GHz, above max_ghz = {max_ghz:g}")
    return ClusterPower(
        kind=table.one_of("kind", PowerKind),
        steps=pairs,
        source=table.text("source"),
        note=table.text_if("note"),
    )


def _step(pair: object, key: str) -> PowerStep:
    if not isinstance(pair, list) or len(pair) != 2:
        raise ValueError(f"{key} must be a pair of GHz and mW, not {pair!r}")
    ghz, mw = (
        number_of(pair[0], f"{key} GHz", 0.1, 10),
        number_of(pair[1], f"{key} mW", 0.1, 20_000),
    )
    return PowerStep(ghz=ghz, mw=mw)


def _memory(table: Table) -> Memory:
    table.only("ram_mib", "source")
    return Memory(ram_mib=table.whole("ram_mib", 128, 1_048_576), source=table.text("source"))


def _battery(table: Table) -> Battery:
    table.only("mah", "nominal_volts", "source")
    return Battery(
        mah=table.number("mah", 100, 100_000),
        nominal_volts=table.number("nominal_volts", 1, 20),
        source=table.text("source"),
    )


def _calibration(table: Table) -> Calibration:
    table.only("runtime", "arithmetic", "threads", "kernels", "published")
    return Calibration(
        runtime=_runtime(table),
        arithmetic=table.one_of("arithmetic", Arithmetic),
        threads=table.whole("threads", 1, MOST_CORES),
        kernels=table.text("kernels"),
        anchors=tuple(a for one in table.tables("published") for a in _anchors(one)),
    )


def _runtime(table: Table) -> str:
    value = table.text("runtime")
    if value not in RUNTIMES:
        raise ValueError(f"{table.key('runtime')}: unknown '{value}'{near_names(value, RUNTIMES)}")
    return value


def _anchors(table: Table) -> Iterable[Anchor]:
    table.only("source", "mean_ms")
    source, runs = table.text("source"), table.table("mean_ms")
    for model in runs.values:
        yield Anchor(model=model, mean_ms=runs.number(model, 1e-6, 1e7), source=source)

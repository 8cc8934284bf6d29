"""What is known about a phone: facts, and the published measurements that calibrate it.

A profile is one TOML file under ``profiles/``; every table in it names its source. A phone
without published measurements for a runtime and an arithmetic gets no number for them.

What this module does not do: it predicts nothing, and it measures nothing.
"""

import difflib
import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from typing import Any

from weighin.gates.cost import Arithmetic
from weighin.gates.errors import ConfigError
from weighin.gates.variant import Format

HOST = "host"
"""The profile of the machine that weighin runs on: measured, never predicted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Cores of one kind.

    Attributes:
        core: Core design.
        count: How many of them.
        max_ghz: Highest clock.
        isa: Instruction set extensions that matter to kernels: ``dotprod``, ``fp16``, ``i8mm``.
        active_mw: Measured power of one busy core at its highest clock; ``None`` if nobody
            published it.
        source: Where the figures come from.
    """

    core: str
    count: int
    max_ghz: float
    isa: tuple[str, ...]
    active_mw: float | None
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """What the phone's battery holds; the voltage is the usual nominal one, an assumption."""

    mah: float
    nominal_volts: float
    source: str

    @property
    def joules(self) -> float:
        """Energy of a full battery."""
        return self.mah * 3.6 * self.nominal_volts


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How much memory the phone has."""

    ram_mib: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Somebody's published mean latency of a known network on this phone."""

    model: str
    mean_ms: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What ties a cost model to this phone, for one runtime, arithmetic and thread count.

    Attributes:
        runtime: Runtime family whose files the number speaks of.
        arithmetic: ``float32`` or ``int8``.
        threads: Threads of the published runs. Runs with other thread counts are not mixed in.
        kernels: ``before_xnnpack`` or ``xnnpack``: which CPU kernels the published runs used.
        scale: Milliseconds per cost unit, fitted to the anchors.
        anchors: The published runs.
    """

    runtime: Format
    arithmetic: Arithmetic
    threads: int
    kernels: str
    scale: float
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One phone, or the host.

    Attributes:
        name: How ``weighin.toml`` calls it.
        title: How people call it.
        tier: ``high``, ``mid`` or ``low`` in its year, ``old``, or ``host``.
        year: Year of release; 0 for the host.
        soc: System on chip.
        source: Where title, tier, year and SoC come from.
        clusters: Cores, fastest first.
        memory: Its memory, if known.
        battery: Its battery, if known.
        calibrations: What its predictions rest on; empty where nothing was published.
    """

    name: str
    title: str
    tier: str
    year: int
    soc: str
    source: str
    clusters: tuple[Cluster, ...] = ()
    memory: Memory | None = None
    battery: Battery | None = None
    calibrations: tuple[Calibration, ...] = ()

    def calibration(self, runtime: Format, arithmetic: Arithmetic) -> Calibration | None:
        """The published runs for this runtime and arithmetic, if there are any."""
        fitting = (
            c for c in self.calibrations if c.runtime is runtime and c.arithmetic is arithmetic
        )
        return next(fitting, None)

    def active_mw(self, threads: int) -> float | None:
        """Power of the ``threads`` most powerful cores, all busy; ``None`` if not measured."""
        powers = [cluster.active_mw for cluster in self.clusters for _ in range(cluster.count)]
        known = sorted((p for p in powers if p is not None), reverse=True)
        return sum(known[:threads]) if known and len(known) == len(powers) >= threads else None


def profile_names() -> tuple[str, ...]:
    """Names of the shipped profiles, sorted."""
    folder = resources.files("weighin.gates") / "profiles"
    files = (entry.name for entry in folder.iterdir())
    return tuple(sorted(name.removesuffix(".toml") for name in files if name.endswith(".toml")))


def load_profile(name: str) -> DeviceProfile:
    """The shipped profile called ``name``.

    Raises:
        ConfigError: there is no such profile; the message lists the ones there are.
    """
    names = profile_names()
    if name not in names:
        close = difflib.get_close_matches(name, names, n=2)
        hint = f"; did you mean {' or '.join(close)}?" if close else ""
        raise ConfigError(f"no device profile '{name}'{hint} Allowed: {', '.join(names)}")
    text = (resources.files("weighin.gates") / "profiles" / f"{name}.toml").read_text("utf-8")
    return parse_profile(name, text)


def parse_profile(name: str, text: str) -> DeviceProfile:
    """A profile from the text of its TOML file.

    Raises:
        ConfigError: the text is not a profile; the message names the key.
    """
    try:
        raw = tomllib.loads(text)
        return DeviceProfile(
            name=name,
            title=_text(raw, "title"),
            tier=_text(raw, "tier"),
            year=int(raw["year"]),
            soc=_text(raw, "soc"),
            source=_text(raw, "source"),
            clusters=tuple(_cluster(t) for t in raw.get("clusters", ())),
            memory=_memory(raw["memory"]) if "memory" in raw else None,
            battery=_battery(raw["battery"]) if "battery" in raw else None,
            calibrations=tuple(_calibration(t) for t in raw.get("calibrations", ())),
        )
    except KeyError as error:
        raise ConfigError(f"profile {name}: key {error} is missing") from error
    except (ValueError, TypeError) as error:
        raise ConfigError(f"profile {name}: {error}") from error


def _text(table: Mapping[str, Any], key: str) -> str:
    value = table[key]
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} must be text, not {value!r}")
    return value


def _positive(table: Mapping[str, Any], key: str) -> float:
    value = float(table[key])
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{key} must be a positive number, not {value}")
    return value


def _cluster(table: Mapping[str, Any]) -> Cluster:
    return Cluster(
        core=_text(table, "core"),
        count=int(_positive(table, "count")),
        max_ghz=_positive(table, "max_ghz"),
        isa=tuple(str(flag) for flag in table["isa"]),
        active_mw=_positive(table, "active_mw") if "active_mw" in table else None,
        source=_text(table, "source"),
    )


def _memory(table: Mapping[str, Any]) -> Memory:
    return Memory(ram_mib=int(_positive(table, "ram_mib")), source=_text(table, "source"))


def _battery(table: Mapping[str, Any]) -> Battery:
    return Battery(
        mah=_positive(table, "mah"),
        nominal_volts=_positive(table, "nominal_volts"),
        source=_text(table, "source"),
    )


def _calibration(table: Mapping[str, Any]) -> Calibration:
    anchors = (
        Anchor(model=str(model), mean_ms=_positive({"mean_ms": ms}, "mean_ms"), source=source)
        for published in table["published"]
        for source in [_text(published, "source")]
        for model, ms in published["mean_ms"].items()
    )
    return Calibration(
        runtime=Format(_text(table, "runtime")),
        arithmetic=Arithmetic(_text(table, "arithmetic")),
        threads=int(_positive(table, "threads")),
        kernels=_text(table, "kernels"),
        scale=_positive(table, "scale"),
        anchors=tuple(anchors),
    )

"""Device profiles in words: a table of many, one with its sources, two side by side. Pure."""

import itertools
import textwrap
from collections.abc import Iterator, Sequence

from weighin.gates.cost import Arithmetic
from weighin.gates.profile_record import (
    HOST,
    Calibration,
    Cluster,
    ClusterPower,
    DeviceProfile,
    Power,
    PowerKind,
)

WIDTH = 100
_HEAD = ("name", "device", "tier", "year", "ram", "soc", "power", "latency from")
_TITLE = 1
_POWER_WORDS = {PowerKind.MEASURED: "measured", PowerKind.POWER_PROFILE: "vendor's table"}
_SHORT = {PowerKind.MEASURED: "measured", PowerKind.POWER_PROFILE: "vendor's"}


def table(profiles: Sequence[DeviceProfile]) -> Iterator[str]:
    """One line per profile, titles cut to fit :data:`WIDTH`."""
    rows = [_HEAD, *(_row(profile) for profile in profiles)]
    widths = [max(len(row[k]) for row in rows) for k in range(len(_HEAD))]
    too_wide = sum(widths) + len(widths) - 1 - WIDTH
    widths[_TITLE] = max(len(_HEAD[_TITLE]), widths[_TITLE] - max(too_wide, 0))
    for row in rows:
        cells = (_fit(cell, width) for cell, width in zip(row, widths, strict=True))
        yield " ".join(cells).rstrip()


def shown(profile: DeviceProfile) -> Iterator[str]:
    """All of one profile, each figure with its source."""
    yield f"{profile.name}: {profile.title}, {profile.soc}, {_class_words(profile)}"
    yield f"  source: {profile.source}"
    for cluster in profile.clusters:
        yield f"  {_cores(cluster)}"
        yield f"    source: {cluster.source}"
        if cluster.power:
            yield f"    {_cluster_power(cluster.power)}"
            if cluster.power.note:
                yield f"    note: {cluster.power.note}"
            yield f"    source: {cluster.power.source}"
    if profile.memory:
        yield f"  memory {profile.memory.ram_mib} MiB"
        yield f"    source: {profile.memory.source}"
    if profile.battery:
        yield f"  battery {profile.battery.mah:.0f} mAh, {profile.battery.nominal_volts} V nominal"
        yield f"    source: {profile.battery.source}"
    for calibration in profile.calibrations:
        yield f"  latency of {_calibration(calibration)}"
        for source in dict.fromkeys(anchor.source for anchor in calibration.anchors):
            yield f"    source: {source}"


def differences(one: DeviceProfile, other: DeviceProfile) -> tuple[tuple[str, str, str], ...]:
    """``(fact, what one says, what the other says)`` where they do not say the same."""
    mine, others = dict(_facts(one)), dict(_facts(other))
    labels = [*mine, *(label for label in others if label not in mine)]
    both = ((label, mine.get(label, "-"), others.get(label, "-")) for label in labels)
    return tuple(row for row in both if row[1] != row[2])


def side_by_side(one: DeviceProfile, other: DeviceProfile) -> Iterator[str]:
    """The differences as a table of three columns, no line longer than :data:`WIDTH`."""
    rows = differences(one, other)
    first = max((len(label) for label, _, _ in rows), default=0)
    room = (WIDTH - first - 4) // 2
    for label, mine, others in (("", one.name, other.name), *rows):
        cells = ([label], textwrap.wrap(mine, room), textwrap.wrap(others, room))
        for a, b, c in itertools.zip_longest(*cells, fillvalue=""):
            yield f"{a:<{first}}  {b:<{room}}  {c}".rstrip()


def _row(profile: DeviceProfile) -> tuple[str, ...]:
    power = profile.active_mw(1)
    here = profile.name == HOST
    return (
        profile.name,
        profile.title,
        profile.tier.value,
        str(profile.year or ""),
        str(profile.memory.ram_mib if profile.memory else ""),
        profile.soc_id,
        "" if here else _SHORT[power.kind] if power else "-",
        "measured here" if here else _runs(profile) or "-",
    )


def _runs(profile: DeviceProfile) -> str:
    """Runtimes with published runs, and in which arithmetic: ``litert fp32 int8``."""
    runtimes = dict.fromkeys(c.runtime for c in profile.calibrations)
    return ", ".join(
        " ".join((runtime, *dict.fromkeys(_BRIEF[c.arithmetic] for c in of_one)))
        for runtime in runtimes
        for of_one in [[c for c in profile.calibrations if c.runtime == runtime]]
    )


_BRIEF = {arithmetic: arithmetic.value for arithmetic in Arithmetic} | {
    Arithmetic.FLOAT32: "fp32",
    Arithmetic.FLOAT16: "fp16",
}


def _fit(text: str, width: int) -> str:
    return f"{text:<{width}}" if len(text) <= width else f"{text[: width - 1]}…"


def _facts(profile: DeviceProfile) -> Iterator[tuple[str, str]]:
    """Every fact by its label, in the order of a profile file."""
    yield "device", profile.title
    yield "class", _class_words(profile)
    yield "SoC", f"{profile.soc} ({profile.soc_id})" if profile.soc_id else profile.soc
    for number, cluster in enumerate(profile.clusters, start=1):
        yield f"cores {number}", _cores(cluster)
        yield f"power {number}", _cluster_power(cluster.power) if cluster.power else "not known"
    for threads in (1, 4) if profile.clusters else ():
        yield f"{threads} busy", _power(profile.active_mw(threads))
    if profile.memory:
        yield "memory", f"{profile.memory.ram_mib} MiB"
    if profile.battery:
        kj = profile.battery.joules / 1e3
        yield "battery", f"{profile.battery.mah:.0f} mAh, {kj:.1f} kJ"
    for one in profile.calibrations:
        yield f"{one.runtime} {one.arithmetic}", _rests_on(one)


def _class_words(profile: DeviceProfile) -> str:
    if profile.name == HOST:
        return "measured, never predicted"
    release = f" {profile.os_release}" if profile.os_release else ""
    return f"{profile.tier}, {profile.year}, {profile.os}{release}"


def _cores(cluster: Cluster) -> str:
    called = f" ({cluster.called})" if cluster.called else ""
    isa = " ".join(cluster.isa) or "no extensions"
    return f"{cluster.count} x {cluster.core}{called} at {cluster.max_ghz:g} GHz, {isa}"


def _cluster_power(power: ClusterPower) -> str:
    low, high = power.steps[0], power.steps[-1]
    many = f"{low.mw:.0f} mW at {low.ghz:.2f} GHz to " if len(power.steps) > 1 else ""
    return f"{many}{high.mw:.0f} mW at {high.ghz:.2f} GHz a busy core, {_POWER_WORDS[power.kind]}"


def _power(power: Power | None) -> str:
    return f"{power.mw:.0f} mW, {_POWER_WORDS[power.kind]}" if power else "power not known"


def _calibration(one: Calibration) -> str:
    return f"{one.runtime} {one.arithmetic}, {_rests_on(one)}"


def _rests_on(one: Calibration) -> str:
    return f"threads: {one.threads}, published runs: {len(one.anchors)}"

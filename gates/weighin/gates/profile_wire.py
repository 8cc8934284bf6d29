"""From a profile's record to the text of its file.

Law: ``parse_profile(profile.name, render_profile(profile)) == profile`` for every profile that a
file can hold. What this module does not do: it keeps no comments, and it writes no file.
"""

import json
from collections.abc import Iterable

from weighin.gates.profile_record import (
    Anchor,
    Battery,
    Calibration,
    Cluster,
    ClusterPower,
    DeviceProfile,
    Memory,
)

_STEPS_A_LINE = 6


def render_profile(profile: DeviceProfile) -> str:
    """The text of the profile's TOML file."""
    blocks = [
        _facts(profile),
        *(_cluster(cluster) for cluster in profile.clusters),
        *((_memory(profile.memory),) if profile.memory else ()),
        *((_battery(profile.battery),) if profile.battery else ()),
        *(_calibration(calibration) for calibration in profile.calibrations),
    ]
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def _facts(profile: DeviceProfile) -> Iterable[str]:
    yield f"title = {_text(profile.title)}"
    yield from _optional("codename", profile.codename)
    yield f"os = {_text(profile.os)}"
    if profile.os_release is not None:
        yield f"os_release = {profile.os_release}"
    yield f"tier = {_text(profile.tier)}"
    if profile.year:
        yield f"year = {profile.year}"
    yield f"soc = {_text(profile.soc)}"
    if profile.soc_id:
        yield f"soc_id = {_text(profile.soc_id)}"
    yield f"source = {_text(profile.source)}"


def _cluster(cluster: Cluster) -> Iterable[str]:
    yield "[[clusters]]"
    yield f"core = {_text(cluster.core)}"
    yield from _optional("called", cluster.called)
    yield f"count = {cluster.count}"
    yield f"max_ghz = {cluster.max_ghz!r}"
    yield f"isa = [{', '.join(_text(flag) for flag in cluster.isa)}]"
    yield f"source = {_text(cluster.source)}"
    if cluster.power:
        yield from _power(cluster.power)


def _power(power: ClusterPower) -> Iterable[str]:
    yield "[clusters.power]"
    yield f"kind = {_text(power.kind)}"
    yield "steps = ["
    steps = [f"[{step.ghz!r}, {step.mw!r}]," for step in power.steps]
    for start in range(0, len(steps), _STEPS_A_LINE):
        yield f"  {' '.join(steps[start : start + _STEPS_A_LINE])}"
    yield "]"
    yield from _optional("note", power.note)
    yield f"source = {_text(power.source)}"


def _memory(memory: Memory) -> Iterable[str]:
    yield "[memory]"
    yield f"ram_mib = {memory.ram_mib}"
    yield f"source = {_text(memory.source)}"


def _battery(battery: Battery) -> Iterable[str]:
    yield "[battery]"
    yield f"mah = {battery.mah!r}"
    yield f"nominal_volts = {battery.nominal_volts!r}"
    yield f"source = {_text(battery.source)}"


def _calibration(calibration: Calibration) -> Iterable[str]:
    yield "[[calibrations]]"
    yield f"runtime = {_text(calibration.runtime)}"
    yield f"arithmetic = {_text(calibration.arithmetic)}"
    yield f"threads = {calibration.threads}"
    yield f"kernels = {_text(calibration.kernels)}"
    for run in _runs(calibration.anchors):
        yield "\n[[calibrations.published]]"
        yield f"source = {_text(run[0].source)}"
        yield "\n[calibrations.published.mean_ms]"
        yield from (f"{_text(anchor.model)} = {anchor.mean_ms!r}" for anchor in run)


def _runs(anchors: Iterable[Anchor]) -> Iterable[list[Anchor]]:
    """Anchors that stand in one table: of one source, each model once, in their order."""
    run: list[Anchor] = []
    for anchor in anchors:
        same = run and run[0].source == anchor.source
        if not same or anchor.model in {one.model for one in run}:
            if run:
                yield run
            run = []
        run.append(anchor)
    if run:
        yield run


def _optional(key: str, value: str | None) -> Iterable[str]:
    if value is not None:
        yield f"{key} = {_text(value)}"


def _text(value: str) -> str:
    """A basic string of TOML: JSON's, except that TOML refuses a bare DEL."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

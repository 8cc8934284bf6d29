"""From files and phones to readings: each file runs once per core, not once per phone.

    sample -> this machine's outputs -> per core: trust, ARM outputs -> per phone: a reading

Whatever stands in the way (no setup, no trust, no core, no ARM runtime, a crash) becomes an
``Unreadable`` with its reason, which no judge can read as PASS or FAIL. What this module does not
do: it sets nothing up, and it judges nothing.
"""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.arm.cores import Core, Fit, NoCore, core_of
from weighin.gates.arm.disagreement import arm_disagreement
from weighin.gates.arm.half_floats import half_floats
from weighin.gates.arm.machine import (
    REMEDY,
    Machine,
    NotReady,
    interpreter,
    make_view,
    open_machine,
)
from weighin.gates.arm.trust import Trusted, Untrusted, prove
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Bench, Candidate, HostSettings, Raw, Tick, all_rows, unfit
from weighin.gates.devices.children import predict
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp, runtime_of
from weighin.gates.metric import Metric
from weighin.gates.profile import DeviceProfile
from weighin.gates.variant import Format

Array = NDArray[Any]

SAMPLED_ROWS = 64
"""No disagreement on 64 rows says: at most 4.6 %, with 95 % confidence."""

_METRIC = Metric.ARM_DISAGREEMENT_PERCENT
_NO_RUNTIME: Mapping[Format, str] = {
    Format.EXECUTORCH: "no ExecuTorch runtime is emulated; weigh this file on a phone",
    Format.COREML: Format.COREML.runs_elsewhere,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Emulation:
    """What one core said: whether it is trusted, and the files' outputs."""

    trust: Trusted | Untrusted
    outputs: Raw[Path] = field(default_factory=lambda: Raw[Path]())


def arm_readings(
    candidates: Sequence[Candidate],
    devices: Sequence[DeviceProfile],
    evaluation: Path,
    machine: Machine | NotReady,
    workdir: Path,
    limits: Limits,
    now: datetime,
    settings: HostSettings,
    tick: Tick = lambda what: None,
) -> dict[tuple[str, str], Reading]:
    """One reading per file and device.

    Args:
        candidates: The files, with unique labels.
        devices: The phones; those with the same instruction set share their runs.
        evaluation: .npz with ``x`` [n, ...]; the first :data:`SAMPLED_ROWS` in a seeded order are
            run.
        machine: The emulated machine, or why there is none.
        workdir: A folder of ours; what is in it is forgotten.
        limits: What a child may use; the time is per file, and emulation takes about a hundred
            times as long as this machine.
        now: The time that readings carry, timezone-aware.
        settings: Threads, children at a time, seed of the order, confidence.
        tick: Told of everything that was run.

    Returns:
        By label and device name. ``Unreadable`` with its reason where there is no number.
    """
    reasons = {one.label: why for one in candidates if (why := _objection(one, machine))}
    able = [one for one in candidates if one.label not in reasons]
    fits = {device.name: core_of(device) for device in devices}
    wanted = tuple(dict.fromkeys(fit.core for fit in fits.values() if isinstance(fit, Fit)))
    here, emulations = Raw[Path](), dict[Core, _Emulation]()
    if isinstance(machine, Machine) and able and wanted:
        shutil.rmtree(workdir, ignore_errors=True)
        bench = _bench(evaluation, workdir, limits, settings, tick)
        here = _outputs(replace(bench, workdir=workdir / "here"), able)
        emulations = {core: _emulate(machine, core, able, bench) for core in wanted}
        reasons |= {one.label: why for one in able if (why := unfit(one) or _changed(machine))}

    def reading(one: Candidate, fit: Fit | NoCore, device: str) -> Reading:
        if isinstance(fit, NoCore):
            return Unreadable(metric=_METRIC, reason=fit.reason)
        why = reasons.get(one.label) or _beyond(one, fit)
        if why:
            return Unreadable(metric=_METRIC, reason=why)
        stamp = _stamp(one, device, now)
        return _reading(one, emulations[fit.core], here, stamp, settings.confidence)

    return {
        (one.label, device): reading(one, fit, device)
        for one in candidates
        for device, fit in fits.items()
    }


def sample_rows(evaluation: Path, path: Path, seed: int, count: int = SAMPLED_ROWS) -> Path:
    """Write the first ``count`` rows in a seeded order as the ``x`` of an .npz, and name it."""
    with np.load(evaluation, allow_pickle=False) as archive:
        rows = archive["x"]
    order = np.random.default_rng(seed).permutation(len(rows))[:count]
    np.savez(path, x=rows[order])
    return path


def prove_core(
    machine: Machine, core: Core, formats: Sequence[Format], bench: Bench
) -> Trusted | Untrusted:
    """Make the core's view of a machine below ``bench.workdir``, and let it prove itself there."""
    make_view(machine, core, bench.workdir / "view")
    return prove(machine, core, formats, bench)


def _objection(one: Candidate, machine: Machine | NotReady) -> str | None:
    """Why a file cannot be run, whatever the phone."""
    if one.format in _NO_RUNTIME:
        return _NO_RUNTIME[one.format]
    if isinstance(machine, NotReady):
        return machine.reason
    why = unfit(one)
    if why is not None:
        return why
    runtime, ours = runtime_of(one.format), one.format.runtime_package
    there = f"{ours} {dict(machine.runtimes).get(ours, 'missing')}"
    if there != runtime:
        return f"the emulated machine has {there}, this one {runtime}; {REMEDY}"
    return None


def _beyond(one: Candidate, fit: Fit) -> str | None:
    """Why the core does not stand for the phone where this file is concerned."""
    if not fit.missing:
        return None
    why = half_floats(one.path, one.format)
    if why is None:
        return None
    return f"the phone computes half floats, the emulated core ({fit.core.cpu}) none, and {why}"


def _bench(
    evaluation: Path, workdir: Path, limits: Limits, settings: HostSettings, tick: Tick
) -> Bench:
    workdir.mkdir(parents=True)
    rows = sample_rows(evaluation, workdir / "rows.npz", settings.seed)
    return Bench(
        workdir=workdir, evaluation=rows, inputs=rows, limits=limits, settings=settings, tick=tick
    )


def _emulate(
    machine: Machine, core: Core, candidates: Sequence[Candidate], bench: Bench
) -> _Emulation:
    """Run the files on a core, if the emulator proves itself there first.

    Files are untrusted code, and they ran on another core before: so it is looked at again.
    """
    changed = _changed(machine)
    if changed is not None:
        return _Emulation(trust=Untrusted(core=core, reason=changed))
    own = replace(bench, workdir=bench.workdir / core.cpu.partition(",")[0])
    trust = prove_core(machine, core, [one.format for one in candidates], own)
    if isinstance(trust, Untrusted):
        return _Emulation(trust=trust)
    start = interpreter(machine, core, own.workdir / "view")
    return _Emulation(trust=trust, outputs=_outputs(replace(own, interpreter=start), candidates))


def _changed(machine: Machine) -> str | None:
    """Why the machine is no longer what was set up."""
    found = open_machine(machine.folder)
    return found.reason if isinstance(found, NotReady) else None


def _outputs(bench: Bench, candidates: Sequence[Candidate]) -> Raw[Path]:
    together, rows = Raw[Path](), all_rows(bench)
    by_runtime: dict[str, list[Candidate]] = {}
    for one in candidates:
        by_runtime.setdefault(one.format.runtime_package, []).append(one)
    for name, group in by_runtime.items():
        for raw in predict(replace(bench, workdir=bench.workdir / name), group, rows, "all"):
            together.found.update(raw.found)
            together.crashed.update(raw.crashed)
    return together


def _reading(
    one: Candidate, emulation: _Emulation, here: Raw[Path], stamp: Stamp, confidence: float
) -> Reading:
    if isinstance(emulation.trust, Untrusted):
        return Unreadable(metric=_METRIC, reason=emulation.trust.reason)
    ours, theirs = _load(one, here, "on this machine"), _load(one, emulation.outputs, "on ARM")
    if isinstance(ours, str):
        return Unreadable(metric=_METRIC, reason=ours)
    if isinstance(theirs, str):
        return Unreadable(metric=_METRIC, reason=theirs)
    return arm_disagreement(theirs, ours, stamp, emulation.trust, confidence)


def _stamp(one: Candidate, device: str, now: datetime) -> Stamp:
    runtime = runtime_of(one.format)
    return Stamp(artifact_sha256=one.sha256, runtime=runtime, device=device, measured_at=now)


def _load(one: Candidate, raw: Raw[Path], where: str) -> Array | str:
    """Outputs of a file, or why there are none."""
    if one.label in raw.crashed or one.label not in raw.found:
        return f"it could not be run {where}: {raw.crashed.get(one.label, 'it was left out')}"
    try:
        outputs: Array = np.load(raw.found[one.label], allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        return f"its outputs {where} cannot be read: {error}"
    return outputs

"""Measures models on one phone, one after the other: each becomes a run as soon as it is finished.

What this module does not do: it keeps no file and asks nobody; its caller decides which models,
where runs go and what is shown.
"""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from weighin.gates.cost import ModelCost, read_cost
from weighin.gates.devices.phone.bench import Asked, Rig
from weighin.gates.devices.phone.cores import fastest_mask
from weighin.gates.devices.phone.energy import NOT_ASKED, measure_energy
from weighin.gates.devices.phone.facts import PhoneFacts
from weighin.gates.devices.phone.health import Pause, conditions
from weighin.gates.devices.phone.latency import Latency, measure_latency
from weighin.gates.devices.phone.link import Link
from weighin.gates.devices.phone.memory import measure_memory
from weighin.gates.devices.phone.rows import COMPARED_ROWS, RowsAsked, measure_disagreement
from weighin.gates.devices.phone.rows import NOT_ASKED as NO_ROWS
from weighin.gates.devices.phone.stage import stage_model, stage_tool, tidy, unstage
from weighin.gates.devices.phone.tools import Tool, check_abi
from weighin.gates.devices.phone_run import Figure, Missing, PhoneRun
from weighin.gates.digest import sha256_of
from weighin.gates.errors import ConfigError, SourceError
from weighin.gates.variant import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFile:
    """A model to measure.

    Attributes:
        path: The file.
        format: What runs it.
        sha256: Its digest.
    """

    path: Path
    format: Format
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What is measured on one phone.

    Attributes:
        device: Name of the phone's profile.
        facts: What the phone says of itself.
        tool: What measures.
        models: In this order.
        reference: The float model that each is interleaved with, if there is one.
        asked: How.
        rows: What the phone's outputs are compared on with this machine's, if they are.
    """

    device: str
    facts: PhoneFacts
    tool: Tool
    models: tuple[ModelFile, ...]
    reference: ModelFile | None
    asked: Asked
    rows: RowsAsked | None = None


def open_model(path: Path) -> ModelFile:
    """A model file, by its ending.

    Raises:
        ConfigError: there is no file, or no tool measures such files on phones.
    """
    if not path.is_file():
        raise ConfigError(f"no file {path}")
    formats = {Format.LITERT.suffix: Format.LITERT, Format.ONNX.suffix: Format.ONNX}
    if path.suffix not in formats:
        raise ConfigError(f"{path}: only {' and '.join(formats)} are measured on phones")
    return ModelFile(path=path, format=formats[path.suffix], sha256=sha256_of(path))


def measure(
    link: Link,
    job: Job,
    tick: Callable[[str], None],
    pause: Pause = time.sleep,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[PhoneRun]:
    """Measure every model of a job.

    Raises:
        PhoneError: the phone refuses, or is in no state to be measured.
        PhoneGone: it went away and did not come back; what was yielded is whole.
    """
    check_abi(job.tool, job.facts.abis, link.serial)
    rig = Rig(
        link=link,
        tool=job.tool,
        program="",
        mask="",
        asked=job.asked,
        pause=pause,
        clock=time.monotonic,
        tick=tick,
    )
    tick("push the tool")
    program = rig.patiently(lambda: stage_tool(link, job.tool))
    rig = replace(rig, program=program, mask=rig.patiently(lambda: _mask(link, job)))
    for number, model in enumerate(job.models, start=1):
        which = f"{model.path.name} ({number} of {len(job.models)}): "
        yield _run(replace(rig, tick=_about(which, tick)), job, model, now)
    rig.patiently(lambda: tidy(link))


def _about(which: str, tick: Callable[[str], None]) -> Callable[[str], None]:
    return lambda what: tick(which + what)


def _mask(link: Link, job: Job) -> str:
    """The fastest cores as a hexadecimal mask; empty where there is no taskset, or no cores."""
    threads = job.asked.threads
    bits = fastest_mask(job.facts.policies, threads)
    return f"{bits:x}" if bits and link.run(f"taskset {bits:x} echo pinned").ok else ""


def _run(rig: Rig, job: Job, model: ModelFile, now: Callable[[], datetime]) -> PhoneRun:
    rig.tick("push the model")
    remote = rig.patiently(lambda: stage_model(rig.link, model.path, model.sha256))
    reference = _reference(rig, job, model)
    state = rig.patiently(lambda: conditions(rig.link))
    found = measure_latency(rig, remote, reference)
    memory, energy = _others(rig, remote, model, found)
    disagreement = _disagreement(rig, job, remote, model, found)
    if remote != reference:
        rig.patiently(lambda: unstage(rig.link, remote))
    run = _record(job, rig, model, found, memory, energy, state, now())
    rows = () if job.rows is None else ((COMPARED_ROWS, str(job.rows.count)),)
    told = (*run.conditions, *rows)
    return replace(run, disagreement_percent=disagreement, conditions=told)


def _disagreement(rig: Rig, job: Job, remote: str, model: ModelFile, found: Latency) -> Figure:
    """How the phone's classes differ, if that was asked for."""
    if job.rows is None:
        return NO_ROWS
    if isinstance(found.p90_ms, Missing):
        return Missing(reason=f"no latency: {found.p90_ms.reason}")
    rig.tick("compare outputs")
    return measure_disagreement(rig, remote, model.path, model.format, job.rows)


def _reference(rig: Rig, job: Job, model: ModelFile) -> str | None:
    """The float model on the phone; none beside itself, nor beside a model of another format."""
    reference = job.reference
    if reference is None or reference.format is not model.format:
        return None
    if reference.sha256 == model.sha256:
        return None
    return rig.patiently(lambda: stage_model(rig.link, reference.path, reference.sha256))


def _others(rig: Rig, remote: str, model: ModelFile, found: Latency) -> tuple[Figure, Figure]:
    """Memory and energy, where there is a latency: a model that crashes has none of them."""
    if isinstance(found.p90_ms, Missing):
        none = Missing(reason=f"no latency: {found.p90_ms.reason}")
        return none, none
    memory: Figure = Missing(reason="not asked for")
    if rig.asked.memory_processes:
        memory = measure_memory(rig, remote, model.path.stat().st_size, found.mean_ms)
    energy: Figure = NOT_ASKED
    if rig.asked.energy:
        energy = measure_energy(rig, remote)
    return memory, energy


def _record(
    job: Job,
    rig: Rig,
    model: ModelFile,
    found: Latency,
    memory: Figure,
    energy: Figure,
    state: tuple[tuple[str, str], ...],
    measured_at: datetime,
) -> PhoneRun:
    cost = _cost(model)
    itself = job.reference is not None and job.reference.sha256 == model.sha256
    with_reference = isinstance(found.ratio, Missing) is False and job.reference is not None
    return PhoneRun(
        measured_at=measured_at,
        serial_sha256=job.facts.serial_sha256,
        device=job.device,
        artifact_sha256=model.sha256,
        title=model.path.name,
        format=model.format,
        runtime_version=job.tool.version,
        tool_sha256=job.tool.sha256,
        arithmetics=cost.arithmetics if cost else (),
        operators=tuple(name for name, _ in cost.counts) if cost else (),
        terms=cost.terms if cost and not cost.unsized else None,
        threads=job.asked.threads,
        cores=rig.mask,
        delegate=job.asked.delegate,
        partitions=found.partitions,
        latency_ms=found.p90_ms,
        p50_ms=found.p50_ms,
        mean_ms=found.mean_ms,
        n=found.n,
        processes=found.processes,
        confidence=job.asked.confidence,
        ratio=Missing(reason="it is the float reference") if itself else found.ratio,
        reference_sha256=job.reference.sha256 if with_reference and job.reference else "",
        memory_mib=memory,
        energy_mj=energy,
        disagreement_percent=NO_ROWS,
        thermal_before=found.before,
        thermal_after=found.after,
        conditions=(*state, *found.conditions),
        simulated=job.facts.simulated,
        quantiles=found.quantiles,
    )


def _cost(model: ModelFile) -> ModelCost | None:
    try:
        return read_cost(model.path, model.format)
    except SourceError:
        return None

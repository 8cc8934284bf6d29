"""One measurement of one model on one phone, and how it is written: a line of JSON each.

``devices/NAME.runs.jsonl`` keeps them beside the phone's profile. The law, held by a property
test: reading back what was written gives an equal record. A damaged line is an error that names
it; a last line that was never finished (a crash, a full disk) is cut off, and said.

What this module does not do: it opens no file and believes nothing; see
:mod:`weighin.gates.devices.phone.evidence` for what a gate takes from a run.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import datetime

from weighin.gates import wire
from weighin.gates.cost import Arithmetic, Terms
from weighin.gates.devices.phone.tool_output import Partition
from weighin.gates.quantiles import Quantiles
from weighin.gates.stats import Interval
from weighin.gates.variant import Format

SCHEMA = "weighin/phone-run/v1"
SUFFIX = ".runs.jsonl"
"""Of the file beside a profile that holds the runs of that phone."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """There is no figure, and this is why."""

    reason: str


Figure = Interval | Missing
"""A figure with its interval, or the reason why there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneRun:
    """What was measured of one model on one phone.

    Attributes:
        measured_at: When it ended, by this machine's clock, UTC.
        serial_sha256: Digest of the phone's serial number, never the number itself.
        device: Name of the phone's profile.
        artifact_sha256: The file that was measured.
        title: What the file is called; for people.
        format: Which runtime family ran it.
        runtime_version: The runtime's version, as whoever built the tool says; empty if unknown.
        tool_sha256: The tool that was run.
        arithmetics: The kernels that the model's multiplying operators run.
        operators: Names of its operators, each once, sorted.
        terms: What the model costs, so that the run can calibrate the phone; ``None`` if it
            cannot be counted.
        threads: Threads of the runtime.
        cores: The cores it was pinned to, as a hexadecimal mask; empty if it was not.
        delegate: The delegate that was asked for; empty for the runtime's own default.
        partitions: What delegates took of the model.
        latency_ms: Its 90th percentile.
        p50_ms: Median of the runs; 0 without a latency, like the next three.
        mean_ms: Mean of the runs.
        n: Timed runs.
        processes: Processes that made them.
        confidence: How sure each end of an interval is, on its own side.
        ratio: Median latency as a share of the float reference's, in the same minutes.
        reference_sha256: The float reference; empty if there was none.
        memory_mib: Peak memory above that of the runtime itself.
        energy_mj: Energy of one inference above idling.
        disagreement_percent: Sampled rows that the phone sees at another class than this machine.
        thermal_before: Heat before the first run, in words.
        thermal_after: Heat after the last.
        conditions: Anything else a reader needs to repeat it.
        simulated: Whether the phone was a simulated one: then this is evidence of nothing.
        quantiles: How the runs' times in ms are spread, where the tool tells each.
    """

    measured_at: datetime
    serial_sha256: str
    device: str
    artifact_sha256: str
    title: str
    format: Format
    runtime_version: str
    tool_sha256: str
    arithmetics: tuple[Arithmetic, ...]
    operators: tuple[str, ...]
    terms: Terms | None
    threads: int
    cores: str
    delegate: str
    partitions: tuple[Partition, ...]
    latency_ms: Figure
    p50_ms: float
    mean_ms: float
    n: int
    processes: int
    confidence: float
    ratio: Figure
    reference_sha256: str
    memory_mib: Figure
    energy_mj: Figure
    disagreement_percent: Figure
    thermal_before: str
    thermal_after: str
    conditions: tuple[tuple[str, str], ...]
    simulated: bool
    quantiles: Quantiles = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunsFile:
    """What a file of runs holds.

    Attributes:
        runs: Every run, oldest first.
        whole_bytes: Length of the file up to the last finished line.
        cut_off: The unfinished last line; empty as a rule.
    """

    runs: tuple[PhoneRun, ...]
    whole_bytes: int
    cut_off: str = ""


def run_to_line(run: PhoneRun) -> str:
    """One line of JSON, with its newline.

    Raises:
        ValueError: it cannot be written (a time without a zone, a name given twice).
    """
    document: dict[str, object] = {
        "schema": SCHEMA,
        "measured_at": wire.time_to_json(run.measured_at),
        **{name: getattr(run, name) for name in _TEXTS},
        "format": run.format.value,
        "arithmetics": [one.value for one in run.arithmetics],
        "operators": list(run.operators),
        "terms": None if run.terms is None else _terms_to_json(run.terms),
        "partitions": [_partition_to_json(one) for one in run.partitions],
        **{name: _figure_to_json(getattr(run, name)) for name in _FIGURES},
        **{name: getattr(run, name) for name in (*_NUMBERS, *_WHOLES)},
        "conditions": wire.pairs_to_json(run.conditions),
        "simulated": run.simulated,
    }
    if run.quantiles:
        document["quantiles"] = [list(pair) for pair in run.quantiles]
    return json.dumps(document, allow_nan=False, ensure_ascii=False) + "\n"


_TEXTS = (
    *("serial_sha256", "device", "artifact_sha256", "title", "runtime_version", "tool_sha256"),
    *("cores", "delegate", "reference_sha256", "thermal_before", "thermal_after"),
)
_FIGURES = ("latency_ms", "ratio", "memory_mib", "energy_mj", "disagreement_percent")
_NUMBERS = ("p50_ms", "mean_ms", "confidence")
_WHOLES = ("threads", "n", "processes")


def run_from_json(document: object) -> PhoneRun:
    """Read what :func:`run_to_line` wrote, parsed.

    Raises:
        ValueError: a field is missing, unknown or wrong.
    """
    found = wire.object_of(document, "run")
    wire.only(found, "schema", *PhoneRun.__dataclass_fields__)
    if found.get("schema") != SCHEMA:
        raise ValueError(f"schema: {SCHEMA!r} is needed, not {found.get('schema')!r}")
    terms = found.get("terms")
    return PhoneRun(
        measured_at=wire.time_of(found, "measured_at"),
        serial_sha256=wire.text_of(found, "serial_sha256"),
        device=wire.text_of(found, "device"),
        artifact_sha256=wire.text_of(found, "artifact_sha256"),
        title=wire.text_of(found, "title"),
        format=Format(wire.text_of(found, "format")),
        runtime_version=wire.text_of(found, "runtime_version"),
        tool_sha256=wire.text_of(found, "tool_sha256"),
        arithmetics=tuple(Arithmetic(str(one)) for one in wire.list_of(found, "arithmetics")),
        operators=tuple(str(one) for one in wire.list_of(found, "operators")),
        terms=None if terms is None else _terms_from_json(terms),
        threads=wire.whole_of(found, "threads"),
        cores=wire.text_of(found, "cores"),
        delegate=wire.text_of(found, "delegate"),
        partitions=tuple(_partition_from_json(p) for p in wire.list_of(found, "partitions")),
        latency_ms=_figure_from_json(found, "latency_ms"),
        p50_ms=wire.number_of(found, "p50_ms"),
        mean_ms=wire.number_of(found, "mean_ms"),
        n=wire.whole_of(found, "n"),
        processes=wire.whole_of(found, "processes"),
        confidence=wire.number_of(found, "confidence"),
        ratio=_figure_from_json(found, "ratio"),
        reference_sha256=wire.text_of(found, "reference_sha256"),
        memory_mib=_figure_from_json(found, "memory_mib"),
        energy_mj=_figure_from_json(found, "energy_mj"),
        disagreement_percent=_figure_from_json(found, "disagreement_percent"),
        thermal_before=wire.text_of(found, "thermal_before"),
        thermal_after=wire.text_of(found, "thermal_after"),
        conditions=wire.pairs_of(found, "conditions"),
        simulated=_flag_of(found, "simulated"),
        quantiles=wire.quantiles_of(found, "quantiles"),
    )


def _flag_of(found: wire.JsonObject, name: str) -> bool:
    value = found.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: true or false is needed, not {value!r}")  # noqa: TRY004
    return value


def runs_from_bytes(content: bytes) -> RunsFile:
    """Read a file of runs.

    Raises:
        ValueError: a finished line is damaged; the message names the line.
    """
    end = content.rfind(b"\n") + 1
    lines = content[:end].split(b"\n")[:-1]
    cut_off = content[end:].decode(errors="replace")
    runs = tuple(_run_of_line(line, number) for number, line in enumerate(lines, start=1))
    return RunsFile(runs=runs, whole_bytes=end, cut_off=cut_off)


def runs_to_bytes(runs: Iterable[PhoneRun]) -> bytes:
    """A file of runs."""
    return "".join(run_to_line(run) for run in runs).encode()


def _run_of_line(line: bytes, number: int) -> PhoneRun:
    try:
        return run_from_json(json.loads(line))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"line {number}: {error}") from error


def _figure_to_json(figure: Figure) -> dict[str, object]:
    match figure:
        case Missing(reason=reason):
            return {"reason": reason}
        case Interval():
            return {"value": figure.value, "lower": figure.lower, "upper": figure.upper}


def _figure_from_json(outer: wire.JsonObject, name: str) -> Figure:
    found = wire.object_of(outer.get(name), name)
    if "reason" in found:
        wire.only(found, "reason")
        return Missing(reason=wire.text_of(found, "reason"))
    wire.only(found, "value", "lower", "upper")
    ends = {end: wire.number_of(found, end) for end in ("value", "lower", "upper")}
    if not 0 <= ends["lower"] <= ends["value"] <= ends["upper"]:
        raise ValueError(f"{name}: no interval: {ends}")
    return Interval(**ends)


def _terms_to_json(terms: Terms) -> dict[str, object]:
    return {field.name: getattr(terms, field.name) for field in fields(Terms)}


def _terms_from_json(document: object) -> Terms:
    found = wire.object_of(document, "terms")
    names = [field.name for field in fields(Terms)]
    wire.only(found, *names)
    return Terms(**{name: wire.whole_of(found, name) for name in names})


def _partition_to_json(one: Partition) -> dict[str, object]:
    return {field.name: getattr(one, field.name) for field in fields(Partition)}


def _partition_from_json(document: object) -> Partition:
    found = wire.object_of(document, "partition")
    wire.only(found, *Partition.__dataclass_fields__)
    return Partition(
        delegate=wire.text_of(found, "delegate"),
        nodes=wire.whole_of(found, "nodes"),
        of=None if found.get("of") is None else wire.whole_of(found, "of"),
        partitions=wire.whole_of(found, "partitions"),
    )

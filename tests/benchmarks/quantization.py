"""Quantized variants beside what other tools make of the same float files and calibration rows.

All files of a case are weighed in one run by the product's own meters: accuracy against the
registered model on the same rows, size, latency interleaved with float32 of the same format.
Calibration rows are 128 of the training data for everybody. Seconds of ours are those of a child
process from its start, for both formats together. Neural Compressor has no ONNX quantizer of its
own any more: its file is what PyTorch exports of its quantized module, with weights folded.
"""

import math
import os
import resource
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from cases import Case, make_case
from figures import Figure, present
from peers import STATIC, PeerFile, run_peers

from weighin.gates.child import Limits
from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.devices.host import measure_host
from weighin.gates.digest import sha256_of
from weighin.gates.measurement import Measurement, Reading
from weighin.gates.metric import Metric
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.recipe import Quantization, parse_recipe
from weighin.plugin.reference import keep_reference
from weighin.plugin.source import inspect_source
from weighin.plugin.source_run import SourceRun, run_source

LIMITS = Limits(wall_seconds=1800, memory_mib=12000)
INT8 = "int8"
CASES = ("resnet20", "spoken-teacher", "mnist-teacher")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One tool's file on one case.

    Attributes:
        case: Name of the model.
        tool: Who made it, and how.
        format: Of the file.
        drop: Accuracy lost against the registered model, points, with its interval.
        drop_interval: Its lower and upper end.
        size_bytes: Of the file.
        ratio: Latency relative to float32 of the same format, same session.
        seconds: Wall time that the tool took; 0 where it was not timed.
        peak_mib: Peak resident memory of the tool.
        failure: Why there is no file, or no number.
    """

    case: str
    tool: str
    format: Format
    drop: float = float("nan")
    drop_interval: tuple[float, float] = (float("nan"), float("nan"))
    size_bytes: int = 0
    ratio: float = float("nan")
    seconds: float = 0.0
    peak_mib: float = 0.0
    failure: str = ""

    @property
    def ours(self) -> bool:
        return self.tool.startswith("weighin")


def measure_case(name: str, folder: Path, recipes: Sequence[str]) -> list[Row]:
    """Build and weigh everything on one model."""
    case = make_case(name, folder)
    ours, files, reference, graph = _ours(case, folder, recipes)
    job = {
        "onnx": str(files["float32.onnx"]),
        "tflite": str(files["float32.tflite"]),
        "module": str(case.module or ""),
        "code": str(case.code),
        "calibration": str(case.calibration),
        "graph": str(graph),
    }
    theirs = run_peers(job, folder)
    rows = [*ours, *(_peer_row(name, made) for made in theirs)]
    files |= {_label(made): made.path for made in theirs if not made.failure}
    return _weighed(rows, files, case, reference, folder)


def _ours(
    case: Case, folder: Path, recipes: Sequence[str]
) -> tuple[list[Row], dict[str, Path], Path, Path]:
    """Our variants: the float files first, then every recipe timed by itself."""
    source = inspect_source(case.model)
    run = run_source(source, (case.evaluation,), case.calibration, folder / "build", LIMITS)
    if not isinstance(run, SourceRun):
        raise SystemExit(f"{case.name}: {run.reason}")
    if run.graph is None:
        raise SystemExit(f"{case.name}: the peers need the trainable form, and it has none")
    reference = keep_reference(run.outputs[0], case.evaluation, folder / "reference.npy", LIMITS)
    request = BuildRequest(
        source=source,
        recipes=(parse_recipe("float32"),),
        formats=(Format.LITERT, Format.ONNX),
        calibration=case.calibration,
        training=case.training,
        limits=LIMITS,
        workdir=folder / "build",
    )
    rows, files = [], {}
    for recipe in ("float32", *recipes):
        started = time.perf_counter()
        for made in build_variants(
            replace(request, recipes=(parse_recipe(recipe),)), lambda *_: None
        ):
            took = time.perf_counter() - started
            row = Row(case=case.name, tool=f"weighin {recipe}", format=made.format, seconds=took)
            if isinstance(made, BuildFailure):
                rows.append(replace(row, failure=made.reason))
                continue
            peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
            rows.append(replace(row, size_bytes=made.size_bytes, peak_mib=peak))
            files[f"{recipe}{made.format.suffix}"] = made.path
    return rows, files, reference.outputs, run.graph


def _peer_row(case: str, made: PeerFile) -> Row:
    size = 0 if made.failure else made.path.stat().st_size
    return Row(
        case=case,
        tool=made.tool,
        format=made.format,
        size_bytes=size,
        seconds=made.seconds,
        peak_mib=made.peak_mib,
        failure=made.failure,
    )


def _label(made: PeerFile) -> str:
    return f"{made.tool}{made.format.suffix}"


def _weighed(
    rows: list[Row], files: dict[str, Path], case: Case, reference: Path, folder: Path
) -> list[Row]:
    candidates = [
        Candidate(
            label=label,
            path=path,
            format=next(f for f in (Format.LITERT, Format.ONNX) if label.endswith(f.suffix)),
            sha256=sha256_of(path),
        )
        for label, path in files.items()
    ]
    found = measure_host(
        candidates,
        case.evaluation,
        reference,
        folder / "host",
        LIMITS,
        datetime.now(UTC),
        HostSettings(memory_processes=1, energy_repeats=1),
    )
    return [_filled(row, found) for row in rows]


def _filled(row: Row, found: dict[str, tuple[Reading, ...]]) -> Row:
    label = f"{row.tool.removeprefix('weighin ')}{row.format.suffix}"
    readings = {reading.metric: reading for reading in found.get(label, ())}
    drop = readings.get(Metric.ACCURACY_DROP_POINTS)
    if not isinstance(drop, Measurement):
        return replace(row, failure=row.failure or getattr(drop, "reason", "not measured"))
    latency = readings[Metric.LATENCY_P90_MS]
    ratio = dict(latency.conditions)["ratio_to_float32"] if isinstance(latency, Measurement) else ""
    return replace(
        row,
        drop=drop.value,
        drop_interval=(drop.lower, drop.upper),
        ratio=float(ratio) if ratio[:1].isdigit() else float("nan"),
    )


def figures(rows: Sequence[Row]) -> Iterator[Figure]:
    """The promises about quantization, worst case over the models where there are several."""
    cases = list(dict.fromkeys(row.case for row in rows))
    best = {case: _best_int8(rows, case) for case in cases}
    sizes = {case: _float_bytes(rows, case) for case in cases}
    drop = max(best.values(), key=lambda row: row.drop)
    yield Figure(
        name="int8_drop_points", value=drop.drop, goal=0.2, detail=f"worst of {_told(best, cases)}"
    )
    ratio = min(sizes[case] / best[case].size_bytes for case in cases)
    yield Figure(
        name="int8_size_ratio",
        value=ratio,
        goal=3.4,
        op=">=",
        detail="float32 over int8 of the same format, smallest of the models",
    )
    beaten = [
        f"{peer.tool} on {peer.case}"
        for peer in rows
        if peer.tool in STATIC and not peer.failure and _better_on_both(peer, best[peer.case])
    ]
    yield Figure(
        name="int8_peers_better_on_both",
        value=float(len(beaten)),
        goal=0,
        detail=f"{', '.join(beaten) or 'none'}; {_compared(rows)}",
        rows=tuple(_plain(row) for row in rows),
    )
    yield _smallest(rows)


def _plain(row: Row) -> dict[str, object]:
    """A row for JSON, without what is not known."""
    known = {name: value for name, value in asdict(row).items() if not _unknown(value)}
    return {name: value for name, value in known.items() if value != ""}


def _unknown(value: object) -> bool:
    parts = value if isinstance(value, tuple) else (value,)
    return any(isinstance(part, float) and math.isnan(part) for part in parts)


def _compared(rows: Sequence[Row]) -> str:
    """Which peers the comparison rests on.

    Raises:
        SystemExit: on none, so nothing was compared.
    """
    static = [row for row in rows if row.tool in STATIC]
    missing = [f"{row.tool} on {row.case}" for row in static if row.failure]
    if len(missing) == len(static):
        raise SystemExit("no peer gave a file that could be weighed, so none was compared")
    return f"{len(static) - len(missing)} files compared, without {', '.join(missing) or 'no one'}"


def _smallest(rows: Sequence[Row]) -> Figure:
    fitting = [r for r in rows if r.case == "resnet20" and not r.failure and r.drop <= 1.0]
    ours = min((r for r in fitting if r.ours), key=lambda r: r.size_bytes)
    theirs = min((r for r in fitting if not r.ours), key=lambda r: r.size_bytes)
    detail = (
        f"{ours.tool} {ours.format} {ours.size_bytes} bytes ({ours.drop:+.2f} points); "
        f"{theirs.tool} {theirs.size_bytes} bytes ({theirs.drop:+.2f})"
    )
    value = ours.size_bytes / theirs.size_bytes
    return Figure(name="smallest_bytes_vs_best_peer", value=value, goal=1.0, detail=detail)


def _better_on_both(peer: Row, ours: Row) -> bool:
    return peer.drop < ours.drop and peer.size_bytes < ours.size_bytes


def _best_int8(rows: Sequence[Row], case: str) -> Row:
    """Our static int8 file of this model: the smaller one of the formats."""
    found = [r for r in rows if r.case == case and r.tool == f"weighin {INT8}" and not r.failure]
    return min(found, key=lambda row: row.size_bytes)


def _float_bytes(rows: Sequence[Row], case: str) -> int:
    wanted = _best_int8(rows, case).format
    return next(
        r.size_bytes
        for r in rows
        if r.case == case and r.tool == "weighin float32" and r.format is wanted
    )


def _told(best: dict[str, Row], cases: Sequence[str]) -> str:
    return "; ".join(
        f"{case} {best[case].drop:+.2f} [{best[case].drop_interval[0]:.2f}, "
        f"{best[case].drop_interval[1]:.2f}]"
        for case in cases
    )


def table(rows: Sequence[Row]) -> str:
    """Everything that was measured, as Markdown."""
    lines = [
        "| model | tool | format | drop, points | 95 % | KB | latency / float32 | s | MiB |",
        "| --- | --- | --- | --: | --- | --: | --: | --: | --: |",
    ]
    for r in rows:
        if r.failure:
            lines.append(f"| {r.case} | {r.tool} | {r.format} | none: {r.failure[:90]} | | | | | |")
            continue
        low, high = r.drop_interval
        lines.append(
            f"| {r.case} | {r.tool} | {r.format} | {r.drop:+.2f} | {low:+.2f} to {high:+.2f} "
            f"| {r.size_bytes / 1000:.1f} | {r.ratio:.2f} | {r.seconds:.1f} | {r.peak_mib:.0f} |"
        )
    return "\n".join(lines) + "\n"


def measure_all(folder: Path) -> list[Row]:
    """Every case, with every quantization but one: LiteRT has no fast kernels for 16 bits."""
    recipes = [str(kind) for kind in Quantization if kind is not Quantization.INT8_A16]
    return [row for name in CASES for row in measure_case(name, folder / name, recipes)]


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="weighin-quantization-") as folder:
        rows = measure_all(Path(folder))
    if wanted := os.environ.get("WEIGHIN_BENCH_TABLE"):
        Path(wanted).write_text(table(rows), encoding="utf-8")
    elif "--json" not in sys.argv:
        print(table(rows))
    yield from figures(rows)


if __name__ == "__main__":
    present(measure, __doc__)

"""Reads tables of phone latencies: what prices are learned from and predictions are held against.

Three kinds, told apart by their columns: the published table of this project
(``phone_latency_published.csv``), ncnn's benchmark (``ncnn_bench_all.csv``, with the networks'
counts beside it in ``ncnn_model_features.csv``, or the shipped ones), and the runs that
``weighin device measure`` keeps (``NAME.runs.jsonl``). Rows of networks that cannot be counted
are listed, never dropped silently.

What this module does not do: it learns nothing, and the shipped product never needs these files.
"""

import csv
import gzip
import re
import statistics
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.coefficients import load_coefficients
from weighin.gates.devices.learn import Run
from weighin.gates.devices.phone.evidence import anchors_of
from weighin.gates.devices.phone.naming import is_simulated
from weighin.gates.devices.phone.runs_file import read_runs
from weighin.gates.devices.phone_run import SUFFIX
from weighin.gates.devices.prices import Anchor, amounts_of
from weighin.gates.devices.published import published_rows
from weighin.gates.errors import DataError

FEATURES = "ncnn_model_features.csv"
ITEM_BYTES = {Arithmetic.FLOAT32: 4, Arithmetic.FLOAT16: 2, Arithmetic.INT8: 1}
LITERT = "litert"

_NCNN = {"device_header", "model", "threads", "avg_ms", "gpu_device"}
_PUBLISHED = {"model", "dtype", "device", "threads", "latency_ms", "runtime", "unit"}
_COUNTS = ("macs_conv", "macs_pw", "macs_dw", "macs_fc", "act_in", "act_out", "params", "layers")
_FAMILIES = (
    (r"mobilenet$|mobilenet_ssd|mobilenet_yolo$", "mobilenet v1"),
    (r"mobilenet_v2|mobilenetv2|mnasnet|proxylessnasnet", "inverted residuals"),
    (r"mobilenet_v3", "mobilenet v3"),
    (r"efficientnet", "efficientnet"),
    (r"resnet", "resnet"),
    (r"squeezenet", "squeezenet"),
    (r"shufflenet|nanodet|fastestdet|yolo-fastestv2", "shufflenet"),
    (r"yolo-fastest", "yolo-fastest"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """The usable rows, by runtime, and what was left out and why.

    Attributes:
        runs: Runtime and run.
        left_out: One line per network that cannot be used.
        sources: Runtime, and whose rows they are.
        operators: Runtime, and an operator of a model that was measured.
    """

    runs: tuple[tuple[str, Run], ...]
    left_out: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]
    operators: tuple[tuple[str, str], ...] = ()

    def operators_of(self, runtime: str) -> tuple[str, ...]:
        """Operators of the models that were measured with one runtime, sorted."""
        return tuple(sorted({operator for name, operator in self.operators if name == runtime}))

    def sources_of(self, runtime: str) -> tuple[str, ...]:
        """Whose rows those of one runtime are."""
        return tuple(source for name, source in self.sources if name == runtime)

    def of(self, runtime: str, arithmetic: Arithmetic) -> tuple[Run, ...]:
        """The runs of one runtime and arithmetic."""
        return tuple(r for name, r in self.runs if name == runtime and r.arithmetic is arithmetic)


def read_tables(paths: Sequence[Path]) -> Table:
    """All rows of several tables; a folder stands for the tables in it.

    Raises:
        DataError: a file is missing, or is none of the known kinds.
    """
    found = [_read(file) for path in paths for file in _files(path)]
    return Table(
        runs=tuple(run for one in found for run in one.runs),
        left_out=tuple(dict.fromkeys(line for one in found for line in one.left_out)),
        sources=tuple(dict.fromkeys(source for one in found for source in one.sources)),
        operators=tuple(dict.fromkeys(named for one in found for named in one.operators)),
    )


def _files(path: Path) -> Iterable[Path]:
    if path.is_dir():
        wanted = ("phone_latency_published.csv", "ncnn_bench_all.csv*", "*.runs.jsonl")
        files = sorted(file for pattern in wanted for file in path.glob(pattern))
        if not files:
            raise DataError(f"{path}: holds no table of phone latencies ({', '.join(wanted)})")
        return files
    return [path]


def _read(path: Path) -> Table:
    if path.name.endswith(".jsonl"):
        return _own_runs(path)
    rows = _rows(path)
    columns = set(rows[0]) if rows else set()
    try:
        if columns >= _NCNN:
            return _ncnn(rows, _counted(path.parent / FEATURES))
        if columns >= _PUBLISHED:
            return _published(rows)
    except ValueError as error:
        raise DataError(f"{path}: {error}") from error
    raise DataError(
        f"{path}: its columns are of no known table; expected those of ncnn_bench_all.csv "
        f"({', '.join(sorted(_NCNN))}) or of phone_latency_published.csv "
        f"({', '.join(sorted(_PUBLISHED))})"
    )


def _rows(path: Path) -> list[dict[str, str]]:
    try:
        data = path.read_bytes()
        text = gzip.decompress(data) if path.suffix == ".gz" else data
        return list(csv.DictReader(text.decode("utf-8").splitlines()))
    except (OSError, UnicodeDecodeError, EOFError, zlib.error) as error:
        raise DataError(f"{path}: cannot be read: {error}") from error


def _published(rows: Sequence[Mapping[str, str]]) -> Table:
    published = published_rows(rows)
    runs = [
        Run(
            setup=f"{r.setup.device}, threads: {r.setup.threads}, {r.setup.kernels}",
            device=r.setup.device,
            family=r.family,
            arithmetic=r.arithmetic,
            anchor=Anchor(
                network=r.model,
                amounts=amounts_of(r.terms, ITEM_BYTES[r.arithmetic]),
                mean_ms=r.mean_ms,
            ),
        )
        for r in published.rows
    ]
    return Table(
        runs=tuple((LITERT, run) for run in runs),
        left_out=tuple(f"{name}: its layout is not known here" for name in published.left_out),
        sources=tuple(
            (LITERT, source) for source in dict.fromkeys(r.source for r in published.rows)
        ),
    )


_Amounts = Mapping[str, tuple[float, ...] | str]
"""What each network costs, or why that is not known."""


def _counted(path: Path) -> _Amounts:
    """The networks of a file of counts; of the shipped prices where no file lies beside the table.

    Raises:
        DataError: a count is no number.
    """
    if path.is_file():
        return {row["model"]: _amounts(row) for row in _rows(path)}
    shipped = load_coefficients("ncnn")
    learned = shipped.learned if shipped else ()
    return {network.name: network.amounts for _, one in learned for network in one.networks}


def _amounts(counts: Mapping[str, str]) -> tuple[float, ...] | str:
    return uncounted_work(counts) or amounts_of_counts(counts)


def _ncnn(rows: Sequence[Mapping[str, str]], counted: _Amounts) -> Table:
    """CPU rows; the median where one setup ran one network several times."""
    times: dict[tuple[str, int, str, str, str], list[float]] = {}
    left_out: list[str] = []
    for row in rows:
        mean_ms = float(row["avg_ms"] or 0)
        if not 0 <= mean_ms < 1e9:
            raise ValueError(f"avg_ms of {row['model']} must be a time, not {mean_ms}")
        if float(row["gpu_device"] or -1) != -1 or mean_ms == 0:
            continue  # a time of 0 says that the network did not run
        network = ncnn_name(row["model"])
        amounts = counted.get(network, "its operators were never counted")
        if isinstance(amounts, str):
            left_out.append(f"{network}: {amounts}")
            continue
        key = (row["device_header"], int(float(row["threads"])), row.get("powersave") or "")
        times.setdefault((*key, network, row.get("class") or "phone"), []).append(mean_ms)
    runs = [_ncnn_run(key, of_one, counted) for key, of_one in times.items()]
    return Table(
        runs=tuple(("ncnn", run) for run in runs if run is not None),
        left_out=tuple(dict.fromkeys(left_out)),
        sources=(("ncnn", "Tencent/ncnn benchmark README (BSD-3)"),),
    )


def _ncnn_run(
    key: tuple[str, int, str, str, str], times: Sequence[float], counted: _Amounts
) -> Run | None:
    device, threads, powersave, network, kind = key
    amounts = counted[network]
    if kind.startswith("x86") or isinstance(amounts, str):
        return None
    return Run(
        setup=f"{device}, threads: {threads}, powersave: {powersave}",
        device=device,
        family=ncnn_family(network),
        arithmetic=Arithmetic.INT8 if network.endswith("_int8") else Arithmetic.FLOAT32,
        anchor=Anchor(network=network, amounts=amounts, mean_ms=statistics.median(times)),
        phone=kind == "phone",
    )


def uncounted_work(counts: Mapping[str, str]) -> str | None:
    """What a row of counts holds that prices do not speak of; ``None`` if nothing."""
    if float(counts.get("macs_attn") or 0) > 0:
        return "no calibration for attention (products of two activations)"
    if float(counts.get("missing") or 0) > 0:
        return f"{counts['missing']} of its operators were not counted"
    return None


def amounts_of_counts(counts: Mapping[str, str]) -> tuple[float, ...]:
    """Amounts from a row with the columns of ``ncnn_model_features.csv``.

    Raises:
        DataError: a column is missing or holds no number.
    """
    value: dict[str, float] = {}
    for name in _COUNTS:
        try:
            value[name] = float(counts[name])
        except (KeyError, ValueError, TypeError) as error:
            raise DataError(f"column {name} must be a number: {error}") from error
        if not 0 <= value[name] < 1e15:
            raise DataError(f"column {name} must be zero or more, not {value[name]}")
    macs = [value[name] / 1e6 for name in _COUNTS[:4]]
    moved = (value["act_in"] + value["act_out"]) / 1e6
    return (*macs, moved, value["params"] / 1e6, value["layers"])


def ncnn_name(name: str) -> str:
    """One name for a network that ncnn's tables spelled in several ways over the years."""
    plain = name.replace("-int8", "_int8")
    plain = re.sub(r"^(mobilenet|squeezenet)-(ssd|yolo)", r"\1_\2", plain)
    return "mobilenetv2_yolov3" if plain == "mobilenet_yolov3" else plain


def ncnn_family(network: str) -> str:
    """Networks that share a design, and so the errors of a cost model."""
    plain = network.removesuffix("_int8").lower()
    return next((name for pattern, name in _FAMILIES if re.search(pattern, plain)), plain)


def _own_runs(path: Path) -> Table:
    """The runs of one phone that the user measured; newest per file, threads and delegate."""
    name = path.name.removesuffix(SUFFIX)
    if is_simulated(name):
        return Table(runs=(), left_out=(f"{name}: a simulated phone teaches nothing",), sources=())
    anchors = anchors_of(read_runs(path.parent, name).runs)
    runs: list[tuple[str, Run]] = []
    left_out: list[str] = []
    operators: list[tuple[str, str]] = []
    for one in anchors:
        arithmetic = one.arithmetics[0] if len(one.arithmetics) == 1 else None
        if arithmetic is None or arithmetic not in ITEM_BYTES or one.terms.rare_macs:
            left_out.append(f"{one.title}: its kernels or operators have no prices")
            continue
        run = Run(
            setup=f"{name}, threads: {one.threads}, {one.delegate or 'default'}",
            device=name,
            family=one.title,
            arithmetic=arithmetic,
            anchor=Anchor(
                network=one.artifact_sha256,
                amounts=amounts_of(one.terms, ITEM_BYTES[arithmetic]),
                mean_ms=one.mean_ms,
            ),
        )
        runs.append((one.runtime.value, run))
        operators += [(one.runtime.value, operator) for operator in one.operators]
    runtimes = dict.fromkeys(runtime for runtime, _ in runs)
    sources = tuple((runtime, f"measured on {name}") for runtime in runtimes)
    return Table(
        runs=tuple(runs),
        left_out=tuple(left_out),
        sources=sources,
        operators=tuple(operators),
    )

"""Rows of the published tables that the cost model can learn from.

Reads the folder of public phone measurements; the shipped product never does. A row of a
network whose layout is not written down in :mod:`weighin.gates.devices.networks` is listed as
left out, not dropped silently.
"""

import csv
import gzip
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.cost import Arithmetic, Terms
from weighin.gates.devices.networks import family_of, terms_of
from weighin.gates.errors import DataError

KERNELS = {"TFLite": "before_xnnpack", "XNNPACK end2end": "xnnpack"}
"""Runtime column of the table, and which kernels those runs used."""

NOISE_TABLE = "ncnn_bench_all.csv.gz"
"""The table whose runs were repeated."""

ITEM_BYTES = {Arithmetic.FLOAT32: 4, Arithmetic.INT8: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What one scale factor belongs to: never mixed across phones, threads or kernels."""

    device: str
    threads: int
    kernels: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One published mean latency with the terms of its network."""

    setup: Setup
    arithmetic: Arithmetic
    model: str
    family: str
    terms: Terms
    mean_ms: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Published:
    """The usable rows, and the models left out because their layout is not known here."""

    rows: tuple[Row, ...]
    left_out: tuple[str, ...]


def read_published(folder: Path) -> Published:
    """TFLite and XNNPACK CPU rows of ``phone_latency_published.csv``.

    Raises:
        DataError: the file is not there.
    """
    return published_rows(_table(folder / "phone_latency_published.csv"))


def published_rows(table: Iterable[Mapping[str, str]]) -> Published:
    """The same from the rows of such a table, wherever it is."""
    rows: list[Row] = []
    left_out: list[str] = []
    for raw in table:
        if raw["unit"] != "CPU" or raw["runtime"] not in KERNELS:
            continue
        row = _row(raw)
        if row is None:
            left_out.append(f"{raw['model']} ({raw['device']}, {raw['dtype']})")
        else:
            rows.append(row)
    return Published(rows=tuple(rows), left_out=tuple(left_out))


def _row(raw: Mapping[str, str]) -> Row | None:
    arithmetic = Arithmetic(raw["dtype"])
    terms = terms_of(raw["model"], ITEM_BYTES[arithmetic])
    if terms is None or not raw["threads"]:
        return None
    kernels, mean_ms = KERNELS[raw["runtime"]], float(raw["latency_ms"])
    if not 0 < mean_ms < 1e9:
        raise ValueError(f"latency_ms of {raw['model']} must be above zero, not {mean_ms}")
    return Row(
        setup=Setup(device=raw["device"], threads=int(float(raw["threads"])), kernels=kernels),
        arithmetic=arithmetic,
        model=raw["model"],
        family=family_of(raw["model"]),
        terms=terms,
        mean_ms=mean_ms,
        source=raw.get("source") or "not named",
    )


def maximum_over_mean(folder: Path) -> tuple[float, ...]:
    """Maximum over mean of every repeated CPU run on a phone in the ncnn tables, sorted.

    The p90 of a run lies below its maximum, so these bound p90 over mean from above.
    """
    ratios = (
        float(raw["max_ms"]) / float(raw["avg_ms"])
        for raw in _table(folder / NOISE_TABLE)
        if raw["class"] == "phone" and raw["gpu_device"] == "-1.0" and float(raw["avg_ms"]) > 0
    )
    return tuple(sorted(ratios))


def _table(path: Path) -> Iterator[dict[str, str]]:
    try:
        text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(f"{path}: not there; give the folder of phone measurements") from error
    return csv.DictReader(text.decode("utf-8").splitlines())

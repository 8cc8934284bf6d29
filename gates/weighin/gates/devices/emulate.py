"""From counted instructions to how long a phone takes: the ARM twin. Pure.

    counts of the file and of the published networks -> units -> milliseconds per unit of the phone

A unit is a million executed instructions, or so many cache lines that the innermost cache did not
hold, or so many operators whose end another thread waits for; how many is fitted to all published
runs (``emulate.toml``). The phone's own published runs, counted in the same way, say how long a
unit takes there. ``python -m weighin.gates.devices.emulate_fit FOLDER`` reproduces every figure.

What this module does not do: it counts nothing, and it extrapolates little. A file far larger or
smaller than every anchor, or an anchor without a count, gets a reason and no number.
"""

import csv
import math
import tomllib
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import resources

from weighin.gates.arm.counts import Count, parse_count
from weighin.gates.cost import Arithmetic
from weighin.gates.devices.latency import Latency
from weighin.gates.devices.networks import family_of, terms_of
from weighin.gates.profile import Calibration

COMMAND = "python -m weighin.gates.devices.emulate_fit ../shared/devices"

LEAST_ANCHORS = 2
_ANY_ITEM_BYTES = 4
"""Operators are as many, whatever their values are made of."""

BEYOND = 1.5
"""How far beyond the anchors' units a file may lie."""


def features(count: Count, operators: int, threads: int) -> tuple[float, float, float]:
    """What is priced.

    Args:
        count: One inference on one thread.
        operators: Of the file.
        threads: Of the runs to predict.

    Returns:
        Instructions in millions; lines that a cache of 32 KiB did not hold, in 100,000s; operators
        in tens, for each thread beyond the first.
    """
    waits = operators / 10 * (threads - 1)
    return count.instructions / 1e6, count.missed_32k / 1e5, waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """A published run in units.

    Attributes:
        family: Anchors of one family count together as one.
        units: What one inference costs.
        mean_ms: Published mean.
    """

    family: str
    units: float
    mean_ms: float


def ms_per_unit(anchors: Sequence[Anchor]) -> float:
    """How long a unit takes: the geometric mean over families of that over their anchors.

    Args:
        anchors: At least one.
    """
    crowd = Counter(anchor.family for anchor in anchors)
    logs = [math.log(a.mean_ms / a.units) / crowd[a.family] for a in anchors]
    return math.exp(sum(logs) / len(crowd))


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """Everything fitted.

    Attributes:
        line: Units of 100,000 cache lines.
        wait: Units of ten operators for each thread beyond the first.
        band_lower: 3rd percentile of actual over predicted, whole families held out.
        band_upper: 97th percentile.
        p90_over_mean: Published times are means; the p90 lies at most this much higher.
        counts: Counted networks by cpu, kernels, arithmetic and name.
        runtime: What they were counted with, such as ``ai-edge-litert 2.3.0``.
    """

    line: float
    wait: float
    band_lower: float
    band_upper: float
    p90_over_mean: float
    counts: Mapping["Network", Count]
    runtime: str

    def units(self, count: Count, operators: int, threads: int) -> float:
        """Cost of what was counted, on so many threads."""
        instructions, lines, waits = features(count, operators, threads)
        return instructions + self.line * lines + self.wait * waits


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """A counted network: on which core, with which kernels.

    Attributes:
        cpu: The emulated core.
        kernels: ``xnnpack`` or ``before_xnnpack``.
        arithmetic: ``float32`` or ``int8``.
        model: Name without the endings that say int8.
    """

    cpu: str
    kernels: str
    arithmetic: Arithmetic
    model: str


def plain_name(model: str) -> str:
    """A published name without the endings that say int8."""
    return model.removesuffix("_quant").removesuffix("_8bit")


def emulated_latency(
    twin: Twin, calibration: Calibration, cpu: str, count: Count, operators: int
) -> Latency | str:
    """Latency of what was counted on a phone's core, or why there is none.

    Args:
        twin: What was fitted, and the counted networks.
        calibration: The phone's published runs.
        cpu: The emulated core that stands for the phone's.
        count: One inference on that core with the kernels of the published runs.
        operators: Of the file.
    """
    anchors = _anchors(twin, calibration, cpu)
    if len(anchors) < LEAST_ANCHORS:
        kernels = calibration.kernels.replace("_", " ")
        return (
            f"{len(anchors)} of the phone's published networks ({kernels}, "
            f"{calibration.arithmetic}) were counted on {cpu}; {LEAST_ANCHORS} are needed"
        )
    units = twin.units(count, operators, calibration.threads)
    least, most = min(a.units for a in anchors), max(a.units for a in anchors)
    if not least / BEYOND <= units <= most * BEYOND:
        return (
            f"it costs {units:.3g} units, far from the phone's published networks "
            f"({least:.3g} to {most:.3g})"
        )
    mean_ms = ms_per_unit(anchors) * units
    return Latency(
        value_ms=mean_ms,
        lower_ms=mean_ms * twin.band_lower,
        upper_ms=mean_ms * twin.band_upper * twin.p90_over_mean,
        rule=f"{count.instructions / 1e6:.4g} M instructions counted on {cpu}, scaled by "
        f"{len(anchors)} anchors, band x{twin.band_lower} to x{twin.band_upper} (90 % of networks "
        "whose family was held out)",
    )


def _anchors(twin: Twin, calibration: Calibration, cpu: str) -> list[Anchor]:
    found = list[Anchor]()
    for run in calibration.anchors:
        network = Network(
            cpu=cpu,
            kernels=calibration.kernels,
            arithmetic=calibration.arithmetic,
            model=plain_name(run.model),
        )
        count, terms = twin.counts.get(network), terms_of(run.model, _ANY_ITEM_BYTES)
        if count is not None and terms is not None:
            units = twin.units(count, terms.layers, calibration.threads)
            found.append(Anchor(family=family_of(run.model), units=units, mean_ms=run.mean_ms))
    return found


def load_twin() -> Twin:
    """The shipped figures."""
    folder = resources.files("weighin.gates.devices")
    raw = tomllib.loads((folder / "emulate.toml").read_text(encoding="utf-8"))
    text = (folder / "arm_counts.csv").read_text(encoding="utf-8")
    runtime, counts = read_counts(text)
    return Twin(
        line=float(raw["line"]),
        wait=float(raw["wait"]),
        band_lower=float(raw["band"]["lower"]),
        band_upper=float(raw["band"]["upper"]),
        p90_over_mean=float(raw["p90_over_mean"]),
        counts=counts,
        runtime=runtime,
    )


def read_counts(text: str) -> tuple[str, dict[Network, Count]]:
    """The runtime and the counts in a table like ``arm_counts.csv``.

    Raises:
        ValueError: two runtimes are mixed in it, or a count is no number.
    """
    rows = list(csv.DictReader(text.splitlines()))
    runtimes = {row["runtime"] for row in rows}
    if len(runtimes) != 1:
        raise ValueError(f"counts of {len(runtimes)} runtimes in one table: {sorted(runtimes)}")
    counts = {
        Network(
            cpu=row["cpu"],
            kernels=row["kernels"],
            arithmetic=Arithmetic(row["arithmetic"]),
            model=row["model"],
        ): parse_count(row)
        for row in rows
    }
    return runtimes.pop(), counts

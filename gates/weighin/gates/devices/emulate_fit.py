"""Fits the ARM twin to the published tables, and measures its error on networks it never saw.

    python -m weighin.gates.devices.emulate_fit FOLDER

prints every figure that ``emulate.toml`` ships. The fit is deterministic: non-negative least
squares on relative errors, alternating with one scale per phone, threads and kernels. Rows of one
family in one setup count together as one, or the table with most MobileNets would decide all.

What this module does not do: it counts nothing. A published run whose network was not counted is
listed as left out.
"""

import itertools
import math
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.arm.counts import Count
from weighin.gates.cost import Arithmetic
from weighin.gates.devices.emulate import (
    Anchor,
    Network,
    features,
    load_twin,
    ms_per_unit,
    plain_name,
)
from weighin.gates.devices.published import Row, Setup, maximum_over_mean, read_published

_CPUS: Mapping[str, str] = {"Pixel 4": "cortex-a76"}
_OTHER_CPU = "cortex-a72"
"""Kryo, Cortex-A75 and Apple's Vortex: out of order, no dot products."""

_TAIL = 0.03
"""Bands made of few families are too narrow: tails of 3 % cover about 90 % of a family left out."""
_ROUNDS = 30

Weigh = Callable[["Counted"], tuple[float, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Counted:
    """A published run with the count of its network."""

    row: Row
    count: Count


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """What was predicted for a run without it and its family.

    Attributes:
        row: The run.
        predicted_ms: Its prediction.
    """

    row: Row
    predicted_ms: float

    @property
    def percent(self) -> float:
        """Absolute error."""
        return 100 * abs(self.predicted_ms / self.row.mean_ms - 1)

    @property
    def ratio(self) -> float:
        """Actual over predicted."""
        return self.row.mean_ms / self.predicted_ms


def by_count(run: Counted) -> tuple[float, ...]:
    """The twin: instructions, missed cache lines, waits of threads."""
    return features(run.count, run.row.terms.layers, run.row.setup.threads)


def by_instructions(run: Counted) -> tuple[float, ...]:
    """For comparison: instructions, whatever their kind."""
    return (run.count.instructions / 1e6,)


def by_cost(run: Counted) -> tuple[float, ...]:
    """For comparison: dense MACs, depthwise MACs, bytes moved (in millions), layers."""
    terms = run.row.terms
    dense = terms.macs - terms.depthwise_macs
    moved = terms.activation_bytes / 1e6
    return (dense / 1e6, terms.depthwise_macs / 1e6, moved, float(terms.layers))


def by_macs(run: Counted) -> tuple[float, ...]:
    """For comparison: MACs alone."""
    return (run.row.terms.macs / 1e6,)


def counted_rows(
    folder: Path, counts: Mapping[Network, Count]
) -> tuple[tuple[Counted, ...], tuple[str, ...]]:
    """The published runs whose networks were counted, and those left out.

    Raises:
        DataError: the published tables are not there.
    """
    found, left_out = list[Counted](), list[str]()
    for row in read_published(folder).rows:
        network = Network(
            cpu=_CPUS.get(row.setup.device, _OTHER_CPU),
            kernels=row.setup.kernels,
            arithmetic=row.arithmetic,
            model=plain_name(row.model),
        )
        count = counts.get(network)
        if count is None:
            left_out.append(f"{row.model} ({row.setup.device}, {row.arithmetic})")
        else:
            found.append(Counted(row=row, count=count))
    return tuple(found), tuple(left_out)


def prices_of(runs: Sequence[Counted], weigh: Weigh) -> tuple[float, ...]:
    """Prices shared by all setups; only their ratios mean anything."""
    import numpy as np
    from scipy.optimize import nnls

    keys = [_setup_of(run.row) for run in runs]
    setups = list(dict.fromkeys(keys))
    x, y = np.array([weigh(run) for run in runs]), np.array([run.row.mean_ms for run in runs])
    at = np.array([setups.index(key) for key in keys])
    crowd = Counter((key, run.row.family) for key, run in zip(keys, runs, strict=True))
    weight = [1 / crowd[key, run.row.family] for key, run in zip(keys, runs, strict=True)]
    root, scales = np.sqrt(weight), np.ones(len(setups))
    prices: Any = np.ones(x.shape[1])
    for _ in range(_ROUNDS):
        prices, _ = nnls(x * (root * scales[at] / y)[:, None], root)
        logs = np.log(y / (x @ prices))
        scales = np.exp(np.bincount(at, weight * logs) / np.bincount(at, weight))
    return tuple(float(price) for price in prices)


def with_two_anchors(runs: Sequence[Counted], weigh: Weigh) -> tuple[Miss, ...]:
    """A phone with two anchors, and networks of other families: see :func:`splits`.

    A test's prices are fitted without its phone and without its family on any phone.
    """
    prices = _Prices(runs, weigh)
    misses = list[Miss]()
    for anchors, tests in splits(runs):
        for test in tests:
            miss = _predict(test, anchors, prices.without(test.row, phone=True), weigh)
            misses += [] if miss is None else [miss]
    return tuple(misses)


def with_all_others(runs: Sequence[Counted], weigh: Weigh) -> tuple[Miss, ...]:
    """Every run from all other families of its setup; what bands are made of."""
    prices = _Prices(runs, weigh)
    misses = list[Miss]()
    for test in runs:
        setup, family = _setup_of(test.row), test.row.family
        anchors = [r for r in runs if _setup_of(r.row) == setup and r.row.family != family]
        if anchors:
            miss = _predict(test, anchors, prices.without(test.row, phone=False), weigh)
            misses += [] if miss is None else [miss]
    return tuple(misses)


class _Prices:
    """Prices fitted without a test's family, and without its phone if that is asked for."""

    def __init__(self, runs: Sequence[Counted], weigh: Weigh) -> None:
        self._runs, self._weigh = runs, weigh
        self._known = dict[tuple[object, ...], tuple[float, ...]]()

    def without(self, row: Row, *, phone: bool) -> tuple[float, ...]:
        """Empty if nothing is left to fit."""
        device = row.setup.device if phone else None
        alone = self._weigh is by_cost  # a value has four bytes or one: never mixed
        key = (row.family, device, row.arithmetic if alone else None)
        if key not in self._known:
            left = [
                run
                for run in self._runs
                if run.row.family != row.family and run.row.setup.device != device
                if not alone or run.row.arithmetic is row.arithmetic
            ]
            self._known[key] = prices_of(left, self._weigh) if left else ()
        return self._known[key]


def band(misses: Sequence[Miss]) -> tuple[float, float]:
    """3rd and 97th percentile of actual over predicted."""
    ratios = [miss.ratio for miss in misses]
    return quantile(ratios, _TAIL), quantile(ratios, 1 - _TAIL)


def coverage_percent(misses: Sequence[Miss]) -> float:
    """How often a band made without a family holds for its runs."""
    held = list[bool]()
    for family in dict.fromkeys(miss.row.family for miss in misses):
        lower, upper = band([miss for miss in misses if miss.row.family != family])
        held += [lower <= m.ratio <= upper for m in misses if m.row.family == family]
    return 100 * sum(held) / len(held)


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least a share ``q`` of ``values`` does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


_SetupOf = tuple[Setup, Arithmetic]


def _setup_of(row: Row) -> _SetupOf:
    return row.setup, row.arithmetic


def splits(runs: Sequence[Counted]) -> Iterator[tuple[list[Counted], list[Counted]]]:
    """Two anchors and the networks to test, for every setup and every one or two families of it.

    The anchors are the networks with the fewest and the most MACs among those families, the tests
    all networks of the setup's other families.
    """
    for setup in dict.fromkeys(_setup_of(run.row) for run in runs):
        there = [run for run in runs if _setup_of(run.row) == setup]
        families = sorted({run.row.family for run in there})
        for count in (1, 2):
            for chosen in itertools.combinations(families, count):
                inside = [run for run in there if run.row.family in chosen]
                tests = [run for run in there if run.row.family not in chosen]
                if len(inside) >= 2 and tests:
                    inside.sort(key=lambda run: run.row.terms.macs)
                    yield [inside[0], inside[-1]], tests


def _predict(
    test: Counted, anchors: Sequence[Counted], prices: tuple[float, ...], weigh: Weigh
) -> Miss | None:
    """The test's latency; ``None`` where prices do not say what it or an anchor costs."""

    def units(run: Counted) -> float:
        return sum(p * f for p, f in zip(prices, weigh(run), strict=False))

    costs = [units(run) for run in (test, *anchors)]
    if min(costs) <= 0:
        return None
    scale = ms_per_unit(
        [
            Anchor(family=run.row.family, units=cost, mean_ms=run.row.mean_ms)
            for run, cost in zip(anchors, costs[1:], strict=True)
        ]
    )
    return Miss(row=test.row, predicted_ms=scale * costs[0])


def summary(misses: Sequence[Miss]) -> str:
    """Number of predictions, median and 90th percentile of their errors."""
    errors = [miss.percent for miss in misses]
    return f"{quantile(errors, 0.5):5.1f} % / {quantile(errors, 0.9):5.1f} % ({len(errors)})"


def lines_of(what: str, misses: Sequence[Miss]) -> str:
    """Errors together, by kernels and by setup, as text."""
    lines = [f"{what} {summary(misses)}"]
    for words in (lambda row: row.setup.kernels, _setup_words):
        lines += [f"    {where}: {summary(part)}" for where, part in _grouped(misses, words)]
    return "\n".join(lines)


def report(folder: Path) -> str:
    """Every shipped figure, and every held-out error, as text.

    Raises:
        DataError: the published tables are not there.
    """
    twin = load_twin()
    runs, left_out = counted_rows(folder, twin.counts)
    prices = prices_of(runs, by_count)
    noise = quantile(maximum_over_mean(folder), 0.95)
    lines = [
        f"{len(runs)} published runs of networks counted with {twin.runtime}",
        f"line = {prices[1] / prices[0]:.3f}, wait = {prices[2] / prices[0]:.3f}",
        f"p90_over_mean = {noise:.3f}",
    ]
    others = with_all_others(runs, by_count)
    lower, upper = band(others)
    lines += [f"[band] {lower:.3f} to {upper:.3f}, coverage {coverage_percent(others):.1f} %"]
    for name, weigh in WEIGHERS.items():
        all_others = summary(with_all_others(runs, weigh))
        lines += [f"{name}: all others {all_others}"]
        lines += [lines_of(f"{name}: two anchors", with_two_anchors(runs, weigh))]
    return "\n".join([*lines, f"left out (not counted): {'; '.join(left_out) or 'none'}"])


WEIGHERS: Mapping[str, Weigh] = {
    "twin": by_count,
    "instructions alone": by_instructions,
    "cost model": by_cost,
    "MACs": by_macs,
}


def _setup_words(row: Row) -> str:
    setup = row.setup
    return f"{setup.device}, {setup.threads} threads, {setup.kernels}, {row.arithmetic}"


def _grouped(
    misses: Sequence[Miss], words: Callable[[Row], str]
) -> Iterator[tuple[str, list[Miss]]]:
    groups = dict[str, list[Miss]]()
    for miss in misses:
        groups.setdefault(words(miss.row), []).append(miss)
    yield from groups.items()


def main(arguments: Sequence[str]) -> int:
    """Print the report for the folder given as the only argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m weighin.gates.devices.emulate_fit FOLDER\n")
        return 2
    sys.stdout.write(report(Path(arguments[0])) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Fits the cost model to the published tables, and measures its error on held-out families.

    python -m weighin.gates.devices.fit FOLDER

prints every figure that ``litert.toml`` and the profiles ship, so that anybody with the tables
can check them. The fit is deterministic: non-negative least squares on relative errors,
alternating with one scale factor per phone, threads and kernels. Rows of one family in one
setup count together as one, or the table with most MobileNets would decide everything.
"""

import math
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.cost import Arithmetic, Terms
from weighin.gates.devices.latency import dominance_key
from weighin.gates.devices.published import Published, Row, Setup, maximum_over_mean, read_published

Features = Callable[[Terms], tuple[float, ...]]
_ROUNDS = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """Relative prices (the first that is not 0 is 1) and milliseconds per unit of each setup."""

    prices: tuple[float, ...]
    scales: tuple[tuple[Setup, float], ...]

    def predict_ms(self, setup: Setup, features: tuple[float, ...]) -> float:
        """Predicted mean latency."""
        units = sum(p * f for p, f in zip(self.prices, features, strict=True))
        return dict(self.scales)[setup] * units


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """Actual over predicted latency of a row whose whole family was left out of the fit."""

    row: Row
    ratio: float


def by_term(terms: Terms) -> tuple[float, ...]:
    """The shipped model: dense MACs, depthwise MACs, bytes moved (all in millions), layers."""
    dense = terms.macs - terms.depthwise_macs
    moved = terms.activation_bytes / 1e6
    return (dense / 1e6, terms.depthwise_macs / 1e6, moved, float(terms.layers))


def by_kind(terms: Terms) -> tuple[float, ...]:
    """For comparison: dense MACs split into convolution, pointwise and fully connected."""
    split = (terms.conv_macs, terms.pointwise_macs, terms.fully_connected_macs)
    return (*(m / 1e6 for m in split), *by_term(terms)[1:])


def by_macs(terms: Terms) -> tuple[float, ...]:
    """For comparison: MACs alone."""
    return (terms.macs / 1e6,)


def fit(rows: Sequence[Row], features: Features = by_term) -> Fitted:
    """Prices shared by all setups, and a scale for each."""
    import numpy as np
    from scipy.optimize import nnls

    setups = list(dict.fromkeys(row.setup for row in rows))
    x = np.array([features(row.terms) for row in rows])
    y = np.array([row.mean_ms for row in rows])
    at = np.array([setups.index(row.setup) for row in rows])
    crowd = Counter((row.setup, row.family) for row in rows)
    weight = np.array([1 / crowd[row.setup, row.family] for row in rows])
    root = np.sqrt(weight)
    scales: Any = np.ones(len(setups))
    prices: Any = np.ones(x.shape[1])
    for _ in range(_ROUNDS):
        prices, _ = nnls(x * (root * scales[at] / y)[:, None], root)
        logs = np.log(y / (x @ prices))
        scales = np.exp(np.bincount(at, weight * logs) / np.bincount(at, weight))
    unit = next(float(p) for p in prices if p > 0)
    return Fitted(
        prices=tuple(float(p) / unit for p in prices),
        scales=tuple((s, float(k) * unit) for s, k in zip(setups, scales, strict=True)),
    )


def hold_out_families(rows: Sequence[Row], features: Features = by_term) -> tuple[Residual, ...]:
    """Residuals of every row, fitted without any row of its family, scale included."""
    residuals: list[Residual] = []
    for family in dict.fromkeys(row.family for row in rows):
        fitted = fit([row for row in rows if row.family != family], features)
        scaled = dict(fitted.scales)
        residuals += [
            Residual(row=r, ratio=r.mean_ms / fitted.predict_ms(r.setup, features(r.terms)))
            for r in rows
            if r.family == family and r.setup in scaled
        ]
    return tuple(residuals)


def worst_dominance(rows: Sequence[Row]) -> tuple[int, float, str]:
    """How much longer a network took than one of another family that is larger in every term.

    Returns:
        Number of such pairs, the largest ratio, and the pair it belongs to.
    """
    pairs = [
        (a.mean_ms / b.mean_ms, f"{a.model} over {b.model} on {a.setup.device}")
        for a in rows
        for b in rows
        if (a.setup, a.arithmetic) == (b.setup, b.arithmetic) and a.family != b.family
        if all(p <= q for p, q in zip(dominance_key(a.terms), dominance_key(b.terms), strict=True))
    ]
    return len(pairs), *max(pairs)


def newest_over_older(rows: Sequence[Row], arithmetic: Arithmetic) -> tuple[float, ...]:
    """Latency with XNNPACK over latency before it: same phone, network and threads; sorted."""
    older = {
        (r.setup.device, r.setup.threads, r.model): r.mean_ms
        for r in rows
        if r.setup.kernels == "before_xnnpack" and r.arithmetic is arithmetic
    }
    newer = (r for r in rows if r.setup.kernels == "xnnpack" and r.arithmetic is arithmetic)
    keyed = ((r.mean_ms, (r.setup.device, r.setup.threads, r.model)) for r in newer)
    return tuple(sorted(ms / older[key] for ms, key in keyed if key in older))


def largest_shares(rows: Sequence[Row]) -> tuple[float, float]:
    """Largest share of depthwise and of fully connected MACs among the networks."""
    depthwise = max(r.terms.depthwise_macs / r.terms.macs for r in rows)
    return depthwise, max(r.terms.fully_connected_macs / r.terms.macs for r in rows)


def of(rows: Sequence[Row], arithmetic: Arithmetic) -> list[Row]:
    """The rows of one arithmetic."""
    return [row for row in rows if row.arithmetic is arithmetic]


def quantile(values: Sequence[float], q: float) -> float:
    """The smallest value that at least a share ``q`` of ``values`` does not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(q * len(ordered)) - 1)]


def _errors(residuals: Sequence[Residual]) -> str:
    absolute = [abs(1 / r.ratio - 1) for r in residuals]
    ratios = [r.ratio for r in residuals]
    return (
        f"held-out error median {quantile(absolute, 0.5):.1%}, p90 {quantile(absolute, 0.9):.1%}, "
        f"actual/predicted {min(ratios):.3f} to {max(ratios):.3f}"
    )


def report(folder: Path) -> str:
    """Every shipped figure, as text."""
    published: Published = read_published(folder)
    lines: list[str] = []
    for arithmetic in (Arithmetic.FLOAT32, Arithmetic.INT8):
        rows = of(published.rows, arithmetic)
        families = sorted({row.family for row in rows})
        fitted = fit(rows)
        lines += [f"[{arithmetic}] {len(rows)} rows, families: {', '.join(families)}"]
        lines += ["  prices: " + ", ".join(f"{p:.4f}" for p in fitted.prices)]
        lines += [
            "  shares: depthwise {:.4f}, fully connected {:.4f}".format(*largest_shares(rows))
        ]
        for name, features in (("shipped", by_term), ("by kind", by_kind), ("MACs", by_macs)):
            lines += [f"  {name}: {_errors(hold_out_families(rows, features))}"]
        lines += [f"  scale {_name(s)}: {k:.5f} ms/unit" for s, k in fitted.scales]
        newer = newest_over_older(rows, arithmetic)
        lines += [f"  XNNPACK over older kernels: {', '.join(f'{r:.3f}' for r in newer) or 'none'}"]
    pairs, worst, pair = worst_dominance(published.rows)
    lines += [f"dominance: {pairs} pairs, worst {worst:.3f} ({pair})"]
    noise = maximum_over_mean(folder)
    lines += [f"maximum over mean: {len(noise)} runs, p95 {quantile(noise, 0.95):.3f}"]
    lines += [f"left out (layout not known): {'; '.join(published.left_out)}"]
    return "\n".join(lines)


def _name(setup: Setup) -> str:
    return f"{setup.device}, {setup.threads} threads, {setup.kernels}"


def main(arguments: Sequence[str]) -> int:
    """Print the report for the folder given as the only argument."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m weighin.gates.devices.fit FOLDER\n")
        return 2
    sys.stdout.write(report(Path(arguments[0])) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

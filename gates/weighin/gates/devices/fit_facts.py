"""The figures of ``litert.toml`` that are no prices, from the tables they come from.

What this module does not do: it fits nothing.
"""

from collections.abc import Iterable, Sequence

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.holdout import quantile
from weighin.gates.devices.latency import dominance_key
from weighin.gates.devices.learn import Run


def worst_dominance(runs: Sequence[Run]) -> tuple[int, float, str] | None:
    """How much longer a network took than one of another family that is larger in every term.

    Returns:
        Number of such pairs, the largest ratio, and the pair it belongs to; ``None`` if there
        is no such pair.
    """
    pairs = [
        (
            a.anchor.mean_ms / b.anchor.mean_ms,
            f"{a.anchor.network} over {b.anchor.network} on {a.device}",
        )
        for a in runs
        for b in runs
        if (a.setup, a.arithmetic) == (b.setup, b.arithmetic) and a.family != b.family
        if _within(a, b)
    ]
    return (len(pairs), *max(pairs)) if pairs else None


def _within(a: Run, b: Run) -> bool:
    keys = dominance_key(a.anchor.amounts), dominance_key(b.anchor.amounts)
    return all(p <= q for p, q in zip(*keys, strict=True))


def newest_over_older(runs: Sequence[Run], arithmetic: Arithmetic) -> tuple[float, ...]:
    """Latency with XNNPACK over latency before it: same phone, network and threads; sorted."""
    kept = [r for r in runs if r.arithmetic is arithmetic]
    older = {_key(r): r.anchor.mean_ms for r in kept if r.setup.endswith(", before_xnnpack")}
    newer = [(r.anchor.mean_ms, _key(r)) for r in kept if r.setup.endswith(", xnnpack")]
    return tuple(sorted(ms / older[key] for ms, key in newer if key in older))


def _key(run: Run) -> tuple[str, str]:
    return run.setup.rsplit(", ", 1)[0], run.anchor.network


def fact_lines(runs: Sequence[Run], maximum_over_mean: Sequence[float]) -> Iterable[str]:
    """The figures for people.

    Args:
        runs: LiteRT's published runs.
        maximum_over_mean: Of repeated runs on phones; none where that table is not there.
    """
    if (found := worst_dominance(runs)) is not None:
        pairs, worst, pair = found
        yield f"larger in every term: {pairs} pairs of other families, worst x{worst:.3f} ({pair})"
    for arithmetic in (Arithmetic.FLOAT32, Arithmetic.INT8):
        ratios = newest_over_older(runs, arithmetic)
        told = ", ".join(f"x{ratio:.3f}" for ratio in ratios) or "no network with both"
        yield f"XNNPACK over older kernels, {arithmetic}: {told}"
    if maximum_over_mean:
        most = quantile(maximum_over_mean, 0.95)
        yield f"maximum over mean: {len(maximum_over_mean)} runs on phones, 95 % below x{most:.3f}"

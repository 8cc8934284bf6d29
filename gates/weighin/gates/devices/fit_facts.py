"""The figures of ``litert.toml`` that are no prices, from the tables they come from.

What this module does not do: it fits nothing.
"""

from collections.abc import Sequence

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.latency import dominance_key
from weighin.gates.devices.learn import Run


def worst_dominance(runs: Sequence[Run]) -> tuple[int, float, str]:
    """How much longer a network took than one of another family that is larger in every term.

    Returns:
        Number of such pairs, the largest ratio, and the pair it belongs to.
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
    return len(pairs), *max(pairs)


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

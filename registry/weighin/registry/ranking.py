"""Which of the files that may be used on a device is the best one there. Pure."""

import math
from collections.abc import Collection, Mapping

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.statement import Statement


def ranked(
    here: Mapping[str, Statement], metrics: Collection[Metric], waived: Collection[str]
) -> list[str]:
    """Fastest first, then smallest; then what a simpler variant dominates; last what was waived.

    What was waived neither gets before anything that passed nor changes the order among that.

    Args:
        here: The statements about one device, by the digest of their envelope.
        metrics: The budgeted ones there.
        waived: Digests of those that are released by waiver only.
    """

    def place(digest: str) -> tuple[bool, bool, float, int, str]:
        mine, by_waiver = here[digest], digest in waived
        rivals = [other for key, other in here.items() if by_waiver or key not in waived]
        dominated = any(_dominates(other, mine, metrics) for other in rivals)
        latency_ms = upper_end(mine, Metric.LATENCY_P90_MS)
        return by_waiver, dominated, latency_ms, mine.variant.size_bytes, mine.variant.label

    return sorted(here, key=place)


def upper_end(statement: Statement, metric: Metric) -> float:
    """The upper end of a metric's interval, in the metric's unit; infinite if there is none."""
    uppers = [
        r.upper for r in statement.readings if isinstance(r, Measurement) and r.metric is metric
    ]
    return max(uppers, default=math.inf)


def _dominates(one: Statement, other: Statement, metrics: Collection[Metric]) -> bool:
    """Whether ``one`` took no more passes, is nowhere worse and somewhere better."""
    if one.variant.recipe.count("+") > other.variant.recipe.count("+"):
        return False
    pairs = [(upper_end(one, metric), upper_end(other, metric)) for metric in metrics]
    return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)

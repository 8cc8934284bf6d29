"""From interleaved timings of several processes to a latency with its interval.

Pure. What this module does not do: it compares no timings of different processes directly;
ratios are taken within a process, where both series saw the same machine.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import Metric
from weighin.gates.quantiles import spread_of
from weighin.gates.quiet import WHAT_TO_DO, QuietLimits
from weighin.gates.stats import Interval, quantile_interval

_METRIC = Metric.LATENCY_P90_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One process: a variant's timings between those of the float32 reference.

    Attributes:
        times_ms: The variant, one per round.
        reference_ms: The reference in the same rounds; empty if there is none.
        twin_ms: The reference once more; empty if there is none.
        disturbed: What else this machine did meanwhile; empty if it was quiet.
    """

    times_ms: tuple[float, ...]
    reference_ms: tuple[float, ...] = ()
    twin_ms: tuple[float, ...] = ()
    disturbed: str = ""

    @property
    def ratio(self) -> float | None:
        """Median latency as a share of the reference's; below 1 is faster."""
        if not self.reference_ms:
            return None
        return statistics.median(self.times_ms) / statistics.median(self.reference_ms)

    @property
    def noise(self) -> float:
        """How far the reference is from itself: 0.02 means 2 %."""
        if not self.reference_ms or not self.twin_ms:
            return 0.0
        return abs(statistics.median(self.twin_ms) / statistics.median(self.reference_ms) - 1)


def latency_p90(
    sessions: Sequence[Session],
    stamp: Stamp,
    threads: int,
    confidence: float = 0.95,
    quiet: QuietLimits | None = None,
) -> Reading:
    """Median of the processes' 90th percentiles, within the envelope of their intervals.

    Beside it stands how the timings of all processes together are spread.

    Args:
        sessions: One per process.
        stamp: What was measured.
        threads: Of the runtime.
        confidence: One-sided confidence of each end.
        quiet: How much noise is let through; ``None``: any.
    """
    if not sessions or not all(session.times_ms for session in sessions):
        return Unreadable(metric=_METRIC, reason="no process finished its timings")
    noisy = noise_of(sessions, quiet) if quiet is not None else ""
    if noisy and quiet is not None and quiet.refuse:
        return Unreadable(metric=_METRIC, reason=f"this machine was too noisy: {noisy}")
    inside = [quantile_interval(session.times_ms, 0.9, confidence) for session in sessions]
    envelope = Interval(
        value=statistics.median_high(part.value for part in inside),
        lower=min(part.lower for part in inside),
        upper=max(part.upper for part in inside),
    )
    if not math.isfinite(envelope.upper - envelope.lower):
        fewest = min(len(session.times_ms) for session in sessions)
        reason = f"{fewest} timings in a process are too few for a 90th percentile"
        return Unreadable(metric=_METRIC, reason=reason)
    n = sum(len(session.times_ms) for session in sessions)
    label = (("noise", f"told, not refused: {noisy}"),) if noisy else ()
    conditions = (*_conditions(sessions, threads), *label)
    reading = stamp.on_the_device(_METRIC, envelope, n, conditions, confidence)
    return replace(reading, quantiles=spread_of(time for s in sessions for time in s.times_ms))


def noise_of(sessions: Sequence[Session], quiet: QuietLimits) -> str:
    """Why these timings are noise rather than a number; empty if they are none.

    The load beside them speaks first. What leaves no trace in counters shows in the reference:
    timed twice in turn, it must equal itself.
    """
    disturbed = [session.disturbed for session in sessions if session.disturbed]
    if disturbed:
        return f"in {len(disturbed)} of {len(sessions)} processes, {disturbed[0]}"
    apart = statistics.median(session.noise for session in sessions)
    if apart > quiet.most_noise:
        return f"the float32 reference differs from itself by {apart:.0%}: {WHAT_TO_DO}"
    return ""


def _conditions(sessions: Sequence[Session], threads: int) -> tuple[tuple[str, str], ...]:
    rounds = min(len(session.times_ms) for session in sessions)
    always = (
        ("threads", str(threads)),
        ("processes", str(len(sessions))),
        ("rounds", str(rounds)),
        ("median_ms", f"{statistics.median(statistics.median(s.times_ms) for s in sessions):.6g}"),
    )
    ratios = [ratio for session in sessions if (ratio := session.ratio) is not None]
    if not ratios:
        return (*always, ("ratio_to_float32", "no float32 variant of this format to compare with"))
    return (
        *always,
        ("ratio_to_float32", f"{statistics.median(ratios):.4f}"),
        ("ratio_lower", f"{min(ratios):.4f}"),
        ("ratio_upper", f"{max(ratios):.4f}"),
        ("noise_floor", f"{max(session.noise for session in sessions):.4f}"),
    )

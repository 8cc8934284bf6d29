"""Latency of a model on a phone: blocks of runs until its interval is narrow enough.

The statistic is the host's: the median of three sessions' 90th percentiles within the envelope of
their intervals (:mod:`weighin.gates.meters.latency`). A session is a third of the blocks, in the
order of time, so that a phone that drifts shows a wide interval. Blocks are added until the
interval is narrow; that looks at its width only, never at where it lies.
"""

import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from weighin.gates.devices.phone.bench import Rig
from weighin.gates.devices.phone.blocks import Block, run_block
from weighin.gates.devices.phone.timings import p90_between, timings_ms
from weighin.gates.devices.phone.tool_output import Partition, Summary
from weighin.gates.devices.phone.tools import fallback
from weighin.gates.devices.phone_run import Figure, Missing
from weighin.gates.measurement import Measurement, Reading
from weighin.gates.meters.latency import Session, latency_p90
from weighin.gates.meters.stamp import Stamp
from weighin.gates.quantiles import Quantiles, spread_of
from weighin.gates.stats import Interval

SESSIONS = 3
"""Sessions that the blocks are divided into: the least blocks, too."""

_NO_REFERENCE = Missing(reason="no float reference was measured beside it (--float)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """What was found; the fields mean what those of a ``PhoneRun`` mean."""

    p90_ms: Figure
    quantiles: Quantiles = ()
    p50_ms: float = 0.0
    mean_ms: float = 0.0
    n: int = 0
    processes: int = 0
    ratio: Figure = _NO_REFERENCE
    partitions: tuple[Partition, ...] = ()
    before: str = ""
    after: str = ""
    conditions: tuple[tuple[str, str], ...] = ()


def measure_latency(rig: Rig, model: str, reference: str | None) -> Latency:
    """Measure one model that is on the phone, beside the float reference if there is one.

    Raises:
        PhoneError: it does not cool down, or does not tell how hot it is.
        PhoneGone: it went away and did not come back.
    """
    started, blocks = rig.clock(), list[Block]()
    while True:
        for _ in range(SESSIONS):
            rig.tick(f"latency, block {len(blocks) + 1}")
            block = run_block(rig, model, reference)
            if isinstance(block, Missing):
                return Latency(p90_ms=block)
            blocks.append(block)
        found = conclude(blocks, rig.asked.confidence)
        late = rig.clock() - started > rig.asked.minutes * 60
        if narrow(found.p90_ms, rig.asked.half_width):
            break
        if late or len(blocks) >= rig.asked.most_blocks or isinstance(found.p90_ms, Missing):
            found = replace(found, conditions=(*found.conditions, _wide(found.p90_ms, rig)))
            break
    fell = fallback(blocks[-1].sample, rig.asked.delegate)
    return found if fell is None else replace(found, p90_ms=Missing(reason=fell))


def narrow(figure: Figure, half_width: float) -> bool:
    """Whether half of an interval is at most this share of its value."""
    return isinstance(figure, Interval) and (
        figure.upper - figure.lower <= 2 * half_width * figure.value
    )


def _wide(figure: Figure, rig: Rig) -> tuple[str, str]:
    if isinstance(figure, Missing):
        return ("interval", "none")
    half = (figure.upper - figure.lower) / 2 / figure.value
    return ("interval", f"+-{half:.0%}, wider than the {rig.asked.half_width:.0%} asked for")


def conclude(blocks: Sequence[Block], confidence: float) -> Latency:
    """What blocks say, without looking at the phone again."""
    try:
        told = [[timings_ms(one) for one in block.model] for block in blocks]
        beside = [[timings_ms(one) for one in (*block.reference, *block.twin)] for block in blocks]
    except ValueError as error:
        return Latency(p90_ms=Missing(reason=f"the tool contradicts itself: {error}"))
    last = blocks[-1]
    everything = Latency(
        p90_ms=Missing(reason=""),
        processes=sum(len(block.model) for block in blocks),
        n=sum(one.count for block in blocks for one in block.model),
        partitions=last.sample.partitions,
        before=blocks[0].before,
        after=last.after,
        conditions=_conditions(blocks),
    )
    if any(one is None for row in (*told, *beside) for one in row):
        return _from_order_statistics(everything, blocks, confidence)
    return _from_timings(everything, blocks, confidence)


def _from_timings(base: Latency, blocks: Sequence[Block], confidence: float) -> Latency:
    sessions = [_session(part) for part in _thirds(blocks)]
    times = [time for session in sessions for time in session.times_ms]
    reading = latency_p90(sessions, _STAMP, threads=0, confidence=confidence)
    return replace(
        base,
        p90_ms=_with_resolution(figure_of(reading)),
        quantiles=spread_of(times),
        p50_ms=statistics.median(times),
        mean_ms=statistics.fmean(times),
        ratio=_ratio(sessions),
        conditions=(*base.conditions, ("timings", "every run, told by minimum, mean and maximum")),
    )


_STAMP = Stamp(
    artifact_sha256="", runtime="", device="", measured_at=datetime(2026, 1, 1, tzinfo=UTC)
)


RESOLUTION_MS = 0.001
"""What both tools round a run's time to."""


def _with_resolution(figure: Figure) -> Figure:
    if isinstance(figure, Missing):
        return figure
    return Interval(
        value=figure.value,
        lower=max(0.0, figure.lower - RESOLUTION_MS),
        upper=figure.upper + RESOLUTION_MS,
    )


def figure_of(reading: Reading) -> Figure:
    """A reading's interval alone, or its reason."""
    if isinstance(reading, Measurement):
        return Interval(value=reading.value, lower=reading.lower, upper=reading.upper)
    return Missing(reason=reading.reason)


def _thirds(blocks: Sequence[Block]) -> list[Sequence[Block]]:
    each = len(blocks) // SESSIONS
    return [blocks[part * each : (part + 1) * each] for part in range(SESSIONS)]


def _session(blocks: Sequence[Block]) -> Session:
    return Session(
        times_ms=_all_timings(block.model for block in blocks),
        reference_ms=_all_timings(block.reference for block in blocks),
        twin_ms=_all_timings(block.twin for block in blocks),
    )


def _all_timings(groups: Iterable[tuple[Summary, ...]]) -> tuple[float, ...]:
    each = (timings_ms(one) for group in groups for one in group)
    return tuple(time for times in each if times is not None for time in times)


def _ratio(sessions: Sequence[Session]) -> Figure:
    """Each session's ratio; with three of them the interval is their range."""
    ratios = [ratio for session in sessions if (ratio := session.ratio) is not None]
    if not ratios:
        return _NO_REFERENCE
    return Interval(value=statistics.median(ratios), lower=min(ratios), upper=max(ratios))


def _from_order_statistics(base: Latency, blocks: Sequence[Block], confidence: float) -> Latency:
    """Every process by itself: what it printed encloses its 90th percentile."""
    summaries = [one for block in blocks for one in block.model]
    mean = statistics.fmean(one.mean_ms for one in summaries)
    try:
        inside = [p90_between(one, confidence) for one in summaries]
    except ValueError as error:
        return replace(base, p90_ms=Missing(reason=str(error)), mean_ms=mean)
    medians = [one.mean_ms if one.p50_ms is None else one.p50_ms for one in summaries]
    return replace(
        base,
        p90_ms=Interval(
            value=statistics.median_high(part.value for part in inside),
            lower=min(part.lower for part in inside),
            upper=max(part.upper for part in inside),
        ),
        p50_ms=statistics.median(medians),
        mean_ms=mean,
        ratio=_ratio_of_medians(blocks),
        conditions=(
            *base.conditions,
            ("timings", "not told one by one: the p90 lies between printed order statistics"),
        ),
    )


def _ratio_of_medians(blocks: Sequence[Block]) -> Figure:
    ratios = [
        _middle(block.model) / _middle((*block.reference, *block.twin))
        for block in blocks
        if block.reference
    ]
    if not ratios:
        return _NO_REFERENCE
    return Interval(value=statistics.median(ratios), lower=min(ratios), upper=max(ratios))


def _middle(summaries: Sequence[Summary]) -> float:
    return statistics.median(one.mean_ms if one.p50_ms is None else one.p50_ms for one in summaries)


def _conditions(blocks: Sequence[Block]) -> tuple[tuple[str, str], ...]:
    sample = blocks[-1].sample
    discarded = sum(block.discarded for block in blocks)
    found = [("warm_up_runs", str(sample.warm_up))]
    if discarded:
        found.append(("discarded_blocks", f"{discarded}, the phone grew too hot"))
    found.extend(("partition", part.words) for part in sample.partitions[:1] if not part.whole)
    return tuple(found)

"""Against the release: from two files' readings to a reading of what one has more than the other.

Pure. What this module does not do: it chooses no file to compare with, and it measures nothing.

A growth is a ratio minus one, in percent. Where both files were timed in one process, its
interval comes from the ratios themselves (Student's t on their logarithms, over processes).
Everywhere else two intervals are divided: the upper end is upper over lower, the lower end lower
over upper. Each end then holds with the smaller confidence of the two as long as the errors of
the two readings are independent or go the same way, and are no heavier in the tails than a
normal's on a logarithmic scale; then it holds with more, because both would have to be wrong at
once. Two predictions of one phone are such a pair: they share their anchors.
"""

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace

from weighin.gates.estimate import repeats_interval
from weighin.gates.measurement import Baseline, Measurement, Reading, Unreadable
from weighin.gates.meters.stamp import Stamp
from weighin.gates.metric import OF_THE_FILE, RELATIVE, Metric, Origin
from weighin.gates.stats import Interval, quantile_interval

PERCENT = 100.0
_LATENCY = Metric.LATENCY_VS_RELEASE_PERCENT
_DROP = Metric.ACCURACY_DROP_VS_RELEASE_POINTS


@dataclass(frozen=True, slots=True, kw_only=True)
class Released:
    """The file that a number is compared with: its digest, and how people call it."""

    sha256: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Timed:
    """One process: timings of the new file between those of the released one."""

    times_ms: tuple[float, ...]
    released_ms: tuple[float, ...]


def growth(metric: Metric, new: Reading, old: Reading, released: Released) -> Reading:
    """How much more the new file needs than the released one, in percent, by division.

    Args:
        metric: One of :data:`~weighin.gates.metric.RELATIVE`.
        new: The new file's reading of the metric that grows.
        old: The released file's reading of it, on the same device.
        released: The released file.
    """
    for who, reading in (("", new), (f"the released file {released.name}: ", old)):
        if isinstance(reading, Unreadable):
            return Unreadable(metric=metric, reason=f"{who}{reading.reason}")
    if isinstance(new, Unreadable) or isinstance(old, Unreadable):
        raise TypeError("a reading is a measurement or unreadable")
    if not (_is_positive(old) and math.isfinite(new.upper - new.lower)):
        ends = f"{old.lower:.4g} to {old.upper:.4g}, against {new.lower:.4g} to {new.upper:.4g}"
        reason = f"nothing can be relative to what the released file {released.name} has ({ends})"
        return Unreadable(metric=metric, reason=reason)
    return replace(
        new,
        metric=metric,
        value=_percent(new.value / old.value),
        lower=_percent(new.lower / old.upper),
        upper=_percent(new.upper / old.lower),
        n=min(new.n, old.n),
        origin=max(new.origin, old.origin, key=tuple(Origin).index),
        measured_at=min(new.measured_at, old.measured_at),
        conditions=(("compared_with", released.name), ("how", "two intervals divided")),
        confidence=min(new.confidence, old.confidence),
        baseline=Baseline(sha256=released.sha256, value=old.value),
    )


def latency_growth(
    processes: Sequence[Timed], released: Released, stamp: Stamp, confidence: float
) -> Reading:
    """How much longer the new file's p90 is, from processes that timed both in turn."""
    pairs = [
        (_p90(one.times_ms, confidence), _p90(one.released_ms, confidence)) for one in processes
    ]
    if not all(mine > 0 and theirs > 0 for mine, theirs in pairs):
        return Unreadable(metric=_LATENCY, reason="a process timed one of the two files only")
    inside = repeats_interval([math.log(mine / theirs) for mine, theirs in pairs], confidence)
    if inside is None:
        reason = f"{len(processes)} process timed both files; two are needed for an interval"
        return Unreadable(metric=_LATENCY, reason=reason)
    ends = Interval(
        value=_percent(math.exp(inside.value)),
        lower=_percent(math.exp(inside.lower)),
        upper=_percent(math.exp(inside.upper)),
    )
    conditions = (
        ("compared_with", released.name),
        ("how", "ratio of the p90 within each process, Student's t over processes"),
        ("processes", str(len(pairs))),
        ("rounds", str(min(len(one.times_ms) for one in processes))),
    )
    n = sum(len(one.times_ms) for one in processes)
    reading = stamp.on_the_device(_LATENCY, ends, n, conditions, confidence)
    value = statistics.median(theirs for _, theirs in pairs)
    return replace(reading, baseline=Baseline(sha256=released.sha256, value=value))


def drop(reading: Reading, released: Released) -> Reading:
    """A drop of quality that was measured with the released file's outputs as the reference."""
    if isinstance(reading, Unreadable):
        return Unreadable(metric=_DROP, reason=reading.reason)
    named = dict(reading.conditions)
    before = named.get("reference_accuracy", named.get(f"reference {named.get('metric')}", ""))
    try:
        value = float(before) * PERCENT
    except ValueError:
        reason = f"it is not known how good the released file {released.name} is"
        return Unreadable(metric=_DROP, reason=reason)
    return replace(
        reading,
        metric=_DROP,
        conditions=(("compared_with", released.name), *reading.conditions),
        baseline=Baseline(sha256=released.sha256, value=value),
    )


def unchanged(metric: Metric, known: Measurement, device: str, released: Released) -> Measurement:
    """The very file that is released: no difference, exactly.

    Args:
        metric: One of :data:`~weighin.gates.metric.VS_RELEASE`.
        known: What the file has, of the metric that is compared.
        device: The device that the comparison is for.
        released: The file itself.
    """
    return replace(
        known,
        metric=metric,
        value=0.0,
        lower=0.0,
        upper=0.0,
        origin=Origin.ARTIFACT if metric in OF_THE_FILE else Origin.DEVICE,
        device=device,
        conditions=(("compared_with", f"{released.name}, which is this very file"),),
        confidence=1.0,
        slices=(),
        baseline=Baseline(sha256=released.sha256, value=known.value),
    )


def compared_metric(metric: Metric) -> Metric:
    """The absolute metric behind one that is relative to the release."""
    return RELATIVE.get(metric, Metric.ACCURACY_DROP_POINTS)


def _percent(ratio: float) -> float:
    return (ratio - 1) * PERCENT


def _is_positive(reading: Measurement) -> bool:
    return reading.lower > 0 and math.isfinite(reading.upper)


def _p90(times_ms: tuple[float, ...], confidence: float) -> float:
    """The 90th percentile; zero if there are no timings."""
    return quantile_interval(times_ms, 0.9, confidence).value if times_ms else 0.0

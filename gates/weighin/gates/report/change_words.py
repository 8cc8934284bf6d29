"""What changed since an earlier weigh-in, in words: the same in comment, terminal and summary.

What this module does not do: it escapes nothing but through ``spell``.
"""

from collections.abc import Callable

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.changes import Change, Changes, DeviceChange, Step
from weighin.gates.report.words import METRIC_WORDS, figure, plain

Spell = Callable[[str], str]
_ARROWS = {Step.BETTER: "↓", Step.WORSE: "↑"}


def title_words(changes: Changes, spell: Spell = plain) -> str:
    """``Since v2``, or what else it is told against."""
    before, after = changes.before, changes.after
    name = spell(f"v{before.version}")
    if before.version == after.version:
        return f"Since {name} was weighed on {before.finished_at:%Y-%m-%d}"
    return f"Since {name}"


def reference_words(changes: Changes) -> str:
    """What the registered model itself reached and reaches, and whether that compares."""
    before, after = changes.before, changes.after
    had, has = summary.reference_quality(before), summary.reference_quality(after)
    if before.quality_metric == after.quality_metric:
        has = has.rpartition(after.quality_metric.replace("_", " "))[2].strip()
    words = f"reference {had} → {has}"
    if changes.same_data:
        return words
    return f"{words}, on other evaluation data, so accuracy does not compare"


def file_words(one: DeviceChange, spell: Spell = plain) -> str:
    """``int8.tflite → prune50.tflite``, or what became of the device."""
    had = None if one.before is None else spell(one.before.variant.label)
    got = None if one.after is None else spell(one.after.variant.label)
    waiver = " (only by waiver)" if one.by_waiver else ""
    if not one.is_target:
        return f"{had or 'nothing'} → no target any more"
    if not one.was_target:
        return f"new target → {got or 'nothing'}{waiver}"
    if had is None and got is None:
        return "nothing, as before"
    if one.is_same:
        return f"{got}, the same file{waiver}"
    if had == got:
        return f"{got}, built anew{waiver}"
    return f"{had or 'nothing'} → {got or 'nothing'}{waiver}"


def numbers_words(change: Change, *, with_intervals: bool = True) -> str:
    """``2 [1.9, 2.1] → 1.5 [1.4, 1.6] ms``."""
    unit = METRIC_WORDS[change.metric].unit
    before = _number(change.before, with_intervals=with_intervals)
    after = _number(change.after, with_intervals=with_intervals)
    return f"{before} → {after} {unit}"


def step_words(change: Change) -> str:
    """``↓ 25 %``, ``↑ 0.8 pt``, or why no difference can be told."""
    arrow = _ARROWS.get(change.step)
    if arrow is None or change.before is None or change.after is None:
        return change.step.value
    if change.percent is not None:
        return f"{arrow} {figure(abs(change.percent), digits=2)} %"
    apart = abs(change.after.value - change.before.value)
    return f"{arrow} {figure(apart, digits=2)} {METRIC_WORDS[change.metric].unit}"


def short_words(one: DeviceChange) -> str:
    """All that changed on one device on one line: ``size ↓ 45 %, latency ↓ 37 %``."""
    told = [
        f"{METRIC_WORDS[change.metric].name} {step_words(change)}"
        for change in one.changes
        if change.step in _ARROWS
    ]
    unclear = [
        METRIC_WORDS[change.metric].name
        for change in one.changes
        if change.step in {Step.UNCLEAR, Step.UNLIKE}
    ]
    if unclear:
        told.append(f"no difference can be told in {', '.join(unclear)}")
    return ", ".join(told)


def change_of(one: DeviceChange, metric: Metric) -> Change | None:
    """The change of one metric, if both sides have a file."""
    return next((change for change in one.changes if change.metric is metric), None)


def _number(reading: Measurement | None, *, with_intervals: bool) -> str:
    if reading is None:
        return "unknown"
    shown = figure(reading.value)
    if reading.lower == reading.upper or not with_intervals:
        return shown
    return f"{shown} [{figure(reading.lower)}, {figure(reading.upper)}]"

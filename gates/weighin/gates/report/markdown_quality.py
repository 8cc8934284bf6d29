"""Where accuracy is lost, as Markdown: alarms, slices, classes, and how many rows it took.

What this module does not do: it leaves nothing out for length; the comment does, part by part.
"""

from weighin.gates.metric import Metric
from weighin.gates.report.limit_words import budget_words
from weighin.gates.report.markdown_parts import code, folded, table
from weighin.gates.report.quality_words import alarms, looked, measured, mistakes
from weighin.gates.report.slice_words import (
    Ruling,
    SliceTable,
    State,
    drop_words,
    slice_tables,
)
from weighin.gates.report.words import GLYPHS
from weighin.gates.weigh_in import WeighIn

_MOST_ALARMS = 20


def look_at(weigh_in: WeighIn) -> str:
    """What somebody should look at, whatever the verdict; nothing if there is nothing."""
    found = alarms(weigh_in)
    lines = [f"- ⚠️ {code(label)}: {code(alarm)}" for label, alarm in found[:_MOST_ALARMS]]
    if len(found) > _MOST_ALARMS:
        lines.append(f"- and {len(found) - _MOST_ALARMS} more, in the HTML and JSON reports")
    return "\n".join(["#### Look at\n", *lines]) if lines else ""


def slices(weigh_in: WeighIn) -> str:
    """A table per variant, folded together."""
    tables = list(slice_tables(weigh_in))
    notes = dict.fromkeys(one.note for one in tables)
    parts = [*map(_slice_part, tables), *(f"<sub>{note}</sub>" for note in notes)]
    return folded("Slice by slice", "\n\n".join(parts)) if parts else ""


def by_class(weigh_in: WeighIn) -> str:
    """Flips and calibration of the variants with an alarm about a class."""
    rows = [
        [code(one.label), code(one.flips), code(one.by_class), code(one.calibration)]
        for one in mistakes(weigh_in)
        if one.alarm
    ]
    head = ["variant", "right to wrong", "by class, of those that were right", "calibration error"]
    return folded("Flips by class", table(head, rows)) if rows else ""


def rows_looked_at(weigh_in: WeighIn) -> str:
    """On what accuracy drops rest that did not take all rows, or are not at the usual 95 %."""
    alike: dict[str, list[str]] = {}
    for result in weigh_in.results:
        said = {looked(r) for r in measured(result) if r.metric is Metric.ACCURACY_DROP_POINTS}
        for words in sorted(said - {""}):
            alike.setdefault(words, []).append(code(result.variant.label))
    lines = [f"- {words}: {', '.join(labels)}" for words, labels in alike.items()]
    return "\n".join(["What the accuracy drops rest on:\n", *lines]) if lines else ""


def _slice_part(one: SliceTable) -> str:
    several = len(one.rulings) > 1
    heads = [_head(ruling, with_devices=several) for ruling in one.rulings]
    rows = [
        [code(line.name), str(line.rows), drop_words(line), *map(_state, line.states)]
        for line in one.lines
    ]
    whole = table(["slice", "rows", "drop", *heads], rows)
    objections = [f" Not judged: {code(objection)}." for objection in one.objections]
    counted = f": {one.counted}." if one.rulings else ""
    return f"**{code(one.label)}**{counted}{''.join(objections)}\n\n{whole}"


def _head(ruling: Ruling, *, with_devices: bool) -> str:
    where = f" on {code(ruling.where)}" if with_devices else ""
    return f"≤ {budget_words(ruling.check.budget)}{where}"


def _state(state: State) -> str:
    return f"{GLYPHS[state.outcome]} {state}"

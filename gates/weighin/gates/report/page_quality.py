"""The HTML page on what a variant gets wrong: alarms, slices, classes and calibration."""

from weighin.gates.metric import Metric
from weighin.gates.report.limit_words import budget_words
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import (
    NOTHING,
    amount,
    css_class,
    folded,
    label,
    number,
    row,
    section,
    table,
)
from weighin.gates.report.quality_words import Mistakes, alarms, mistakes
from weighin.gates.report.slice_words import Ruling, SliceLine, SliceTable, State, slice_tables
from weighin.gates.report.words import GLYPHS, plain
from weighin.gates.weigh_in import WeighIn

_METRIC = Metric.SLICE_DROP_POINTS


def look_at(weigh_in: WeighIn) -> Html:
    """What somebody should look at, whatever the verdict; nothing if there is nothing."""
    sign = tag("span", "\u26a0\ufe0e", class_="sign", aria_hidden="true")
    items = [
        tag("li", sign, tag("p", tag("strong", label(name)), " ", tag("span", alarm)))
        for name, alarm in alarms(weigh_in)
    ]
    return section("look", "Look at", tag("ul", *items, class_="alarms")) if items else NOTHING


def quality(weigh_in: WeighIn) -> Html:
    """Slice by slice and class by class, folded; nothing if neither is known."""
    slices = [_slices(one) for one in slice_tables(weigh_in)]
    classes = [_class_row(one) for one in mistakes(weigh_in)]
    parts = [tag("h3", "Slice by slice"), *slices] if slices else []
    if classes:
        head = ["variant", "right to wrong", "by class, of those that were right"]
        head += ["calibration error before", "after"]
        shown = table("Flips from right to wrong, and calibration", head, classes, "narrow")
        parts.append(folded("By class, and calibration", shown))
    return section("quality", "Where accuracy is lost", *parts) if parts else NOTHING


def _slices(one: SliceTable) -> Html:
    """One variant's slices under a line that says how many are within."""
    name = tag("span", label(one.label))
    if one.rulings:
        outcome = one.worst.outcome
        sign = tag(
            "span", GLYPHS[outcome], class_=f"badge {css_class(outcome)}", aria_hidden="true"
        )
        name = join(sign, " ", name, " ", tag("span", one.counted, class_="counted"))
    note = tag("p", " ".join([one.note, *_objections(one)]), class_="note")
    several = len(one.rulings) > 1
    heads = [_head(ruling, with_devices=several) for ruling in one.rulings]
    rows = (_slice_row(line) for line in one.lines)
    caption = f"Slices of {plain(one.label)}"
    shown = table(caption, ["slice", *heads, "drop", "rows"], rows, "narrow")
    return tag("details", tag("summary", name), note, shown)


def _objections(one: SliceTable) -> list[str]:
    return [f"Not judged: {plain(objection)}." for objection in one.objections]


def _head(ruling: Ruling, *, with_devices: bool) -> Html:
    where = tag("span", ruling.where, class_="metric") if with_devices else NOTHING
    return join(f"≤ {budget_words(ruling.check.budget)}", where)


def _slice_row(line: SliceLine) -> Html:
    cells = (tag("td", _state(state), class_=css_class(state.outcome)) for state in line.states)
    return tag(
        "tr",
        tag("th", tag("bdi", line.name), scope="row"),
        *cells,
        tag("td", _drop(line)),
        tag("td", str(line.rows)),
    )


def _drop(line: SliceLine) -> Html:
    if line.drop is None:
        return Html("no interval")
    ends = join(number(line.drop.lower, line.beside), " to ", number(line.drop.upper, line.beside))
    shown = amount(_METRIC, line.drop.value, line.beside)
    return join(shown, tag("span", tag("span", ends, class_="ends"), class_="interval"))


def _state(state: State) -> Html:
    return join(tag("span", GLYPHS[state.outcome], aria_hidden="true"), Html("&nbsp;"), state)


def _class_row(one: Mistakes) -> Html:
    cells = [one.flips, one.by_class, one.error_before, one.error_after]
    return row(label(one.label), cells)

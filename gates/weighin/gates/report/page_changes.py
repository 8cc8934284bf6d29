"""What each device got before and gets now, on the HTML page."""

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report.change_words import (
    change_of,
    file_words,
    reference_words,
    step_words,
    title_words,
)
from weighin.gates.report.changes import MORE, SHOWN, Change, DeviceChange, Step, changes_since
from weighin.gates.report.context import Context
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import (
    NOTHING,
    ends_and_origin,
    first_upper,
    number,
    row,
    section,
    table,
)
from weighin.gates.report.words import METRIC_WORDS
from weighin.gates.weigh_in import WeighIn

_COLOURS = {Step.BETTER: "pass", Step.WORSE: "fail"}


def changed(weigh_in: WeighIn, context: Context) -> Html:
    """The section; nothing if there is nothing to compare with."""
    if context.against is None:
        return NOTHING
    found = changes_since(context.against, weigh_in, context)
    metrics = [m for m in (*SHOWN, *MORE) if any(change_of(one, m) for one in found.devices)]
    heads = [f"{METRIC_WORDS[metric].name}, {METRIC_WORDS[metric].unit}" for metric in metrics]
    rows = (_row(one, metrics) for one in found.devices)
    shown = table("What each device got and gets", ["device", "file", *heads], rows, "changes")
    words = (
        f"{reference_words(found)}. An arrow stands only where the intervals are apart and both "
        "numbers were obtained alike; less is better."
    )
    return section(
        "changes", title_words(found), tag("p", first_upper(words), class_="note"), shown
    )


def _row(one: DeviceChange, metrics: list[Metric]) -> Html:
    lost = one.lost and one.is_target
    file = tag("td", file_words(one), class_="fail" if lost else None)
    cells = (_cell(change_of(one, metric)) for metric in metrics)
    return row(one.device, [file, *cells], device=one.device)


def _cell(change: Change | None) -> Html:
    if change is None:
        return tag("td")
    before, after = _number(change.before), _number(change.after)
    arrow = tag("span", Html("&rarr;"), aria_label="now", role="img")
    step = tag("em", step_words(change))
    ends = NOTHING
    if change.after is not None:
        ends = tag("small", ends_and_origin(change.after))
    # The change is what the column is sorted by; the eye sees before and after first.
    key = None if change.percent is None else repr(change.percent)
    return tag(
        "td", tag("span", before, " ", arrow, " ", after, class_="amount"), step, ends,
        class_=_COLOURS.get(change.step), data_k=key,
    )  # fmt: skip


def _number(reading: Measurement | None) -> Html:
    return Html("unknown") if reading is None else join(number(reading.value))

"""What each device got from version to version, on the HTML page: a picture and a table."""

from collections.abc import Sequence

from weighin.gates.metric import Metric
from weighin.gates.report.chart_history import (
    MOST_EARLIER,
    SHOWN,
    Entry,
    entries,
    history_spec,
    history_words,
    letter,
)
from weighin.gates.report.context import Context
from weighin.gates.report.draw import draw
from weighin.gates.report.markup import Html, tag
from weighin.gates.report.page_parts import (
    NOTHING,
    ends_and_origin,
    folded,
    label,
    number,
    section,
    table,
)
from weighin.gates.report.page_picture import figure_of
from weighin.gates.report.words import METRIC_WORDS, count, plain
from weighin.gates.weigh_in import WeighIn


def history(weigh_in: WeighIn, context: Context) -> Html:
    """The section; nothing without earlier versions."""
    if not context.history:
        return NOTHING
    known = entries(weigh_in, context)
    note = (
        "The file that each device got, version by version. Filled points were released. Two "
        "versions may have been weighed on other data, or on a faster machine."
    )
    if (older := len(context.history) - MOST_EARLIER) > 0:
        note += f" {count(older, 'older version')} not shown."
    return section(
        "history",
        "Over the releases",
        tag("p", note, class_="note"),
        _picture(known, weigh_in.devices),
        folded("Every version", _table(known)),
    )


def _picture(known: Sequence[Entry], devices: Sequence[str]) -> Html:
    spec = history_spec(known, devices)
    if spec is None:
        return tag("p", "No picture: fewer than two versions have numbers.", class_="reason")
    letters = [(letter(one, devices), one) for one in devices]
    words = "Size, accuracy drop and latency by version."
    named = ", ".join(f"{sign} {plain(one)}" for sign, one in letters if sign)
    caption = f"{words} {named}." if named else f"{words} Each point tells its device."
    svg = draw(spec, history_words(known), link="h")
    return tag("div", figure_of(svg, "History", caption), class_="card wide")


def _table(known: Sequence[Entry]) -> Html:
    heads = [f"{METRIC_WORDS[metric].name}, {METRIC_WORDS[metric].unit}" for metric in SHOWN]
    rows = (_row(at, one) for at, one in enumerate(known))
    head = ["version", "device", "state", "file", *heads]
    return table("What each device got of each version", head, rows, "history")


def _row(at: int, one: Entry) -> Html:
    states = {None: "weighed now", True: "released", False: "not released"}
    file = NOTHING if one.result is None else label(one.result.variant.label)
    return tag(
        "tr",
        tag("th", f"v{plain(one.weigh_in.version)}", scope="row", data_k=str(one.place)),
        tag("td", tag("bdi", one.device)),
        tag("td", states[one.released]),
        tag("td", file or "nothing passed"),
        *(_cell(one, metric) for metric in SHOWN),
        data_h=str(at),
        data_d=one.device,
    )


def _cell(one: Entry, metric: Metric) -> Html:
    reading = one.reading(metric)
    if reading is None:
        return tag("td", "unknown" if one.result else "")
    return tag("td", number(reading.value), tag("small", ends_and_origin(reading)))

"""What each device gets, on the HTML page: its file, or how near the nearest came."""

from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import (
    MANY,
    NOTHING,
    amount,
    badge,
    css_class,
    facts,
    interval,
    label,
    rows_looked_at,
    section,
)
from weighin.gates.report.verdict_words import Fate, Standing, fates
from weighin.gates.report.words import METRIC_WORDS
from weighin.gates.weigh_in import Result, WeighIn

_DROP = Metric.ACCURACY_DROP_POINTS


def tiles(weigh_in: WeighIn, context: Context) -> Html:
    """A tile per device."""
    known = fates(weigh_in, context)
    items = (tag("li", _tile(weigh_in, fate), data_d=fate.device) for fate in known)
    many = "tiles many" if len(known) > MANY else "tiles"
    return section("devices", "What each device gets", tag("ul", *items, class_=many))


def _tile(weigh_in: WeighIn, fate: Fate) -> Html:
    head = tag("div", tag("h3", tag("bdi", fate.device)), badge(fate.standing), class_="tile-head")
    return tag("div", head, _body(weigh_in, fate), class_=f"tile {css_class(fate.standing)}")


def _body(weigh_in: WeighIn, fate: Fate) -> Html:
    result = fate.result
    if result is None:
        return tag("p", "Nothing was judged on this device.", class_="reason")
    name = tag("p", label(result.variant.label), class_="chosen")
    if fate.miss is not None:
        why = tag("p", summary.why(fate.miss), class_="reason")
        return join(tag("p", "Nearest miss", class_="kicker"), name, why)
    kicker = tag("p", _kicker(weigh_in, fate), class_="kicker")
    return join(kicker, name, _figures(result, fate.device), _waived(fate))


def _kicker(weigh_in: WeighIn, fate: Fate) -> str:
    if fate.standing is Standing.WAIVED:
        return "Only by waiver"
    if fate.standing is not Standing.PASS:
        return "Claimed, not shown to be true"
    passing = len(summary.passing(weigh_in, fate.device))
    return f"Smallest of {passing} that passed" if passing > 1 else "The only one that passed"


def _figures(result: Result, device: str) -> Html:
    return facts(
        (
            METRIC_WORDS[reading.metric].name,
            join(
                amount(reading.metric, reading.value),
                interval(reading),
                rows_looked_at(reading) if reading.metric is _DROP else NOTHING,
            ),
        )
        for reading in summary.headline_figures(result, device)
    )


def _waived(fate: Fate) -> Html:
    lines = (
        tag("p", f"Waived: {summary.why(check)}; by {waiver.by}", class_="waiver-line")
        for check, waiver in fate.waived
    )
    return join(*lines)

"""Every variant on every device, as tables on the HTML page: the check that decided each."""

from collections.abc import Sequence

from weighin.gates.judge import Check, Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import Context
from weighin.gates.report.limit_words import applied, limit_of
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import (
    NOTHING,
    amount,
    css_class,
    ends_and_origin,
    number,
    numbered,
    rows_looked_at,
    section,
    severity,
    sign_of,
    table,
    unseen,
)
from weighin.gates.report.verdict_words import Standing, standing_of
from weighin.gates.report.words import METRIC_WORDS, plain
from weighin.gates.weigh_in import Result, WeighIn

_DEVICES_PER_TABLE = 6


def matrix(weigh_in: WeighIn, context: Context) -> Html:
    """Variants by devices, in as many tables as fit a page's width side by side."""
    note = tag(
        "p",
        "Beside each variant: its size and accuracy drop. Each cell shows the check that decided "
        "it; what passed shows its latency. A pass needs the whole interval within the budget.",
        class_="note",
    )
    starts = range(0, len(weigh_in.devices), _DEVICES_PER_TABLE)
    parts = [weigh_in.devices[start : start + _DEVICES_PER_TABLE] for start in starts]
    several = len(parts) > 1
    tables = (_table(weigh_in, context, part, of_several=several) for part in parts)
    return section("matrix", "Every variant on every device", note, *tables)


def _table(
    weigh_in: WeighIn, context: Context, devices: Sequence[str], *, of_several: bool
) -> Html:
    caption = "Verdicts, variants by devices"
    if of_several:
        caption = f"Verdicts on {plain(devices[0])} to {plain(devices[-1])}"
    heads = (tag("th", tag("bdi", one), scope="col", data_d=one) for one in devices)
    rows = (
        _row(weigh_in, context, number, result, devices)
        for number, result in enumerate(weigh_in.results, start=1)
    )
    return table(caption, ["variant", *heads], rows, "matrix")


def _row(
    weigh_in: WeighIn, context: Context, number: int, result: Result, devices: Sequence[str]
) -> Html:
    name = numbered(number, result.variant.label)
    size = amount(Metric.SIZE_MIB, result.variant.size_bytes / 2**20)
    file = tag("span", size, ", drop ", _drop(weigh_in, result), class_="file")
    cells = (_cell(weigh_in, context, result, device) for device in devices)
    return tag("tr", tag("th", name, file, scope="row"), *cells, data_v=str(number))


def _cell(weigh_in: WeighIn, context: Context, result: Result, device: str) -> Html:
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return tag("td", "not weighed", data_k=severity(Standing.UNDECIDED))
    standing = standing_of(weigh_in, verdict, context)
    shown = _explained(verdict, standing)
    better = summary.dominated_on(result, device)
    if better is not None:
        shown = join(shown, tag("small", f"dominated by {plain(better)}, which is simpler"))
    return tag("td", shown, class_=css_class(standing), data_k=severity(standing))


def _explained(verdict: Verdict, standing: Standing) -> Html:
    """A sign, the metric of the check that is shown, and what it found."""
    check = summary.deciding_check(verdict)
    name = standing.value.lower() if check is None else METRIC_WORDS[check.budget.metric].name
    sign = tag("span", sign_of(standing), aria_hidden="true")
    head = tag("em", sign, unseen(standing.value), " ", name)
    if check is None:
        return join(head, tag("small", verdict.reason))
    return join(head, _found(check))


def _found(check: Check) -> Html:
    reading, limit = check.reading, limit_of(check)
    if not isinstance(reading, Measurement):
        return tag("small", check.reason)
    words = check.objection or applied(check)
    more = NOTHING if words is None else tag("small", words)
    unit = METRIC_WORDS[check.budget.metric].unit
    value = join(number(reading.value, limit), Html("&nbsp;"), unit)
    return join(value, tag("small", ends_and_origin(reading, limit)), more)


def _drop(weigh_in: WeighIn, result: Result) -> Html:
    for device in weigh_in.devices:
        reading = summary.reading_on(result, device, Metric.ACCURACY_DROP_POINTS)
        if isinstance(reading, Measurement):
            ends = tag("small", ends_and_origin(reading))
            return join(amount(reading.metric, reading.value), " ", ends, rows_looked_at(reading))
    return Html("unknown")

"""A weigh-in as one HTML file that needs nothing else: no script, no address, no font to fetch.

It reads from the top: the verdict in words, what each device gets, every variant on every
device, the pictures, and last the evidence. A content policy in the page forbids everything
that the page does not contain, whatever a model may be called.
"""

from collections.abc import Iterator, Sequence
from importlib.resources import files

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import chart, summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_data import data
from weighin.gates.report.page_devices import cards, chart_legend, numbered, picture, tiles
from weighin.gates.report.page_facts import compared, evidence, failures, reproduce
from weighin.gates.report.page_fleet import users
from weighin.gates.report.page_parts import (
    NOTHING,
    amount,
    badge,
    css_class,
    explained,
    interval,
    rows_looked_at,
    section,
    table,
)
from weighin.gates.report.page_quality import look_at, quality
from weighin.gates.report.page_search import searched
from weighin.gates.report.words import count, plain
from weighin.gates.weigh_in import Result, WeighIn

_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_DEVICES_PER_TABLE = 6


def to_html(weigh_in: WeighIn, context: Context = PLAIN) -> str:
    """The whole page."""
    title = f"{plain(weigh_in.model)} v{plain(weigh_in.version)}: weigh-in"
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_POLICY),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", _style()),
    )
    page = tag("html", head, tag("body", tag("main", *_parts(weigh_in))), lang="en")
    return f"<!doctype html>\n{page}\n"


def _parts(weigh_in: WeighIn) -> Iterator[Html]:
    yield _header(weigh_in)
    yield look_at(weigh_in)
    if weigh_in.results and weigh_in.devices:
        yield users(weigh_in)
        yield tiles(weigh_in)
        yield _matrix(weigh_in)
        yield _size_picture(weigh_in)
        yield cards(weigh_in)
        yield quality(weigh_in)
    yield compared(weigh_in)
    yield searched(weigh_in)
    yield failures(weigh_in)
    yield data(weigh_in)
    yield evidence(weigh_in)
    yield reproduce(weigh_in)


def _style() -> Html:
    style = files("weighin.gates.report").joinpath("page.css").read_text(encoding="utf-8")
    return Html(style)


def _header(weigh_in: WeighIn) -> Html:
    outcome = summary.overall_outcome(weigh_in)
    seconds = (weigh_in.finished_at - weigh_in.started_at).total_seconds()
    meta = (
        f"Reference {summary.reference_quality(weigh_in)} · "
        f"{count(len(weigh_in.results), 'variant')}, {count(len(weigh_in.devices), 'device')} · "
        f"{weigh_in.finished_at:%Y-%m-%d %H:%M} UTC, took {_duration(seconds)}"
    )
    name = join(weigh_in.model, " ", tag("span", f"v{plain(weigh_in.version)}", class_="version"))
    return tag(
        "header",
        tag("p", "weighin", class_="wordmark"),
        tag("h1", name),
        tag(
            "div",
            badge(outcome),
            tag("p", summary.sentence(weigh_in)),
            class_=f"verdict {css_class(outcome)}",
        ),
        tag("p", meta, class_="meta"),
    )


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _matrix(weigh_in: WeighIn) -> Html:
    """Variants by devices, in as many tables as fit a page's width side by side."""
    note = tag(
        "p",
        "Beside each variant: its size and accuracy drop. Each cell shows the check that decided "
        "it; what passed shows its latency. A pass needs the whole interval within the budget.",
        class_="note",
    )
    starts = range(0, len(weigh_in.devices), _DEVICES_PER_TABLE)
    parts = [weigh_in.devices[start : start + _DEVICES_PER_TABLE] for start in starts]
    tables = (_matrix_table(weigh_in, part, of_several=len(parts) > 1) for part in parts)
    return section("matrix", "Every variant on every device", note, *tables)


def _matrix_table(weigh_in: WeighIn, devices: Sequence[str], *, of_several: bool) -> Html:
    caption = "Every variant on every device"
    if of_several:
        caption = f"Every variant on {plain(devices[0])} to {plain(devices[-1])}"
    rows = (
        _matrix_row(weigh_in, number, result, devices)
        for number, result in enumerate(weigh_in.results, start=1)
    )
    return table(caption, ["variant", *devices], rows, "matrix")


def _matrix_row(weigh_in: WeighIn, number: int, result: Result, devices: Sequence[str]) -> Html:
    name = numbered(number, result.variant.label)
    size = amount(Metric.SIZE_MIB, result.variant.size_bytes / 2**20)
    file = tag("span", size, ", drop ", _drop(weigh_in, result), class_="file")
    cells = (_matrix_cell(result, device) for device in devices)
    return tag("tr", tag("th", name, file, scope="row"), *cells)


def _matrix_cell(result: Result, device: str) -> Html:
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return tag("td", "not weighed")
    shown = explained(verdict, summary.deciding_check(verdict))
    better = summary.dominated_on(result, device)
    if better is not None:
        note = f"dominated by {plain(better)}, which is simpler"
        shown = join(shown, tag("span", note, class_="reason"))
    return tag("td", shown, class_=css_class(verdict.outcome))


def _drop(weigh_in: WeighIn, result: Result) -> Html:
    for device in weigh_in.devices:
        reading = summary.reading_on(result, device, Metric.ACCURACY_DROP_POINTS)
        if isinstance(reading, Measurement):
            return join(
                amount(reading.metric, reading.value), interval(reading), rows_looked_at(reading)
            )
    return Html("unknown")


def _size_picture(weigh_in: WeighIn) -> Html:
    shown = chart.size_marks(weigh_in)
    if not shown:
        return NOTHING
    words = (
        f"Accuracy drop against file size of {count(len(shown), 'variant')}; coloured by the best "
        "outcome on any device. Lines are budgets that all devices share."
    )
    drawn = picture(chart.size_spec(weigh_in), "Size against accuracy", words)
    pair = tag("div", tag("div", drawn, class_="card"), chart_legend(), class_="cards")
    return section("size", "Size against accuracy", pair)

"""The part of the HTML page that goes device by device: tiles, pictures and full tables."""

from collections.abc import Iterator

from weighin.gates.judge import Check, Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import chart, summary
from weighin.gates.report.limit_words import budget_words
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import (
    NOTHING,
    amount,
    badge,
    check_cell,
    css_class,
    facts,
    folded,
    interval,
    label,
    row,
    rows_looked_at,
    section,
    table,
)
from weighin.gates.report.quality_words import confidence_words
from weighin.gates.report.words import METRIC_WORDS, ORIGIN_WORDS, count, plain
from weighin.gates.weigh_in import Result, WeighIn

_DROP = Metric.ACCURACY_DROP_POINTS
MOST_PICTURES = 12
"""More pictures than this would be looked at by nobody, and would make the page heavy."""


def tiles(weigh_in: WeighIn) -> Html:
    """What each device gets: the smallest file that passed, or how near the nearest came."""
    items = (tag("li", _tile(weigh_in, device)) for device in weigh_in.devices)
    return section("devices", "What each device gets", tag("ul", *items, class_="tiles"))


def cards(weigh_in: WeighIn) -> Html:
    """A card per device: picture, budgets, and every check of every variant."""
    drawn = set(weigh_in.devices[:MOST_PICTURES])
    left_out = len(weigh_in.devices) - len(drawn)
    note = NOTHING
    if left_out:
        words = f"Pictures are drawn for the first {MOST_PICTURES} devices; the tables hold all."
        note = tag("p", words, class_="note")
    shown = (_card(weigh_in, device, with_picture=device in drawn) for device in weigh_in.devices)
    grid = tag("div", *shown, class_="cards")
    return section("pictures", "Device by device", note, grid)


def chart_legend() -> Html:
    """How to read the pictures, once for all of them."""
    keys = (
        tag("li", tag("span", glyph, class_=f"key {css_class(outcome)}", aria_hidden="true"), words)
        for outcome, glyph, words in (
            (Outcome.PASS, "\u25cf", "pass"),
            (Outcome.FAIL, "\u271a", "fail"),
            (Outcome.UNDECIDED, "\u25c6", "undecided"),
        )
    )
    words = (
        "Lower left is better.",
        "Bars are intervals; the area of a point is its file's size.",
        "Broken lines are budgets. A point whose bars stay inside the shade holds both of them; "
        "other budgets of the device may still stop it.",
        "Numbers are the rows of the tables. Where values lie far apart, the axis is logarithmic.",
    )
    lines = tag("ul", *(tag("li", line) for line in words))
    return tag(
        "div",
        tag("h3", "How to read the pictures"),
        tag("ul", *keys, class_="keys"),
        lines,
        class_="legend",
    )


def picture(spec: chart.Spec, title: str, words: str) -> Html:
    """A drawn specification with its description for those who do not see it."""
    svg = chart.draw(spec).replace("<svg ", '<svg aria-hidden="true" focusable="false" ', 1)
    image = tag("div", Html(svg), class_="picture", role="img", aria_label=f"{title}. {words}")
    return tag("figure", image, tag("figcaption", words))


def _tile(weigh_in: WeighIn, device: str) -> Html:
    outcome = summary.device_outcome(weigh_in, device)
    head = tag("div", tag("h3", device), badge(outcome), class_="tile-head")
    best = summary.smallest_pass(weigh_in, device)
    if best is not None:
        body = _best(weigh_in, best, device)
    elif miss := summary.nearest_miss(weigh_in, device):
        result, check = miss
        body = join(
            tag("p", "Nearest miss", class_="kicker"),
            tag("p", label(result.variant.label), class_="chosen"),
            tag("p", summary.why(check), class_="reason"),
        )
    else:
        body = tag("p", "Nothing was judged on this device.", class_="reason")
    return tag("div", head, body, class_=f"tile {css_class(outcome)}")


def _best(weigh_in: WeighIn, best: Result, device: str) -> Html:
    passing = len(summary.passing(weigh_in, device))
    kicker = f"Smallest of {passing} that passed" if passing > 1 else "The only one that passed"
    figures = (
        (
            METRIC_WORDS[reading.metric].name,
            join(
                amount(reading.metric, reading.value),
                interval(reading),
                rows_looked_at(reading) if reading.metric is _DROP else NOTHING,
            ),
        )
        for reading in summary.headline_figures(best, device)
    )
    return join(
        tag("p", kicker, class_="kicker"),
        tag("p", label(best.variant.label), class_="chosen"),
        facts(figures),
    )


def _card(weigh_in: WeighIn, device: str, *, with_picture: bool) -> Html:
    passing = len(summary.passing(weigh_in, device))
    of_all = f"{passing} of {count(len(weigh_in.results), 'variant')} passed"
    outcome = badge(summary.device_outcome(weigh_in, device))
    head = tag("div", tag("h3", device), outcome, class_="tile-head")
    drawn = _device_picture(weigh_in, device) if with_picture else NOTHING
    checks = _check_table(weigh_in, device)
    conditions = facts(_conditions(weigh_in, device))
    return tag(
        "article",
        head,
        tag("p", of_all, class_="note"),
        drawn,
        tag("div", folded("Every check", checks), folded("Conditions", conditions), class_="folds"),
        class_="card",
    )


def _device_picture(weigh_in: WeighIn, device: str) -> Html:
    shown = {mark.number for mark in chart.device_marks(weigh_in, device)}
    missing = [str(n) for n in range(1, len(weigh_in.results) + 1) if n not in shown]
    if not shown:
        words = "No picture: no variant has both a latency and an accuracy drop here."
        return tag("p", words, class_="reason")
    words = f"Accuracy drop against latency of {count(len(shown), 'variant')}."
    if missing:
        words += f" Not shown, for want of a number: {', '.join(missing)}."
    return picture(chart.device_spec(weigh_in, device), plain(device), words)


def _check_table(weigh_in: WeighIn, device: str) -> Html:
    budgets = summary.budgets_on(weigh_in, device)
    head = [
        join(METRIC_WORDS[metric].name, " ≤ ", _bound(check)) for metric, check in budgets.items()
    ]
    rows = (
        _check_row(number, result, device, tuple(budgets))
        for number, result in enumerate(weigh_in.results, start=1)
    )
    return table(f"Every check on {plain(device)}", ["variant", "verdict", *head], rows, "checks")


def _bound(check: Check) -> Html:
    """The budget, with its floor if it has one."""
    budget = check.budget
    if budget.floor is None and budget.least_rows is None:
        return amount(budget.metric, budget.at_most)
    return tag("span", budget_words(budget))


def _check_row(number: int, result: Result, device: str, metrics: tuple[Metric, ...]) -> Html:
    name = numbered(number, result.variant.label)
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return row(name, ["not weighed", *("" for _ in metrics)])
    by_metric = {check.budget.metric: check for check in verdict.checks}
    cells = [check_cell(by_metric[m]) if m in by_metric else "no budget" for m in metrics]
    outcomes = [by_metric[m].outcome if m in by_metric else None for m in metrics]
    shown = (
        tag("td", cell, class_=css_class(outcome) if outcome else None)
        for cell, outcome in zip(cells, outcomes, strict=True)
    )
    return tag("tr", tag("th", name, scope="row"), tag("td", badge(verdict.outcome)), *shown)


def numbered(number: int, name: str) -> Html:
    """A variant's number, as in the pictures, and its name."""
    return tag(
        "span", tag("span", str(number), class_="row-number"), " ", label(name), class_="numbered"
    )


def _conditions(weigh_in: WeighIn, device: str) -> Iterator[tuple[str, str]]:
    """Under which conditions each metric was read; where variants differ, how much."""
    for metric in Metric:
        readings = [
            reading
            for result in weigh_in.results
            if isinstance(reading := summary.reading_on(result, device, metric), Measurement)
        ]
        if not readings:
            continue
        origins = sorted({reading.origin for reading in readings})
        words = [f"{origin.value} ({ORIGIN_WORDS[origin]})" for origin in origins]
        words += _varying("samples", [str(reading.n) for reading in readings])
        sure = [one for one in map(confidence_words, readings) if one]
        words += _varying("each end holds with", sure) if sure else []
        names = dict.fromkeys(name for reading in readings for name, _ in reading.conditions)
        for name in names:
            said = (dict(reading.conditions).get(name) for reading in readings)
            found = [value for value in said if value is not None]
            (shown,) = _varying(name, found)
            of = f" (of {count(len(found), 'variant')} only)" if len(found) < len(readings) else ""
            words.append(f"{shown}{of}")
        yield METRIC_WORDS[metric].name, "; ".join(words)


def _varying(name: str, values: list[str]) -> list[str]:
    different = list(dict.fromkeys(values))
    shown = different[0] if len(different) == 1 else f"{len(different)} different values"
    return [f"{name} {shown}"]

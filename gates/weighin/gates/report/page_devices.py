"""The part of the HTML page that goes device by device: pictures and full tables."""

from collections.abc import Iterator, Sequence

from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric, Origin
from weighin.gates.report import chart, summary
from weighin.gates.report.chart_costs import SHOWN as COSTS
from weighin.gates.report.chart_costs import costs_spec, costs_words, device_costs, runs_spec
from weighin.gates.report.context import Context
from weighin.gates.report.draw import draw
from weighin.gates.report.limit_words import budget_words
from weighin.gates.report.mark_words import point_words
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import (
    MANY,
    NOTHING,
    amount,
    badge,
    check_cell,
    css_class,
    facts,
    first_upper,
    folded,
    numbered,
    row,
    section,
    severity,
    table,
)
from weighin.gates.report.page_picture import figure_of
from weighin.gates.report.quality_words import confidence_words
from weighin.gates.report.verdict_words import Fate, fates, standing_of
from weighin.gates.report.words import METRIC_WORDS, ORIGIN_WORDS, count, plain
from weighin.gates.weigh_in import WeighIn

_RUNS = (
    "Single runs of each variant. Box: the middle half; ticks: median (light), 90th and 99th "
    "percentile; the line starts at the 5th."
)


def size_picture(weigh_in: WeighIn) -> Html:
    """Size against accuracy, and beside it how to read this picture and the others."""
    shown = chart.size_marks(weigh_in)
    if not shown:
        return NOTHING
    words = (
        f"Accuracy drop against file size of {count(len(shown), 'variant')}; coloured by the best "
        "outcome on any device. Lines are budgets that all devices share."
    )
    svg = draw(chart.size_spec(weigh_in), point_words(shown))
    drawn = figure_of(svg, "Size against accuracy", words)
    pair = tag("div", tag("div", drawn, class_="card"), chart_legend(), class_="cards")
    return section("size", "Size against accuracy", pair)


def cards(weigh_in: WeighIn, context: Context) -> Html:
    """A card per device: pictures, budgets, and every check of every variant."""
    known = enumerate(fates(weigh_in, context), start=1)
    shown = (_card(weigh_in, context, place, fate) for place, fate in known)
    # Of many cards, a browser need only lay out those that are looked at.
    many = "cards many" if len(weigh_in.devices) > MANY else "cards"
    return section("pictures", "Device by device", tag("div", *shown, class_=many))


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


def _card(weigh_in: WeighIn, context: Context, place: int, fate: Fate) -> Html:
    device = fate.device
    passing = len(summary.passing(weigh_in, device))
    passed = "would pass if the numbers held" if context.untrusted else "passed"
    of_all = f"{passing} of {count(len(weigh_in.results), 'variant')} {passed}"
    head = tag("div", tag("h3", tag("bdi", device)), badge(fate.standing), class_="tile-head")
    checks = folded("Every check", _check_table(weigh_in, context, device))
    conditions = folded("Conditions", facts(_conditions(weigh_in, device)))
    return tag(
        "article",
        head,
        tag("p", of_all, class_="note"),
        _device_picture(weigh_in, device),
        _costs_pictures(weigh_in, device),
        tag("div", checks, conditions, class_="folds"),
        class_="card",
        id=f"device-{place}",
        data_d=device,
    )


def _device_picture(weigh_in: WeighIn, device: str) -> Html:
    marks = chart.device_marks(weigh_in, device)
    shown = {mark.number for mark in marks}
    missing = [str(n) for n in range(1, len(weigh_in.results) + 1) if n not in shown]
    if not shown:
        words = "No picture: no variant has both a latency and an accuracy drop here."
        return tag("p", words, class_="reason")
    words = f"Accuracy drop against latency of {count(len(shown), 'variant')}."
    if missing:
        words += f" Not shown, for want of a number: {', '.join(missing)}."
    svg = draw(chart.device_spec(weigh_in, device), point_words(marks))
    return figure_of(svg, plain(device), words)


def _costs_pictures(weigh_in: WeighIn, device: str) -> Html:
    """How single runs are spread, where that is known, and what else a run costs."""
    words = costs_words(weigh_in, device)
    runs, costs = runs_spec(weigh_in, device), costs_spec(weigh_in, device)
    drawn: list[Html] = []
    if runs is not None:
        title = f"Runs on {plain(device)}"
        drawn.append(figure_of(draw(runs, words), title, _RUNS))
    if costs is not None:
        apart = {Metric.LATENCY_P90_MS} if runs is not None else set[Metric]()
        known = [m for m in COSTS if m not in apart and device_costs(weigh_in, device, m)]
        names = _listed([METRIC_WORDS[metric].name for metric in known])
        caption = f"{first_upper(names)} of each variant."
        drawn.append(figure_of(draw(costs, words), f"Costs on {plain(device)}", caption))
    return join(*drawn)


def _listed(names: Sequence[str]) -> str:
    *others, last = names
    return f"{', '.join(others)} and {last}" if others else last


def _check_table(weigh_in: WeighIn, context: Context, device: str) -> Html:
    budgets = summary.budgets_on(weigh_in, device)
    heads = [_head(metric, check) for metric, check in budgets.items()]
    rows = (
        _check_row(weigh_in, context, number, device, tuple(budgets))
        for number in range(1, len(weigh_in.results) + 1)
    )
    head = ["variant", "verdict", "weakest origin", *heads]
    return table(f"Every check on {plain(device)}", head, rows, "checks")


def _head(metric: Metric, check: Check) -> Html:
    return join(METRIC_WORDS[metric].name, " ≤ ", _bound(check))


def _bound(check: Check) -> Html:
    """The budget, with its floor if it has one."""
    budget = check.budget
    if budget.floor is None and budget.least_rows is None:
        return amount(budget.metric, budget.at_most)
    return tag("span", budget_words(budget))


def _check_row(
    weigh_in: WeighIn, context: Context, number: int, device: str, metrics: tuple[Metric, ...]
) -> Html:
    result = weigh_in.results[number - 1]
    name = numbered(number, result.variant.label)
    verdict = summary.verdict_on(result, device)
    if verdict is None:
        return row(name, ["not weighed", "", *("" for _ in metrics)])
    standing = standing_of(weigh_in, verdict, context)
    by_metric = {check.budget.metric: check for check in verdict.checks}
    cells = (_check(by_metric.get(metric)) for metric in metrics)
    said = tag("td", badge(standing), data_k=severity(standing))
    shown = (tag("th", name, scope="row"), said, _weakest(verdict), *cells)
    return tag("tr", *shown, data_v=str(number))


def _check(check: Check | None) -> Html:
    if check is None:
        return tag("td", "no budget")
    return tag("td", check_cell(check), class_=css_class(check.outcome))


def _weakest(verdict: Verdict) -> Html:
    """The least trustworthy origin of what was judged."""
    ranks = list(Origin)
    readings = (check.reading for check in verdict.checks)
    found = [ranks.index(one.origin) for one in readings if isinstance(one, Measurement)]
    if not found:
        return tag("td", "no number", data_k=str(len(ranks)))
    return tag("td", ranks[max(found)].value, data_k=str(max(found)))


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

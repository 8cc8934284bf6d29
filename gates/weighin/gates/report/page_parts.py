"""The small pieces that the HTML page repeats: badges, numbers, names, tables, sections."""

import re
from collections.abc import Iterable, Sequence

from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report.limit_words import applied, limit_of
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.quality_words import looked
from weighin.gates.report.words import GLYPHS, METRIC_WORDS, figure

NOTHING = Html("")


def badge(outcome: Outcome) -> Html:
    """The outcome as a sign and a word; the colour only repeats them."""
    glyph = tag("span", GLYPHS[outcome], aria_hidden="true")
    return tag("span", glyph, Html("&nbsp;"), outcome.value, class_=f"badge {css_class(outcome)}")


def css_class(outcome: Outcome) -> str:
    """The class that colours something like an outcome."""
    return outcome.value.lower()


def number(value: float, beside: float | None = None) -> Html:
    """A rounded number that carries its exact value for whoever reads the page by program."""
    return tag("data", figure(value, beside).replace("-", "\u2212"), value=repr(value))


def amount(metric: Metric, value: float, beside: float | None = None) -> Html:
    """A number with its unit."""
    unit = tag("span", METRIC_WORDS[metric].unit, class_="unit")
    return tag("span", number(value, beside), Html("&nbsp;"), unit, class_="amount")


def interval(reading: Measurement, beside: float | None = None) -> Html:
    """``0.04 to 0.24`` and the origin; the origin alone when the interval is a point."""
    origin = tag("span", reading.origin.value, class_="origin")
    if reading.lower == reading.upper:
        return join(" ", origin)
    ends = join(number(reading.lower, beside), " to ", number(reading.upper, beside))
    return tag("span", tag("span", ends, class_="ends"), " ", origin, class_="interval")


def rows_looked_at(reading: Measurement) -> Html:
    """How many rows it took, and the confidence, as far as either needs saying."""
    words = looked(reading)
    return tag("span", words, class_="looked") if words else NOTHING


def check_cell(check: Check) -> Html:
    """What one check found: value, interval and origin, or why there is no number."""
    reading, limit = check.reading, limit_of(check)
    if not isinstance(reading, Measurement):
        return tag("span", check.reason, class_="reason")
    shown = join(amount(check.budget.metric, reading.value, limit), interval(reading, limit))
    words = check.objection or applied(check)
    return shown if words is None else join(shown, tag("span", words, class_="reason"))


def explained(verdict: Verdict, check: Check | None) -> Html:
    """A verdict with the check that is shown for it."""
    if check is None:
        return join(badge(verdict.outcome), tag("span", verdict.reason, class_="reason"))
    name = tag("span", METRIC_WORDS[check.budget.metric].name, class_="metric")
    return join(badge(verdict.outcome), " ", name, " ", check_cell(check))


def label(name: str) -> Html:
    """A variant's name, which may break where its recipe has a joint."""
    pieces = re.split(r"(?<=[+_])|(?=\.\w+$)", name)
    return tag("span", *intersperse(pieces, tag("wbr")), class_="label")


def intersperse(pieces: Sequence[str], between: Html) -> list[str]:
    """The pieces with something between each two."""
    return [part for piece in pieces for part in (between, piece)][1:]


def digest(sha256: str) -> Html:
    """A digest: short for the eye, whole for the clipboard and the pointer."""
    return tag("code", sha256, class_="digest", title=sha256)


def table(caption: str, head: Sequence[str], rows: Iterable[Html], class_: str = "") -> Html:
    """A table that scrolls inside its own frame, by keyboard too, when it is too wide."""
    cells = (tag("th", cell, scope="col") for cell in head)
    inner = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *cells)),
        tag("tbody", *rows),
        class_=class_ or None,
    )
    return tag("div", inner, class_="scroll", role="region", aria_label=caption, tabindex="0")


def row(header: str, cells: Iterable[str], class_: str | None = None) -> Html:
    """One row of a table; the first cell names it."""
    shown = (tag("td", cell) for cell in cells)
    return tag("tr", tag("th", header, scope="row"), *shown, class_=class_)


def facts(pairs: Iterable[tuple[str, str]]) -> Html:
    """Names with their values, as a description list."""
    items = (tag("div", tag("dt", name), tag("dd", value)) for name, value in pairs)
    return tag("dl", *items, class_="facts")


def section(identifier: str, title: str, *content: str) -> Html:
    """A part of the page with its heading."""
    heading = tag("h2", title, id=f"{identifier}-title")
    labelled = f"{identifier}-title"
    return tag("section", heading, *content, id=identifier, aria_labelledby=labelled)


def folded(summary: str, *content: str) -> Html:
    """Details that open on a click, and in print."""
    return tag("details", tag("summary", summary), *content)

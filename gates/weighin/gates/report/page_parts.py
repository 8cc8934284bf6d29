"""The small pieces that the HTML page repeats: badges, numbers, names, tables, sections."""

import re
from collections.abc import Iterable, Sequence

from weighin.gates.judge import Check, Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report.limit_words import applied, limit_of
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.quality_words import looked
from weighin.gates.report.verdict_words import MARKS, Standing
from weighin.gates.report.words import METRIC_WORDS, figure

NOTHING = Html("")
MANY = 8
"""From more devices on, tiles are small, and cards are laid out when they are looked at."""


def badge(outcome: Outcome | Standing) -> Html:
    """The outcome as a sign and a word; the colour only repeats them."""
    glyph = tag("span", sign_of(outcome), aria_hidden="true")
    return tag("span", glyph, Html("&nbsp;"), outcome.value, class_=f"badge {css_class(outcome)}")


def sign_of(outcome: Outcome | Standing) -> str:
    """A sign that says it without colour."""
    return MARKS[Standing(outcome.value)]


def css_class(outcome: Outcome | Standing) -> str:
    """The class that colours something like an outcome."""
    return outcome.value.lower()


def severity(outcome: Outcome | Standing) -> str:
    """Where an outcome stands when a table is sorted by it, as the attribute that says so."""
    return str(list(Standing).index(Standing(outcome.value)))


def number(value: float, beside: float | None = None) -> Html:
    """A rounded number that carries six digits for sorting; the JSON report has all of them."""
    return tag("data", _shown(value, beside), value=f"{value:.6g}")


def _shown(value: float, beside: float | None) -> str:
    return figure(value, beside).replace("-", "\u2212")


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
    """What one check found: value, interval and origin, or why there is no number.

    Without a unit: that stands at the head of the column.
    """
    reading, limit = check.reading, limit_of(check)
    if not isinstance(reading, Measurement):
        return tag("small", check.reason)
    words = check.objection or applied(check)
    more = NOTHING if words is None else tag("small", words)
    return join(number(reading.value, limit), tag("small", ends_and_origin(reading, limit)), more)


def ends_and_origin(reading: Measurement, beside: float | None = None) -> Html:
    """``0.04 to 0.24 · artifact``; the origin alone when the interval is a point."""
    if reading.lower == reading.upper:
        return Html(reading.origin.value)
    lower, upper = _shown(reading.lower, beside), _shown(reading.upper, beside)
    return Html(f"{lower} to {upper} · {reading.origin.value}")


def label(name: str) -> Html:
    """A variant's name, which may break where its recipe has a joint."""
    pieces = re.split(r"(?<=[+_])|(?=\.\w+$)", name)
    return tag("span", *intersperse(pieces, tag("wbr")), class_="label")


def intersperse(pieces: Sequence[str], between: Html) -> list[str]:
    """The pieces with something between each two."""
    return [part for piece in pieces for part in (between, piece)][1:]


def numbered(number: int, name: str) -> Html:
    """A variant's number, as in the pictures, and its name."""
    return tag(
        "span", tag("span", str(number), class_="row-number"), " ", label(name), class_="numbered"
    )


def first_upper(words: str) -> str:
    """The same as the beginning of a sentence."""
    return words[:1].upper() + words[1:]


def unseen(words: str) -> Html:
    """For those who listen; what it says is visible in another way."""
    return tag("span", words, class_="sr")


def digest(sha256: str) -> Html:
    """A digest: short for the eye, whole for the clipboard, the pointer and paper."""
    return tag("code", sha256, class_="digest")


def table(caption: str, head: Sequence[str], rows: Iterable[Html], class_: str = "") -> Html:
    """A table that scrolls inside its own frame, by keyboard too, when it is too wide.

    A column's head is text, or a whole ``<th>``.
    """
    inner = tag(
        "table",
        tag("caption", caption),
        tag("thead", tag("tr", *(_column(cell) for cell in head))),
        tag("tbody", *rows),
        class_=class_ or None,
    )
    return tag("div", inner, class_="scroll", role="region", aria_label=caption, tabindex="0")


def _column(cell: str) -> Html:
    if isinstance(cell, Html) and cell.startswith("<th "):
        return cell
    return tag("th", cell, scope="col")


def row(
    header: str, cells: Iterable[str], class_: str | None = None, *, device: str | None = None
) -> Html:
    """One row of a table; the first cell names it. A cell is text, or a whole ``<td>``."""
    shown = (_cell(cell) for cell in cells)
    return tag("tr", tag("th", header, scope="row"), *shown, class_=class_, data_d=device)


def _cell(cell: str) -> Html:
    if isinstance(cell, Html) and cell.startswith("<td"):
        return cell
    return tag("td", cell)


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

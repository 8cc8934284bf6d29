"""A weigh-in as one HTML file that needs nothing else: no address, no font, no script but its own.

It reads from the top: may it ship, where, how sure, what changed; then what each device gets,
every variant on every device, the pictures, and last what the numbers rest on. The pictures are
drawn when the page is written, so it can be read and printed where no script runs; the one
script sorts, filters and links. A content policy in the page forbids everything that the page
does not contain, by digest, whatever a model may be called.
"""

import base64
import hashlib
from collections.abc import Iterator
from importlib.resources import files

from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_answers import header
from weighin.gates.report.page_chain import chain
from weighin.gates.report.page_changes import changed
from weighin.gates.report.page_data import data
from weighin.gates.report.page_devices import cards, size_picture
from weighin.gates.report.page_facts import compared, evidence, failures, reproduce
from weighin.gates.report.page_fleet import users
from weighin.gates.report.page_history import history
from weighin.gates.report.page_matrix import matrix
from weighin.gates.report.page_notices import notices
from weighin.gates.report.page_parts import NOTHING
from weighin.gates.report.page_quality import look_at, quality
from weighin.gates.report.page_search import searched
from weighin.gates.report.page_tiles import tiles
from weighin.gates.report.words import plain
from weighin.gates.weigh_in import WeighIn


def to_html(weigh_in: WeighIn, context: Context = PLAIN) -> str:
    """The whole page.

    Args:
        weigh_in: What is told.
        context: What else is known: waivers, earlier versions, signatures, changed budgets.
    """
    title = f"{plain(weigh_in.model)} v{plain(weigh_in.version)}: weigh-in"
    style, script = (_own(name) for name in ("page.css", "page.js"))
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        tag("meta", name="color-scheme", content="light dark"),
        tag("title", title),
        tag("style", style),
    )
    skip = tag("a", "Skip to the verdict", href="#verdict", class_="skip")
    distrusted = "untrusted" if context.untrusted else None
    main = tag("main", *_parts(weigh_in, context))
    body = tag("body", skip, main, tag("script", script), class_=distrusted)
    return f"<!doctype html>\n{tag('html', head, body, lang='en')}\n"


def _own(name: str) -> Html:
    return Html(files("weighin.gates.report").joinpath(name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """Nothing may load, run or be styled but these two texts."""
    return (
        f"default-src 'none'; style-src {_hashed(style)}; script-src {_hashed(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hashed(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _parts(weigh_in: WeighIn, context: Context) -> Iterator[Html]:
    sections = tuple(_sections(weigh_in, context))
    yield header(weigh_in, context)
    yield notices(weigh_in, context)
    yield look_at(weigh_in)
    yield _toolbar([(name, title) for name, title, content in sections if title and content])
    yield join(*(content for _, _, content in sections))


def _sections(weigh_in: WeighIn, context: Context) -> Iterator[tuple[str, str, Html]]:
    """Identifier, name in the toolbar if it stands there, and content; empty if it has none."""
    if weigh_in.results and weigh_in.devices:
        yield "users", "", users(weigh_in)
        yield "devices", "Devices", tiles(weigh_in, context)
        yield "changes", "Changes", changed(weigh_in, context)
        yield "matrix", "All verdicts", matrix(weigh_in, context)
        yield "size", "", size_picture(weigh_in)
        yield "pictures", "Pictures", cards(weigh_in, context)
        yield "quality", "Accuracy", quality(weigh_in)
    yield "history", "History", history(weigh_in, context)
    yield "release", "", compared(weigh_in)
    yield "search", "", searched(weigh_in)
    yield "failures", "Missing", failures(weigh_in)
    yield "data", "", data(weigh_in)
    yield "chain", "Evidence", chain(weigh_in, context)
    yield "evidence", "", evidence(weigh_in)
    yield "reproduce", "", reproduce(weigh_in)


def _toolbar(shown: list[tuple[str, str]]) -> Html:
    """Where one can go; the script puts a filter beside it."""
    links = (tag("li", tag("a", title, href=f"#{name}")) for name, title in shown)
    nav = tag("nav", tag("ul", *links), aria_label="On this page")
    return tag("div", nav, class_="toolbar", id="toolbar") if shown else NOTHING

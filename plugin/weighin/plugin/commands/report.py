"""``weighin report MODEL/VERSION``: show a finished weigh-in again."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.plugin.console import say, say_json
from weighin.plugin.outputs import Places, output_arguments, wants_places, write_outputs

if TYPE_CHECKING:
    from weighin.gates.report.context import Context
    from weighin.gates.weigh_in import WeighIn
    from weighin.plugin.project import Project

SUMMARY = "show a finished weigh-in again"
DESCRIPTION = "Show the result of a finished weigh-in; measures nothing."
EXAMPLE = """examples:
  weighin report digits/1                      the tables, in the terminal
  weighin report digits/1 --open               the page, in the browser
  weighin report digits/2 --compare 1          what changed since version 1
  weighin report digits/1 --format markdown    for a pull request
  weighin report digits/1 --format html        where the page is
  weighin report digits/1 --summary            a dozen lines for a chat
  weighin report digits/1 --junit junit.xml    for a CI system
  weighin report digits/1 --json               the document (weighin/report/v1)
  weighin report digits/1 --verify             does every number still stand on its evidence?
  weighin report digits/1 --verify --json      the same for a script (weighin/chain/v1)

exit codes: 0 something passed, or the chain holds; 1 the chain is broken; 3 nothing may ship
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("reference", metavar="MODEL/VERSION")
    parser.add_argument("--format", choices=("terminal", "markdown", "html"), default="terminal")
    parser.add_argument("--json", action="store_true", help="print the report document")
    parser.add_argument("--open", action="store_true", help="show the page in the browser")
    parser.add_argument(
        "--compare",
        metavar="VERSION",
        help="tell changes against this version instead of the released one",
    )
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check every link from the registered files to the channel",
    )
    output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Show the stored weigh-in in the shapes that were asked for."""
    from weighin.gates.report.document import to_document
    from weighin.plugin.around import budgets_of, look_around
    from weighin.plugin.project import open_project, parse_reference
    from weighin.plugin.results import load_weigh_in, weigh_in_folder

    name, version = parse_reference(args.reference)
    compare = _version(args.compare)
    project, now = open_project(Path.cwd()), datetime.now(UTC)
    if args.verify:
        return _verify(project, name, version, now, as_json=args.json)
    weigh_in = load_weigh_in(weigh_in_folder(project, name, version))
    context = look_around(project, weigh_in, now, compare)
    places = budgets_of(project, weigh_in, context) if wants_places(args) else Places()
    shown = write_outputs(args, weigh_in, context, places)
    if args.json:
        say_json(to_document(weigh_in))
    elif args.open or args.format == "html":
        _page(project, weigh_in, context, compared=compare, opened=args.open)
    elif not shown:
        _show(weigh_in, context, args.format)
    return 0 if weigh_in.may_ship else 3


def _version(text: str | None) -> str | None:
    """``2`` of ``2``, ``v2``.

    Raises:
        ConfigError: it is no version.
    """
    from weighin.gates.errors import ConfigError

    number = None if text is None else text.removeprefix("v")
    if number is not None and not (number.isascii() and number.isdigit()):
        raise ConfigError(f"--compare takes a version number of the same model, not '{text}'")
    return number


def _show(weigh_in: "WeighIn", context: "Context", shape: str) -> None:
    from weighin.gates.report.markdown import to_markdown
    from weighin.plugin.show import show_weigh_in

    if shape == "markdown":
        say(to_markdown(weigh_in, context=context).removesuffix("\n"))
    else:
        show_weigh_in(weigh_in, context)


def _page(
    project: "Project",
    weigh_in: "WeighIn",
    context: "Context",
    *,
    compared: str | None,
    opened: bool,
) -> None:
    """Where the page is, or the page itself in a browser; written anew if it is not there."""
    from weighin.gates.report.html import to_html
    from weighin.plugin.results import REPORT_HTML
    from weighin.plugin.show import open_page

    page = project.results(weigh_in.model, weigh_in.version) / REPORT_HTML
    if compared is not None or opened or not page.is_file():
        since = "" if compared is None else f"-since-v{compared}"
        page = project.state / "pages" / weigh_in.model / f"v{weigh_in.version}{since}.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(to_html(weigh_in, context), encoding="utf-8")
    if opened:
        open_page(page)
    else:
        say(str(page))


def _verify(project: "Project", name: str, version: str, now: datetime, *, as_json: bool) -> int:
    """Show the chain; 0 only if all of it holds."""
    from weighin.plugin.chain_facts import collect
    from weighin.plugin.chain_words import chain_text, chain_to_json
    from weighin.registry.chain import trace

    chain = trace(collect(project, name, version, now))
    if as_json:
        say_json(chain_to_json(chain))
    else:
        say(chain_text(chain))
    return 0 if chain.holds else 1

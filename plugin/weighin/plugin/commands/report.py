"""``weighin report MODEL/VERSION``: show a finished weigh-in again."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.plugin.console import say, say_json

if TYPE_CHECKING:
    from weighin.plugin.project import Project

SUMMARY = "show a finished weigh-in again"
DESCRIPTION = "Show the result of a finished weigh-in; measures nothing."
EXAMPLE = """examples:
  weighin report digits/1                      the table, in the terminal
  weighin report digits/1 --format markdown    for a pull request
  weighin report digits/1 --format html        where the page is
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
    parser.add_argument(
        "--verify",
        action="store_true",
        help="check every link from the registered files to the channel",
    )


def run(args: argparse.Namespace) -> int:
    """Show the stored weigh-in in one of its shapes."""
    from weighin.gates.report.document import to_document
    from weighin.gates.report.markdown import to_markdown
    from weighin.plugin.project import open_project, parse_reference
    from weighin.plugin.results import load_weigh_in
    from weighin.plugin.show import show_weigh_in

    name, version = parse_reference(args.reference)
    project = open_project(Path.cwd())
    if args.verify:
        return _verify(project, name, version, as_json=args.json)
    folder = project.results(name, version)
    weigh_in = load_weigh_in(folder)
    if args.json:
        say_json(to_document(weigh_in))
    elif args.format == "html":
        say(str(folder / "report.html"))
    elif args.format == "markdown":
        say(to_markdown(weigh_in))
    else:
        show_weigh_in(weigh_in)
    return 0 if weigh_in.may_ship else 3


def _verify(project: "Project", name: str, version: str, *, as_json: bool) -> int:
    """Show the chain; 0 only if all of it holds."""
    from weighin.plugin.chain_facts import collect
    from weighin.plugin.chain_words import chain_text, chain_to_json
    from weighin.registry.chain import trace

    chain = trace(collect(project, name, version, datetime.now(UTC)))
    if as_json:
        say_json(chain_to_json(chain))
    else:
        say(chain_text(chain))
    return 0 if chain.holds else 1

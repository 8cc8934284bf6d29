"""``weighin report MODEL/VERSION``: show a finished weigh-in again."""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json

SUMMARY = "show a finished weigh-in again"
DESCRIPTION = "Show the result of a finished weigh-in; measures nothing."
EXAMPLE = """examples:
  weighin report digits/1                      the table, in the terminal
  weighin report digits/1 --format markdown    for a pull request
  weighin report digits/1 --format html        where the page is
  weighin report digits/1 --json               the document (weighin/report/v1)
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("reference", metavar="MODEL/VERSION")
    parser.add_argument("--format", choices=("terminal", "markdown", "html"), default="terminal")
    parser.add_argument("--json", action="store_true", help="print the report document")


def run(args: argparse.Namespace) -> int:
    """Show the stored weigh-in in one of its shapes."""
    from weighin.gates.report.document import to_document
    from weighin.gates.report.markdown import to_markdown
    from weighin.plugin.project import open_project, parse_reference
    from weighin.plugin.results import load_weigh_in
    from weighin.plugin.show import show_weigh_in

    name, version = parse_reference(args.reference)
    folder = open_project(Path.cwd()).results(name, version)
    weigh_in = load_weigh_in(folder)
    if args.json:
        say_json(to_document(weigh_in))
    elif args.format == "html":
        say(str(folder / "report.html"))
    elif args.format == "markdown":
        say(to_markdown(weigh_in))
    else:
        show_weigh_in(weigh_in)
    return 0 if weigh_in.passed else 3

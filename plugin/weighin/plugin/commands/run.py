"""``weighin run MODEL/VERSION``: weigh one version now."""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from weighin.plugin.console import say, say_json
from weighin.plugin.outputs import Places, output_arguments, wants_places, write_outputs

SUMMARY = "weigh one registered version now"
DESCRIPTION = (
    "Build the variants of one version, weigh each on each target device, and "
    "write the report. Doing it twice does nothing twice."
)
EXAMPLE = """examples:
  weighin run digits/1             weigh version 1 of the registered model `digits`
  weighin run digits/1 --json      print the report document (weighin/report/v1)
  weighin run digits/1 --again     measure everything on this machine again
  weighin run digits/1 --junit junit.xml --summary summary.md    for a CI system

exit codes: 0 done; 1 failed; 2 configuration; 3 done, but nothing may ship
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("reference", metavar="MODEL/VERSION")
    parser.add_argument("--again", action="store_true", help="measure again")
    parser.add_argument("--json", action="store_true", help="print the report document")
    output_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Weigh one version and show the result."""
    from weighin.gates.report.document import to_document
    from weighin.plugin.around import budgets_of, look_around
    from weighin.plugin.project import open_project, parse_reference
    from weighin.plugin.show import show_weigh_in
    from weighin.plugin.worklist import weigh_version

    name, version = parse_reference(args.reference)
    project = open_project(Path.cwd())
    weigh_in = weigh_version(project, name, version, again=args.again, quiet=args.json)
    context = look_around(project, weigh_in, datetime.now(UTC))
    places = budgets_of(project, weigh_in, context) if wants_places(args) else Places()
    shown = write_outputs(args, weigh_in, context, places)
    if args.json:
        say_json(to_document(weigh_in))
    elif not shown:
        show_weigh_in(weigh_in, context)
        say(f"report: {project.results(name, version) / 'report.html'}")
        if weigh_in.may_ship:
            say(f"next:   weighin promote {name}/{version}")
    return 0 if weigh_in.may_ship else 3

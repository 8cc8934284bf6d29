"""``weighin data check MODEL`` and ``weighin data freeze MODEL``: the data, and its suites."""

import argparse
from dataclasses import asdict
from pathlib import Path

from weighin.gates.data import DataReport
from weighin.plugin.console import say, say_json

SUMMARY = "check the data of a model, or agree to what is there"
DESCRIPTION = (
    "Check shows every expectation on every data set of a model and whether it holds. Freeze "
    "writes a Great Expectations suite beside each data file, made from the data that is there: "
    "commit it with the data, and every run checks it too."
)
EXAMPLE = """examples:
  weighin data check digits            every expectation, and the rows that break it
  weighin data freeze digits           write or renew data/evaluation.suite.json and the others
  weighin data check digits --json     the same as JSON

exit codes: 0 all of it holds; 1 something is broken; 2 configuration
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("action", choices=("check", "freeze"))
    parser.add_argument("model", metavar="MODEL", help="a model that weighin.toml describes")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(args: argparse.Namespace) -> int:
    """Check, or freeze."""
    return run_check(args) if args.action == "check" else run_freeze(args)


def run_check(args: argparse.Namespace) -> int:
    """Show every expectation; the exit code says whether all of them hold."""
    from weighin.plugin.project import open_project
    from weighin.plugin.suites import check_model

    report = check_model(open_project(Path.cwd()), args.model)
    if args.json:
        say_json(_document(report))
    else:
        _show(report)
    return 0 if report.ok else 1


def run_freeze(args: argparse.Namespace) -> int:
    """Write the suites, and say which files to commit."""
    from weighin.plugin.project import open_project
    from weighin.plugin.suites import freeze_model

    project = open_project(Path.cwd())
    written = freeze_model(project, args.model)
    if args.json:
        say_json([asdict(one) | {"path": str(one.path)} for one in written])
        return 0
    for one in written:
        own = f", {one.kept} of them your own" if one.kept else ""
        news = "" if one.changed else " (unchanged)"
        path = one.path.relative_to(project.root)
        say(f"{path}: {one.expectations} expectations{own}{news}")
    say("Look at them, and commit them with the data; every run checks them.")
    return 0


def _show(report: DataReport) -> None:
    from weighin.gates.report.data_words import data_lines

    for digest in report.data:
        say(f"{digest.role}: {digest.path}, {digest.rows} rows")
        for result in (one for one in report.results if one.role == digest.role):
            origin = " [suite]" if result.committed else ""
            say(f"  {'✓' if result.success else '✗'} {result.expectation}{origin}")
            if not result.success:
                rows = f" (first at rows {', '.join(map(str, result.rows))})" if result.rows else ""
                say(f"      {result.observed}{rows}")
    for name, text in data_lines(report.summary):
        say(f"{name}: {text}")
    broken, whole = len(report.broken), len(report.results)
    say(f"{broken} of {whole} expectations are broken" if broken else f"all {whole} hold")


def _document(report: DataReport) -> dict[str, object]:
    from weighin.gates.data_wire import summary_to_json
    from weighin.gates.wire import data_to_json

    return {
        "ok": report.ok,
        "data": [data_to_json(one) for one in (*report.data, *report.suites)],
        "expectations": [asdict(result) for result in report.results],
        "summary": summary_to_json(report.summary),
    }

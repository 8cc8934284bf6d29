"""What other tools take of a weigh-in: JUnit, SARIF, annotations, a short summary.

Each goes to a file, or with ``-`` to standard output, where it stands in place of the table. What
this module does not do: it renders nothing itself.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from weighin.gates.metric import Metric
from weighin.gates.report.annotations import FILE, Lines
from weighin.gates.report.context import Context
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.console import say

STDOUT = "-"


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where budgets stand: the lines that are known, and the file in the repository."""

    lines: Lines = field(default_factory=dict[tuple[str, Metric], int])
    file: str = FILE


def output_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the files for other tools."""
    group = parser.add_argument_group("for other tools (FILE may be - for standard output)")
    group.add_argument("--junit", metavar="FILE", help="JUnit XML: one suite per device")
    group.add_argument("--sarif", metavar="FILE", help="SARIF 2.1.0: the budgets in the way")
    group.add_argument(
        "--summary",
        metavar="FILE",
        nargs="?",
        const=STDOUT,
        help="a dozen lines for Slack, Teams or an e-mail (without FILE: standard output)",
    )
    group.add_argument(
        "--annotations",
        action="store_true",
        help="GitHub workflow commands for the budgets in the way, to standard output",
    )


def wants_places(args: argparse.Namespace) -> bool:
    """Whether anything that was asked for says where budgets stand."""
    return bool(args.annotations) or args.sarif is not None


def write_outputs(
    args: argparse.Namespace, weigh_in: WeighIn, context: Context, places: Places
) -> bool:
    """Write what was asked for; whether anything of it went to standard output.

    Args:
        args: The command's, see :func:`output_arguments`.
        weigh_in: What is told of.
        context: What else is known.
        places: Where the budgets stand, if :func:`wants_places` asks for it.
    """
    shown = False
    for target, text in _asked(args, weigh_in, context, places):
        if target != STDOUT:
            path = Path(target)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            continue
        shown = True
        if text:
            say(text.removesuffix("\n"))
    return shown


def _asked(
    args: argparse.Namespace, weigh_in: WeighIn, context: Context, places: Places
) -> Iterator[tuple[str, str]]:
    """Target and text of each."""
    if args.annotations:
        yield STDOUT, _annotations(weigh_in, context, places)
    texts: dict[str, Callable[[], str]] = {
        "junit": lambda: _junit(weigh_in, context),
        "sarif": lambda: _sarif(weigh_in, context, places),
        "summary": lambda: _summary(weigh_in, context),
    }
    for name, text in texts.items():
        if (target := getattr(args, name)) is not None:
            yield target, text()


def _annotations(weigh_in: WeighIn, context: Context, places: Places) -> str:
    from weighin.gates.report.annotations import to_annotations

    return to_annotations(weigh_in, lines=places.lines, context=context, file=places.file)


def _junit(weigh_in: WeighIn, context: Context) -> str:
    from weighin.gates.report.junit import to_junit

    return to_junit(weigh_in, context=context)


def _sarif(weigh_in: WeighIn, context: Context, places: Places) -> str:
    from importlib.metadata import version

    from weighin.gates.report.sarif import to_sarif

    document = to_sarif(
        weigh_in,
        lines=places.lines,
        context=context,
        file=places.file,
        version=version("weighin"),
    )
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def _summary(weigh_in: WeighIn, context: Context) -> str:
    from weighin.gates.report.brief import to_brief

    return to_brief(weigh_in, context=context)

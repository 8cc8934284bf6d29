"""The command line: declares the commands, maps errors to exit codes, and nothing else.

Exit codes: 0 done; 1 failed; 2 wrong usage or configuration; 3 done, but nothing may ship;
10 lock mismatch, 11 integrity, 12 rollback, 13 expired, 14 network, 15 nothing approved.
"""

import argparse
import importlib
import sys
import textwrap
from collections.abc import Sequence

from weighin.gates.errors import WeighinError
from weighin.plugin.console import warn

COMMANDS = (
    "init",
    "demo",
    "run",
    "sync",
    "report",
    "review",
    "data",
    "promote",
    "pull",
    "verify",
    "device",
    "inspect",
    "bundle",
    "plan-samples",
    "doctor",
)
INTERRUPTED = 130


def build_parser(names: Sequence[str] = COMMANDS) -> argparse.ArgumentParser:
    """The parser of the commands; each command's module declares its own part.

    Args:
        names: Which of them. Importing the modules of all takes longer than some take to run.
    """
    parser = argparse.ArgumentParser(
        prog="weighin",
        description="A model weighs in before the phone: build, gate, release and pull variants.",
        epilog="Start with `weighin demo`, or `weighin init` in your own repository.",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in names:
        module = importlib.import_module(f"weighin.plugin.commands.{name.replace('-', '_')}")
        command = commands.add_parser(
            name,
            help=module.SUMMARY,
            description=textwrap.fill(module.DESCRIPTION, width=80),
            epilog=module.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        command.set_defaults(run=module.run)
        module.arguments(command)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; errors are one message, never a traceback."""
    given = sys.argv[1:] if argv is None else argv
    named = [name for name in COMMANDS if given and name == given[0]]
    args = build_parser(named or COMMANDS).parse_args(given)
    try:
        code: int = args.run(args)
    except WeighinError as error:
        warn(f"weighin: {error}")
        return error.exit_code
    except OSError as error:
        where = f" ({error.filename})" if error.filename else ""
        warn(f"weighin: the operating system refused: {error.strerror}{where}")
        return WeighinError.exit_code
    except KeyboardInterrupt:
        warn("weighin: interrupted; what was finished is kept, run it again to go on")
        return INTERRUPTED
    return code


if __name__ == "__main__":
    sys.exit(main())

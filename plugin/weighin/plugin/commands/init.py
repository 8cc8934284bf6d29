"""``weighin init``: make a repository ready, and say what was made."""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json

EXAMPLE = """examples:
  weighin init                 in the root of your git repository
  weighin init ../my-project   somewhere else
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "init",
        help="write weighin.toml, set up DVC and a development channel",
        description="Write a commented weighin.toml, set up DVC with a local remote, and make "
        "a development channel with its keys. What is already there is left alone.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="default: here")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Make the repository ready; doing it twice changes nothing."""
    from weighin.plugin.setup import init_project

    steps = init_project(args.folder.resolve())
    if args.json:
        say_json([{"what": step.what, "made": step.made} for step in steps])
        return 0
    for step in steps:
        say(f"  {'made ' if step.made else 'kept '} {step.what}")
    say("\nNext: describe your model in weighin.toml, then")
    say("  export MLFLOW_REGISTRY_URI=weighin+sqlite:///$PWD/mlflow.db   and register as always")
    say("  weighin sync                                             to weigh what is due")
    return 0

"""``weighin init``: make a repository ready, and say what was made."""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json

SUMMARY = "write weighin.toml, set up DVC and a development channel"
DESCRIPTION = (
    "Write a commented weighin.toml, set up DVC with a local remote, and make "
    "a development channel with its keys. What is already there is left alone."
)
EXAMPLE = """examples:
  weighin init                 in the root of your git repository
  weighin init ../my-project   somewhere else
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("folder", nargs="?", type=Path, default=Path(), help="default: here")
    parser.add_argument("--json", action="store_true", help="print what was made as JSON")


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

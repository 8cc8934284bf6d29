"""``weighin verify``: is the file in the app the one that the lock names?"""

import argparse
from datetime import UTC, datetime
from pathlib import Path

from weighin.plugin.commands.pull import waived_words
from weighin.plugin.console import say, say_json, warn

SUMMARY = "check the pulled file against model.lock, offline"
DESCRIPTION = (
    "Check, without any network, that the folder holds exactly the file that model.lock names."
)
EXAMPLE = """examples:
  weighin verify                                   model.lock and the file beside it
  weighin verify --out app/src/main/assets         the file is somewhere else

exit codes: 0 it is; 10 it is not, or there is no lock
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--out", type=Path, default=Path(), help="folder of the file")
    parser.add_argument("--lock", type=Path, default=Path("model.lock"), help="default: model.lock")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Verify one file."""
    from weighin.registry.lock import verify

    lock = verify(args.lock, args.out)
    if said := waived_words(lock, datetime.now(UTC)):
        warn(f"weighin: {said}")
    if args.json:
        say_json({"file": str(args.out / lock.file.name), "sha256": lock.file.sha256, "ok": True})
    else:
        say(f"{args.out / lock.file.name}: is {lock.model} v{lock.version} as locked")
    return 0

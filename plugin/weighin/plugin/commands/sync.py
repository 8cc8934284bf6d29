"""``weighin sync``: weigh whatever is due."""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json, warn

SUMMARY = "weigh every registered version that is due"
DESCRIPTION = (
    "Look through the registry and weigh each version that has no verdict for "
    "the current plan, also those that were registered without the hook."
)
EXAMPLE = """examples:
  weighin sync                 weigh every version that has no verdict yet, then stop
  weighin sync --watch         go on, and wake up at every registration
  weighin sync --json          what was done, for a script
  weighin sync --only weigh    leave the channel alone: for a machine without its keys
  weighin sync --only channel  keep the channel from expiring, weigh nothing

exit codes: 0 all due versions were weighed and each has a variant that passed;
1 a version could not be weighed; 3 weighed, but of some version nothing may ship
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--watch", action="store_true", help="stay, and wake at registrations")
    parser.add_argument(
        "--every",
        type=float,
        default=60.0,
        metavar="SECONDS",
        help="with --watch: poll at least this often (default 60)",
    )
    parser.add_argument("--json", action="store_true", help="print one object per version")
    parser.add_argument(
        "--only",
        choices=("weigh", "channel"),
        help="do one of the two things: weigh what is due, or keep the channel from expiring",
    )


def run(args: argparse.Namespace) -> int:
    """Weigh what is due, once or until interrupted."""
    from weighin.plugin.project import open_project
    from weighin.plugin.worklist import Done, renew, sync, watch

    project = open_project(Path.cwd())

    def tell(done: Done) -> None:
        if not args.json:
            say(f"{done.reference}: {done.summary}")

    if args.only == "channel":
        return _renew(renew(project), as_json=args.json)
    if args.watch:
        warn("weighin: watching the registry; Ctrl-C ends it")
        watch(project, every_seconds=args.every, tell=tell)
        return 0
    finished = sync(project, quiet=args.json, tell=tell, channel=args.only is None)
    if args.json:
        say_json([done.as_document() for done in finished])
    elif not project.config.models:
        say("weighin.toml describes no model yet; add a [models.NAME] table")
    elif not finished:
        say("nothing is due")
    return max((done.exit_code for done in finished), default=0)


def _renew(renewed: bool, *, as_json: bool) -> int:
    if as_json:
        say_json([])
    else:
        say("the channel's timestamp is signed anew" if renewed else "the channel is fresh enough")
    return 0

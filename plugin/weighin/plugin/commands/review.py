"""``weighin review MODEL/VERSION``: show a finished weigh-in on GitHub."""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import ConfigError
from weighin.plugin.console import say, say_json, warn

if TYPE_CHECKING:
    from weighin.plugin.review.connect import Wishes
    from weighin.plugin.review.desk import Reviewed

SUMMARY = "show a finished weigh-in on GitHub"
DESCRIPTION = (
    "Push a branch with the pointers and the evidence of a version, keep one pull request, one "
    "comment, and a check per device. Measures nothing. Running it again changes what is "
    "different and writes nothing twice."
)
EXAMPLE = """examples:
  weighin review digits/3 --repo octo/app       open or update the pull request of version 3
  weighin review digits/3 --rehearse            on a simulated GitHub: no token, no network
  weighin review digits/3 --dry-run             what would be written
  weighin review digits/3 --reopen              also if somebody closed it
  weighin review digits/3 --renew               also if it was merged, and then weighed again
  weighin review --pull 12 --sha SHA --bundle DIR
      report what a pull request from a fork measured: nothing of it is run, it is judged by
      the budgets that are checked out here, and only signed numbers are believed

credentials, from the environment: GITHUB_TOKEN (a workflow's or your own), or a GitHub App's
WEIGHIN_GITHUB_APP_ID and WEIGHIN_GITHUB_APP_KEY

exit codes: 0 may be merged; 1 failed; 2 configuration; 3 done, but nothing may ship
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("reference", metavar="MODEL/VERSION", nargs="?")
    parser.add_argument("--repo", metavar="OWNER/NAME", help="else [review] repository")
    parser.add_argument("--api", metavar="URL", help="else [review] api; for GitHub Enterprise")
    parser.add_argument("--base", metavar="BRANCH", help="the branch to merge into")
    parser.add_argument(
        "--remote", metavar="REMOTE", default="origin", help="where the branch goes: name or URL"
    )
    parser.add_argument("--reopen", action="store_true", help="open a closed pull request again")
    parser.add_argument(
        "--renew",
        action="store_true",
        help="open one more for new evidence of a merged version",
    )
    parser.add_argument("--dry-run", action="store_true", help="write nothing, say what would be")
    parser.add_argument(
        "--rehearse", action="store_true", help="on a GitHub that this machine simulates"
    )
    parser.add_argument("--json", action="store_true", help="print what was done as JSON")
    other = parser.add_argument_group("a pull request that was weighed without secrets")
    other.add_argument("--pull", metavar="N", type=int, help="its number")
    other.add_argument("--sha", metavar="SHA", help="the commit that was weighed")
    other.add_argument("--bundle", metavar="DIR", type=Path, help="report.json and evidence/")


def run(args: argparse.Namespace) -> int:
    """Review one version, or report on somebody's pull request."""
    if args.rehearse:
        return _rehearse(args)
    reviewed = _review(args)
    if args.json:
        say_json(reviewed.to_json())
    else:
        tell(reviewed)
    return reviewed.exit_code


def _review(args: argparse.Namespace) -> "Reviewed":
    from weighin.plugin.project import parse_reference

    given = [args.pull is not None, args.sha is not None, args.bundle is not None]
    if any(given) and not (all(given) and args.reference is None):
        raise ConfigError("--pull, --sha and --bundle go together, and without MODEL/VERSION")
    if not any(given) and args.reference is None:
        raise ConfigError("which version? weighin review MODEL/VERSION, such as digits/3")
    name, version = ("", "") if args.reference is None else parse_reference(args.reference)
    return _of_pull(args) if any(given) else _of_version(args, name, version)


def _rehearse(args: argparse.Namespace) -> int:
    from weighin.plugin.project import parse_reference
    from weighin.plugin.review.connect import utc_now
    from weighin.plugin.review.rehearsal import rehearse

    if args.reference is None or args.dry_run or args.pull is not None:
        raise ConfigError("--rehearse takes MODEL/VERSION, and neither --dry-run nor --pull")
    name, version = parse_reference(args.reference)
    done = rehearse(Path.cwd(), os.environ, name, version, utc_now())
    if args.json:
        say_json({**done.reviewed.to_json(), "files": [str(path) for path in done.files]})
    else:
        tell(done.reviewed)
        for path in done.files:
            say(f"  look at {path}")
    return done.reviewed.exit_code


def _of_version(args: argparse.Namespace, name: str, version: str) -> "Reviewed":
    from weighin.plugin.review.connect import open_desk, open_workplace, utc_now
    from weighin.plugin.review.run import review

    wishes = _wishes(args)
    opened = open_desk(wishes, os.environ, Path.cwd(), signs=True, now=utc_now())
    return review(opened.desk, open_workplace(wishes, os.environ, opened), name, version)


def _of_pull(args: argparse.Namespace) -> "Reviewed":
    from weighin.plugin.review.bundle_files import read_weigh_in
    from weighin.plugin.review.connect import open_desk, utc_now
    from weighin.plugin.review.fork import review_pull
    from weighin.registry.git_plumbing import at_top

    bundle = read_weigh_in(args.bundle)
    desk = open_desk(_wishes(args), os.environ, Path.cwd(), signs=False, now=utc_now()).desk
    _, prefix = at_top(desk.project.root, os.environ)
    return review_pull(desk, args.pull, args.sha, bundle, prefix=prefix)


def _wishes(args: argparse.Namespace) -> "Wishes":
    from weighin.plugin.review.connect import Wishes

    return Wishes(
        repository=args.repo,
        api=args.api,
        base=args.base,
        remote=args.remote,
        reopen=args.reopen,
        renew=args.renew,
        dry_run=args.dry_run,
    )


def tell(reviewed: "Reviewed") -> None:
    """What was done, shortly."""
    from weighin.gates.plain import plain

    for note in reviewed.notes:
        warn(f"weighin: {plain(note)}")
    did = "would " if reviewed.dry_run else ""
    for words in reviewed.done:
        say(f"  {did}{plain(words)}")
    if not reviewed.done and not reviewed.notes:
        say("  everything was there already; nothing was written")
    about = plain(f"{reviewed.model}/{reviewed.version}")
    if reviewed.conclusion is not None:
        say(f"{about}: check `weighin` is {reviewed.conclusion}")
    if reviewed.url:
        say(reviewed.url)

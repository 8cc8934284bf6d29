"""``weighin doctor``: is everything here that weighing needs?"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.plugin.console import progress_bar, say, say_json

if TYPE_CHECKING:
    from weighin.plugin.doctor import Finding

SUMMARY = "check that everything is set up"
DESCRIPTION = (
    "Check the packages, the hook, the configuration, DVC, the keys, the channel "
    "and how well models are isolated on this machine. With --arm: set up the emulated ARM "
    "machine, which runs real ARM kernels for budgets on arm_disagreement_percent, and let each "
    "of its cores prove itself. With --counter too: build what counts the instructions of an "
    "inference there, from which latency on a phone is predicted."
)
EXAMPLE = """examples:
  weighin doctor          one line per thing, and what to do about what is missing
  weighin doctor --json   the same for a script
  weighin doctor --arm    download the emulated ARM machine once (230 MB on disk), check its cores
  weighin doctor --arm --counter    the same, and build the instruction counter (minutes)

exit codes: 0 all is well; 1 something is missing, or a core is not trusted; 2 weighin.toml is wrong
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.add_argument(
        "--arm",
        action="store_true",
        help="set up the emulated ARM machine instead, and check each core; needs no project",
    )
    parser.add_argument(
        "--counter",
        action="store_true",
        help="with --arm: build the instruction counter too, from Debian's source of the emulator",
    )


def run(args: argparse.Namespace) -> int:
    """Look at everything and tell."""
    findings = _arm(args) if args.arm or args.counter else _all()
    if args.json:
        say_json([{"what": f.what, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        for finding in findings:
            say(f"{'ok     ' if finding.ok else 'MISSING'} {finding.what}: {finding.detail}")
    return 0 if all(finding.ok for finding in findings) else 1


def _all() -> "tuple[Finding, ...]":
    from weighin.plugin.arm_doctor import machine_finding
    from weighin.plugin.doctor import examine

    return (*examine(Path.cwd()), *machine_finding(Path.cwd(), os.environ, Path.home()))


def _arm(args: argparse.Namespace) -> "tuple[Finding, ...]":
    from weighin.plugin.arm_doctor import examine_arm

    with progress_bar("arm", quiet=args.json) as progress:
        return examine_arm(os.environ, Path.home(), progress, counter=args.counter)

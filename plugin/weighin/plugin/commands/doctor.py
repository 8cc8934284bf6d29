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
    "of its cores prove itself."
)
EXAMPLE = """examples:
  weighin doctor          one line per thing, and what to do about what is missing
  weighin doctor --json   the same for a script
  weighin doctor --arm    download the emulated ARM machine once (230 MB on disk), check its cores

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


def run(args: argparse.Namespace) -> int:
    """Look at everything and tell."""
    findings = _arm(quiet=args.json) if args.arm else _all()
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


def _arm(*, quiet: bool) -> "tuple[Finding, ...]":
    from weighin.plugin.arm_doctor import examine_arm

    with progress_bar("arm", quiet=quiet) as progress:
        return examine_arm(os.environ, Path.home(), progress)

"""``weighin doctor``: is everything here that weighing needs?"""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json

SUMMARY = "check that everything is set up"
DESCRIPTION = (
    "Check the packages, the hook, the configuration, DVC, the keys, the channel "
    "and how well models are isolated on this machine."
)
EXAMPLE = """examples:
  weighin doctor          one line per thing, and what to do about what is missing
  weighin doctor --json   the same for a script

exit codes: 0 all is well; 1 something is missing; 2 weighin.toml is wrong
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Look at everything and tell."""
    from weighin.plugin.doctor import examine

    findings = examine(Path.cwd())
    if args.json:
        say_json([{"what": f.what, "ok": f.ok, "detail": f.detail} for f in findings])
    else:
        for finding in findings:
            say(f"{'ok     ' if finding.ok else 'MISSING'} {finding.what}: {finding.detail}")
    return 0 if all(finding.ok for finding in findings) else 1

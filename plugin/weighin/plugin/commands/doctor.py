"""``weighin doctor``: is everything here that weighing needs?"""

import argparse
from pathlib import Path

from weighin.plugin.console import say, say_json

EXAMPLE = """examples:
  weighin doctor          one line per thing, and what to do about what is missing
  weighin doctor --json   the same for a script

exit codes: 0 all is well; 1 something is missing; 2 weighin.toml is wrong
"""


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Declare the command."""
    parser = commands.add_parser(
        "doctor",
        help="check that everything is set up",
        description="Check the packages, the hook, the configuration, DVC, the keys, the channel "
        "and how well models are isolated on this machine.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")
    parser.set_defaults(run=run)


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

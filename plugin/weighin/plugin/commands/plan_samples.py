"""``weighin plan-samples``: how many evaluation rows does a margin need?"""

import argparse

from weighin.gates.errors import ConfigError
from weighin.gates.stats import samples_for_margin
from weighin.plugin.console import say, say_json

SUMMARY = "say how many evaluation rows an accuracy budget needs"
DESCRIPTION = (
    "Say how many evaluation rows it takes until a variant passes an accuracy budget, so that "
    "too small a data set is noticed before anything is built. Rows count only where exactly one "
    "of the variant and the registered model is right: the more often they disagree, the more "
    "rows are needed."
)
EXAMPLE = """examples:
  weighin plan-samples --margin 1.0 --disagreement 0.05
  weighin plan-samples --margin 2 --disagreement 0.03 --drop 0.5    it really loses half a point

The rate of disagreement of past runs is in their reports: flips over rows.
"""

POWERS = (0.5, 0.8, 0.95)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--margin", type=float, required=True, help="the budget, in points")
    parser.add_argument(
        "--disagreement",
        type=float,
        required=True,
        help="share of the rows on which exactly one of the two is right, 0 to 1",
    )
    parser.add_argument("--drop", type=float, default=0.0, help="true loss in points, default: 0")
    parser.add_argument("--confidence", type=float, default=0.95, help="one-sided, default: 0.95")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")


def run(args: argparse.Namespace) -> int:
    """Compute, and print one line per chance of passing."""
    try:
        rows = {
            power: samples_for_margin(
                args.disagreement,
                args.margin / 100,
                args.confidence,
                drop=args.drop / 100,
                power=power,
            )
            for power in POWERS
        }
    except ValueError as error:
        raise ConfigError(
            f"{error}. The margin is above 0 and above the drop, disagreement a share from 0 to 1, "
            "confidence between 0.5 and 1"
        ) from error
    if args.json:
        say_json([{"passes": power, "rows": count} for power, count in rows.items()])
        return 0
    held = f"is held against {args.margin:g} points at {args.confidence:.0%} confidence"
    say(
        f"A variant that loses {args.drop:g} points, disagrees on {args.disagreement:.1%} of the "
        f"rows\nand {held} passes"
    )
    for power, count in rows.items():
        say(f"  {power:4.0%} of the time with {count:>9,} rows")
    return 0

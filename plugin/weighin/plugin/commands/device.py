"""``weighin device list`` and ``show``: what is known of each device; ``simulate`` beside them."""

import argparse
import dataclasses

from weighin.plugin.commands import device_simulate
from weighin.plugin.console import say, say_json

SUMMARY = "list and show device profiles"
DESCRIPTION = "The devices that variants are weighed for, and where their figures are from."
EXAMPLE = """examples:
  weighin device list             every device that weighin.toml may name
  weighin device show pixel-4     facts, calibration and sources of one
  weighin device simulate         phones made of software, for adb to talk to
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("list", help="every device", epilog="example: weighin device list")
    showing = actions.add_parser(
        "show", help="one device", epilog="example: weighin device show pixel-4"
    )
    showing.add_argument("name", help="as `weighin device list` shows it")
    for action in (listing, showing):
        action.add_argument("--json", action="store_true", help="print JSON")
    device_simulate.arguments(actions)


def run(args: argparse.Namespace) -> int:
    """List, show or simulate."""
    if args.action == "simulate":
        return device_simulate.run(args)
    return run_list(args) if args.action == "list" else run_show(args)


def run_list(args: argparse.Namespace) -> int:
    """Show all profiles in a table."""
    from weighin.gates.profile import load_profile, profile_names

    profiles = [load_profile(name) for name in profile_names()]
    if args.json:
        say_json([dataclasses.asdict(profile) for profile in profiles])
        return 0
    say(f"{'name':<14}{'device':<24}{'tier':<6}{'year':<6}{'SoC':<29}latency from")
    for p in profiles:
        kinds = ", ".join(f"{c.runtime} {c.arithmetic}" for c in p.calibrations)
        rests_on = kinds or ("measured right here" if p.tier == "host" else "nothing published")
        say(f"{p.name:<14}{p.title:<24}{p.tier:<6}{p.year or '':<6}{p.soc:<29}{rests_on}")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Show one profile with the source of each figure."""
    from weighin.gates.profile import load_profile

    profile = load_profile(args.name)
    if args.json:
        say_json(dataclasses.asdict(profile))
        return 0
    when = profile.year or "this machine"
    say(f"{profile.name}: {profile.title}, {profile.soc}, {profile.tier} tier, {when}")
    say(f"  source: {profile.source}")
    for c in profile.clusters:
        power = f", {c.active_mw:.0f} mW per busy core" if c.active_mw else ""
        extensions = " ".join(c.isa) or "no extensions"
        say(f"  {c.count} x {c.core} at {c.max_ghz} GHz ({extensions}){power}")
        say(f"    source: {c.source}")
    if profile.battery:
        say(f"  battery {profile.battery.mah:.0f} mAh, {profile.battery.nominal_volts} V assumed")
        say(f"    source: {profile.battery.source}")
    for k in profile.calibrations:
        rests_on = f"threads: {k.threads}, published runs: {len(k.anchors)}"
        say(f"  latency of {k.runtime} {k.arithmetic}, {rests_on}")
        for source in dict.fromkeys(anchor.source for anchor in k.anchors):
            say(f"    source: {source}")
    return 0

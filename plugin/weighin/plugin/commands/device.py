"""``weighin device list``, ``show`` and ``diff``: what is known of each device."""

import argparse
import dataclasses
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighin.plugin.commands import (
    device_add,
    device_fit,
    device_measure,
    device_predict,
    device_simulate,
)
from weighin.plugin.console import say, say_json

if TYPE_CHECKING:
    from weighin.gates.profile import DeviceProfile

SUMMARY = "list, show and compare device profiles"
DESCRIPTION = (
    "The devices that variants are weighed for, and where their figures are from: the phones that "
    "weighin ships, and your own ones in devices/ beside weighin.toml."
)
EXAMPLE = """examples:
  weighin device list                          every device that weighin.toml may name
  weighin device list tier:low 'android>=10'   those in all of these classes (mind the quotes)
  weighin device show pixel-4                  facts, calibration and sources of one
  weighin device diff pixel-4 redmi-5a         what two do not have in common
  weighin device add                           make a profile of a phone that is plugged in
  weighin device measure int8.tflite           measure a model on it
  weighin device predict int8.tflite --profile pixel-4
  weighin device simulate                      phones made of software, for adb to talk to
"""

_FURTHER = {
    "add": device_add,
    "measure": device_measure,
    "predict": device_predict,
    "fit": device_fit,
    "simulate": device_simulate,
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser(
        "list", help="every device", epilog="example: weighin device list tier:low 'ram>=3072'"
    )
    listing.add_argument(
        "classes", nargs="*", metavar="CLASS", help="such as tier:low, soc:sm8150, 'android>=12'"
    )
    showing = actions.add_parser(
        "show", help="one device", epilog="example: weighin device show pixel-4"
    )
    showing.add_argument("name", help="as `weighin device list` shows it")
    comparing = actions.add_parser(
        "diff", help="two devices", epilog="example: weighin device diff pixel-4 redmi-5a"
    )
    comparing.add_argument("one", help="as `weighin device list` shows it")
    comparing.add_argument("other", help="the one to compare it with")
    for action in (listing, showing, comparing):
        action.add_argument("--json", action="store_true", help="print JSON")
    for name, module in _FURTHER.items():
        action = actions.add_parser(
            name,
            help=module.SUMMARY,
            description=textwrap.fill(module.DESCRIPTION, width=80),
            epilog=module.EXAMPLE,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        module.arguments(action)


def run(args: argparse.Namespace) -> int:
    """Do what the action says."""
    actions = {"list": run_list, "show": run_show, "diff": run_diff}
    actions |= {name: module.run for name, module in _FURTHER.items()}
    return actions[args.action](args)


def run_list(args: argparse.Namespace) -> int:
    """Show all profiles in a table, or those in all of the given classes."""
    from weighin.gates.profile import all_profiles, own_names, shipped_names
    from weighin.plugin.device_words import table

    own = own_folder(Path.cwd())
    mine = own_names(own)
    profiles, unknown = _in_all(args.classes, all_profiles(own))
    if args.json:
        say_json([{**_as_dict(profile), "own": profile.name in mine} for profile in profiles])
        return 0
    for line in table(profiles):
        say(line)
    if args.classes:
        say(f"\n{len(profiles)} in {', '.join(args.classes)}{_silent(unknown)}")
    if mine:
        say(f"\nyour own, in {own}: {', '.join(mine)}")
    for name in sorted(set(mine) & set(shipped_names())):
        say(f"your own {name} hides the one that weighin ships")
    return 0


def run_show(args: argparse.Namespace) -> int:
    """Show one profile with the source of each figure."""
    from weighin.gates.profile import load_profile
    from weighin.plugin.device_words import shown

    profile = load_profile(args.name, own_folder(Path.cwd()))
    if args.json:
        say_json(_as_dict(profile))
        return 0
    for line in shown(profile):
        say(line)
    _show_runs(args.name)
    return 0


def _show_runs(name: str) -> None:
    """What was measured on this phone itself, oldest first."""
    from weighin.gates.devices.phone.runs_file import read_runs
    from weighin.gates.devices.phone.show import run_summary

    runs = read_runs(own_folder(Path.cwd()), name).runs
    if runs:
        say("  measured on it:")
    for run in runs:
        say(f"    {run_summary(run)}")


def run_diff(args: argparse.Namespace) -> int:
    """Show what two profiles do not have in common."""
    from weighin.gates.profile import load_profile
    from weighin.plugin.device_words import differences, side_by_side

    own = own_folder(Path.cwd())
    one, other = load_profile(args.one, own), load_profile(args.other, own)
    rows = differences(one, other)
    if args.json:
        facts = [{"fact": fact, one.name: a, other.name: b} for fact, a, b in rows]
        say_json({"devices": [one.name, other.name], "differences": facts})
    elif not rows:
        say(f"{one.name} and {other.name} say the same")
    else:
        for line in side_by_side(one, other):
            say(line)
    return 0


def own_folder(start: Path) -> Path:
    """The user's folder of profiles: the project's, or one right here; it need not exist."""
    from weighin.gates.errors import ConfigError
    from weighin.gates.profile import OWN_FOLDER
    from weighin.plugin.config_file import find_root

    try:
        return find_root(start) / OWN_FOLDER
    except ConfigError:
        return start / OWN_FOLDER  # `weighin device add` needs no project


def _in_all(
    classes: Sequence[str], profiles: "Sequence[DeviceProfile]"
) -> "tuple[list[DeviceProfile], list[str]]":
    """Who is in all classes, and who might be: in none of them for certain."""
    from weighin.gates.device_class import expand, is_class, parse_class
    from weighin.gates.errors import ConfigError

    if names := [text for text in classes if not is_class(text)]:
        raise ConfigError(f"'{names[0]}' is no class of devices; `weighin device show {names[0]}`?")
    wanted = [parse_class(text) for text in classes]
    for one in wanted:
        expand(one.text, profiles)
    held = {p.name: [one.holds(p) for one in wanted] for p in profiles}
    found = [p for p in profiles if all(held[p.name])]
    return found, [name for name, holds in held.items() if False not in holds and None in holds]


def _silent(unknown: Sequence[str]) -> str:
    if not unknown:
        return ""
    return f"; {len(unknown)} more skipped, whose profile does not say: {', '.join(unknown)}"


def _as_dict(profile: "DeviceProfile") -> dict[str, Any]:
    return dataclasses.asdict(profile)

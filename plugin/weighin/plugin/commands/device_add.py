"""``weighin device add``: make a profile of a phone that is plugged in."""

import argparse
import dataclasses
import difflib
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.plugin.console import say, say_json, warn

if TYPE_CHECKING:
    from weighin.gates.devices.phone.facts import PhoneFacts
    from weighin.gates.devices.phone.naming import Drafted
    from weighin.gates.profile import DeviceProfile
    from weighin.plugin.phone_project import PhonePlace

SUMMARY = "make a profile of a phone over adb"
DESCRIPTION = (
    "Ask a phone over adb what it is, and write devices/NAME.toml beside weighin.toml. "
    "Every figure says that it was read from this phone, and when."
)
EXAMPLE = """examples:
  weighin device add                          the only phone that is plugged in
  weighin device add --serial 9A281FFAZ0041X  one of several
  weighin device add --name work-phone        under a name of your own

exit codes: 0 written, or nothing changed; 1 the phone refused, or the file is another; 2 usage
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--serial", metavar="S", help="as `adb devices` lists it")
    parser.add_argument("--name", metavar="NAME", help="of the profile; its model's if not given")
    parser.add_argument("--force", action="store_true", help="replace a file that differs")
    parser.add_argument("--json", action="store_true", help="print the profile as JSON")


def run(args: argparse.Namespace) -> int:
    """Read a phone and write its profile."""
    from weighin.gates.devices.phone.adb import AdbLink, choose, list_phones, server_of
    from weighin.gates.devices.phone.facts import read_facts
    from weighin.plugin.phone_project import phone_place

    server = server_of(os.environ)
    (serial,) = choose(list_phones(server), (args.serial,) if args.serial else ())
    warn(f"reading phone {serial}")
    facts = read_facts(AdbLink(server, serial))
    place = phone_place(Path.cwd())
    drafted = _draft(args, place, facts)
    changed = _write(place.own, drafted.profile, force=args.force)
    if args.json:
        say_json(dataclasses.asdict(drafted.profile))
        return 0
    _show(drafted, place.own / f"{drafted.profile.name}.toml", changed=changed)
    return 0


def _draft(args: argparse.Namespace, place: "PhonePlace", facts: "PhoneFacts") -> "Drafted":
    """The profile, under the name that this phone has already, that was chosen, or that is free."""
    from weighin.gates.devices.phone.naming import (
        check_name_for,
        draft_profile,
        name_for,
        relative_of,
    )
    from weighin.gates.profile import all_profiles, check_name, own_names
    from weighin.plugin.phone_project import profile_of

    known = profile_of(place, facts)
    taken = own_names(place.own)
    if args.name is not None:
        name = check_name_for(facts, check_name(args.name))
    else:
        name = known.name if known is not None else name_for(facts, taken)
    return draft_profile(facts, name, relative_of(facts, all_profiles()), datetime.now(UTC).date())


def _write(folder: Path, profile: "DeviceProfile", *, force: bool) -> bool:
    """Write the file; whether it changed. A file that differs in more than its dates is kept.

    Raises:
        PhoneError: another file is there; the message shows the difference.
    """
    from weighin.gates.errors import PhoneError
    from weighin.gates.profile import parse_profile, render_profile

    path, text = folder / f"{profile.name}.toml", render_profile(profile)
    parse_profile(profile.name, text)
    if path.exists():
        old = path.read_text(encoding="utf-8")
        if _undated(old) == _undated(text):
            return False
        if not force:
            raise PhoneError(
                f"{path} is there and differs; --force replaces it:\n{_difference(old, text)}"
            )
    folder.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.new")
    draft.write_text(text, encoding="utf-8")
    draft.replace(path)
    return True


def _undated(text: str) -> str:
    return re.sub(r"read over adb on \d{4}-\d{2}-\d{2}", "read over adb", text)


def _difference(old: str, new: str) -> str:
    lines = difflib.unified_diff(
        old.splitlines(), new.splitlines(), "the file", "the phone", lineterm="", n=1
    )
    return "\n".join(lines)


def _show(drafted: "Drafted", path: Path, *, changed: bool) -> None:
    profile = drafted.profile
    say(f"{profile.title}, {profile.soc}, Android {profile.os_release}")
    for cluster in profile.clusters:
        called = f" ({cluster.called})" if cluster.called else ""
        flags = " ".join(cluster.isa) or "no extensions"
        say(f"  {cluster.count} x {cluster.core}{called} at {cluster.max_ghz:g} GHz, {flags}")
    if profile.memory:
        say(f"  {profile.memory.ram_mib} MiB of memory")
    if profile.battery:
        say(f"  {profile.battery.mah:g} mAh battery")
    for note in drafted.notes:
        say(f"  note: {note}")
    say(f"{'wrote' if changed else 'unchanged:'} {path}")
    say(f'next: weighin device measure MODEL.tflite, and `devices = ["{profile.name}"]`')

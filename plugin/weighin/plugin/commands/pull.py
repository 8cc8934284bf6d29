"""``weighin pull``: the right file for a device, verified and locked.

Runs in an app's build: nothing heavy is imported, and nothing at all when nothing is new.
"""

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import ConfigError
from weighin.gates.variant import Format
from weighin.plugin.console import say, warn

if TYPE_CHECKING:
    from datetime import datetime

    from weighin.registry.lock import Lock

SUMMARY = "get the approved model file for a device into an app"
DESCRIPTION = (
    "Get the best variant that passed on a device from a signed channel, verify "
    "it, and write it and model.lock. What the lock knows need not be said again."
)
EXAMPLE = """examples:
  weighin pull digits --device pixel-4 --channel https://models.example.com/channel \\
      --root weighin-root.json --out app/src/main/assets
  weighin pull                       again, as model.lock says; milliseconds when nothing is new
  weighin pull --frozen              exactly what model.lock says, without any network

exit codes: 0 done; 10 the lock does not match, 11 integrity, 12 rollback, 13 expired,
14 network, 15 nothing approved for this device
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("model", nargs="?", help="registered model name")
    parser.add_argument("--device", help="device profile the file is for")
    parser.add_argument("--channel", metavar="URL|FOLDER", help="where the channel is")
    parser.add_argument("--name", help="name of the channel (default: dev)")
    parser.add_argument("--format", choices=[f.value for f in Format], help="only this format")
    parser.add_argument("--root", type=Path, help="the channel's root.json, needed the first time")
    parser.add_argument("--out", type=Path, default=Path(), help="output folder (default: here)")
    parser.add_argument("--lock", type=Path, default=Path("model.lock"), help="default: model.lock")
    parser.add_argument("--cache", type=Path, help="default: ~/.cache/weighin")
    parser.add_argument("--frozen", action="store_true", help="only what the lock says, offline")
    parser.add_argument(
        "--trust-on-first-use",
        action="store_true",
        help="UNSAFE: believe whatever root the channel shows the first time",
    )
    parser.add_argument("--json", action="store_true", help="print the lock as JSON")


def run(args: argparse.Namespace) -> int:
    """Pull one file."""
    from datetime import UTC, datetime

    from weighin.registry.lock import lock_to_bytes, read_lock
    from weighin.registry.pull import pull
    from weighin.registry.request import PullRequest

    lock = read_lock(args.lock)
    known = (lock.model, lock.device, lock.channel.location) if lock else (None, None, None)
    asked = (args.model, args.device, args.channel)
    model, device, location = (_needed(*both, args.lock) for both in zip(asked, known, strict=True))
    chosen = args.format or (lock.wanted_format if lock else None)
    request = PullRequest(
        model=model,
        device=device,
        location=location,
        channel=args.name or (lock.channel.name if lock else "dev"),
        output_dir=args.out,
        lock_path=args.lock,
        cache_dir=args.cache or cache_dir(),
        format=Format(chosen) if chosen else None,
        trusted_root=args.root,
        trust_on_first_use=args.trust_on_first_use,
        frozen=args.frozen,
    )
    now = datetime.now(UTC)
    pulled = pull(request, now)
    for notice in (pulled.notice, waived_words(pulled.lock, now)):
        if notice:
            warn(f"weighin: {notice}")
    if args.json:
        say(lock_to_bytes(pulled.lock).decode().rstrip())
    else:
        file = pulled.lock.file
        what = "wrote" if pulled.changed else "unchanged"
        say(f"{what}: {pulled.path} ({pulled.lock.model} v{pulled.lock.version}, {file.recipe}, "
            f"{file.size_bytes} bytes, sha256 {file.sha256[:12]})")  # fmt: skip
    return 0


def waived_words(lock: "Lock", now: "datetime") -> str:
    """What a person should know of a file that did not pass; empty for one that did."""
    file = lock.file
    if not file.waived or file.waived_until is None:
        return ""
    over = "which expired on" if file.waived_until <= now else "until"
    return (
        f"WAIVED: {lock.model} v{lock.version} did not pass on {lock.device}; it is released by "
        f"a waiver of {', '.join(file.waived)}, {over} {file.waived_until:%Y-%m-%d}"
    )


def cache_dir() -> Path:
    """Where verified files are kept between pulls of one user."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "weighin"


def _needed(asked: str | None, known: str | None, lock: Path) -> str:
    value = asked or known
    if not value:
        raise ConfigError(
            f"there is no {lock} yet, so pull needs MODEL, --device and --channel; "
            "`weighin pull --help` shows an example"
        )
    return value

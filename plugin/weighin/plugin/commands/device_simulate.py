"""``weighin device simulate``: phones made of software behind an adb server, until Ctrl-C.

What this module does not do: it measures nothing, and no simulated figure is evidence.
"""

import argparse
import difflib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.faults import Fault, Faults
from weighin.gates.errors import ConfigError
from weighin.plugin.console import say

if TYPE_CHECKING:
    from weighin.gates.devices.simulator.phone import SimulatedPhone

PORT = 5038
"""Beside 5037, where a real adb server listens."""

SUMMARY = "phones made of software, behind an adb server"
DESCRIPTION = """Simulated phones behind a real adb server on 127.0.0.1, until Ctrl-C: adb,
adbutils and weighin talk to them as to phones on a cable. Nothing measured on them is evidence:
they say ro.weighin.simulated=1."""
_EXAMPLES = """examples:
  weighin device simulate --tools sim-tools     one phone, and benchmark tools for it to run
  weighin device simulate --profile pixel-3a --phones 2 --speed 60
  weighin device simulate --fault overheats --fault no-space

faults:
"""
EXAMPLE = _EXAMPLES + "\n".join(f"  {fault:<21} {fault.summary}" for fault in Fault)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what it takes."""
    parser.add_argument("--profile", default="pixel-4", help="what it resembles (pixel-4)")
    parser.add_argument("--phones", type=int, default=1, metavar="N", help="how many alike (1)")
    parser.add_argument(
        "--port", type=int, default=PORT, help=f"where to listen ({PORT}); 0 for any free port"
    )
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME", help="what is wrong with each"
    )
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="X", help="simulated seconds a second (1)"
    )
    parser.add_argument("--seed", type=int, default=1, help="of serials and noise (1)")
    parser.add_argument(
        "--tools", type=Path, metavar="DIR", help="write the tools that its phones can run here"
    )
    parser.add_argument(
        "--tool-build", default="new", choices=list(ToolBuild), help="how old they act (new)"
    )


def run(args: argparse.Namespace) -> int:
    """Serve until Ctrl-C or ``adb kill-server``."""
    from weighin.gates.devices.simulator.clock import ScaledClock
    from weighin.gates.devices.simulator.server import AdbSimulator

    phones = _phones(args)
    if not args.speed > 0:
        raise ConfigError(f"--speed must be above 0, not {args.speed}")
    if not 0 <= args.port <= 65535:
        raise ConfigError(f"--port must be from 0 to 65535, not {args.port}")
    if args.tools is not None:
        _write_tools(args.tools, ToolBuild(args.tool_build))
    try:
        server = AdbSimulator(phones, port=args.port, clock=ScaledClock(args.speed)).start()
    except OSError as error:
        raise ConfigError(
            f"port {args.port} cannot be listened on ({error}); choose another with --port"
        ) from error
    _explain(server.port, phones, args.tools)
    try:
        server.wait()
        say("killed by a client: all simulated phones are gone")
    except KeyboardInterrupt:
        server.stop()
        say("\nall simulated phones are gone")
    return 0


def _phones(args: argparse.Namespace) -> "tuple[SimulatedPhone, ...]":
    from weighin.gates.devices.simulator.phone import simulated
    from weighin.gates.profile import load_profile
    from weighin.plugin.commands.device import own_folder

    if not 1 <= args.phones <= 64:
        raise ConfigError(f"--phones must be from 1 to 64, not {args.phones}")
    profile = load_profile(args.profile, own_folder(Path.cwd()))
    faults = Faults(names=frozenset(_fault(name) for name in args.fault))
    alike = (simulated(profile, seed=args.seed + number) for number in range(args.phones))
    return tuple(replace(phone, faults=faults) for phone in alike)


def _fault(name: str) -> Fault:
    if name in list(Fault):
        return Fault(name)
    close = difflib.get_close_matches(name, list(Fault), n=2)
    hint = f"; did you mean {' or '.join(close)}?" if close else ""
    raise ConfigError(f"no fault '{name}'{hint} Allowed: {', '.join(Fault)}")


def _write_tools(folder: Path, build: ToolBuild) -> None:
    from weighin.gates.devices.simulator.tools import Tool, tool_bytes

    folder.mkdir(parents=True, exist_ok=True)
    for tool in Tool:
        path = folder / tool
        path.write_bytes(tool_bytes(tool, build))
        path.chmod(0o755)  # adb push keeps the mode


def _explain(port: int, phones: "tuple[SimulatedPhone, ...]", tools: Path | None) -> None:
    say("simulated phones, which are no evidence about any real one:")
    for phone in phones:
        names = ", ".join(sorted(phone.faults.names)) or "nothing wrong with it"
        say(f"  {phone.serial}  {phone.model} ({names})")
    say(f"their adb server listens on 127.0.0.1:{port}. In another terminal:")
    say(f"  export ANDROID_ADB_SERVER_PORT={port}")
    say(f"  adb -s {phones[0].serial} shell getprop")
    if tools is not None:
        target = "/data/local/tmp/"
        say(f"  adb -s {phones[0].serial} push {tools / 'benchmark_model'} {target}")
    say("Ctrl-C ends it.")

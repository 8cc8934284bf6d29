"""Simulated phones behind a real adb server, for tests that go through sockets."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest

from weighin.gates.devices.phone.adb import AdbLink, Server
from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.clock import ManualClock
from weighin.gates.devices.simulator.faults import Fault, Faults
from weighin.gates.devices.simulator.phone import SimulatedPhone, simulated
from weighin.gates.devices.simulator.server import AdbSimulator
from weighin.gates.devices.simulator.tools import Tool, tool_bytes
from weighin.gates.profile import load_profile

Start = Callable[..., Server]


@pytest.fixture
def start() -> Iterator[Start]:
    """Starts an adb server with these phones; it ends with the test."""
    with ExitStack() as stack:

        def begin(*phones: SimulatedPhone) -> Server:
            simulator = stack.enter_context(AdbSimulator(phones, clock=ManualClock()))
            return Server(port=simulator.port)

        yield begin


def phone(
    *names: Fault, profile: str = "pixel-4", serial: str = "A", **settings: object
) -> SimulatedPhone:
    """A simulated phone with faults."""
    made = simulated(load_profile(profile), serial=serial)
    faults = settings.pop("faults", Faults(names=frozenset(names)))
    return replace(made, faults=faults, **settings)  # type: ignore[arg-type]


def link(server: Server, serial: str = "A") -> AdbLink:
    """One of its phones."""
    return AdbLink(server, serial)


def write_tool(
    folder: Path, tool: Tool = Tool.BENCHMARK_MODEL, build: ToolBuild = ToolBuild.NEW
) -> Path:
    """A simulated tool, as a user has it."""
    path = folder / tool.value
    path.write_bytes(tool_bytes(tool, build))
    return path

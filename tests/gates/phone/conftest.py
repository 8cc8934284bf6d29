"""Simulated phones behind a real adb server, for tests that go through sockets."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from weighin.gates.devices.phone.adb import AdbLink, Server
from weighin.gates.devices.phone.bench import Asked, Rig
from weighin.gates.devices.phone.facts import read_facts
from weighin.gates.devices.phone.measure import Job, open_model
from weighin.gates.devices.phone.stage import stage_tool
from weighin.gates.devices.phone.tools import open_tool
from weighin.gates.devices.simulator.clock import Clock, ManualClock
from weighin.gates.devices.simulator.phone import SimulatedPhone, simulated
from weighin.gates.devices.simulator.server import AdbSimulator
from weighin.gates.devices.simulator.tools import Tool, tool_bytes
from weighin.gates.profile import load_profile
from weighin.gates.variant import Format

Connect = Callable[..., AdbLink]
MakeJob = Callable[..., Job]


@pytest.fixture
def pixel() -> SimulatedPhone:
    """A Pixel 4 without faults."""
    return simulated(load_profile("pixel-4"), serial="A")


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Starts an adb server with one phone, and connects to it."""
    with ExitStack() as stack:

        def begin(phone: SimulatedPhone, clock: Clock | None = None) -> AdbLink:
            simulator = AdbSimulator((phone,), clock=clock or ManualClock())
            stack.enter_context(simulator)
            return AdbLink(Server(port=simulator.port), phone.serial)

        yield begin


@pytest.fixture
def make_job(tmp_path: Path, tiny_tflite: Path) -> MakeJob:
    """A job with one tiny model."""

    def make(link: AdbLink, asked: Asked, *models: Path) -> Job:
        tool = tmp_path / "benchmark_model"
        tool.write_bytes(tool_bytes(Tool.BENCHMARK_MODEL))
        return Job(
            device="simulated-pixel-4",
            facts=read_facts(link),
            tool=open_tool(Format.LITERT, tool, "2.3.0"),
            models=tuple(open_model(path) for path in models or (tiny_tflite,)),
            reference=None,
            asked=asked,
        )

    return make


@pytest.fixture
def make_rig(tmp_path: Path) -> Callable[[AdbLink, Asked], Rig]:
    """A phone with the tool on it."""

    def make(link: AdbLink, asked: Asked) -> Rig:
        path = tmp_path / "benchmark_model"
        path.write_bytes(tool_bytes(Tool.BENCHMARK_MODEL))
        tool = open_tool(Format.LITERT, path, "2.3.0")
        return Rig(
            link=link,
            tool=tool,
            program=stage_tool(link, tool),
            mask="f0",
            asked=asked,
            pause=lambda _: None,
            clock=lambda: 0.0,
            tick=lambda _: None,
        )

    return make

"""Simulated phones on a free port, and an independent client to talk to them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from typing import Any

import adbutils
import pytest

from weighin.gates.devices.simulator.clock import ManualClock
from weighin.gates.devices.simulator.faults import Fault, Faults, faults
from weighin.gates.devices.simulator.phone import SimulatedPhone, simulated
from weighin.gates.devices.simulator.server import AdbSimulator
from weighin.gates.profile import load_profile

Serve = Callable[..., AdbSimulator]
Plug = Callable[..., Any]


@pytest.fixture(scope="session")
def pixel() -> SimulatedPhone:
    """A simulated Pixel 4 with a latency that is easy to recognise: 8 ms on one core."""
    phone = simulated(load_profile("pixel-4"))
    return replace(phone, latency_ms=lambda _model, threads, cores: 8.0 / min(threads, len(cores)))


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers; their time moves by waiting only, unless a clock is given."""
    with ExitStack() as stack:

        def start(*phones: SimulatedPhone, **options: Any) -> AdbSimulator:
            options = {"clock": ManualClock(), **options}
            return stack.enter_context(AdbSimulator(phones, **options))

        yield start


@pytest.fixture
def plug(serve: Serve, pixel: SimulatedPhone) -> Plug:
    """One phone with faults and other facts, as adbutils' device."""

    def start(*names: Fault, settings: Faults | None = None, **facts: Any) -> Any:
        phone = replace(pixel, faults=settings or faults(*names), **facts)
        return adbutils.AdbClient(port=serve(phone).port).device(phone.serial)

    return start

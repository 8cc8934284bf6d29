"""An emulator is believed only while every known answer is right."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from weighin.gates.arm.cores import CORES, DOTPROD, I8MM, NEON, Core
from weighin.gates.arm.machine import Machine
from weighin.gates.arm.readings import prove_core
from weighin.gates.arm.trust import Trusted, Untrusted, version_objection
from weighin.gates.devices.bench import Bench
from weighin.gates.variant import Format

Emulator = Callable[..., Machine]
BOTH = (Format.LITERT, Format.ONNX, Format.ORT)


@pytest.mark.parametrize("core", CORES, ids=lambda core: core.name)
def test_an_emulator_that_is_right_is_trusted(emulator: Emulator, bench: Bench, core: Core) -> None:
    trust = prove_core(emulator(), core, BOTH, bench)
    assert isinstance(trust, Trusted), trust
    assert (trust.core, trust.emulator) == (core, "qemu-aarch64 10.0.13")
    assert trust.checks == 80 + 8 + 12


@pytest.mark.parametrize(
    ("lie", "core", "why"),
    [
        pytest.param("multiplies wrong", NEON, "FMLA gave", id="one bit of one instruction"),
        pytest.param("convolves wrong", I8MM, "1 of 2592 known values wrong", id="one value"),
        pytest.param("answers NaN", DOTPROD, "dense_float.tflite computed 1 of", id="NaN"),
        pytest.param("leaves one out", NEON, "does not run dense_int8.tflite", id="left out"),
        pytest.param("knows too much", NEON, "executes FMLA (half floats)", id="too much"),
        pytest.param("has another core", DOTPROD, "its core lacks dotprod", id="another core"),
        pytest.param("has another core", NEON, "its core has dotprod", id="a better core"),
        pytest.param("shows another cpuinfo", NEON, "/proc/cpuinfo names asimddp", id="cpuinfo"),
        pytest.param(
            "shows another cpuinfo", DOTPROD, "/proc/cpuinfo lacks asimddp", id="less cpuinfo"
        ),
        pytest.param("crashes", NEON, "SIGABRT", id="crash"),
        pytest.param("says nothing", NEON, "does not say what its core can do", id="silence"),
    ],
)
def test_an_emulator_that_lies_is_not_trusted(
    emulator: Emulator, bench: Bench, lie: str, core: Core, why: str
) -> None:
    trust = prove_core(emulator(lie), core, (Format.LITERT,), bench)
    assert isinstance(trust, Untrusted)
    assert why in trust.reason
    assert f"cannot be trusted for {core.name} (-cpu {core.cpu})" in trust.reason


def test_an_emulator_that_hangs_is_not_trusted(emulator: Emulator, bench: Bench) -> None:
    brief = replace(bench, limits=replace(bench.limits, wall_seconds=1))
    trust = prove_core(emulator("hangs"), NEON, BOTH, brief)
    assert isinstance(trust, Untrusted)
    assert "timed out after 1 s" in trust.reason


@pytest.mark.parametrize(
    "version", ["", "qemu-aarch64", "version unknown"], ids=["empty", "no number", "no version"]
)
def test_an_emulator_without_a_version_is_not_trusted(
    emulator: Emulator, bench: Bench, version: str
) -> None:
    trust = prove_core(emulator(version=version), NEON, BOTH, bench)
    assert isinstance(trust, Untrusted)
    assert "does not say which version" in trust.reason


def test_debian_12s_emulator_is_not_trusted_with_i8mm_whatever_it_answers(
    emulator: Emulator, bench: Bench
) -> None:
    old = emulator(version="qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)")
    trust = prove_core(old, I8MM, BOTH, bench)
    assert isinstance(trust, Untrusted)
    assert "qemu-aarch64 7.2.22 is too old for i8mm; 10.0 or newer is needed" in trust.reason


@pytest.mark.parametrize(
    ("core", "version", "fine"),
    [
        (NEON, (7, 2, 22), True),
        (DOTPROD, (7, 2, 22), True),
        (I8MM, (9, 2, 4), False),
        (I8MM, (10, 0, 0), True),
        (I8MM, (11, 0, 0), True),
        (NEON, None, False),
    ],
)
def test_the_version_rule(core: Core, version: tuple[int, int, int] | None, fine: bool) -> None:
    assert (version_objection(core, version) is None) is fine


def test_an_emulator_that_cannot_be_started_is_not_trusted(
    emulator: Emulator, bench: Bench
) -> None:
    machine = emulator()
    machine.emulator.unlink()
    trust = prove_core(machine, NEON, BOTH, bench)
    assert isinstance(trust, Untrusted)

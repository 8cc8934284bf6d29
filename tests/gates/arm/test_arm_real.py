"""The real emulator, where it is set up: its cores prove themselves, and real kernels run."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from weighin.gates.arm.cores import I8MM, NEON
from weighin.gates.arm.machine import Machine
from weighin.gates.arm.readings import arm_readings, prove_core
from weighin.gates.arm.trust import Trusted, Untrusted
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Bench, Candidate, HostSettings
from weighin.gates.digest import sha256_of
from weighin.gates.measurement import Measurement, Unreadable
from weighin.gates.profile import load_profile
from weighin.gates.variant import Format

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def test_the_emulator_is_right_on_the_core_with_matrix_products(
    real_machine: Machine, bench: Bench
) -> None:
    trust = prove_core(real_machine, I8MM, (Format.LITERT,), bench)
    assert isinstance(trust, Trusted), trust


def test_a_core_that_is_not_what_it_is_said_to_be_is_seen(
    real_machine: Machine, bench: Bench
) -> None:
    trust = prove_core(real_machine, replace(NEON, cpu="cortex-a76"), (Format.LITERT,), bench)
    assert isinstance(trust, Untrusted)
    assert "its core has dotprod" in trust.reason


def test_real_arm_kernels_agree_on_a_small_classifier_beside_a_broken_file(
    real_machine: Machine, tiny_tflite: Path, tiny_data: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "broken.tflite"
    broken.write_bytes(b"\0" * 64)
    found = arm_readings(
        [candidate(broken), candidate(tiny_tflite)],
        [load_profile("pixel-4")],
        tiny_data,
        real_machine,
        tmp_path / "arm",
        Limits(wall_seconds=120, memory_mib=3000),
        NOW,
        HostSettings(),
    )
    reading = found["tiny.tflite", "pixel-4"]
    assert isinstance(reading, Measurement), reading
    assert (reading.value, reading.n) == (0, 64)
    assert dict(reading.conditions)["cpu"] == "cortex-a76"
    assert isinstance(found["broken.tflite", "pixel-4"], Unreadable)


def candidate(path: Path) -> Candidate:
    digest = sha256_of(path)
    return Candidate(label=path.name, path=path, format=Format.LITERT, sha256=digest)

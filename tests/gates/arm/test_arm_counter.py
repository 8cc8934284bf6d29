"""The counter is used only as it was built, and only if it computes and counts right."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from weighin.gates.arm.cores import DOTPROD
from weighin.gates.arm.counter import (
    NEON_WIDE,
    Counter,
    Uncounted,
    count_files,
    open_counter,
    prove_counter,
)
from weighin.gates.arm.counts import Count
from weighin.gates.arm.machine import MANIFEST, Machine, NotReady
from weighin.gates.devices.bench import Bench, Candidate
from weighin.gates.digest import sha256_of
from weighin.gates.variant import Format

Emulator = Callable[..., Machine]
MakeCounter = Callable[[Machine], Counter]


def candidate(path: Path, format: Format = Format.LITERT) -> Candidate:
    return Candidate(label=path.name, path=path, format=format, sha256=sha256_of(path))


def test_where_nobody_built_a_counter_there_is_none(tmp_path: Path) -> None:
    found = open_counter(tmp_path)
    assert isinstance(found, NotReady)
    assert "not built here; run `weighin doctor --arm --counter`" in found.reason


@pytest.mark.parametrize(
    ("attack", "reason"),
    [
        (lambda folder: (folder / "counter.so").write_bytes(b"other"), "counter.so was changed"),
        (lambda folder: (folder / "more").touch(), "more was added"),
        (lambda folder: (folder / "qemu-aarch64").unlink(), "qemu-aarch64 is missing"),
        (lambda folder: (folder / MANIFEST).write_text("{"), "cannot be read"),
        (lambda folder: (folder / MANIFEST).write_text("[]"), "cannot be read"),
        (
            lambda folder: (folder / MANIFEST).write_text(
                (folder / MANIFEST).read_text().replace('"source": "', '"source": "0')
            ),
            "built by another version of weighin",
        ),
    ],
    ids=["changed", "added", "lost", "torn manifest", "no manifest of ours", "other source"],
)
def test_a_counter_that_is_not_what_was_built_is_not_used(
    attack: Callable[[Path], object], reason: str, emulator: Emulator, counter: MakeCounter
) -> None:
    folder = counter(emulator()).folder
    attack(folder)
    found = open_counter(folder)
    assert isinstance(found, NotReady)
    assert reason in found.reason


def test_a_counter_that_is_right_is_trusted(
    emulator: Emulator, counter: MakeCounter, bench: Bench
) -> None:
    machine = emulator()
    assert prove_counter(machine, counter(machine), DOTPROD, bench) is None


@pytest.mark.parametrize(
    ("lie", "reason"),
    [
        ("multiplies wrong", "instead of"),
        ("has another core", "its core"),
        ("convolves wrong", "known values wrong"),
        ("counts one too few", "32767 of 32768 known instructions (float_mac)"),
        ("sees no cache", "0 of 32768 known cache lines (missed_32k)"),
        ("counts twice", "it wrote 4 counts instead of 2"),
        ("counts nothing", "it wrote 0 counts instead of 2"),
        ("counts words", "load is many, not a whole number"),
    ],
)
def test_a_counter_that_lies_once_is_not_trusted(
    lie: str, reason: str, emulator: Emulator, counter: MakeCounter, bench: Bench
) -> None:
    machine = emulator(lie)
    objection = prove_counter(machine, counter(machine), DOTPROD, bench)
    assert objection is not None
    assert "cannot be trusted" in objection
    assert reason in objection


def test_a_file_that_crashes_has_no_count_and_the_next_one_has(
    emulator: Emulator, counter: MakeCounter, bench: Bench, tmp_path: Path
) -> None:
    machine = emulator("crashes on files")
    path = tmp_path / "model.tflite"
    path.write_bytes(b"model")
    (found,) = count_files(
        machine, counter(machine), DOTPROD, [candidate(path)], bench, built_in=False
    )
    assert isinstance(found, Uncounted)
    assert "it could not be run: crashed" in found.reason


def test_a_file_that_is_another_one_now_is_not_counted(
    emulator: Emulator, counter: MakeCounter, bench: Bench, tmp_path: Path
) -> None:
    machine = emulator()
    path = tmp_path / "model.tflite"
    path.write_bytes(b"model")
    before = candidate(path)
    path.write_bytes(b"other")
    after = replace(before, sha256=sha256_of(path))
    found = count_files(machine, counter(machine), DOTPROD, [before, after], bench, built_in=False)
    assert isinstance(found[0], Uncounted)
    assert "not the one that was built" in found[0].reason
    assert isinstance(found[1], Count)


def test_a_file_of_another_runtime_is_not_counted(
    emulator: Emulator, counter: MakeCounter, bench: Bench, tmp_path: Path
) -> None:
    machine = emulator()
    path = tmp_path / "model.onnx"
    path.write_bytes(b"model")
    (found,) = count_files(
        machine, counter(machine), DOTPROD, [candidate(path, Format.ONNX)], bench, built_in=False
    )
    assert isinstance(found, Uncounted)
    assert "no published phone latency to scale .onnx files by" in found.reason


def test_the_real_counter_counts_the_known_loop(
    real_machine: Machine, real_counter: Counter, bench: Bench
) -> None:
    assert prove_counter(real_machine, real_counter, NEON_WIDE, bench) is None


def test_the_real_counter_counts_a_small_classifier_the_same_twice(
    real_machine: Machine, real_counter: Counter, bench: Bench, tiny_tflite: Path
) -> None:
    files = [candidate(tiny_tflite)] * 2
    first, second = count_files(real_machine, real_counter, DOTPROD, files, bench, built_in=False)
    assert isinstance(first, Count), first
    assert isinstance(second, Count), second
    assert 500 < first.instructions < 100_000
    assert abs(first.instructions - second.instructions) < 0.02 * first.instructions

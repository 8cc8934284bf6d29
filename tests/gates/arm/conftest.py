"""An emulator that tells the truth or a lie, and the real one where it is set up."""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from weighin.gates.arm.counter import Counter, open_counter, write_counter_manifest
from weighin.gates.arm.machine import (
    Machine,
    Manifest,
    NotReady,
    digests,
    open_machine,
    write_manifest,
)
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Bench, HostSettings
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.variant import Format

RUNTIMES = (Format.LITERT, Format.ONNX)
LIMITS = Limits(wall_seconds=60, memory_mib=2000)

FAKE = """#!{python} -I
import json, os, subprocess, sys, time

LIE, VERSION = {lie!r}, {version!r}
if "--version" in sys.argv:
    print(VERSION)
    sys.exit(0)
if LIE == "hangs":
    time.sleep(600)
if LIE == "crashes":
    os.abort()
if LIE == "says nothing":
    sys.exit(0)

import numpy as np
from pathlib import Path
from weighin.gates.arm.cores import CORES
from weighin.gates.arm.counter import COUNTING_CORES
from weighin.gates.arm.instructions import trials
from weighin.gates.arm.known import known_models
from weighin.gates.child import append_result, read_job
from weighin.gates.variant import Format

CPU = sys.argv[sys.argv.index("-cpu") + 1]
CORE = next(core for core in (*CORES, *COUNTING_CORES) if core.cpu == CPU)
BITS = {{"dotprod": 1 << 20, "fp16": 1 << 10}}
module, path = sys.argv[-2:]
job, results = read_job(Path(path))


def probe():
    hwcap = sum(BITS.get(name, 0) for name in CORE.isa)
    features = CORE.features
    if LIE == "has another core":
        hwcap ^= BITS["dotprod"]
    if LIE == "shows another cpuinfo":
        features = features.replace("asimddp", "") if "dotprod" in CORE.isa else "asimddp"
    line = {{"hwcap": hwcap, "hwcap2": (1 << 13) * ("i8mm" in CORE.isa), "features": features}}
    append_result(results, line)
    for number, trial in enumerate(trials()):
        there = trial.instruction.exists_on(CORE) or LIE == "knows too much"
        answer = trial.answer if there else b""
        if LIE == "multiplies wrong" and number == 13:
            answer = bytes([answer[0] ^ 1]) + answer[1:]
        line = {{"number": number, "answer": answer.hex(), "signal": 0 if there else 4}}
        append_result(results, line)


def known(items):
    answers = {{one.label: one.answers for f in Format for one in known_models(f)}}
    for item in items:
        outputs = answers[item["label"]].copy()
        if LIE == "convolves wrong" and "conv3x3_int8" in item["label"]:
            outputs[1, 2, 3, 4] += 1
        if LIE == "answers NaN" and "dense_float" in item["label"]:
            outputs[0, 0] = np.nan
        if LIE == "leaves one out" and item["label"].startswith("dense_int8"):
            continue
        np.save(item["outputs"], outputs)
        append_result(results, {{"label": item["label"], "done": True}})


def count():
    steps = 32768
    names = ("load", "store", "vector_load", "vector_store", "float_mac", "integer_mac", "vector")
    line = dict.fromkeys((*names, "scalar_float", "missed_32k", "missed_512k"), steps)
    line |= {{"integer": steps + 10, "branch": steps + 3, "missed_2m": 0}}
    if LIE == "counts one too few":
        line["float_mac"] -= 1
    if LIE == "sees no cache":
        line["missed_32k"] = 0
    count = 2 if "loop" in job else len(job["files"])
    lines = [line | {{"number": number}} for number in range(count)]
    if LIE == "counts twice":
        lines *= 2
    if LIE == "counts nothing":
        lines = []
    if LIE == "counts words":
        lines[-1]["load"] = "many"
    if LIE == "crashes on files" and "files" in job:
        os.abort()
    out = Path(sys.argv[sys.argv.index("-plugin") + 1].partition("out=")[2])
    out.write_text("".join(json.dumps(one) + "\\n" for one in lines))


def artifacts():
    subprocess.run([sys.executable, "-I", "-m", module, path], check=True)
    for item in job["variants"]:
        outputs = np.load(item["outputs"])
        if LIE == "wrong kernel":
            outputs = np.roll(outputs, 1, axis=1)
        if LIE == "wrong kernel on one row":
            outputs[0] = np.roll(outputs[0], 1)
        if LIE == "not a number":
            outputs[:3] = np.nan
        if LIE == "other shape":
            outputs = outputs[:-1]
        np.save(item["outputs"], outputs)
        if LIE == "changes the machine":
            Path(sys.argv[0]).with_name("more").write_text("")
        if LIE == "no array":
            Path(item["outputs"]).write_bytes(b"garbage")


if module.endswith("probe"):
    probe()
elif module.endswith("count_child"):
    count()
elif "known-" in path:
    known(job["variants"])
elif LIE == "crashes on files":
    os.abort()
else:
    artifacts()
"""

Emulator = Callable[..., Machine]


@pytest.fixture
def emulator(tmp_path: Path) -> Emulator:
    """A machine whose emulator is a script: right in everything but one lie."""

    def make(lie: str = "", version: str = "qemu-aarch64 version 10.0.13 (fake)") -> Machine:
        folder = tmp_path / "emulated"
        (folder / "root" / "usr" / "lib").mkdir(parents=True, exist_ok=True)
        script = folder / "qemu-aarch64"
        script.write_text(FAKE.format(python=sys.executable, lie=lie, version=version))
        script.chmod(0o755)
        manifest = Manifest(
            emulator=script.name,
            root="root",
            python="root/python",
            runtimes={one.runtime_package: runtime_of(one).split()[1] for one in RUNTIMES},
            downloads={},
            files=dict(digests(folder)),
        )
        write_manifest(manifest, folder)
        machine = open_machine(folder)
        assert isinstance(machine, Machine)
        return machine

    return make


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """Where one core's children run."""
    return Bench(
        workdir=tmp_path / "core",
        evaluation=tmp_path / "none",
        inputs=tmp_path / "none",
        limits=LIMITS,
        settings=HostSettings(),
        tick=lambda _what: None,
    )


@pytest.fixture
def counter(tmp_path: Path) -> Callable[[Machine], Counter]:
    """A counter that is a machine's own emulator: the script counts too."""

    def make(machine: Machine) -> Counter:
        folder = tmp_path / "counter"
        folder.mkdir(exist_ok=True)
        shutil.copy2(machine.emulator, folder / "qemu-aarch64")
        (folder / "counter.so").write_bytes(b"plugin")
        write_counter_manifest(folder, {})
        opened = open_counter(folder)
        assert isinstance(opened, Counter)
        return opened

    return make


@pytest.fixture(scope="session")
def real_counter() -> Counter:
    """The counter of this computer; skipped, visibly, where there is none."""
    from weighin.plugin.arm_counter import counter_folder

    counter = open_counter(counter_folder(os.environ, Path.home()))
    if isinstance(counter, NotReady):
        pytest.skip(counter.reason)
    return counter


@pytest.fixture(scope="session")
def real_machine() -> Machine:
    """The emulated machine of this computer; skipped, visibly, where there is none."""
    from weighin.plugin.arm_setup import machine_folder

    machine = open_machine(machine_folder(os.environ, Path.home()))
    if isinstance(machine, NotReady):
        pytest.skip(machine.reason)
    return machine

"""A machine is used only if every byte of it is what was set up."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from weighin.gates.arm.cores import I8MM, NEON
from weighin.gates.arm.machine import (
    MANIFEST,
    Machine,
    Manifest,
    NotReady,
    digests,
    emulator_version,
    interpreter,
    make_view,
    open_machine,
    read_manifest,
    write_manifest,
)

Emulator = Callable[..., Machine]
FILES = {"qemu-aarch64": "emulator", "root/usr/bin/python3.13": "python", "root/usr/lib/a": "a"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A machine of three files and a link."""
    for name, text in FILES.items():
        path = tmp_path / "machine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    made = tmp_path / "machine"
    (made / "root" / "lib").symlink_to("usr/lib")
    manifest = Manifest(
        emulator="qemu-aarch64",
        root="root",
        python="root/usr/bin/python3.13",
        runtimes={"onnxruntime": "1.31.1"},
        downloads={"libc6.deb": "b" * 64},
        files=dict(digests(made)),
    )
    write_manifest(manifest, made)
    return made


def test_a_machine_that_nobody_touched_can_be_used(folder: Path) -> None:
    machine = open_machine(folder)
    assert isinstance(machine, Machine)
    assert machine.emulator == folder / "qemu-aarch64"
    assert machine.runtimes == (("onnxruntime", "1.31.1"),)
    assert set(read_manifest(folder).files) == {*FILES, "root/lib"}


@pytest.mark.parametrize(
    ("attack", "why"),
    [
        pytest.param(
            lambda f: (f / "qemu-aarch64").write_text("Emulator"),
            "qemu-aarch64 was changed",
            id="another emulator",
        ),
        pytest.param(
            lambda f: (f / "root/usr/lib/sitecustomize.py").write_text(""),
            "sitecustomize.py was added",
            id="a file that Python runs at its start",
        ),
        pytest.param(
            lambda f: (f / "root/usr/lib/b").symlink_to("/etc/passwd"), "b was added", id="a link"
        ),
        pytest.param(lambda f: (f / "root/usr/lib/a").unlink(), "a is missing", id="a file less"),
        pytest.param(
            lambda f: ((f / "root/lib").unlink(), (f / "root/lib").symlink_to("/lib")),
            "root/lib was changed",
            id="a link elsewhere",
        ),
        pytest.param(
            lambda f: (f / MANIFEST).write_text("{"), "manifest.json cannot be read", id="torn"
        ),
        pytest.param(
            lambda f: (f / MANIFEST).write_text("[]"), "manifest.json cannot be read", id="a list"
        ),
        pytest.param(
            lambda f: (f / MANIFEST).write_text('{"layout": 0}'), "layout is 0", id="of old"
        ),
        pytest.param(lambda f: (f / MANIFEST).unlink(), "is not set up here", id="no manifest"),
    ],
)
def test_a_machine_that_is_not_what_was_set_up_is_not_used(
    folder: Path, attack: Callable[[Path], object], why: str
) -> None:
    attack(folder)
    found = open_machine(folder)
    assert isinstance(found, NotReady)
    assert why in found.reason
    assert "run `weighin doctor --arm`" in found.reason


def test_the_manifest_names_every_download(folder: Path) -> None:
    raw = json.loads((folder / MANIFEST).read_text())
    assert raw["downloads"] == {"libc6.deb": "b" * 64}


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("qemu-aarch64 version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)", (10, 0, 13)),
        ("qemu-aarch64 version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)", (7, 2, 22)),
        ("qemu-aarch64 version 10.1", (10, 1, 0)),
        ("something else", None),
    ],
)
def test_the_emulator_says_its_version(
    emulator: Emulator, said: str, version: tuple[int, int, int] | None
) -> None:
    assert emulator_version(emulator(version=said).emulator) == version


def test_programs_see_the_cores_files_and_the_machines(emulator: Emulator, tmp_path: Path) -> None:
    machine, view = emulator(), tmp_path / "view"
    for core in (I8MM, NEON):  # made anew for another core
        make_view(machine, core, view, count=2)
    assert (view / "usr").resolve() == (machine.root / "usr").resolve()
    assert (view / "lib").resolve() == (machine.root / "usr" / "lib").resolve()
    assert (view / "proc/cpuinfo").read_text().count("0xd03") == 2
    assert (view / "sys/devices/system/cpu/present").read_text() == "0-1\n"
    assert (view / "sys/devices/system/cpu/cpu1").is_dir()
    command = interpreter(machine, NEON, view)
    assert command[1:5] == ("-cpu", "cortex-a53", "-L", str(view))

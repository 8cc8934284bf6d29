"""The real ``adb`` program takes the simulator for a server with phones."""

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from weighin.gates.devices.simulator.phone import SimulatedPhone

ADB = shutil.which("adb")
pytestmark = pytest.mark.skipif(ADB is None, reason="no adb on this machine")


@pytest.fixture
def adb(serve: Any, pixel: SimulatedPhone, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.delenv("ANDROID_SERIAL", raising=False)
    port = str(serve(pixel).port)

    def run(*args: str) -> "subprocess.CompletedProcess[str]":
        command = [str(ADB), "-P", port, *args]
        return subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)

    return run


def test_the_phone_is_listed_and_answers(adb: Any, pixel: SimulatedPhone) -> None:
    assert f"{pixel.serial}\tdevice\n" in adb("devices").stdout
    asked = adb("-s", pixel.serial, "shell", "getprop", "ro.product.model")
    assert (asked.returncode, asked.stdout) == (0, "Pixel 4\n")
    failed = adb("-s", pixel.serial, "shell", "nosuch; exit 3")
    assert (failed.returncode, failed.stdout) == (3, "")
    assert failed.stderr == "/system/bin/sh: nosuch: inaccessible or not found\n"


def test_files_go_there_and_come_back(adb: Any, tmp_path: Path) -> None:
    sent = tmp_path / "sent"
    sent.mkdir()
    (sent / "a.bin").write_bytes(bytes(range(256)) * 1_000)
    assert adb("push", str(sent), "/data/local/tmp/new/").returncode == 0
    assert adb("pull", "/data/local/tmp/new", str(tmp_path / "back")).returncode == 0
    assert (tmp_path / "back" / "a.bin").read_bytes() == (sent / "a.bin").read_bytes()
    assert adb("exec-out", "stat -c %s /data/local/tmp/new/a.bin").stdout == "256000\n"


def test_a_refused_push_is_an_error(adb: Any, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("x")
    pushed = adb("push", str(tmp_path / "x"), "/system/x")
    assert pushed.returncode == 1
    assert "Permission denied" in pushed.stderr + pushed.stdout

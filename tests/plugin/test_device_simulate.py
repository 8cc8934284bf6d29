"""``weighin device simulate`` as its user meets it."""

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import adbutils
import pytest

from weighin.plugin.cli import main

ROOTS = [str(Path(__file__).parents[2] / room) for room in ("plugin", "gates", "registry")]


def test_it_serves_until_ctrl_c(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "weighin.plugin.cli", "device", "simulate", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--phones", "2", "--tools", "tools", "--fault", "charging"],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(ROOTS)},
    )
    with process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        port = int(lines[3].split("127.0.0.1:")[1].split(".")[0])
        devices = adbutils.AdbClient(port=port).device_list()
        assert [d.prop.model for d in devices] == ["Pixel 4", "Pixel 4"]
        assert all(str(d.serial) in "".join(lines) for d in devices)
        assert "charging" in lines[1]
        tool = tmp_path / "tools" / "benchmark_model"
        devices[0].sync.push(tool, "/data/local/tmp/benchmark_model")
        told = devices[0].shell("/data/local/tmp/benchmark_model")
        assert "Please specify the name of your TF Lite input file" in told
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0
        assert "all simulated phones are gone" in process.stdout.read()


@pytest.mark.parametrize(
    ("args", "complaint"),
    [
        (["--fault", "overheat"], "did you mean overheats?"),
        (["--profile", "pixel4"], "did you mean pixel-4"),
        (["--profile", "host"], "no Android phone"),
        (["--profile", "iphone-xs"], "no Android phone"),
        (["--phones", "0"], "--phones must be from 1 to 64"),
        (["--speed", "-1"], "--speed must be above 0"),
        (["--port", "70000"], "--port must be from 0 to 65535"),
    ],
)
def test_what_is_wrong_is_told_and_nothing_starts(
    args: list[str], complaint: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["device", "simulate", *args]) == 2
    assert complaint in capsys.readouterr().err


def test_a_taken_port_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert main(["device", "simulate", "--port", port]) == 2
    assert f"port {port} cannot be listened on" in capsys.readouterr().err

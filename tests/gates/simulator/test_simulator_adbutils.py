"""A client that we did not write works on simulated phones: adbutils, unmodified."""

import io
import stat
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import adbutils
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.devices.simulator.clock import ManualClock
from weighin.gates.devices.simulator.phone import SimulatedPhone, simulated
from weighin.gates.devices.simulator.properties import SIMULATED
from weighin.gates.devices.simulator.server import AdbSimulator
from weighin.gates.errors import ConfigError
from weighin.gates.profile import load_profile

TMP = "/data/local/tmp"
# adbutils leaves its connection open when it is refused.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def test_phones_are_listed_with_model_and_transport(serve: Any, pixel: SimulatedPhone) -> None:
    other = replace(pixel, serial="192.168.1.7:5555")  # a phone on wireless adb
    client = adbutils.AdbClient(port=serve(pixel, other).port)
    assert client.server_version() == 41
    listed = {one.serial: (one.state, one.tags["model"]) for one in client.list(extended=True)}
    assert listed == {pixel.serial: ("device", "Pixel_4"), other.serial: ("device", "Pixel_4")}
    assert client.device(other.serial).get_state() == "device"
    assert client.device(transport_id=2).shell("getprop ro.serialno") == other.serial
    with pytest.raises(adbutils.AdbError, match="more than one device"):
        client.device()


def test_every_simulated_phone_says_that_it_is_one(plug: Any) -> None:
    assert plug().getprop(SIMULATED) == "1"


def test_an_unknown_serial_is_refused(serve: Any, pixel: SimulatedPhone) -> None:
    client = adbutils.AdbClient(port=serve(pixel).port)
    with pytest.raises(adbutils.AdbError, match="'nobody' not found"):
        client.device("nobody").shell("ls")


def test_two_phones_cannot_share_a_serial(pixel: SimulatedPhone) -> None:
    with pytest.raises(ConfigError, match=pixel.serial):
        AdbSimulator((pixel, pixel))


@pytest.fixture(scope="module")
def device() -> Any:
    phone = simulated(load_profile("pixel-4"))
    with AdbSimulator((phone,), clock=ManualClock()) as server:
        yield adbutils.AdbClient(port=server.port).device(phone.serial)


@settings(max_examples=10, deadline=None)
@given(content=st.binary(max_size=3_000) | st.integers(0, 200_000).map(lambda n: b"weighin" * n))
def test_what_is_pushed_is_what_is_pulled(device: Any, content: bytes) -> None:
    device.sync.push(content, f"{TMP}/a file", 0o640, check=True)
    assert device.sync.read_bytes(f"{TMP}/a file") == content
    assert stat.filemode(device.sync.stat(f"{TMP}/a file").mode) == "-rw-r-----"


def test_a_folder_is_pulled_whole(plug: Any, tmp_path: Path) -> None:
    device = plug()
    for name in ("a.txt", "inner/b.txt"):
        device.sync.push(io.BytesIO(name.encode()), f"{TMP}/folder/{name}", 0o644)
    device.sync.pull(f"{TMP}/folder", tmp_path / "here")
    found = {p.relative_to(tmp_path): p.read_text() for p in tmp_path.rglob("*.txt")}
    assert found == {Path("here/a.txt"): "a.txt", Path("here/inner/b.txt"): "inner/b.txt"}


def test_a_file_that_is_not_there_is_told_so(plug: Any) -> None:
    device = plug()
    assert not device.sync.exists(f"{TMP}/nothing")
    with pytest.raises(adbutils.AdbError, match="No such file"):
        device.sync.read_bytes(f"{TMP}/nothing")


@pytest.mark.parametrize("target", ["/system/bin/x", "/proc/cpuinfo", f"{TMP}"])
def test_a_push_to_where_nobody_may_write_fails_and_changes_nothing(plug: Any, target: str) -> None:
    device = plug()
    before = device.shell("cat /proc/cpuinfo")
    with pytest.raises(adbutils.AdbError):
        device.sync._push_file(b"evil", target)
    assert device.shell("cat /proc/cpuinfo") == before


@pytest.mark.parametrize("is_v2", [False, True], ids=["shell", "shell_v2"])
def test_exit_codes_and_streams_come_through(plug: Any, is_v2: bool) -> None:
    result = plug().shell2("echo out; nosuch; (exit 7)", v2=is_v2)
    assert "out\n" in result.output
    assert "/system/bin/sh: nosuch: inaccessible or not found" in result.output
    assert result.returncode == 7
    if is_v2:
        assert (result.stdout, result.stderr.count("\n")) == ("out\n", 1)


def test_the_battery_is_understood(plug: Any) -> None:
    battery = plug().battery()
    assert (battery.level, battery.ac_powered, battery.status) == (80, False, 3)
    assert battery.charge_counter == 2800 * 1000 * 0.8 // 2800 * 2800
    assert battery.temperature == pytest.approx(22.5, abs=0.2)


def test_a_phone_that_leaves_and_returns_is_tracked(serve: Any, pixel: SimulatedPhone) -> None:
    server = serve(pixel)
    events = adbutils.AdbClient(port=server.port).track_devices()
    seen = [next(events)]
    server.roster.unplug(pixel.serial)
    seen.append(next(events))
    server.roster.plug(pixel.serial)
    seen.append(next(events))
    assert [(e.present, e.status) for e in seen] == [
        (True, "device"),
        (False, "absent"),
        (True, "device"),
    ]


def test_waiting_for_a_phone_ends_when_it_is_there(serve: Any, pixel: SimulatedPhone) -> None:
    server = serve(pixel)
    server.roster.unplug(pixel.serial)
    client = adbutils.AdbClient(port=server.port)
    assert client.list() == []
    threading.Timer(0.05, server.roster.plug, (pixel.serial,)).start()
    client.wait_for(pixel.serial, timeout=5)
    assert [one.serial for one in client.list()] == [pixel.serial]


def test_kill_server_ends_it(serve: Any, pixel: SimulatedPhone) -> None:
    server = serve(pixel)
    adbutils.AdbClient(port=server.port).server_kill()
    assert server.wait(5)


def test_what_is_not_simulated_is_refused_in_words(plug: Any) -> None:
    device = plug()
    with pytest.raises(adbutils.AdbError, match="simulator has no"):
        device.forward("tcp:1", "tcp:2")
    with pytest.raises(adbutils.AdbError, match="no interactive shell"):
        device.shell("")

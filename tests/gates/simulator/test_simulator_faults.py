"""Every fault shows: a simulator whose faults do nothing would test nothing."""

import time
from dataclasses import replace
from operator import methodcaller
from typing import Any

import adbutils
import pytest

from weighin.gates.devices.simulator.faults import Fault, Faults, faults
from weighin.gates.devices.simulator.phone import SimulatedPhone

T = "/data/local/tmp"
pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.mark.parametrize(
    ("fault", "command", "wrong", "right"),
    [
        (Fault.CHARGING, "dumpsys battery", "AC powered: true", "AC powered: false"),
        (Fault.OTHER_ABI, "uname -m", "armv8l", "aarch64"),
        (Fault.CLOCK_SKEWED, "date +%Y", "2001", "2000"),
        (Fault.TASKSET_MISSING, "taskset f0 echo hi", "inaccessible or not found", "hi"),
        (Fault.ONE_CORE_CPUINFO, "grep -c processor /proc/cpuinfo", "1", "8"),
        (Fault.NO_THERMAL_HAL, "dumpsys thermalservice", "HAL Ready: false", "HAL Ready: true"),
        (
            Fault.POWER_SUPPLY_DENIED,
            "cat /sys/class/power_supply/battery/current_now",
            "cat: /sys/class/power_supply/battery/current_now: Permission denied",
            "-",
        ),
    ],
    ids=lambda value: value if isinstance(value, Fault) else "",
)
def test_a_fault_shows_in_what_is_read(
    serve: Any, pixel: SimulatedPhone, fault: Fault, command: str, wrong: str, right: str
) -> None:
    late_2000_s = 977_000_000.0
    well, ill = pixel, replace(pixel, serial="ILL", faults=faults(fault))
    client = adbutils.AdbClient(port=serve(well, ill, started_unix_s=late_2000_s).port)
    assert wrong in client.device("ILL").shell(command)
    healthy = client.device(pixel.serial).shell(command)
    assert right in healthy
    assert wrong not in healthy.replace("armv8l", "")


def test_without_a_thermal_hal_the_zones_still_tell(plug: Any) -> None:
    zones = plug(Fault.NO_THERMAL_HAL).shell("cat /sys/class/thermal/thermal_zone*/type")
    assert zones.split() == ["cpu-0-0-usr", "battery", "quiet-therm-adc", "pm8150l-bcl-lvl0"]


@pytest.mark.parametrize("fault", [Fault.OFFLINE, Fault.UNAUTHORIZED])
def test_a_phone_that_is_not_ready_is_listed_and_answers_nothing(
    serve: Any, pixel: SimulatedPhone, fault: Fault
) -> None:
    phone = replace(pixel, faults=faults(fault))
    client = adbutils.AdbClient(port=serve(phone).port)
    assert [one.state for one in client.list()] == [fault.value]
    assert client.device_list() == []
    for ask in (methodcaller("shell", "ls"), methodcaller("get_state")):
        with pytest.raises(adbutils.AdbError, match=f"device {fault}"):
            ask(client.device(phone.serial))


def test_a_full_phone_refuses_what_does_not_fit(plug: Any) -> None:
    device = plug(Fault.NO_SPACE)
    assert int(device.shell(f"df {T}").splitlines()[1].split()[3]) == 64
    device.sync.push(b"x" * 60_000, f"{T}/fits", 0o644)
    with pytest.raises(adbutils.AdbError):
        device.sync.push(b"x" * 300_000, f"{T}/large", 0o644)
    assert device.sync.stat(f"{T}/fits").size == 60_000
    assert not device.sync.exists(f"{T}/large")
    assert "No space left on device" in device.shell(f"cat {T}/fits > {T}/copy")


def test_a_slow_shell_thinks_first(plug: Any) -> None:
    device = plug(settings=Faults(names=frozenset({Fault.SLOW_SHELL}), slow_shell_s=0.2))
    started = time.monotonic()
    assert device.shell("echo hi") == "hi"
    assert time.monotonic() - started >= 0.2


@pytest.mark.parametrize("after", [0, 2_000])
def test_a_phone_leaves_in_the_middle_of_an_answer(
    serve: Any, pixel: SimulatedPhone, after: int
) -> None:
    wrong = Faults(names=frozenset({Fault.DISCONNECTS}), at_command=2, after_bytes=after)
    client = adbutils.AdbClient(port=serve(replace(pixel, faults=wrong)).port)
    device = client.device(pixel.serial)
    whole = device.shell("cat /proc/cpuinfo", encoding=None)
    assert device.shell("cat /proc/cpuinfo", encoding=None) == whole[:after]
    assert client.list() == []
    with pytest.raises(adbutils.AdbError, match="not found"):
        device.shell("ls")


def test_a_phone_leaves_in_the_middle_of_a_push_and_keeps_no_file(
    serve: Any, pixel: SimulatedPhone
) -> None:
    wrong = Faults(names=frozenset({Fault.DISCONNECTS}), at_command=2, away_s=0.1)
    client = adbutils.AdbClient(port=serve(replace(pixel, faults=wrong)).port)
    device = client.device(pixel.serial)
    with pytest.raises((adbutils.AdbError, OSError)):
        device.sync.push(b"x" * 5_000_000, f"{T}/large")  # asks STAT first, then SEND
    client.wait_for(pixel.serial, timeout=5)
    assert not client.device(pixel.serial).sync.exists(f"{T}/large")


def test_a_restarted_server_drops_everybody_and_serves_on(
    serve: Any, pixel: SimulatedPhone
) -> None:
    wrong = Faults(names=frozenset({Fault.SERVER_RESTARTS}), at_command=2)
    client = adbutils.AdbClient(port=serve(replace(pixel, faults=wrong)).port)
    events = client.track_devices()
    next(events)
    device = client.device(pixel.serial)
    assert device.shell("echo one") == "one"
    with pytest.raises((adbutils.AdbError, OSError)):
        device.shell("echo two")
    with pytest.raises((adbutils.AdbError, OSError)):
        next(events)
    assert device.shell("echo three") == "three"


def test_unplugging_in_words_only_leaves_the_current_flowing(plug: Any) -> None:
    device = plug(Fault.CHARGING)
    device.shell("cmd battery unplug; sleep 10")
    assert "AC powered: false" in device.shell("dumpsys battery")
    assert int(device.shell("cat /sys/class/power_supply/battery/current_now")) > 0
    device.shell("dumpsys battery reset")
    assert "AC powered: true" in device.shell("dumpsys battery")


def test_an_overridden_thermal_status_says_that_it_is_one(plug: Any) -> None:
    device = plug()
    device.shell("cmd thermalservice override-status 3")
    told = device.shell("dumpsys thermalservice")
    assert "IsStatusOverride: true" in told
    assert "Thermal Status: 3" in told
    device.shell("cmd thermalservice reset")
    assert "IsStatusOverride: false" in device.shell("dumpsys thermalservice")


def test_every_fault_has_a_summary() -> None:
    assert all(fault.summary for fault in Fault)

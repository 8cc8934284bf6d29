"""Energy, charge and heat obey their laws, so that what measures them can be checked."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.devices.simulator.faults import Fault, faults
from weighin.gates.devices.simulator.phone import Gauge, simulated
from weighin.gates.devices.simulator.physics import CHARGER_MW, SLOWDOWN, STATUS_FROM_C, Physics
from weighin.gates.devices.simulator.speed import default_latency
from weighin.gates.devices.simulator.tools import benchmark_tool_bytes
from weighin.gates.profile import Os, all_profiles, load_profile

T = "/data/local/tmp"
PHONE = simulated(load_profile("pixel-4"))

durations = st.floats(0.01, 500)
powers = st.floats(0, 6_000)


@given(st.lists(st.tuples(durations, powers, durations), max_size=12))
def test_energy_is_power_times_time_however_often_it_is_read(
    steps: list[tuple[float, float, float]],
) -> None:
    often, once = Physics(PHONE), Physics(PHONE)
    now, expected = 0.0, 0.0
    for work_s, mw, idle_s in steps:
        for physics in (often, once):
            physics.work(now, work_s, mw)
        often.used_mj(now + work_s / 3)
        often.status(now + work_s)
        now += work_s + idle_s
        often.used_mj(now - idle_s / 2)
        once.used_mj(now - idle_s)  # work starts after what is settled
        expected += work_s * mw + (work_s + idle_s) * PHONE.idle_mw
    assert often.used_mj(now) == pytest.approx(expected)
    assert once.used_mj(now) == pytest.approx(expected)
    assert often.skin_c(now) == pytest.approx(once.skin_c(now), abs=1e-6)


@given(st.lists(st.floats(0, 100), min_size=1, max_size=20))
def test_charge_never_rises_while_discharging(gaps: list[float]) -> None:
    physics = Physics(PHONE)
    now, last = 0.0, physics.charge_uah(0)
    for gap in gaps:
        physics.work(now, gap, 3_000)
        now += gap
        charge = physics.charge_uah(now)
        assert charge <= last
        assert charge % PHONE.gauge.step_uah == 0
        last = charge


def test_load_heats_rest_cools_and_the_status_follows() -> None:
    physics = Physics(replace(PHONE, faults=faults(Fault.OVERHEATS)))
    physics.work(0, 600, 1_500)
    statuses = [physics.status(now) for now in range(0, 601, 20)]
    assert statuses == sorted(statuses)
    assert statuses[0] == 0
    assert statuses[-1] == 6
    cooling = [physics.skin_c(now) for now in range(600, 2_000, 50)]
    assert cooling == sorted(cooling, reverse=True)
    assert physics.status(3_000) == 0


def test_every_status_has_a_threshold_and_a_slowdown() -> None:
    assert len(SLOWDOWN) == len(STATUS_FROM_C) + 1
    assert list(SLOWDOWN) == sorted(SLOWDOWN)
    assert list(STATUS_FROM_C) == sorted(STATUS_FROM_C)


@pytest.mark.parametrize(
    ("gauge", "current"),
    [
        pytest.param(Gauge(), -1_000_000, id="microamperes, negative: as Android asks"),
        pytest.param(Gauge(discharging_sign=1), 1_000_000, id="microamperes, positive"),
        pytest.param(Gauge(per_ma=1), -1_000, id="milliamperes, negative"),
        pytest.param(Gauge(per_ma=1, discharging_sign=1), 1_000, id="milliamperes, positive"),
    ],
)
def test_vendors_tell_the_same_current_differently(gauge: Gauge, current: int) -> None:
    physics = Physics(replace(PHONE, gauge=replace(gauge, jitter=0.0)))
    physics.work(0, 100, 3_850 - PHONE.idle_mw)
    assert physics.current_now(50) == pytest.approx(current, abs=1)


def test_a_steady_current_jitters_around_its_mean_and_is_the_same_when_read_twice() -> None:
    physics = Physics(replace(PHONE, gauge=Gauge(jitter=0.01)))
    physics.work(0, 500, 3_850 - PHONE.idle_mw)
    told = [physics.current_now(second) for second in range(1, 401)]
    assert [physics.current_now(second) for second in range(1, 401)] == told
    assert len(set(told)) > 300
    assert sum(told) / len(told) == pytest.approx(-1_000_000, rel=0.003)


def test_a_slow_gauge_tells_old_news() -> None:
    physics = Physics(replace(PHONE, gauge=Gauge(period_s=30, jitter=0.0)))
    idle = physics.current_now(0)
    physics.work(30, 60, 3_000)
    assert physics.current_now(59) == idle
    assert physics.current_now(61) < 5 * idle


def test_a_charger_turns_the_current_and_fills_the_battery() -> None:
    steady = Gauge(jitter=0.0)
    physics = Physics(replace(PHONE, gauge=steady, faults=faults(Fault.CHARGING)))
    assert physics.current_now(10) == pytest.approx(
        (CHARGER_MW - PHONE.idle_mw) / 3.85 * 1e3, abs=1
    )
    assert physics.charge_uah(3_600) > physics.charge_uah(0)
    assert physics.level_percent(1e6) == 100


def charge_and_rails(device: Any) -> tuple[int, int]:
    rails = device.shell("cat /sys/bus/iio/devices/iio:device*/energy_value")
    total_uj = sum(int(value) for value in re.findall(r"\], (\d+)", rails))
    return int(device.shell("cat /sys/class/power_supply/battery/charge_counter")), total_uj


def test_a_benchmark_costs_the_power_of_its_cores_times_its_time(
    plug: Any, tiny_tflite: Path
) -> None:
    device = plug(gauge=Gauge(step_uah=1, period_s=0.001), rails=True)
    device.sync.push(benchmark_tool_bytes(), f"{T}/benchmark_model", 0o755)
    device.sync.push(tiny_tflite, f"{T}/m.tflite", 0o644)
    charge, rails = charge_and_rails(device)
    started = float(device.shell("cat /proc/uptime").split()[0])
    device.shell(f"taskset 80 {T}/benchmark_model --graph={T}/m.tflite --min_secs=120")
    seconds = float(device.shell("cat /proc/uptime").split()[0]) - started
    charge_after, rails_after = charge_and_rails(device)
    expected_mj = seconds * (PHONE.idle_mw + PHONE.clusters[0].active_mw)
    assert (charge - charge_after) * 3.6 * PHONE.volts == pytest.approx(expected_mj, rel=0.01)
    assert (rails_after - rails) / 1e3 == pytest.approx(expected_mj, rel=0.01)


def test_heat_slows_the_benchmark_down(plug: Any, tiny_tflite: Path) -> None:
    device = plug(Fault.OVERHEATS)
    device.sync.push(benchmark_tool_bytes(), f"{T}/benchmark_model", 0o755)
    device.sync.push(tiny_tflite, f"{T}/m.tflite", 0o644)
    command = f"{T}/benchmark_model --graph={T}/m.tflite --num_threads=4 --min_secs=140"
    means = [float(m) for m in re.findall(r"avg=(\S+)", device.shell(command))]
    assert means[-1] > 1.5 * means[0]
    told = device.shell("dumpsys thermalservice")
    assert int(re.findall(r"Thermal Status: (\d)", told)[0]) >= 4


def test_the_default_latency_knows_cores_threads_and_arithmetic(tiny_tflite: Path) -> None:
    latency_ms = default_latency(PHONE)
    model = tiny_tflite.read_bytes()
    big, little, all_cores = (4, 5, 6, 7), (0, 1, 2, 3), tuple(range(8))
    assert latency_ms(model, 4, big) < latency_ms(model, 4, all_cores)
    assert latency_ms(model, 1, big) < latency_ms(model, 1, little)
    unknown = b"\0" * 4_000_000  # no model at all: time by size
    assert latency_ms(unknown, 1, big) > latency_ms(unknown[:1_000], 1, big) > 0


def test_simulated_phones_of_all_profiles_have_cores_and_power() -> None:
    android = [p for p in all_profiles() if p.os is Os.ANDROID]
    assert len(android) >= 5
    for phone in map(simulated, android):
        assert len(phone.cores) >= 2
        assert all(kind.active_mw > 0 for kind in phone.cores)

"""What is measured on simulated phones, through adb: latency, memory, energy, and when not."""

import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.devices.phone.adb import AdbLink
from weighin.gates.devices.phone.bench import Asked
from weighin.gates.devices.phone.blocks import Block
from weighin.gates.devices.phone.energy import measure_energy
from weighin.gates.devices.phone.energy_windows import (
    GaugeSample,
    GaugeWindow,
    energy_from_gauge,
    rails_window,
)
from weighin.gates.devices.phone.health import conditions, cooled, read_heat
from weighin.gates.devices.phone.latency import conclude, narrow
from weighin.gates.devices.phone.link import Answer
from weighin.gates.devices.phone.measure import measure
from weighin.gates.devices.phone.memory import measure_memory
from weighin.gates.devices.phone.stage import stage_model
from weighin.gates.devices.phone.tool_output import Summary, ToolRun
from weighin.gates.devices.phone_run import Missing, PhoneRun
from weighin.gates.devices.simulator.clock import ManualClock, ScaledClock
from weighin.gates.devices.simulator.faults import Fault, Faults
from weighin.gates.devices.simulator.phone import Gauge, SimulatedPhone
from weighin.gates.digest import sha256_of
from weighin.gates.errors import PhoneError
from weighin.gates.stats import Interval

LATENCY = Asked(memory_processes=0)
ENERGY = Asked(memory_processes=0, energy=True, energy_s=20)
FAST = 60.0
"""Simulated seconds in a real one, where two things must happen on a phone at the same time."""


def run_once(link: AdbLink, job: Any, pause: Callable[[float], None] = lambda _: None) -> PhoneRun:
    (run,) = measure(link, job, lambda _: None, pause=pause)
    return run


def test_the_interval_holds_the_phones_own_p90(
    pixel: SimulatedPhone, connect: Any, make_job: Any
) -> None:
    noise = 0.02
    link = connect(replace(pixel, latency_ms=lambda _m, _t, _c: 20.0, noise=noise))
    run = run_once(link, make_job(link, LATENCY))
    assert isinstance(run.latency_ms, Interval)
    true_p90 = 20.0 * float(np.exp(1.2816 * noise))
    assert run.latency_ms.lower <= true_p90 <= run.latency_ms.upper
    assert run.mean_ms == pytest.approx(20.0, rel=0.02)
    assert narrow(run.latency_ms, 0.05)
    spread = dict(run.quantiles)
    assert spread[0] < run.p50_ms < spread[1]
    assert spread[0.5] == pytest.approx(run.p50_ms, rel=0.01)


def test_a_noisy_phone_is_measured_longer_and_then_said_to_be_wide(
    pixel: SimulatedPhone, connect: Any, make_job: Any
) -> None:
    link = connect(replace(pixel, latency_ms=lambda _m, _t, _c: 20.0, noise=0.4))
    run = run_once(link, make_job(link, replace(LATENCY, most_blocks=6)))
    assert isinstance(run.latency_ms, Interval)
    assert run.processes == 60
    assert "wider than the 5% asked for" in dict(run.conditions)["interval"]


def test_a_phone_that_overheats_in_every_block_is_given_up(
    pixel: SimulatedPhone, connect: Any, make_job: Any
) -> None:
    clock = ManualClock()
    hot = replace(
        pixel,
        faults=Faults(names=frozenset({Fault.OVERHEATS})),
        latency_ms=lambda _m, _t, _c: 2000.0,
    )
    link = connect(hot, clock)
    told: list[str] = []

    def pause(seconds: float) -> None:
        clock.wait(seconds, threading.Event())

    with pytest.raises(PhoneError, match=r"grows too hot|did not cool down"):
        list(measure(link, make_job(link, replace(LATENCY, cool_s=3600)), told.append, pause=pause))
    assert any("this block does not count" in line for line in told)


def test_a_warm_phone_is_waited_for(pixel: SimulatedPhone, connect: Any) -> None:
    clock = ManualClock()
    link = connect(replace(pixel, ambient_c=24.0), clock)
    waits: list[float] = []

    class Warm:
        """The phone, warm until somebody waited twice."""

        serial = "A"

        def run(self, command: str, timeout_s: float = 60.0) -> Answer:
            answer = link.run(command, timeout_s)
            hot = "thermalservice" in command and len(waits) < 2
            text = answer.text.replace("Thermal Status: 0", "Thermal Status: 3")
            return Answer(code=0, text=text) if hot else answer

        def push(self, local: Path, remote: str, mode: int) -> None:
            link.push(local, remote, mode)

        def pull(self, remote: str, local: Path) -> None:
            link.pull(remote, local)

    assert cooled(Warm(), 60, waits.append).objection is None
    assert len(waits) == 2
    waits.clear()
    with pytest.raises(PhoneError, match=r"too hot \(thermal status 3, not 0\)"):
        cooled(Warm(), 0, waits.append)


def test_peak_memory_is_above_the_runtimes_own(
    pixel: SimulatedPhone, connect: Any, make_rig: Any, tmp_path: Path
) -> None:
    big = tmp_path / "big.tflite"
    big.write_bytes(dense(np.ones((1000, 1000), np.float32)))
    link = connect(pixel, ScaledClock(10.0))
    model = stage_model(link, big, sha256_of(big))
    found = measure_memory(make_rig(link, Asked(memory_processes=2)), model, 4_000_000, 1.0)
    assert isinstance(found, Interval)
    assert 3.8 < found.value < 20


def test_a_gpu_drivers_memory_is_not_told(
    pixel: SimulatedPhone, connect: Any, make_job: Any
) -> None:
    link = connect(pixel)
    run = run_once(link, make_job(link, replace(LATENCY, memory_processes=1, delegate="gpu")))
    assert isinstance(run.memory_mib, Missing)
    assert "driver" in run.memory_mib.reason


@pytest.mark.slow
@pytest.mark.parametrize(
    ("settings", "speed"),
    [
        pytest.param({"gauge": Gauge(discharging_sign=1, period_s=0.5)}, 10.0, id="fuel gauge"),
        pytest.param({"rails": True}, FAST, id="power rails"),
    ],
)
def test_energy_is_what_the_phone_takes_above_idling(
    pixel: SimulatedPhone,
    connect: Any,
    make_rig: Any,
    tiny_tflite: Path,
    settings: dict[str, Any],
    speed: float,
) -> None:
    busy_mw = sum(sorted((core.active_mw for core in pixel.cores), reverse=True)[:4])
    link = connect(
        replace(pixel, latency_ms=lambda _m, _t, _c: 20.0, noise=0.02, **settings),
        ScaledClock(speed),
    )
    model = stage_model(link, tiny_tflite, sha256_of(tiny_tflite))
    found = measure_energy(make_rig(link, replace(ENERGY, energy_s=18)), model)
    assert isinstance(found, Interval), found
    # The simulated clock runs with the real one: on a busy machine commands take longer.
    assert found.value == pytest.approx(busy_mw * 0.02, rel=0.4)


def window(currents: list[int], mean_ms: float = 0.0) -> GaugeWindow:
    samples = tuple(GaugeSample(current=current, voltage=4_000_000) for current in currents)
    return GaugeWindow(samples=samples, mean_ms=mean_ms)


@pytest.mark.parametrize(
    ("sign", "unit"),
    [(1, 1000), (-1, 1000), (1, 1), (-1, 1)],
    ids=["uA", "uA, negative", "mA", "mA, negative"],
)
def test_energy_from_a_gauge_of_any_unit_and_sign(sign: int, unit: int) -> None:
    idle = [sign * unit * (50 + n % 2) for n in range(30)]
    busy = [sign * unit * (550 + n % 2) for n in range(30)]
    found = energy_from_gauge([(window(idle), window(busy, mean_ms=10.0))] * 3, 0.95)
    assert isinstance(found, Interval)
    assert found.value == pytest.approx(0.5 * 4.0 * 1000 * 0.010)


@pytest.mark.parametrize(
    ("idle", "busy", "pairs", "says"),
    [
        ([50] * 30, [550] * 30, 3, "changed 0 times in a window"),
        (list(range(50, 80)), list(range(550, 580)), 2, "2 pairs of windows are fewer than 3"),
        (list(range(550, 580)), list(range(50, 80)), 3, "took no more when it worked"),
        (list(range(50, 80)), [(-1) ** n * 550 for n in range(30)], 3, "changes its sign"),
    ],
    ids=["stands still", "two pairs", "idle takes more", "sign changes"],
)
def test_a_gauge_that_cannot_be_believed_gives_no_energy(
    idle: list[int], busy: list[int], pairs: int, says: str
) -> None:
    found = energy_from_gauge([(window(idle), window(busy, mean_ms=10.0))] * pairs, 0.95)
    assert isinstance(found, Missing)
    assert says in found.reason


def test_rails_that_started_anew_give_no_energy() -> None:
    before, after = "t=1000\nCH0[CPU], 900\n", "t=2000\nCH0[CPU], 100\n"
    with pytest.raises(ValueError, match="started anew"):
        rails_window(before, after, 10)
    assert rails_window(after, "t=3000\nCH0[CPU], 300\n", 10).energy_uj == 200


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"gauge": Gauge(period_s=15)}, "too seldom"),
        ({"faults": Faults(names=frozenset({Fault.CHARGING}))}, "it is charging"),
        (
            {"faults": Faults(names=frozenset({Fault.POWER_SUPPLY_DENIED}))},
            "neither power rails nor the current",
        ),
    ],
)
def test_energy_that_cannot_be_told_is_not(
    pixel: SimulatedPhone,
    connect: Any,
    make_rig: Any,
    tiny_tflite: Path,
    settings: dict[str, Any],
    says: str,
) -> None:
    link = connect(replace(pixel, **settings), ScaledClock(FAST))
    model = stage_model(link, tiny_tflite, sha256_of(tiny_tflite))
    found = measure_energy(make_rig(link, ENERGY), model)
    assert isinstance(found, Missing)
    assert says in found.reason


def test_a_file_that_arrives_as_another_is_refused(
    pixel: SimulatedPhone, connect: Any, tiny_tflite: Path
) -> None:
    link = connect(pixel)
    with pytest.raises(PhoneError, match="arrived on phone A as another file"):
        stage_model(link, tiny_tflite, "0" * 64)


def test_battery_saver_is_refused(pixel: SimulatedPhone, connect: Any) -> None:
    link = connect(pixel)

    class Saving:
        serial = "A"

        def run(self, command: str, timeout_s: float = 60.0) -> Answer:
            return Answer(code=0, text="1\n") if "low_power" in command else link.run(command)

        def push(self, local: Path, remote: str, mode: int) -> None:
            link.push(local, remote, mode)

        def pull(self, remote: str, local: Path) -> None:
            link.pull(remote, local)

    with pytest.raises(PhoneError, match="battery saver is on"):
        conditions(Saving())


def test_a_faked_charger_is_refused_for_energy(
    pixel: SimulatedPhone, connect: Any, make_job: Any
) -> None:
    link = connect(replace(pixel, faults=Faults(names=frozenset({Fault.CHARGING}))))
    link.run("dumpsys battery unplug")
    run = run_once(link, make_job(link, ENERGY))
    assert isinstance(run.energy_mj, Missing)
    assert "faked" in run.energy_mj.reason


def test_heat_is_read_from_the_kernel_where_there_is_no_thermal_service(
    pixel: SimulatedPhone, connect: Any
) -> None:
    heat = read_heat(
        connect(replace(pixel, faults=Faults(names=frozenset({Fault.NO_THERMAL_HAL}))))
    )
    assert heat.status is None
    assert heat.objection is None


def test_a_thermal_status_that_somebody_overrode_is_refused(
    pixel: SimulatedPhone, connect: Any
) -> None:
    link = connect(pixel)
    link.run("cmd thermalservice override-status 0")
    with pytest.raises(PhoneError, match="cmd thermalservice reset"):
        read_heat(link)
    link.run("cmd thermalservice reset")
    assert read_heat(link).objection is None


def test_no_model_stays_on_the_phone(pixel: SimulatedPhone, connect: Any, make_job: Any) -> None:
    link = connect(pixel)
    run_once(link, make_job(link, LATENCY))
    left = link.run("ls /data/local/tmp/weighin").text.split()
    assert [name for name in left if not name.startswith("benchmark_model-")] == []
    assert len(left) == 1


def block(*summaries: Summary) -> Block:
    sample = ToolRun(timed=summaries[0], warm_up=5)
    return Block(
        model=summaries,
        reference=(),
        twin=(),
        sample=sample,
        before="cool",
        after="cool",
        discarded=0,
    )


def three(low: float, middle: float, high: float) -> Summary:
    return Summary(count=3, mean_ms=(low + middle + high) / 3, min_ms=low, max_ms=high)


def test_too_few_runs_are_no_latency() -> None:
    found = conclude([block(three(1, 2, 3))] * 3, 0.95)
    assert isinstance(found.p90_ms, Missing)
    assert "too few for a 90th percentile" in found.p90_ms.reason


def test_a_drifting_phone_has_a_wide_interval() -> None:
    calm = [block(*[three(10, 10.1, 10.2)] * 10)] * 3
    drifting = [block(*[three(9 + n, 9.1 + n, 9.2 + n)] * 10) for n in range(3)]
    for blocks, is_narrow in ((calm, True), (drifting, False)):
        assert narrow(conclude(blocks, 0.95).p90_ms, 0.05) is is_narrow


def test_processes_that_tell_no_single_run_are_enclosed_by_what_they_print() -> None:
    told = Summary(count=50, mean_ms=10.5, min_ms=10, max_ms=13, p50_ms=10.4, p95_ms=11.5)
    found = conclude([block(*[told] * 10)] * 3, 0.95)
    assert found.p90_ms == Interval(value=11.5, lower=10.4, upper=13)
    assert dict(found.conditions)["timings"].startswith("not told one by one")


def test_a_tool_that_contradicts_itself_gives_no_latency() -> None:
    wrong = Summary(count=3, mean_ms=99.0, min_ms=1.0, max_ms=2.0)
    found = conclude([block(*[wrong] * 10)] * 3, 0.95)
    assert isinstance(found.p90_ms, Missing)
    assert "contradicts itself" in found.p90_ms.reason


def dense(weights: Any) -> bytes:
    import importlib.util

    writer = Path(__file__).parents[2] / "conftest.py"
    spec = importlib.util.spec_from_file_location("shared", writer)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: bytes = module.dense_tflite(weights, np.zeros(weights.shape[1], np.float32))
    return made

"""What a gate believes of runs on a phone: before predictions, never instead of a reason."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from weighin.gates.belief import Moment, Subject
from weighin.gates.cost import Arithmetic
from weighin.gates.devices.phone.runs_file import append_run, runs_path
from weighin.gates.devices.phone_run import Missing, PhoneRun
from weighin.gates.digest import sha256_of
from weighin.gates.judge import Check, Outcome, judge
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.profile import load_profile
from weighin.gates.stats import Interval
from weighin.gates.usage import Usage
from weighin.gates.variant import Format
from weighin.plugin.phones import PREDICTED, Phones
from weighin.plugin.planning import plan_for
from weighin.plugin.project import open_project

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
MOMENT = Moment(now=NOW, max_age=timedelta(days=30))
DEVICE = "pixel-4"
LATENCY = Metric.LATENCY_P90_MS


def run_of(path: Path, **changes: object) -> PhoneRun:
    run = PhoneRun(
        measured_at=NOW - timedelta(days=1),
        serial_sha256="a" * 64,
        device=DEVICE,
        artifact_sha256=sha256_of(path),
        title=path.name,
        format=Format.LITERT,
        runtime_version=runtime_of(Format.LITERT).split()[1],
        tool_sha256="c" * 64,
        arithmetics=(Arithmetic.FLOAT32,),
        operators=("CONV_2D",),
        terms=None,
        threads=4,
        cores="f0",
        delegate="",
        partitions=(),
        latency_ms=Interval(value=12.5, lower=12.0, upper=13.0),
        p50_ms=12.0,
        mean_ms=12.1,
        n=90,
        processes=30,
        confidence=0.95,
        ratio=Missing(reason="none"),
        reference_sha256="",
        memory_mib=Missing(reason="not asked for"),
        energy_mj=Missing(reason="not asked for (--energy)"),
        disagreement_percent=Missing(reason="not asked for (--data and --runner)"),
        thermal_before="",
        thermal_after="",
        conditions=(),
        simulated=False,
    )
    return replace(run, **changes)  # type: ignore[arg-type]


def known(path: Path, own: Path, rate: float | None = 1.0) -> dict[Metric, Reading]:
    usage = None if rate is None else Usage(inferences_per_second=rate)
    phones = Phones(own, usage, NOW, MOMENT.max_age)
    readings = phones.known(path, Format.LITERT, sha256_of(path), DEVICE)
    assert sorted(reading.metric for reading in readings) == sorted(PREDICTED)
    return {reading.metric: reading for reading in readings}


def check(path: Path, reading: Reading, at_most: float) -> Check:
    subject = Subject(
        artifact_sha256=sha256_of(path), device=DEVICE, runtime=runtime_of(Format.LITERT)
    )
    budget = Budget(metric=reading.metric, at_most=at_most, least_origin=Origin.DEVICE)
    (found,) = judge(subject, (budget,), (reading,), MOMENT).checks
    return found


def test_a_run_stands_before_the_prediction_and_passes_a_budget_that_asks_for_a_device(
    tmp_path: Path, tiny_tflite: Path
) -> None:
    before = known(tiny_tflite, tmp_path)[LATENCY]
    assert isinstance(before, Unreadable) or before.origin is not Origin.DEVICE
    append_run(tmp_path, run_of(tiny_tflite))
    reading = known(tiny_tflite, tmp_path)[LATENCY]
    assert isinstance(reading, Measurement)
    assert reading.origin is Origin.DEVICE
    assert check(tiny_tflite, reading, 13.0).outcome is Outcome.PASS
    assert check(tiny_tflite, reading, 11.0).outcome is Outcome.FAIL


def test_without_a_run_the_prediction_is_what_it_was(tmp_path: Path, tiny_tflite: Path) -> None:
    predicted = known(tiny_tflite, tmp_path / "nothing")
    other = replace(run_of(tiny_tflite), artifact_sha256="e" * 64)
    append_run(tmp_path, other)
    assert known(tiny_tflite, tmp_path) == predicted


def test_an_old_run_is_no_longer_looked_at(tmp_path: Path, tiny_tflite: Path) -> None:
    append_run(tmp_path, run_of(tiny_tflite, measured_at=NOW - timedelta(days=31)))
    reading = known(tiny_tflite, tmp_path)[LATENCY]
    assert isinstance(reading, Unreadable) or reading.origin is not Origin.DEVICE


def test_a_run_in_another_release_of_the_runtime_says_so(tmp_path: Path, tiny_tflite: Path) -> None:
    append_run(tmp_path, run_of(tiny_tflite, runtime_version="1.0.0"))
    found = check(tiny_tflite, known(tiny_tflite, tmp_path)[LATENCY], 100.0)
    assert found.outcome is Outcome.UNDECIDED
    assert "another runtime (ai-edge-litert 1.0.0" in found.reason


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"simulated": True}, "simulated phone"),
        ({"runtime_version": ""}, "tool of unknown release"),
        (
            {"latency_ms": Missing(reason="the gpu delegate fell back")},
            "the gpu delegate fell back",
        ),
    ],
)
def test_a_run_without_a_number_replaces_the_prediction_with_its_reason(
    tmp_path: Path, tiny_tflite: Path, changes: dict[str, object], says: str
) -> None:
    append_run(tmp_path, run_of(tiny_tflite, **changes))
    found = check(tiny_tflite, known(tiny_tflite, tmp_path)[LATENCY], 1e9)
    assert found.outcome is Outcome.UNDECIDED
    assert says in found.reason


def test_battery_follows_from_measured_energy(tmp_path: Path, tiny_tflite: Path) -> None:
    append_run(tmp_path, run_of(tiny_tflite, energy_mj=Interval(value=10, lower=9, upper=11)))
    battery = known(tiny_tflite, tmp_path, rate=1.0)[Metric.BATTERY_PERCENT_PER_HOUR]
    assert isinstance(battery, Measurement)
    assert battery.origin is Origin.DEVICE
    joules = 2800 * 3.6 * 3.85
    assert battery.value == pytest.approx(100 * 3600 * 0.010 / joules)


def test_no_battery_is_predicted_for_a_model_that_does_not_run(
    tmp_path: Path, tiny_tflite: Path
) -> None:
    crash = Missing(reason="no latency: it crashed")
    append_run(tmp_path, run_of(tiny_tflite, latency_ms=crash, energy_mj=crash))
    battery = known(tiny_tflite, tmp_path)[Metric.BATTERY_PERCENT_PER_HOUR]
    assert isinstance(battery, Unreadable)
    assert "it crashed" in battery.reason


def test_energy_follows_from_measured_latency_and_power_and_says_that_it_is_predicted(
    tmp_path: Path, tiny_tflite: Path
) -> None:
    append_run(tmp_path, run_of(tiny_tflite))
    energy = known(tiny_tflite, tmp_path)[Metric.ENERGY_MJ]
    assert isinstance(energy, Measurement)
    assert energy.origin is Origin.PREDICTED
    power = load_profile(DEVICE).active_mw(4)
    assert power is not None
    assert energy.value == pytest.approx(12.5 * power.mw / 1e3)


def test_the_power_of_a_delegate_is_not_that_of_the_cores(
    tmp_path: Path, tiny_tflite: Path
) -> None:
    append_run(tmp_path, run_of(tiny_tflite, delegate="gpu"))
    energy = known(tiny_tflite, tmp_path)[Metric.ENERGY_MJ]
    assert isinstance(energy, Unreadable)
    assert "power of the gpu delegate" in energy.reason


def test_a_damaged_file_of_runs_decides_nothing(tmp_path: Path, tiny_tflite: Path) -> None:
    append_run(tmp_path, run_of(tiny_tflite))
    path = runs_path(tmp_path, DEVICE)
    path.write_text(path.read_text().replace('"threads": 4', '"threads": "4"'))
    found = check(tiny_tflite, known(tiny_tflite, tmp_path)[LATENCY], 1e9)
    assert found.outcome is Outcome.UNDECIDED
    assert "line 1: threads" in found.reason


def test_a_new_run_makes_a_new_plan(tmp_path: Path, tiny_tflite: Path) -> None:
    rows, labels = np.zeros((60, 8), np.float32), np.arange(60) % 3
    for name in ("e", "c"):
        np.savez(tmp_path / f"{name}.npz", x=rows, y=labels)
    (tmp_path / "weighin.toml").write_text(
        '[models.m]\nevaluation = "e.npz"\ncalibration = "c.npz"\ndevices = ["pixel-4"]\n'
        'recipes = ["int8"]\n'
    )
    before = plan_for(open_project(tmp_path), "m").digest
    append_run(tmp_path / "devices", run_of(tiny_tflite, device="redmi-8"))
    of_another_phone = plan_for(open_project(tmp_path), "m").digest  # it may be transferred
    append_run(tmp_path / "devices", run_of(tiny_tflite))
    assert len({before, of_another_phone, plan_for(open_project(tmp_path), "m").digest}) == 3

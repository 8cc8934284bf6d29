"""From raw numbers to readings: every meter's arithmetic, and where it refuses."""

import math
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weighin.gates.measurement import ANY_DEVICE, Measurement, Reading, Unreadable
from weighin.gates.meters.accuracy import accuracy_drop, calibration_error
from weighin.gates.meters.cache import ReadingCache
from weighin.gates.meters.energy import Window, energy_per_inference
from weighin.gates.meters.latency import Session, latency_p90
from weighin.gates.meters.memory import peak_memory
from weighin.gates.meters.rapl import energy_counters, read_energy_uj
from weighin.gates.meters.size import size
from weighin.gates.meters.stamp import Stamp, runtime_of
from weighin.gates.metric import Metric, Origin
from weighin.gates.variant import Format

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
STAMP = Stamp(artifact_sha256="a" * 64, runtime="r 1", device="host", measured_at=NOW)


def number(reading: Reading) -> Measurement:
    assert isinstance(reading, Measurement), reading
    return reading


def reason(reading: Reading) -> str:
    assert isinstance(reading, Unreadable), reading
    return reading.reason


def votes(*classes: int) -> NDArray[np.float32]:
    return 5 * np.eye(3, dtype=np.float32)[list(classes)]


def test_accuracy_counts_flips_in_both_directions() -> None:
    labels = np.array([0, 1, 2, 0, 1, 2, 0, 1, 2, 0])
    reference = votes(0, 1, 2, 0, 1, 2, 0, 1, 0, 1)  # 8 right
    outputs = votes(0, 1, 2, 0, 1, 0, 1, 2, 2, 1)  # 6 right: 3 lost, 1 won
    drop = number(accuracy_drop(outputs, reference, labels, STAMP))
    conditions = dict(drop.conditions)
    assert drop.value == pytest.approx(20.0)
    assert drop.lower < drop.value < drop.upper
    assert (drop.n, drop.origin, drop.device) == (10, Origin.ARTIFACT, ANY_DEVICE)
    assert conditions["flips_right_to_wrong"] == "3"
    assert conditions["flips_wrong_to_right"] == "1"
    assert conditions["agreement"] == "0.600000"
    assert (conditions["accuracy"], conditions["reference_accuracy"]) == ("0.600000", "0.800000")


@pytest.mark.parametrize(("flips", "kind"), [(30, "exact"), (31, "Tango")])
def test_accuracy_says_which_interval_it_used(flips: int, kind: str) -> None:
    labels = np.zeros(200, dtype=np.int64)
    outputs = votes(*([1] * flips + [0] * (200 - flips)))
    drop = number(accuracy_drop(outputs, votes(*[0] * 200), labels, STAMP))
    assert kind in dict(drop.conditions)["interval"]


@pytest.mark.parametrize(
    ("outputs", "reference", "labels", "why"),
    [
        pytest.param(
            votes(0, 1) * [[1], [np.nan]], votes(0, 1), [0, 1], "not finite on 1 of 2", id="nan"
        ),
        pytest.param(
            votes(0, 1) - np.array([[0], [np.inf]]),
            votes(0, 1),
            [0, 1],
            "not finite",
            id="infinite",
        ),
        pytest.param(votes(0), votes(0, 1), [0, 1], "shape [1, 3]", id="missing-rows"),
        pytest.param(votes(0, 1)[:, :2], votes(0, 1), [0, 1], "[2, 2]", id="missing-classes"),
        pytest.param(votes(0, 1)[..., None], votes(0, 1), [0, 1], "[2, 3, 1]", id="extra-axis"),
        pytest.param(
            votes(0, 1), votes(0, 1) * np.nan, [0, 1], "registered model's", id="nan-reference"
        ),
        pytest.param(votes(0, 1), votes(0, 1), [0, 1, 2], "for 3 labels", id="other-labels"),
        pytest.param(votes(), votes(), [], "no labels", id="no-rows"),
    ],
)
def test_outputs_that_cannot_be_compared_row_by_row_give_no_number(
    outputs: NDArray[Any], reference: NDArray[Any], labels: list[int], why: str
) -> None:
    assert why in reason(accuracy_drop(outputs, reference, np.array(labels), STAMP))


def test_calibration_error_is_the_gap_between_confidence_and_accuracy() -> None:
    sure = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    labels = np.array([0, 1, 1, 1])  # 100 % sure, 75 % right
    assert calibration_error(sure, labels) == pytest.approx(0.25)


def test_calibration_error_takes_logits_and_probabilities_alike() -> None:
    random = np.random.default_rng(3)
    logits, labels = random.normal(size=(200, 4)), random.integers(0, 4, 200)
    shares = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert calibration_error(logits, labels) == pytest.approx(calibration_error(shares, labels))


def test_size_is_exact() -> None:
    reading = size(3 * 1024 * 1024, STAMP)
    assert (reading.lower, reading.value, reading.upper) == (3.0, 3.0, 3.0)
    assert (reading.origin, reading.device) == (Origin.ARTIFACT, ANY_DEVICE)


def session(scale: float = 1.0, rounds: int = 40, twin: float = 1.0) -> Session:
    steps = [1 + k / 100 for k in range(rounds)]
    return Session(
        times_ms=tuple(scale * step for step in steps),
        reference_ms=tuple(2 * step for step in steps),
        twin_ms=tuple(2 * twin * step for step in steps),
    )


def test_latency_is_the_median_of_percentiles_within_their_envelope() -> None:
    reading = number(latency_p90([session(1), session(2), session(3)], STAMP, threads=1))
    assert reading.value == pytest.approx(2 * 1.35)
    assert reading.lower == pytest.approx(1 * 1.32)
    assert reading.upper == pytest.approx(3 * 1.39)
    assert (reading.n, reading.origin, reading.device) == (120, Origin.DEVICE, "host")


def test_latency_states_its_ratio_to_float32_and_the_noise() -> None:
    reading = number(latency_p90([session(1, twin=1.03), session(1.2)], STAMP, threads=2))
    conditions = dict(reading.conditions)
    assert (conditions["ratio_lower"], conditions["ratio_upper"]) == ("0.5000", "0.6000")
    assert conditions["noise_floor"] == "0.0300"
    assert (conditions["processes"], conditions["rounds"]) == ("2", "40")
    assert conditions["threads"] == "2"


def test_latency_without_a_reference_says_so() -> None:
    alone = Session(times_ms=session().times_ms)
    conditions = dict(number(latency_p90([alone], STAMP, threads=1)).conditions)
    assert "no float32" in conditions["ratio_to_float32"]
    assert "noise_floor" not in conditions


@pytest.mark.parametrize(
    ("sessions", "why"),
    [
        pytest.param([], "no process finished", id="no-process"),
        pytest.param([session(), Session(times_ms=())], "no process finished", id="silent-process"),
        pytest.param([session(rounds=28)], "28 timings", id="too-few-rounds"),
    ],
)
def test_latency_without_enough_timings_gives_no_number(sessions: list[Session], why: str) -> None:
    assert why in reason(latency_p90(sessions, STAMP, threads=1))


def test_labels_that_are_not_one_class_per_row_are_not_counted() -> None:
    outputs = votes(*[0] * 40)
    found = accuracy_drop(outputs, outputs, np.zeros((40, 1), np.int64), STAMP)
    assert "one class per row" in reason(found)


def test_memory_is_the_peak_above_the_floor_with_room_for_the_next_process() -> None:
    pairs = [(36_864, 36_864 + 4096), (36_864, 36_864 + 4608), (36_864, 36_864 + 4300)]
    reading = number(peak_memory(pairs, 1024 * 1024, STAMP, bound_mib=3.25))
    assert reading.value == pytest.approx(4300 / 1024)
    assert (reading.lower, reading.upper) == (3.5, 5.0)
    assert dict(reading.conditions) == {
        "processes": "3",
        "runtime_floor_mib": "36.0",
        "weights_mib": "1",
        "computed_mib": "3.25",
    }


@pytest.mark.parametrize(
    ("bound_mib", "alarm"),
    [(3.9, False), (5.1, True), (None, False)],
    ids=["within what was measured", "more than was measured", "not known"],
)
def test_memory_below_what_weights_and_activations_take_is_alarming(
    bound_mib: float | None, alarm: bool
) -> None:
    pairs = [(36_864, 36_864 + 4096), (36_864, 36_864 + 4608), (36_864, 36_864 + 4300)]
    conditions = dict(number(peak_memory(pairs, 1024, STAMP, bound_mib=bound_mib)).conditions)
    assert ("alarm" in conditions) is alarm
    assert conditions["computed_mib"].startswith(
        "not known" if bound_mib is None else str(bound_mib)
    )


def test_memory_at_more_confidence_is_wider_and_says_so() -> None:
    pairs = [(0, 4096), (0, 4608), (0, 4300)]
    usual, sure = (number(peak_memory(pairs, 10, STAMP, share)) for share in (0.95, 0.999))
    assert sure.lower < usual.lower < usual.upper < sure.upper
    assert (usual.confidence, sure.confidence) == (0.95, 0.999)
    alone = number(peak_memory(pairs[:1], 10, STAMP, 0.999))
    assert alone.confidence == 0.95, "a single process is not taken for surer"


def test_memory_of_equal_peaks_still_has_a_width() -> None:
    reading = number(peak_memory([(0, 1024)] * 3, 10, STAMP))
    assert reading.lower == pytest.approx(0.99)
    assert reading.upper == pytest.approx(1.01)


@pytest.mark.parametrize(("pairs", "why"), [([], "no process"), ([(9, 8)], "below")])
def test_memory_without_a_peak_gives_no_number(pairs: list[tuple[int, int]], why: str) -> None:
    assert why in reason(peak_memory(pairs, 10, STAMP))


def windows(idle_uj: int, busy_uj: int) -> tuple[Window, Window]:
    return (
        Window(energy_uj=idle_uj, seconds=2.0, inferences=0),
        Window(energy_uj=busy_uj, seconds=1.0, inferences=100),
    )


def test_energy_is_what_lies_above_idling() -> None:
    pairs = [windows(2_000_000, 3_000_000), windows(2_000_000, 4_000_000)]
    reading = number(energy_per_inference(pairs, STAMP))
    assert reading.value == 25.0
    assert reading.lower == 0.0, "two repeats say little: Student's t reaches below zero"
    student = 6.3138  # t of one degree of freedom at 95 %
    assert reading.upper == pytest.approx(25 + student * 5, abs=1e-2)
    assert reading.n == 200


def test_energy_of_many_alike_repeats_is_their_range() -> None:
    pairs = [windows(2_000_000, 3_000_000), *[windows(2_000_000, 3_010_000)] * 12]
    reading = number(energy_per_inference(pairs, STAMP))
    assert reading.lower == 20.0
    assert reading.upper == pytest.approx(20.1, abs=0.01)


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        pytest.param([], "stood still", id="no-windows"),
        pytest.param([windows(0, 0)], "stood still", id="counter-stands-still"),
        pytest.param([windows(5, -3)], "started anew", id="counter-wrapped"),
        pytest.param([windows(9_000_000, 10)], "too busy", id="idle-was-not-idle"),
        pytest.param([windows(2_000_000, 3_000_000)], "no interval", id="one-pair"),
    ],
)
def test_energy_that_cannot_be_told_gives_no_number(
    pairs: list[tuple[Window, Window]], why: str
) -> None:
    assert why in reason(energy_per_inference(pairs, STAMP))


def test_energy_counters_are_those_of_whole_packages(tmp_path: Path) -> None:
    for name, value in (("intel-rapl:0", "100"), ("intel-rapl:1", "20"), ("intel-rapl:0:0", "7")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "energy_uj").write_text(value + "\n")
    assert len(energy_counters(tmp_path)) == 2
    assert read_energy_uj(tmp_path) == 120
    assert energy_counters(tmp_path / "nowhere") == ()


@pytest.mark.parametrize("format", list(Format))
def test_a_runtime_is_named_with_its_version(format: Format) -> None:
    name, version = runtime_of(format).split(" ")
    assert name == format.runtime_package
    assert version[0].isdigit()


def cache(folder: Path, now: datetime = NOW) -> ReadingCache:
    return ReadingCache(folder=folder, now=now, reuse_for=timedelta(days=7))


def test_a_kept_reading_is_found_again_as_it_was(tmp_path: Path) -> None:
    reading = size(1234, STAMP)
    cache(tmp_path).keep(reading, {"artifact": "a"})
    assert cache(tmp_path).recall(Metric.SIZE_MIB, {"artifact": "a"}) == reading


@pytest.mark.parametrize(
    ("metric", "parts", "now"),
    [
        pytest.param(Metric.SIZE_MIB, {"artifact": "b"}, NOW, id="another-file"),
        pytest.param(Metric.ENERGY_MJ, {"artifact": "a"}, NOW, id="another-metric"),
        pytest.param(Metric.SIZE_MIB, {"artifact": "a", "more": ""}, NOW, id="other-settings"),
        pytest.param(Metric.SIZE_MIB, {"artifact": "a"}, NOW + timedelta(days=8), id="too-old"),
        pytest.param(Metric.SIZE_MIB, {"artifact": "a"}, NOW - timedelta(1), id="from-the-future"),
    ],
)
def test_a_kept_reading_is_not_found_under_anything_else(
    tmp_path: Path, metric: Metric, parts: dict[str, str], now: datetime
) -> None:
    cache(tmp_path).keep(size(1234, STAMP), {"artifact": "a"})
    assert cache(tmp_path, now).recall(metric, parts) is None


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"metric": "size_mib", "reason": "no"}'])
def test_a_damaged_reading_is_measured_again(tmp_path: Path, damage: str) -> None:
    cache(tmp_path).keep(size(1234, STAMP), {})
    (kept,) = tmp_path.iterdir()
    kept.write_text(damage)
    assert cache(tmp_path).recall(Metric.SIZE_MIB, {}) is None


def test_a_quantile_that_does_not_exist_is_no_reading() -> None:
    assert math.isfinite(number(latency_p90([session(rounds=29)], STAMP, threads=1)).upper)

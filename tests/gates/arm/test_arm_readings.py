"""Files on phones' cores: one run per core, and a reason wherever there is no number."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from weighin.gates.arm.machine import Machine, NotReady
from weighin.gates.arm.readings import arm_readings, sample_rows
from weighin.gates.belief import Moment, Subject
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.digest import sha256_of
from weighin.gates.judge import Outcome, judge
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Budget, Metric
from weighin.gates.profile import Cluster, DeviceProfile, Os, Tier, load_profile
from weighin.gates.variant import Format

Emulator = Callable[..., Machine]
Readings = dict[tuple[str, str], Reading]

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PIXEL_1, PIXEL_3, PIXEL_4 = (load_profile(f"pixel-{k}") for k in (1, 3, 4))
NEW = DeviceProfile(
    name="new",
    title="New",
    os=Os.ANDROID,
    tier=Tier.HIGH,
    year=2023,
    soc="SoC",
    soc_id="soc",
    source="nobody",
    clusters=(
        Cluster(
            core="X",
            count=1,
            max_ghz=3.0,
            isa=("dotprod", "fp16", "i8mm"),
            source="nobody",
        ),
    ),
)
METRIC = Metric.ARM_DISAGREEMENT_PERCENT


def candidate(path: Path, format: Format | None = None) -> Candidate:
    kind = format or next(one for one in Format if path.name.endswith(one.suffix))
    return Candidate(label=path.name, path=path, format=kind, sha256=sha256_of(path))


@pytest.fixture
def read(tmp_path: Path, tiny_data: Path) -> Callable[..., Readings]:
    """Readings of files on phones, from rows of the tiny classifier's data."""

    def run(
        machine: Machine | NotReady,
        candidates: list[Candidate],
        devices: tuple[DeviceProfile, ...] = (PIXEL_4,),
        seconds: float = 60,
    ) -> Readings:
        return arm_readings(
            candidates,
            devices,
            tiny_data,
            machine,
            tmp_path / "arm",
            Limits(wall_seconds=seconds, memory_mib=2000),
            NOW,
            HostSettings(),
        )

    return run


def outcome(
    reading: Reading, one: Candidate, device: str = "pixel-4", at_most: float = 5
) -> Outcome:
    subject = Subject(artifact_sha256=one.sha256, device=device, runtime=runtime_of(one.format))
    budget = Budget(metric=METRIC, at_most=at_most)
    return judge(subject, [budget], [reading], Moment(now=NOW, max_age=timedelta(days=1))).outcome


def test_right_kernels_pass_on_every_phone_and_phones_share_runs(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path, tiny_onnx: Path
) -> None:
    files = [candidate(tiny_tflite), candidate(tiny_onnx)]
    found = read(emulator(), files, (PIXEL_1, PIXEL_3, PIXEL_4, NEW))
    assert set(found) == {
        (one.label, device) for one in files for device in ("pixel-1", "pixel-3", "pixel-4", "new")
    }
    for (label, device), reading in found.items():
        one = next(file for file in files if file.label == label)
        assert isinstance(reading, Measurement), reading
        assert (reading.value, reading.n, reading.device) == (0, 64, device)
        assert outcome(reading, one, device) is Outcome.PASS
        assert outcome(reading, one, device, at_most=4) is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("lie", "wrong", "verdict"),
    [
        pytest.param("wrong kernel", 64, Outcome.FAIL, id="every row"),
        pytest.param("wrong kernel on one row", 1, Outcome.UNDECIDED, id="one row"),
        pytest.param("not a number", 3, Outcome.UNDECIDED, id="NaN on three rows"),
    ],
)
def test_a_kernel_that_is_wrong_on_the_phones_core_is_caught(
    emulator: Emulator,
    read: Callable[..., Readings],
    tiny_tflite: Path,
    lie: str,
    wrong: int,
    verdict: Outcome,
) -> None:
    one = candidate(tiny_tflite)
    reading = read(emulator(lie), [one])[one.label, "pixel-4"]
    assert isinstance(reading, Measurement), reading
    assert reading.value == 100 * wrong / 64
    assert outcome(reading, one) is verdict


@pytest.mark.parametrize(
    ("lie", "why"),
    [
        pytest.param("multiplies wrong", "cannot be trusted for dotprod", id="lies: instruction"),
        pytest.param("convolves wrong", "known values wrong", id="lies: model"),
        pytest.param("has another core", "its core lacks dotprod", id="lies: core"),
        pytest.param("crashes", "SIGABRT", id="emulator crashes"),
        pytest.param("crashes on files", "could not be run on ARM: crashed", id="file crashes"),
        pytest.param("other shape", "shape [63, 3] instead of [64, 3]", id="rows missing"),
        pytest.param("no array", "outputs on ARM cannot be read", id="garbage"),
    ],
)
def test_what_cannot_be_believed_is_undecided_and_says_why(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path, lie: str, why: str
) -> None:
    one = candidate(tiny_tflite)
    reading = read(emulator(lie), [one])[one.label, "pixel-4"]
    assert isinstance(reading, Unreadable)
    assert why in reading.reason
    assert outcome(reading, one) is Outcome.UNDECIDED


def test_a_file_that_changes_the_machine_takes_every_reading_with_it(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path
) -> None:
    one = candidate(tiny_tflite)
    found = read(emulator("changes the machine"), [one], (PIXEL_1, PIXEL_4))
    for reading in found.values():
        assert isinstance(reading, Unreadable)
        assert "is not what was set up (more was added)" in reading.reason


def test_without_a_machine_everything_is_undecided(
    read: Callable[..., Readings], tiny_tflite: Path
) -> None:
    one = candidate(tiny_tflite)
    reading = read(NotReady(reason="not set up"), [one])[one.label, "pixel-4"]
    assert reading == Unreadable(metric=METRIC, reason="not set up")
    assert outcome(reading, one) is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("format", "why"),
    [(Format.EXECUTORCH, "no ExecuTorch runtime"), (Format.COREML, "only on macOS and iOS")],
)
def test_a_format_without_an_arm_runtime_is_undecided(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path, format: Format, why: str
) -> None:
    one = candidate(tiny_tflite, format)
    reading = read(emulator(), [one])[one.label, "pixel-4"]
    assert isinstance(reading, Unreadable)
    assert why in reading.reason


def test_another_runtime_version_in_the_machine_is_no_evidence(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path
) -> None:
    machine = replace(emulator(), runtimes=(("ai-edge-litert", "1.0.0"),))
    one = candidate(tiny_tflite)
    reading = read(machine, [one])[one.label, "pixel-4"]
    assert isinstance(reading, Unreadable)
    assert "has ai-edge-litert 1.0.0" in reading.reason


def test_the_host_and_unknown_cores_are_undecided_beside_phones_that_are_not(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path
) -> None:
    one = candidate(tiny_tflite)
    bare = replace(PIXEL_4, name="bare", clusters=())
    found = read(emulator(), [one], (load_profile("host"), bare, PIXEL_4))
    assert "'host' is this machine" in str(found[one.label, "host"])
    assert "does not say which cores" in str(found[one.label, "bare"])
    assert isinstance(found[one.label, "pixel-4"], Measurement)


def test_half_floats_are_no_evidence_for_a_phone_that_has_them_beyond_the_core(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path, tmp_path: Path
) -> None:
    path = tmp_path / "half.tflite"
    path.write_bytes(tiny_tflite.read_bytes() + b"reduced_precision_support")
    one = candidate(path)
    found = read(emulator(), [one], (PIXEL_1, PIXEL_3, PIXEL_4))
    assert "permits reduced precision" in str(found[one.label, "pixel-3"])
    assert isinstance(found[one.label, "pixel-1"], Measurement)
    assert isinstance(found[one.label, "pixel-4"], Measurement)


def test_a_file_that_is_not_the_one_that_was_built_is_not_run(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path
) -> None:
    one = replace(candidate(tiny_tflite), sha256="0" * 64)
    reading = read(emulator(), [one])[one.label, "pixel-4"]
    assert isinstance(reading, Unreadable)
    assert "not the one that was built" in reading.reason


def test_a_bad_file_costs_only_itself(
    emulator: Emulator, read: Callable[..., Readings], tiny_tflite: Path, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.tflite"
    bad.write_bytes(b"\0" * 100)
    good, other = candidate(tiny_tflite), candidate(bad)
    found = read(emulator(), [other, good])
    assert isinstance(found[good.label, "pixel-4"], Measurement)
    assert "could not be run on this machine" in str(found[other.label, "pixel-4"])


def test_the_sample_is_the_same_each_time_and_no_more_than_there_is(
    tiny_data: Path, tmp_path: Path
) -> None:
    def rows(seed: int, count: int) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
        path = sample_rows(tiny_data, tmp_path / f"{seed}-{count}.npz", seed, count)
        with np.load(path) as archive:
            taken: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = archive["x"]
        return taken

    assert (rows(0, 64) == rows(0, 100)[:64]).all()
    assert not (rows(0, 64) == rows(1, 64)).all()
    assert len(rows(0, 1000)) == 300

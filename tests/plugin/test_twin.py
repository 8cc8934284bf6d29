"""A phone's latency from counted instructions: with its reason where there is none."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from weighin.gates.arm.count_store import CountKey, CountStore
from weighin.gates.arm.counter import (
    NEON_WIDE,
    Counter,
    open_counter,
    write_counter_manifest,
)
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Bench, Candidate, HostSettings
from weighin.gates.devices.emulate import load_twin
from weighin.gates.digest import sha256_of
from weighin.gates.errors import SetupError
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import DeviceProfile, load_profile
from weighin.gates.variant import Format
from weighin.plugin.arm_counter import build_counter, counter_folder, missing_tools, twin_place
from weighin.plugin.twin import Counting, TwinPlace, twin_latency, with_twin

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)
PIXEL_3A = "pixel-3a"


def counting(place: TwinPlace, tmp_path: Path) -> Counting:
    workdir = tmp_path / "bench"
    bench = Bench(
        workdir=workdir,
        evaluation=workdir,
        inputs=workdir,
        limits=Limits(wall_seconds=60, memory_mib=2000),
        settings=HostSettings(),
        tick=lambda _what: None,
    )
    return Counting(place=place, bench=bench)


def candidate(path: Path, format: Format = Format.LITERT) -> Candidate:
    return Candidate(label=path.name, path=path, format=format, sha256=sha256_of(path))


@pytest.fixture
def place(tmp_path: Path) -> TwinPlace:
    """A counter that was built, and no emulated machine."""
    folder = tmp_path / "counter"
    folder.mkdir()
    (folder / "qemu-aarch64").write_bytes(b"emulator")
    (folder / "counter.so").write_bytes(b"plugin")
    write_counter_manifest(folder, {})
    return TwinPlace(machine=tmp_path / "none", counter=folder, counts=tmp_path / "counts")


def keep_count(place: TwinPlace, one: Candidate, like: str) -> None:
    """Say that a file was counted, and executes what a published network does."""
    counter = open_counter(place.counter)
    assert isinstance(counter, Counter)
    key = CountKey(
        artifact_sha256=one.sha256,
        cpu=NEON_WIDE.cpu,
        kernels="xnnpack",
        runtime=runtime_of(one.format),
        counter=counter.version,
    )
    (network,) = [
        network
        for network in load_twin().counts
        if (network.cpu, network.kernels, network.model) == (key.cpu, key.kernels, like)
    ]
    CountStore(folder=place.counts).keep(key, load_twin().counts[network])


def test_a_kept_count_becomes_an_emulated_latency_near_the_network_that_counts_the_same(
    place: TwinPlace, tiny_tflite: Path, tmp_path: Path
) -> None:
    one = candidate(tiny_tflite)
    keep_count(place, one, "mobilenet_v2_1.0_224")
    found = twin_latency(one, load_profile(PIXEL_3A), counting(place, tmp_path), NOW)
    assert isinstance(found, Measurement), found
    assert (found.metric, found.origin) == (Metric.LATENCY_P90_MS, Origin.EMULATED)
    assert (found.device, found.artifact_sha256) == (PIXEL_3A, one.sha256)
    assert 55 * 0.9 < found.value < 55 * 1.1
    assert found.lower < found.value < found.upper
    assert "instructions counted on cortex-a72" in dict(found.conditions)["rule"]


@pytest.mark.parametrize(
    ("device", "format", "reason"),
    [
        (PIXEL_3A, Format.ONNX, "no published phone latency to scale .onnx files by"),
        (PIXEL_3A, Format.LITERT, "the emulated ARM machine is not set up here"),
        ("redmi-6-pro", Format.LITERT, "no published float32 run on"),
    ],
    ids=["another runtime", "nothing set up", "no published runs"],
)
def test_where_nothing_can_be_counted_there_is_a_reason(
    device: str, format: Format, reason: str, place: TwinPlace, tiny_tflite: Path, tmp_path: Path
) -> None:
    one = candidate(tiny_tflite, format)
    found = twin_latency(one, load_profile(device), counting(place, tmp_path), NOW)
    assert isinstance(found, Unreadable)
    assert reason in found.reason


def test_published_runs_with_other_kernels_scale_nothing(
    place: TwinPlace, tiny_tflite: Path, tmp_path: Path
) -> None:
    profile = load_profile(PIXEL_3A)
    older = tuple(replace(one, kernels="gemmlowp") for one in profile.calibrations)
    found = twin_latency(
        candidate(tiny_tflite),
        replace(profile, calibrations=older),
        counting(place, tmp_path),
        NOW,
    )
    assert isinstance(found, Unreadable)
    assert "not set up" in found.reason or "were counted" in found.reason


def test_a_counter_that_was_changed_counts_nothing(
    place: TwinPlace, tiny_tflite: Path, tmp_path: Path
) -> None:
    (place.counter / "counter.so").write_bytes(b"other")
    found = latency(candidate(tiny_tflite), load_profile(PIXEL_3A), place, tmp_path)
    assert isinstance(found, Unreadable)
    assert "counter.so was changed" in found.reason


def latency(one: Candidate, profile: DeviceProfile, place: TwinPlace, tmp_path: Path) -> Reading:
    return twin_latency(one, profile, counting(place, tmp_path), NOW)


def test_only_the_latency_is_taken_and_only_if_there_is_one(
    place: TwinPlace, tiny_tflite: Path, tmp_path: Path
) -> None:
    one = candidate(tiny_tflite)
    predicted = (
        Unreadable(metric=Metric.LATENCY_P90_MS, reason="unknown operator"),
        Unreadable(metric=Metric.PEAK_MEMORY_MIB, reason="not measured"),
    )
    nothing = latency(one, load_profile(PIXEL_3A), place, tmp_path)
    assert with_twin(predicted, nothing) == predicted
    keep_count(place, one, "mobilenet_v2_1.0_224")
    counted = latency(one, load_profile(PIXEL_3A), place, tmp_path)
    assert with_twin(predicted, counted) == (counted, predicted[1])


@pytest.mark.parametrize("origin", [Origin.DEVICE, Origin.PUBLISHED, Origin.TRANSFERRED])
def test_a_latency_of_better_origin_stays(
    origin: Origin, place: TwinPlace, tiny_tflite: Path, tmp_path: Path
) -> None:
    one = candidate(tiny_tflite)
    keep_count(place, one, "mobilenet_v2_1.0_224")
    counted = latency(one, load_profile(PIXEL_3A), place, tmp_path)
    assert isinstance(counted, Measurement)
    better = replace(counted, origin=origin)
    assert with_twin((better,), counted) == (better,)
    worse = replace(counted, origin=Origin.PREDICTED)
    assert with_twin((worse,), counted) == (counted,)


def test_machine_counter_and_counts_are_kept_side_by_side_in_the_users_cache(
    tmp_path: Path,
) -> None:
    place = twin_place({}, tmp_path)
    cache = tmp_path / ".cache" / "weighin" / "arm"
    assert {place.machine.parent, place.counter.parent, place.counts.parent} == {cache}


def test_without_a_compiler_nothing_is_built_and_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    folder = counter_folder({}, tmp_path)
    assert "gcc" in missing_tools()
    with pytest.raises(SetupError, match="needs gcc, pkg-config, dpkg-source; install"):
        build_counter(folder, lambda *_step: None)
    assert not folder.exists()


def test_a_counter_that_is_there_is_not_built_again(place: TwinPlace) -> None:
    steps = list[str]()
    built = build_counter(place.counter, lambda step, _done, _total: steps.append(step))
    assert built == open_counter(place.counter)
    assert steps == []

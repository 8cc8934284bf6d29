"""Weighing real tiny models on this machine: one bad file costs only itself."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.child import Limits
from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.devices.host import HOST_METRICS, measure_host
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric, Origin
from weighin.gates.quiet import QuietLimits
from weighin.gates.variant import Format

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
QUICK = HostSettings(processes=2, rounds=40, memory_processes=2, session_seconds=0.5)
LEAN = replace(QUICK, processes=1, memory_processes=1)
LIMITS = Limits(wall_seconds=30, memory_mib=2000)
MEASURED = (
    Metric.ACCURACY_DROP_POINTS,
    Metric.SIZE_MIB,
    Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_MIB,
)


def candidate(path: Path) -> Candidate:
    return Candidate(
        label=path.name,
        path=path,
        format=next(format for format in Format if path.name.endswith(format.suffix)),
        sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
    )


def graph(path: Path, nodes: list[Any], initializers: list[Any], outputs: int = 3) -> Path:
    """An ONNX file from x [1, 8] to logits [1, outputs]."""
    from onnx import TensorProto, helper, save

    made = helper.make_graph(
        nodes,
        "model",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, outputs])],
        initializers,
    )
    save(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=10), path)
    return path


def dense(path: Path, weights: np.ndarray[Any, Any]) -> Path:
    from onnx import helper, numpy_helper

    node = helper.make_node("MatMul", ["x", "weights"], ["logits"])
    return graph(path, [node], [numpy_helper.from_array(weights, "weights")], weights.shape[1])


def as_ort(path: Path, ort_path: Path) -> None:
    """The same model in the runtime's own format."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(ort_path)
    options.add_session_config_entry("session.save_model_format", "ORT")
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def endless(path: Path) -> Path:
    """A loop of 2^62 rounds: loads like any other model and never answers."""
    from onnx import TensorProto, helper, numpy_helper

    value = helper.make_tensor_value_info
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go_on"], ["go_on_out"]),
            helper.make_node("Sin", ["state"], ["state_out"]),
        ],
        "body",
        [
            value("number", TensorProto.INT64, []),
            value("go_on", TensorProto.BOOL, []),
            value("state", TensorProto.FLOAT, [1, 3]),
        ],
        [value("go_on_out", TensorProto.BOOL, []), value("state_out", TensorProto.FLOAT, [1, 3])],
    )
    nodes = [
        helper.make_node("MatMul", ["x", "weights"], ["start"]),
        helper.make_node("Loop", ["rounds", "true", "start"], ["logits"], body=body),
    ]
    constants = {
        "weights": np.ones((8, 3), np.float32),
        "rounds": np.array(2**62),
        "true": np.array(1, bool),
    }
    arrays = [numpy_helper.from_array(array, name) for name, array in constants.items()]
    return graph(path, nodes, arrays)


@dataclass(frozen=True, kw_only=True)
class Scale:
    """Weighs files in one working directory."""

    evaluation: Path
    reference: Path
    workdir: Path

    def weigh(
        self,
        *candidates: Candidate,
        settings: HostSettings = LEAN,
        now: datetime = NOW,
        limits: Limits = LIMITS,
        progress: Callable[[int, int, str], None] = lambda d, p, w: None,
    ) -> dict[str, dict[Metric, Reading]]:
        found = measure_host(
            candidates,
            self.evaluation,
            self.reference,
            self.workdir,
            limits,
            now,
            settings,
            progress,
        )
        return {label: {one.metric: one for one in each} for label, each in found.items()}


@pytest.fixture
def scale(tmp_path: Path, tiny_data: Path, tiny_reference: Path) -> Scale:
    return Scale(evaluation=tiny_data, reference=tiny_reference, workdir=tmp_path / "work")


@pytest.fixture(scope="module")
def weighed(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_data: Path,
    tiny_reference: Path,
    tiny_onnx: Path,
    tiny_tflite: Path,
) -> tuple[dict[str, Candidate], dict[str, dict[Metric, Reading]]]:
    """Good and bad files, weighed together once."""
    folder = tmp_path_factory.mktemp("variants")
    shutil.copy(tiny_onnx, folder / "float32.onnx")
    shutil.copy(tiny_tflite, folder / "float32.tflite")
    shutil.copy(tiny_tflite, folder / "float32.mlpackage.zip")
    as_ort(tiny_onnx, folder / "float32.ort")
    random = np.random.default_rng(5)
    dense(folder / "int8.onnx", random.normal(size=(8, 3)).astype(np.float32))
    dense(folder / "nan.onnx", np.full((8, 3), np.nan, np.float32))
    dense(folder / "wide.onnx", np.ones((8, 4), np.float32))
    endless(folder / "endless.onnx")
    (folder / "garbage.tflite").write_bytes(b"\x20\x00\x00\x00TFL3" + b"\xff" * 200)
    (folder / "garbage.onnx").write_bytes(b"not a protocol buffer at all")
    files = {path.name: candidate(path) for path in sorted(folder.iterdir())}
    swapped = replace(files["int8.onnx"], label="swapped.onnx", sha256="0" * 64)
    files["swapped.onnx"] = swapped
    missing = replace(files["int8.onnx"], label="missing.onnx", path=folder / "nothing.onnx")
    files["missing.onnx"] = missing
    scale = Scale(
        evaluation=tiny_data,
        reference=tiny_reference,
        workdir=tmp_path_factory.mktemp("work"),
    )
    limits = replace(LIMITS, wall_seconds=4)
    return files, scale.weigh(*files.values(), settings=QUICK, limits=limits)


Weighed = tuple[dict[str, Candidate], dict[str, dict[Metric, Reading]]]


@pytest.mark.parametrize("label", ["float32.onnx", "float32.ort", "float32.tflite", "int8.onnx"])
@pytest.mark.parametrize("metric", MEASURED)
def test_a_good_file_gets_a_number_bound_to_its_bytes(
    weighed: Weighed, label: str, metric: Metric
) -> None:
    files, readings = weighed
    reading = readings[label][metric]
    assert isinstance(reading, Measurement), reading
    of_file = metric in {Metric.ACCURACY_DROP_POINTS, Metric.SIZE_MIB}
    assert reading.artifact_sha256 == files[label].sha256
    assert reading.runtime == runtime_of(files[label].format)
    assert (reading.origin, reading.device) == (
        (Origin.ARTIFACT, "any") if of_file else (Origin.DEVICE, "host")
    )
    assert reading.lower <= reading.value <= reading.upper
    assert reading.measured_at == NOW


def test_what_runs_elsewhere_has_a_size_and_a_reason_for_everything_else(weighed: Weighed) -> None:
    readings = dict(weighed[1]["float32.mlpackage.zip"])
    assert isinstance(readings.pop(Metric.SIZE_MIB), Measurement)
    for reading in readings.values():
        assert isinstance(reading, Unreadable)
        assert reading.reason == "Core ML runs only on macOS and iOS"


@pytest.mark.parametrize("label", ["float32.onnx", "float32.ort", "float32.tflite"])
def test_the_same_model_loses_nothing(weighed: Weighed, label: str) -> None:
    drop = weighed[1][label][Metric.ACCURACY_DROP_POINTS]
    assert isinstance(drop, Measurement)
    assert (drop.value, drop.n) == (0.0, 300)
    assert dict(drop.conditions)["agreement"] == "1.000000"


def test_a_model_that_guesses_loses_a_lot(weighed: Weighed) -> None:
    drop = weighed[1]["int8.onnx"][Metric.ACCURACY_DROP_POINTS]
    assert isinstance(drop, Measurement)
    assert drop.lower > 10


def test_latency_was_taken_beside_float32_of_the_same_format(weighed: Weighed) -> None:
    for label in ("int8.onnx", "float32.tflite"):
        latency = weighed[1][label][Metric.LATENCY_P90_MS]
        assert isinstance(latency, Measurement)
        conditions = dict(latency.conditions)
        assert float(conditions["ratio_to_float32"]) > 0
        assert float(conditions["noise_floor"]) >= 0
        assert (conditions["processes"], latency.n) == ("2", 80)


@pytest.mark.parametrize(
    ("label", "metrics", "why"),
    [
        pytest.param("nan.onnx", MEASURED[:1], "not finite on 300 of 300 rows", id="nan-outputs"),
        pytest.param("wide.onnx", MEASURED[:1], "shape [300, 4]", id="other-classes"),
        pytest.param("garbage.onnx", MEASURED[2:], "crashed", id="garbage-onnx"),
        pytest.param("garbage.tflite", MEASURED[2:], "crashed", id="garbage-tflite"),
        pytest.param("endless.onnx", MEASURED[2:], "timed out", id="endless"),
        pytest.param("swapped.onnx", MEASURED, "not the one that was built", id="other-bytes"),
        pytest.param("missing.onnx", MEASURED, "cannot be read", id="no-file"),
    ],
)
def test_a_bad_file_gets_its_reason_and_costs_nobody_else(
    weighed: Weighed, label: str, metrics: tuple[Metric, ...], why: str
) -> None:
    for metric in metrics:
        reading = weighed[1][label][metric]
        assert isinstance(reading, Unreadable), reading
        assert why in reading.reason


def test_this_machine_has_no_battery(weighed: Weighed) -> None:
    for readings in weighed[1].values():
        assert isinstance(readings[Metric.BATTERY_PERCENT_PER_HOUR], Unreadable)


def test_every_file_has_exactly_one_reading_per_metric(weighed: Weighed) -> None:
    for readings in weighed[1].values():
        assert list(readings) == list(HOST_METRICS)


@pytest.fixture(scope="module")
def kept(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_data: Path,
    tiny_reference: Path,
    tiny_onnx: Path,
) -> tuple[Scale, Candidate, dict[str, dict[Metric, Reading]]]:
    """A finished run whose folder is still there."""
    workdir = tmp_path_factory.mktemp("kept")
    scale = Scale(evaluation=tiny_data, reference=tiny_reference, workdir=workdir)
    one = replace(candidate(tiny_onnx), label="float32.onnx")
    return scale, one, scale.weigh(one)


Kept = tuple[Scale, Candidate, dict[str, dict[Metric, Reading]]]


def test_a_second_run_measures_nothing_again(kept: Kept) -> None:
    scale, one, first = kept
    children: list[str] = []
    later = NOW + timedelta(hours=1)
    again = scale.weigh(one, now=later, progress=lambda done, planned, what: children.append(what))
    assert again == first
    assert children == []


@pytest.mark.parametrize("change", ["settings", "age", "asked-to", "evaluation", "reference"])
def test_whatever_decides_a_number_makes_it_be_measured_again(
    kept: Kept, tmp_path: Path, change: str
) -> None:
    before, one, _ = kept
    scale = replace(before, workdir=tmp_path / "work")
    shutil.copytree(before.workdir, scale.workdir)
    settings, now, children = LEAN, NOW, list[str]()
    match change:
        case "settings":
            settings = replace(LEAN, rounds=41)
        case "age":
            now = NOW + timedelta(days=8)
        case "asked-to":
            settings, now = replace(LEAN, reuse_for=timedelta(0)), NOW + timedelta(seconds=1)
        case "evaluation":
            with np.load(scale.evaluation) as archive:
                np.savez(tmp_path / "other.npz", x=archive["x"], y=archive["y"][::-1])
            scale = replace(scale, evaluation=tmp_path / "other.npz")
        case _:
            np.save(tmp_path / "other.npy", np.load(scale.reference) * 2)
            scale = replace(scale, reference=tmp_path / "other.npy")
    scale.weigh(
        one, settings=settings, now=now, progress=lambda done, planned, what: children.append(what)
    )
    assert len(children) == 4  # outputs, both forms, memory, latency


def test_a_killed_run_goes_on_where_it_was(kept: Kept, tmp_path: Path) -> None:
    before, one, first = kept
    scale = replace(before, workdir=tmp_path / "work")
    shutil.copytree(before.workdir, scale.workdir)
    (lost,) = (scale.workdir / "cache").glob("latency_p90_ms-*.json")
    lost.unlink()
    children: list[str] = []
    again = scale.weigh(one, progress=lambda done, planned, what: children.append(what))
    assert children == ["latency, process 1 of 1"]
    unchanged = set(HOST_METRICS) - {Metric.LATENCY_P90_MS}
    assert all(again[one.label][metric] == first[one.label][metric] for metric in unchanged)


def test_a_file_that_changes_while_it_is_weighed_gets_no_number_at_all(
    scale: Scale, tiny_onnx: Path, tmp_path: Path
) -> None:
    path = tmp_path / "float32.onnx"
    shutil.copy(tiny_onnx, path)
    one = candidate(path)

    def swap(done: int, planned: int, what: str) -> None:
        if "memory" in what:
            dense(path, np.zeros((8, 3), np.float32))

    readings = scale.weigh(one, progress=swap)["float32.onnx"]
    assert all(isinstance(reading, Unreadable) for reading in readings.values())
    shutil.copy(tiny_onnx, path)
    kept = scale.weigh(one)["float32.onnx"][Metric.ACCURACY_DROP_POINTS]
    assert isinstance(kept, Measurement)
    assert kept.value == 0.0


def test_a_standing_energy_counter_gives_no_number(scale: Scale, tiny_onnx: Path) -> None:
    package = scale.workdir.with_name("powercap") / "intel-rapl:0"
    package.mkdir(parents=True)
    (package / "energy_uj").write_text("12345")
    settings = replace(LEAN, powercap=package.parent, energy_repeats=1, energy_seconds=0.05)
    energy = scale.weigh(candidate(tiny_onnx), settings=settings)["tiny.onnx"][Metric.ENERGY_MJ]
    assert isinstance(energy, Unreadable)
    assert "stood still" in energy.reason


def test_a_machine_without_a_counter_says_so(scale: Scale, tiny_onnx: Path) -> None:
    settings = replace(LEAN, powercap=scale.workdir / "nowhere")
    energy = scale.weigh(candidate(tiny_onnx), settings=settings)["tiny.onnx"][Metric.ENERGY_MJ]
    assert isinstance(energy, Unreadable)
    assert "no energy counter" in energy.reason


def test_two_files_of_one_label_are_refused(scale: Scale, tiny_onnx: Path) -> None:
    with pytest.raises(ValueError, match="same label"):
        scale.weigh(candidate(tiny_onnx), candidate(tiny_onnx))


@pytest.mark.parametrize(("refuse", "cores"), [(True, 0), (False, 0), (True, 2)], ids=str)
def test_a_machine_whose_cores_are_taken_gives_no_latency_but_everything_else(
    scale: Scale, tiny_onnx: Path, tmp_path: Path, refuse: bool, cores: int
) -> None:
    """Counters that stand still are those of a quiet machine; without a core nothing is free."""
    proc = tmp_path / "proc"
    proc.mkdir()
    lines = ("cpu", *(f"cpu{core}" for core in range(cores)))
    (proc / "stat").write_text("".join(f"{line} 9 0 0 9 0 0 0 0\n" for line in lines))
    limits = QuietLimits(refuse=refuse, wait_seconds=0, most_noise=1e9)
    shutil.copy(tiny_onnx, tmp_path / "float32.onnx")
    one = candidate(tmp_path / "float32.onnx")
    found = scale.weigh(one, settings=replace(LEAN, quiet=limits, proc=proc, sys=tmp_path))[
        one.label
    ]
    latency = found[Metric.LATENCY_P90_MS]
    if refuse and not cores:
        assert isinstance(latency, Unreadable)
        assert "too noisy: in 1 of 1 processes, other processes kept" in latency.reason
    else:
        assert isinstance(latency, Measurement)
        assert ("noise" in dict(latency.conditions)) is (cores == 0)
    memory = found[Metric.PEAK_MEMORY_MIB]
    assert isinstance(memory, Measurement)
    assert "computed_mib" in dict(memory.conditions)

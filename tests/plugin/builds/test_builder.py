"""Whatever a model does in its child, the caller gets one result per file that was asked for."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from weighin.gates.child import Limits, can_isolate, run_command
from weighin.gates.cost import read_cost
from weighin.gates.digest import sha256_of
from weighin.gates.meters.models import load_model
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.recipe import parse_recipe
from weighin.plugin.source import inspect_source
from weighin.plugin.source_run import SourceFailure, SourceRun, run_source
from weighin.plugin.trunk import Built

LIMITS = Limits(wall_seconds=300, memory_mib=4000)
RECIPES = ("float32", "int8", "prune50+distill", "prune50+distill+int8")


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


def request_of(folder: Path, data: Any, workdir: Path, **changes: Any) -> BuildRequest:
    recipes = changes.pop("recipes", RECIPES)
    request = BuildRequest(
        source=inspect_source(folder, trust_pickle=True),
        recipes=tuple(map(parse_recipe, recipes)),
        formats=(Format.LITERT, Format.ONNX),
        calibration=data.calibration,
        training=data.training,
        limits=LIMITS,
        workdir=workdir,
        workers=1,
        settings=TrainingSettings(epochs=3, batch_size=16),
    )
    return replace(request, **changes)


@pytest.fixture(scope="module")
def workdir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work")


@pytest.fixture(scope="module")
def built(torch_program: Path, data: Any, workdir: Path) -> tuple[Any, ...]:
    """Every variant of one small model, built once for all tests."""
    results = build_variants(request_of(torch_program, data, workdir), quiet)
    assert all(isinstance(result, Built) for result in results), results
    return results


def accuracy(result: Any, data: Any) -> float:
    model = load_model(str(result.path), result.format, 1)
    with np.load(data.evaluation) as evaluation:
        answers = [np.array(model(row)).argmax() for row in evaluation["x"][:, None]]
        return float((np.array(answers) == evaluation["y"]).mean())


NARROW = {
    "mixed": {"weight_only", "float32"},
    "qat+w4": {"weight_only"},
}


def test_every_quantization_classifies_and_is_understood_by_the_cost_reader(
    torch_program: Path, data: Any, tmp_path: Path
) -> None:
    request = request_of(torch_program, data, tmp_path, recipes=tuple(NARROW))
    results = build_variants(request, quiet)
    made = [result for result in results if isinstance(result, Built)]
    assert len(made) == len(results), results
    for result in made:
        assert accuracy(result, data) >= 0.8, result
        cost = read_cost(result.path, result.format)
        assert set(map(str, cost.arithmetics)) <= NARROW[result.recipe]
        assert cost.unsized == ()
    notes = {result.recipe: dict(result.notes) for result in made}
    assert "layers" in notes["mixed"]["bits"] or "the rest" in notes["mixed"]["bits"]
    assert notes["qat+w4"]["qat"].startswith("4 bits, 3.0 epochs")


def test_every_recipe_comes_in_every_format_and_order(built: tuple[Any, ...]) -> None:
    wanted = [(recipe, format) for recipe in RECIPES for format in (Format.LITERT, Format.ONNX)]
    assert [(result.recipe, result.format) for result in built] == wanted


def test_every_file_classifies(built: tuple[Any, ...], data: Any) -> None:
    assert {
        r.recipe + r.format.suffix: accuracy(r, data) for r in built if accuracy(r, data) < 0.85
    } == {}


def test_every_file_is_what_its_record_says(built: tuple[Any, ...]) -> None:
    for result in built:
        assert sha256_of(result.path) == result.sha256
        assert result.path.stat().st_size == result.size_bytes
        assert {"torch", "weighin"} <= set(dict(result.tools))


def test_notes_tell_what_was_pruned_and_taught(built: tuple[Any, ...]) -> None:
    notes = {result.recipe: dict(result.notes) for result in built}
    assert "teacher" in notes["prune50+distill+int8"]
    assert " -> " in notes["prune50+distill+int8"]["macs"]
    assert "macs" not in notes["int8"]


def test_building_twice_builds_nothing_twice(
    built: tuple[Any, ...], torch_program: Path, data: Any, workdir: Path
) -> None:
    before = {path: path.stat().st_mtime_ns for path in (workdir / "cache").iterdir()}
    again = build_variants(request_of(torch_program, data, workdir), quiet)
    assert again == built
    assert {path: path.stat().st_mtime_ns for path in (workdir / "cache").iterdir()} == before


def test_a_damaged_file_is_built_again_and_only_that(
    built: tuple[Any, ...], torch_program: Path, data: Any, workdir: Path
) -> None:
    damaged = next(r for r in built if r.recipe == "int8" and r.format is Format.ONNX)
    whole = next(r for r in built if r.recipe == "float32" and r.format is Format.ONNX)
    damaged.path.write_bytes(b"not a model")
    touched = whole.path.stat().st_mtime_ns
    again = build_variants(request_of(torch_program, data, workdir), quiet)
    assert all(isinstance(result, Built) for result in again)
    assert sha256_of(damaged.path) == damaged.sha256
    assert whole.path.stat().st_mtime_ns == touched


def test_distillation_without_training_data_fails_alone(
    built: tuple[Any, ...], torch_program: Path, data: Any, workdir: Path
) -> None:
    request = request_of(torch_program, data, workdir, training=None, recipes=("int8", "distill50"))
    results = build_variants(request, quiet)
    assert [isinstance(result, Built) for result in results] == [True, True, False, False]
    failures = [result for result in results if isinstance(result, BuildFailure)]
    assert "needs training data" in failures[0].reason


STUDENTS = ("sparse80", "sparse80+int8", "student")


@pytest.fixture(scope="module")
def students(torch_program: Path, data: Any, tmp_path_factory: Any) -> dict[str, dict[str, str]]:
    """The notes of variants that learn partly from rows without labels, by label."""
    folder = tmp_path_factory.mktemp("students")
    with np.load(data.training) as training:
        np.savez(folder / "some.npz", x=training["x"][:200], y=training["y"][:200])
        np.savez(folder / "unlabelled.npz", x=training["x"][200:])
    request = request_of(
        torch_program,
        data,
        folder / "work",
        recipes=STUDENTS,
        training=folder / "some.npz",
        unlabelled=folder / "unlabelled.npz",
        student=inspect_source(torch_program),
        student_name="small/1",
        settings=TrainingSettings(epochs=2, batch_size=16, report_lift=True, prune_steps=2),
    )
    results = build_variants(request, quiet)
    assert all(isinstance(result, Built) for result in results), results
    return {r.recipe + r.format.suffix: dict(r.notes) for r in results if isinstance(r, Built)}


@pytest.mark.parametrize("recipe", ["sparse80", "sparse80+int8"])
@pytest.mark.parametrize("format", [Format.LITERT, Format.ONNX])
def test_sparsity_is_counted_in_the_file(
    recipe: str, format: Format, students: dict[str, dict[str, str]]
) -> None:
    notes = students[recipe + format.suffix]
    share, _, count, *_ = notes["sparsity_in_file"].replace(" %", "").split()
    assert 79 <= float(share) < 95  # int8 rounds a few more to zero
    assert int(count) == 72 + 576 + 128 * 12 + 12 * 4
    assert int(notes["macs_in_file"]) == 64 * 9 * 8 + 64 * 9 * 64 + 128 * 12 + 12 * 4
    assert int(notes["gzip_bytes"]) > 0


def test_the_lift_over_a_twin_without_the_teacher_is_told(
    students: dict[str, dict[str, str]],
) -> None:
    lift = students["student.onnx"]["distillation_lift"]
    assert "on 20 training rows that neither saw" in lift
    assert "distillation_lift" not in students["sparse80.onnx"]
    assert students["sparse80.onnx"]["fine_tuning"].startswith("2 rounds, in the last one 1.0 ep")
    assert students["student.onnx"]["student"] == "small/1"
    assert "236 rows" in students["student.onnx"]["fine_tuning"]


def test_a_pruned_model_is_trained_once_whether_it_is_said_to_be_taught_or_not(
    built: tuple[Any, ...], torch_program: Path, data: Any, workdir: Path
) -> None:
    kept = set((workdir / "cache").iterdir())
    request = request_of(torch_program, data, workdir, recipes=("prune50+int8",))
    results = build_variants(request, quiet)
    same = {result.format: result for result in results if isinstance(result, Built)}
    taught = {r.format: r for r in built if r.recipe == "prune50+distill+int8"}
    assert {f: r.sha256 for f, r in same.items()} == {f: r.sha256 for f, r in taught.items()}
    assert [r.recipe for r in same.values()] == ["prune50+int8"] * 2
    assert set((workdir / "cache").iterdir()) == kept


def test_a_missing_student_and_a_teacher_of_other_classes_fail_alone(
    built: tuple[Any, ...], torch_program: Path, data: Any, workdir: Path, tmp_path: Path
) -> None:
    other = nn.Sequential(nn.Flatten(), nn.Linear(64, 7)).eval()
    (tmp_path / "data").mkdir()
    torch.export.save(
        torch.export.export(other, (torch.rand(1, 1, 8, 8),)), tmp_path / "data/model.pt2"
    )
    (tmp_path / "MLmodel").write_text('{"flavors": {"pytorch": {"model_data": "data"}}}')
    request = request_of(
        torch_program,
        data,
        workdir,
        recipes=("float32", "student", "distill50"),
        formats=(Format.ONNX,),
        teacher=inspect_source(tmp_path),
        teacher_name="other/1",
    )
    whole, student, distilled = build_variants(request, quiet)
    assert isinstance(whole, Built)
    assert isinstance(student, BuildFailure)
    assert "set `student`" in student.reason
    assert isinstance(distilled, BuildFailure)
    assert "the teacher gives (256, 7) outputs; (256, 4) are needed" in distilled.reason


class Spectrum(nn.Module):  # type: ignore[misc]
    """ONNX has a Fourier transform; the LiteRT converter has none."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 4)

    def forward(self, x: Any) -> Any:
        return self.linear(torch.fft.fft(x.flatten(1)).abs())


def test_what_one_format_cannot_express_fails_there_and_nowhere_else(
    tmp_path: Path, data: Any
) -> None:
    program = torch.export.export(Spectrum().eval(), (torch.rand(1, 1, 8, 8),))
    (tmp_path / "model/data").mkdir(parents=True)
    torch.export.save(program, tmp_path / "model/data/model.pt2")
    (tmp_path / "model/MLmodel").write_text('{"flavors": {"pytorch": {"model_data": "data"}}}')
    recipes = ("float32", "int8")
    request = request_of(tmp_path / "model", data, tmp_path / "work", recipes=recipes)
    results = build_variants(request, quiet)
    kinds = {(str(r.recipe), r.format): type(r) for r in results}
    assert {f: kinds["float32", f] for f in request.formats} == {
        Format.LITERT: BuildFailure,
        Format.ONNX: Built,
    }
    assert kinds["int8", Format.LITERT] is BuildFailure
    failed = next(r for r in results if isinstance(r, BuildFailure))
    assert "Error" in failed.reason
    assert "\x1b" not in failed.reason


def test_the_source_is_run_on_the_evaluation_data(
    built: tuple[Any, ...], torch_program: Path, data: Any, workdir: Path
) -> None:
    source = inspect_source(torch_program)
    run = run_source(source, (data.evaluation,), data.calibration, workdir, LIMITS)
    assert isinstance(run, SourceRun)
    assert run.macs == 64 * 9 * 8 + 64 * 9 * 64 + 128 * 12 + 12 * 4
    with np.load(run.outputs[0]) as outputs, np.load(data.evaluation) as evaluation:
        assert outputs["outputs"].shape == (40, 4)
        assert (outputs["outputs"].argmax(1) == evaluation["y"]).mean() > 0.85


KERAS = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras
from keras import layers
keras.utils.set_random_seed(0)
keras.Sequential([
    keras.Input((8, 8, 1)), layers.Rescaling(0.5), layers.SeparableConv2D(8, 3, padding="same"),
    layers.BatchNormalization(), layers.ReLU(), layers.AveragePooling2D(2), layers.Flatten(),
    layers.Dropout(0.5), layers.Dense(4, activation="softmax"),
]).save("data/model.keras")
"""


def test_a_keras_model_is_pruned_and_quantized_too(tmp_path: Path, data: Any) -> None:
    folder = tmp_path / "keras"
    (folder / "data").mkdir(parents=True)
    command = (sys.executable, "-I", "-c", KERAS)
    assert run_command(command, folder, LIMITS).ended.ok
    (folder / "MLmodel").write_text('{"flavors": {"tensorflow": {"data": "data"}}}')
    for role in ("calibration", "training"):
        with np.load(getattr(data, role)) as rows:
            np.savez(tmp_path / f"{role}.npz", x=rows["x"].transpose(0, 2, 3, 1), y=rows["y"])
    request = request_of(
        folder,
        data,
        tmp_path,
        recipes=("int8", "prune50"),
        formats=(Format.LITERT,),
        calibration=tmp_path / "calibration.npz",
        training=tmp_path / "training.npz",
    )
    results = build_variants(request, quiet)
    assert [type(result) for result in results] == [Built, Built], results
    with np.load(tmp_path / "calibration.npz") as rows:
        for result in results:
            assert isinstance(result, Built)
            answer = np.array(load_model(str(result.path), result.format, 1)(rows["x"][:1]))
            assert answer.shape == (1, 4)
            assert abs(float(answer.sum()) - 1) < 0.02
            assert "keras" in dict(result.tools)


class Crash:
    """Unpickling ends the process."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


class Hang:
    """Unpickling never ends."""

    def __reduce__(self) -> tuple[Any, ...]:
        return time.sleep, (600,)


class Eat:
    """Unpickling asks for more memory than there may be."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("[bytearray(10**8) for _ in range(10**4)]",)


class Steal:
    """Unpickling reads the environment and fails with what it found."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("{}['found ' + ' '.join(__import__('os').environ)]",)


class Phone:
    """Unpickling calls home."""

    def __reduce__(self) -> tuple[Any, ...]:
        return eval, ("__import__('socket').create_connection(('192.0.2.1', 80), 5)",)


@pytest.mark.parametrize(
    ("attack", "limits", "words"),
    [
        pytest.param(Crash(), LIMITS, "crashed (exit status 3)", id="crashes"),
        pytest.param(Hang(), Limits(wall_seconds=4, memory_mib=4000), "timed out", id="hangs"),
        pytest.param(Eat(), Limits(wall_seconds=99, memory_mib=1500), "memory", id="eats memory"),
        pytest.param(Phone(), LIMITS, "Network is unreachable", id="calls home"),
        pytest.param({"no": "module"}, LIMITS, "AttributeError", id="is no module"),
    ],
)
def test_a_hostile_model_is_a_failure_with_its_reason(
    attack: Any,
    limits: Limits,
    words: str,
    pickled: Callable[[Any], Path],
    data: Any,
    tmp_path: Path,
) -> None:
    if isinstance(attack, Phone) and not can_isolate():
        pytest.skip("this machine gives no network namespaces (unshare)")
    request = request_of(pickled(attack), data, tmp_path, recipes=("int8",), limits=limits)
    results = build_variants(request, quiet)
    reasons = [result.reason for result in results if isinstance(result, BuildFailure)]
    assert len(reasons) == 2
    assert words.lower() in reasons[0].lower()


def test_a_hostile_model_sees_no_secret(
    pickled: Callable[[Any], Path],
    data: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("WEIGHIN_TEST_TOKEN", "secret")
    source = inspect_source(pickled(Steal()), trust_pickle=True)
    run = run_source(source, (), data.calibration, tmp_path, LIMITS)
    assert isinstance(run, SourceFailure)
    assert "found" in run.reason
    assert "WEIGHIN_TEST_TOKEN" not in run.reason

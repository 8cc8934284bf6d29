"""A model that cannot be made trainable still gets its files, and every failure its reason."""

import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from mlflow import onnx as flavor
from onnx import TensorProto, helper, numpy_helper
from torch import nn

from weighin.gates.child import Limits, run_command
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.recipe import parse_recipe
from weighin.plugin.source import inspect_source
from weighin.plugin.source_run import SourceFailure, SourceRun, run_source
from weighin.plugin.trunk import Built

LIMITS = Limits(wall_seconds=300, memory_mib=4000)
TWO_INPUTS = """
import os
os.environ["KERAS_BACKEND"] = "torch"
import keras
one, other = keras.Input((8, 8, 1)), keras.Input((8, 8, 1))
sum = keras.layers.Flatten()(one + other)
keras.Model([one, other], keras.layers.Dense(4)(sum)).save("data/model.keras")
"""


def network(middle: str, **attributes: Any) -> onnx.ModelProto:
    """A convolution, one operator, and four scores, for pictures of [1, 8, 8]."""
    draw = np.random.default_rng(0)
    weights = {
        "w": draw.standard_normal((8, 1, 3, 3)),
        "b": draw.standard_normal(8),
        "d": draw.standard_normal((4, 288)),
        "e": draw.standard_normal(4),
    }
    nodes = [
        helper.make_node("Conv", ["picture", "w", "b"], ["input"]),
        helper.make_node(middle, ["input"], ["middle"], **attributes),
        helper.make_node("Flatten", ["middle"], ["flat"]),
        helper.make_node("Gemm", ["flat", "d", "e"], ["scores"], transB=1),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, ["rows", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["rows", 4])],
        [numpy_helper.from_array(value.astype(np.float32), k) for k, value in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)


def logged(folder: Path, proto: onnx.ModelProto) -> Path:
    flavor.save_model(proto, folder, pip_requirements=[])
    return folder


def request_of(folder: Path, data: Any, workdir: Path, *recipes: str) -> BuildRequest:
    return BuildRequest(
        source=inspect_source(folder),
        recipes=tuple(map(parse_recipe, recipes)),
        formats=(Format.LITERT, Format.ONNX),
        calibration=data.calibration,
        training=data.training,
        limits=LIMITS,
        workdir=workdir,
        workers=1,
        settings=TrainingSettings(epochs=1, batch_size=64),
    )


def quiet(_what: str, _done: int, _total: int) -> None:
    return None


def test_an_onnx_model_that_can_be_trained_is_pruned(tmp_path: Path, data: Any) -> None:
    folder = logged(tmp_path / "model", network("Relu"))
    request = request_of(folder, data, tmp_path / "work", "prune30+int8")
    (built,) = build_variants(replace(request, formats=(Format.ONNX,)), quiet)
    assert isinstance(built, Built), built
    assert {"onnx", "onnxruntime", "torch"} <= dict(built.tools).keys()
    assert " -> " in dict(built.notes)["macs"]


@pytest.fixture(scope="module")
def untrainable(tmp_path_factory: pytest.TempPathFactory, data: Any) -> BuildRequest:
    folder = tmp_path_factory.mktemp("untrainable")
    model = logged(folder / "model", network("LRN", size=3))
    recipes = ("float32", "int8", "dynamic_int8", "fp16", "prune50", "distill50+int8")
    return request_of(model, data, folder / "work", *recipes)


@pytest.fixture(scope="module")
def results(untrainable: BuildRequest) -> dict[tuple[str, Format], Any]:
    return {(r.recipe, r.format): r for r in build_variants(untrainable, quiet)}


def test_its_post_training_variants_are_built_and_say_why_no_others_are(
    results: dict[tuple[str, Format], Any],
) -> None:
    for recipe in ("float32", "int8", "dynamic_int8", "fp16"):
        built = results[recipe, Format.ONNX]
        assert isinstance(built, Built), built
        notes = dict(built.notes)
        assert notes["not_trainable"] == "no rule for the operators LRN"
        assert float(notes["difference_from_source"]) < 1e-4
        assert notes["agreement_with_trunk"].startswith(("100", "9"))


def test_what_needs_training_or_another_format_fails_with_the_reason(
    results: dict[tuple[str, Format], Any],
) -> None:
    for format in (Format.LITERT, Format.ONNX):
        for recipe in ("prune50", "distill50+int8"):
            failure = results[recipe, format]
            assert isinstance(failure, BuildFailure)
            assert "cannot be made trainable: no rule for the operators LRN" in failure.reason
    assert "no litert file" in results["int8", Format.LITERT].reason


def test_building_it_twice_starts_no_child(
    untrainable: BuildRequest, results: dict[tuple[str, Format], Any], data: Any
) -> None:
    children = untrainable.workdir / "children"
    shutil.rmtree(children)
    again = build_variants(untrainable, quiet)
    assert {(r.recipe, r.format): r for r in again} == results
    assert not children.exists()


def test_it_is_run_on_data_in_its_own_runtime(untrainable: BuildRequest, data: Any) -> None:
    run = run_source(
        untrainable.source, (data.evaluation,), data.calibration, untrainable.workdir, LIMITS
    )
    assert isinstance(run, SourceRun)
    assert run.graph is None
    with np.load(run.outputs[0]) as outputs:
        assert outputs["outputs"].shape == (40, 4)


class Branches(nn.Module):  # type: ignore[misc]
    """What it does with a picture depends on the picture."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(64, 4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        scores = self.head(x.flatten(1))
        return torch.cond(x.mean() > 1, lambda s: s * 2, lambda s: s - 1, (scores,))


@pytest.mark.filterwarnings("ignore:The .grad attribute")
def test_control_flow_is_kept_where_the_format_has_it_and_said_elsewhere(
    tmp_path: Path, data: Any
) -> None:
    folder = tmp_path / "model"
    (folder / "data").mkdir(parents=True)
    program = torch.export.export(Branches().eval(), (torch.zeros(1, 1, 8, 8),))
    torch.export.save(program, folder / "data/model.pt2")
    (folder / "MLmodel").write_text('{"flavors": {"pytorch": {"model_data": "data"}}}')
    request = request_of(folder, data, tmp_path / "work", "fp16", "prune50")
    results = {(r.recipe, r.format): r for r in build_variants(request, quiet)}
    built = results["fp16", Format.ONNX]
    assert isinstance(built, Built), built
    assert dict(built.notes)["not_trainable"] == "control flow (cond) cannot be followed"
    reasons = [r.reason for r in results.values() if isinstance(r, BuildFailure)]
    assert len(reasons) == 3
    assert all("control flow (cond) cannot be followed" in reason for reason in reasons)


def test_a_keras_model_with_two_inputs_is_refused_in_plain_words(tmp_path: Path, data: Any) -> None:
    (tmp_path / "data").mkdir()
    assert run_command((sys.executable, "-I", "-c", TWO_INPUTS), tmp_path, LIMITS).ended.ok
    (tmp_path / "MLmodel").write_text('{"flavors": {"keras": {"data": "data"}}}')
    run = run_source(inspect_source(tmp_path), (), data.calibration, tmp_path / "work", LIMITS)
    assert isinstance(run, SourceFailure)
    assert run.reason == "the model has 2 inputs; one is needed"


def test_what_is_refused_is_not_written_in_another_way(tmp_path: Path, data: Any) -> None:
    proto = network("Relu")
    weight = numpy_helper.from_array(np.full((4,), np.nan, np.float32), "e")
    proto.graph.initializer[3].CopyFrom(weight)
    source = inspect_source(logged(tmp_path / "model", proto))
    run = run_source(source, (), data.calibration, tmp_path / "work", LIMITS)
    assert isinstance(run, SourceFailure)
    assert "NaN" in run.reason


def test_a_real_keras_2_model_is_as_good_as_its_authors_say(
    shared_dir: Path, tmp_path: Path
) -> None:
    models = shared_dir / "models/hand-gesture-keras"
    (tmp_path / "data").mkdir()
    shutil.copy(models / "keypoint_classifier.h5", tmp_path / "data/model.h5")
    flavors = {"tensorflow": {"data": "data", "model_type": "keras", "save_format": "h5"}}
    (tmp_path / "MLmodel").write_text(json.dumps({"flavors": flavors}))
    evaluation = models / "keypoint_classifier_eval.npz"
    source = inspect_source(tmp_path)
    run = run_source(source, (evaluation,), evaluation, tmp_path / "work", LIMITS)
    assert isinstance(run, SourceRun), run
    assert run.graph is not None
    with np.load(run.outputs[0]) as outputs, np.load(evaluation) as data:
        accuracy = float((outputs["outputs"].argmax(1) == data["y"]).mean())
    assert accuracy == pytest.approx(0.9632, abs=5e-4)


def test_a_model_that_wants_two_rows_at_a_time_has_no_file_for_an_app(
    tmp_path: Path, data: Any
) -> None:
    proto = network("LRN", size=3)
    for value in (*proto.graph.input, *proto.graph.output):
        value.type.tensor_type.shape.dim[0].dim_value = 2
    request = request_of(logged(tmp_path / "model", proto), data, tmp_path / "work", "float32")
    reasons = [
        r.reason for r in build_variants(replace(request), quiet) if isinstance(r, BuildFailure)
    ]
    assert len(reasons) == 2
    assert "LRN" in reasons[0]

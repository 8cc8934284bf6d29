"""Every format is made, checked against the model and described; what cannot be says why."""

import contextlib
import importlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.child import Limits
from weighin.gates.cost import ModelCost, read_cost
from weighin.gates.errors import SourceError
from weighin.gates.meters.models import load_model
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.describe import Meaning
from weighin.plugin.formats.coreml import read_spec, to_coreml
from weighin.plugin.formats.executorch import to_executorch
from weighin.plugin.formats.extras import require, without
from weighin.plugin.formats.interface import read_interface
from weighin.plugin.passes.prune import PassError
from weighin.plugin.passes.stored import weight_types
from weighin.plugin.recipe import Recipe, parse_recipe
from weighin.plugin.source import inspect_source
from weighin.plugin.trunk import Built, Step

RECIPES = ("float32", "fp16", "int8", "w4")
FORMATS = (Format.ORT, Format.EXECUTORCH, Format.COREML)
MEANING = Meaning(labels=("top left", "top right", "bottom left", "bottom right"))
MODEL_PART = "b7b312dc-4c52-5f9e-a2c1-08a40d60bf43"
NOTHING: Any = None
Results = dict[tuple[str, Format], Built | BuildFailure]


def build(folder: Path, data: Any, workdir: Path) -> Results:
    request = BuildRequest(
        source=inspect_source(folder),
        recipes=tuple(map(parse_recipe, RECIPES)),
        formats=FORMATS,
        calibration=data.calibration,
        limits=Limits(wall_seconds=300, memory_mib=6000),
        workdir=workdir,
        workers=1,
        meaning=MEANING,
    )
    results = build_variants(request, lambda _what, _done, _total: None)
    return {(result.recipe, result.format): result for result in results}


@pytest.fixture(scope="module")
def results(torch_program: Path, data: Any, tmp_path_factory: pytest.TempPathFactory) -> Results:
    """Every recipe in every new format, built once for all tests."""
    return build(torch_program, data, tmp_path_factory.mktemp("work"))


def built(results: Results, format: Format) -> dict[str, Built]:
    return {
        recipe: result
        for (recipe, of), result in results.items()
        if of is format and isinstance(result, Built)
    }


@pytest.mark.parametrize("format", [Format.ORT, Format.EXECUTORCH])
def test_every_file_that_runs_here_classifies(results: Results, data: Any, format: Format) -> None:
    found = built(results, format)
    assert set(found) >= {"float32", "int8"}, results
    with np.load(data.evaluation) as evaluation:
        rows, labels = evaluation["x"], evaluation["y"]
    for result in found.values():
        model = load_model(str(result.path), format, 1)
        answers = [np.array(model(row)).argmax() for row in rows[:, None]]
        assert (np.array(answers) == labels).mean() > 0.85
        assert dict(result.notes)["agreement_with_trunk"].endswith("rows")


@pytest.mark.parametrize(
    ("format", "recipe", "wanted"),
    [
        pytest.param(Format.ORT, "float32", "float32", id="ort float32"),
        pytest.param(Format.ORT, "fp16", "float16", id="ort fp16"),
        pytest.param(Format.ORT, "int8", "int8", id="ort int8"),
        pytest.param(Format.COREML, "float32", "float32", id="coreml float32"),
        pytest.param(Format.COREML, "fp16", "float16", id="coreml fp16"),
        pytest.param(Format.COREML, "w4", "int4", id="coreml 4-bit weights"),
    ],
)
def test_the_files_hold_weights_of_the_wanted_type(
    results: Results, format: Format, recipe: str, wanted: str
) -> None:
    counts = weight_types(built(results, format)[recipe].path, format)
    assert counts[wanted] > 0.9 * sum(counts.values())


def test_an_executorch_program_is_quantized_inside_of_its_delegate(results: Results) -> None:
    notes = dict(built(results, Format.EXECUTORCH)["int8"].notes)
    assert int(notes["quantized_weights"].removesuffix(" %")) > 90


def test_what_a_format_cannot_do_is_a_failure_with_its_reason(results: Results) -> None:
    for recipe, format, words in (
        ("int8", Format.COREML, "only on macOS"),
        ("w4", Format.ORT, "4-bit weights"),
        ("w4", Format.EXECUTORCH, "no w4"),
    ):
        result = results[recipe, format]
        assert isinstance(result, BuildFailure)
        assert words in result.reason


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(
            lambda path: to_coreml(NOTHING, NOTHING, path, "dynamic_int8"),
            "quantizes no activations while it runs",
            id="coreml dynamic int8",
        ),
        pytest.param(
            lambda path: to_executorch(NOTHING, NOTHING, path, "w4", NOTHING, ""),
            "has no w4",
            id="executorch 4-bit weights",
        ),
    ],
)
def test_what_a_tool_cannot_do_is_refused(make: Any, words: str, tmp_path: Path) -> None:
    with pytest.raises(PassError, match=words):
        make(tmp_path / "model")


def test_every_file_describes_itself(results: Results) -> None:
    files = [result for result in results.values() if isinstance(result, Built)]
    assert len(files) == 9
    for result in files:
        interface = read_interface(result.path, result.format)
        assert interface.meaning == MEANING
        assert interface.inputs[0].shape[1:] == (1, 8, 8)
        assert interface.outputs[0].shape[1:] == (4,)
        assert interface.inputs[0].dtype == "float32"


def test_a_core_ml_package_is_one_file_without_anything_random(results: Results) -> None:
    kept = built(results, Format.COREML)["float32"]
    assert dict(kept.notes)["difference_from_trunk"].startswith("unknown: Core ML")
    with zipfile.ZipFile(kept.path) as archive:
        assert archive.testzip() is None
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        assert {entry.compress_type for entry in archive.infolist()} == {zipfile.ZIP_STORED}
        assert set(archive.namelist()) == {
            "Manifest.json",
            "Data/com.apple.CoreML/model.mlmodel",
            "Data/com.apple.CoreML/weights/weight.bin",
        }
        assert json.loads(archive.read("Manifest.json"))["rootModelIdentifier"] == MODEL_PART
    assert not any("date" in key for key in read_spec(kept.path).description.metadata.userDefined)


def test_costs_that_cannot_be_read_say_so() -> None:
    with pytest.raises(SourceError, match="not counted"):
        read_cost(Path("model"), Format.COREML)


def test_costs_are_read_from_inside_of_what_other_runtimes_made_of_the_model(
    results: Results,
) -> None:
    """The same multiply-adds in every format, in the arithmetic of the recipe."""
    costs = {
        (format, recipe): read_cost(result.path, format)
        for format in (Format.ORT, Format.EXECUTORCH)
        for recipe, result in built(results, format).items()
    }
    assert {cost.unsized for cost in costs.values()} == {()}
    assert len({cost.macs for cost in costs.values()}) == 1
    wanted = {"float32": "float32", "fp16": "float16", "int8": "int8"}
    for (_, recipe), cost in costs.items():
        by_arithmetic = dict.fromkeys(cost.arithmetics, 0)
        for op in cost.operators:
            if op.arithmetic:
                by_arithmetic[op.arithmetic] += op.macs
        assert max(by_arithmetic, key=lambda a: by_arithmetic[a]) == wanted[recipe]
    taken = [op for op in costs[Format.EXECUTORCH, "int8"].operators if op.delegate == "xnnpack"]
    assert {op.name for op in taken} >= {"Conv2d", "FullyConnected"}


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    flips=st.lists(st.tuples(st.integers(0), st.integers(0, 255)), max_size=4),
    cut=st.integers(0, 200),
)
def test_a_damaged_program_is_a_source_error_or_a_cost_never_a_crash(
    results: Results, tmp_path: Path, flips: list[tuple[int, int]], cut: int
) -> None:
    data = bytearray(built(results, Format.EXECUTORCH)["int8"].path.read_bytes())
    for at, value in flips:
        data[at % len(data)] = value
    path = tmp_path / "damaged.pte"
    path.write_bytes(bytes(data[: len(data) - cut]))
    with contextlib.suppress(SourceError):
        assert isinstance(read_cost(path, Format.EXECUTORCH), ModelCost)


def test_a_missing_converter_says_what_to_install() -> None:
    with pytest.raises(PassError, match=r"pip install 'weighin\[executorch\]'"):
        require("no_such_converter", "executorch")


def test_a_module_is_hidden_only_for_a_while() -> None:
    with without("colorsys", "json"):
        for name in ("colorsys", "json"):
            with pytest.raises(ImportError):
                importlib.import_module(name)
    assert importlib.import_module("colorsys").rgb_to_hsv(0, 0, 0) == (0, 0, 0)
    assert importlib.import_module("json") is json


def test_files_come_after_what_they_are_made_from() -> None:
    quantization = parse_recipe("int8").quantization
    step = Step(format=Format.ORT, quantization=quantization)
    assert [origin.name for origin in step.origins] == ["float32.onnx", "int8.onnx"]
    assert Step(format=Format.COREML, quantization=quantization).origins == ()
    assert Recipe().quantization is None

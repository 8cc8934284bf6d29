"""A quantized file is smaller, still takes float32, and is proven to be quantized."""

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from weighin.gates.meters.models import load_model
from weighin.gates.variant import Format
from weighin.plugin.passes.prune import PassError
from weighin.plugin.passes.quantize import quantize
from weighin.plugin.passes.stored import weight_types
from weighin.plugin.recipe import Quantization

ROWS = np.random.default_rng(0).random((20, 16), np.float32)


def onnx_file(folder: Path, nodes: list[Any], **weights: Any) -> Path:
    """A file that maps [batch, 16] to [batch, 4 or 16]."""
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", 16])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, ["batch", None])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    path = folder / "float.onnx"
    onnx.save(model, path)
    return path


@pytest.fixture
def dense(tmp_path: Path) -> Path:
    weight = np.random.default_rng(1).normal(size=(16, 4)).astype(np.float32)
    nodes = [helper.make_node("MatMul", ["input", "w"], ["output"])]
    return onnx_file(tmp_path, nodes, w=weight)


@pytest.mark.parametrize("quantization", [q for q in Quantization if q is not Quantization.MIXED])
def test_the_quantized_file_says_nearly_the_same(
    dense: Path, tmp_path: Path, quantization: Quantization
) -> None:
    path = tmp_path / "quantized.onnx"
    share = quantize(dense, path, Format.ONNX, quantization, ROWS)
    assert share > 0.9
    bound = 2.0 if quantization is Quantization.W4 else 0.5 if "_" in quantization else 0.15
    float_model = load_model(str(dense), Format.ONNX, 1)
    model = load_model(str(path), Format.ONNX, 1)
    for row in ROWS[:, None]:
        wanted, got = np.array(float_model(row)), np.array(model(row))
        assert got.dtype == np.float32
        assert np.abs(got - wanted).max() < bound


@pytest.mark.parametrize(
    "quantization", [Quantization.DYNAMIC_INT8, Quantization.INT8, Quantization.W8]
)
def test_a_quantizer_that_leaves_the_weights_as_they_were_is_found_out(
    tmp_path: Path, quantization: Quantization
) -> None:
    nodes = [helper.make_node("Pow", ["input", "w"], ["output"])]
    path = onnx_file(tmp_path, nodes, w=np.full((1, 16), 2, np.float32))
    with pytest.raises(PassError, match="left most weights as they were"):
        quantize(path, tmp_path / "quantized.onnx", Format.ONNX, quantization, ROWS)


def test_weights_are_counted_by_type(dense: Path) -> None:
    assert weight_types(dense, Format.ONNX) == {"float32": 64}

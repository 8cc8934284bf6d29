"""Tiny real models and data that the gates' tests share."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float32]


@pytest.fixture(scope="session")
def tiny_weights() -> tuple[Array, Array]:
    """One dense layer from 8 inputs to 3 logits: weights [8, 3] and bias [3]."""
    random = np.random.default_rng(7)
    weights = random.normal(size=(8, 3)).astype(np.float32)
    return weights, random.normal(size=3).astype(np.float32)


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory, tiny_weights: tuple[Array, Array]) -> Path:
    """Evaluation data [300, 8] whose labels the tiny classifier mostly gets right."""
    random = np.random.default_rng(11)
    weights, bias = tiny_weights
    rows = random.normal(size=(300, 8)).astype(np.float32)
    noisy = rows @ weights + bias + random.normal(scale=0.3, size=(300, 3))
    path = tmp_path_factory.mktemp("data") / "evaluation.npz"
    np.savez(path, x=rows, y=noisy.argmax(axis=1))
    return path


@pytest.fixture(scope="session")
def tiny_reference(tiny_data: Path, tiny_weights: tuple[Array, Array]) -> Path:
    """The tiny classifier's own logits on the evaluation data, as .npy."""
    weights, bias = tiny_weights
    with np.load(tiny_data, allow_pickle=False) as archive:
        logits = archive["x"] @ weights + bias
    path = tiny_data.with_name("reference.npy")
    np.save(path, logits)
    return path


@pytest.fixture(scope="session")
def tiny_onnx(tmp_path_factory: pytest.TempPathFactory, tiny_weights: tuple[Array, Array]) -> Path:
    """The tiny classifier [1, 8] -> [1, 3] as ONNX."""
    from onnx import TensorProto, checker, helper, numpy_helper, save

    weights, bias = tiny_weights
    graph = helper.make_graph(
        [helper.make_node("Gemm", ["x", "weights", "bias"], ["logits"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, [1, 3])],
        [numpy_helper.from_array(weights, "weights"), numpy_helper.from_array(bias, "bias")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    checker.check_model(model)
    path = tmp_path_factory.mktemp("onnx") / "tiny.onnx"
    save(model, path)
    return path


@pytest.fixture(scope="session")
def tiny_tflite(
    tmp_path_factory: pytest.TempPathFactory, tiny_weights: tuple[Array, Array]
) -> Path:
    """The tiny classifier [1, 8] -> [1, 3] as LiteRT."""
    weights, bias = tiny_weights
    path = tmp_path_factory.mktemp("litert") / "tiny.tflite"
    path.write_bytes(dense_tflite(weights, bias))
    return path


def dense_tflite(weights: Array, bias: Array) -> bytes:
    """A .tflite of one fully connected layer, written without the seconds of TensorFlow."""
    flatbuffers: Any = import_module("flatbuffers")
    schema: Any = import_module("ai_edge_litert.schema_py_generated")
    inputs, outputs = weights.shape
    contents = (None, np.ascontiguousarray(weights.T), bias, None)
    shapes = ([1, inputs], [outputs, inputs], [outputs], [1, outputs])
    names = (b"x", b"weights", b"bias", b"logits")
    graph = schema.SubGraphT()
    graph.tensors, graph.inputs, graph.outputs = [], [0], [3]
    model = schema.ModelT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    for name, shape, content in zip(names, shapes, contents, strict=True):
        tensor, buffer = schema.TensorT(), schema.BufferT()
        if content is not None:
            buffer.data = np.frombuffer(content.tobytes(), np.uint8)
        tensor.name, tensor.shape, tensor.type = name, shape, schema.TensorType.FLOAT32
        tensor.buffer = len(model.buffers)
        model.buffers.append(buffer)
        graph.tensors.append(tensor)
    layer, code = schema.OperatorT(), schema.OperatorCodeT()
    layer.inputs, layer.outputs = [0, 1, 2], [3]
    layer.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
    layer.builtinOptions = schema.FullyConnectedOptionsT()
    code.builtinCode = code.deprecatedBuiltinCode = schema.BuiltinOperator.FULLY_CONNECTED
    code.version, graph.operators, model.operatorCodes = 1, [layer], [code]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())

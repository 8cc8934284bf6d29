"""What every room's tests share."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from numpy.typing import NDArray

# Timings never decide a test, and these machines are busy. What is random stays hypothesis' own
# choice: anew at every run here, the same at every run where CI is set.
settings.register_profile(
    "weighin", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("weighin")

Array = NDArray[np.float32]


@pytest.fixture(autouse=True)
def no_other_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    """MLflow exports its addresses to the process: those of one test are not another's."""
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_REGISTRY_URI"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """Real models and phone data kept beside the project; skipped, visibly, where they are not."""
    path = Path(__file__).parents[2] / "shared"
    if not (path / "models").is_dir():
        pytest.skip("no ../shared folder with real models beside this checkout")
    return path


@pytest.fixture(scope="session")
def tiny_weights() -> tuple[Array, Array]:
    """One dense layer from 8 inputs to 3 logits: weights [8, 3] and bias [3]."""
    random = np.random.default_rng(7)
    weights = random.normal(size=(8, 3)).astype(np.float32)
    return weights, random.normal(size=3).astype(np.float32)


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

"""Tiny real models and data that the gates' tests share."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

Array = NDArray[np.float32]


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

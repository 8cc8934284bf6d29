"""Writes a known layer as an ``.onnx`` file, the way static quantization leaves it.

What this module does not do: it runs nothing.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.arm.layers import ZERO_POINT, Layer

Array = NDArray[Any]

_SIDE, _CHANNELS = 8, 16
_OPSET, _IR = 19, 10


def onnx_model(layer: Layer, *, unsigned: bool = False) -> bytes:
    """From rows [1, 8, 8, 16] to results, float on both ends.

    Args:
        layer: What it computes.
        unsigned: Whether int8 activations are stored as uint8, which has kernels of its own.
    """
    from onnx import TensorProto, checker, helper, numpy_helper

    filters, height, width, _ = layer.weights.shape
    out = [1, filters] if layer.dense else [1, _SIDE - height + 1, _SIDE - width + 1, filters]
    constants = _constants(layer, unsigned=unsigned)
    graph = helper.make_graph(
        [
            helper.make_node(kind, list(ends[:-1]), [ends[-1]], **options)
            for kind, ends, options in _nodes(layer)
        ],
        layer.name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, _SIDE, _SIDE, _CHANNELS])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, out)],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    opsets = [helper.make_opsetid("", _OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=_IR)
    checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


def _constants(layer: Layer, *, unsigned: bool) -> dict[str, Array]:
    byte = np.uint8 if unsigned else np.int8
    middle = 128 if unsigned else 0
    matrix = layer.weights.reshape(len(layer.weights), -1).T
    kernel = layer.weights.transpose(0, 3, 1, 2)
    if layer.shift is None:
        weights = (matrix if layer.dense else kernel).astype(np.float32)
        return {"w": weights, "b": layer.bias.astype(np.float32)}
    return {
        "w": (matrix if layer.dense else kernel).astype(np.int8),
        "b": layer.bias.astype(np.int32),
        "one": np.array(1, np.float32),
        "w_scale": np.array(2.0**-layer.shift, np.float32),
        "x_zero": np.array(middle, byte),
        "w_zero": np.array(0, np.int8),
        "y_zero": np.array(middle + ZERO_POINT, byte),
    }


_Node = tuple[str, tuple[str, ...], dict[str, Any]]


def _nodes(layer: Layer) -> list[_Node]:
    """Operator, its inputs and output, and its attributes."""
    if layer.dense:
        return _dense_nodes(integer=layer.shift is not None)
    shape: dict[str, Any] = {"kernel_shape": list(layer.weights.shape[1:3])}
    if layer.depthwise:
        shape["group"] = len(layer.weights)
    forth: _Node = ("Transpose", ("x", "t"), {"perm": [0, 3, 1, 2]})
    back: _Node = ("Transpose", ("r", "y"), {"perm": [0, 2, 3, 1]})
    if layer.shift is None:
        return [forth, ("Conv", ("t", "w", "b", "r"), shape), back]
    ends = ("q", "one", "x_zero", "w", "w_scale", "w_zero", "one", "y_zero", "b", "s")
    return [
        forth,
        ("QuantizeLinear", ("t", "one", "x_zero", "q"), {}),
        ("QLinearConv", ends, shape),
        ("DequantizeLinear", ("s", "one", "y_zero", "r"), {}),
        back,
    ]


def _dense_nodes(*, integer: bool) -> list[_Node]:
    flat: _Node = ("Flatten", ("x", "f"), {})
    if not integer:
        return [flat, ("MatMul", ("f", "w", "m"), {}), ("Add", ("m", "b", "y"), {})]
    from onnx import TensorProto

    return [
        flat,
        ("QuantizeLinear", ("f", "one", "x_zero", "q"), {}),
        ("MatMulInteger", ("q", "w", "x_zero", "w_zero", "m"), {}),
        ("Add", ("m", "b", "s"), {}),
        ("Cast", ("s", "y"), {"to": TensorProto.FLOAT}),
    ]

"""Writes a known layer as a ``.tflite`` file, with the schema that ai-edge-litert ships.

What this module does not do: it runs nothing.
"""

from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.arm.layers import ZERO_POINT, Layer

Array = NDArray[Any]

_SIDE, _CHANNELS = 8, 16


def litert_model(layer: Layer) -> bytes:
    """One operator from rows to results; int8 tensors on both ends if the layer is int8."""
    schema: Any = import_module("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = import_module("flatbuffers")
    model, graph = schema.ModelT(), schema.SubGraphT()
    model.version, model.subgraphs, model.buffers = 3, [graph], [schema.BufferT()]
    graph.tensors, graph.inputs, graph.outputs = [], [0], [3]
    for shape, content, scale, zero in _tensors(layer):
        graph.tensors.append(_tensor(schema, model, shape, content, layer, scale, zero))
    operator, code = schema.OperatorT(), schema.OperatorCodeT()
    operator.inputs, operator.outputs = [0, 1, 2], [3]
    name = _set_kind(schema, layer, operator)
    code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
    code.version = 1 if layer.shift is None else {"FULLY_CONNECTED": 4}.get(name, 3)
    graph.operators, model.operatorCodes = [operator], [code]
    builder = flatbuffers.Builder(1024)
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def _tensors(layer: Layer) -> tuple[tuple[list[int], Array | None, float, int], ...]:
    """Rows, weights, bias and results: shape, content, scale and zero point."""
    filters, height, width, _ = layer.weights.shape
    weights = layer.weights.reshape(filters, -1) if layer.dense else layer.weights
    if layer.depthwise:
        weights = layer.weights.transpose(3, 1, 2, 0)
    integer = layer.shift is not None
    scale = 2.0 ** -(layer.shift or 0)
    out = [1, filters] if layer.dense else [1, _SIDE - height + 1, _SIDE - width + 1, filters]
    return (
        ([1, _SIDE, _SIDE, _CHANNELS], None, 1.0, 0),
        (list(weights.shape), weights.astype(np.int8 if integer else np.float32), scale, 0),
        ([filters], layer.bias.astype(np.int32 if integer else np.float32), scale, 0),
        (out, None, 1.0, ZERO_POINT),
    )


def _tensor(
    schema: Any,
    model: Any,
    shape: list[int],
    content: Array | None,
    layer: Layer,
    scale: float,
    zero_point: int,
) -> Any:
    tensor, buffer = schema.TensorT(), schema.BufferT()
    kinds = {"float32": "FLOAT32", "int8": "INT8", "int32": "INT32"}
    empty = "float32" if layer.shift is None else "int8"
    kind = empty if content is None else str(content.dtype)
    if content is not None:
        buffer.data = np.frombuffer(content.tobytes(), np.uint8)
    tensor.name, tensor.shape = f"t{len(model.buffers)}".encode(), shape
    tensor.type = getattr(schema.TensorType, kinds[kind])
    tensor.buffer = len(model.buffers)
    model.buffers.append(buffer)
    if layer.shift is not None:
        tensor.quantization = schema.QuantizationParametersT()
        tensor.quantization.scale, tensor.quantization.zeroPoint = [scale], [zero_point]
    return tensor


def _set_kind(schema: Any, layer: Layer, operator: Any) -> str:
    """The operator's options; returns its name."""
    if layer.dense:
        operator.builtinOptionsType = schema.BuiltinOptions.FullyConnectedOptions
        operator.builtinOptions = schema.FullyConnectedOptionsT()
        return "FULLY_CONNECTED"
    name = "DepthwiseConv2DOptions" if layer.depthwise else "Conv2DOptions"
    operator.builtinOptionsType = getattr(schema.BuiltinOptions, name)
    options = getattr(schema, f"{name}T")()
    options.padding, options.strideW, options.strideH = schema.Padding.VALID, 1, 1
    if layer.depthwise:
        options.depthMultiplier = 1
    operator.builtinOptions = options
    return "DEPTHWISE_CONV_2D" if layer.depthwise else "CONV_2D"

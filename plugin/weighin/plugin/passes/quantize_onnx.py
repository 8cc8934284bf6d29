"""Quantization of ``.onnx`` files: with ONNX Runtime's tool, and of weights alone by ourselves.

ONNX Runtime's tool quantizes weights without activations for matrix products only, so those
files are written here: integers, a scale per channel, and a ``DequantizeLinear`` in front of
the layer.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weighin.gates.variant import Format
from weighin.plugin.passes.grids import LEAST_BITS, bits_for
from weighin.plugin.passes.ranges import Method, Range, calibrated
from weighin.plugin.recipe import Quantization

_METHODS = {
    Quantization.INT8_PERCENTILE: Method.PERCENTILE,
    Quantization.INT8_ENTROPY: Method.ENTROPY,
    Quantization.INT8_MSE: Method.MSE,
}
_OPSET_OF_INT4 = 21


def quantize_onnx(float_path: Path, path: Path, quantization: Quantization, rows: Any) -> None:
    """Write a quantized copy of a float file; see :func:`.quantize.quantize`."""
    import onnx
    from onnxruntime import quantization as tools

    match quantization:
        case Quantization.FP16:
            from onnxruntime.transformers.float16 import convert_float_to_float16

            onnx.save(convert_float_to_float16(onnx.load(float_path), keep_io_types=True), path)
        case Quantization.DYNAMIC_INT8:
            # Unsigned weights: on x86 ONNX Runtime is 3.5 times slower with signed ones.
            tools.quantize_dynamic(
                float_path, path, per_channel=False, weight_type=tools.QuantType.QUInt8
            )
        case Quantization.W8 | Quantization.W4 | Quantization.MIXED:
            onnx.save(_weights_only(onnx.load(float_path), quantization), path)
        case _:
            _static(float_path, path, quantization, rows)
    _strip(path)


def _static(float_path: Path, path: Path, quantization: Quantization, rows: Any) -> None:
    from onnxruntime import quantization as tools

    method, wide = _METHODS.get(quantization), quantization is Quantization.INT8_A16
    options: dict[str, Any] = {}
    if method is not None:
        ranges = _ranges(float_path, method, rows)
        options["TensorQuantOverrides"] = {name: [_ends(r)] for name, r in ranges.items()}
    tools.quantize_static(
        float_path,
        path,
        _reader(rows),
        quant_format=tools.QuantFormat.QDQ,
        per_channel=True,
        activation_type=tools.QuantType.QInt16 if wide else tools.QuantType.QUInt8,
        weight_type=tools.QuantType.QInt8,
        extra_options=options,
    )


def _ends(ends: Range) -> dict[str, Any]:
    import numpy as np

    return {"rmin": np.float32(ends.low), "rmax": np.float32(ends.high)}


def _reader(rows: Any) -> Any:
    """Calibration rows the way ONNX Runtime asks for them: one by one, then ``None``."""
    from onnxruntime.quantization import CalibrationDataReader

    feeds = iter([{"input": rows[i : i + 1]} for i in range(len(rows))])
    reader: Any = type("Rows", (CalibrationDataReader,), {"get_next": lambda _: next(feeds, None)})
    return reader()


def _ranges(path: Path, method: Method, rows: Any) -> dict[str, Range]:
    """The range of every activation that a method chooses."""
    import numpy as np

    observe = _observer(path)
    widest: dict[str, Range] = {}
    for place in range(len(rows)):
        for name, values in observe(rows[place : place + 1]).items():
            old = widest.get(name, Range(low=0.0, high=0.0))
            low, high = float(np.min(values)), float(np.max(values))
            widest[name] = Range(low=min(old.low, low), high=max(old.high, high))
    return calibrated(observe, rows, widest, method)


def _observer(path: Path) -> Any:
    """Runs a float file whose every float32 value is an output."""
    import onnx
    import onnxruntime

    model = onnx.shape_inference.infer_shapes(onnx.load(path))
    taken = {value.name for value in model.graph.output}
    inner = [
        value
        for value in model.graph.value_info
        if value.type.tensor_type.elem_type == onnx.TensorProto.FLOAT and value.name not in taken
    ]
    model.graph.output.extend(inner)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    names = [value.name for value in session.get_outputs()]

    def observe(row: Any) -> Mapping[str, Any]:
        return {"input": row} | dict(zip(names, session.run(names, {"input": row}), strict=True))

    return observe


def _weights_only(model: Any, quantization: Quantization) -> Any:
    """Replace weights by integers that are dequantized in front of their layer."""
    import onnx

    initializers = {tensor.name: tensor for tensor in model.graph.initializer}
    version = max(o.version for o in model.opset_import if not o.domain)
    if version < _OPSET_OF_INT4:
        model = onnx.version_converter.convert_version(model, _OPSET_OF_INT4)
        return _weights_only(model, quantization)
    added: dict[str, Any] = {}
    for name, axis in _weights(model.graph, initializers):
        values = onnx.numpy_helper.to_array(initializers[name])
        bits = bits_for(quantization, values, axis, least_bits=LEAST_BITS[Format.ONNX])
        if bits is not None and name not in added:
            added[name] = _store(model.graph, initializers[name], values, axis, bits)
    nodes = [*added.values(), *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    return model


def _weights(graph: Any, initializers: Mapping[str, Any]) -> Iterator[tuple[str, int]]:
    """Names of weights of layers, and the axis of the output channels."""
    for node in graph.node:
        if node.op_type not in ("Conv", "Gemm", "MatMul") or node.input[1] not in initializers:
            continue
        rank = len(initializers[node.input[1]].dims)
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        is_rows = node.op_type == "Conv" or transposed
        yield node.input[1], 0 if is_rows else rank - 1


def _store(graph: Any, tensor: Any, values: Any, axis: int, bits: int) -> Any:
    """Put a weight's integers and scales in its place; the node that gives its values back."""
    import numpy as np
    import onnx

    others = tuple(a for a in range(values.ndim) if a != axis)
    top = 2 ** (bits - 1) - 1
    largest = np.abs(values).max(others, keepdims=True)
    scale = np.where(largest > 0, largest / top, 1).astype(np.float32)
    steps = np.clip(np.round(values / scale), -top, top).astype(np.int8)
    name, stored = tensor.name, f"{tensor.name}_{bits}bit"
    kind = {4: onnx.TensorProto.INT4, 8: onnx.TensorProto.INT8}[bits]
    graph.initializer.remove(tensor)
    graph.initializer.extend(
        [
            onnx.helper.make_tensor(stored, kind, values.shape, _packed(steps, bits), raw=True),
            onnx.numpy_helper.from_array(scale.reshape(-1), f"{name}_scale"),
        ]
    )
    inputs = [stored, f"{name}_scale"]
    return onnx.helper.make_node("DequantizeLinear", inputs, [name], axis=axis)


def _packed(steps: Any, bits: int) -> bytes:
    """Integers as ONNX stores them: two 4-bit ones in a byte, the first in the lower half."""
    import numpy as np

    flat = steps.flatten().view(np.uint8)
    if bits == 8:
        return bytes(flat.tobytes())
    nibbles = np.append(flat, np.zeros(len(flat) % 2, np.uint8)) & 0xF
    return bytes((nibbles[0::2] | nibbles[1::2] << 4).astype(np.uint8).tobytes())


def _strip(path: Path) -> None:
    """Drop what the exporter noted for people: 58 kB of stack traces in a ResNet-20."""
    import onnx

    model = onnx.load(path)
    for node in model.graph.node:
        node.ClearField("metadata_props")
        node.ClearField("doc_string")
    model.graph.ClearField("value_info")
    onnx.save(model, path)

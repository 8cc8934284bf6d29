"""Whether a file may compute in half floats, read from its graph.

Weights that are stored as half floats and widened before use do not count: they are computed in
float32. What this module does not do: it gives no benefit of the doubt. A file that it cannot
read, or that only might, does.
"""

import struct
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

from weighin.gates.variant import Format

_WIDENS_TFLITE = "DEQUANTIZE"
_WIDENS_ONNX = "Cast"
_UNREADABLE = (ValueError, IndexError, TypeError, AttributeError, struct.error)
_PERMISSION = b"reduced_precision_support"


def half_floats(path: Path, format: Format) -> str | None:
    """What in the file may be computed in half floats; ``None`` if nothing is."""
    match format:
        case Format.LITERT:
            return _in_tflite(path)
        case Format.ONNX:
            return _in_onnx(path)
        case Format.ORT | Format.EXECUTORCH | Format.COREML:
            return f"{format.suffix} files do not say whether they need them"


def _in_tflite(path: Path) -> str | None:
    schema: Any = import_module("ai_edge_litert.schema_py_generated")
    content = path.read_bytes()
    if _PERMISSION in content:
        return "the file permits reduced precision"
    try:
        model = schema.ModelT.InitFromObj(schema.Model.GetRootAs(content, 0))
    except _UNREADABLE as error:
        return f"the file cannot be read: {error}"
    names = {value: name for name, value in vars(schema.BuiltinOperator).items()}
    for graph in model.subgraphs or ():
        for operator in graph.operators or ():
            code = model.operatorCodes[operator.opcodeIndex]
            name = names.get(max(code.builtinCode, code.deprecatedBuiltinCode), "?")
            ends = [k for k in (*operator.inputs, *operator.outputs) if k >= 0]
            types = {graph.tensors[k].type for k in ends}
            if name != _WIDENS_TFLITE and schema.TensorType.FLOAT16 in types:
                return f"its {name} works on half floats"
    return None


def _in_onnx(path: Path) -> str | None:
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
    except (DecodeError, OSError) as error:
        return f"the file cannot be read: {error}"
    graphs = [model.graph, *(function for function in model.functions)]
    return next((why for graph in graphs for why in _reasons(graph)), None)


def _reasons(graph: Any) -> Iterator[str]:
    """Everything in a graph that brings half floats to an operator other than a widening."""
    from onnx import AttributeProto, TensorProto

    half = {one.name for one in getattr(graph, "initializer", ())
            if one.data_type == TensorProto.FLOAT16}  # fmt: skip
    for value in (*getattr(graph, "input", ()), *getattr(graph, "value_info", ())):
        kind = getattr(getattr(value, "type", None), "tensor_type", None)
        if kind is not None and kind.elem_type == TensorProto.FLOAT16 and value.name not in half:
            yield f"{value.name} is half floats"
    for node in graph.node:
        if node.op_type != _WIDENS_ONNX and half & set(node.input):
            yield f"its {node.op_type} works on half floats"
        for attribute in node.attribute:
            if attribute.name in ("to", "dtype") and attribute.i == TensorProto.FLOAT16:
                yield f"its {node.op_type} makes half floats"
            if attribute.type == AttributeProto.TENSOR and (
                attribute.t.data_type == TensorProto.FLOAT16
            ):
                yield f"its {node.op_type} makes half floats"
            for inner in (attribute.g, *attribute.graphs):
                yield from _reasons(inner)

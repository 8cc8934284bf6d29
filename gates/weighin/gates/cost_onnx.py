"""Costs from an ``.onnx`` file, by ONNX shape inference at batch size one."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.cost import Arithmetic, Kind, Lifetime, ModelCost, Operator, peak_bytes
from weighin.gates.errors import SourceError
from weighin.gates.variant import Format

_CONVOLUTIONS = {"Conv", "ConvInteger", "QLinearConv", "FusedConv"}
_PRODUCTS = {"Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul"}
_WEIGHT_INPUT = {"QLinearConv": 3, "QLinearMatMul": 3}
_INTEGER = {"INT8", "UINT8", "INT4", "UINT4"}
_SHAPE_ARITHMETIC = {
    "Add", "Cast", "Concat", "Constant", "ConstantOfShape", "Div", "Equal", "Expand", "Gather",
    "Identity", "Mul", "Range", "Reshape", "Shape", "Slice", "Squeeze", "Sub", "Transpose",
    "Unsqueeze", "Where",
}  # fmt: skip
_NESTED = {"If", "Loop", "Scan"}


@dataclass(frozen=True, slots=True)
class _Value:
    """One edge of the graph: shape (``None`` when not known), type name, whether constant."""

    shape: tuple[int, ...] | None
    type: str
    item_bytes: float
    constant: bool

    @property
    def bytes(self) -> int:
        """Size of its values; 0 when the shape is not known (it is then named as unsized)."""
        return math.ceil(math.prod(self.shape) * self.item_bytes) if self.shape is not None else 0


def read_onnx(path: Path) -> ModelCost:
    """Costs of an ONNX model whose first input axis, if symbolic, is the batch.

    Raises:
        SourceError: the file is not a readable ONNX model.
    """
    graph = _open(path)
    values = _values(graph)
    makers = {name: node for node in graph.node for name in node.output}
    constants = {name for name, value in values.items() if value.constant}
    folded, executed = _split(graph.node, constants)
    _fold(values, folded)
    used = {name for node in executed for name in node.input if name}
    return ModelCost(
        format=Format.ONNX,
        operators=tuple(_operator(node, values, makers) for node in executed),
        weight_bytes=sum(values[n].bytes for n in used if n in values and values[n].constant),
        arena_bytes=peak_bytes(_lifetimes(executed, values, [o.name for o in graph.output])),
        unsized=tuple(_unsized(executed, values)),
    )


def _open(path: Path) -> Any:
    """The graph at batch one, its shape arithmetic computed, its shapes inferred."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(str(path), load_external_data=False)
        for value in model.graph.input:
            dims = value.type.tensor_type.shape.dim
            if len(dims) and not dims[0].HasField("dim_value"):
                dims[0].dim_value = 1
        _compute_constants(model)
        model = onnx.shape_inference.infer_shapes(model, data_prop=True)
    except (DecodeError, onnx.shape_inference.InferenceError, ValueError, TypeError) as error:
        raise SourceError(
            f"{path}: not a readable ONNX model ({error}); export it again"
        ) from error
    if not len(model.graph.node):
        raise SourceError(f"{path}: an ONNX model without operators; export it again")
    return model.graph


def _compute_constants(model: Any) -> None:
    """Replace operators on constants by their results, as every runtime does when it loads.

    Without this, shapes that exporters compute inside the graph stay unknown.
    """
    import onnx
    from onnx.reference import ReferenceEvaluator

    graph = model.graph
    external = {t.name for t in graph.initializer if t.data_location == t.EXTERNAL}
    known = {t.name for t in graph.initializer} - external
    folded, _ = _split([n for n in graph.node if n.op_type in _SHAPE_ARITHMETIC], known)
    needed = {name for node in folded for name in node.input}
    names = [name for node in folded for name in node.output if name]
    if not names:
        return
    constants = onnx.helper.make_graph(
        list(folded),
        "constants",
        [],
        [onnx.ValueInfoProto(name=name) for name in names],
        [t for t in graph.initializer if t.name in needed],
    )
    runnable = onnx.helper.make_model(constants, opset_imports=model.opset_import)
    results: Any = ReferenceEvaluator(runnable).run(names, {})
    done = set(names)
    rest = [node for node in graph.node if not done.intersection(node.output)]
    del graph.node[:]
    graph.node.extend(rest)
    arrays = zip(names, results, strict=True)
    graph.initializer.extend(onnx.numpy_helper.from_array(a, n) for n, a in arrays)


def _split(nodes: Iterable[Any], constants: set[str]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """Nodes that depend on constants only, and the rest, both in graph order."""
    known, folded, rest = set(constants), list[Any](), list[Any]()
    for node in nodes:
        if all(name in known for name in node.input if name):
            known.update(node.output)
            folded.append(node)
        else:
            rest.append(node)
    return tuple(folded), tuple(rest)


def _values(graph: Any) -> dict[str, _Value]:
    found: dict[str, _Value] = {}
    for info in (*graph.input, *graph.value_info, *graph.output):
        kind = info.type.tensor_type
        dims = kind.shape.dim if kind.HasField("shape") else None
        known = dims is not None and all(d.HasField("dim_value") for d in dims)
        shape = tuple(int(d.dim_value) for d in dims) if known and dims is not None else None
        found[info.name] = _value(shape, kind.elem_type, constant=False)
    for tensor in graph.initializer:
        found[tensor.name] = _value(tuple(tensor.dims), tensor.data_type, constant=True)
    return found


def _value(shape: tuple[int, ...] | None, data_type: int, *, constant: bool) -> _Value:
    import onnx

    name = onnx.TensorProto.DataType.Name(data_type)
    if name in {"INT4", "UINT4"}:
        return _Value(shape, name, 0.5, constant)
    if name in {"UNDEFINED", "STRING"}:
        return _Value(None, name, 0, constant)
    size = onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize
    return _Value(shape, name, size, constant)


def _fold(values: dict[str, _Value], folded: tuple[Any, ...]) -> None:
    """Mark the results of folded nodes as constants; dequantized ones keep their stored size."""
    for node in folded:
        for name in (name for name in node.output if name in values):
            old = values[name]
            stored = values[node.input[0]] if node.op_type == "DequantizeLinear" else old
            values[name] = _Value(old.shape, old.type, stored.item_bytes, constant=True)


def _operator(node: Any, values: dict[str, _Value], makers: dict[str, Any]) -> Operator:
    touched = [values[n] for n in (*node.input, *node.output) if n in values]
    moved = sum(v.bytes for v in touched if not v.constant)
    counted = _count(node, values)
    if counted is None:
        return Operator(name=node.op_type, moved_bytes=moved)
    kind, macs = counted
    arithmetic = _arithmetic(node, values, makers)
    return Operator(
        name=node.op_type, moved_bytes=moved, macs=macs, kind=kind, arithmetic=arithmetic
    )


def _count(node: Any, values: dict[str, _Value]) -> tuple[Kind, int] | None:
    """Kind and multiply-adds; ``None`` for other operators and for unknown shapes."""
    if node.op_type not in _CONVOLUTIONS | _PRODUCTS:
        return None
    weights = _shape(node.input[_WEIGHT_INPUT.get(node.op_type, 1)], values)
    out = _shape(node.output[0], values)
    if weights is None or out is None:
        return None
    if node.op_type in _PRODUCTS:
        transposed = any(a.name == "transB" and a.i for a in node.attribute)
        return Kind.FULLY_CONNECTED, math.prod(out) * weights[-1 if transposed else -2]
    groups = next((a.i for a in node.attribute if a.name == "group"), 1)
    macs = math.prod(out) * math.prod(weights[1:])
    if groups > 1 and weights[1] == 1:
        return Kind.DEPTHWISE, macs
    return (Kind.POINTWISE if set(weights[2:]) == {1} else Kind.CONV), macs


def _shape(name: str, values: dict[str, _Value]) -> tuple[int, ...] | None:
    return values[name].shape if name in values else None


def _arithmetic(node: Any, values: dict[str, _Value], makers: dict[str, Any]) -> Arithmetic:
    """Which kernel runs: explicit integer operators, or the quantize/dequantize pattern."""
    if node.op_type in {"ConvInteger", "MatMulInteger"}:
        return Arithmetic.DYNAMIC_INT8
    if node.op_type in {"QLinearConv", "QLinearMatMul"}:
        return Arithmetic.INT8
    data, weights = node.input[0], node.input[1]
    types = tuple(_dequantized_from(name, values, makers) for name in (data, weights))
    match (*types, values[data].type if data in values else ""):
        case ("INT8" | "UINT8", "INT8" | "UINT8", _):
            return Arithmetic.INT8
        case ("", kind, _) if kind in _INTEGER:
            return Arithmetic.WEIGHT_ONLY
        case ("", "", "FLOAT"):
            return Arithmetic.FLOAT32
        case ("", "", "FLOAT16"):
            return Arithmetic.FLOAT16
        case _:
            return Arithmetic.OTHER


def _dequantized_from(name: str, values: dict[str, _Value], makers: dict[str, Any]) -> str:
    maker = makers.get(name)
    if maker is None or maker.op_type != "DequantizeLinear":
        return ""
    source = values.get(maker.input[0])
    return source.type if source else ""


def _lifetimes(
    nodes: tuple[Any, ...], values: dict[str, _Value], outputs: list[str]
) -> Iterator[Lifetime]:
    born: dict[str, int] = {}
    dies = dict.fromkeys(outputs, len(nodes))
    for at, node in enumerate(nodes):
        for name in (*node.input, *node.output):
            born.setdefault(name, at if name in node.output else 0)
            dies[name] = max(dies.get(name, 0), at)
    for name, start in born.items():
        if name in values and not values[name].constant:
            yield Lifetime(bytes=values[name].bytes, born=start, dies=dies[name])


def _unsized(nodes: tuple[Any, ...], values: dict[str, _Value]) -> Iterator[str]:
    for nested in sorted({node.op_type for node in nodes} & _NESTED):
        yield f"operators inside {nested}"
    names = {name for node in nodes for name in (*node.input, *node.output) if name}
    for name in sorted(names):
        if name not in values:
            yield f"value {name} without a type"
        elif values[name].shape is None:
            yield f"value {name} of unknown shape"

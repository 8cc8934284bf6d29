"""Costs from an ``.onnx`` file, by ONNX shape inference at batch size one.

Constants that graphs compute for themselves (shapes, mostly) are computed here as every runtime
does when it loads, but only small ones: a file may ask for terabytes.
"""

import math
from pathlib import Path
from typing import Any

from weighin.gates.cost import ModelCost
from weighin.gates.cost_onnx_graph import Graph, Node, cost_of
from weighin.gates.errors import SourceError
from weighin.gates.tensors import Value
from weighin.gates.variant import Format

_SMALL = 1024
_SHAPE_ARITHMETIC = {
    "Abs", "Add", "And", "Cast", "Ceil", "Concat", "Constant", "ConstantOfShape", "Div", "Equal",
    "Expand", "Floor", "Gather", "Greater", "GreaterOrEqual", "Identity", "Less", "LessOrEqual",
    "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Range", "ReduceMax", "ReduceMin",
    "ReduceProd", "ReduceSum", "Reshape", "Shape", "Size", "Slice", "Squeeze", "Sub", "Transpose",
    "Unsqueeze", "Where",
}  # fmt: skip
_KEEP_SIZE = {
    "Abs", "Cast", "Ceil", "Concat", "Floor", "Identity", "Neg", "Not", "ReduceMax", "ReduceMin",
    "ReduceProd", "ReduceSum", "Reshape", "Shape", "Size", "Slice", "Squeeze", "Transpose",
    "Unsqueeze",
}  # fmt: skip
_MOST_COMPUTED = 20_000
_MOST_ROUNDS = 64
_DAMAGE = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
_NESTED = {"If", "Loop", "Scan"}
_NAMES = {"float": "float32", "double": "float64"}


def read_onnx(path: Path) -> ModelCost:
    """Costs of an ONNX model whose first input axis, if symbolic, is the batch.

    Raises:
        SourceError: the file is not a readable ONNX model.
    """
    graph, tensors = _open(path)
    try:
        return cost_of(
            Graph(
                nodes=tuple(_node(node) for node in graph.node),
                values=_values(graph, tensors),
                outputs=tuple(output.name for output in graph.output),
                stored=lambda name: _stored(tensors.get(name)),
            ),
            Format.ONNX,
        )
    except _DAMAGE as error:
        raise SourceError(f"{path}: damaged ONNX model ({error}); export it again") from error


def _open(path: Path) -> tuple[Any, dict[str, Any]]:
    """The graph at batch one, its shapes inferred, and its constants by name."""
    import onnx
    from google.protobuf.message import Error

    try:
        model = onnx.load_model_from_string(path.read_bytes())
        for value in model.graph.input:
            dims = value.type.tensor_type.shape.dim
            if len(dims) and not dims[0].HasField("dim_value"):
                dims[0].dim_value = 1
        stored = list(model.graph.initializer)
        _only_declare_large_constants(model.graph)
        model = _settle(model)
    except (Error, onnx.shape_inference.InferenceError, *_DAMAGE) as error:
        raise SourceError(
            f"{path}: not a readable ONNX model ({error}); export it again"
        ) from error
    if not len(model.graph.node):
        raise SourceError(f"{path}: an ONNX model without operators; export it again")
    return model.graph, {tensor.name: tensor for tensor in (*model.graph.initializer, *stored)}


def _settle(model: Any) -> Any:
    """Infer shapes and compute what follows from them, until nothing new follows.

    ONNX's own propagation of values is not used: it makes whatever a file asks for.
    """
    import onnx

    for _ in range(_MOST_ROUNDS):
        _compute_constants(model)
        model = onnx.shape_inference.infer_shapes(model)
        if not _compute_shapes(model.graph):
            break
    return model


def _compute_shapes(graph: Any) -> bool:
    """Replace operators that ask for a known shape by the answer; whether there were any."""
    import numpy as np
    import onnx

    known = {info.name: info.type.tensor_type for info in (*graph.input, *graph.value_info)}
    rest: list[Any] = []
    for node in graph.node:
        sides = _known_sides(known.get(node.input[0])) if node.op_type == "Shape" else None
        if sides is None:
            rest.append(node)
            continue
        numbers = {attribute.name: attribute.i for attribute in node.attribute}
        part = sides[numbers.get("start", 0) : numbers.get("end", len(sides))]
        graph.initializer.append(
            onnx.numpy_helper.from_array(np.array(part, np.int64), node.output[0])
        )
    found = len(rest) < len(graph.node)
    del graph.node[:]
    graph.node.extend(rest)
    return found


def _known_sides(kind: Any) -> tuple[int, ...] | None:
    if kind is None or not kind.HasField("shape"):
        return None
    if not all(side.HasField("dim_value") for side in kind.shape.dim):
        return None
    return tuple(int(side.dim_value) for side in kind.shape.dim)


def _only_declare_large_constants(graph: Any) -> None:
    """Make inputs of them: inference needs their shapes, and is slow with their values."""
    import onnx

    kept = list(graph.initializer)
    del graph.initializer[:]
    graph.initializer.extend(tensor for tensor in kept if _is_small(tensor))
    graph.input.extend(
        onnx.helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
        for tensor in kept
        if not _is_small(tensor)
    )


def _compute_constants(model: Any) -> None:
    """Replace small operators on constants by their results, as runtimes do when they load.

    Without this, shapes that exporters compute inside the graph stay unknown.
    """
    graph = model.graph
    known = {t.name: t for t in graph.initializer if _is_small(t)}
    rest: list[Any] = []
    budget = _MOST_COMPUTED
    for node in graph.node:
        computable = node.op_type in _SHAPE_ARITHMETIC and all(n in known for n in node.input if n)
        budget -= computable
        made = _results(model, node, known) if computable and budget > 0 else None
        if made is None:
            rest.append(node)
            continue
        known |= {t.name: t for t in made if _is_small(t)}
        graph.initializer.extend(made)
    del graph.node[:]
    graph.node.extend(rest)


def _results(model: Any, node: Any, known: dict[str, Any]) -> list[Any] | None:
    """What a node on constants makes; ``None`` if that is large or cannot be computed."""
    import numpy as np
    import onnx
    from onnx.reference import ReferenceEvaluator

    if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
        tensor = onnx.TensorProto()
        tensor.CopyFrom(node.attribute[0].t)
        tensor.name = node.output[0]
        return [tensor]
    try:
        inputs = [onnx.numpy_helper.to_array(known[n]) for n in node.input if n]
        if _result_size(node, inputs) > _SMALL:
            return None
        evaluator: Any = ReferenceEvaluator(_alone(model, node, known))
        with np.errstate(all="ignore"):
            arrays = evaluator.run(None, {})
        named = zip(node.output, arrays, strict=True)
        return [onnx.numpy_helper.from_array(array, name) for name, array in named]
    except _DAMAGE:
        return None  # its result stays of unknown shape, and is named as such


def _is_small(tensor: Any) -> bool:
    return bool(tensor.data_location != tensor.EXTERNAL and math.prod(tensor.dims) <= _SMALL)


def _result_size(node: Any, inputs: list[Any]) -> float:
    """How many values a node would make at most, before anybody makes them."""
    match node.op_type:
        case "Constant":
            return float(max((math.prod(a.t.dims) for a in node.attribute), default=0))
        case "ConstantOfShape" | "Expand":
            sides = [abs(int(side)) for side in inputs[-1].flatten()]
            return float(math.prod(sides)) * max((float(i.size) for i in inputs[:-1]), default=1.0)
        case "Range":
            start, limit, step = (float(i.flatten()[0]) for i in inputs)
            return abs(limit - start) / abs(step) if step else math.inf
        case name if name in _KEEP_SIZE:
            return float(sum(i.size for i in inputs))
        case _:  # at most every value of one input beside every value of the others
            return float(math.prod(max(1, i.size) for i in inputs))


def _alone(model: Any, node: Any, known: dict[str, Any]) -> Any:
    """A model of one node and its constants."""
    import onnx

    graph = onnx.helper.make_graph(
        [node],
        "constants",
        [],
        [onnx.ValueInfoProto(name=name) for name in node.output],
        [known[name] for name in dict.fromkeys(node.input) if name],
    )
    return onnx.helper.make_model(graph, opset_imports=model.opset_import)


def _node(node: Any) -> Node:
    if not all(isinstance(n, str) for n in (node.op_type, node.domain, *node.input, *node.output)):
        raise ValueError("a name that is no text")  # protobuf hands such bytes on as they are
    numbers = {a.name: a.i for a in node.attribute}
    return Node(
        op=node.op_type,
        domain=node.domain,
        inputs=tuple(node.input),
        outputs=tuple(node.output),
        groups=numbers.get("group", 1),
        transposed=bool(numbers.get("transB", 0)),
        nested=node.op_type in _NESTED,
    )


def _values(graph: Any, tensors: dict[str, Any]) -> dict[str, Value]:
    found: dict[str, Value] = {}
    for info in (*graph.input, *graph.value_info, *graph.output):
        kind = info.type.tensor_type
        found[info.name] = value_of(_known_sides(kind), kind.elem_type, constant=False)
    for tensor in tensors.values():
        found[tensor.name] = value_of(tuple(tensor.dims), tensor.data_type, constant=True)
    return found


def value_of(shape: tuple[int, ...] | None, data_type: int, *, constant: bool) -> Value:
    """An edge from ONNX's number of a type.

    Raises:
        ValueError: the number is no type of ONNX's.
    """
    import onnx

    name = onnx.TensorProto.DataType.Name(data_type).lower()
    if name in {"undefined", "string"}:
        return Value(None, name, 0, constant)
    small = {"int4": 4, "uint4": 4, "int2": 2, "uint2": 2, "float4e2m1": 4}
    bits = small.get(name) or 8 * onnx.helper.tensor_dtype_to_np_dtype(data_type).itemsize
    return Value(shape, _NAMES.get(name, name), bits, constant)


def _stored(tensor: Any) -> bytes | None:
    """The bytes of an initializer; ``None`` if it is none, or in another file."""
    import onnx

    if tensor is None or tensor.data_location == tensor.EXTERNAL:
        return None
    if tensor.raw_data:
        return bytes(tensor.raw_data)
    return bytes(onnx.numpy_helper.to_array(tensor).tobytes())

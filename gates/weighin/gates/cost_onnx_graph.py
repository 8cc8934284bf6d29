"""Costs of a graph of ONNX operators, whichever file it was read from.

What this module does not do: it reads no file and infers no shape.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

from weighin.gates.cost import (
    Arithmetic,
    Kind,
    ModelCost,
    Operator,
    Weight,
)
from weighin.gates.cost_onnx_ops import (
    CONVOLUTIONS,
    PRODUCTS,
    count,
    hides_work,
    is_parameter,
    weight_axis,
    weight_input,
    zero_point_input,
)
from weighin.gates.sparsity import weigh
from weighin.gates.tensors import Value, alive_bytes, lifetimes, size_of
from weighin.gates.variant import Format

_LONGEST_WAY = 8
"""From what an operator multiplies with back to what the file stores: a cast, a transpose, ..."""

_INTEGER = {"int8", "uint8", "int4", "uint4"}


@dataclass(frozen=True, slots=True)
class Node:
    """One operator: its name, domain, edges, and the attributes that decide its work."""

    op: str
    domain: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    groups: int = 1
    transposed: bool = False
    nested: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """A whole graph; ``stored`` gives the bytes of a constant, ``None`` if they are elsewhere."""

    nodes: tuple[Node, ...]
    values: dict[str, Value]
    outputs: tuple[str, ...]
    stored: Callable[[str], memoryview | bytes | None]


def cost_of(graph: Graph, fmt: Format) -> ModelCost:
    """What the graph costs at the shapes that it states.

    Raises:
        ValueError: shapes that no operator can have.
    """
    values = dict(graph.values)
    makers = {name: node for node in graph.nodes for name in node.outputs if name}
    constants = {name for name, value in values.items() if value.constant}
    folded, executed = split(graph.nodes, constants)
    _fold(values, folded)
    weights = {n.outputs[0]: w for n in executed if (w := _weight(n, graph, values, makers))}
    used = {name for node in executed for name in node.inputs if name}
    held = [values[n] for n in used if n in values and values[n].constant]
    timeline = _alive(executed, values, graph.outputs)
    return ModelCost(
        format=fmt,
        operators=tuple(_operator(n, values, makers, weights.get(n.outputs[0])) for n in executed),
        weight_bytes=sum(value.bytes for value in held),
        arena_bytes=max(timeline, default=0),
        unsized=tuple(_unsized(executed, values)),
        parameters=_parameters(executed, values),
        weights=tuple({w.name: w for w in weights.values()}.values()),
        timeline=timeline,
    )


def split(nodes: Iterable[Node], constants: set[str]) -> tuple[tuple[Node, ...], tuple[Node, ...]]:
    """Nodes that depend on constants only, and the rest, both in graph order."""
    known, folded, rest = set(constants), list[Node](), list[Node]()
    for node in nodes:
        if not node.nested and all(name in known for name in node.inputs if name):
            known.update(node.outputs)
            folded.append(node)
        else:
            rest.append(node)
    return tuple(folded), tuple(n for n in rest if n.outputs)


def _fold(values: dict[str, Value], folded: tuple[Node, ...]) -> None:
    """Mark the results of folded nodes as constants; dequantized ones keep their stored size."""
    for node in folded:
        for name in (name for name in node.outputs if name in values):
            stored = values[node.inputs[0]] if node.op == "DequantizeLinear" else values[name]
            values[name] = replace(values[name], bits=stored.bits, constant=True)


def _operator(
    node: Node, values: dict[str, Value], makers: dict[str, Node], weight: Weight | None
) -> Operator:
    read = [values[n] for n in node.inputs if n in values and not values[n].constant]
    written = [values[n] for n in node.outputs if n in values]
    out_bytes = sum(v.bytes for v in written)
    counted = _count(node, values)
    return Operator(
        name=node.op,
        moved_bytes=sum(v.bytes for v in read) + out_bytes,
        macs=counted[1] if counted else 0,
        kind=counted[0] if counted else None,
        arithmetic=_arithmetic(node, values, makers, weight) if counted else None,
        written_bytes=out_bytes,
        weight_bytes=sum(values[n].bytes for n in set(node.inputs) if _held(n, values)),
        types=tuple(dict.fromkeys(v.type for v in (*read, *written))),
        inputs=tuple(n for n in node.inputs if n and not _held(n, values)),
        outputs=tuple(n for n in node.outputs if n),
        weight=weight.name if weight else "",
        dynamic=any(v.shape is None for v in (*read, *written)),
    )


def _held(name: str, values: dict[str, Value]) -> bool:
    return name in values and values[name].constant


def _count(node: Node, values: dict[str, Value]) -> tuple[Kind, int] | None:
    """Kind and multiply-adds; ``None`` for other operators and for unknown shapes."""
    if node.op not in CONVOLUTIONS | PRODUCTS:
        return None
    name = node.inputs[weight_input(node.op)]
    shapes = (_shape(node.inputs[0], values), _shape(name, values), _shape(node.outputs[0], values))
    data, weights, out = shapes
    if weights is None or out is None or (node.op == "ConvTranspose" and data is None):
        return None
    kind, macs = count(node.op, data or (), weights, out, node.groups, transposed=node.transposed)
    two_activations = not _held(name, values) and not _held(node.inputs[0], values)
    if kind is Kind.FULLY_CONNECTED and two_activations:
        kind = Kind.PRODUCT
    return kind, macs


def _shape(name: str, values: dict[str, Value]) -> tuple[int, ...] | None:
    return values[name].shape if name in values else None


def _arithmetic(
    node: Node, values: dict[str, Value], makers: dict[str, Node], weight: Weight | None
) -> Arithmetic:
    """Which kernel runs: explicit integer operators, or the quantize/dequantize pattern."""
    match node.op:
        case "ConvInteger" | "MatMulInteger" | "DynamicQuantizeMatMul" | "MatMulIntegerToFloat":
            return Arithmetic.DYNAMIC_INT8
        case "QLinearConv" | "QLinearMatMul" | "QGemm":
            return Arithmetic.INT8
        case _:
            pass
    data, weights = node.inputs[0], node.inputs[1]
    types = tuple(_dequantized_from(name, values, makers) for name in (data, weights))
    match (*types, values[data].type if data in values else ""):
        case ("int8" | "uint8", "int8" | "uint8", _):
            return Arithmetic.INT8
        case ("", kind, _) if kind in _INTEGER:
            return Arithmetic.WEIGHT_ONLY
        case ("", "", "float32"):
            widened = weight is not None and weight.type == "float16"
            return Arithmetic.FLOAT16 if widened else Arithmetic.FLOAT32
        case ("", "", "float16"):
            return Arithmetic.FLOAT16
        case _:
            return Arithmetic.OTHER


def _dequantized_from(name: str, values: dict[str, Value], makers: dict[str, Node]) -> str:
    maker = makers.get(name)
    if maker is None or maker.op != "DequantizeLinear":
        return ""
    source = values.get(maker.inputs[0])
    return source.type if source else ""


def _weight(
    node: Node, graph: Graph, values: dict[str, Value], makers: dict[str, Node]
) -> Weight | None:
    """The constant that a node multiplies with, as the file stores it."""
    if node.op not in CONVOLUTIONS | PRODUCTS:
        return None
    name = node.inputs[weight_input(node.op)]
    point = zero_point_input(node.op)
    points = node.inputs[point] if 0 < point < len(node.inputs) else ""
    axis: int | None = weight_axis(node.op, transposed=node.transposed)
    for _ in range(_LONGEST_WAY):
        maker = makers.get(name)
        if maker is None or not maker.inputs or not _held(source := maker.inputs[0], values):
            break
        if maker.op == "DequantizeLinear":
            points = next(iter(maker.inputs[2:]), points)
        elif maker.op not in {"Identity", "Cast"}:
            axis = None
        name = source
    value = values.get(name)
    if value is None or not value.constant or value.shape is None:
        return None
    data = graph.stored(name)
    if data is None or name in makers:
        return Weight(name=name, type=value.type, shape=value.shape)
    return weigh(
        name, value.type, value.shape, data, axis=axis, points=_points(points, graph, values)
    )


def _points(name: str, graph: Graph, values: dict[str, Value]) -> tuple[int, ...]:
    value, data = values.get(name), graph.stored(name) if name else None
    if value is None or data is None or value.bits != 8:
        return ()
    raw = bytes(data)
    return tuple(b - 256 if value.type == "int8" and b > 127 else b for b in raw)


def _parameters(nodes: tuple[Node, ...], values: dict[str, Value]) -> int:
    """Values of constants that training set: no shapes, no quantization scales, no scalars."""
    found = {
        name: size_of(shape)
        for node in nodes
        for at, name in enumerate(node.inputs)
        if _held(name, values) and (shape := values[name].shape)
        if is_parameter(node.op, at, values[name].type)
    }
    return sum(found.values())


def _alive(
    nodes: tuple[Node, ...], values: dict[str, Value], outputs: tuple[str, ...]
) -> tuple[int, ...]:
    def bytes_of(name: str) -> int:
        return values[name].bytes if name in values and not values[name].constant else 0

    steps = [(node.inputs, node.outputs) for node in nodes]
    return alive_bytes(lifetimes(steps, outputs, bytes_of), len(steps))


def _unsized(nodes: tuple[Node, ...], values: dict[str, Value]) -> Iterator[str]:
    for nested in sorted({node.op for node in nodes if node.nested}):
        yield f"operators inside {nested}"
    for hidden in sorted({n.op for n in nodes if not n.nested and hides_work(n.op, n.domain)}):
        yield f"multiply-adds inside {hidden}"
    names = {name for node in nodes for name in (*node.inputs, *node.outputs) if name}
    for name in sorted(names):
        if name not in values:
            yield f"value {name} without a type"
        elif values[name].shape is None:
            yield f"value {name} of unknown shape"

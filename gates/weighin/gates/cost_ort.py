"""Costs from an ``.ort`` file: ONNX Runtime's own flatbuffer, its operators already fused.

Field numbers follow the schema that ONNX Runtime ships (a test compares them). The file holds
the shapes that the runtime inferred when it wrote it; a batch of any size counts as one.
"""

from dataclasses import replace
from pathlib import Path

from weighin.gates.cost import ModelCost
from weighin.gates.cost_onnx_graph import Graph, Node, cost_of
from weighin.gates.cost_onnx_ops import PRODUCTS
from weighin.gates.errors import SourceError
from weighin.gates.flat import Flat, Table
from weighin.gates.tensors import Value, size_of
from weighin.gates.variant import Format

_TYPES = (
    "undefined float32 uint8 int8 uint16 int16 int32 int64 string bool float16 float64 uint32 "
    "uint64 complex64 complex128 bfloat16 float8e4m3fn float8e4m3fnuz float8e5m2 float8e5m2fnuz "
    "uint4 int4"
)
_BITS = (0, 32, 8, 8, 16, 16, 32, 64, 0, 8, 16, 64, 32, 64, 64, 128, 16, 8, 8, 8, 8, 4, 4)
_NESTED = {"If", "Loop", "Scan"}
_TENSOR = 1
_KNOWN_SIDE = 1
_UNKNOWN = -1
_KEEP_FIRST = frozenset(
    {
        "Relu", "Clip", "Sigmoid", "Tanh", "Cast", "QuantizeLinear", "DequantizeLinear", "Softmax",
        "Gelu", "QuickGelu", "LeakyRelu", "HardSwish", "HardSigmoid", "Elu", "LogSoftmax",
    }
)  # fmt: skip


def read_ort(path: Path) -> ModelCost:
    """Costs of a model in ONNX Runtime's format.

    Raises:
        SourceError: the file is not a readable ORT model.
    """
    data = path.read_bytes()
    if data[4:8] != b"ORTM":
        raise SourceError(f"{path}: not an .ort file (no ORTM mark); convert it again")
    try:
        return cost_of(_graph(Flat(data)), Format.ORT)
    except (ValueError, IndexError, OverflowError) as error:
        raise SourceError(f"{path}: damaged .ort file ({error}); convert it again") from error


def _graph(flat: Flat) -> Graph:
    model = flat.root.table(1)
    graph = model.table(7) if model else None
    if graph is None:
        raise ValueError("no graph in it")
    tensors = {tensor.text(0): tensor for tensor in graph.tables(0)}
    infos = {info.text(0): info for info in graph.tables(1)}
    batch = {_batch(infos[name]) for name in graph.texts(5) if name in infos} - {""}
    values = {name: _value(info, batch) for name, info in infos.items()}
    values |= {name: _constant(tensor) for name, tensor in tensors.items()}
    nodes = _in_order([_node(node) for node in graph.tables(2)])
    return Graph(
        nodes=nodes,
        values=_with_first_sides(nodes, values),
        outputs=graph.texts(6),
        stored=lambda name: _stored(tensors.get(name)),
    )


def _sides(info: Table) -> tuple[int, tuple[Table | None, ...]] | None:
    """Number of the type, and the sides; ``None`` for what is no tensor of known rank."""
    kind = info.table(2)
    if kind is None or kind.number(1, "B") != _TENSOR or (tensor := kind.table(2)) is None:
        return None
    shape = tensor.table(1)
    if shape is None:
        return None
    return tensor.number(0), tuple(side.table(0) for side in shape.tables(0))


def _batch(info: Table) -> str:
    """The symbol that stands for the batch; empty if the first side is a number."""
    found = _sides(info)
    if found is None or not found[1] or (first := found[1][0]) is None:
        return ""
    return first.text(2) if first.number(0, "b") != _KNOWN_SIDE else ""


def _value(info: Table, batch: set[str]) -> Value:
    found = _sides(info)
    if found is None:
        return Value(None, "undefined", 0)
    number, sides = found
    known = tuple(_side(side, batch) for side in sides)
    return _typed(None if _UNKNOWN in known[1:] else known, number, constant=False)


def _side(side: Table | None, batch: set[str]) -> int:
    if side is not None and side.number(0, "b") == _KNOWN_SIDE:
        return side.number(1, "q")
    return 1 if side is not None and side.text(2) in batch else _UNKNOWN


def _with_first_sides(nodes: tuple[Node, ...], values: dict[str, Value]) -> dict[str, Value]:
    """Work out first sides, which the runtime forgets the name of when it reshapes a batch."""
    found = dict(values)
    for node in nodes:
        for name in (n for n in node.outputs if n in found):
            shape = found[name].shape
            if shape and shape[0] == _UNKNOWN:
                first = _first_side(node, found, shape[1:])
                found[name] = replace(found[name], shape=(first, *shape[1:]) if first else None)
    for name, value in found.items():
        if value.shape and value.shape[0] == _UNKNOWN:
            found[name] = replace(value, shape=None)
    return found


def _first_side(node: Node, values: dict[str, Value], others: tuple[int, ...]) -> int | None:
    """From what goes in; ``None`` for operators that may make it anything."""
    data = values[node.inputs[0]].shape if node.inputs and node.inputs[0] in values else None
    if not data or data[0] == _UNKNOWN:
        return None
    if node.op in {"Reshape", "Flatten"} and (rest := size_of(others)):
        return size_of(data) // rest
    return data[0] if node.op in PRODUCTS | _KEEP_FIRST else None


def _constant(tensor: Table) -> Value:
    return _typed(tensor.numbers(2, "q"), tensor.number(3), constant=True)


def _typed(shape: tuple[int, ...] | None, number: int, *, constant: bool) -> Value:
    names = _TYPES.split()
    if not 0 <= number < len(names):
        raise ValueError(f"a tensor of type {number}")
    return Value(shape if _BITS[number] else None, names[number], _BITS[number], constant)


def _node(node: Table) -> Node:
    numbers = {attribute.text(0): attribute.number(4, "q") for attribute in node.tables(10)}
    op = node.text(5)
    return Node(
        op=op,
        domain=node.text(2),
        inputs=node.texts(8),
        outputs=node.texts(9),
        groups=numbers.get("group", 1),
        transposed=bool(numbers.get("transB", 0)),
        nested=op in _NESTED,
    )


def _in_order(nodes: list[Node]) -> tuple[Node, ...]:
    """Nodes so that each follows what it reads: the file has them in the order of their making.

    Raises:
        ValueError: they read each other in a circle.
    """
    makers = {name: at for at, node in enumerate(nodes) for name in node.outputs if name}
    readers: dict[int, list[int]] = {}
    waiting: dict[int, int] = {}
    for at, node in enumerate(nodes):
        needed = {makers[name] for name in node.inputs if name in makers}
        waiting[at] = len(needed)
        for maker in needed:
            readers.setdefault(maker, []).append(at)
    ready = [at for at, count in waiting.items() if not count]
    for at in ready:  # grows while it is gone through
        for reader in readers.get(at, ()):
            waiting[reader] -= 1
            if not waiting[reader]:
                ready.append(reader)
    if len(ready) != len(nodes):
        raise ValueError("its operators read each other in a circle")
    return tuple(nodes[at] for at in ready)


def _stored(tensor: Table | None) -> memoryview | None:
    """The bytes of a constant; ``None`` if they are in another file."""
    return tensor.data(4) if tensor is not None and tensor.has(4) else None

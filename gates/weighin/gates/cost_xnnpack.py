"""Reads what a program hands to XNNPACK: a flatbuffer of nodes and values inside of it.

Field numbers follow ``schema.fbs`` of ExecuTorch's XNNPACK backend (a test compares them).

What this module does not do: it knows nothing of the program around it.
"""

import math
import struct
from collections.abc import Callable
from dataclasses import dataclass

from weighin.gates.cost import Arithmetic, Kind, Weight
from weighin.gates.flat import Flat, Table
from weighin.gates.sparsity import weigh
from weighin.gates.tensors import Value, size_of

_TYPES = (
    "invalid float32 float16 int8 uint8 int32 int8 int32 int4 dynamic_int8 int4 dynamic_int8 "
    "int32 float32 bfloat16"
)
_BITS = {
    "float32": 32, "float16": 16, "int8": 8, "uint8": 8, "int32": 32, "int4": 4,
    "dynamic_int8": 8, "bfloat16": 16,
}  # fmt: skip
_TWO = ((0, 1), 2)
_ONE = ((0,), 1)
_CONV = ((15, 16, 17), 18)
_POOL = ((10,), 11)
_JOIN = ((1, 2, 3, 4, 7), 5)
_PARTS = {"Concatenate2": 2, "Concatenate3": 3, "Concatenate4": 4, "Concatenate5": 5}
NODES: tuple[tuple[str, tuple[tuple[int, ...], int]], ...] = (
    ("Add", _TWO), ("FullyConnected", ((0, 1, 2), 3)), ("Softmax", _ONE), ("Sigmoid", _ONE),
    ("StaticTranspose", ((2,), 3)), ("Clamp", _ONE), ("Conv2d", _CONV), ("Div", _TWO),
    ("StaticResizeBilinear2D", ((2,), 3)), ("StaticConstantPad", ((3,), 4)),
    ("AvgPooling2d", _POOL), ("Minimum", _TWO), ("DepthwiseConv2d", _CONV),
    ("MaxPooling2d", _POOL), ("Multiply", _TWO), ("Subtract", _TWO), ("Floor", _ONE),
    ("Convert", _ONE), ("GlobalAvgPooling2d", _ONE), ("StaticReshape", ((2,), 3)),
    ("ArgMaxPooling2d", ((6,), 7)), ("SquareRoot", _ONE), ("Ceiling", _ONE), ("Hardswish", _ONE),
    ("LeakyReLU", ((1,), 2)), ("Maximum", _TWO), ("Negate", _ONE), ("Square", _ONE),
    ("ELU", ((1,), 2)), ("Abs", _ONE), ("PReLU", _TWO), ("Concatenate2", _JOIN),
    ("Concatenate3", _JOIN), ("Concatenate4", _JOIN), ("StaticSlice", ((3,), 4)),
    ("ScaledDotProductAttention", ((0, 1, 2, 3, 4), 5)), ("BatchMatrixMultiply", _TWO),
    ("Concatenate5", _JOIN), ("ConvTranspose2d", _CONV), ("ReciprocalSquareRoot", _ONE),
    ("Log", _ONE), ("Gelu", _ONE), ("Tanh", _ONE), ("Exp", _ONE), ("Sin", _ONE), ("Copy", _ONE),
    ("Cos", _ONE),
)  # fmt: skip
"""Nodes by their number in the schema's union, less one, with fields of inputs and output."""

Stored = Callable[[int], memoryview | None]
_NO_VALUE = 0xFFFFFFFF
_GROUP_INPUTS, _GROUP_OUTPUTS, _GROUPS = 10, 11, 12


@dataclass(frozen=True, slots=True)
class Step:
    """One node: what it reads and writes, and its work."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    work: tuple[Kind, Arithmetic, int] | None
    weight: Weight | None


@dataclass(frozen=True, slots=True)
class XnnGraph:
    """One delegated part of a program."""

    steps: tuple[Step, ...]
    values: dict[int, Value]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


def read_xnnpack(payload: memoryview, named: dict[str, memoryview]) -> XnnGraph:
    """One delegated part.

    Args:
        payload: What the program hands to the delegate.
        named: Constants that the program keeps outside of it, by name.

    Raises:
        ValueError: it is damaged, or no XNNPACK payload.
    """
    if len(payload) < 30 or bytes(payload[4:8]) != b"XH00":
        raise ValueError("a delegated part that is no XNNPACK graph of a known version")
    start, length, constants = struct.unpack_from("<III", payload, 10)
    inner = payload[start : start + length]
    graph = Flat(inner).root
    raw = {table.number(6, "I"): table for table in map(_tensor, graph.tables(2))}
    values = {number: _value(table) for number, table in raw.items()}
    offsets = graph.tables(8)

    def stored(number: int) -> memoryview | None:
        place = raw[number].number(3, "I")
        if not 0 < place < len(offsets):
            return None
        name, size = offsets[place].text(2), offsets[place].number(1, "Q")
        if name:
            return named.get(name)
        begin = constants + offsets[place].number(0, "Q")
        return Flat(payload).span(begin, size)

    return XnnGraph(
        steps=tuple(_step(node, values, stored) for node in graph.tables(1)),
        values=values,
        inputs=graph.numbers(4, "I"),
        outputs=graph.numbers(5, "I"),
    )


def _tensor(value: Table) -> Table:
    """The tensor of a value, unwrapped from its quantization."""
    inner = value.table(1)
    if inner is not None and value.number(0, "B") == 2:
        inner = inner.table(0)
    if inner is None:
        raise ValueError("a value without a tensor")
    return inner


def _value(tensor: Table) -> Value:
    names = _TYPES.split()
    number = tensor.number(0, "h")
    if not 0 < number < len(names):
        raise ValueError(f"a value of type {number}")
    shape = tensor.numbers(2, "I")
    size_of(shape)
    return Value(shape, names[number], _BITS[names[number]], tensor.number(3, "I") > 0)


def _step(node: Table, values: dict[int, Value], stored: Stored) -> Step:
    number = node.number(0, "B")
    body = node.table(1)
    if not 0 < number <= len(NODES) or body is None:
        raise ValueError(f"a node of kind {number}")
    name, (fields, out) = NODES[number - 1]
    numbers = [body.number(field, "I") for field in fields[: _PARTS.get(name)]]
    inputs = tuple(i for i in numbers if i != _NO_VALUE)
    output = body.number(out, "I")
    if any(i not in values for i in (*inputs, output)):
        raise ValueError(f"{name} reads or writes a value that is not there")
    work = _work(name, body, [values[i] for i in inputs], values[output])
    weight = _weight(name, inputs[1], values, stored) if work and len(inputs) > 1 else None
    return Step(name, inputs, (output,), work, weight)


def _work(
    name: str, body: Table, inputs: list[Value], out: Value
) -> tuple[Kind, Arithmetic, int] | None:
    """Kind, arithmetic and multiply-adds; ``None`` for nodes that only go over values."""
    shapes: list[tuple[int, ...]] = [value.shape or () for value in inputs]
    size = size_of(out.shape or ())
    kernel = math.prod((body.number(4, "I"), body.number(5, "I")))
    match name:
        case "Conv2d":
            kind = _convolution(kernel, body)
            macs = size * kernel * body.number(_GROUP_INPUTS, "I")
        case "DepthwiseConv2d":
            kind, macs = Kind.DEPTHWISE, size * kernel
        case "ConvTranspose2d":
            kind = Kind.TRANSPOSED
            macs = size_of(shapes[0]) * kernel * body.number(_GROUP_OUTPUTS, "I")
        case "FullyConnected" | "BatchMatrixMultiply":
            kind = Kind.FULLY_CONNECTED if inputs[1].constant else Kind.PRODUCT
            macs = size * shapes[0][-1]
        case "ScaledDotProductAttention":
            query, key, value = shapes[:3]
            pairs = size_of(query[:-1]) * key[-2]
            return Kind.PRODUCT, Arithmetic.FLOAT32, pairs * (query[-1] + value[-1])
        case _:
            return None
    return kind, _arithmetic(inputs[0].type, inputs[1].type), macs


def _convolution(kernel: int, body: Table) -> Kind:
    if body.number(_GROUPS, "I") > 1:
        return Kind.GROUPED
    return Kind.POINTWISE if kernel == 1 else Kind.CONV


def _arithmetic(data: str, weights: str) -> Arithmetic:
    match data, weights:
        case "float32", "float32":
            return Arithmetic.FLOAT32
        case ("float16" | "float32", "float16") | ("float16", "float32"):
            return Arithmetic.FLOAT16
        case ("int8", "int8") | ("uint8", "uint8"):
            return Arithmetic.INT8
        case "dynamic_int8", "int8":
            return Arithmetic.DYNAMIC_INT8
        case "float32" | "float16", "int8":
            return Arithmetic.WEIGHT_ONLY
        case _:
            return Arithmetic.OTHER


def _weight(name: str, number: int, values: dict[int, Value], stored: Stored) -> Weight | None:
    value = values[number]
    if not value.constant or value.shape is None:
        return None
    label, data = f"constant {number}", stored(number)
    if data is None:
        return Weight(name=label, type=value.type, shape=value.shape)
    axis = len(value.shape) - 1 if name == "DepthwiseConv2d" else 0
    return weigh(label, value.type, value.shape, data, axis=axis)

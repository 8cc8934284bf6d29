"""Costs from a ``.tflite`` flatbuffer: its main subgraph, operator by operator."""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from weighin.gates.cost import (
    Arithmetic,
    Kind,
    ModelCost,
    Operator,
    Weight,
)
from weighin.gates.cost_tflite_ops import COUNTED, count, hides_work
from weighin.gates.errors import SourceError
from weighin.gates.flat import Flat, Table
from weighin.gates.sparsity import weigh
from weighin.gates.tensors import alive_bytes, lifetimes, size_of
from weighin.gates.tflite_names import BITS, OPERATORS, TYPES
from weighin.gates.variant import Format

_DATA = {"TRANSPOSE_CONV": 2}
_INDICES = {"int32", "int64", "bool", "uint32", "uint64"}


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What the file says of one tensor.

    ``stored`` is the type before widening, ``dynamic`` whether any side but the batch is only
    known at run time: its ``shape`` then says 1 where anything may come.
    """

    name: str
    shape: tuple[int, ...]
    type: str
    constant: bool
    stored: str
    quantized: bool
    dynamic: bool

    @property
    def bytes(self) -> int:
        """Size of its values."""
        return math.ceil(size_of(self.shape) * BITS.get(self.type, 0) / 8)


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator of the file: its name, inputs and outputs as tensor numbers."""

    name: str
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class _Graph:
    """What all parts of the count look at."""

    tensors: Sequence[_Tensor]
    steps: tuple[_Step, ...]
    outputs: tuple[int, ...]


def read_tflite(path: Path) -> ModelCost:
    """Costs of the first subgraph of a ``.tflite`` file; further subgraphs are ``unsized``.

    Raises:
        SourceError: the file is not a readable TFLite flatbuffer.
    """
    data = path.read_bytes()
    if data[4:8] != b"TFL3":
        raise SourceError(f"{path}: not a .tflite file (no TFL3 mark); export it again")
    try:
        return _read(Flat(data))
    except (ValueError, IndexError, OverflowError) as error:
        raise SourceError(f"{path}: damaged .tflite file ({error}); export it again") from error


def _read(flat: Flat) -> ModelCost:
    model = flat.root
    subgraphs = model.tables(2)
    if not subgraphs or not (raw := subgraphs[0].tables(0)):
        raise ValueError("no tensors")
    buffers = model.tables(4)
    steps = tuple(_steps(model, subgraphs[0]))
    stored = _with_own_names([_tensor(t, i, buffers) for i, t in enumerate(raw)])
    _check(steps, len(stored))
    executed = tuple(s for s in steps if not _is_widening(s, stored))
    graph = _Graph(_widen(stored, steps), executed, subgraphs[0].numbers(2))
    sources = {s.outputs[0]: s.inputs[0] for s in steps if _is_widening(s, stored)}
    weights = _weights(flat, graph, sources, raw, buffers)
    used = {i for s in executed for i in s.inputs if graph.tensors[i].constant}
    timeline = _alive(graph)
    return ModelCost(
        format=Format.LITERT,
        operators=tuple(_operator(s, graph.tensors, weights) for s in executed),
        weight_bytes=sum(graph.tensors[i].bytes for i in used),
        arena_bytes=max(timeline, default=0),
        unsized=tuple(_unsized(len(subgraphs), graph)),
        parameters=sum(_parameters(graph.tensors[i]) for i in used),
        weights=tuple(weights.values()),
        timeline=timeline,
    )


def _tensor(table: Table, number: int, buffers: tuple[Table, ...]) -> _Tensor:
    code = table.number(1, "b")
    kind = TYPES[code] if 0 <= code < len(TYPES) else f"type {code}"
    buffer = buffers[table.number(2, "I")]
    constant = buffer.has(0) or buffer.number(1, "Q") > 1
    shape = table.numbers(0)
    size_of(shape)
    quantization = table.table(4)
    return _Tensor(
        name=table.text(3) or f"tensor {number}",
        shape=shape,
        type=kind,
        constant=constant,
        stored=kind,
        quantized=quantization is not None and quantization.has(2),
        dynamic=-1 in table.numbers(7)[1:],
    )


def _with_own_names(tensors: list[_Tensor]) -> list[_Tensor]:
    """Names by which tensors can be told apart: files may give the same one to several."""
    often = Counter(tensor.name for tensor in tensors)
    return [
        replace(tensor, name=f"{tensor.name}#{number}") if often[tensor.name] > 1 else tensor
        for number, tensor in enumerate(tensors)
    ]


def _steps(model: Table, graph: Table) -> Iterator[_Step]:
    codes = model.tables(1)
    names = [_name(code) for code in codes]
    for op in graph.tables(3):
        inputs = tuple(t for t in op.numbers(1) if t >= 0)
        yield _Step(names[op.number(0, "I")], inputs, op.numbers(2))


def _name(code: Table) -> str:
    number = max(code.number(3), code.number(0, "b"))
    name = OPERATORS[number] if 0 <= number < len(OPERATORS) else f"operator {number}"
    return f"custom {code.text(1) or '?'}" if name == "CUSTOM" else name


def _check(steps: tuple[_Step, ...], tensors: int) -> None:
    for step in steps:
        if any(not 0 <= i < tensors for i in (*step.inputs, *step.outputs)):
            raise ValueError(f"{step.name} reads or writes a tensor that is not there")


def _is_widening(step: _Step, tensors: Sequence[_Tensor]) -> bool:
    """Whether the step only widens a constant, which runtimes do once, when they load."""
    return step.name == "DEQUANTIZE" and tensors[step.inputs[0]].constant


def _widen(tensors: Sequence[_Tensor], steps: tuple[_Step, ...]) -> Sequence[_Tensor]:
    """Mark the results of widening a constant as constants that remember their stored type."""
    widened = list(tensors)
    for step in steps:
        if _is_widening(step, tensors):
            out, stored = tensors[step.outputs[0]], tensors[step.inputs[0]].type
            widened[step.outputs[0]] = replace(
                out, constant=True, stored=stored, quantized=False, dynamic=False
            )
    return widened


def _operator(step: _Step, tensors: Sequence[_Tensor], weights: dict[int, Weight]) -> Operator:
    reads_values = step.name != "SHAPE"
    read = [tensors[i] for i in step.inputs if not tensors[i].constant]
    written = [tensors[i] for i in step.outputs]
    out_bytes = sum(t.bytes for t in written)
    in_bytes = sum(t.bytes for t in read) if reads_values else 0
    kind, arithmetic, macs = _counted(step, tensors) or (None, None, 0)
    weight = weights.get(step.inputs[1]) if kind else None
    return Operator(
        name=step.name,
        moved_bytes=in_bytes + out_bytes,
        macs=macs,
        kind=kind,
        arithmetic=arithmetic,
        written_bytes=out_bytes,
        weight_bytes=sum(tensors[i].bytes for i in step.inputs if tensors[i].constant),
        types=tuple(dict.fromkeys(t.type for t in (*read, *written))),
        inputs=tuple(t.name for t in read),
        outputs=tuple(t.name for t in written),
        weight=weight.name if weight else "",
        dynamic=any(_is_dynamic(t) for t in (*read, *written)),
    )


def _counted(step: _Step, tensors: Sequence[_Tensor]) -> tuple[Kind, Arithmetic, int] | None:
    if step.name not in COUNTED:
        return None
    kind, macs = count(
        step.name, tuple(tensors[i].shape for i in step.inputs), tensors[step.outputs[0]].shape
    )
    data, second = tensors[step.inputs[_DATA.get(step.name, 0)]], tensors[step.inputs[1]]
    if kind is Kind.FULLY_CONNECTED and not second.constant:
        kind = Kind.PRODUCT
    return kind, _arithmetic(data, second), max(macs, 0)


def _arithmetic(data: _Tensor, weights: _Tensor) -> Arithmetic:
    match data.type, weights.type, weights.stored:
        case "float32", "float32", "float32":
            return Arithmetic.FLOAT32
        case "float32", "float32", "float16":
            return Arithmetic.FLOAT16
        case "float32", "float32", _:
            return Arithmetic.WEIGHT_ONLY
        case "float32", "int8" | "uint8", _:
            return Arithmetic.DYNAMIC_INT8
        case ("int8", "int8", _) | ("uint8", "uint8", _):
            return Arithmetic.INT8
        case _:
            return Arithmetic.OTHER


def _parameters(tensor: _Tensor) -> int:
    """Values that training set; shapes, axes and paddings are none."""
    if tensor.type in _INDICES and not tensor.quantized:
        return 0
    return size_of(tensor.shape)


def _weights(
    flat: Flat,
    graph: _Graph,
    sources: dict[int, int],
    raw: tuple[Table, ...],
    buffers: tuple[Table, ...],
) -> dict[int, Weight]:
    """Each constant that an operator multiplies with, by its number."""
    found: dict[int, Weight] = {}
    for step in (s for s in graph.steps if s.name in COUNTED):
        number = step.inputs[1]
        if graph.tensors[number].constant and number not in found:
            source = raw[sources.get(number, number)]
            found[number] = _weigh(flat, step.name, graph.tensors[number], source, buffers)
    return found


def _weigh(
    flat: Flat, operator: str, tensor: _Tensor, raw: Table, buffers: tuple[Table, ...]
) -> Weight:
    buffer = buffers[raw.number(2, "I")]
    quantization = raw.table(4)
    points = quantization.numbers(3, "q") if quantization else ()
    if raw.table(6) is not None:  # stored sparse: its zeros are not in the file
        return Weight(name=tensor.name, type=tensor.stored, shape=tensor.shape)
    outside = buffer.number(1, "Q")
    data = flat.span(outside, buffer.number(2, "Q")) if outside > 1 else buffer.data(0)
    last = operator in {"DEPTHWISE_CONV_2D", "BATCH_MATMUL", "CONV_3D"}
    axis = len(tensor.shape) - 1 if last else 0
    return weigh(tensor.name, tensor.stored, tensor.shape, data, axis=axis, points=points)


def _alive(graph: _Graph) -> tuple[int, ...]:
    def bytes_of(number: int) -> int:
        return 0 if graph.tensors[number].constant else graph.tensors[number].bytes

    steps = [(s.inputs, s.outputs) for s in graph.steps]
    return alive_bytes(lifetimes(steps, graph.outputs, bytes_of), len(steps))


def _is_dynamic(tensor: _Tensor) -> bool:
    return tensor.dynamic or any(side < 1 for side in tensor.shape)


def _unsized(subgraphs: int, graph: _Graph) -> Iterator[str]:
    if subgraphs > 1:
        yield f"{subgraphs} subgraphs"
    for name in sorted({s.name for s in graph.steps}):
        if hides_work(name):
            yield f"multiply-adds inside {name}"
    for i in sorted({i for s in graph.steps for i in (*s.inputs, *s.outputs)}):
        if graph.tensors[i].type not in BITS:
            yield f"tensor {i} of type {graph.tensors[i].type}"
        if _is_dynamic(graph.tensors[i]):
            yield f"tensor {i} has a size that is only known at run time"

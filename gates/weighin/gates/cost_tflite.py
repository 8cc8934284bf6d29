"""Costs from a ``.tflite`` flatbuffer, read with the schema that ai-edge-litert ships."""

import math
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.cost import Arithmetic, Kind, Lifetime, ModelCost, Operator, peak_bytes
from weighin.gates.errors import SourceError
from weighin.gates.variant import Format

_MACHINE = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
_ITEM_BYTES = {
    "FLOAT32": 4, "FLOAT16": 2, "INT32": 4, "UINT8": 1, "INT64": 8, "BOOL": 1, "INT16": 2,
    "INT8": 1, "FLOAT64": 8, "UINT32": 4, "UINT16": 2, "UINT64": 8, "INT4": 0.5, "INT2": 0.25,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Tensor:
    """What the file says of one tensor.

    ``stored`` is the type before widening, ``dynamic`` whether any side but the batch is only
    known at run time: its ``shape`` then says 1 where anything may come.
    """

    shape: tuple[int, ...]
    type: str
    constant: bool
    stored: str
    dynamic: bool = False

    @property
    def bytes(self) -> int:
        """Size of its values."""
        return math.ceil(math.prod(self.shape) * _ITEM_BYTES.get(self.type, 0))


@dataclass(frozen=True, slots=True)
class _Step:
    """One operator of the file: its name, inputs and outputs as tensor numbers."""

    name: str
    inputs: tuple[int, ...]
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
        return _read(data)
    except (struct.error, AttributeError, ValueError, IndexError, TypeError) as error:
        raise SourceError(f"{path}: damaged .tflite file ({error}); export it again") from error


def _read(data: bytes) -> ModelCost:
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.Model.GetRootAs(data, 0)
    graph: Any = model.Subgraphs(0)
    tensors = _tensors(model, graph)
    steps = tuple(_steps(model, graph))
    tensors = _widen(tensors, steps)
    executed = tuple(s for s in steps if not _is_widening(s, tensors))
    used = {i for s in executed for i in s.inputs}
    return ModelCost(
        format=Format.LITERT,
        operators=tuple(_operator(s, tensors) for s in executed),
        weight_bytes=sum(tensors[i].bytes for i in used if tensors[i].constant),
        arena_bytes=peak_bytes(_lifetimes(executed, tensors, _numbers(graph.OutputsAsNumpy()))),
        unsized=tuple(_unsized(model, tensors, executed)),
    )


def _numbers(array: Any) -> tuple[int, ...]:
    """A flatbuffer vector as integers; the binding returns the number 0 for a missing one."""
    return () if isinstance(array, int) else tuple(int(i) for i in array)


def _names(enum: type) -> dict[int, str]:
    return {v: k for k, v in vars(enum).items() if isinstance(v, int) and not k.startswith("_")}


def _tensors(model: Any, graph: Any) -> list[_Tensor]:
    from ai_edge_litert import schema_py_generated as schema

    types = _names(schema.TensorType)
    found: list[_Tensor] = []
    for i in range(graph.TensorsLength()):
        tensor = graph.Tensors(i)
        buffer = model.Buffers(tensor.Buffer())
        kind = types.get(tensor.Type(), "unknown type")
        constant = buffer.DataLength() > 0 or buffer.Offset() > 1
        dynamic = -1 in _numbers(tensor.ShapeSignatureAsNumpy())[1:]
        found.append(_Tensor(_numbers(tensor.ShapeAsNumpy()), kind, constant, kind, dynamic))
    return found


def _steps(model: Any, graph: Any) -> Iterator[_Step]:
    from ai_edge_litert import schema_py_generated as schema

    names = _names(schema.BuiltinOperator)
    for i in range(graph.OperatorsLength()):
        op = graph.Operators(i)
        code = model.OperatorCodes(op.OpcodeIndex())
        number = max(code.BuiltinCode(), code.DeprecatedBuiltinCode())
        name = names.get(number, f"operator {number}")
        if name == "CUSTOM":
            name = f"custom {(code.CustomCode() or b'?').decode(errors='replace')}"
        inputs = tuple(t for t in _numbers(op.InputsAsNumpy()) if t >= 0)
        yield _Step(name, inputs, _numbers(op.OutputsAsNumpy()))


def _is_widening(step: _Step, tensors: list[_Tensor]) -> bool:
    """Whether the step only widens a constant, which runtimes do once, when they load."""
    return step.name == "DEQUANTIZE" and tensors[step.inputs[0]].constant


def _widen(tensors: list[_Tensor], steps: tuple[_Step, ...]) -> list[_Tensor]:
    """Mark the results of widening a constant as constants that remember their stored type."""
    widened = list(tensors)
    for step in steps:
        if _is_widening(step, tensors):
            out = tensors[step.outputs[0]]
            stored = tensors[step.inputs[0]].type
            widened[step.outputs[0]] = _Tensor(out.shape, out.type, True, stored)
    return widened


def _operator(step: _Step, tensors: list[_Tensor]) -> Operator:
    reads_values = step.name != "SHAPE"
    touched = (*step.inputs, *step.outputs) if reads_values else step.outputs
    moved = sum(tensors[i].bytes for i in touched if not tensors[i].constant)
    if step.name not in _MACHINE:
        return Operator(name=step.name, moved_bytes=moved)
    kind, per_output = _kind(step, tensors)
    return Operator(
        name=step.name,
        moved_bytes=moved,
        macs=math.prod(tensors[step.outputs[0]].shape) * per_output,
        kind=kind,
        arithmetic=_arithmetic(tensors[step.inputs[0]], tensors[step.inputs[1]]),
    )


def _kind(step: _Step, tensors: list[_Tensor]) -> tuple[Kind, int]:
    """The kind, and the multiply-adds behind one output element.

    Weights are laid out [out, height, width, in] for CONV_2D, [1, height, width, out] for
    DEPTHWISE_CONV_2D and [out, in] for FULLY_CONNECTED (TFLite schema).
    """
    weights = tensors[step.inputs[1]].shape
    if step.name == "FULLY_CONNECTED":
        return Kind.FULLY_CONNECTED, weights[-1]
    if step.name == "DEPTHWISE_CONV_2D":
        return Kind.DEPTHWISE, weights[1] * weights[2]
    pointwise = weights[1] == weights[2] == 1
    return (Kind.POINTWISE if pointwise else Kind.CONV), math.prod(weights[1:])


def _arithmetic(data: _Tensor, weights: _Tensor) -> Arithmetic:
    if not weights.constant:
        return Arithmetic.OTHER
    match data.type, weights.type, weights.stored:
        case "FLOAT32", "FLOAT32", "FLOAT32":
            return Arithmetic.FLOAT32
        case "FLOAT32", "FLOAT32", "FLOAT16":
            return Arithmetic.FLOAT16
        case "FLOAT32", "FLOAT32", _:
            return Arithmetic.WEIGHT_ONLY
        case "FLOAT32", "INT8" | "UINT8", _:
            return Arithmetic.DYNAMIC_INT8
        case ("INT8", "INT8", _) | ("UINT8", "UINT8", _):
            return Arithmetic.INT8
        case _:
            return Arithmetic.OTHER


def _lifetimes(
    steps: tuple[_Step, ...], tensors: list[_Tensor], outputs: tuple[int, ...]
) -> Iterator[Lifetime]:
    born: dict[int, int] = {}
    dies = dict.fromkeys(outputs, len(steps))
    for at, step in enumerate(steps):
        for i in (*step.inputs, *step.outputs):
            born.setdefault(i, at if i in step.outputs else 0)
            dies[i] = max(dies.get(i, 0), at)
    for i, start in born.items():
        if not tensors[i].constant:
            yield Lifetime(bytes=tensors[i].bytes, born=start, dies=dies[i])


def _unsized(model: Any, tensors: list[_Tensor], steps: tuple[_Step, ...]) -> Iterator[str]:
    if model.SubgraphsLength() > 1:
        yield f"{model.SubgraphsLength()} subgraphs"
    for i in sorted({i for s in steps for i in (*s.inputs, *s.outputs)}):
        if tensors[i].type not in _ITEM_BYTES:
            yield f"tensor {i} of type {tensors[i].type}"
        if tensors[i].dynamic or any(side < 1 for side in tensors[i].shape):
            yield f"tensor {i} has a size that is only known at run time"

"""Costs from a ``.pte`` file: an ExecuTorch program, and what it hands to XNNPACK.

Field numbers follow ``program.fbs`` of ExecuTorch (a test compares them). The operators of
another delegate are closed to everybody but it: they are named as not counted.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from weighin.gates.cost import Arithmetic, Kind, ModelCost, Operator, Weight
from weighin.gates.cost_aten import count, hides_work, second_factor
from weighin.gates.cost_xnnpack import XnnGraph, read_xnnpack
from weighin.gates.errors import SourceError
from weighin.gates.flat import Flat, Table
from weighin.gates.tensors import Value, alive_bytes, lifetimes, size_of
from weighin.gates.variant import Format

_TYPES = {
    0: ("uint8", 8), 1: ("int8", 8), 2: ("int16", 16), 3: ("int32", 32), 4: ("int64", 64),
    5: ("float16", 16), 6: ("float32", 32), 7: ("float64", 64), 11: ("bool", 8),
    12: ("int8", 8), 13: ("uint8", 8), 14: ("int32", 32), 15: ("bfloat16", 16),
    27: ("uint16", 16), 28: ("uint32", 32), 29: ("uint64", 64),
}  # fmt: skip
_TENSOR, _INTEGER, _BOOLEAN = 5, 2, 3
_KERNEL, _DELEGATE, _JUMP = 1, 2, 4
_XNNPACK = "XnnpackBackend"
_MAIN = "forward"


@dataclass(frozen=True, slots=True)
class _Program:
    """The parts that instructions point into."""

    data: Flat
    root: Table
    base: int

    def segment(self, number: int) -> memoryview:
        """Bytes of one segment."""
        place = self.root.tables(4)[number]
        return self.data.span(self.base + place.number(0, "Q"), place.number(1, "Q"))

    def delegated(self, delegate: Table) -> memoryview:
        """What is handed to one delegate."""
        reference = delegate.table(1)
        if reference is None:
            raise ValueError("a delegate without data")
        number = reference.number(1, "I")
        if reference.number(0, "b"):
            return self.segment(number)
        return self.root.tables(3)[number].data(0)

    def named(self) -> dict[str, memoryview]:
        """Constants that several delegates share, by name."""
        return {e.text(0): self.segment(e.number(1, "I")) for e in self.root.tables(7)}


def read_pte(path: Path) -> ModelCost:
    """Costs of the method ``forward`` of an ExecuTorch program, or of its only one.

    Raises:
        SourceError: the file is not a readable ExecuTorch program.
    """
    data = path.read_bytes()
    if data[4:6] != b"ET":
        raise SourceError(f"{path}: not a .pte file (no ET mark); export it again")
    base = struct.unpack_from("<Q", data, 24)[0] if data[8:12] == b"eh00" and len(data) > 32 else 0
    try:
        flat = Flat(data)
        return _read(_Program(flat, flat.root, base))
    except (ValueError, IndexError, OverflowError, struct.error) as error:
        raise SourceError(f"{path}: damaged .pte file ({error}); export it again") from error


@dataclass(frozen=True, slots=True)
class _Run:
    """One operator as it is executed, its edges by name."""

    name: str
    delegate: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    work: tuple[Kind, Arithmetic, int] | None = None
    weight: Weight | None = None


@dataclass(frozen=True, slots=True)
class _Method:
    """The main method, taken apart: its edges, its numbers, and who else is called."""

    values: dict[str, Value]
    numbers: dict[str, int]
    dynamic: frozenset[str]
    kernels: tuple[str, ...]
    delegates: tuple[tuple[str, XnnGraph | None], ...]


def _read(program: _Program) -> ModelCost:
    plans = {plan.text(0): plan for plan in program.root.tables(1)}
    working = {name: plan for name, plan in plans.items() if _instructions(plan)}
    if not working:
        raise ValueError("no method that computes anything")
    main = _MAIN if _MAIN in working else next(iter(working))
    plan = working[main]
    method = _method(program, plan)
    runs = tuple(_runs(plan, method))
    values = method.values | {
        f"{at}:{number}": value
        for at, (_, graph) in enumerate(method.delegates)
        if graph
        for number, value in graph.values.items()
    }
    outputs = tuple(str(number) for number in plan.numbers(4))
    missing = [f"method {name}" for name in working if name != main]
    return _cost(runs, values, outputs, method.dynamic, (*missing, *_hidden(plan, runs)))


def _instructions(plan: Table) -> tuple[Table, ...]:
    return tuple(step for chain in plan.tables(5) for step in chain.tables(2))


def _method(program: _Program, plan: Table) -> _Method:
    values: dict[str, Value] = {}
    numbers: dict[str, int] = {}
    dynamic: set[str] = set()
    for at, entry in enumerate(plan.tables(2)):
        kind, body = entry.number(0, "B"), entry.table(1)
        if kind == _TENSOR and body is not None:
            values[str(at)] = _value(body)
            if body.number(8, "b"):
                dynamic.add(str(at))
        elif kind in {_INTEGER, _BOOLEAN} and body is not None:
            numbers[str(at)] = body.number(0, "q" if kind == _INTEGER else "B")
    named = program.named()
    return _Method(
        values=values,
        numbers=numbers,
        dynamic=frozenset(dynamic),
        kernels=tuple(f"{op.text(0)}.{op.text(1)}".rstrip(".") for op in plan.tables(6)),
        delegates=tuple(_delegate(program, entry, named) for entry in plan.tables(7)),
    )


def _value(tensor: Table) -> Value:
    number = tensor.number(0, "b")
    if number not in _TYPES:
        raise ValueError(f"a tensor of type {number}")
    name, bits = _TYPES[number]
    shape = tensor.numbers(2)
    size_of(shape)
    constant = tensor.number(5, "I") > 0 and tensor.table(6) is None
    return Value(shape, name, bits, constant)


def _delegate(
    program: _Program, entry: Table, named: dict[str, memoryview]
) -> tuple[str, XnnGraph | None]:
    name = entry.text(0)
    if name != _XNNPACK:
        return name, None
    return name, read_xnnpack(program.delegated(entry), named)


def _runs(plan: Table, method: _Method) -> Iterator[_Run]:
    for instruction in _instructions(plan):
        body = instruction.table(1)
        if body is None:
            continue
        arguments = tuple(str(number) for number in body.numbers(1))
        match instruction.number(0, "B"):
            case 1:
                yield _kernel(method.kernels[body.number(0)], arguments, method)
            case 2:
                at = body.number(0)
                name, graph = method.delegates[at]
                if graph is None:
                    yield _Run(f"delegate {name}", name, (), arguments)
                else:
                    yield from _delegated(at, graph, arguments)
            case _:
                continue


def _kernel(name: str, arguments: tuple[str, ...], method: _Method) -> _Run:
    """An operator that no delegate took; its last tensor is what it writes."""
    tensors = tuple(a for a in arguments if a in method.values)
    if not tensors:
        return _Run(name, "", (), ())
    out = tensors[-1]
    inputs = tuple(t for t in tensors if t != out)
    second = second_factor(name)
    work = None
    if 0 <= second < len(inputs):
        shapes = [method.values[t].shape or () for t in inputs]
        numbers = [method.numbers[a] for a in arguments if a in method.numbers]
        kind, macs = count(name, shapes, method.values[out].shape or (), numbers)
        if kind is Kind.FULLY_CONNECTED and not method.values[inputs[second]].constant:
            kind = Kind.PRODUCT
        work = kind, _arithmetic(method.values[out].type), macs
    return _Run(name, "", inputs, (out,), work)


def _arithmetic(kind: str) -> Arithmetic:
    known = {"float32": Arithmetic.FLOAT32, "float16": Arithmetic.FLOAT16}
    return known.get(kind, Arithmetic.OTHER)


def _delegated(at: int, graph: XnnGraph, arguments: tuple[str, ...]) -> Iterator[_Run]:
    """The nodes of one delegated part, its inputs and outputs named as the program does."""
    outer = dict(zip((*graph.inputs, *graph.outputs), arguments, strict=False))

    def named(numbers: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(outer.get(number, f"{at}:{number}") for number in numbers)

    for step in graph.steps:
        weight = replace(step.weight, name=f"{at}:{step.weight.name}") if step.weight else None
        yield _Run(step.name, "xnnpack", named(step.inputs), named(step.outputs), step.work, weight)


def _hidden(plan: Table, runs: tuple[_Run, ...]) -> Iterator[str]:
    if any(step.number(0, "B") == _JUMP for step in _instructions(plan)):
        yield "branches"
    for name in sorted({r.name for r in runs if r.delegate != "xnnpack" and hides_work(r.name)}):
        yield f"multiply-adds inside {name}"


def _cost(
    runs: tuple[_Run, ...],
    values: dict[str, Value],
    outputs: tuple[str, ...],
    dynamic: frozenset[str],
    unsized: tuple[str, ...],
) -> ModelCost:
    def bytes_of(name: str) -> int:
        return 0 if values[name].constant else values[name].bytes

    used = {n for run in runs for n in run.inputs if n in values and values[n].constant}
    steps = [
        tuple([n for n in names if n in values] for names in (r.inputs, r.outputs)) for r in runs
    ]
    alive = lifetimes([(read, written) for read, written in steps], outputs, bytes_of)
    timeline = alive_bytes(alive, len(runs))
    touched = {n for run in runs for n in (*run.inputs, *run.outputs)}
    changing = sorted(touched & dynamic)
    return ModelCost(
        format=Format.EXECUTORCH,
        operators=tuple(_operator(run, values, dynamic) for run in runs),
        weight_bytes=sum(values[name].bytes for name in used),
        arena_bytes=max(timeline, default=0),
        unsized=(
            *unsized,
            *(f"value {n} has a size that is only known at run time" for n in changing),
        ),
        parameters=sum(size_of(values[name].shape or ()) for name in used),
        weights=tuple({run.weight.name: run.weight for run in runs if run.weight}.values()),
        timeline=timeline,
    )


def _operator(run: _Run, values: dict[str, Value], dynamic: frozenset[str]) -> Operator:
    read = [n for n in run.inputs if n in values and not values[n].constant]
    written = [n for n in run.outputs if n in values]
    kind, arithmetic, macs = run.work or (None, None, 0)
    out_bytes = sum(values[n].bytes for n in written)
    return Operator(
        name=run.name,
        moved_bytes=sum(values[n].bytes for n in read) + out_bytes,
        macs=macs,
        kind=kind,
        arithmetic=arithmetic,
        written_bytes=out_bytes,
        weight_bytes=sum(
            values[n].bytes for n in set(run.inputs) if n in values and values[n].constant
        ),
        types=tuple(dict.fromkeys(values[n].type for n in (*read, *written))),
        inputs=tuple(read),
        outputs=tuple(written),
        weight=run.weight.name if run.weight else "",
        dynamic=any(n in dynamic for n in (*read, *written)),
        delegate=run.delegate,
    )

"""What one file costs, as a person or another program wants to be told.

Pure: a cost goes in, a record or a JSON document comes out. The keys of the document are
described in ``docs/inspect.md``; they are only ever added to.

What this module does not do: it reads no file and prints nothing.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from weighin.gates.cost import Arithmetic, Kind, ModelCost, Operator
from weighin.gates.delegates import Answer, Coverage

SCHEMA = "weighin.inspect/1"
DEAREST = 5
_BETWEEN_NUMBERS = {
    "QUANTIZE", "DEQUANTIZE", "QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear",
    "Convert", "CAST", "Cast",
}  # fmt: skip
_FLOATS = {"float32", "float16"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """One file and its costs.

    Attributes:
        file: Name of the file.
        size_bytes: Its length.
        sha256: Its digest.
        cost: What it costs.
        coverages: What each delegate that was asked about makes of it.
    """

    file: str
    size_bytes: int
    sha256: str
    cost: ModelCost
    coverages: tuple[Coverage, ...]

    @property
    def dearest(self) -> tuple[tuple[int, Operator], ...]:
        """The operators with the most multiply-adds, with their place, dearest first."""
        working = [(at, op) for at, op in enumerate(self.cost.operators) if op.macs]
        return tuple(sorted(working, key=lambda pair: -pair[1].macs)[:DEAREST])

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a person should know before trusting or shipping the file."""
        cost = self.cost
        return (*_uncounted(cost), *_mixed(cost), *_dynamic(cost), *_empty_channels(cost))


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """Operators of one kind and one arithmetic; of one type if they do not multiply."""

    kind: str
    type: str
    operators: int
    macs: int
    moved_bytes: int
    weight_bytes: int


def groups(cost: ModelCost) -> tuple[Group, ...]:
    """All operators by kind and arithmetic, those with the most multiply-adds first."""
    members: dict[tuple[str, str], list[Operator]] = {}
    for op in cost.operators:
        kind = op.kind.value if op.kind else "other"
        name = op.arithmetic.value if op.arithmetic else (op.types[0] if op.types else "none")
        members.setdefault((kind, name), []).append(op)
    made = (
        Group(
            kind=kind,
            type=name,
            operators=len(ops),
            macs=sum(op.macs for op in ops),
            moved_bytes=sum(op.moved_bytes for op in ops),
            weight_bytes=sum(op.weight_bytes for op in ops),
        )
        for (kind, name), ops in members.items()
    )
    return tuple(sorted(made, key=lambda g: (-g.macs, -g.moved_bytes, g.kind, g.type)))


def zero_share(cost: ModelCost) -> float | None:
    """Zeros among the weights that were looked at, 0 to 1; ``None`` if none was."""
    looked = [w for w in cost.weights if w.zeros is not None]
    count = sum(w.count for w in looked)
    return sum(w.zeros or 0 for w in looked) / count if count else None


def _uncounted(cost: ModelCost) -> Iterator[str]:
    if cost.unsized:
        more = f", and {len(cost.unsized) - 3} more" if len(cost.unsized) > 3 else ""
        yield f"not counted: {'; '.join(cost.unsized[:3])}{more}. The totals leave it out"


def _mixed(cost: ModelCost) -> Iterator[str]:
    """Float work inside of a model that is int8 for the most part."""
    integer = sum(op.macs for op in cost.operators if op.arithmetic is Arithmetic.INT8)
    if 2 * integer <= cost.macs:
        return
    floating = [op for op in cost.operators if op.macs and op.arithmetic is not Arithmetic.INT8]
    if floating:
        share = sum(op.macs for op in floating) / cost.macs
        names = ", ".join(sorted({op.name for op in floating}))
        told = f"{share:.1%} of MACs): {names}"
        yield f"{_operators(len(floating))} of an int8 model not in int8 ({told}"
    plain = Counter(
        op.name
        for op in cost.operators
        if not op.macs and op.name not in _BETWEEN_NUMBERS and _FLOATS & set(op.types)
    )
    if plain:
        told = ", ".join(f"{name} x{count}" for name, count in plain.most_common(5))
        yield f"{_operators(sum(plain.values()))} of an int8 model over plain floats: {told}"


def _dynamic(cost: ModelCost) -> Iterator[str]:
    count = sum(op.dynamic for op in cost.operators)
    if count:
        yield (
            f"{_operators(count)} with sizes that are only known at run time: no delegate takes "
            "them, and no memory is planned for them"
        )


def _operators(count: int) -> str:
    return f"{count} operator" + ("s" if count != 1 else "")


def _empty_channels(cost: ModelCost) -> Iterator[str]:
    empty = sum(w.zero_channels for w in cost.weights)
    if empty:
        channels = sum(w.channels for w in cost.weights)
        yield (
            f"{empty} of {channels} output channels are all zeros: they cost as much as any "
            "other until a structured pruning cuts them out"
        )


def document(inspection: Inspection, *, layers: bool) -> dict[str, object]:
    """The whole inspection as JSON.

    Args:
        inspection: What to tell.
        layers: Whether to list every operator.
    """
    cost = inspection.cost
    told: dict[str, object] = {
        "schema": SCHEMA,
        "file": inspection.file,
        "format": cost.format.value,
        "size_bytes": inspection.size_bytes,
        "sha256": inspection.sha256,
        "complete": not cost.unsized,
        "macs": cost.macs,
        "macs_by_kind": {kind.value: cost.macs_of(kind) for kind in Kind},
        "macs_by_arithmetic": {
            a.value: sum(op.macs for op in cost.operators if op.arithmetic is a)
            for a in cost.arithmetics
        },
        "parameters": cost.parameters,
        "operators": len(cost.operators),
        "operators_by_name": dict(cost.counts),
        "activation_bytes": cost.terms.activation_bytes,
        "weight_bytes": cost.weight_bytes,
        "arena_bytes": cost.arena_bytes,
        "least_memory_mib": cost.least_memory_mib,
        "groups": [_group(group, cost.macs) for group in groups(cost)],
        "weights": _weights(cost),
        "delegates": [_coverage(c, cost.operators) for c in inspection.coverages],
        "warnings": list(inspection.warnings),
        "not_counted": list(cost.unsized),
    }
    if layers:
        told["layers"] = [_layer(at, inspection) for at in range(len(cost.operators))]
    return told


def _group(group: Group, macs: int) -> dict[str, object]:
    return {
        "kind": group.kind,
        "type": group.type,
        "operators": group.operators,
        "macs": group.macs,
        "macs_share": group.macs / macs if macs else 0.0,
        "activation_bytes": group.moved_bytes,
        "weight_bytes": group.weight_bytes,
    }


def _weights(cost: ModelCost) -> dict[str, object]:
    return {
        "tensors": len(cost.weights),
        "values": sum(w.count for w in cost.weights),
        "zero_share": zero_share(cost),
        "channels": sum(w.channels for w in cost.weights),
        "zero_channels": sum(w.zero_channels for w in cost.weights),
    }


def _coverage(found: Coverage, operators: Sequence[Operator]) -> dict[str, object]:
    known = bool(found.answers)
    return {
        "delegate": found.delegate.value,
        "known": known,
        "taken": found.count(Answer.TAKEN) if known else None,
        "not_taken": found.count(Answer.NOT_TAKEN) if known else None,
        "not_known": found.count(Answer.NOT_KNOWN) if known else None,
        "partitions": found.partitions if known else None,
        "pieces": found.pieces if known else None,
        "operators_not_taken": dict(found.left_out(operators)) if known else {},
        "source": found.source,
    }


def _layer(at: int, inspection: Inspection) -> dict[str, object]:
    cost = inspection.cost
    op = cost.operators[at]
    weight = next((w for w in cost.weights if w.name == op.weight), None) if op.weight else None
    return {
        "at": at,
        "operator": op.name,
        "writes": op.label,
        "kind": op.kind.value if op.kind else None,
        "arithmetic": op.arithmetic.value if op.arithmetic else None,
        "types": list(op.types),
        "macs": op.macs,
        "read_bytes": op.moved_bytes - op.written_bytes,
        "written_bytes": op.written_bytes,
        "weight_bytes": op.weight_bytes,
        "weights": weight.count if weight else 0,
        "zero_weights": weight.zeros if weight else None,
        "channels": weight.channels if weight else 0,
        "zero_channels": weight.zero_channels if weight else 0,
        "alive_bytes": cost.timeline[at] if at < len(cost.timeline) else None,
        "dynamic": op.dynamic,
        "delegates": {
            c.delegate.value: c.answers[at].value for c in inspection.coverages if c.answers
        },
    }

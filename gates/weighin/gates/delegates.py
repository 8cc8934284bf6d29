"""What a delegate would take of a model, and into how many parts it would cut it.

From published lists (``delegates.toml``), or from the file itself where it names its delegate.
Pure, and conservative: "not known" is an answer, and counts as not taken when parts are counted.

What this module does not do: it asks no delegate. Lists say little of strides and axes, so a
phone may take less; the partition line of a benchmark run there is the proof.
"""

import tomllib
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from weighin.gates.cost import ModelCost, Operator
from weighin.gates.variant import Format


class Delegate(StrEnum):
    """Who could take operators over from the runtime's own kernels."""

    XNNPACK = "xnnpack"
    NNAPI = "nnapi"
    GPU = "gpu"


class Answer(StrEnum):
    """Whether a delegate takes an operator."""

    TAKEN = "taken"
    NOT_TAKEN = "not_taken"
    NOT_KNOWN = "not_known"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorList:
    """The operators that one delegate takes from files of one format.

    Attributes:
        types: Operators by the type of what they read and write.
        unknown_arithmetics: Arithmetics on which releases differ.
        unknown_operators: Operators that newer releases take and the list does not have yet.
        source: Who published it.
    """

    types: tuple[tuple[str, frozenset[str]], ...]
    unknown_arithmetics: frozenset[str]
    unknown_operators: frozenset[str]
    source: str

    def answer(self, operator: Operator) -> Answer:
        """Whether the list has the operator, with everything that it reads and writes."""
        if operator.dynamic:
            return Answer.NOT_TAKEN
        known = dict(self.types)
        taken = all(operator.name in known.get(kind, ()) for kind in operator.types)
        if (
            operator.arithmetic in self.unknown_arithmetics
            or operator.name in self.unknown_operators
        ):
            return Answer.NOT_KNOWN
        return Answer.TAKEN if taken and operator.types else Answer.NOT_TAKEN


@dataclass(frozen=True, slots=True, kw_only=True)
class Coverage:
    """What one delegate makes of one model.

    Attributes:
        delegate: Who.
        answers: One per operator, in order; empty if nobody published a list.
        partitions: Parts that go to the delegate.
        pieces: Parts in all, those of the runtime's own kernels among them.
        source: Who says so, or why nobody does.
    """

    delegate: Delegate
    answers: tuple[Answer, ...]
    partitions: int
    pieces: int
    source: str

    def count(self, answer: Answer) -> int:
        """How many operators have this answer."""
        return self.answers.count(answer)

    def left_out(self, operators: Sequence[Operator]) -> tuple[tuple[str, int], ...]:
        """Names of the operators that are not taken, with how many of each, sorted by name."""
        pairs = zip(operators, self.answers, strict=True)
        names = Counter(op.name for op, answer in pairs if answer is Answer.NOT_TAKEN)
        return tuple(sorted(names.items()))


def coverage(cost: ModelCost, delegate: Delegate) -> Coverage:
    """What ``delegate`` would take of a model."""
    if cost.format is Format.EXECUTORCH:
        return _written_down(cost, delegate)
    found = _published(delegate, cost.format)
    if found is None:
        source = f"nobody published what {delegate} takes of {cost.format} files"
        return Coverage(delegate=delegate, answers=(), partitions=0, pieces=0, source=source)
    answers = tuple(found.answer(op) for op in cost.operators)
    return _cut(cost, delegate, answers, found.source)


def _written_down(cost: ModelCost, delegate: Delegate) -> Coverage:
    """An ExecuTorch program names the delegate of each of its parts."""
    if not any(op.delegate == delegate for op in cost.operators):
        source = f"the program hands nothing to {delegate}"
        return Coverage(delegate=delegate, answers=(), partitions=0, pieces=0, source=source)
    answers = tuple(
        Answer.TAKEN if op.delegate == delegate else Answer.NOT_TAKEN for op in cost.operators
    )
    return _cut(cost, delegate, answers, "the program itself")


def _cut(cost: ModelCost, delegate: Delegate, answers: tuple[Answer, ...], source: str) -> Coverage:
    partitions, others = parts(cost.operators, [a is Answer.TAKEN for a in answers])
    return Coverage(
        delegate=delegate,
        answers=answers,
        partitions=partitions,
        pieces=partitions + others,
        source=source,
    )


def parts(operators: Sequence[Operator], taken: Sequence[bool]) -> tuple[int, int]:
    """Into how many parts a graph falls: those that are taken, and those that are not.

    As TFLite's interpreter cuts a graph: everything of one kind that is ready goes into one
    part, then everything of the other kind, and so on. Operators that wait for one another in a
    circle belong to no part.
    """
    makers = {name: at for at, op in enumerate(operators) for name in op.outputs}
    readers: dict[int, list[int]] = {}
    waiting: list[int] = []
    for at, op in enumerate(operators):
        needed = {makers[name] for name in op.inputs if name in makers} - {at}
        waiting.append(len(needed))
        for maker in needed:
            readers.setdefault(maker, []).append(at)
    ready = {kind: deque[int]() for kind in (True, False)}
    for at, count in enumerate(waiting):
        if not count:
            ready[taken[at]].append(at)
    found = {True: 0, False: 0}
    kind = bool(taken and taken[0])
    while ready[True] or ready[False]:
        kind = kind if ready[kind] else not kind
        found[kind] += 1
        while ready[kind]:
            for reader in readers.get(ready[kind].popleft(), ()):
                waiting[reader] -= 1
                if not waiting[reader]:
                    ready[taken[reader]].append(reader)
    return found[True], found[False]


def _published(delegate: Delegate, fmt: Format) -> OperatorList | None:
    read_as = Format.ONNX if fmt is Format.ORT else fmt
    file = resources.files("weighin.gates") / "delegates.toml"
    for table in tomllib.loads(file.read_text("utf-8"))["lists"]:
        if (table["delegate"], table["format"]) == (delegate, read_as):
            return OperatorList(
                types=tuple((k, frozenset(v.split())) for k, v in table["types"].items()),
                unknown_arithmetics=frozenset(table["unknown_arithmetics"]),
                unknown_operators=frozenset(table.get("unknown_operators", "").split()),
                source=table["source"],
            )
    return None

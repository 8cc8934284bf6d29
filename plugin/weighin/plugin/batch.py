"""Frees a graph of the batch size that was written into it when the model was exported.

MLflow exports a PyTorch model with the rows of its input example: sizes in reshapes and the
initial states of recurrent layers are then those of that many rows. The graph is run with more
rows, and whatever was written for the first number is written anew on the way. Where a reshape
could mean several things, the first rows have to get what they got before; where that is not
enough, one meaning after the other is tried until the whole says what the model says, to the
last digits: attention that is nearly uniform gives nearly the same when its rows are mixed up.
Where none does, as in a deep network whose sums round differently, the closest is taken.
"""

import copy
import itertools
import math
import operator
from collections.abc import Callable
from functools import partial
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.fx import (
    Graph,
    Node,
    add_constant,
    attribute,
    calls,
    is_constant,
    is_node,
    operator_name,
    tidy,
)
from weighin.plugin.rewrite import BINARY

_SAME = 1e-6
_CLOSE = 1e-3
"""Errors as parts of the largest score, or of 1 if that is more: rounding in float32, and the
most that a graph may differ from its model."""
_MOST_TRIES = 200
_RECURRENT = ("lstm", "gru", "rnn_tanh", "rnn_relu")


def free_the_batch(graph: Graph, rows: Any, more: Any, wanted: Any) -> Graph:
    """Let a graph take any number of rows.

    Args:
        graph: Takes as many rows as it was exported with.
        rows: So many, ``[n, ...]``.
        more: The same and others, ``[m, ...]``.
        wanted: What the model says about ``more``, ``[m, classes]``.

    Returns:
        A graph that says the same.

    Raises:
        SourceError: none was found.
    """
    import torch

    for node in calls(graph, "view", "_unsafe_view"):
        node.target = torch.ops.aten.reshape.default  # a view may rest on a copy that is gone
    tidy(graph)
    before = dict[str, Any]()
    _run(graph, rows, after=partial(_note, before))
    meanings: list[int] = []
    best: Graph | None = None
    least, why = _CLOSE, ""
    for _ in range(_MOST_TRIES):
        freed = copy.deepcopy(graph)
        freer = _Freer(freed, rows, len(more), before, meanings)
        try:
            said = _run(freed, more, before=freer.free)
            error = _error(said, wanted)
            if error <= least:
                best, least = freed, error
            why = "it computes something else for more"
        except (RuntimeError, _DeadEndError) as failed:
            why = str(failed).strip().splitlines()[0]
        meanings = freer.other_meanings()
        if least <= _SAME or not meanings:
            break
    if best is not None:
        tidy(best)
        return best
    raise SourceError(f"the model takes {len(rows)} rows at a time and no other number ({why})")


def _note(before: dict[str, Any], node: Node, value: Any) -> None:
    """Keep shapes, and what reshapes give, for as many rows as the graph is written for."""
    shape = getattr(value, "shape", None)
    if shape is not None:
        node.meta["shape"] = tuple(shape)
    if operator_name(node) == "reshape":
        before[node.name] = value


def _error(said: Any, wanted: Any) -> float:
    """The largest difference, as a part of the largest score; infinite for another shape."""
    if said.shape != wanted.shape:
        return math.inf
    return float((said - wanted).abs().max() / wanted.abs().max().clamp(min=1.0))


class _DeadEndError(Exception):
    """No meaning of a call fits what was chosen before it."""


def _run(
    graph: Graph,
    rows: Any,
    *,
    before: Callable[[Node, dict[Node, Any]], None] = lambda *_: None,
    after: Callable[[Node, Any], None] = lambda *_: None,
) -> Any:
    """Run a graph node by node; tell what is known before each, and what it gave."""
    import torch

    interpreter: Any = torch.fx.Interpreter(graph)
    run = interpreter.run_node

    def run_and_tell(node: Node) -> Any:
        before(node, interpreter.env)
        value = run(node)
        after(node, value)
        return value

    interpreter.run_node = run_and_tell
    with torch.no_grad():
        return interpreter.run(rows)


class _Freer:
    """Rewrites the calls of one graph, in order.

    Args:
        graph: Changed in place.
        rows: As many as it is written for.
        many: As many as it is run with.
        before: What reshapes gave for ``rows``, by name.
        meanings: Which meaning to take of each reshape that has several, in order; the likeliest
            of those that come after.
    """

    def __init__(
        self, graph: Graph, rows: Any, many: int, before: dict[str, Any], meanings: list[int]
    ) -> None:
        self._graph, self._count, self._many = graph, len(rows), many
        self._input = next(node for node in graph.graph.nodes if node.op == "placeholder")
        self._width = math.prod(rows.shape[1:])
        self._before, self._meanings = before, meanings
        self._taken: list[tuple[int, int]] = []

    def other_meanings(self) -> list[int]:
        """The next ones to try, the last reshape first; empty when all were tried."""
        taken = list(self._taken)
        while taken and taken[-1][0] + 1 == taken[-1][1]:
            taken.pop()
        return [place for place, _ in taken[:-1]] + [place + 1 for place, _ in taken[-1:]]

    def free(self, node: Node, known: dict[Node, Any]) -> None:
        """Rewrite one call, if a number of rows is written into it."""
        name = operator_name(node)
        if name in ("reshape", "expand"):
            source = known[node.args[0]]
            if tuple(source.shape) != node.args[0].meta["shape"]:
                node.update_arg(1, self._sizes(name, node, source))
        elif name == "cat":
            node.update_arg(0, [self._stretched(node, one, known) for one in node.args[0]])
        elif name in BINARY:
            for place, operand in enumerate(node.args[:2]):
                other = node.args[1 - place] if len(node.args) > 1 else None
                if is_constant(operand) and is_node(other) and not is_constant(other):
                    node.update_arg(place, self._narrowed(node, operand, other, known))
        elif name in _RECURRENT:
            states = node.args[1] if isinstance(node.args[1], (list, tuple)) else [node.args[1]]
            freed = [self._state(node, state, known) for state in states]
            node.update_arg(1, freed if isinstance(node.args[1], (list, tuple)) else freed[0])

    def _sizes(self, name: str, node: Node, source: Any) -> list[int]:
        """The sizes of a reshape or an expand, with the rows' axis left open."""
        fixed = node.meta["shape"]
        if name == "expand":
            shift = len(fixed) - source.dim()
            return [
                -1 if place >= shift and source.shape[place - shift] != 1 else size
                for place, size in enumerate(node.args[1])
            ]
        places = self._meant(node, source)
        place = places[0]
        if len(places) > 1:
            number = len(self._taken)
            wanted = self._meanings[number] if number < len(self._meanings) else 0
            self._taken.append((wanted, len(places)))
            place = places[wanted]
        return [*fixed[:place], -1, *fixed[place + 1 :]]

    def _meant(self, node: Node, source: Any) -> list[int]:
        """The axes of a reshape's result that may hold the rows, the likeliest first."""
        fixed, fits = node.meta["shape"], dict[int, tuple[bool, int]]()
        borders = set(itertools.accumulate(source.shape, operator.mul))
        for place, size in enumerate(fixed):
            others = math.prod(fixed) // max(1, size)
            if size % self._count or others == 0 or source.numel() % others:
                continue
            made = source.reshape(*fixed[:place], -1, *fixed[place + 1 :])
            if _means_the_same(made, self._before[node.name], place, self._count, self._many):
                shared = borders & set(itertools.accumulate(made.shape, operator.mul))
                fits[place] = (size == self._count, len(shared))
        if not fits:
            raise _DeadEndError(f"a reshape to {list(fixed)}")
        return sorted(fits, key=lambda place: fits[place], reverse=True)

    def _stretched(self, node: Node, one: Node, known: dict[Node, Any]) -> Node:
        """A constant in a row with computed tensors has as many rows as they have."""
        if not is_constant(one) or self._many not in (
            known[other].shape[0] for other in node.args[0] if not is_constant(other)
        ):
            return one
        return self._repeated(node, one, axis=0, known=known)

    def _state(self, node: Node, state: Node, known: dict[Node, Any]) -> Node:
        """The state that a recurrent layer starts with; one of a wrong size corrupts memory."""
        if is_constant(state):
            return self._repeated(node, state, axis=1, known=known)
        if known[state].shape[1] != self._many:
            raise _DeadEndError("a recurrent layer starts with a state of a fixed number of rows")
        return state

    def _narrowed(self, node: Node, constant: Node, other: Node, known: dict[Node, Any]) -> Node:
        """A constant with a row for every row of the batch needs one, if all are the same."""
        value, before, after = self._value(constant), other.meta["shape"], known[other].shape
        shift = value.dim() - len(before)
        places = [n + shift for n, (a, b) in enumerate(zip(before, after, strict=True)) if a != b]
        for place in places:
            if place >= 0 and value.shape[place] == self._count > 1:
                value = self._one(value, place)
        if value.shape == self._value(constant).shape:
            return constant
        made = add_constant(self._graph, node, value)
        known[made] = value
        return made

    def _repeated(self, node: Node, constant: Node, *, axis: int, known: dict[Node, Any]) -> Node:
        """One row of a constant, added to as many zeros as the input has rows."""
        import torch

        aten, graph = torch.ops.aten, self._graph.graph
        value = self._one(self._value(constant), axis)
        shape = [-1 if place == axis else 1 for place in range(value.dim())]
        row = add_constant(self._graph, node, value)
        with graph.inserting_before(node):
            flat = graph.call_function(aten.reshape.default, (self._input, [-1, self._width]))
            first = graph.call_function(aten.slice.Tensor, (flat, 1, 0, 1))
            zeros = graph.call_function(aten.zeros_like.default, (first,))
            column = graph.call_function(aten.reshape.default, (zeros, shape))
            whole = graph.call_function(aten.add.Tensor, (row, column))
        known[whole] = value + torch.zeros([1 if s == 1 else self._many for s in shape])
        return whole

    def _value(self, constant: Node) -> Any:
        return attribute(self._graph, constant).detach()

    def _one(self, value: Any, axis: int) -> Any:
        first = value.narrow(axis, 0, 1)
        if value.shape[axis] not in (1, self._count) or not bool((value == first).all()):
            raise _DeadEndError("it holds a constant that differs from row to row")
        return first.clone()


def _means_the_same(value: Any, before: Any, place: int, count: int, many: int) -> bool:
    """Whether one axis of a tensor holds the rows, somewhere inside, and the first ones first.

    Args:
        value: For ``many`` rows.
        before: For ``count`` rows.
        place: The only axis that is longer in ``value``.
        count: Rows before.
        many: Rows now.
    """
    size = before.shape[place]
    if value.shape[place] * count != size * many:
        return False
    for outer in range(1, size // count + 1):
        if size % (outer * count):
            continue
        wide = value.unflatten(place, (outer, many, size // (outer * count)))
        first = wide.narrow(place + 1, 0, count).flatten(place, place + 2)
        if _error(first, before) <= _CLOSE:
            return True
    return False

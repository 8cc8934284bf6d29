"""Follows channel groups through a graph, operator by operator.

An operator that has no rule here freezes every group that touches it: such a group is never
pruned, so nothing is ever pruned wrongly.
"""

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from weighin.plugin.fx import (
    Graph,
    Node,
    argument,
    attribute,
    is_constant,
    is_node,
    operator_name,
)
from weighin.plugin.passes.channels import FIXED, Axis, Block, Groups, reshape_axes
from weighin.plugin.rewrite import BINARY, UNARY

_POOLS = frozenset(
    {"max_pool2d", "avg_pool2d", "adaptive_avg_pool2d", "adaptive_max_pool2d"}
    | {"max_pool1d", "avg_pool1d", "adaptive_avg_pool1d", "upsample_nearest2d"}
)
_RESHAPES = frozenset({"reshape", "squeeze", "unsqueeze"})
_REDUCTIONS = frozenset({"mean", "amax", "amin", "sum"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Multiply-accumulates of one layer for one row.

    Attributes:
        times: Output positions times kernel elements.
        inputs: Channels read per output channel.
        outputs: Channels written.
        input_size: Length of ``inputs`` now; 1 for a depthwise convolution.
        output_size: Length of ``outputs`` now.
    """

    times: int
    inputs: Axis
    outputs: Axis
    input_size: int
    output_size: int


@dataclass(slots=True, kw_only=True)
class Followed:
    """What is known of a graph's channels.

    Attributes:
        groups: The groups, joined and frozen.
        axes: One axis per axis of every computed tensor.
        weights: One axis per axis of every weight, by the weight's name.
        costs: One per layer that multiplies.
    """

    groups: Groups = field(default_factory=Groups)
    axes: dict[Node, tuple[Axis, ...]] = field(default_factory=dict[Node, tuple[Axis, ...]])
    weights: dict[str, tuple[Axis, ...]] = field(default_factory=dict[str, tuple[Axis, ...]])
    costs: list[Cost] = field(default_factory=list[Cost])

    def macs(self, kept: Mapping[int, int] | None = None) -> int:
        """Multiply-accumulates for one row when each group keeps so many channels."""
        return sum(
            cost.times
            * (self.groups.width(cost.inputs, kept or {}) or cost.input_size)
            * (self.groups.width(cost.outputs, kept or {}) or cost.output_size)
            for cost in self.costs
        )


def follow_channels(graph: Graph) -> Followed:
    """Find the channel groups of a graph whose shapes were recorded for one row."""
    follower = _Follower(graph)
    for node in graph.graph.nodes:
        follower.visit(node)
    follower.settle_weights()
    return follower.found


class _Follower:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.found = Followed()
        self.groups = self.found.groups
        self.uses: dict[str, list[Mapping[int, Axis]]] = {}

    def visit(self, node: Node) -> None:
        if node.op in ("placeholder", "get_attr"):
            self.found.axes[node] = (FIXED,) * len(node.meta["shape"])
            return
        rule = self.rule(operator_name(node)) if node.op == "call_function" else None
        axes = rule(node) if rule is not None else None
        if axes is None:
            self.freeze_inputs(node)
            axes = (FIXED,) * len(node.meta.get("shape", ()))
        self.found.axes[node] = axes

    def rule(self, name: str) -> Callable[[Node], tuple[Axis, ...] | None] | None:
        families = (
            (UNARY, self.unary),
            (BINARY, self.binary),
            (_POOLS, self.pool),
            (_RESHAPES, self.reshape),
            (_REDUCTIONS, self.reduce),
            (frozenset({"conv2d", "conv1d"}), self.convolution),
            (frozenset({"linear"}), self.linear),
            (frozenset({"matmul", "mm"}), self.matmul),
            (frozenset({"batch_norm"}), self.batch_norm),
            (frozenset({"permute"}), self.permute),
            (frozenset({"cat"}), self.concatenate),
            (frozenset({"softmax", "_softmax", "log_softmax"}), self.softmax),
            (frozenset({"slice"}), self.slice),
            (frozenset({"pad", "constant_pad_nd"}), self.pad),
        )
        return next((rule for names, rule in families if name in names), None)

    def freeze_inputs(self, node: Node) -> None:
        """Nobody knows what this does with its inputs: they stay as they are."""
        for used in node.all_input_nodes:
            if is_constant(used):
                self.use(used, {})
            else:
                self.freeze(self.found.axes[used])

    def freeze(self, axes: tuple[Axis, ...]) -> None:
        for axis in axes:
            self.groups.freeze(axis)

    def use(self, weight: Node | None, axes: Mapping[int, Axis]) -> None:
        """Note that a weight's axes run along these groups; axes not named stay whole."""
        if weight is not None:
            self.uses.setdefault(str(weight.target), []).append(axes)

    def settle_weights(self) -> None:
        """A weight that is used twice has to be cut the same way for both."""
        for name, uses in self.uses.items():
            settled: list[Axis] = []
            for place in range(getattr(self.graph, name).dim()):
                wanted = [use.get(place, FIXED) for use in uses]
                settled.append(functools.reduce(self.groups.join, wanted))
            self.found.weights[name] = tuple(settled)

    # Layers that multiply.

    def convolution(self, node: Node) -> tuple[Axis, ...] | None:
        x, weight, bias = node.args[0], node.args[1], argument(node, 2, "bias")
        if not is_constant(weight) or not (bias is None or is_constant(bias)):
            return None
        source, shape = self.found.axes[x][1], attribute(self.graph, weight).shape
        split = int(argument(node, 6, "groups", 1))
        times = math.prod(node.meta["shape"][2:]) * math.prod(shape[2:])
        if split == 1:
            axis, inputs = self.groups.new(shape[0]), source
            self.use(weight, {0: axis, 1: source})
        elif shape[1] == 1 and len(source) <= 1:  # depthwise: each channel by itself
            copies = shape[0] // split
            axis, inputs = _repeat(source, copies), FIXED
            self.use(weight, {0: axis})
        else:
            return None
        self.use(bias, {0: axis})
        self.cost(times, inputs, axis, (shape[1], shape[0]))
        return (FIXED, axis, *((FIXED,) * (len(node.meta["shape"]) - 2)))

    def linear(self, node: Node) -> tuple[Axis, ...] | None:
        x, weight, bias = node.args[0], node.args[1], argument(node, 2, "bias")
        if not is_constant(weight) or not (bias is None or is_constant(bias)):
            return None
        size_out, size_in = attribute(self.graph, weight).shape
        *rest, source = self.found.axes[x]
        axis = self.groups.new(size_out)
        self.use(weight, {0: axis, 1: source})
        self.use(bias, {0: axis})
        self.cost(math.prod(node.meta["shape"][:-1]), source, axis, (size_in, size_out))
        return (*rest, axis)

    def matmul(self, node: Node) -> tuple[Axis, ...] | None:
        x, weight = node.args
        if not is_constant(weight) or is_constant(x) or len(weight.meta["shape"]) != 2:
            return None
        size_in, size_out = attribute(self.graph, weight).shape
        *rest, source = self.found.axes[x]
        axis = self.groups.new(size_out)
        self.use(weight, {0: source, 1: axis})
        self.cost(math.prod(node.meta["shape"][:-1]), source, axis, (size_in, size_out))
        return (*rest, axis)

    def cost(self, times: int, inputs: Axis, outputs: Axis, sizes: tuple[int, int]) -> None:
        cost = Cost(
            times=times, inputs=inputs, outputs=outputs, input_size=sizes[0], output_size=sizes[1]
        )
        self.found.costs.append(cost)

    # Layers that keep channels apart.

    def batch_norm(self, node: Node) -> tuple[Axis, ...]:
        axes = self.found.axes[node.args[0]]
        for weight in node.args[1:5]:
            self.use(weight, {0: axes[1]})
        return axes

    def unary(self, node: Node) -> tuple[Axis, ...] | None:
        if any(is_node(value) for value in node.args[1:]):
            return None
        return self.found.axes[node.args[0]]

    def binary(self, node: Node) -> tuple[Axis, ...]:
        """Broadcasting: axes are aligned at the end, and those of length 1 are stretched."""
        operands = [value for value in node.args if is_node(value)]
        rank = len(node.meta["shape"])
        result = [self.meet(operands, rank, place) for place in range(rank)]
        for weight in filter(is_constant, operands):
            shift = rank - len(weight.meta["shape"])
            sizes = enumerate(weight.meta["shape"])
            self.use(weight, {p: result[p + shift] for p, size in sizes if size > 1})
        return tuple(result)

    def meet(self, operands: list[Node], rank: int, place: int) -> Axis:
        """The axis at one place of what several computed tensors are combined into."""
        found: list[Axis] = []
        for value in operands:
            own = place - rank + len(value.meta["shape"])
            if not is_constant(value) and own >= 0 and value.meta["shape"][own] > 1:
                found.append(self.found.axes[value][own])
        return functools.reduce(self.groups.join, found) if found else FIXED

    def softmax(self, node: Node) -> tuple[Axis, ...]:
        axes = self.found.axes[node.args[0]]
        self.groups.freeze(axes[int(node.args[1])])
        return axes

    # Layers that move or drop axes.

    def pool(self, node: Node) -> tuple[Axis, ...]:
        axes = self.found.axes[node.args[0]]
        return (*axes[:2], *((FIXED,) * (len(axes) - 2)))

    def permute(self, node: Node) -> tuple[Axis, ...]:
        axes = self.found.axes[node.args[0]]
        return tuple(axes[place] for place in node.args[1])

    def reshape(self, node: Node) -> tuple[Axis, ...]:
        x = node.args[0]
        return reshape_axes(self.groups, x.meta["shape"], self.found.axes[x], node.meta["shape"])

    def reduce(self, node: Node) -> tuple[Axis, ...] | None:
        axes, places = self.found.axes[node.args[0]], argument(node, 1, "dim")
        if not isinstance(places, (list, tuple)):
            return None
        gone = {place % len(axes) for place in places}
        self.freeze(tuple(axes[place] for place in gone))
        keep = len(node.meta["shape"]) == len(axes)
        kept = [FIXED if place in gone else axis for place, axis in enumerate(axes)]
        return tuple(axis for place, axis in enumerate(kept) if keep or place not in gone)

    def concatenate(self, node: Node) -> tuple[Axis, ...]:
        parts, along = node.args[0], int(argument(node, 1, "dim", 0)) % len(node.meta["shape"])
        result = [FIXED] * len(node.meta["shape"])
        for place in range(len(result)):
            axes = [self.found.axes[part][place] for part in parts]
            if place == along:
                result[place] = self.in_a_row(parts, axes, place)
            else:
                result[place] = functools.reduce(self.groups.join, axes)
        return tuple(result)

    def in_a_row(self, parts: list[Node], axes: list[Axis], place: int) -> Axis:
        """Axes one after the other; where one has no group it gets one that stays whole."""
        if not any(axes):
            return FIXED
        whole: list[Block] = []
        for part, axis in zip(parts, axes, strict=True):
            filled = axis or self.groups.new(part.meta["shape"][place])
            if not axis:
                self.groups.freeze(filled)
            whole += filled
        return tuple(whole)

    def slice(self, node: Node) -> tuple[Axis, ...]:
        axes, place = self.found.axes[node.args[0]], int(argument(node, 1, "dim", 0))
        return self.without(axes, {place % len(axes)})

    def pad(self, node: Node) -> tuple[Axis, ...]:
        axes, amounts = self.found.axes[node.args[0]], list(node.args[1])
        padded = {len(axes) - 1 - n // 2 for n, amount in enumerate(amounts) if amount}
        return self.without(axes, padded)

    def without(self, axes: tuple[Axis, ...], places: set[int]) -> tuple[Axis, ...]:
        """The same axes, but those at some places are frozen and end here."""
        self.freeze(tuple(axes[place] for place in places))
        return tuple(FIXED if place in places else axis for place, axis in enumerate(axes))


def _repeat(axis: Axis, copies: int) -> Axis:
    """Every entry ``copies`` times in a row."""
    return tuple(Block(group=b.group, outer=b.outer, inner=b.inner * copies) for b in axis)

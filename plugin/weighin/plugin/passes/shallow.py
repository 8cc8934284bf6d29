"""A shallower student: residual blocks are left out whose input and output look alike.

A block is a sum of a tensor and something computed from that same tensor. Leaving it out puts
the tensor in the place of the sum. Blocks go one by one, always the one whose loss moves the
outputs least.

What this module does not do: it leaves out no block that changes the shape.
"""

import copy
from typing import Any

from weighin.plugin.fx import Graph, Node, calls, is_constant, is_node, record_shapes, tidy
from weighin.plugin.passes.allocate import distance
from weighin.plugin.passes.prune import PassError, Pruned, count_macs


def shorten(graph: Graph, rows: Any, *, depth_percent: float) -> Pruned:
    """Keep this share of the residual blocks that can be left out.

    Args:
        graph: Changed in place.
        rows: Inputs ``[n, ...]`` to measure on which block matters least.
        depth_percent: Of the blocks that can be left out; at least one goes.

    Raises:
        PassError: there is no such block.
    """
    import torch

    before = count_macs(graph, rows[:1])
    blocks = _blocks(graph, rows[:1])
    if not blocks:
        raise PassError("no shallower student can be made: the model has no residual blocks")
    with torch.no_grad():
        wanted = graph(rows)
    for _ in range(max(1, round(len(blocks) * (1 - depth_percent / 100)))):
        tried = {name: _moved(graph, rows, wanted, name) for name in _blocks(graph, rows[:1])}
        _leave_out(graph, rows[:1], min(tried, key=lambda name: tried[name]))
    return Pruned(macs_before=before, macs_after=count_macs(graph, rows[:1]))


def _blocks(graph: Graph, row: Any) -> dict[str, Node]:
    """Per sum that closes a block, the tensor that the block starts from."""
    record_shapes(graph, row)
    found: dict[str, Node] = {}
    for node in calls(graph, "add"):
        operands = [v for v in node.args if is_node(v) and not is_constant(v)]
        if len(operands) != 2:
            continue
        for start, branch in (operands, operands[::-1]):
            alike = start.meta["shape"] == node.meta["shape"] == branch.meta["shape"]
            if alike and start in _ancestors(branch):
                found[node.name] = start
    return found


def _ancestors(node: Node) -> set[Node]:
    seen: set[Node] = set()
    waiting = list(node.all_input_nodes)
    while waiting:
        one = waiting.pop()
        if one not in seen:
            seen.add(one)
            waiting += one.all_input_nodes
    return seen


def _moved(graph: Graph, rows: Any, wanted: Any, name: str) -> float:
    """How far the outputs are from the whole model's without one more block."""
    import torch

    tried = copy.deepcopy(graph)
    _leave_out(tried, rows[:1], name)
    with torch.no_grad():
        return distance(tried(rows), wanted)


def _leave_out(graph: Graph, row: Any, name: str) -> None:
    start = _blocks(graph, row)[name]
    end = next(node for node in graph.graph.nodes if node.name == name)
    end.replace_all_uses_with(start)
    tidy(graph)

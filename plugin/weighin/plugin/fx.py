"""Small words for working on a ``torch.fx`` graph of ATen operators.

What this module does not do: it knows nothing of pruning, training or file formats.
"""

from collections.abc import Iterator
from typing import Any

Graph = Any
"""A ``torch.fx.GraphModule`` in the form that :func:`weighin.plugin.graph.to_graph` makes."""

Node = Any
"""A ``torch.fx.Node``."""


def operator_name(node: Node | None) -> str:
    """``conv2d`` for a call of ``aten.conv2d.default``; ``""`` for what is no call."""
    if getattr(node, "op", "") != "call_function" or node is None:
        return ""
    packet = getattr(node.target, "overloadpacket", None)
    return str(getattr(packet, "__name__", "")) or str(getattr(node.target, "__name__", ""))


def argument(node: Node, index: int, name: str, default: object = None) -> Any:
    """An argument that may have been given by position, by name, or not at all."""
    if len(node.args) > index:
        return node.args[index]
    return node.kwargs.get(name, default)


def is_constant(value: object) -> bool:
    """Whether an argument is a tensor that the graph owns."""
    return getattr(value, "op", "") == "get_attr"


def is_node(value: object) -> bool:
    """Whether an argument is computed by the graph, and not a number or a list."""
    return hasattr(value, "all_input_nodes")


def attribute(graph: Graph, node: Node) -> Any:
    """The tensor behind a ``get_attr`` node."""
    return getattr(graph, str(node.target))


def set_attribute(graph: Graph, name: str, value: Any, *, trainable: bool) -> None:
    """Give the graph a tensor of its own under a flat name; integers are never trained."""
    import torch

    own = value.detach().clone().contiguous()
    for owned in (graph._parameters, graph._buffers):
        owned.pop(name, None)
    if trainable and own.is_floating_point():
        graph.register_parameter(name, torch.nn.Parameter(own))
    else:
        graph.register_buffer(name, own)


def add_constant(graph: Graph, before: Node, value: Any, *, trainable: bool = True) -> Node:
    """A new tensor of the graph, read by a new node in front of another one."""
    taken = {*graph._parameters, *graph._buffers}
    name = next(n for n in (f"c{count}" for count in range(len(taken) + 1)) if n not in taken)
    set_attribute(graph, name, value, trainable=trainable)
    with graph.graph.inserting_before(before):
        return graph.graph.get_attr(name)


def calls(graph: Graph, *names: str) -> Iterator[Node]:
    """The calls of these operators, in order; the graph may be changed meanwhile."""
    for node in list(graph.graph.nodes):
        if operator_name(node) in names:
            yield node


def tidy(graph: Graph) -> None:
    """Drop what nobody uses, check the graph, and make it callable again."""
    graph.graph.eliminate_dead_code()
    used = {str(node.target) for node in graph.graph.nodes if node.op == "get_attr"}
    for owned in (graph._parameters, graph._buffers):
        for name in set(owned) - used:
            del owned[name]
    graph.graph.lint()
    graph.recompile()


def record_shapes(graph: Graph, rows: Any) -> Any:
    """Run the graph on rows, note every tensor's shape in ``node.meta``, return the output."""
    import torch

    interpreter: Any = torch.fx.Interpreter(graph)
    run = interpreter.run_node

    def run_and_note(node: Node) -> Any:
        value = run(node)
        if isinstance(value, torch.Tensor):
            node.meta["shape"] = tuple(value.shape)
        return value

    interpreter.run_node = run_and_note
    with torch.no_grad():
        return interpreter.run(rows)

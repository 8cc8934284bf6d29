"""Rewrites that bring exported graphs of different origins to one shape.

PyTorch exports one ``batch_norm`` per layer and keeps channels first. Keras 3 on the torch
backend exports batch norm as arithmetic on channels-last tensors, permutes every kernel at every
call and wraps every convolution in two permutes. After these rewrites both look the same.

What this module does not do: it never changes a result; each rewrite is an identity.
"""

from collections import Counter
from typing import Any

from weighin.plugin.fx import (
    Graph,
    Node,
    add_constant,
    attribute,
    calls,
    is_constant,
    is_node,
    operator_name,
)

UNARY = frozenset(
    {"relu", "relu6", "hardtanh", "hardswish", "hardsigmoid", "sigmoid", "silu", "gelu", "tanh"}
    | {"leaky_relu", "elu", "selu", "celu", "mish", "softplus", "clamp", "neg", "abs", "exp"}
    | {"sqrt", "rsqrt", "pow", "square", "reciprocal"}
)
"""Operators that treat every element alike."""

BINARY = frozenset(
    {"add", "sub", "subtract", "mul", "multiply", "div", "divide", "maximum", "minimum"}
)
"""Operators that combine two tensors element by element, or one with a number."""


_CREATED = frozenset({"zeros", "ones", "full", "arange", "eye", "scalar_tensor"})


def restore_batch_norm(graph: Graph) -> None:
    """Undo the decomposition of batch norm, so that it can be trained."""
    import torch

    for node in calls(graph, "_native_batch_norm_legit_no_training"):
        x, weight, bias, mean, variance, momentum, epsilon = node.args
        arguments = (x, weight, bias, mean, variance, False, momentum, epsilon, False)
        with graph.graph.inserting_before(node):
            whole = graph.graph.call_function(torch.ops.aten.batch_norm.default, arguments)
        for user in list(node.users):
            user.replace_all_uses_with(whole)
            graph.graph.erase_node(user)
        graph.graph.erase_node(node)


def restore_keras_batch_norm(graph: Graph) -> None:
    """Recognise ``(x - mean) * (rsqrt(variance + epsilon) * gamma) + beta`` as batch norm."""
    for root in calls(graph, "rsqrt"):
        shifted = root.args[0]
        if operator_name(shifted) != "add" or not isinstance(shifted.args[1], float):
            continue
        scale, gamma = _with_constant(graph, root, "mul")
        scaled = _only_user(scale)
        centred = _other(scaled, scale)
        if operator_name(scaled) != "mul" or operator_name(centred) not in ("sub", "subtract"):
            continue
        x, centre = centred.args[0], centred.args[1]
        end, beta = _with_constant(graph, scaled, "add")
        mean, variance = (constant_value(graph, value) for value in (centre, shifted.args[0]))
        if mean is not None and variance is not None:
            _put_batch_norm(graph, end, x, (gamma, beta, mean, variance), shifted.args[1])


def constant_value(graph: Graph, node: Any) -> Any:
    """What a node comes to when it depends on weights only; ``None`` when it does not."""
    import torch

    if is_constant(node):
        return attribute(graph, node).detach()
    if not is_node(node) or not operator_name(node):
        return None
    if not node.all_input_nodes and operator_name(node) not in _CREATED:
        return None
    known = {used: constant_value(graph, used) for used in node.all_input_nodes}
    if any(value is None for value in known.values()):
        return None
    arguments, options = torch.fx.map_arg((node.args, node.kwargs), known.__getitem__)
    with torch.no_grad():
        return node.target(*arguments, **options)


def fold_constants(graph: Graph) -> None:
    """Compute once whatever depends on weights only, or on nothing."""
    for node in list(graph.graph.nodes):
        inputs = node.all_input_nodes
        if node.op != "call_function" or not all(map(is_constant, inputs)):
            continue
        if not inputs and operator_name(node) not in _CREATED:
            continue
        constant = add_constant(graph, node, constant_value(graph, node))
        node.replace_all_uses_with(constant)
        graph.graph.erase_node(node)


def restore_linear(graph: Graph) -> None:
    """``x @ weight``, with or without a bias, is a linear layer, whichever framework wrote it.

    Tools that quantize or fit layers look for that one.
    """
    import torch

    names = Counter(node.target for node in graph.graph.nodes for _ in node.users)
    for node in calls(graph, "matmul", "mm"):
        x, weight = node.args
        if is_constant(x) or not is_constant(weight) or names[weight.target] > 1:
            continue
        value = attribute(graph, weight).detach()
        if value.dim() != 2 or x.meta["val"].dim() < 2:
            continue
        end, bias = _with_constant(graph, node, "add")
        if bias is not None and tuple(bias.shape) != (value.shape[1],):
            end, bias = node, None
        constants = [
            None if one is None else add_constant(graph, end, one)
            for one in (value.T.contiguous(), bias)
        ]
        with graph.graph.inserting_before(end):
            whole = graph.graph.call_function(torch.ops.aten.linear.default, (x, *constants))
        whole.meta["val"] = end.meta["val"]
        end.replace_all_uses_with(whole)


def sink_permutes(graph: Graph) -> None:
    """Move permutes behind element-wise operators, where they meet their inverse and vanish."""
    for node in list(graph.graph.nodes):
        name = operator_name(node)
        if name == "permute":
            _merge_permutes(graph, node)
        elif name in UNARY or name in BINARY:
            _sink_one(graph, node)


def _put_batch_norm(
    graph: Graph, end: Node, x: Node, tensors: tuple[Any, Any, Any, Any], epsilon: float
) -> None:
    """Replace ``end`` by a channels-first batch norm on ``x``, permuted there and back."""
    import torch

    aten = torch.ops.aten
    mean, rank = tensors[2], x.meta["val"].dim()
    axis = next((a - mean.dim() + rank for a, size in enumerate(mean.shape) if size > 1), 1)
    order = [0, axis, *(a for a in range(1, rank) if a != axis)]
    constants = [
        None if value is None else add_constant(graph, end, value.reshape(-1), trainable=place < 2)
        for place, value in enumerate(tensors)
    ]
    with graph.graph.inserting_before(end):
        first = x if axis == 1 else graph.graph.call_function(aten.permute.default, (x, order))
        arguments = (first, *constants, False, 0.1, epsilon, False)
        whole = graph.graph.call_function(aten.batch_norm.default, arguments)
        if axis != 1:
            back = [order.index(a) for a in range(rank)]
            whole = graph.graph.call_function(aten.permute.default, (whole, back))
    whole.meta["val"] = end.meta["val"]
    end.replace_all_uses_with(whole)


def _with_constant(graph: Graph, node: Node, name: str) -> tuple[Node, Any]:
    """The call that joins a node with a constant, and the constant; else the node, ``None``."""
    user = _only_user(node)
    plain = operator_name(user) == name and not user.kwargs
    value = constant_value(graph, _other(user, node)) if plain else None
    return (node, None) if value is None else (user, value)


def _only_user(node: Node) -> Node:
    users = list(node.users)
    return users[0] if len(users) == 1 else None


def _other(node: Node | None, known: Node) -> Node:
    """The other operand of a call that has two; ``None`` if there is no such call."""
    if node is None or len(node.args) != 2:
        return None
    left, right = node.args
    return left if right is known else right


def _merge_permutes(graph: Graph, node: Node) -> None:
    """``permute(permute(x))`` is one permute, or none."""
    import torch

    source, order = node.args[0], list(node.args[1])
    if operator_name(source) == "permute":
        order = [list(source.args[1])[axis] for axis in order]
        source = source.args[0]
    if order == list(range(len(order))):
        node.replace_all_uses_with(source)
        graph.graph.erase_node(node)
        return
    node.target = torch.ops.aten.permute.default
    node.args = (source, order)


def _sink_one(graph: Graph, node: Node) -> None:
    """``op(permute(a), permute(b))`` is ``permute(op(a, b))`` when the orders agree."""
    import torch

    moved = [a for a in node.args if is_node(a) and not is_constant(a)]
    orders = {tuple(a.args[1]) for a in moved if operator_name(a) == "permute"}
    if len(orders) != 1 or any(operator_name(a) != "permute" for a in moved):
        return
    order = list(orders.pop())
    back = [order.index(axis) for axis in range(len(order))]
    arguments = []
    for value in node.args:
        if is_constant(value):
            tensor = attribute(graph, value).detach()
            wide = tensor.reshape([1] * (len(order) - tensor.dim()) + list(tensor.shape))
            arguments.append(add_constant(graph, node, wide.permute(back)))
        else:
            arguments.append(value.args[0] if is_node(value) else value)
    node.args = tuple(arguments)
    with graph.graph.inserting_after(node):
        outer = graph.graph.call_function(torch.ops.aten.permute.default, (node, order))
    node.replace_all_uses_with(outer, delete_user_cb=lambda user: user is not outer)

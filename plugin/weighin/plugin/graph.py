"""Turns any source model into the one trainable form that every pass works on.

The form is a ``torch.fx.GraphModule`` of plain ATen operators whose weights are its own
parameters, in inference mode, for any batch size: what ``torch.export`` gives, cleaned up.
PyTorch's exported programs, pickled modules and Keras 3 models on the torch backend all come
here, so pruning, training and conversion exist once.

What this module does not do: it never changes what the model computes. :func:`to_graph` runs
the result against the model it came from, and refuses it when they differ.
"""

import operator
from collections import Counter
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin import rewrite
from weighin.plugin.batch import free_the_batch
from weighin.plugin.fx import (
    Graph,
    argument,
    attribute,
    calls,
    operator_name,
    set_attribute,
    tidy,
)

_TOLERANCE = 1e-3
_OTHERS = ((1.0, False), (0.7, True), (0.4, False))
"""The rows that a model is compared on, and others made of them, by a scale and turned end to end
or not: rows that are alike would not show that a graph mixes them up."""

_NO_OPS = ("clone", "contiguous", "alias", "detach", "lift_fresh_copy", "dropout", "to", "_to_copy")


def to_graph(module: Any, rows: Any) -> Graph:
    """Bring a model into the trainable form.

    Args:
        module: A ``torch.nn.Module`` in inference mode, or what ``torch.export`` loaded.
        rows: Input rows to trace and to compare with, ``[n, ...]`` float32, ``n >= 1``; ``n``
            must be what the module accepts (1 for a program exported with one row).

    Raises:
        SourceError: the model cannot be traced, has more than one output, works for one batch
            size only, or computes something else once traced.
    """
    import torch

    shown = [
        scale * (rows.flip(*range(1, rows.dim())) if turned else rows) for scale, turned in _OTHERS
    ]
    with torch.no_grad():
        try:
            said = [module(one) for one in shown]
        except TypeError as error:
            raise SourceError(f"the model does not take one tensor of rows: {error}") from error
        if not isinstance(said[0], torch.Tensor) or said[0].dim() != 2:
            raise SourceError(
                f"the model returns {_shape_of(said[0])}; one tensor of scores "
                "[rows, classes] is needed"
            )
        program = torch.export.export(module, (rows,), strict=False)
        _refuse_control_flow(program.graph)
        graph = _own(program.run_decompositions({}).module(check_guards=False))
    _drop_no_ops(graph.graph)
    _refuse_quantized(graph.graph)
    _refuse_nan(graph)
    rewrite.restore_batch_norm(graph)
    rewrite.restore_keras_batch_norm(graph)
    rewrite.fold_constants(graph)
    rewrite.restore_linear(graph)
    rewrite.sink_permutes(graph)
    more, wanted = torch.cat(shown), torch.cat(said)
    graph = free_the_batch(graph, rows, more, wanted)
    _finish(graph)
    for count in (1, len(rows), len(more)):
        _same(graph, more[:count], wanted[:count])
    return graph


def own_graph(module: Any) -> Graph:
    """A module that was loaded from a saved graph, as a graph again."""
    graph = _own(module)
    _drop_no_ops(graph.graph)
    _finish(graph)
    return graph


def left_in_training(program: Any) -> tuple[tuple[str, str], ...]:
    """What of a loaded ``ExportedProgram`` is in training mode, as a note for the report."""
    flags = {"dropout": 2, "batch_norm": 5, "instance_norm": 5}
    found = Counter(
        name
        for node in program.graph.nodes
        if (name := operator_name(node)) in flags and argument(node, flags[name], "", False) is True
    )
    text = ", ".join(f"{count} {name}" for name, count in sorted(found.items()))
    return (("switched_off", f"{text} (exported in training mode)"),) if found else ()


def inference_program(program: Any) -> Any:
    """A loaded ``ExportedProgram`` as a module, with whatever was left in training mode off."""
    module = program.module(check_guards=False)
    for node in list(module.graph.nodes):
        name = operator_name(node)
        if name in ("batch_norm", "instance_norm"):
            node.update_arg(5, False)
        elif name == "dropout":
            node.update_arg(2, False)
        elif name == "add_" and str(node.args[0]).endswith("num_batches_tracked"):
            module.graph.erase_node(node)
    module.graph.lint()
    module.recompile()
    return module


def _shape_of(value: object) -> str:
    shape = getattr(value, "shape", None)
    return type(value).__name__ if shape is None else f"a tensor of shape {list(shape)}"


def _own(module: Any) -> Graph:
    """The same graph with a plain module behind it, whose tensors have flat names."""
    import torch

    names: dict[str, str] = {}
    for node in module.graph.nodes:
        if node.op == "get_attr":
            node.target = names.setdefault(str(node.target), f"w{len(names)}")
    tensors = {name: operator.attrgetter(target)(module) for target, name in names.items()}
    graph = torch.fx.GraphModule(tensors, module.graph)
    for name, tensor in tensors.items():
        set_attribute(graph, name, tensor, trainable=True)
    return graph


def _drop_no_ops(graph: Any) -> None:
    """Take out what changes nothing in inference: copies, layout hints, assertions."""
    for node in list(graph.nodes):
        name = operator_name(node)
        if node.op == "call_module" or name.startswith(("_assert", "sym_constrain")):
            graph.erase_node(node)
        elif name in _NO_OPS and _same_dtype(node):
            node.replace_all_uses_with(node.args[0])
            graph.erase_node(node)


def _same_dtype(node: Any) -> bool:
    before, after = node.args[0].meta.get("val"), node.meta.get("val")
    return before is None or after is None or bool(before.dtype == after.dtype)


def _refuse_control_flow(graph: Any) -> None:
    """Branches and loops are graphs in the graph, which no pass looks into."""
    targets = {node.target for node in graph.nodes if node.op == "call_function"}
    found = sorted(str(t) for t in targets if getattr(t, "namespace", "") == "higher_order")
    if found:
        raise SourceError(f"control flow ({', '.join(found)}) cannot be followed")


def _refuse_quantized(graph: Any) -> None:
    for node in graph.nodes:
        if "quantize" in operator_name(node):
            raise SourceError(
                f"the registered model is quantized already ({operator_name(node)}): register the "
                "float model and let the recipes quantize it"
            )


def _refuse_nan(graph: Graph) -> None:
    tensors = [*graph.parameters(), *graph.buffers()]
    if any(bool(tensor.isnan().any()) for tensor in tensors if tensor.is_floating_point()):
        raise SourceError("some weights of the model are NaN: it is broken")


def _finish(graph: Graph) -> None:
    """Drop what nobody uses, and hold running statistics apart from what is trained."""
    for node in calls(graph, "batch_norm"):
        for statistic in node.args[3:5]:
            value = attribute(graph, statistic)
            set_attribute(graph, str(statistic.target), value, trainable=False)
    tidy(graph)
    graph.eval()


def same_outputs(module: Any, graph: Graph, rows: Any) -> None:
    """Run a model and its graph on the same rows.

    Raises:
        SourceError: they do not say the same.
    """
    import torch

    with torch.no_grad():
        _same(graph, rows, module(rows))


def _same(graph: Graph, rows: Any, wanted: Any) -> None:
    import torch

    try:
        with torch.no_grad():
            got = graph(rows)
    except RuntimeError as error:
        raise SourceError(f"{rows.shape[0]} rows do not go through the model: {error}") from error
    scale = max(1.0, float(wanted.abs().max()))
    if got.shape != wanted.shape or not float((got - wanted).abs().max()) <= _TOLERANCE * scale:
        raise SourceError(
            "the traced model does not compute what the registered model computes "
            f"(checked on {rows.shape[0]} rows)"
        )

"""Layer-wise reconstruction: a layer that lost inputs says what it said before, as far as it can.

After channels were taken out, the weights of every layer that read them are fitted anew, by
ridge regression, to the outputs that the layer had in the original model (He, Zhang and Sun,
"Channel Pruning for Accelerating Very Deep Neural Networks", ICCV 2017). Layers are visited in
order, each on what the layers before it now give, so that errors do not add up. Only inputs are
needed, no labels.

What this module does not do: it chooses no channels and runs no gradient.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from weighin.plugin.fx import Graph, Node, argument, calls, is_constant, operator_name

Cuts = Mapping[str, Sequence[list[int] | None]]
"""Per weight's name and axis the entries that stayed; ``None`` for an axis that is whole."""

_SAMPLES = 16_384
_RIDGE = 1e-3


def reconstruct(graph: Graph, original: Graph, cuts: Cuts, rows: Any) -> int:
    """Fit the layers that lost inputs to what they said in the original graph.

    Args:
        graph: The pruned graph; its weights are changed in place.
        original: The same graph before pruning, with the same names of nodes.
        cuts: What was cut out of which weight.
        rows: Inputs, ``[n, ...]``; a hundred or so are enough.

    Returns:
        How many layers were fitted.
    """
    import torch

    layers = {node.name: cuts[str(node.args[1].target)][0] for node in _layers(graph, cuts)}
    wanted = _outputs_of(original, layers, rows)
    interpreter: Any = torch.fx.Interpreter(graph)
    run = interpreter.run_node

    def fit_and_run(node: Node) -> Any:
        if node.name in wanted:
            target, kept = wanted.pop(node.name), layers[node.name]
            if kept is not None:
                target = target.index_select(_channel_axis(node), torch.tensor(kept))
            inputs, _ = interpreter.fetch_args_kwargs_from_env(node)
            _fit(node, inputs, target)
        return run(node)

    interpreter.run_node = fit_and_run
    with torch.no_grad():
        interpreter.run(rows)
    return len(layers)


def _layers(graph: Graph, cuts: Cuts) -> list[Node]:
    """Dense layers whose weight lost inputs and is used nowhere else."""
    nodes = [n for n in calls(graph, "conv2d", "linear") if is_constant(n.args[1])]
    names = [str(node.args[1].target) for node in nodes]
    return [
        node
        for node, name in zip(nodes, names, strict=True)
        if names.count(name) == 1
        and len(cuts.get(name, ())) > 1
        and cuts[name][1] is not None
        and argument(node, 6, "groups", 1) == 1
        and not isinstance(argument(node, 4, "padding", 0), str)
    ]


def _channel_axis(node: Node) -> int:
    return 1 if operator_name(node) == "conv2d" else -1


def _outputs_of(graph: Graph, names: Mapping[str, object], rows: Any) -> dict[str, Any]:
    """What some nodes of a graph give."""
    import torch

    interpreter: Any = torch.fx.Interpreter(graph)
    run, found = interpreter.run_node, dict[str, Any]()

    def run_and_note(node: Node) -> Any:
        value = run(node)
        if node.name in names:
            found[node.name] = value
        return value

    interpreter.run_node = run_and_note
    with torch.no_grad():
        interpreter.run(rows)
    return found


def _fit(node: Node, inputs: Sequence[Any], target: Any) -> None:
    """Ridge regression of one layer, towards the weights that it has."""
    import torch

    x, weight, bias = inputs[0], inputs[1], inputs[2] if len(inputs) > 2 else None
    samples, answers = _samples(node, x, weight, target)
    old = weight.detach().flatten(1).double()
    middle, level = samples.mean(0), answers.mean(0)
    if bias is not None:
        samples, answers = samples - middle, answers - level
    gram = samples.T @ samples
    ridge = _RIDGE * gram.diagonal().mean().clamp(min=1e-12) * torch.eye(len(gram)).double()
    new = torch.linalg.solve(gram + ridge, samples.T @ answers + ridge @ old.T).T
    if not bool(torch.isfinite(new).all()):
        return
    weight.copy_(new.reshape(weight.shape))
    if bias is not None:
        bias.copy_(level - new @ middle)


def _samples(node: Node, x: Any, weight: Any, target: Any) -> tuple[Any, Any]:
    """Inputs [n, features] and answers [n, outputs], float64, of some positions of each row."""
    import torch

    if operator_name(node) == "linear":
        pairs = [(x.flatten(0, -2), target.flatten(0, -2))]
    else:
        form = {
            "kernel_size": weight.shape[2:],
            "stride": _pair(argument(node, 3, "stride", 1)),
            "padding": _pair(argument(node, 4, "padding", 0)),
            "dilation": _pair(argument(node, 5, "dilation", 1)),
        }
        count = -(-_SAMPLES // len(x))
        generator, pairs = torch.Generator().manual_seed(0), []
        for row, answer in zip(x.split(1), target.flatten(2), strict=True):
            patches = torch.nn.functional.unfold(row, **form)[0]
            picked = torch.randperm(patches.shape[1], generator=generator)[:count]
            pairs.append((patches[:, picked].T, answer[:, picked].T))
    samples, answers = (torch.cat(parts)[:_SAMPLES] for parts in zip(*pairs, strict=True))
    return samples.double(), answers.double()


def _pair(value: Any) -> Any:
    """``2`` and ``[2]`` mean both directions."""
    if isinstance(value, int):
        return (value, value)
    return tuple(value) if len(value) == 2 else (value[0], value[0])

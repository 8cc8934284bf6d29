"""Quantization-aware training: the graph is trained with the rounding that its file will have.

Weights are rounded to their grid in every step, and the gradient passes the rounding as if it
were not there (Bengio et al., "Estimating or Propagating Gradients Through Stochastic Neurons",
2013). For 8 bits the inputs of layers are rounded too, in ranges from the training data. The
float model's own outputs guide the training, beside the labels. Afterwards the rounding leaves
the graph, and the weights stay on the grid, where a quantizer finds them.

What this module does not do: it trains in :func:`weighin.plugin.passes.distill.fine_tune` only.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from weighin.plugin.fx import Graph, Node, attribute, set_attribute
from weighin.plugin.passes.distill import Trained, TrainingSettings, fine_tune
from weighin.plugin.passes.layers import Layer, snap, weighted_layers
from weighin.plugin.passes.prune import PassError

_GENTLER = 20
_OUTPUT_BATCH = 128
_RANGE_ROWS = 256
_LEVELS = 255


def train_quantized(
    graph: Graph,
    x: Any,
    y: Any,
    *,
    bits: int,
    settings: TrainingSettings,
    seed: int,
    clock: Callable[[], float],
) -> Trained:
    """Train a graph in place for weights of few bits; it stays a float graph.

    Args:
        graph: In inference mode, trained already.
        x: Training rows, array [n, ...] float32.
        y: Labels, array [n] of integers.
        bits: 8 for weights and activations, 4 for weights alone.
        settings: How; the learning rate is a twentieth of theirs, because the model is trained.
        seed: Of the order of the rows.
        clock: Seconds that only go up.

    Raises:
        PassError: no layer has weights of its own, or the training diverged.
    """
    import torch

    layers = weighted_layers(graph)
    if not layers:
        raise PassError("quantization-aware training: no layer has weights of its own")
    rows = torch.from_numpy(x)
    with torch.no_grad():
        soft = torch.cat([graph(batch) for batch in rows.split(_OUTPUT_BATCH)]).numpy()
        ranges = _input_ranges(graph, layers, rows[:_RANGE_ROWS]) if bits == 8 else {}
    added = [_round_weight(graph, layer, bits) for layer in layers]
    added += [_round_input(graph, layer.node, *ends) for layer, ends in ranges.items()]
    graph.recompile()
    gentle = replace(settings, learning_rate=settings.learning_rate / _GENTLER)
    trained = fine_tune(graph, x, y, soft=soft, settings=gentle, seed=seed, clock=clock)
    for node in added:
        node.replace_all_uses_with(node.args[0])
        graph.graph.erase_node(node)
    graph.recompile()
    for layer in layers:
        value = attribute(graph, layer.node.args[1]).detach()
        set_attribute(graph, layer.name, snap(value, layer.axis, bits), trainable=True)
    return trained


def round_through(weight: Any, axis: int, bits: int) -> Any:
    """A weight on its grid, whose gradient is that of the weight itself."""
    return weight + (snap(weight.detach(), axis, bits) - weight.detach())


def round_values(values: Any, low: float, high: float) -> Any:
    """Activations rounded to 256 levels; values outside of the range get no gradient."""
    import torch

    scale = max(high - low, 1e-8) / _LEVELS
    return torch.fake_quantize_per_tensor_affine(values, scale, round(-low / scale), 0, _LEVELS)


def _input_ranges(
    graph: Graph, layers: tuple[Layer, ...], rows: Any
) -> dict[Layer, tuple[float, float]]:
    import torch

    interpreter: Any = torch.fx.Interpreter(graph)
    run, wanted = interpreter.run_node, {layer.node: layer for layer in layers}
    found: dict[Layer, tuple[float, float]] = {}

    def run_and_note(node: Node) -> Any:
        if node in wanted:
            values = interpreter.env[node.args[0]]
            ends = (min(0.0, float(values.min())), max(0.0, float(values.max())))
            found[wanted[node]] = ends
        return run(node)

    interpreter.run_node = run_and_note
    interpreter.run(rows)
    return found


def _round_weight(graph: Graph, layer: Layer, bits: int) -> Node:
    with graph.graph.inserting_before(layer.node):
        arguments = (layer.node.args[1], layer.axis, bits)
        rounded = graph.graph.call_function(round_through, arguments)
    layer.node.update_arg(1, rounded)
    return rounded


def _round_input(graph: Graph, node: Node, low: float, high: float) -> Node:
    with graph.graph.inserting_before(node):
        rounded = graph.graph.call_function(round_values, (node.args[0], low, high))
    node.update_arg(0, rounded)
    return rounded

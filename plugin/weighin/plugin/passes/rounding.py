"""Rounds weights to few bits so that the layers' outputs change least.

GPTQ (Frantar et al., "GPTQ: Accurate Post-Training Quantization for Generative Pre-trained
Transformers", ICLR 2023): weights are rounded one input column after the other, and what the
rounding of one column did to the output is made good by the columns not yet rounded. Layers
are done in order of execution, each on what the rounded layers before it give. What remains of
a shift in a channel's mean goes into its bias or into the running mean of its batch norm
(Nagel et al., "Data-Free Quantization through Weight Equalization and Bias Correction", 2019).

No labels are used. What this module does not do: it decides no layer's bits.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weighin.plugin.fx import (
    Graph,
    Node,
    argument,
    attribute,
    is_constant,
    operator_name,
    set_attribute,
)
from weighin.plugin.passes.layers import (
    Layer,
    as_rows,
    best_scales,
    from_rows,
    on_grid,
    snap,
    top_of,
    weighted_layers,
)

_DAMPING = 0.01
_FEW_BITS = 6
_BATCH = 64


def round_weights(graph: Graph, rows: Any, bits: Mapping[str, int]) -> None:
    """Put weights on grids, in place; the graph stays a float graph.

    Args:
        graph: In inference mode.
        rows: Calibration rows, tensor ``[n, ...]``.
        bits: Bits per weight by the weight's name; weights without an entry stay as they are.
    """
    import torch

    layers = {layer.node: layer for layer in weighted_layers(graph) if layer.name in bits}
    with torch.no_grad():
        means: dict[Node, Any] = {}
        _run(graph, rows, lambda node, value: _note(means, layers, node, value))
        rounder = _Rounder(graph, layers, bits, means)
        rounder.run(rows)


def _note(means: dict[Node, Any], layers: Mapping[Node, Layer], node: Node, value: Any) -> None:
    if node in layers:
        means[node] = _channel_means(layers[node], value)


def _run(graph: Graph, rows: Any, seen: Callable[[Node, Any], None]) -> None:
    """Run a graph and show every node's value."""
    import torch

    interpreter: Any = torch.fx.Interpreter(graph)
    run = interpreter.run_node

    def run_and_show(node: Node) -> Any:
        value = run(node)
        seen(node, value)
        return value

    interpreter.run_node = run_and_show
    interpreter.run(rows)


class _Rounder:
    """Runs a graph once, and rounds each layer when its turn comes."""

    def __init__(
        self,
        graph: Graph,
        layers: Mapping[Node, Layer],
        bits: Mapping[str, int],
        means: Mapping[Node, Any],
    ) -> None:
        import torch

        self._graph, self._layers, self._bits, self._means = graph, layers, bits, means
        self._interpreter: Any = torch.fx.Interpreter(graph)
        self._run_node = self._interpreter.run_node

    def run(self, rows: Any) -> None:
        self._interpreter.run_node = self._step
        self._interpreter.run(rows)

    def _step(self, node: Node) -> Any:
        layer = self._layers.get(node)
        if layer is None:
            return self._run_node(node)
        weight = node.args[1]
        inputs = self._interpreter.env[node.args[0]]
        value = attribute(self._graph, weight).detach()
        self._put(weight, _rounded(layer, value, inputs, self._bits[layer.name]), trainable=True)
        shift = _channel_means(layer, self._run_node(node)) - self._means[node]
        self._absorb(layer, shift)
        return self._run_node(node)

    def _absorb(self, layer: Layer, shift: Any) -> None:
        """Take a shift of the mean out of the bias, or of the batch norm that follows."""
        users = list(layer.node.users)
        bias = layer.node.args[2] if len(layer.node.args) > 2 else None
        if bias is not None and is_constant(bias) and len(bias.users) == 1:
            self._put(bias, attribute(self._graph, bias).detach() - shift, trainable=True)
        elif len(users) == 1 and operator_name(users[0]) == "batch_norm":
            mean = users[0].args[3]
            self._put(mean, attribute(self._graph, mean) + shift, trainable=False)

    def _put(self, node: Node, value: Any, *, trainable: bool) -> None:
        """Change a tensor, also for the run that is under way."""
        set_attribute(self._graph, str(node.target), value, trainable=trainable)
        self._interpreter.env[node] = attribute(self._graph, node)


def _channel_means(layer: Layer, value: Any) -> Any:
    """Mean of an output over everything but its channels."""
    axis = 1 if operator_name(layer.node).startswith("conv") else value.dim() - 1
    return value.movedim(axis, 0).flatten(1).mean(1)


def _rounded(layer: Layer, weight: Any, inputs: Any, bits: int) -> Any:
    """One weight on its grid. Many bits need no care, and grouped kernels have little to mend."""
    if bits > _FEW_BITS or layer.groups > 1:
        return snap(weight, layer.axis, bits)
    columns = _columns(layer, weight, inputs)
    rows = as_rows(weight, layer.axis)
    return from_rows(_gptq(rows, columns, bits), weight, layer.axis)


def _columns(layer: Layer, weight: Any, inputs: Any) -> Any:
    """Second moments of what each weight of a row is multiplied with, ``[rest, rest]``."""
    import torch

    name = operator_name(layer.node)
    if not name.startswith("conv"):
        flat = inputs.reshape(-1, inputs.shape[-1])
        return flat.T @ flat / len(flat)
    stride, padding, dilation = _geometry(layer.node, weight.dim() - 2)
    if name == "conv1d":
        inputs, weight = inputs.unsqueeze(2), weight.unsqueeze(2)
    total, count = torch.zeros(weight[0].numel(), weight[0].numel()), 0
    for batch in inputs.split(_BATCH):
        patches = torch.nn.functional.unfold(
            batch, weight.shape[2:], dilation=dilation, padding=padding, stride=stride
        )
        flat = patches.movedim(1, 0).flatten(1)
        total += flat @ flat.T
        count += flat.shape[1]
    return total / count


def _geometry(node: Node, dims: int) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Stride, padding and dilation of a convolution, for two dimensions."""
    found: list[tuple[int, int]] = []
    for place, name, default in ((3, "stride", 1), (4, "padding", 0), (5, "dilation", 1)):
        given = argument(node, place, name, [default])
        sizes = [int(size) for size in given]
        sizes = sizes * dims if len(sizes) == 1 else sizes
        found.append((default, sizes[0]) if dims == 1 else (sizes[0], sizes[1]))
    return found[0], found[1], found[2]


def _gptq(rows: Any, columns: Any, bits: int) -> Any:
    """Round ``[channels, rest]`` on inputs with these second moments, ``[rest, rest]``."""
    import torch

    power = columns.diagonal().clone()
    dead = power <= 0
    power[dead] = 1
    order = power.argsort(descending=True)
    moments = columns.clone()
    moments.diagonal()[dead] = 1
    moments.diagonal().add_(_DAMPING * power.mean())
    inverse = torch.cholesky_inverse(torch.linalg.cholesky(moments[order][:, order].double()))
    factor = torch.linalg.cholesky(inverse, upper=True).to(rows.dtype)
    scale, top = best_scales(rows, bits, power), top_of(bits)
    left = rows[:, order].clone()
    done = torch.empty_like(left)
    for place in range(left.shape[1]):
        column = left[:, place : place + 1]
        done[:, place : place + 1] = (column / scale).round().clamp(-top, top) * scale
        error = (column - done[:, place : place + 1]) / factor[place, place]
        left[:, place:] -= error * factor[place, place:]
    return on_grid(done[:, order.argsort()], scale, bits)

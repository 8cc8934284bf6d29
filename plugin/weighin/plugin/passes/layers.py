"""The weighted layers of a graph, and uniform symmetric grids for their weights.

A grid has one scale per output channel and the integers from ``-top`` to ``top``; the largest
weight of a channel lies on ``top``, so that every quantizer that looks for the largest weight
finds the same grid again in the file.

What this module does not do: it changes no graph and writes no file.
"""

from dataclasses import dataclass
from typing import Any

from weighin.plugin.fx import Graph, Node, attribute, calls, is_constant, operator_name

_WEIGHTED = ("conv1d", "conv2d", "linear", "matmul", "mm")


@dataclass(frozen=True, slots=True, kw_only=True)
class Layer:
    """A convolution or matrix product with weights of its own.

    Attributes:
        node: Where it is called.
        name: Of the weight, an attribute of the graph.
        axis: Of the weight: its output channels.
        count: Number of weights.
        groups: Of a convolution; 1 for everything else.
    """

    node: Node
    name: str
    axis: int
    count: int
    groups: int


def weighted_layers(graph: Graph) -> tuple[Layer, ...]:
    """Every layer whose weight it alone uses, in order of execution."""
    found: list[Layer] = []
    for node in calls(graph, *_WEIGHTED):
        weight = node.args[1]
        if not is_constant(weight) or len(weight.users) > 1:
            continue
        value, kind = attribute(graph, weight), operator_name(node)
        groups = node.args[6] if kind.startswith("conv") and len(node.args) > 6 else 1
        axis = value.dim() - 1 if kind in ("matmul", "mm") else 0
        name = str(weight.target)
        found.append(Layer(node=node, name=name, axis=axis, count=value.numel(), groups=groups))
    return tuple(found)


def top_of(bits: int) -> int:
    """The largest integer of a symmetric grid: 7 for 4 bits, 127 for 8."""
    return int(2 ** (bits - 1) - 1)


def as_rows(weight: Any, axis: int) -> Any:
    """A weight as ``[channels, rest]``."""
    return weight.movedim(axis, 0).reshape(weight.shape[axis], -1)


def from_rows(rows: Any, weight: Any, axis: int) -> Any:
    """The inverse of :func:`as_rows`, for a weight of the same shape."""
    moved = weight.movedim(axis, 0)
    return rows.reshape(moved.shape).movedim(0, axis).contiguous()


def scales_of(rows: Any, bits: int) -> Any:
    """Scale per row, ``[channels, 1]``; 1 for rows of zeros."""
    largest = rows.abs().amax(1, keepdim=True)
    return (largest / top_of(bits)).where(largest > 0, 1.0)


def best_scales(rows: Any, bits: int, importance: Any) -> Any:
    """Scale per row that makes the weighted squared rounding error smallest.

    Args:
        rows: ``[channels, rest]``.
        bits: Of the grid.
        importance: ``[rest]``: how much an error in each column counts.

    Returns:
        ``[channels, 1]``, each at most the scale that clips nothing.
    """
    import torch

    widest, top = scales_of(rows, bits), top_of(bits)
    best, least = widest.clone(), torch.full_like(widest, float("inf"))
    for step in range(20):
        scale = widest * (1 - step * 0.025)
        rounded = (rows / scale).round().clamp(-top, top) * scale
        error = ((rounded - rows).square() * importance).sum(1, keepdim=True)
        better = error < least
        best, least = scale.where(better, best), error.where(better, least)
    return best


def on_grid(rows: Any, scale: Any, bits: int) -> Any:
    """Rows rounded to the grid, with the largest of each row moved out to its end."""
    top = top_of(bits)
    steps = (rows / scale).round().clamp(-top, top)
    largest = steps.abs().argmax(1, keepdim=True)
    end = steps.gather(1, largest).sign() * top
    return steps.scatter(1, largest, end) * scale


def snap(weight: Any, axis: int, bits: int) -> Any:
    """A weight rounded to the nearest point of the grid that clips nothing."""
    rows = as_rows(weight, axis)
    return from_rows(on_grid(rows, scales_of(rows, bits), bits), weight, axis)

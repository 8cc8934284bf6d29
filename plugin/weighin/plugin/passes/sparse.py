"""Unstructured pruning: the smallest weights of the whole model become zero, and stay zero.

No runtime for phones runs such a model faster. The file has the same length, too; it only
compresses better (Han et al., "Learning both Weights and Connections", NIPS 2015).

What this module does not do: it trains nothing; it gives the mask that training has to keep.
"""

from collections.abc import Mapping
from typing import Any

from weighin.plugin.fx import Graph

Masks = Mapping[str, Any]
"""Per weight's name a tensor of its shape: one where it lives, zero where it was pruned."""


def sparsify(graph: Graph, *, percent: float) -> Masks:
    """Set this share of all kernels' and matrices' entries to zero, the smallest anywhere first.

    Args:
        graph: Changed in place. Biases and norms are left alone.
        percent: Of the entries of all weights with two axes or more.

    Returns:
        The masks; empty if there are no such weights.
    """
    import torch

    weights = {name: p for name, p in graph.named_parameters() if p.dim() > 1}
    if not weights:
        return {}
    sizes = torch.cat([p.detach().abs().flatten() for p in weights.values()])
    count = round(len(sizes) * percent / 100)
    alive = torch.ones(len(sizes))
    alive[sizes.argsort(stable=True)[:count]] = 0
    parts = alive.split([p.numel() for p in weights.values()])
    masks = {
        name: part.reshape(p.shape) for part, (name, p) in zip(parts, weights.items(), strict=True)
    }
    apply_masks(graph, masks)
    return masks


def apply_masks(graph: Graph, masks: Masks) -> None:
    """Make zero again what has to be."""
    import torch

    with torch.no_grad():
        for name, mask in masks.items():
            getattr(graph, name).mul_(mask)

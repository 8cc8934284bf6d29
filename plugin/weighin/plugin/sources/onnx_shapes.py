"""ONNX operators that move elements: reshape, slice, join, pad, in PyTorch's operators.

What this module does not do: it reads no shape from data. Where to cut and how far to pad has
to be known before the model runs.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.sources.onnx_call import Call

_TO_THE_END = 2**31 - 1


def shapes() -> Mapping[str, Callable[[Call], Any]]:
    """The operators by name."""
    return {
        "Concat": _concat,
        "DepthToSpace": _depth_to_space,
        "Expand": _expand,
        "Flatten": _flatten,
        "Gather": _gather,
        "Pad": _pad,
        "Reshape": _reshape,
        "Resize": _resize,
        "Slice": _slice,
        "Split": _split,
        "Squeeze": _squeeze,
        "Tile": lambda call: call.tensor(0).repeat(call.integers(1, "repeats")),
        "Transpose": _transpose,
        "Unsqueeze": _unsqueeze,
    }


def _reshape(call: Call) -> Any:
    x, wanted = call.tensor(0), call.integers(1, "shape") or []
    if not call.whole("allowzero", 0):
        wanted = [size or x.shape[place] for place, size in enumerate(wanted)]
    return x.reshape(wanted)


def _flatten(call: Call) -> Any:
    """Everything from ``axis`` on becomes one axis; everything before it another."""
    import math

    x = call.tensor(0)
    axis = call.whole("axis", 1)
    return x.flatten(1) if axis == 1 else x.reshape(math.prod(x.shape[:axis]), -1)


def _transpose(call: Call) -> Any:
    x = call.tensor(0)
    return x.permute(list(call.attributes.get("perm", reversed(range(x.dim())))))


def _squeeze(call: Call) -> Any:
    x, axes = call.tensor(0), call.integers(1, "axes")
    gone = [n for n, size in enumerate(x.shape) if size == 1] if axes is None else axes
    places = {axis % x.dim() for axis in gone}
    return x.reshape([size for place, size in enumerate(x.shape) if place not in places])


def _unsqueeze(call: Call) -> Any:
    x, axes = call.tensor(0), call.integers(1, "axes") or []
    rank = x.dim() + len(axes)
    for axis in sorted(axis % rank for axis in axes):
        x = x.unsqueeze(axis)
    return x


def _concat(call: Call) -> Any:
    import torch

    parts = [call.tensor(place) for place in range(len(call.node.input))]
    return torch.cat(parts, call.whole("axis", 0))


def _split(call: Call) -> Any:
    import math

    x, axis = call.tensor(0), call.whole("axis", 0)
    sizes = call.integers(1, "split")
    if sizes is None:
        each = math.ceil(x.shape[axis] / len(call.node.output))
        return x.split(each, axis)
    return x.split(sizes, axis)


def _gather(call: Call) -> Any:
    """Known indices only: one picks an axis' entry, several pick and reorder."""
    import torch

    x, axis, indices = call.tensor(0), call.whole("axis", 0), call.array(1)
    if indices.ndim == 0:
        return x.select(axis, int(indices))
    if indices.ndim != 1:
        raise SourceError("Gather with indices of more than one dimension is not known")
    return x.index_select(axis, torch.tensor(indices % x.shape[axis]))


def _slice(call: Call) -> Any:
    """Cuts, one axis after the other; a step of -1 turns an axis around."""
    x = call.tensor(0)
    starts, ends = call.integers(1, "starts") or [], call.integers(2, "ends") or []
    axes = call.integers(3, "axes") or list(range(len(starts)))
    steps = call.integers(4, "steps") or [1] * len(starts)
    for start, end, axis, step in zip(starts, ends, axes, steps, strict=True):
        x = _cut(x, axis % x.dim(), (start, end, step))
    return x


def _cut(x: Any, axis: int, span: tuple[int, int, int]) -> Any:
    """One axis from ``start`` to ``end``; a call of ``aten.slice``, as every pass knows it."""
    import torch

    start, end, step = span
    if step < 0:
        kept = list(range(x.shape[axis]))[slice(start, None if end < -x.shape[axis] else end, step)]
        return x.index_select(axis, torch.tensor(kept))
    if (start, step) == (0, 1) and end >= x.shape[axis]:
        return x
    return torch.ops.aten.slice.Tensor(x, axis, start, min(end, _TO_THE_END), step)


def _pad(call: Call) -> Any:
    import torch

    x, pads = call.tensor(0), call.integers(1, "pads") or []
    value = call.number(2, "value", 0.0)
    axes = call.integers(3, "axes") or list(range(x.dim()))
    mode = call.attributes.get("mode", b"constant").decode()
    if mode not in ("constant", "reflect", "edge"):
        raise SourceError(f"Pad with mode {mode} is not known")
    sides = {axis % x.dim(): (pads[n], pads[n + len(axes)]) for n, axis in enumerate(axes)}
    first = min((axis for axis, both in sides.items() if any(both)), default=None)
    if first is None:
        return x
    pairs = [side for axis in reversed(range(first, x.dim())) for side in sides.get(axis, (0, 0))]
    if mode == "constant":
        return torch.nn.functional.pad(x, pairs, value=value)
    return torch.nn.functional.pad(x, pairs, mode="replicate" if mode == "edge" else mode)


def _expand(call: Call) -> Any:
    """Broadcasting in both directions."""
    import torch

    x, wanted = call.tensor(0), call.integers(1, "shape") or []
    return x.expand(torch.broadcast_shapes(tuple(x.shape), tuple(wanted)))


def _depth_to_space(call: Call) -> Any:
    import torch

    if call.attributes.get("mode", b"DCR") != b"CRD":
        raise SourceError("DepthToSpace is only known in CRD order")
    return torch.pixel_shuffle(call.tensor(0), call.whole("blocksize", 1))


def _resize(call: Call) -> Any:
    """Enlarging pictures by whole numbers to the nearest element; nothing else is alike."""
    import torch

    x = call.tensor(0)
    scales, sizes = call.array(2), call.integers(3, "sizes")
    wanted = sizes[2:] if sizes else [round(x.shape[n] * scales[n]) for n in range(2, x.dim())]
    how = {name: call.attributes.get(name, b"").decode() for name in ("mode",)}["mode"]
    whole = all(size % old == 0 for size, old in zip(wanted, x.shape[2:], strict=True))
    if how not in ("nearest", "") or not whole or x.dim() != 4:
        raise SourceError("Resize is only known to the nearest element, by whole numbers")
    return torch.nn.functional.interpolate(x, size=wanted, mode="nearest")

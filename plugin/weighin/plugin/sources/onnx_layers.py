"""ONNX layers with weights or windows, in PyTorch's operators.

What this module does not do: it changes no layout; ONNX and PyTorch both keep channels first.
"""

from collections.abc import Callable, Mapping
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.sources.onnx_call import Call


def layers() -> Mapping[str, Callable[[Call], Any]]:
    """The layers by the operator that they implement."""
    return {
        "Conv": convolution,
        "ConvTranspose": transposed_convolution,
        "Gemm": gemm,
        "MatMul": matmul,
        "BatchNormalization": batch_norm,
        "LayerNormalization": layer_norm,
        "MaxPool": max_pool,
        "AveragePool": average_pool,
        "GlobalAveragePool": lambda call: call.tensor(0).mean(_positions(call), True),
        "GlobalMaxPool": lambda call: call.tensor(0).amax(_positions(call), True),
    }


def convolution(call: Call) -> Any:
    """``Conv``, in one or two dimensions, padded as its attributes say."""
    import torch

    x, weight = call.tensor(0), call.tensor(1)
    begin, end = _pads(call, x, list(weight.shape[2:]))
    if begin != end:
        x, begin = _padded(x, begin, end, "constant"), [0] * len(begin)
    run: Any = {1: torch.conv1d, 2: torch.conv2d}[_spatial(x, call)]
    strides, dilations = _window(call, "strides", x), _window(call, "dilations", x)
    return run(x, weight, call.tensor(2), strides, begin, dilations, call.whole("group", 1))


def transposed_convolution(call: Call) -> Any:
    """``ConvTranspose`` with equal padding on both sides."""
    import torch

    x, weight = call.tensor(0), call.tensor(1)
    begin, end = _pads(call, x, list(weight.shape[2:]))
    if begin != end or "output_shape" in call.attributes or _automatic(call):
        raise SourceError("ConvTranspose is only known with equal padding on both sides")
    run: Any = {1: torch.conv_transpose1d, 2: torch.conv_transpose2d}[_spatial(x, call)]
    extra = list(call.attributes.get("output_padding", [0] * len(begin)))
    strides, dilations = _window(call, "strides", x), _window(call, "dilations", x)
    bias, group = call.tensor(2), call.whole("group", 1)
    return run(x, weight, bias, strides, begin, extra, group, dilations)


def gemm(call: Call) -> Any:
    """``alpha * A @ B + beta * C``; a linear layer where it is one."""
    import torch

    x, weight, bias = call.tensor(0), call.tensor(1), call.tensor(2)
    alpha, beta = call.attributes.get("alpha", 1.0), call.attributes.get("beta", 1.0)
    x = x.t() if call.whole("transA", 0) else x
    weight = weight if call.whole("transB", 0) else weight.t()
    if alpha == 1 and (bias is None or (beta == 1 and bias.dim() == 1)):
        return torch.nn.functional.linear(x, weight, bias)
    result = torch.nn.functional.linear(x, weight) * alpha
    return result if bias is None else result + bias * beta


def matmul(call: Call) -> Any:
    """``MatMul``, with NumPy's broadcasting as PyTorch has it too."""
    import torch

    return torch.matmul(call.tensor(0), call.tensor(1))


def batch_norm(call: Call) -> Any:
    """``BatchNormalization`` in inference mode."""
    import torch

    if call.whole("training_mode", 0):
        raise SourceError("a batch norm was exported in training mode; export after .eval()")
    scale, bias, mean, variance = (call.tensor(place) for place in range(1, 5))
    epsilon = float(call.attributes.get("epsilon", 1e-5))
    return torch.nn.functional.batch_norm(
        call.tensor(0), mean, variance, scale, bias, False, 0.1, epsilon
    )


def layer_norm(call: Call) -> Any:
    """``LayerNormalization`` over the axes from ``axis`` on."""
    import torch

    x, axis = call.tensor(0), call.whole("axis", -1)
    shape, epsilon = list(x.shape[axis:]), float(call.attributes.get("epsilon", 1e-5))
    return torch.nn.functional.layer_norm(x, shape, call.tensor(1), call.tensor(2), epsilon)


def max_pool(call: Call) -> Any:
    """``MaxPool``; what PyTorch cannot pad is padded with its own edge, which no maximum sees."""
    import torch

    x, kernel = call.tensor(0), list(call.attributes["kernel_shape"])
    begin, end = _pads(call, x, kernel)
    rounded_up = bool(call.whole("ceil_mode", 0))
    if not _paddable(begin, end, kernel):
        x, begin = _padded(x, begin, end, "replicate"), [0] * len(begin)
    run: Any = {1: torch.max_pool1d, 2: torch.max_pool2d}[_spatial(x, call)]
    strides, dilations = _window(call, "strides", x), _window(call, "dilations", x)
    return run(x, kernel, strides, begin, dilations, rounded_up)


def average_pool(call: Call) -> Any:
    """``AveragePool``; unequal padding that is not counted is divided out again."""
    import torch

    x, kernel = call.tensor(0), list(call.attributes["kernel_shape"])
    begin, end = _pads(call, x, kernel)
    counted, rounded_up = bool(call.whole("count_include_pad", 0)), bool(call.whole("ceil_mode", 0))
    strides = _window(call, "strides", x)
    tools = torch.nn.functional
    run: Any = {1: tools.avg_pool1d, 2: tools.avg_pool2d}[_spatial(x, call)]
    if _paddable(begin, end, kernel):
        return run(x, kernel, strides, begin, rounded_up, counted)
    if rounded_up:
        raise SourceError("AveragePool with such padding and ceil_mode is not known")
    result = run(_padded(x, begin, end, "constant"), kernel, strides)
    return result if counted else result * _undo_count(x, (begin, end), kernel, strides)


def _paddable(begin: list[int], end: list[int], kernel: list[int]) -> bool:
    """Whether PyTorch's pools can pad so: equally, and by at most half a window."""
    return begin == end and all(2 * pad <= size for pad, size in zip(begin, kernel, strict=True))


def _undo_count(x: Any, pads: tuple[Any, Any], kernel: Any, strides: Any) -> Any:
    """Window size over the number of elements of the input in it, for each window."""
    import math

    import numpy as np
    import torch

    ones = [
        _inside(size, begin, end, width, stride)
        for size, begin, end, width, stride in zip(x.shape[2:], *pads, kernel, strides, strict=True)
    ]
    counts = ones[0] if len(ones) == 1 else np.outer(*ones)
    return torch.tensor((math.prod(kernel) / counts).astype(np.float32))


def _inside(size: int, begin: int, end: int, width: int, stride: int) -> Any:
    """For each window along one axis, how many of its elements are no padding."""
    import numpy as np

    starts = np.arange(0, size + begin + end - width + 1, stride) - begin
    return np.minimum(starts + width, size) - np.maximum(starts, 0)


def _positions(call: Call) -> list[int]:
    return list(range(2, call.tensor(0).dim()))


def _spatial(x: Any, call: Call) -> int:
    rank = int(x.dim()) - 2
    if rank not in (1, 2):
        raise SourceError(f"{call.node.op_type} over {rank} dimensions is not known; 1 and 2 are")
    return rank


def _window(call: Call, name: str, x: Any) -> list[int]:
    return list(call.attributes.get(name, [1] * (x.dim() - 2)))


def _automatic(call: Call) -> bool:
    return call.attributes.get("auto_pad", b"NOTSET") in (b"SAME_UPPER", b"SAME_LOWER")


def _pads(call: Call, x: Any, kernel: list[int]) -> tuple[list[int], list[int]]:
    """Padding before and after, per axis; ``SAME`` is worked out from the input's size."""
    if not _automatic(call):
        pads = list(call.attributes.get("pads", [0] * (2 * len(kernel))))
        return pads[: len(kernel)], pads[len(kernel) :]
    windows = zip(x.shape[2:], kernel, _window(call, "strides", x), strict=True)
    spread = zip(windows, _window(call, "dilations", x), strict=True)
    total = [_same_total(*window, dilation) for window, dilation in spread]
    less, more = [n // 2 for n in total], [n - n // 2 for n in total]
    return (less, more) if call.attributes["auto_pad"] == b"SAME_UPPER" else (more, less)


def _same_total(size: int, kernel: int, stride: int, dilation: int) -> int:
    steps = -(-size // stride)
    return max(0, (steps - 1) * stride + (kernel - 1) * dilation + 1 - size)


def _padded(x: Any, begin: list[int], end: list[int], mode: str) -> Any:
    import torch

    pairs = [pad for sides in zip(reversed(begin), reversed(end), strict=True) for pad in sides]
    return torch.nn.functional.pad(x, pairs, mode=mode)

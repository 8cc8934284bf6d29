"""ONNX operators that treat every element alike, reduce, or weigh scores, in PyTorch's operators.

What this module does not do: it moves no element; see ``onnx_shapes`` for that.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.sources.onnx_call import Call

Operator = Callable[[Call], Any]

_UNARY = {
    "Abs": "abs",
    "Ceil": "ceil",
    "Cos": "cos",
    "Erf": "erf",
    "Exp": "exp",
    "Floor": "floor",
    "Log": "log",
    "Neg": "neg",
    "Reciprocal": "reciprocal",
    "Relu": "relu",
    "Round": "round",
    "Sigmoid": "sigmoid",
    "Sign": "sign",
    "Sin": "sin",
    "Sqrt": "sqrt",
    "Tanh": "tanh",
}
_ACTIVATIONS = {"HardSwish": "hardswish", "Mish": "mish", "Softplus": "softplus"}
_BINARY = {"Add": "add", "Sub": "sub", "Mul": "mul", "Div": "div", "Pow": "pow"}
_COMPARED = {
    "Equal": "eq",
    "Greater": "gt",
    "GreaterOrEqual": "ge",
    "Less": "lt",
    "LessOrEqual": "le",
}
_REDUCED = {"ReduceMean": "mean", "ReduceSum": "sum", "ReduceMax": "amax", "ReduceMin": "amin"}
_SAME = ("Identity", "Dropout")


def pointwise() -> Mapping[str, Operator]:
    """The operators by name."""
    return (
        {kind: partial(_unary, name) for kind, name in _UNARY.items()}
        | {kind: partial(_activation, name) for kind, name in _ACTIVATIONS.items()}
        | {kind: partial(_binary, name) for kind, name in (_BINARY | _COMPARED).items()}
        | {kind: partial(_reduce, name) for kind, name in _REDUCED.items()}
        | dict.fromkeys(_SAME, _same)
        | {
            "Cast": _cast,
            "Clip": _clip,
            "Elu": lambda call: _with_alpha("elu", call, 1.0),
            "Gelu": _gelu,
            "HardSigmoid": _hard_sigmoid,
            "LeakyRelu": lambda call: _with_alpha("leaky_relu", call, 0.01),
            "LogSoftmax": lambda call: call.tensor(0).log_softmax(call.whole("axis", -1)),
            "Max": partial(_extreme, "maximum"),
            "Min": partial(_extreme, "minimum"),
            "PRelu": _prelu,
            "ReduceL2": _length,
            "Softmax": lambda call: call.tensor(0).softmax(call.whole("axis", -1)),
            "Where": _where,
        }
    )


def _unary(name: str, call: Call) -> Any:
    import torch

    return getattr(torch, name)(call.tensor(0))


def _activation(name: str, call: Call) -> Any:
    import torch

    return getattr(torch.nn.functional, name)(call.tensor(0))


def _with_alpha(name: str, call: Call, default: float) -> Any:
    import torch

    alpha = float(call.attributes.get("alpha", default))
    return getattr(torch.nn.functional, name)(call.tensor(0), alpha)


def _binary(name: str, call: Call) -> Any:
    """Two operands; a known number stays a number, so that nobody trains it."""
    import torch

    ranks = [len(call.values[used].shape) for used in call.node.input]
    left, right = call.operand(0, ranks[1]), call.operand(1, ranks[0])
    if not isinstance(left, torch.Tensor) and name not in ("add", "mul"):
        left = call.tensor(0)
    if not isinstance(left, torch.Tensor):
        left, right = right, left
    if name == "div" and not left.is_floating_point():
        return torch.div(left, right, rounding_mode="trunc")
    return getattr(torch, name)(left, right)


def _extreme(name: str, call: Call) -> Any:
    import torch

    result = call.tensor(0)
    for place in range(1, len(call.node.input)):
        result = getattr(torch, name)(result, call.tensor(place))
    return result


def _same(call: Call) -> Any:
    """Dropout is off outside of training; one that was exported as training is switched off."""
    if len([name for name in call.node.output if name]) > 1:
        raise SourceError(f"{call.node.op_type} with a mask as second output is not known")
    return call.tensor(0)


def _cast(call: Call) -> Any:
    import numpy as np
    import torch
    from onnx import helper

    wanted = np.dtype(helper.tensor_dtype_to_np_dtype(call.whole("to", 1)))
    dtype = getattr(torch, wanted.name, None)
    if dtype is None:
        raise SourceError(f"Cast to {wanted.name} is not known")
    return call.tensor(0).to(dtype)


def _clip(call: Call) -> Any:
    import torch

    low, high = call.number(1, "min", None), call.number(2, "max", None)
    if (low, high) == (0, 6):
        return torch.nn.functional.relu6(call.tensor(0))
    return torch.clamp(call.tensor(0), low, high)


def _gelu(call: Call) -> Any:
    import torch

    how = call.attributes.get("approximate", b"none").decode()
    return torch.nn.functional.gelu(call.tensor(0), approximate=how)


def _hard_sigmoid(call: Call) -> Any:
    import torch

    alpha = float(call.attributes.get("alpha", 0.2))
    beta = float(call.attributes.get("beta", 0.5))
    if abs(alpha - 1 / 6) < 1e-6 and beta == 0.5:
        return torch.nn.functional.hardsigmoid(call.tensor(0))
    return torch.clamp(call.tensor(0) * alpha + beta, 0.0, 1.0)


def _prelu(call: Call) -> Any:
    """Arithmetic, because slopes broadcast in ONNX as they do nowhere else."""
    import torch

    x = call.tensor(0)
    return torch.relu(x) - call.tensor(1) * torch.relu(-x)


def _reduce(name: str, call: Call) -> Any:
    x, axes = call.tensor(0), call.integers(1, "axes")
    if not axes and call.whole("noop_with_empty_axes", 0):
        return x
    return getattr(x, name)(axes or list(range(x.dim())), bool(call.whole("keepdims", 1)))


def _length(call: Call) -> Any:
    x, axes = call.tensor(0), call.integers(1, "axes")
    squares = (x * x).sum(axes or list(range(x.dim())), bool(call.whole("keepdims", 1)))
    return squares.sqrt()


def _where(call: Call) -> Any:
    import torch

    return torch.where(call.tensor(0), call.tensor(1), call.tensor(2))

"""Multiply-adds of PyTorch's operators where no delegate took them, from their arguments.

What this module does not do: it reads no file. What may multiply matrices and is not counted
here is named by :func:`hides_work`.
"""

import math
from collections.abc import Sequence

from weighin.gates.cost import Kind

Shape = tuple[int, ...]
_COUNTED = {"aten::convolution", "aten::mm", "aten::bmm", "aten::addmm", "aten::linear"}
_MULTIPLIES = ("conv", "mm", "matmul", "linear", "lstm", "gru", "rnn", "attention", "einsum", "dot")


def hides_work(name: str) -> bool:
    """Whether an operator multiplies matrices, or may, without being counted here."""
    plain = name.split(".", maxsplit=1)[0]
    if plain in _COUNTED:
        return False
    foreign = not plain.startswith(
        ("aten::", "dim_order_ops::", "quantized_decomposed::", "executorch_prim::")
    )
    return foreign or any(word in plain for word in _MULTIPLIES)


def second_factor(name: str) -> int:
    """Which tensor argument is the second factor; -1 for operators that are not counted."""
    plain = name.split(".", maxsplit=1)[0]
    if plain not in _COUNTED:
        return -1
    return 2 if plain == "aten::addmm" else 1


def count(
    name: str, shapes: Sequence[Shape], out: Shape, numbers: Sequence[int]
) -> tuple[Kind, int]:
    """Kind and multiply-adds of an operator that :func:`second_factor` knows.

    Args:
        name: Its name, such as ``aten::mm.out``.
        shapes: Of its tensor arguments, in order.
        out: Of its result.
        numbers: Its whole numbers and truth values, in order.

    Raises:
        ValueError: the arguments do not fit the operator.
    """
    second = shapes[second_factor(name)]
    size = math.prod(out)
    match name.split(".", maxsplit=1)[0]:
        case "aten::convolution":
            return _convolution(shapes[0], second, size, numbers)
        case "aten::bmm":
            return Kind.PRODUCT, size * shapes[0][-1]
        case "aten::addmm":
            return Kind.FULLY_CONNECTED, size * shapes[1][-1]
        case "aten::mm" | "aten::linear":
            return Kind.FULLY_CONNECTED, size * shapes[0][-1]
        case _:
            raise ValueError(f"{name} is not counted")


def _convolution(
    data: Shape, weights: Shape, size: int, numbers: Sequence[int]
) -> tuple[Kind, int]:
    """Weights are [out, in / groups, ...]; the numbers are whether it is transposed, and groups."""
    if len(weights) < 3 or len(numbers) < 2:
        raise ValueError("a convolution without its arguments")
    transposed, groups = numbers[-2], numbers[-1]
    inner = math.prod(weights[1:])
    if transposed:
        return Kind.TRANSPOSED, math.prod(data) * inner
    if groups > 1:
        return (Kind.DEPTHWISE if weights[1] == 1 else Kind.GROUPED), size * inner
    return (Kind.POINTWISE if set(weights[2:]) == {1} else Kind.CONV), size * inner

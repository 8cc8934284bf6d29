"""Multiply-adds of TFLite's operators, from the shapes that they read and write.

Layouts are those of the TFLite schema: weights are [out, height, width, in] for CONV_2D and
TRANSPOSE_CONV, [1, height, width, out] for DEPTHWISE_CONV_2D, [out, in] for FULLY_CONNECTED and
[depth, height, width, in, out] for CONV_3D.

What this module does not do: it reads no file. An operator that multiplies and is not counted
here is named by :func:`hides_work`, so that nobody takes its work for none.
"""

import math

from weighin.gates.cost import Kind

Shape = tuple[int, ...]

_COUNTED = "CONV_2D DEPTHWISE_CONV_2D FULLY_CONNECTED TRANSPOSE_CONV BATCH_MATMUL CONV_3D"
_HIDDEN = """
LSTM RNN SVDF LSH_PROJECTION CONCAT_EMBEDDINGS EMBEDDING_LOOKUP_SPARSE CONV_3D_TRANSPOSE
UNIDIRECTIONAL_SEQUENCE_LSTM UNIDIRECTIONAL_SEQUENCE_RNN BIDIRECTIONAL_SEQUENCE_LSTM
BIDIRECTIONAL_SEQUENCE_RNN RFFT2D DELEGATE CALL CALL_ONCE IF WHILE
PLACEHOLDER_FOR_GREATER_OP_CODES STABLEHLO_DOT_GENERAL STABLEHLO_CONVOLUTION STABLEHLO_COMPOSITE
STABLEHLO_CUSTOM_CALL STABLEHLO_WHILE STABLEHLO_CASE STABLEHLO_REDUCE STABLEHLO_REDUCE_WINDOW
"""
COUNTED = frozenset(_COUNTED.split())
HIDDEN = frozenset(_HIDDEN.split())


def hides_work(name: str) -> bool:
    """Whether an operator multiplies matrices, or may, without being counted here."""
    return name in HIDDEN or name.startswith(("custom ", "operator "))


def count(name: str, inputs: tuple[Shape, ...], out: Shape) -> tuple[Kind, int]:
    """Kind and multiply-adds of one operator of :data:`COUNTED`.

    Raises:
        ValueError: the shapes do not fit the operator.
        IndexError: an input is missing.
    """
    sides = inputs[1]
    if len(sides) < (2 if name in {"FULLY_CONNECTED", "BATCH_MATMUL"} else 4):
        raise ValueError(f"{name} with weights of {len(sides)} axes")
    match name:
        case "FULLY_CONNECTED":
            return Kind.FULLY_CONNECTED, math.prod(out) * sides[-1]
        case "DEPTHWISE_CONV_2D":
            return Kind.DEPTHWISE, math.prod(out) * sides[1] * sides[2]
        case "TRANSPOSE_CONV":
            return Kind.TRANSPOSED, math.prod(inputs[2]) * math.prod(sides[:3])
        case "CONV_3D":
            return Kind.CONV, math.prod(out) * math.prod(sides[:-1])
        case "BATCH_MATMUL":
            return Kind.FULLY_CONNECTED, math.prod(out) * _shared_side(inputs[0], out)
        case "CONV_2D":
            return _convolution(sides, inputs[0]), math.prod(out) * math.prod(sides[1:])
        case _:
            raise ValueError(f"{name} is not counted")


def _convolution(sides: Shape, data: Shape) -> Kind:
    if len(data) == 4 and data[3] > sides[3] > 0:
        return Kind.GROUPED
    return Kind.POINTWISE if sides[1] == sides[2] == 1 else Kind.CONV


def _shared_side(left: Shape, out: Shape) -> int:
    """The side that a matrix product sums over: of the last two of ``left``, the one not kept.

    Whether ``left`` is transposed does not matter to it.
    """
    if len(left) < 2 or len(out) < 2 or out[-2] < 1:
        raise ValueError("BATCH_MATMUL of less than two axes")
    return left[-1] * left[-2] // out[-2]

"""Multiply-adds of ONNX operators, ONNX Runtime's own ones among them, from their shapes.

Layouts are those of the ONNX operator reference: weights are [out, in / groups, ...] for Conv
and [in, out / groups, ...] for ConvTranspose; MatMul and Gemm sum over the second last side of
the second factor, or the last one if it is transposed.

What this module does not do: it reads no file. An operator that may multiply matrices and is not
counted here is named by :func:`hides_work`, so that nobody takes its work for none.
"""

import math

from weighin.gates.cost import Kind

Shape = tuple[int, ...]

CONVOLUTIONS = frozenset({"Conv", "ConvInteger", "QLinearConv", "FusedConv", "ConvTranspose"})
PRODUCTS = frozenset(
    {
        "Gemm", "MatMul", "MatMulInteger", "QLinearMatMul", "FusedMatMul", "FusedGemm", "QGemm",
        "DynamicQuantizeMatMul", "MatMulIntegerToFloat",
    }
)  # fmt: skip
_LATER_WEIGHTS = {"QLinearConv": 3, "QLinearMatMul": 3, "QGemm": 3}
_ZERO_POINTS = {
    "QLinearConv": 5, "QLinearMatMul": 5, "QGemm": 5, "ConvInteger": 3, "MatMulInteger": 3,
    "DynamicQuantizeMatMul": 3, "MatMulIntegerToFloat": 5,
}  # fmt: skip
_HIDDEN = {
    "Attention", "DFT", "DeformConv", "Einsum", "GRU", "LSTM", "RNN", "STFT", "LinearAttention",
}  # fmt: skip
_HARMLESS = {
    "BiasGelu", "BiasSoftmax", "BiasSplitGelu", "DequantizeLinear", "FastGelu", "Gelu",
    "Inverse", "LayerNormalization", "NhwcMaxPool", "QLinearAdd", "QLinearAveragePool",
    "QLinearConcat", "QLinearGlobalAveragePool", "QLinearLeakyRelu", "QLinearMul",
    "QLinearReduceMean", "QLinearSigmoid", "QLinearSoftmax", "QLinearWhere", "QuantizeLinear",
    "QuickGelu", "ReorderInput", "ReorderOutput", "SkipLayerNormalization",
    "SimplifiedLayerNormalization", "SkipSimplifiedLayerNormalization", "Trilu",
}  # fmt: skip
_NO_INDICES = {"float32", "float16", "bfloat16", "float64", "int8", "uint8", "int4", "uint4"}
_SCALES = frozenset({1, 2})
_QUANTIZED = frozenset({1, 2, 4, 5, 6, 7})
_QUANTIZED_GEMM = frozenset({1, 2, 4, 5, 7, 8})


def hides_work(op: str, domain: str) -> bool:
    """Whether an operator multiplies matrices, or may, without being counted here."""
    if op in CONVOLUTIONS | PRODUCTS:
        return False
    if domain in {"", "ai.onnx", "ai.onnx.ml"}:
        return op in _HIDDEN
    return not (domain == "com.microsoft" and op in _HARMLESS)


def weight_input(op: str) -> int:
    """Which input is the second factor."""
    return _LATER_WEIGHTS.get(op, 1)


def zero_point_input(op: str) -> int:
    """Which input says what a zero of the second factor is stored as; 0 if none does."""
    return _ZERO_POINTS.get(op, 0)


def weight_axis(op: str, *, transposed: bool) -> int:
    """Which side of the second factor its output channels are."""
    if op in CONVOLUTIONS:
        return 1 if op == "ConvTranspose" else 0
    return 0 if transposed else -1


def is_parameter(op: str, at: int, kind: str) -> bool:
    """Whether the constant at one input is one that training set."""
    if op in {"QuantizeLinear", "DequantizeLinear"} and at in _SCALES:
        return False
    if op == "QGemm":
        return at not in _QUANTIZED_GEMM
    if op.startswith("QLinear"):
        return at not in _QUANTIZED
    return kind in _NO_INDICES


def count(
    op: str, data: Shape, weights: Shape, out: Shape, groups: int, *, transposed: bool
) -> tuple[Kind, int]:
    """Kind and multiply-adds of one operator of :data:`CONVOLUTIONS` or :data:`PRODUCTS`.

    Args:
        op: Its name.
        data: Shape of the first factor.
        weights: Shape of the second factor.
        out: Shape of the result.
        groups: Groups of a convolution.
        transposed: Whether the second factor of a product is.

    Raises:
        ValueError: the shapes do not fit the operator.
    """
    if op in PRODUCTS:
        if not weights:
            raise ValueError(f"{op} with a scalar")
        shared = weights[-1] if transposed or len(weights) == 1 else weights[-2]
        return Kind.FULLY_CONNECTED, math.prod(out) * shared
    if len(weights) < 3:
        raise ValueError(f"{op} with weights of {len(weights)} axes")
    if op == "ConvTranspose":
        return Kind.TRANSPOSED, math.prod(data) * math.prod(weights[1:])
    return _convolution(weights, groups), math.prod(out) * math.prod(weights[1:])


def _convolution(weights: Shape, groups: int) -> Kind:
    if groups > 1:
        return Kind.DEPTHWISE if weights[1] == 1 else Kind.GROUPED
    return Kind.POINTWISE if set(weights[2:]) == {1} else Kind.CONV

"""Post-training quantization of float files, and proof that it happened.

Inputs and outputs stay float32, so that every variant is fed the same way. Weights are
quantized per channel. Quantizers sometimes leave a model as it was and report success: after
each, the file's own weights are counted by type.
"""

from pathlib import Path
from typing import Any

from weighin.gates.variant import Format
from weighin.plugin.passes.prune import PassError
from weighin.plugin.passes.quantize_litert import quantize_litert
from weighin.plugin.passes.quantize_onnx import quantize_onnx
from weighin.plugin.passes.stored import weight_types
from weighin.plugin.recipe import Quantization

_LEAST_SHARE = 0.5
_INT8 = ("int8", "uint8")
_WANTED = {
    Quantization.FP16: ("float16",),
    Quantization.W4: ("int4",),
    Quantization.MIXED: ("int2", "int4", "int8"),
}


def quantize(
    float_path: Path, path: Path, format: Format, quantization: Quantization, rows: Any
) -> float:
    """Write a quantized copy of a float file.

    Args:
        float_path: What :func:`weighin.plugin.convert.convert` wrote; for ``mixed`` of a graph
            whose weights lie on grids of 2, 4 or 8 bits, and stay float32 where they lie on none.
        path: Of the file to write.
        format: Of both files.
        quantization: What to do.
        rows: Calibration rows ``[n, ...]`` float32; used where activations are quantized.

    Returns:
        Share of the weights that are stored in the wanted type.

    Raises:
        PassError: less than half of the weights were quantized.
    """
    match format:
        case Format.LITERT:
            quantize_litert(float_path, path, quantization, rows)
        case Format.ONNX:
            quantize_onnx(float_path, path, quantization, rows)
        case Format.ORT | Format.EXECUTORCH | Format.COREML:
            raise ValueError(f"{format} files are not quantized as files")
    return quantized_share(path, format, quantization)


def quantized_share(path: Path, format: Format, quantization: Quantization) -> float:
    """Share of a file's weights that are stored in the type that a quantization is for.

    Raises:
        PassError: less than half of them are.
    """
    counts = weight_types(path, format)
    wanted = sum(counts.get(name, 0) for name in _WANTED.get(quantization, _INT8))
    share = wanted / max(1, sum(counts.values()))
    if share < _LEAST_SHARE:
        found = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        raise PassError(
            f"the quantizer ran and left most weights as they were ({found}): "
            f"{quantization} has no effect on this model"
        )
    return share

"""Makes the files that are not converted and then quantized as files.

An ORT file is made from the ONNX file of the same recipe. ExecuTorch programs and Core ML packages
are made from the graph at once, quantized or not, because their tools quantize graphs.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weighin.gates.variant import Format
from weighin.plugin.describe import Meaning, to_text
from weighin.plugin.fx import Graph
from weighin.plugin.recipe import Quantization


def make_otherwise(
    graph: Graph, row: Any, step: Mapping[str, Any], path: Path, rows: Any, meaning: Meaning
) -> dict[str, str]:
    """Write one file, quantized if the step says so.

    Args:
        graph: The float model.
        row: One input row, ``[1, ...]`` float32.
        step: Format, quantization and origin.
        path: Of the file to write.
        rows: Calibration rows ``[n, ...]`` float32.
        meaning: For formats whose description is written with the file.

    Returns:
        Notes on what was quantized.

    Raises:
        PassError: it cannot be made, or less than half of its weights were quantized.
    """
    from weighin.plugin.passes.quantize import quantized_share

    format, quantization = Format(step["format"]), step["quantization"]
    match format:
        case Format.ORT:
            from weighin.plugin.formats.ort import to_ort

            to_ort(Path(step["origin"]), path, half=quantization == Quantization.FP16)
        case Format.EXECUTORCH:
            interface = to_text(_graph_interface(graph, row, meaning))
            from weighin.plugin.formats.executorch import to_executorch

            to_executorch(graph, row, path, quantization, rows, interface)
        case Format.COREML:
            from weighin.plugin.formats.coreml import to_coreml

            to_coreml(graph, row, path, quantization)
        case Format.LITERT | Format.ONNX:
            raise ValueError(f"{format} files are made by conversion")
    if quantization is None:
        return {}
    share = quantized_share(path, format, Quantization(quantization))
    return {"quantized_weights": f"{100 * share:.0f} %"}


def _graph_interface(graph: Graph, row: Any, meaning: Meaning) -> Any:
    import torch

    from weighin.plugin.formats.interface import graph_interface

    with torch.no_grad():
        return graph_interface(row, graph(row), meaning)

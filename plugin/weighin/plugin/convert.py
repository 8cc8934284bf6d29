"""Writes a graph as a float file that a phone's runtime loads.

LiteRT files take one row; ONNX files take any number of rows. Inputs keep the source's layout,
so that the same rows feed the source and every variant.
"""

from pathlib import Path
from typing import Any

from weighin.gates.variant import Format
from weighin.plugin.fx import Graph
from weighin.plugin.passes.prune import PassError


def convert(graph: Graph, row: Any, format: Format, path: Path) -> None:
    """Write a graph in LiteRT's or ONNX's format; the others have modules of their own.

    Args:
        graph: In inference mode.
        row: One input row, ``[1, ...]`` float32.
        format: Of the file to write.
        path: Of the file to write.

    Raises:
        PassError: the converter cannot write the model.
    """
    match format:
        case Format.LITERT:
            _to_litert(graph, row, path)
        case Format.ONNX:
            _to_onnx(graph, row, path)
        case Format.ORT | Format.EXECUTORCH | Format.COREML:
            raise ValueError(f"{format} files are not made here")


def _to_litert(graph: Graph, row: Any, path: Path) -> None:
    import litert_torch

    try:
        litert_torch.convert(graph, (row,)).export(str(path))
    except RuntimeError as error:
        first = str(error).strip().splitlines()[0]
        raise PassError(f"LiteRT's converter cannot write the model: {first}") from error


def _to_onnx(graph: Graph, row: Any, path: Path) -> None:
    import onnx
    import torch

    rows = row.repeat([2] + [1] * (row.dim() - 1))
    program: Any = torch.onnx.export(
        graph,
        (rows,),
        dynamo=True,
        verbose=False,
        input_names=["input"],
        output_names=["output"],
        dynamic_shapes=({0: torch.export.Dim("batch")},),
    )
    model = program.model_proto
    # The shapes noted by the exporter contradict the graph after the quantizer's own rewrites.
    model.graph.ClearField("value_info")
    onnx.save(model, path)

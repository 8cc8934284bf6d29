"""Reads an exported PyTorch program (``.pt2``), and writes it as ONNX as it is.

What this module does not do: it makes nothing trainable.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighin.gates.errors import SourceError
from weighin.plugin.graph import inference_program, left_in_training
from weighin.plugin.source import note_open_axes

if TYPE_CHECKING:
    from weighin.plugin.sources.onnx_file import OnnxModel


@dataclass(frozen=True, slots=True, kw_only=True)
class TorchProgram:
    """A loaded program.

    Attributes:
        module: Takes ``[batch, ...]`` float32; nothing in it is in training mode.
        batch: The batch size that it was exported for; ``None`` if it takes any.
        row_shape: Of one row of its input; ``None`` for sizes that it leaves open.
        notes: What a reader of the report should know of how it was loaded.
    """

    module: Any
    batch: int | None
    row_shape: tuple[int | None, ...]
    notes: tuple[tuple[str, str], ...]


def read_program(path: Path) -> TorchProgram:
    """Load a program. Runs no code of its own.

    Raises:
        SourceError: it has several inputs.
    """
    import torch

    program = torch.export.load(path)
    names = program.graph_signature.user_inputs
    if len(names) != 1:
        raise SourceError(f"the model has {len(names)} inputs; one is needed")
    first = next(n for n in program.graph.nodes if n.op == "placeholder" and n.name in names)
    shape = [size if isinstance(size, int) else None for size in first.meta["val"].shape]
    return TorchProgram(
        module=inference_program(program),
        batch=shape[0],
        row_shape=tuple(shape[1:]),
        notes=(*left_in_training(program), *note_open_axes(shape)),
    )


def program_to_onnx(program: TorchProgram) -> "OnnxModel":
    """Write a program as ONNX, control flow and all.

    Raises:
        SourceError: the exporter cannot, or what it wrote is of no use here.
    """
    import torch

    from weighin.plugin.sources.onnx_file import normal_form

    row_shape = [size for size in program.row_shape if size is not None]
    if len(row_shape) < len(program.row_shape):
        raise SourceError("the model leaves sizes of its input open, and a file has to have one")
    rows = torch.zeros(program.batch or 2, *row_shape)
    try:
        written: Any = torch.onnx.export(
            program.module,
            (rows,),
            dynamo=True,
            verbose=False,
            input_names=["input"],
            output_names=["output"],
            dynamic_shapes=None if program.batch else ({0: torch.export.Dim("batch")},),
        )
    except torch.onnx.OnnxExporterError as error:
        first = str(error).strip().splitlines()[0]
        raise SourceError(f"PyTorch does not write the model as ONNX: {first}") from error
    return normal_form(written.model_proto)

"""Models that are run as they are: ONNX files, SavedModels, what only Keras 2 loads, programs.

Each can be written as ONNX; TensorFlow's also as a LiteRT file.

What this module does not do: it makes nothing trainable.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighin.gates.variant import Format
from weighin.plugin.source import SourceKind

if TYPE_CHECKING:
    from weighin.plugin.sources.onnx_file import OnnxModel
    from weighin.plugin.sources.saved_model import SavedModel

_ROWS_AT_ONCE = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class Foreign:
    """A loaded model.

    Attributes:
        run: Rows ``[n, ...]`` float32 to outputs ``[n, ...]``, both tensors; ``n`` is ``batch``
            if there is one.
        batch: The batch size that is written into it; ``None`` if it takes any.
        to_onnx: Writes it as ONNX. Raises ``SourceError`` if that is not possible.
        to_tflite: Writes it as LiteRT, if its framework can. Raises ``SourceError`` likewise.
    """

    run: Callable[[Any], Any]
    batch: int | None
    to_onnx: "Callable[[], OnnxModel]"
    to_tflite: Callable[[], bytes] | None = None

    def run_all(self, rows: Any) -> Any:
        """Outputs for any number of rows: the last batch is filled up where it has to be."""
        import torch

        size = self.batch or _ROWS_AT_ONCE
        missing = -len(rows) % size if self.batch else 0
        filled = torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])])
        return torch.cat([self.run(part) for part in filled.split(size)])[: len(rows)]


def direct_formats(kind: SourceKind) -> tuple[Format, ...]:
    """The formats that a source of this kind can be written in without the trainable form."""
    match kind:
        case SourceKind.ONNX | SourceKind.TORCH_PROGRAM:
            return (Format.ONNX,)
        case SourceKind.SAVED_MODEL | SourceKind.KERAS_H5:
            return (Format.LITERT, Format.ONNX)
        case SourceKind.TORCH_PICKLE | SourceKind.KERAS:
            return ()


def load_foreign(kind: SourceKind, path: Path, *, trusted: bool) -> Foreign:
    """Load a model in its own framework.

    Raises:
        SourceError: it cannot be used; see the reader of its kind.
    """
    if kind is SourceKind.ONNX:
        return _onnx(path)
    if kind is SourceKind.TORCH_PROGRAM:
        return _torch(path)
    from weighin.plugin.sources import keras_h5, saved_model

    if kind is SourceKind.SAVED_MODEL:
        return _tensorflow(saved_model.load_saved_model(path, trusted=trusted))
    if not trusted:
        keras_h5.refuse_code(path)
    return _tensorflow(keras_h5.load_with_tf_keras(path))


def _onnx(path: Path) -> Foreign:
    from weighin.plugin.sources.onnx_file import onnx_runner, read_onnx

    model = read_onnx(path)
    return Foreign(run=onnx_runner(model), batch=model.batch, to_onnx=lambda: model)


def _torch(path: Path) -> Foreign:
    import torch

    from weighin.plugin.sources.torch_program import program_to_onnx, read_program

    program = read_program(path)
    return Foreign(
        run=torch.no_grad()(program.module),
        batch=program.batch,
        to_onnx=lambda: program_to_onnx(program),
    )


def _tensorflow(model: "SavedModel") -> Foreign:
    from weighin.plugin.sources import saved_model

    return Foreign(
        run=saved_model.run_saved_model(model),
        batch=model.batch,
        to_onnx=lambda: saved_model.saved_model_to_onnx(model),
        to_tflite=lambda: saved_model.saved_model_to_tflite(model),
    )

"""Writes float files of a model that cannot be made trainable, and runs it on data sets.

Runs in the child that may run a registered model's code. Post-training quantization starts from
these files; nothing is pruned or trained.

What this module does not do: it quantizes nothing.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from weighin.gates.errors import SourceError
from weighin.gates.variant import Format
from weighin.plugin.source import SourceKind
from weighin.plugin.sources.foreign import Foreign, load_foreign

_TOLERANCE = 1e-2

Loader = Callable[[], Foreign]


def direct_loader(job: Mapping[str, Any]) -> Loader:
    """Loads the model of a source job when it is first asked for, and once."""
    kind = SourceKind(job["kind"])
    path = Path(job["directory"]) / job["model_file"]
    return functools.cache(lambda: load_foreign(kind, path, trusted=bool(job["trusted"])))


def write_float(load: Loader, format: Format, path: Path, rows: Any) -> dict[str, str]:
    """Write a model in a format that its own framework knows the way to.

    Args:
        load: Gives the model.
        format: Of the file.
        path: Of the file.
        rows: ``[n, ...]`` float32, to compare the file with the model.

    Returns:
        What a reader of the report should know.

    Raises:
        SourceError: the model cannot be used or written so, or the file says something else.
    """
    model = load()
    if format is Format.ONNX:
        _save_onnx(model, path)
    elif model.to_tflite is not None:
        path.write_bytes(model.to_tflite())
    return _proved(model, format, path, rows)


def run_on(load: Loader, rows: Any) -> Any:
    """What the model says about rows: ``[n, classes]``, a tensor.

    Raises:
        SourceError: the model cannot be used, or says something of another shape.
    """
    answers = load().run_all(rows)
    if answers.dim() != 2:
        raise SourceError(
            f"the model returns a tensor of shape {list(answers.shape)}; scores [rows, classes] "
            "are needed"
        )
    return answers


def float_model(path: Path, format: Format) -> Callable[[Any], Any]:
    """A float file in its runtime, called like a graph: rows ``[n, ...]`` to ``[n, classes]``."""
    import numpy as np
    import torch

    from weighin.gates.meters.models import load_model

    model = load_model(str(path), format, threads=1)

    def run(rows: Any) -> Any:
        answers = [np.array(model(row)) for row in rows.numpy()[:, None]]
        return torch.from_numpy(np.concatenate(answers))

    return run


def _save_onnx(model: Foreign, path: Path) -> None:
    import onnx

    written = model.to_onnx()
    if written.batch not in (None, 1):
        raise SourceError(f"the model takes {written.batch} rows at a time; an app has one")
    onnx.save(written.proto, path)


def _proved(model: Foreign, format: Format, path: Path, rows: Any) -> dict[str, str]:
    """The file says what the model says, row by row."""
    import numpy as np

    wanted = run_on(lambda: model, rows).numpy()
    got = float_model(path, format)(rows).numpy()
    if got.shape != wanted.shape or not np.isfinite(got).all():
        raise SourceError(f"the {format} file gives outputs {got.shape}, the model {wanted.shape}")
    difference = float(np.abs(got - wanted).max())
    if difference > _TOLERANCE * max(1.0, float(np.abs(wanted).max())):
        raise SourceError(f"the {format} file is off by {difference:.3g} from the model")
    return {"difference_from_source": f"{difference:.2g}"}

"""Loads a registered model into the trainable form, in the child process that may run its code.

What this module does not do: it decides nothing about trust. Whoever starts the child did.
"""

import importlib
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.fx import Graph
from weighin.plugin.graph import inference_program, own_graph
from weighin.plugin.source import Source, SourceKind, note_open_axes
from weighin.plugin.sources.foreign import Foreign, load_foreign
from weighin.plugin.sources.torch_program import read_program

_ANY_BATCH = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that was loaded.

    Attributes:
        module: Takes ``[batch, ...]`` float32.
        batch: The batch size that it was traced for, or one that works as well as any.
        reference: The same model in its own runtime, where that is not PyTorch.
        notes: What a reader of the report should know of how it was loaded.
    """

    module: Any
    batch: int
    reference: Any = None
    notes: tuple[tuple[str, str], ...] = ()


def source_job(source: Source) -> dict[str, object]:
    """What a child has to know of a source."""
    return {
        "directory": str(source.directory.resolve()),
        "kind": str(source.kind),
        "model_file": source.model_file,
        "code": list(source.code),
        "trusted": source.trusted,
    }


def load_source(job: Mapping[str, Any]) -> Loaded:
    """Load a registered model. Runs its code if it has any."""
    directory = Path(job["directory"])
    path = directory / job["model_file"]
    match SourceKind(job["kind"]):
        case SourceKind.TORCH_PROGRAM:
            program = read_program(path)
            size = program.batch or _ANY_BATCH
            return Loaded(module=program.module, batch=size, notes=program.notes)
        case SourceKind.TORCH_PICKLE:
            sys.path[:0] = [str(directory / folder) for folder in job["code"]]
            return _load_pickle(path)
        case SourceKind.KERAS:
            return _load_keras(path, trusted=bool(job["trusted"]))
        case SourceKind.KERAS_H5:
            return _load_h5(path, trusted=bool(job["trusted"]))
        case SourceKind.SAVED_MODEL | SourceKind.ONNX as kind:
            return _load_foreign(load_foreign(kind, path, trusted=bool(job["trusted"])))


def save_graph(graph: Graph, row: Any, path: Path) -> None:
    """Write a graph as an exported program, whole or not at all."""
    import torch

    rows = row.repeat([2] + [1] * (row.dim() - 1))
    part = path.with_suffix(".part.pt2")
    torch.export.save(torch.export.export(graph, (rows,), strict=False), part)
    part.replace(path)


def load_graph(path: Path) -> Graph:
    """Read what :func:`save_graph` wrote."""
    import torch

    return own_graph(inference_program(torch.export.load(path)))


def _load_pickle(path: Path) -> Loaded:
    import torch

    module = torch.load(path, map_location="cpu", weights_only=False)
    return Loaded(module=module.eval(), batch=_ANY_BATCH)


def _load_foreign(foreign: Foreign) -> Loaded:
    """Another framework's model, by way of ONNX."""
    from weighin.plugin.sources.onnx_module import onnx_module

    model = foreign.to_onnx()
    return Loaded(
        module=onnx_module(model.proto),
        batch=foreign.batch or _ANY_BATCH,
        reference=foreign.run,
        notes=model.notes,
    )


def _load_h5(path: Path, *, trusted: bool) -> Loaded:
    """With Keras 3 where it can; else with Keras 2 and by way of ONNX."""
    from weighin.plugin.sources.keras_h5 import load_with_keras, refuse_code

    if not trusted:
        refuse_code(path)
    try:
        module = load_with_keras(path, trusted=trusted)
    except SourceError as error:
        try:
            return _load_foreign(load_foreign(SourceKind.KERAS_H5, path, trusted=trusted))
        except SourceError as second:
            raise SourceError(f"{error}; {second}") from second
    return _keras_module(module)


def _load_keras(path: Path, *, trusted: bool) -> Loaded:
    os.environ["KERAS_BACKEND"] = "torch"  # read once, when keras is imported
    import keras

    custom: dict[str, Any] = {}
    for pickled in sorted(path.parent.glob("*custom_objects.cloudpickle")) if trusted else ():
        custom |= importlib.import_module("cloudpickle").loads(pickled.read_bytes())
    model: Any = keras.models.load_model(
        path, custom_objects=custom, compile=False, safe_mode=not trusted
    )
    return _keras_module(model)


def _keras_module(model: Any) -> Loaded:
    inputs = getattr(model, "inputs", None) or []  # a class of its own may not know them
    if len(inputs) > 1:
        raise SourceError(f"the model has {len(inputs)} inputs; one is needed")
    notes = note_open_axes(inputs[0].shape) if inputs else ()
    return Loaded(module=model.eval(), batch=_ANY_BATCH, notes=notes)

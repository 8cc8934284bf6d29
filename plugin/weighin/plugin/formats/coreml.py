"""Core ML packages as one file: a plain zip of the ``.mlpackage`` folder, always the same bytes.

What this module does not do: it runs nothing. Core ML runs only on Apple's systems, so what was
converted here is checked by its shapes and by the types of its weights, and by nothing else.
"""

import json
import shutil
import tempfile
import uuid
import zipfile
from collections import Counter
from pathlib import Path
from typing import Any

from weighin.plugin.formats.extras import require, without
from weighin.plugin.fx import Graph
from weighin.plugin.passes.prune import PassError

_SPEC = "Data/com.apple.CoreML/model.mlmodel"
_WEIGHTS = "Data/com.apple.CoreML/weights/weight.bin"
_MANIFEST = "Manifest.json"
_DATED = "com.github.apple.coremltools.conversion_date"
_EPOCH = (1980, 1, 1, 0, 0, 0)
_UNUSED = ("executorch", "sklearn", "tensorflow", "torchao", "transformers", "xgboost")
"""What coremltools imports if it is there: 10 s of CPU, and none of it is needed here."""

_LEAST_WEIGHTS = 64
"""Smaller constants are biases and scales: quantizing them costs accuracy and saves nothing."""


def to_coreml(graph: Graph, row: Any, path: Path, quantization: str | None) -> None:
    """Write a graph as a zipped ``.mlpackage``.

    Args:
        graph: In inference mode.
        row: One input row, ``[1, ...]`` float32.
        path: Of the zip to write.
        quantization: ``fp16``, ``w8``, ``w4``, or ``None`` for float32.

    Raises:
        PassError: coremltools is not installed, or the quantization cannot be done here.
    """
    require("coremltools", "coreml")
    match quantization:
        case None:
            model = _convert(graph, row, half=False)
        case "fp16":
            model = _convert(graph, row, half=True)
        case "w8":
            model = _weights_in(_convert(graph, row, half=False), "int8")
        case "w4":
            model = _weights_in(_convert(graph, row, half=False, newer=True), "int4")
        case "dynamic_int8":
            raise PassError("Core ML quantizes no activations while it runs; w8 is the nearest")
        case "mixed":
            raise PassError("mixed precision is not made for Core ML; w8 and w4 are")
        case other:
            raise PassError(
                f"Core ML calibrates the activations of {other} by running the model, "
                "which it does only on macOS"
            )
    _save(model, path)


def read_spec(path: Path) -> Any:
    """The specification in a zipped package."""
    with zipfile.ZipFile(path) as archive:
        return _parse(archive.read(_SPEC))


def with_metadata(path: Path, key: str, text: str) -> None:
    """Put a text into the package's own metadata."""
    spec = read_spec(path)
    spec.description.metadata.userDefined[key] = text
    with zipfile.ZipFile(path) as archive:
        weights = archive.read(_WEIGHTS) if _WEIGHTS in archive.namelist() else b""
    _pack(spec, weights, path)


def coreml_weights(path: Path) -> Counter[str]:
    """How many weights a package stores in each type, such as ``float32`` or ``int8``."""
    _tools()
    from coremltools.proto import MIL_pb2

    counts: Counter[str] = Counter()
    program: Any = read_spec(path).mlProgram
    for function in program.functions.values():
        for block in function.block_specializations.values():
            for operation in block.operations:
                for value in _constants(operation):
                    tensor = value.type.tensorType
                    name = str(MIL_pb2.DataType.Name(tensor.dataType)).lower()
                    count = 1
                    for size in tensor.dimensions:
                        count *= int(size.constant.size)
                    if "float" in name or count >= _LEAST_WEIGHTS:
                        counts[name] += count
    return counts


def _constants(operation: Any) -> tuple[Any, ...]:
    """The stored arrays of an operation: a constant, or what a quantized one is made from."""
    if operation.type != "const" and not operation.type.startswith("constexpr"):
        return ()
    wanted = {"val", "quantized_data", "data"}
    held = [value for name, value in operation.attributes.items() if name in wanted]
    for name, argument in operation.inputs.items():
        held += [
            one.value for one in argument.arguments if name in wanted and one.HasField("value")
        ]
    return tuple(value for value in held if value.type.HasField("tensorType"))


def _convert(graph: Graph, row: Any, *, half: bool, newer: bool = False) -> Any:
    import numpy as np
    import torch

    coremltools = _tools()
    program = torch.export.export(graph, (row,), strict=False).run_decompositions({})
    precision, target = coremltools.precision, coremltools.target
    return coremltools.convert(
        program,
        source="pytorch",
        convert_to="mlprogram",
        compute_precision=precision.FLOAT16 if half else precision.FLOAT32,
        inputs=[coremltools.TensorType(name="input", shape=tuple(row.shape), dtype=np.float32)],
        outputs=[coremltools.TensorType(name="output", dtype=np.float32)],
        minimum_deployment_target=target.iOS18 if newer else target.iOS16,
        skip_model_load=True,
    )


def _tools() -> Any:
    """coremltools, imported alone."""
    with without(*_UNUSED):
        import coremltools
    return coremltools


def _weights_in(model: Any, dtype: str) -> Any:
    from coremltools.optimize import coreml as tools

    settings = tools.OpLinearQuantizerConfig(
        mode="linear_symmetric",
        dtype=dtype,
        granularity="per_channel",
        weight_threshold=_LEAST_WEIGHTS,
    )
    return tools.linear_quantize_weights(model, tools.OptimizationConfig(global_config=settings))


def _save(model: Any, path: Path) -> None:
    """Keep what Core ML needs of a package, without dates, random names and debug tables."""
    folder = Path(tempfile.mkdtemp(dir=path.parent, suffix=".mlpackage"))
    try:
        model.save(str(folder))
        spec = _parse((folder / _SPEC).read_bytes())
        weights = (folder / _WEIGHTS).read_bytes() if (folder / _WEIGHTS).is_file() else b""
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    spec.description.metadata.userDefined.pop(_DATED, None)
    _pack(spec, weights, path)


def _parse(data: bytes) -> Any:
    _tools()
    from coremltools.proto import Model_pb2

    kinds: Any = Model_pb2
    return kinds.Model.FromString(data)


def _pack(spec: Any, weights: bytes, path: Path) -> None:
    """Write the zip, stored: its size is what the phone gets, whatever compressed it."""
    entries = {_SPEC: spec.SerializeToString(deterministic=True)}
    entries |= {_WEIGHTS: weights} if weights else {}
    entries[_MANIFEST] = json.dumps(_manifest(weights=bool(weights)), indent=4).encode()
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, data in entries.items():
            archive.writestr(zipfile.ZipInfo(name, _EPOCH), data)


def _manifest(*, weights: bool) -> dict[str, object]:
    """The list of a package's parts; coremltools names them at random, these names stay."""
    parts = {"com.apple.CoreML/model.mlmodel": "CoreML Model Specification"}
    parts |= {"com.apple.CoreML/weights": "CoreML Model Weights"} if weights else {}
    names = {part: str(uuid.uuid5(uuid.NAMESPACE_URL, part)) for part in parts}
    return {
        "fileFormatVersion": "1.0.0",
        "itemInfoEntries": {
            names[part]: {
                "author": "com.apple.CoreML",
                "description": description,
                "name": part.rsplit("/", 1)[-1],
                "path": part,
            }
            for part, description in parts.items()
        },
        "rootModelIdentifier": names["com.apple.CoreML/model.mlmodel"],
    }

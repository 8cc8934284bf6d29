"""What a written file really holds: multiply-accumulates, zeros, and how far it compresses.

Read from the artifact, never taken over from what a pass meant to do.

What this module does not do: it judges nothing.
"""

import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weighin.gates.cost import read_cost
from weighin.gates.variant import GZIP_BYTES, Format

_LEVEL = 6


def file_facts(path: Path, format: Format, *, sparse: bool) -> dict[str, str]:
    """Notes on one file.

    Args:
        path: The file.
        format: Of the file.
        sparse: Whether zeros among the weights are worth a note.

    Raises:
        SourceError: the file is no readable model.
    """
    notes = {GZIP_BYTES: str(len(gzip.compress(path.read_bytes(), _LEVEL, mtime=0)))}
    if format not in (Format.LITERT, Format.ONNX):
        return notes  # nobody reads the operators of the others yet
    notes["macs_in_file"] = str(read_cost(path, format).macs)
    if sparse:
        zeros, count = count_zeros(path, format)
        share = 100 * zeros / count if count else 0.0
        notes["sparsity_in_file"] = f"{share:.1f} % of {count} weights are zero"
    return notes


def count_zeros(path: Path, format: Format) -> tuple[int, int]:
    """Zeros among the weights of a file, and all of them: tensors with two axes or more."""
    weights = _tflite_weights(path) if format is Format.LITERT else _onnx_weights(path)
    zeros = count = 0
    for weight, nothing in weights:
        zeros += int((weight == nothing).sum())
        count += weight.size
    return zeros, count


def _tflite_weights(path: Path) -> Iterator[tuple[Any, Any]]:
    """Constants, and which stored value means zero in each."""
    import numpy as np
    from ai_edge_litert import schema_py_generated as schema
    from litert_quantizer.utils import tfl_flatbuffer_utils

    types = {
        getattr(schema.TensorType, name): np.dtype(name.lower())
        for name in ("FLOAT32", "FLOAT16", "INT8", "UINT8")
    }
    model: Any = tfl_flatbuffer_utils.read_model(str(path))
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            data = model.buffers[tensor.buffer].data
            if data is not None and tensor.type in types and len(tensor.shape) > 1:
                points = getattr(tensor.quantization, "zeroPoint", None)
                nothing = int(points[0]) if points is not None and len(points) else 0
                yield np.frombuffer(bytes(data), types[tensor.type]), nothing


def _onnx_weights(path: Path) -> Iterator[tuple[Any, Any]]:
    import onnx
    from onnx import numpy_helper

    tensors = {tensor.name: tensor for tensor in onnx.load(path).graph.initializer}
    for name, tensor in tensors.items():
        if len(tensor.dims) > 1:
            point = tensors.get(name.replace("_quantized", "_zero_point"), tensor)
            nothing = 0 if point is tensor else numpy_helper.to_array(point).flatten()[0]
            yield numpy_helper.to_array(tensor), nothing

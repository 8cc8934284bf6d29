"""What a file stores its weights as, counted in the file itself."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weighin.gates.variant import Format


def weight_types(path: Path, format: Format) -> Mapping[str, int]:
    """How many weights a file stores in each type; shapes, biases and offsets not counted."""
    match format:
        case Format.LITERT:
            return _litert_weights(path)
        case Format.ONNX:
            return _onnx_weights(path)
        case Format.ORT:
            from weighin.plugin.formats.ort import ort_weights

            return ort_weights(path)
        case Format.EXECUTORCH:
            from weighin.plugin.formats.executorch import pte_weights

            return pte_weights(path)
        case Format.COREML:
            from weighin.plugin.formats.coreml import coreml_weights

            return coreml_weights(path)


def _litert_weights(path: Path) -> Counter[str]:
    from ai_edge_litert import schema_py_generated as schema
    from litert_quantizer.utils import tfl_flatbuffer_utils

    names = {
        getattr(schema.TensorType, name): name.lower()
        for name in ("FLOAT32", "FLOAT16", "INT8", "UINT8", "INT4", "INT2")
    }
    model: Any = tfl_flatbuffer_utils.read_model(str(path))
    counts: Counter[str] = Counter()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if model.buffers[tensor.buffer].data is not None and tensor.type in names:
                counts[names[tensor.type]] += _count(tensor.shape)
    return counts


def _onnx_weights(path: Path) -> Counter[str]:
    import onnx

    names = {
        getattr(onnx.TensorProto, name): name.lower()
        for name in ("FLOAT16", "INT8", "UINT8", "INT4", "UINT4")
    } | {onnx.TensorProto.FLOAT: "float32"}
    counts: Counter[str] = Counter()
    for tensor in onnx.load(path).graph.initializer:
        if tensor.data_type in names:
            counts[names[tensor.data_type]] += _count(tensor.dims)
    return counts


def _count(shape: Any) -> int:
    count = 1
    for size in shape if shape is not None else ():
        count *= int(size)
    return count

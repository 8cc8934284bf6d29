"""ONNX Runtime's own format, made from an ONNX file by ONNX Runtime itself.

What this module does not do: it changes no arithmetic. Operators are fused once, here, for any
processor, instead of on the phone at every start; the reduced builds of the runtime read nothing
else. The operator table of two conversions is in another order, so their bytes differ.
"""

from collections import Counter
from pathlib import Path
from typing import Any

from weighin.plugin.passes.prune import PassError

_TYPES = ("FLOAT", "FLOAT16", "INT8", "UINT8", "INT4", "UINT4", "INT2", "UINT2")
_UNREADABLE = {"int4", "uint4", "int2", "uint2"}


def to_ort(onnx_path: Path, path: Path, *, half: bool) -> None:
    """Write an ONNX file, quantized or not, in the ORT format.

    The settings are those of ONNX Runtime's converter for ARM: no layouts of one x86 processor,
    and signed 8-bit arithmetic left as it is.

    Args:
        onnx_path: What to read.
        path: Of the file to write.
        half: Whether the weights are float16. The last level of optimisation would widen them.

    Raises:
        PassError: the file has weights of less than 8 bits.
    """
    import onnxruntime

    levels = onnxruntime.GraphOptimizationLevel

    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(path)
    options.log_severity_level = 3
    options.graph_optimization_level = levels.ORT_ENABLE_EXTENDED if half else levels.ORT_ENABLE_ALL
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.add_session_config_entry("session.qdqisint8allowed", "1")
    onnxruntime.InferenceSession(
        str(onnx_path),
        options,
        providers=["CPUExecutionProvider"],
        disabled_optimizers=["NchwcTransformer"],
    )
    if set(ort_weights(path)) & _UNREADABLE:
        raise PassError("ONNX Runtime writes 4-bit weights into .ort files and does not load them")


def ort_weights(path: Path) -> Counter[str]:
    """How many weights the file stores in each type, such as ``float32`` or ``int8``."""
    import onnx
    from onnxruntime.tools.ort_format_model.ort_flatbuffers_py.fbs import InferenceSession

    # The numbers are ONNX's own; the table that comes with this reader ends before 4 bits.
    types: Any = onnx.TensorProto
    names = {getattr(types, name): name.lower() for name in _TYPES if hasattr(types, name)}
    names[types.FLOAT] = "float32"
    session: Any = InferenceSession.InferenceSession.GetRootAs(path.read_bytes(), 0)
    graph = session.Model().Graph()
    counts: Counter[str] = Counter()
    for tensor in (graph.Initializers(place) for place in range(graph.InitializersLength())):
        if tensor.DataType() in names:
            count = 1
            for axis in range(tensor.DimsLength()):
                count *= int(tensor.Dims(axis))
            counts[names[tensor.DataType()]] += count
    return counts

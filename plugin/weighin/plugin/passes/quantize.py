"""Post-training quantization of float files, and proof that it happened.

Inputs and outputs stay float32, so that every variant is fed the same way. Weights are
quantized per channel. Quantizers sometimes leave a model as it was and report success: after
each, the file's own weights are counted by type.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weighin.gates.variant import Format
from weighin.plugin.passes.prune import PassError
from weighin.plugin.recipe import Quantization

_LEAST_SHARE = 0.5
_WANTED = {
    Quantization.FP16: ("float16",),
    Quantization.DYNAMIC_INT8: ("int8", "uint8"),
    Quantization.INT8: ("int8", "uint8"),
}


def quantize(
    float_path: Path, path: Path, format: Format, quantization: Quantization, rows: Any
) -> float:
    """Write a quantized copy of a float file.

    Args:
        float_path: What :func:`weighin.plugin.convert.convert` wrote.
        path: Of the file to write.
        format: Of both files.
        quantization: What to do.
        rows: Calibration rows ``[n, ...]`` float32; used by ``int8`` only.

    Returns:
        Share of the weights that are stored in the wanted type.

    Raises:
        PassError: less than half of the weights were quantized.
    """
    match format:
        case Format.LITERT:
            _quantize_litert(float_path, path, quantization, rows)
        case Format.ONNX:
            _quantize_onnx(float_path, path, quantization, rows)
        case Format.ORT | Format.EXECUTORCH | Format.COREML:
            raise ValueError(f"{format} files are not quantized as files")
    return quantized_share(path, format, quantization)


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


def quantized_share(path: Path, format: Format, quantization: Quantization) -> float:
    """Share of a file's weights that are stored in the type that a quantization is for.

    Raises:
        PassError: less than half of them are.
    """
    counts = weight_types(path, format)
    wanted = sum(counts.get(name, 0) for name in _WANTED[quantization])
    share = wanted / max(1, sum(counts.values()))
    if share < _LEAST_SHARE:
        found = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
        raise PassError(
            f"the quantizer ran and left most weights as they were ({found}): "
            f"{quantization} has no effect on this model"
        )
    return share


def _quantize_litert(float_path: Path, path: Path, quantization: Quantization, rows: Any) -> None:
    from litert_quantizer import algorithm_manager, qtyping, quantizer, recipe

    tool: Any
    algorithms, operators = algorithm_manager.AlgorithmName, qtyping.TFLOperationName
    match quantization:
        case Quantization.FP16:
            tool = quantizer.Quantizer(str(float_path))
            half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
            settings = qtyping.OpQuantizationConfig(
                weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT
            )
            tool.update_quantization_recipe(
                ".*", operators.ALL_SUPPORTED, settings, algorithms.FLOAT_CASTING
            )
            result = tool.quantize()
        case Quantization.DYNAMIC_INT8:
            tool = quantizer.Quantizer(str(float_path), recipe.dynamic_wi8_afp32())
            result = tool.quantize()
        case Quantization.INT8:
            tool = quantizer.Quantizer(str(float_path), recipe.static_wi8_ai8())
            for edge in (operators.INPUT, operators.OUTPUT):
                tool.update_quantization_recipe(".*", edge, algorithm_key=algorithms.NO_QUANTIZE)
            result = tool.quantize(_litert_ranges(float_path, tool, rows))
    path.write_bytes(bytes(result.quantized_model))


def _litert_ranges(float_path: Path, tool: Any, rows: Any) -> Any:
    """Smallest and largest value of every tensor over the calibration rows.

    The quantizer's own calibration takes a moving average over rows, which clips what rare rows
    reach: on the demo's digits its scores were off by up to 1.7, with these ranges by 0.09.
    """
    from ai_edge_litert.interpreter import Interpreter
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    signatures = Interpreter(model_path=str(float_path)).get_signature_list()
    ((signature, ends),) = signatures.items()
    (name,) = ends["inputs"]
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(tool.get_quantization_recipe())
    watcher: Any = calibrator.Calibrator(
        float_path.read_bytes(), num_threads=1, qsv_update_func=qsv_utils.min_max_update
    )
    feeds = [{name: rows[i : i + 1]} for i in range(len(rows))]
    watcher.calibrate({signature: feeds}, manager)
    return watcher.get_model_qsvs()


def _litert_weights(path: Path) -> Counter[str]:
    from ai_edge_litert import schema_py_generated as schema
    from litert_quantizer.utils import tfl_flatbuffer_utils

    names = {
        getattr(schema.TensorType, name): name.lower()
        for name in ("FLOAT32", "FLOAT16", "INT8", "UINT8", "INT4")
    }
    model: Any = tfl_flatbuffer_utils.read_model(str(path))
    counts: Counter[str] = Counter()
    for graph in model.subgraphs:
        for tensor in graph.tensors:
            if model.buffers[tensor.buffer].data is not None and tensor.type in names:
                counts[names[tensor.type]] += _count(tensor.shape)
    return counts


def _quantize_onnx(float_path: Path, path: Path, quantization: Quantization, rows: Any) -> None:
    from onnxruntime import quantization as tools

    match quantization:
        case Quantization.FP16:
            import onnx
            from onnxruntime.transformers.float16 import convert_float_to_float16

            onnx.save(convert_float_to_float16(onnx.load(float_path), keep_io_types=True), path)
        case Quantization.DYNAMIC_INT8:
            # Unsigned weights: on x86 ONNX Runtime is 3.5 times slower with signed ones.
            tools.quantize_dynamic(
                float_path, path, per_channel=False, weight_type=tools.QuantType.QUInt8
            )
        case Quantization.INT8:
            tools.quantize_static(
                float_path,
                path,
                _onnx_reader(rows),
                quant_format=tools.QuantFormat.QDQ,
                per_channel=True,
                activation_type=tools.QuantType.QUInt8,
                weight_type=tools.QuantType.QInt8,
            )


def _onnx_reader(rows: Any) -> Any:
    """Calibration rows the way ONNX Runtime asks for them: one by one, then ``None``."""
    from onnxruntime.quantization import CalibrationDataReader

    feeds = iter([{"input": rows[i : i + 1]} for i in range(len(rows))])
    reader: Any = type("Rows", (CalibrationDataReader,), {"get_next": lambda _: next(feeds, None)})
    return reader()


def _onnx_weights(path: Path) -> Counter[str]:
    import onnx

    names = {
        getattr(onnx.TensorProto, name): name.lower() for name in ("FLOAT16", "INT8", "UINT8")
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

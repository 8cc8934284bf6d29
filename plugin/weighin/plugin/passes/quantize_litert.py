"""Quantization of ``.tflite`` files with litert-quantizer.

What this module does not do: it chooses no bits and no ranges; see :mod:`.grids` and
:mod:`.ranges`.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weighin.gates.variant import Format
from weighin.plugin.passes.grids import LEAST_BITS, bits_for
from weighin.plugin.passes.prune import PassError
from weighin.plugin.passes.ranges import Method, Range, calibrated
from weighin.plugin.recipe import Quantization

_WEIGHTED = ("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED")
_STATIC = {
    Quantization.INT8: None,
    Quantization.INT8_A16: None,
    Quantization.INT8_PERCENTILE: Method.PERCENTILE,
    Quantization.INT8_ENTROPY: Method.ENTROPY,
    Quantization.INT8_MSE: Method.MSE,
}


def quantize_litert(float_path: Path, path: Path, quantization: Quantization, rows: Any) -> None:
    """Write a quantized copy of a float file; see :func:`.quantize.quantize`."""
    from litert_quantizer import quantizer, recipe

    plain = path.with_name(f"plain-{path.name}")
    _shorten_names(float_path, plain)
    tool: Any = quantizer.Quantizer(str(plain))
    match quantization:
        case Quantization.FP16:
            result = _cast_to_half(tool)
        case Quantization.DYNAMIC_INT8:
            tool.load_quantization_recipe(recipe.dynamic_wi8_afp32())
            result = tool.quantize()
        case Quantization.W8 | Quantization.W4 | Quantization.MIXED:
            result = _weights_only(tool, plain, quantization)
        case _:
            activations = 16 if quantization is Quantization.INT8_A16 else 8
            recipes = {8: recipe.static_wi8_ai8, 16: recipe.static_wi8_ai16}
            tool.load_quantization_recipe(recipes[activations]())
            result = _static(tool, plain, _STATIC[quantization], rows)
    path.write_bytes(bytes(result.quantized_model))
    plain.unlink()


def _cast_to_half(tool: Any) -> Any:
    from litert_quantizer import algorithm_manager, qtyping

    half = qtyping.TensorQuantizationConfig(num_bits=16, dtype=qtyping.TensorDataType.FLOAT)
    settings = qtyping.OpQuantizationConfig(
        weight_tensor_config=half, compute_precision=qtyping.ComputePrecision.FLOAT
    )
    tool.update_quantization_recipe(
        ".*",
        qtyping.TFLOperationName.ALL_SUPPORTED,
        settings,
        algorithm_manager.AlgorithmName.FLOAT_CASTING,
    )
    return tool.quantize()


def _weights_only(tool: Any, path: Path, quantization: Quantization) -> Any:
    """Every layer's weights in the bits that it shall have; activations stay float32."""
    from litert_quantizer import qtyping

    least = LEAST_BITS[Format.LITERT]
    chosen = [
        (name, output, bits_for(quantization, weight, axis, least_bits=least))
        for name, output, weight, axis in _weights(path)
    ]
    if not any(bits for _, _, bits in chosen):
        raise PassError("no layer has weights that can be quantized on their own")
    for name, output, bits in chosen:
        if bits is not None:
            kind = qtyping.TFLOperationName(name)
            tool.update_quantization_recipe(f"^{output};$", kind, _integers(bits))
    return tool.quantize()


def _integers(bits: int) -> Any:
    """Settings for the weights of one layer.

    The tool lists neither 2 bits nor 4 for depthwise kernels, but it writes both, and the runtime
    computes with both.
    """
    from litert_quantizer import qtyping

    weights = qtyping.TensorQuantizationConfig(
        num_bits=bits,
        symmetric=True,
        granularity=qtyping.QuantGranularity.CHANNELWISE,
        dtype=qtyping.TensorDataType.INT,
    )
    return qtyping.OpQuantizationConfig(
        weight_tensor_config=weights,
        compute_precision=qtyping.ComputePrecision.FLOAT,
        explicit_dequantize=True,
        skip_checks=bits < 8,
    )


def _weights(path: Path) -> Iterator[tuple[str, str, Any, int]]:
    """Operator, name of its output, its weight and the axis of the output channels in that."""
    from ai_edge_litert.tools import flatbuffer_utils
    from litert_quantizer.utils import tfl_flatbuffer_utils

    model: Any = tfl_flatbuffer_utils.read_model(str(path))
    for graph in model.subgraphs:
        for operator in graph.operators:
            name = flatbuffer_utils.opcode_to_name(model, operator.opcodeIndex)
            if name not in _WEIGHTED:
                continue
            weight = graph.tensors[operator.inputs[1]]
            data = tfl_flatbuffer_utils.get_tensor_data(weight, model.buffers)
            if data is not None:
                output = graph.tensors[operator.outputs[0]].name.decode()
                yield name, output, data, 3 if name.startswith("DEPTHWISE") else 0


def _static(tool: Any, path: Path, method: Method | None, rows: Any) -> Any:
    from litert_quantizer import algorithm_manager, qtyping

    operators = qtyping.TFLOperationName
    for edge in (operators.INPUT, operators.OUTPUT):
        tool.update_quantization_recipe(
            ".*", edge, algorithm_key=algorithm_manager.AlgorithmName.NO_QUANTIZE
        )
    return tool.quantize(_ranges(path, tool, method, rows))


def _ranges(path: Path, tool: Any, method: Method | None, rows: Any) -> Any:
    """Smallest and largest value of every tensor over the calibration rows, or less.

    The quantizer's own calibration takes a moving average over rows, which clips what rare rows
    reach: on the demo's digits its scores were off by up to 1.7, with these ranges by 0.09.
    """
    from ai_edge_litert.interpreter import Interpreter
    from litert_quantizer import calibrator, recipe_manager
    from litert_quantizer.utils import qsv_utils

    signatures = Interpreter(model_path=str(path)).get_signature_list()
    ((signature, ends),) = signatures.items()
    (name,) = ends["inputs"]
    manager = recipe_manager.RecipeManager()
    manager.load_quantization_recipe(tool.get_quantization_recipe())
    watcher: Any = calibrator.Calibrator(
        path.read_bytes(), num_threads=1, qsv_update_func=qsv_utils.min_max_update
    )
    feeds = [{name: rows[i : i + 1]} for i in range(len(rows))]
    watcher.calibrate({signature: feeds}, manager)
    found = watcher.get_model_qsvs()
    return found if method is None else _narrowed(path, found, method, rows)


def _narrowed(path: Path, found: Any, method: Method, rows: Any) -> Any:
    """The same ranges without what a calibration method would clip."""
    import numpy as np

    activations = _Activations(path, tuple(found))
    widest = {
        name: Range(low=float(np.min(found[name]["min"])), high=float(np.max(found[name]["max"])))
        for name in activations.indices
    }
    for name, best in calibrated(activations.of, rows, widest, method).items():
        ends = {"min": best.low, "max": best.high}
        found[name] = dict(found[name]) | {
            end: np.full_like(found[name][end], value) for end, value in ends.items()
        }
    return found


class _Activations:
    """Runs a file and hands out what is computed on the way."""

    def __init__(self, path: Path, names: tuple[str, ...]) -> None:
        from ai_edge_litert.interpreter import Interpreter, OpResolverType

        self._interpreter: Any = Interpreter(
            model_path=str(path),
            num_threads=1,
            experimental_preserve_all_tensors=True,
            experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        )
        self._interpreter.allocate_tensors()
        computed = {
            int(index)
            for operator in self._interpreter._get_ops_details()
            for index in operator["outputs"]
        }
        self._input = self._interpreter.get_input_details()[0]["index"]
        details = self._interpreter.get_tensor_details()
        self.indices = {
            str(tensor["name"]): int(tensor["index"])
            for tensor in details
            if tensor["name"] in names and tensor["index"] in computed | {self._input}
        }

    def of(self, row: Any) -> Mapping[str, Any]:
        """Values of one row, by tensor name."""
        self._interpreter.set_tensor(self._input, row)
        self._interpreter.invoke()
        return {name: self._interpreter.get_tensor(i) for name, i in self.indices.items()}


def _shorten_names(path: Path, short: Path) -> None:
    """Write a copy whose inner tensors have short names.

    The converter names them after the modules they came from, up to kilobytes each: an eighth
    of a 4-bit ResNet-20. Nothing reads those names; inputs and outputs keep theirs.
    """
    from ai_edge_litert.tools import flatbuffer_utils
    from litert_quantizer.utils import tfl_flatbuffer_utils

    model: Any = tfl_flatbuffer_utils.read_model(str(path))
    for graph in model.subgraphs:
        kept = {*map(int, graph.inputs), *map(int, graph.outputs)}
        for place, tensor in enumerate(graph.tensors):
            if place not in kept:
                tensor.name = f"t{place}".encode()
    flatbuffer_utils.write_model(model, str(short))

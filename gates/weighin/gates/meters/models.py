"""Opens a variant in its runtime, the way an app would: on the CPU, one row at a time.

Used by the child process only. What this module does not do: it catches nothing. A model that
the runtime refuses ends the child, and the parent reports what the runtime said.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.variant import Format

Array = NDArray[Any]

# The public module, `executorch.runtime`, imports the whole exporter: 6 s of CPU in every child.
EXECUTORCH_RUNTIME = "executorch.extension.pybindings._C"
"""ExecuTorch's runtime; needs torch to be imported before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """One loaded file with one input and one output.

    Attributes:
        prepare: Hands over one row, [1, ...]; not part of what latency means.
        run: One inference.
        read: The output of the last inference, [1, ...].
    """

    prepare: Callable[[Array], None]
    run: Callable[[], None]
    read: Callable[[], Array]

    def __call__(self, row: Array) -> Array:
        """One inference from a row to its output."""
        self.prepare(row)
        self.run()
        return self.read()


def import_runtime(format: Format) -> None:
    """Load the runtime's own code, which is no variant's fault."""
    match format:
        case Format.LITERT:
            importlib.import_module("ai_edge_litert.interpreter")
        case Format.ONNX | Format.ORT:
            importlib.import_module("onnxruntime")
        case Format.EXECUTORCH:
            importlib.import_module("torch")
            importlib.import_module(EXECUTORCH_RUNTIME)
        case Format.COREML:
            raise ValueError(format.runs_elsewhere)


def load_model(path: str, format: Format, threads: int, *, plain: bool = False) -> Model:
    """Open a file in its runtime.

    Args:
        path: The file.
        format: Decides the runtime.
        threads: Of the runtime.
        plain: Without what makes it fast: LiteRT's own kernels in the place of XNNPACK's, ONNX
            Runtime without rewriting the graph. What apps run is not plain.

    Raises:
        ValueError: it does not have exactly one input and one output, or no machine like this
            one runs the format. The runtimes raise errors of their own for anything else.
    """
    match format:
        case Format.LITERT:
            return _load_litert(path, threads, plain=plain)
        case Format.ONNX | Format.ORT:
            return _load_onnx(path, threads, plain=plain)
        case Format.EXECUTORCH:
            return _load_executorch(path, threads)
        case Format.COREML:
            raise ValueError(format.runs_elsewhere)


def _load_litert(path: str, threads: int, *, plain: bool) -> Model:
    from ai_edge_litert.interpreter import Interpreter, OpResolverType

    kernels = OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES if plain else OpResolverType.AUTO
    interpreter = Interpreter(
        model_path=path, num_threads=threads, experimental_op_resolver_type=kernels
    )
    interpreter.allocate_tensors()
    inlet = _only("input", interpreter.get_input_details())
    outlet = _only("output", interpreter.get_output_details())
    return Model(
        prepare=lambda row: interpreter.set_tensor(inlet["index"], _quantize(row, inlet)),
        run=interpreter.invoke,
        read=lambda: _dequantize(interpreter.get_tensor(outlet["index"]), outlet),
    )


def _load_onnx(path: str, threads: int, *, plain: bool) -> Model:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    if plain:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    inlet = _only("input", session.get_inputs()).name
    outlet = _only("output", session.get_outputs()).name
    feed: dict[str, Array] = {}
    answer: list[Any] = []

    def prepare(row: Array) -> None:
        feed[inlet] = row

    def run() -> None:
        answer[:] = session.run([outlet], feed)

    return Model(prepare=prepare, run=run, read=lambda: answer[0])


def _load_executorch(path: str, threads: int) -> Model:
    import torch

    runtime: Any = importlib.import_module(EXECUTORCH_RUNTIME)
    runtime._unsafe_reset_threadpool(threads)
    method: Any = runtime._load_program(path).load_method("forward")
    ends = method.method_meta()
    _only("input", range(ends.num_inputs()))
    _only("output", range(ends.num_outputs()))
    feed: list[Any] = []
    answer: list[Any] = []

    def prepare(row: Array) -> None:
        feed[:] = [torch.from_numpy(np.ascontiguousarray(row))]

    def run() -> None:
        answer[:] = method.call(feed)

    return Model(prepare=prepare, run=run, read=lambda: answer[0].numpy())


def _only(what: str, tensors: Sequence[Any]) -> Any:
    if len(tensors) != 1:
        raise ValueError(f"the model has {len(tensors)} {what}s; exactly one is supported")
    return tensors[0]


def _quantize(row: Array, tensor: Mapping[str, Any]) -> Array:
    """What a fully integer model takes: round(x / scale) + zero point, clipped to its type."""
    scale, zero_point = tensor["quantization"]
    wanted = np.dtype(tensor["dtype"])
    if row.dtype == wanted or not np.issubdtype(wanted, np.integer) or not scale:
        return row
    limits = np.iinfo(wanted)
    steps: Array = np.clip(np.round(row / scale) + zero_point, limits.min, limits.max)
    return steps.astype(wanted)


def _dequantize(output: Array, tensor: Mapping[str, Any]) -> Array:
    scale, zero_point = tensor["quantization"]
    if not np.issubdtype(output.dtype, np.integer) or not scale:
        return output
    real: Array = (output.astype(np.float32) - zero_point) * scale
    return real.astype(np.float32)

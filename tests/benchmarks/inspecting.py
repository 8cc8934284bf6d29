"""How long ``weighin inspect`` takes on 20 MB, as a whole command: start-up, reading, telling.

Two files of the same network, 60 blocks of a depthwise and a pointwise convolution with random
weights: one ``.tflite``, one ``.onnx``. Every run is a new process.
"""

import math
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from subprocess import run
from typing import Any

import numpy as np
from figures import Figure, present

BLOCKS = 60
CHANNELS = 288
SIDE = 14
RUNS = 7
GOAL_SECONDS = 1.0


def inspect_figures(workdir: Path) -> Iterator[Figure]:
    """The slower of the two files' medians.

    Args:
        workdir: An existing folder for the files.
    """
    files = (tflite(workdir / "network.tflite"), onnx(workdir / "network.onnx"))
    medians = {path: statistics.median(seconds(path) for _ in range(RUNS)) for path in files}
    told = "; ".join(
        f"{path.suffix} of {path.stat().st_size / 1e6:.1f} MB {median:.2f} s"
        for path, median in medians.items()
    )
    yield Figure(
        name="inspect_20mb_seconds",
        value=max(medians.values()),
        goal=GOAL_SECONDS,
        detail=f"medians of {RUNS} whole processes: {told}",
    )


def seconds(path: Path) -> float:
    command = [sys.executable, "-m", "weighin.plugin.cli", "inspect", str(path)]
    started = time.perf_counter()
    run(command, check=True, capture_output=True)
    return time.perf_counter() - started


def _weights(blocks: int) -> Iterator[tuple[Any, Any]]:
    random = np.random.default_rng(5)
    for _ in range(blocks):
        depthwise = random.normal(scale=0.05, size=(1, 3, 3, CHANNELS)).astype(np.float32)
        yield (
            depthwise,
            random.normal(scale=0.05, size=(CHANNELS, 1, 1, CHANNELS)).astype(np.float32),
        )


def tflite(path: Path, blocks: int = BLOCKS) -> Path:
    import flatbuffers  # type: ignore[import-untyped]
    from ai_edge_litert import schema_py_generated as schema

    model: Any = schema.ModelT()
    graph: Any = schema.SubGraphT()
    model.version, model.buffers, model.operatorCodes = 3, [schema.BufferT()], []
    graph.tensors, graph.operators = [], []

    def tensor(shape: tuple[int, ...], data: Any = None) -> int:
        made: Any = schema.TensorT()
        buffer: Any = schema.BufferT()
        if data is not None:
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
        made.shape, made.type, made.name = list(shape), schema.TensorType.FLOAT32, b"t"
        made.buffer = len(model.buffers)
        model.buffers.append(buffer)
        graph.tensors.append(made)
        return len(graph.tensors) - 1

    for name in ("DEPTHWISE_CONV_2D", "CONV_2D"):
        code = schema.OperatorCodeT()
        code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
        model.operatorCodes.append(code)
    now = tensor((1, SIDE, SIDE, CHANNELS))
    graph.inputs = [now]
    for pair in _weights(blocks):
        for code, weight in enumerate(pair):
            operator, out = schema.OperatorT(), tensor((1, SIDE, SIDE, CHANNELS))
            operator.opcodeIndex = code
            operator.inputs, operator.outputs = [now, tensor(weight.shape, weight)], [out]
            graph.operators.append(operator)
            now = out
    graph.outputs, model.subgraphs = [now], [graph]
    builder = flatbuffers.Builder(2**20)
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    path.write_bytes(bytes(builder.Output()))
    return path


def onnx(path: Path, blocks: int = BLOCKS) -> Path:
    from onnx import TensorProto, helper, numpy_helper, save

    nodes, constants, now = [], [], "x"
    for at, (depthwise, pointwise) in enumerate(_weights(blocks)):
        grouped: dict[str, Any] = {"group": CHANNELS, "pads": [1] * 4}
        layers: tuple[tuple[str, Any, dict[str, Any]], ...] = (
            (f"d{at}", depthwise.transpose(3, 0, 1, 2), grouped),
            (f"p{at}", pointwise.transpose(0, 3, 1, 2), {}),
        )
        for name, weight, extra in layers:
            constants.append(numpy_helper.from_array(np.ascontiguousarray(weight), f"{name}.w"))
            nodes.append(helper.make_node("Conv", [now, f"{name}.w"], [name], **extra))
            now = name
    sides = [1, CHANNELS, SIDE, SIDE]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", *sides[1:]])],
        [helper.make_tensor_value_info(now, TensorProto.FLOAT, None)],
        constants,
    )
    opset = [helper.make_opsetid("", 17)]
    save(helper.make_model(graph, opset_imports=opset, ir_version=10), str(path))
    return path


def network_macs() -> int:
    """What either file costs."""
    return BLOCKS * SIDE * SIDE * CHANNELS * (math.prod((3, 3)) + CHANNELS)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        present(lambda: inspect_figures(Path(folder)), __doc__)

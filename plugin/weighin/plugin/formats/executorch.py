"""ExecuTorch programs for its XNNPACK delegate, from the trainable graph.

Quantized by torchao's PT2E flow with ExecuTorch's own XNNPACK quantizer, whose patterns are the
ones that the delegate takes. Takes one row; inputs and outputs stay float32. What describes the
program is a method of its own that returns a text, so an app reads it from the file.
"""

import importlib
import json
import re
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from weighin.gates.meters.models import EXECUTORCH_RUNTIME, import_runtime
from weighin.gates.variant import Format
from weighin.plugin.formats.extras import require
from weighin.plugin.fx import Graph
from weighin.plugin.passes.prune import PassError

INTERFACE_METHOD = "weighin_interface_v1"
_TYPES = {"fp32": "float32", "fp16": "float16", "qint8": "int8", "qcint8": "int8"}


def to_executorch(
    graph: Graph, row: Any, path: Path, quantization: str | None, rows: Any, interface: str
) -> None:
    """Write a graph as a ``.pte`` file.

    Args:
        graph: In inference mode; it is left as it is.
        row: One input row, ``[1, ...]`` float32.
        path: Of the file to write.
        quantization: ``fp16``, ``int8``, ``dynamic_int8``, or ``None`` for float32.
        rows: Calibration rows ``[n, ...]`` float32; used by ``int8`` only.
        interface: The text that describes inputs and outputs.

    Raises:
        PassError: ExecuTorch is not installed, or has no such quantization for XNNPACK.
    """
    require("executorch", "executorch")
    match quantization:
        case None:
            module = graph
        case "fp16":
            module = _half(graph)
        case "int8":
            module = _quantized(graph, row, rows, dynamic=False)
        case "dynamic_int8":
            module = _quantized(graph, row, rows[:1], dynamic=True)
        case other:
            raise PassError(f"ExecuTorch's XNNPACK quantizer has no {other}")
    path.write_bytes(_lower(module, row, interface))


def pte_weights(path: Path) -> Counter[str]:
    """How many weights the delegate's constants hold in each type, such as ``float32``."""
    counts: Counter[str] = Counter()
    for graph in _delegated(path.read_bytes()):
        for value in graph["xvalues"]:
            tensor = value["xvalue_union"]
            tensor = tensor.get("tensor_value", tensor)
            name = _TYPES.get(tensor["datatype"].removeprefix("xnn_datatype_"))
            if tensor.get("constant_buffer_idx", 0) and name is not None:
                count = 1
                for size in tensor.get("dims", ()):
                    count *= int(size)
                counts[name] += count
    return counts


def read_pte_interface(path: Path) -> str | None:
    """The text that :func:`to_executorch` put into a file."""
    import_runtime(Format.EXECUTORCH)
    runtime: Any = importlib.import_module(EXECUTORCH_RUNTIME)
    program: Any = runtime._load_program(str(path))
    names = {program.get_method_name(place) for place in range(program.num_methods())}
    if INTERFACE_METHOD not in names:
        return None
    return str(program.load_method(INTERFACE_METHOD).call(())[0])


def _lower(module: Any, row: Any, interface: str) -> bytes:
    import torch
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower

    program: Any = to_edge_transform_and_lower(
        torch.export.export(module, (row,), strict=False),
        partitioner=[XnnpackPartitioner()],
        constant_methods={INTERFACE_METHOD: interface},
    )
    return bytes(program.to_executorch().buffer)


def _half(graph: Graph) -> Any:
    """A copy that computes in float16 between float32 inputs and outputs."""
    import copy

    import torch

    class Half(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.inner = copy.deepcopy(graph).half()

        def forward(self, x: Any) -> Any:
            return self.inner(x.half()).float()

    return Half().eval()


def _quantized(graph: Graph, row: Any, rows: Any, *, dynamic: bool) -> Any:
    import torch
    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    config: Any = get_symmetric_quantization_config(is_per_channel=True, is_dynamic=dynamic)
    quantizer: Any = XNNPACKQuantizer().set_global(config)
    module: Any = torch.export.export(graph, (row,), strict=False).module()
    prepared: Any = prepare_pt2e(module, quantizer)
    with torch.no_grad():
        for one in torch.from_numpy(rows).split(1):
            prepared(one)
    return convert_pt2e(prepared)


def _delegated(data: bytes) -> Iterator[Mapping[str, Any]]:
    """What was handed to XNNPACK, graph by graph, as ExecuTorch's own schema spells it."""
    from executorch.backends.xnnpack.serialization import xnnpack_graph_serialize
    from executorch.exir._serialize import _flatbuffer
    from executorch.exir._serialize._program import deserialize_pte_binary

    # No public reader of this part of a program exists; the release is pinned.
    xnnpack: Any = xnnpack_graph_serialize
    tool: Any = _flatbuffer
    program: Any = deserialize_pte_binary(data).program
    for blob in program.backend_delegate_data:
        payload = bytes(blob.data)
        header: Any = xnnpack.XNNHeader.from_bytes(payload[: xnnpack.XNNHeader.EXPECTED_LENGTH])
        end = header.flatbuffer_offset + header.flatbuffer_size
        with tempfile.TemporaryDirectory() as folder:
            schema, packed = Path(folder, "schema.fbs"), Path(folder, "graph.bin")
            schema.write_bytes(xnnpack._get_schema_bytes())
            packed.write_bytes(payload[header.flatbuffer_offset : end])
            tool._flatc_decompile(folder, str(schema), str(packed), ["--raw-binary"])
            text = Path(folder, "graph.json").read_text()
        yield json.loads(re.sub(r"(?<=: )-?(?:inf|nan)\b", "0", text))

"""Reads an ONNX file, refuses what no variant can be made from, and brings it to one form.

The form: one float32 input named ``input``, one output named ``output``, no local functions,
operator set 13 or newer, weights inside.

What this module does not do: it runs nothing but ONNX Runtime, and an ONNX file holds no code.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.source import note_open_axes

OLDEST_OPSET = 13
INPUT, OUTPUT = "input", "output"
_DOMAINS = ("", "ai.onnx")


@dataclass(frozen=True, slots=True, kw_only=True)
class OnnxModel:
    """An ONNX model in the form that this module makes.

    Attributes:
        proto: The ``onnx.ModelProto``.
        batch: The batch size that is written into it; ``None`` if it takes any.
        notes: What a reader of the report should know of how it was read.
    """

    proto: Any
    batch: int | None
    notes: tuple[tuple[str, str], ...]


def read_onnx(path: Path) -> OnnxModel:
    """Read a file and bring it to our form.

    Raises:
        SourceError: no ONNX model, several inputs or outputs, another type than float32,
            quantized already, random, or NaN among its weights.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        onnx.checker.check_model(str(path))
        proto = onnx.load(path)
    except (DecodeError, onnx.checker.ValidationError, OSError) as error:
        raise SourceError(f"{path.name} cannot be read as ONNX: {error}") from error
    return normal_form(proto)


def normal_form(proto: Any) -> OnnxModel:
    """Bring a model to our form; see :func:`read_onnx`."""
    from onnx import inliner

    if proto.functions:
        proto = inliner.inline_local_functions(proto)
    inlet, outlet = _ends(proto.graph)
    _refuse_unfit(proto.graph)
    proto = _upgrade(proto)
    _refuse_nan(proto.graph)
    _rename(proto.graph, {inlet: INPUT, outlet: OUTPUT})
    _freeze_initializers(proto.graph)
    switched_off = _inference_mode(proto.graph)
    notes = list(note_open_axes(_input_shape(proto.graph)))
    if switched_off:
        notes.append(("switched_off", f"{', '.join(switched_off)} (left in training mode)"))
    return OnnxModel(proto=proto, batch=_batch(proto.graph), notes=tuple(notes))


def onnx_runner(model: OnnxModel) -> Callable[[Any], Any]:
    """The model in ONNX Runtime: rows ``[n, ...]`` float32 as a tensor to ``[n, ...]`` likewise.

    ``n`` must be the batch size that is written into the model, if there is one.
    """
    import onnxruntime
    import torch

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        model.proto.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda rows: torch.from_numpy(session.run(None, {INPUT: rows.numpy()})[0])


def standard_opset(proto: Any) -> int:
    """Version of the standard operator set that a model uses."""
    return int(next(entry.version for entry in proto.opset_import if entry.domain in _DOMAINS))


def all_nodes(graph: Any) -> Iterator[Any]:
    """The nodes of a graph and of every graph inside of it."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from all_nodes(inner)


def _ends(graph: Any) -> tuple[str, str]:
    """Names of the one input and the one output."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    for what, values in (("inputs", inputs), ("outputs", graph.output)):
        if len(values) != 1:
            names = ", ".join(value.name for value in values)
            raise SourceError(f"the model has {len(values)} {what} ({names}); one is needed")
    import onnx

    kind = inputs[0].type.tensor_type.elem_type
    if kind != onnx.TensorProto.FLOAT:
        name = onnx.TensorProto.DataType.Name(kind).lower()
        raise SourceError(f"the model takes {name}; only float32 inputs are supported so far")
    return inputs[0].name, graph.output[0].name


def _refuse_unfit(graph: Any) -> None:
    for node in all_nodes(graph):
        kind = node.op_type
        marks = ("Quantize" in kind, kind.startswith("QLinear"), kind.endswith("Integer"))
        if any((*marks, kind.endswith("NBits"))):
            raise SourceError(
                f"the registered model is quantized already ({kind}): register the float model "
                "and let the recipes quantize it"
            )
        if kind.startswith(("Random", "Bernoulli", "Multinomial")):
            raise SourceError(f"the model draws random numbers ({kind}): export it for inference")


def _upgrade(proto: Any) -> Any:
    """The same model in an operator set whose axes and bounds are inputs."""
    from onnx import version_converter

    opset = standard_opset(proto)
    if opset >= OLDEST_OPSET:
        return proto
    try:
        return version_converter.convert_version(proto, OLDEST_OPSET)
    except (RuntimeError, version_converter.ConvertError) as error:
        raise SourceError(
            f"operator set {opset} is too old, and it cannot be raised to {OLDEST_OPSET}: {error}"
        ) from error


def _refuse_nan(graph: Any) -> None:
    import numpy as np
    from onnx import numpy_helper

    for tensor in graph.initializer:
        values = numpy_helper.to_array(tensor)
        if np.issubdtype(values.dtype, np.floating) and np.isnan(values).any():
            raise SourceError(f"the weight {tensor.name} holds NaN: the model is broken")


def _rename(graph: Any, names: dict[str, str]) -> None:
    """Give values new names, in this graph and in those inside of it."""
    taken = {name for node in all_nodes(graph) for name in (*node.input, *node.output)}
    names = {new: f"{new}.inner" for new in names.values() if new in taken} | names
    for value in (*graph.input, *graph.output, *graph.value_info, *graph.initializer):
        value.name = names.get(value.name, value.name)
    for node in all_nodes(graph):
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def _freeze_initializers(graph: Any) -> None:
    """Old files list their weights among the inputs, as defaults: they are constants here."""
    weights = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in weights]
    del graph.input[:]
    graph.input.extend(inputs)


def _batch(graph: Any) -> int | None:
    return next(iter(_input_shape(graph)), 0) or None


def _input_shape(graph: Any) -> list[int]:
    """Shape of the input; 0 for sizes that are open."""
    return [int(size.dim_value) for size in graph.input[0].type.tensor_type.shape.dim]


def _inference_mode(graph: Any) -> tuple[str, ...]:
    """Switch off what was exported in training mode; the names of what that was."""
    found: list[str] = []
    for node in all_nodes(graph):
        training = [item for item in node.attribute if item.name == "training_mode" and item.i]
        if node.op_type == "Dropout" and len(node.input) > 2:
            del node.input[2:]
            found.append(node.name or node.op_type)
        elif node.op_type == "BatchNormalization" and training:
            node.attribute.remove(training[0])
            del node.output[1:]
            found.append(node.name or node.op_type)
    return tuple(found)

"""Loads a TensorFlow SavedModel, refuses what could touch the world, and writes it as ONNX.

A SavedModel is a program: its operators can read and write files and call Python. Before it is
loaded, its operators and its object graph are read as data; only then TensorFlow sees it.

What this module does not do: it trains nothing. The ONNX form goes the way of every ONNX file.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.sources.onnx_file import OnnxModel, all_nodes, normal_form

_SIGNATURE = "serving_default"
_OPSET = 18
_CHECKPOINT = frozenset({"SaveV2", "RestoreV2", "MergeV2Checkpoints", "ShardedFilename"})
_HARMLESS = _CHECKPOINT | {
    "AssignVariableOp",
    "Case",
    "DisableCopyOnRead",
    "If",
    "PartitionedCall",
    "Placeholder",
    "ReadVariableOp",
    "ResourceGather",
    "StatefulPartitionedCall",
    "VarHandleOp",
    "VarIsInitializedOp",
    "While",
}
"""Operators that TensorFlow calls stateful, and whose state is the model's own variables.

The functions that they call are read too.
"""
_RANDOM = ("RandomUniform", "RandomStandardNormal", "TruncatedNormal")
"""Operators that are stateful because they count how often they were called."""
_WORLD = ("File", "PyFunc", "Dataset", "Iterator", "Reader", "Immutable", "Remote", "Summary")
"""Words in the names of operators that reach out of the graph, stateful or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedModel:
    """A SavedModel that was loaded.

    Attributes:
        function: The concrete function of the signature that is used.
        keep: The loaded object, which has to live as long as the function.
        batch: The batch size that is written into it; ``None`` if it takes any.
    """

    function: Any
    keep: Any
    batch: int | None


def load_saved_model(folder: Path, *, trusted: bool) -> SavedModel:
    """Load a SavedModel.

    Args:
        folder: With ``saved_model.pb``.
        trusted: Whether its owner allows operators that touch more than the model's variables.

    Raises:
        SourceError: such operators without trust; no signature, or several; several inputs or
            outputs, or other types than float32; quantized already.
    """
    import tensorflow as tf

    if not trusted:
        refuse_dangerous(folder)
    loaded: Any = tf.saved_model.load(str(folder))
    function = _signature(dict(loaded.signatures))
    if not trusted:
        _refuse_files(function)
    return saved_model_of(function, loaded)


def saved_model_of(function: Any, keep: Any) -> SavedModel:
    """A concrete function and the object that its variables belong to.

    Raises:
        SourceError: several inputs or outputs, other types than float32, random, or quantized.
    """
    _refuse_unfit(function)
    ((_, spec),) = _inputs(function).items()
    size = spec.shape[0] if spec.shape.rank else None
    return SavedModel(function=function, keep=keep, batch=None if size is None else int(size))


def run_saved_model(model: SavedModel) -> Callable[[Any], Any]:
    """The model in TensorFlow: rows ``[n, ...]`` float32 as a tensor to ``[n, ...]`` likewise."""
    import tensorflow as tf
    import torch

    (name,) = _inputs(model.function)

    def run(rows: Any) -> Any:
        answer = tf.nest.flatten(model.function(**{name: tf.constant(rows.numpy())}))[0]
        return torch.from_numpy(answer.numpy())

    return run


def saved_model_to_onnx(model: SavedModel) -> OnnxModel:
    """Write a SavedModel as ONNX, with its variables as constants.

    Raises:
        SourceError: an operator that ``tf2onnx`` does not know, or it is not installed.
    """
    try:
        import tf2onnx
    except ModuleNotFoundError as error:
        raise SourceError("tf2onnx, which reads TensorFlow graphs, is not installed") from error
    from tensorflow.python.framework.convert_to_constants import (
        convert_variables_to_constants_v2,
    )

    frozen: Any = convert_variables_to_constants_v2(model.function)
    ends = ([tensor.name for tensor in tensors] for tensors in (frozen.inputs, frozen.outputs))
    names_in, names_out = ends
    try:
        proto, _ = tf2onnx.convert.from_graph_def(
            frozen.graph.as_graph_def(), input_names=names_in, output_names=names_out, opset=_OPSET
        )
    except (ValueError, RuntimeError, KeyError, NotImplementedError) as error:
        raise SourceError(f"tf2onnx cannot write the SavedModel as ONNX: {error}") from error
    _refuse_unknown(proto)
    return normal_form(proto)


def _refuse_unknown(proto: Any) -> None:
    """Operators of TensorFlow that ``tf2onnx`` passed on as they were."""
    import onnx

    known = {schema.name for schema in onnx.defs.get_all_schemas()}
    left = sorted({node.op_type for node in all_nodes(proto.graph)} - known)
    if left:
        raise SourceError(f"tf2onnx has no ONNX for {', '.join(left)}")


def saved_model_to_tflite(model: SavedModel) -> bytes:
    """Write a SavedModel as a float LiteRT file, with TensorFlow's own converter.

    Raises:
        SourceError: an operator that LiteRT does not have.
    """
    import tensorflow as tf
    from tensorflow.lite.python.convert_phase import ConverterError

    converter: Any = tf.lite.TFLiteConverter.from_concrete_functions([model.function], model.keep)
    # Loops keep lists of states, whose shape has to be known: a file for an app takes one row.
    converter._experimental_default_to_single_batch_in_tensor_list_ops = True
    try:
        return bytes(converter.convert())
    except (ValueError, RuntimeError, ConverterError) as error:
        raise SourceError(f"TensorFlow's LiteRT converter refuses the model: {error}") from error


def refuse_dangerous(folder: Path) -> None:
    """Read what a SavedModel would do, without loading it.

    Raises:
        SourceError: it could touch more than its own variables.
    """
    from google.protobuf.message import DecodeError
    from tensorflow.core.protobuf import (
        saved_model_pb2,
    )

    description: Any = saved_model_pb2.SavedModel()
    try:
        description.ParseFromString((folder / "saved_model.pb").read_bytes())
    except DecodeError as error:
        raise SourceError(f"{folder.name}/saved_model.pb is no SavedModel: {error}") from error
    for meta in description.meta_graphs:
        if not meta.HasField("object_graph_def"):
            raise SourceError(_untrusted("was saved by TensorFlow 1, whose graph runs when loaded"))
        _refuse_objects(meta.object_graph_def)
        for name in sorted({node.op for node in _nodes(meta.graph_def)}):
            _refuse_operator(name)


def _refuse_objects(objects: Any) -> None:
    """Objects that run functions of their own while they are loaded."""
    for node in objects.nodes:
        kind = node.WhichOneof("kind")
        if kind == "resource" or node.saveable_objects:
            raise SourceError(_untrusted(f"holds a {kind} that runs when it is loaded"))


def _refuse_operator(name: str) -> None:
    from tensorflow.python.framework import (
        op_def_registry,
    )

    definition: Any = op_def_registry.get(name)
    if definition is None:
        raise SourceError(f"the SavedModel has the operator {name}, which TensorFlow has not")
    harmless = name in _HARMLESS or name.startswith(_RANDOM)
    if not harmless and (definition.is_stateful or any(word in name for word in _WORLD)):
        raise SourceError(_untrusted(f"has the operator {name}, which reaches out of the model"))


def _refuse_files(function: Any) -> None:
    """Checkpoint operators have a place in loading and saving, and none in an inference."""
    found = {node.op for node in _nodes(function.graph.as_graph_def())} & _CHECKPOINT
    if found:
        raise SourceError(_untrusted(f"reads or writes files when it runs ({sorted(found)[0]})"))


def _untrusted(what: str) -> str:
    return f"the SavedModel {what}; set trust_pickle = true if you trust this model"


def _nodes(graph: Any) -> Iterator[Any]:
    yield from graph.node
    for function in graph.library.function:
        yield from function.node_def


def _signature(found: dict[str, Any]) -> Any:
    """The one that serves; else the only one."""
    if _SIGNATURE in found:
        return found[_SIGNATURE]
    if len(found) == 1:
        return next(iter(found.values()))
    names = ", ".join(sorted(found)) or "none"
    raise SourceError(
        f"the SavedModel has {len(found)} signatures ({names}); one is needed, or one that is "
        f"called {_SIGNATURE}"
    )


def _inputs(function: Any) -> dict[str, Any]:
    """The inputs' descriptions by name, however they are passed."""
    by_place, by_name = function.structured_input_signature
    return {**{spec.name: spec for spec in by_place}, **by_name}


def _refuse_unfit(function: Any) -> None:
    inputs = tuple(_inputs(function).values())
    for what, ends in (("inputs", inputs), ("outputs", tuple(function.outputs))):
        if len(ends) != 1:
            raise SourceError(f"the signature has {len(ends)} {what}; one is needed")
        if ends[0].dtype.name != "float32":
            raise SourceError(
                f"the signature has {what} of {ends[0].dtype.name}; only float32 is supported"
            )
    for node in _nodes(function.graph.as_graph_def()):
        if node.op.startswith(_RANDOM):
            raise SourceError(
                f"the model draws random numbers ({node.op}): was it saved with dropout on? Save "
                "it in inference mode"
            )
        if "Quant" in node.op:
            raise SourceError(
                f"the registered model is quantized already ({node.op}): register the float model "
                "and let the recipes quantize it"
            )

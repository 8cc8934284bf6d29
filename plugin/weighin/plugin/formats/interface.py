"""Writes the description of inputs and outputs into a file, and reads it back.

    LiteRT        a metadata entry of the FlatBuffer
    ONNX, ORT     ``metadata_props``
    ExecuTorch    a method that returns it, written with the program itself
    Core ML       ``user_defined_metadata``

``read_interface`` of a described file is what was written.
"""

from pathlib import Path
from typing import Any

from weighin.gates.errors import SourceError
from weighin.gates.variant import Format
from weighin.plugin.describe import (
    ANY_SIZE,
    INTERFACE_KEY,
    Interface,
    Meaning,
    Tensor,
    from_text,
    objection,
    to_text,
)
from weighin.plugin.passes.prune import PassError


def describe_file(path: Path, format: Format, meaning: Meaning) -> Interface:
    """Find out a file's inputs and outputs and write them, with their meaning, into it.

    Args:
        path: The file, changed in place. An ExecuTorch program and an ORT file carry their
            description from the beginning.
        format: Of the file.
        meaning: What the file itself does not know.

    Raises:
        PassError: what is said of the file contradicts it.
    """
    match format:
        case Format.LITERT:
            interface = _checked(_litert_interface(path, meaning))
            _write_litert(path, to_text(interface))
        case Format.ONNX:
            interface = _checked(_onnx_interface(path, meaning))
            _write_onnx(path, to_text(interface))
        case Format.COREML:
            from weighin.plugin.formats.coreml import with_metadata

            interface = _checked(_coreml_interface(path, meaning))
            with_metadata(path, INTERFACE_KEY, to_text(interface))
        case Format.ORT | Format.EXECUTORCH:
            interface = read_interface(path, format)
    return interface


def graph_interface(row: Any, output: Any, meaning: Meaning) -> Interface:
    """The interface of a graph, from one row that goes in and what comes out.

    Raises:
        PassError: what is said of the graph contradicts it.
    """
    ends = (("input", row), ("output", output))
    first, last = (Tensor(name=n, shape=tuple(t.shape), dtype="float32") for n, t in ends)
    return _checked(Interface(inputs=(first,), outputs=(last,), meaning=meaning))


def read_interface(path: Path, format: Format) -> Interface:
    """The description in a file.

    Raises:
        SourceError: there is none.
    """
    text = _read(path, format)
    if text is None:
        raise SourceError(f"{path}: carries no description of its inputs and outputs")
    return from_text(text)


def _checked(interface: Interface) -> Interface:
    reason = objection(interface)
    if reason:
        raise PassError(reason)
    return interface


def _read(path: Path, format: Format) -> str | None:
    match format:
        case Format.LITERT:
            from weighin.plugin.formats.tflite_metadata import read_metadata

            content = read_metadata(path.read_bytes(), INTERFACE_KEY)
            return None if content is None else content.decode()
        case Format.ONNX:
            import onnx

            entries = onnx.load(path, load_external_data=False).metadata_props
            return {entry.key: str(entry.value) for entry in entries}.get(INTERFACE_KEY)
        case Format.ORT:
            props = _session(path).get_modelmeta().custom_metadata_map
            return dict(props).get(INTERFACE_KEY)
        case Format.EXECUTORCH:
            from weighin.plugin.formats.executorch import read_pte_interface

            return read_pte_interface(path)
        case Format.COREML:
            from weighin.plugin.formats.coreml import read_spec

            return dict(read_spec(path).description.metadata.userDefined).get(INTERFACE_KEY)


def _session(path: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _litert_interface(path: Path, meaning: Meaning) -> Interface:
    import numpy as np
    from ai_edge_litert.interpreter import Interpreter

    model: Any = Interpreter(model_path=str(path))

    def tensors(details: Any) -> tuple[Tensor, ...]:
        found: list[Tensor] = []
        for one in details:
            scale, zero_point = one["quantization"]
            found.append(
                Tensor(
                    name=str(one["name"]),
                    shape=tuple(int(side) for side in one["shape_signature"]),
                    dtype=np.dtype(one["dtype"]).name,
                    scale=float(scale) if scale else None,
                    zero_point=int(zero_point) if scale else None,
                )
            )
        return tuple(found)

    return Interface(
        inputs=tensors(model.get_input_details()),
        outputs=tensors(model.get_output_details()),
        meaning=meaning,
    )


def _onnx_interface(path: Path, meaning: Meaning) -> Interface:
    import onnx

    def tensors(values: Any) -> tuple[Tensor, ...]:
        return tuple(
            Tensor(
                name=str(value.name),
                shape=tuple(
                    int(side.dim_value) if side.HasField("dim_value") else ANY_SIZE
                    for side in value.type.tensor_type.shape.dim
                ),
                dtype=onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type).name,
            )
            for value in values
        )

    graph: Any = onnx.load(path, load_external_data=False).graph
    return Interface(inputs=tensors(graph.input), outputs=tensors(graph.output), meaning=meaning)


def _coreml_interface(path: Path, meaning: Meaning) -> Interface:
    from weighin.plugin.formats.coreml import read_spec

    described = read_spec(path).description
    from coremltools.proto import FeatureTypes_pb2

    kinds: Any = FeatureTypes_pb2
    types: Any = kinds.ArrayFeatureType.ArrayDataType

    def tensors(features: Any) -> tuple[Tensor, ...]:
        return tuple(
            Tensor(
                name=str(feature.name),
                shape=tuple(int(side) for side in feature.type.multiArrayType.shape),
                dtype=str(types.Name(feature.type.multiArrayType.dataType)).lower(),
            )
            for feature in features
        )

    return Interface(
        inputs=tensors(described.input), outputs=tensors(described.output), meaning=meaning
    )


def _write_litert(path: Path, text: str) -> None:
    from weighin.plugin.formats.tflite_metadata import add_metadata

    add_metadata(path, INTERFACE_KEY, text.encode())


def _write_onnx(path: Path, text: str) -> None:
    import onnx

    model: Any = onnx.load(path)
    kept = [entry for entry in model.metadata_props if entry.key != INTERFACE_KEY]
    del model.metadata_props[:]
    model.metadata_props.extend(kept)
    model.metadata_props.add(key=INTERFACE_KEY, value=text)
    onnx.save(model, path)

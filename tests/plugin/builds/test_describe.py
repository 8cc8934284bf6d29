"""What is written about inputs and outputs is what is read, in every format that is a file."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from weighin.gates.errors import SourceError
from weighin.gates.meters.models import load_model
from weighin.gates.variant import Format
from weighin.plugin.describe import (
    ANY_SIZE,
    Interface,
    Meaning,
    Preprocessing,
    Tensor,
    from_text,
    to_text,
)
from weighin.plugin.formats.interface import describe_file, read_interface
from weighin.plugin.formats.ort import to_ort
from weighin.plugin.formats.tflite_metadata import add_metadata, read_metadata
from weighin.plugin.passes.prune import PassError

LABELS = ("top left", "top right", "unten links", "右下")
MEANING = Meaning(
    preprocessing=Preprocessing(text="one channel", scale=1 / 255, mean=(0.5,), std=(0.25,)),
    labels=LABELS,
)
number = st.floats(allow_nan=False, allow_infinity=False)
tensor = st.builds(
    Tensor,
    name=st.text(),
    shape=st.lists(st.integers(ANY_SIZE, 9), min_size=1).map(tuple),
    dtype=st.sampled_from(["float32", "int8"]),
    scale=st.none() | number,
    zero_point=st.none() | st.integers(-128, 127),
)
numbers = st.lists(number, max_size=3).map(tuple)
preprocessing = st.builds(
    Preprocessing, text=st.text(), scale=st.none() | number, mean=numbers, std=numbers
)
interfaces = st.builds(
    Interface,
    inputs=st.lists(tensor, max_size=2).map(tuple),
    outputs=st.lists(tensor, min_size=1, max_size=2).map(tuple),
    meaning=st.builds(
        Meaning, preprocessing=preprocessing, labels=st.lists(st.text(), max_size=3).map(tuple)
    ),
)


@given(interfaces)
def test_a_text_says_what_the_interface_says(interface: Interface) -> None:
    assert from_text(to_text(interface)) == interface


@given(st.text())
def test_any_other_text_is_refused(text: str) -> None:
    with pytest.raises(SourceError, match="not a description"):
        from_text(text)


@pytest.fixture
def litert(tiny_tflite: Path) -> bytes:
    """A file without a description."""
    return tiny_tflite.read_bytes()


def answer(path: Path, format: Format) -> Any:
    row = np.random.default_rng(0).random((1, 8), np.float32)
    return np.array(load_model(str(path), format, 1)(row))


def test_a_litert_file_keeps_every_byte_behind_its_description(
    tmp_path: Path, litert: bytes
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(litert)
    before = answer(path, Format.LITERT)
    interface = describe_file(path, Format.LITERT, Meaning(labels=LABELS[:3]))
    data = path.read_bytes()
    assert data.endswith(litert)
    assert (len(data) - len(litert)) % 64 == 0
    assert read_interface(path, Format.LITERT) == interface
    assert interface.inputs[0].shape == (1, 8)
    assert (answer(path, Format.LITERT) == before).all()


def weights_behind(tflite: bytes) -> bytes:
    """The same file with its weights after the FlatBuffer, named by their place in the file."""
    schema: Any = import_module("ai_edge_litert.schema_py_generated")
    flatbuffers: Any = import_module("flatbuffers")
    model = schema.ModelT.InitFromPackedBuf(tflite, 0)
    held = max((one for one in model.buffers if one.data is not None), key=lambda b: len(b.data))
    weights, held.data = bytes(held.data), None
    held.size, held.offset = len(weights), 2**20
    held.offset = len(packed(model, flatbuffers.Builder(1024)))
    return packed(model, flatbuffers.Builder(1024)) + weights


def packed(model: Any, builder: Any) -> bytes:
    builder.Finish(model.Pack(builder), b"TFL3")
    data = bytes(builder.Output())
    return data + bytes(-len(data) % 64)


def test_weights_behind_the_flatbuffer_are_found_at_their_new_place(
    tmp_path: Path, litert: bytes
) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(litert)
    before = answer(path, Format.LITERT)
    path.write_bytes(weights_behind(litert))
    for labels in (LABELS[:3], ("a", "b", "c")):
        interface = describe_file(path, Format.LITERT, Meaning(labels=labels))
        assert read_interface(path, Format.LITERT) == interface
        assert (answer(path, Format.LITERT) == before).all()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.binary(max_size=99)), max_size=5))
def test_the_last_content_of_each_metadata_entry_is_read(
    tiny_tflite: Path, entries: list[tuple[str, bytes]]
) -> None:
    path = tiny_tflite.with_name("metadata.tflite")
    path.write_bytes(tiny_tflite.read_bytes())
    for key, content in entries:
        add_metadata(path, key, content)
    data = path.read_bytes()
    assert {key: read_metadata(data, key) for key in dict(entries)} == dict(entries)
    assert data.endswith(tiny_tflite.read_bytes())


def test_writing_the_same_description_again_changes_nothing(tmp_path: Path, litert: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(litert)
    describe_file(path, Format.LITERT, Meaning())
    once = path.read_bytes()
    describe_file(path, Format.LITERT, Meaning())
    assert path.read_bytes() == once


def test_a_file_without_a_description_says_so(tmp_path: Path, litert: bytes) -> None:
    path = tmp_path / "model.tflite"
    path.write_bytes(litert)
    with pytest.raises(SourceError, match="carries no description"):
        read_interface(path, Format.LITERT)


def onnx_file(path: Path) -> Path:
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, ["batch", 4])
        for name in ("input", "output")
    ]
    graph = helper.make_graph(
        [helper.make_node("Relu", ["input"], ["output"])], "net", *ends_of(ends)
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path
    )
    return path


def ends_of(ends: list[Any]) -> tuple[list[Any], list[Any]]:
    return ends[:1], ends[1:]


def test_an_ort_file_says_what_its_onnx_file_says(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "model.onnx")
    interface = describe_file(path, Format.ONNX, MEANING)
    assert interface.outputs[0] == Tensor(name="output", shape=(ANY_SIZE, 4), dtype="float32")
    to_ort(path, tmp_path / "model.ort", half=False)
    assert read_interface(path, Format.ONNX) == interface
    assert describe_file(tmp_path / "model.ort", Format.ORT, MEANING) == interface


def test_labels_for_other_outputs_are_refused(tmp_path: Path) -> None:
    path = onnx_file(tmp_path / "model.onnx")
    with pytest.raises(PassError, match="5 labels for 4 outputs"):
        describe_file(path, Format.ONNX, Meaning(labels=(*LABELS, "one too many")))

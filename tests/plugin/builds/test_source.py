"""Telling what a registered model is from its files."""

import json
from pathlib import Path

import pytest

from weighin.gates.errors import SourceError
from weighin.plugin.source import SourceKind, content_digest, inspect_source, note_open_axes

SIGNATURE = '[{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 1, 8, 8]}}]'
TORCH = {"pytorch": {"model_data": "data", "code": None}, "python_function": {}}
KERAS = {"tensorflow": {"data": "data", "model_type": "keras"}, "python_function": {}}
KERAS3 = {"keras": {"data": "data", "keras_backend": "jax"}, "python_function": {}}
ONNX = {"onnx": {"data": "model.onnx"}, "python_function": {}}


def model(folder: Path, flavors: object, *files: str, inputs: str | None = SIGNATURE) -> Path:
    """A folder of artifacts; JSON is YAML too."""
    folder.mkdir(parents=True, exist_ok=True)
    document: dict[str, object] = {"flavors": flavors, "model_uuid": folder.name}
    if inputs is not None:
        document["signature"] = {"inputs": inputs}
    (folder / "MLmodel").write_text(json.dumps(document))
    for name in files:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder


@pytest.mark.parametrize(
    ("flavors", "file", "kind"),
    [
        pytest.param(TORCH, "data/model.pt2", SourceKind.TORCH_PROGRAM, id="torch program"),
        pytest.param(TORCH, "data/model.pth", SourceKind.TORCH_PICKLE, id="torch pickle"),
        pytest.param(KERAS, "data/model.keras", SourceKind.KERAS, id="keras"),
        pytest.param(KERAS3, "data/model.keras", SourceKind.KERAS, id="keras, its own flavor"),
        pytest.param(KERAS, "data/model.h5", SourceKind.KERAS_H5, id="keras 2"),
        pytest.param(ONNX, "model.onnx", SourceKind.ONNX, id="onnx"),
    ],
)
def test_the_kind_is_told_by_the_file_that_is_there(
    tmp_path: Path, flavors: object, file: str, kind: SourceKind
) -> None:
    source = inspect_source(model(tmp_path, flavors, file), trust_pickle=True)
    assert source.kind is kind
    assert source.model_file == file
    assert source.row_shape == (1, 8, 8)
    assert source.input_dtype == "float32"


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        pytest.param((None, 3, 32, 32), "", id="any number of rows"),
        pytest.param((1, 3, "h", "w"), "2, 3", id="names"),
        pytest.param((None, None, 1), "1", id="nothing"),
        pytest.param((0, 28, 0), "2", id="zero"),
    ],
)
def test_sizes_that_a_model_leaves_open_are_noted(shape: tuple[object, ...], axes: str) -> None:
    notes = dict(note_open_axes(shape))
    assert notes.keys() == ({"sizes"} if axes else set())
    assert f"axes {axes} open" in notes.get("sizes", "axes  open")


@pytest.mark.parametrize(
    ("flavors", "folder"),
    [
        pytest.param(KERAS, "data/model", id="keras 2"),
        pytest.param(KERAS3, "data/model", id="keras 3, exported"),
        pytest.param({"tensorflow": {"saved_model_dir": "tf2model"}}, "tf2model", id="module"),
    ],
)
def test_a_saved_model_is_a_folder(tmp_path: Path, flavors: object, folder: str) -> None:
    source = inspect_source(model(tmp_path, flavors, f"{folder}/saved_model.pb"))
    assert source.kind is SourceKind.SAVED_MODEL
    assert source.model_file == folder


def test_a_model_without_signature_leaves_the_shape_to_the_data(tmp_path: Path) -> None:
    source = inspect_source(model(tmp_path, TORCH, "data/model.pt2", inputs=None))
    assert source.row_shape is None
    assert source.input_dtype is None


@pytest.mark.parametrize(
    ("flavors", "files"),
    [
        pytest.param(TORCH, ("data/model.pth",), id="pickled module"),
        pytest.param(
            KERAS,
            ("data/model.keras", "data/custom_objects.cloudpickle"),
            id="keras custom objects",
        ),
    ],
)
def test_code_is_refused_without_the_owners_word(
    tmp_path: Path, flavors: object, files: tuple[str, ...]
) -> None:
    with pytest.raises(SourceError, match="trust_pickle = true"):
        inspect_source(model(tmp_path, flavors, *files))
    assert inspect_source(tmp_path, trust_pickle=True).trusted


@pytest.mark.parametrize(
    ("flavors", "inputs", "words"),
    [
        pytest.param({"sklearn": {}}, SIGNATURE, "flavors: sklearn", id="another flavor"),
        pytest.param({}, SIGNATURE, "flavors: none", id="no flavor"),
        pytest.param(
            {"tensorflow": {"data": "../elsewhere"}}, SIGNATURE, "outside", id="leads outside"
        ),
        pytest.param(TORCH, SIGNATURE.replace("float32", "int64"), "int64", id="wrong dtype"),
        pytest.param(TORCH, f"{SIGNATURE[:-1]},{SIGNATURE[1:]}", "2 inputs", id="two inputs"),
    ],
)
def test_what_cannot_be_used_is_refused_with_the_reason(
    tmp_path: Path, flavors: object, inputs: str, words: str
) -> None:
    with pytest.raises(SourceError, match=words):
        inspect_source(model(tmp_path, flavors, "data/model.pt2", inputs=inputs))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="no MLmodel"):
        inspect_source(tmp_path)
    (tmp_path / "MLmodel").write_text("{ not: [ yaml")
    with pytest.raises(SourceError, match="not YAML"):
        inspect_source(tmp_path)


def test_the_same_model_registered_twice_has_the_same_digest(tmp_path: Path) -> None:
    first = model(tmp_path / "a", TORCH, "data/model.pt2")
    again = model(tmp_path / "b", TORCH, "data/model.pt2", "registered_model_meta")
    assert content_digest(first) == content_digest(again)


def test_any_other_content_has_another_digest(tmp_path: Path) -> None:
    digests = {
        content_digest(model(tmp_path / "a", TORCH, "data/model.pt2")),
        content_digest(model(tmp_path / "b", TORCH, "data/model.pth")),
        content_digest(model(tmp_path / "c", TORCH, "data/model.pt2", "data/more")),
    }
    (tmp_path / "a" / "data" / "model.pt2").write_text("content of data/model.pt3")
    assert len({*digests, content_digest(tmp_path / "a")}) == 4

"""What a registered model is, read from its files without running any of them.

What this module does not do: it loads no model and imports no MLflow. ``MLmodel`` is a YAML
file, and the rest is told by file names.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from weighin.gates.errors import SourceError


class SourceKind(StrEnum):
    """How a registered model is stored, which decides how it is loaded."""

    TORCH_PROGRAM = "torch-pt2"
    TORCH_PICKLE = "torch-pickle"
    KERAS = "keras3"
    KERAS_H5 = "keras2-h5"
    SAVED_MODEL = "tensorflow-savedmodel"
    ONNX = "onnx"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One registered model's files.

    Attributes:
        directory: Where its artifacts were downloaded to.
        kind: How it is stored.
        flavor: The MLflow flavor, such as ``pytorch``.
        model_file: The file to load, relative to ``directory``.
        code: Folders that the pickle needs on its path, relative to ``directory``.
        row_shape: Shape of one input row as its signature says, without the batch axis; ``None``
            without a signature, ``-1`` for sizes that it leaves open.
        input_dtype: NumPy name of the input's type as its signature says.
        digest: SHA-256 over the content of its files.
        trusted: Whether the owner allowed code in it to run.
    """

    directory: Path
    kind: SourceKind
    flavor: str
    model_file: str
    code: tuple[str, ...]
    row_shape: tuple[int, ...] | None
    input_dtype: str | None
    digest: str
    trusted: bool


def inspect_source(directory: Path, *, trust_pickle: bool = False) -> Source:
    """Find out what a folder of MLflow model artifacts holds.

    Args:
        directory: The folder with the ``MLmodel`` file.
        trust_pickle: Whether the model's owner allows its pickled code to run (in a child
            process without secrets).

    Raises:
        SourceError: not a model that variants can be made from, or it needs trust it has not.
    """
    description = _read_mlmodel(directory)
    flavors = _mapping(description.get("flavors"))
    flavor, kind, file = _recognise(directory, flavors)
    settings = _mapping(flavors[flavor])
    _refuse_code(directory, kind, file, trusted=trust_pickle)
    row_shape, dtype = _signature(_mapping(description.get("signature")))
    if dtype not in (None, "float32"):
        raise SourceError(f"the model takes {dtype}; only float32 inputs are supported so far")
    code = settings.get("code")
    return Source(
        directory=directory,
        kind=kind,
        flavor=flavor,
        model_file=str(file.relative_to(directory)),
        code=(str(_inside(directory, code).relative_to(directory)),) if code else (),
        row_shape=row_shape,
        input_dtype=dtype,
        digest=content_digest(directory),
        trusted=trust_pickle,
    )


def note_open_axes(shape: Sequence[object]) -> tuple[tuple[str, str], ...]:
    """A note for the report if a model takes inputs of other sizes than the data has.

    Args:
        shape: Of its input, the batch axis first; a positive whole number where it is fixed.
    """
    free = [n for n, size in enumerate(shape) if n and not (isinstance(size, int) and size > 0)]
    if not free:
        return ()
    axes = ", ".join(map(str, free))
    return (("sizes", f"the model leaves the sizes of axes {axes} open; its files do not"),)


def content_digest(directory: Path) -> str:
    """SHA-256 over the names and contents of a model's files.

    ``MLmodel`` and ``registered_model_meta`` are left out: MLflow writes run ids and versions
    into them, and the same model registered twice is the same model.
    """
    digest = hashlib.sha256()
    for path in sorted(_content(directory), key=lambda p: p.relative_to(directory).as_posix()):
        name = path.relative_to(directory).as_posix()
        with path.open("rb") as stream:
            digest.update(f"{name}\0".encode())
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _content(directory: Path) -> Iterator[Path]:
    apart = ("MLmodel", "registered_model_meta")
    for path in directory.rglob("*"):
        inside = path.relative_to(directory).as_posix()
        if path.is_file() and inside not in apart and "__pycache__" not in path.parts:
            yield path


def _read_mlmodel(directory: Path) -> Mapping[str, object]:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    path = directory / "MLmodel"
    try:
        return _mapping(YAML(typ="safe").load(path.read_text()))
    except FileNotFoundError as error:
        raise SourceError(f"{directory} holds no MLmodel file: not an MLflow model") from error
    except YAMLError as error:
        raise SourceError(f"{path} is not YAML: {error}") from error


def _recognise(directory: Path, flavors: Mapping[str, object]) -> tuple[str, SourceKind, Path]:
    """The flavor, the kind and the file, from the file that is really there."""
    if "pytorch" in flavors:
        data = _inside(directory, _mapping(flavors["pytorch"]).get("model_data", "data"))
        for name, kind in (
            ("model.pt2", SourceKind.TORCH_PROGRAM),
            ("model.pth", SourceKind.TORCH_PICKLE),
        ):
            if (data / name).is_file():
                return "pytorch", kind, data / name
    for flavor in [name for name in ("tensorflow", "keras") if name in flavors]:
        for path, kind in _tensorflow_files(directory, _mapping(flavors[flavor])):
            if path.is_file() or (path / "saved_model.pb").is_file():
                return flavor, kind, path
    if "onnx" in flavors:
        path = _inside(directory, _mapping(flavors["onnx"]).get("data", "model.onnx"))
        if path.is_file():
            return "onnx", SourceKind.ONNX, path
    names = ", ".join(sorted(set(flavors) - {"python_function"})) or "none"
    raise SourceError(
        f"no model that variants can be made from (flavors: {names}); supported are PyTorch "
        "models (model.pt2 or model.pth), Keras models (model.keras or model.h5), TensorFlow "
        "SavedModels and ONNX models"
    )


def _tensorflow_files(
    directory: Path, settings: Mapping[str, object]
) -> tuple[tuple[Path, SourceKind], ...]:
    """Where MLflow puts what it logs as ``tensorflow`` or ``keras``, over its versions."""
    data = _inside(directory, settings.get("data", "data"))
    module = _inside(directory, settings.get("saved_model_dir", "tf2model"))
    return (
        (data / "model.keras", SourceKind.KERAS),
        (data / "model.h5", SourceKind.KERAS_H5),
        (data / "model", SourceKind.SAVED_MODEL),
        (module, SourceKind.SAVED_MODEL),
    )


def _inside(directory: Path, name: object) -> Path:
    """A path that ``MLmodel`` names, which must not lead out of the model's folder."""
    path = directory / str(name)
    if not path.resolve().is_relative_to(directory.resolve()):
        raise SourceError(f"MLmodel names {name}, which is outside of the model's folder")
    return path


def _refuse_code(directory: Path, kind: SourceKind, file: Path, *, trusted: bool) -> None:
    """Pickles run code when they are loaded: only with the owner's word."""
    pickles = [file] if kind is SourceKind.TORCH_PICKLE else []
    pickles += sorted(file.parent.glob("*custom_objects.cloudpickle"))
    if pickles and not trusted:
        raise SourceError(
            f"{pickles[0].relative_to(directory)} is a pickle, and loading it runs the code in "
            "it; set trust_pickle = true for this model, or log it in a format without code "
            "(PyTorch: serialization_format='pt2' with an input_example)"
        )


def _signature(signature: Mapping[str, object]) -> tuple[tuple[int, ...] | None, str | None]:
    """Shape of one row and dtype; ``None`` for what the signature does not say."""
    text = signature.get("inputs")
    inputs: object = json.loads(text) if isinstance(text, str) else []
    if not isinstance(inputs, list) or not inputs:
        return None, None
    if len(inputs) > 1:
        raise SourceError(f"the model has {len(inputs)} inputs; only one is supported so far")
    tensor = _mapping(_mapping(inputs[0]).get("tensor-spec"))
    shape = tensor.get("shape")
    row = tuple(int(str(size)) for size in shape[1:]) if isinstance(shape, list) else None
    return row, str(tensor["dtype"]) if "dtype" in tensor else None


def _mapping(value: object) -> Mapping[str, object]:
    """A YAML or JSON mapping, or an empty one for whatever else is there."""
    return {str(key): item for key, item in value.items()} if isinstance(value, dict) else {}

"""Loads a Keras 2 ``.h5`` file: with Keras 3 on PyTorch where it can, else with ``tf_keras``.

What this module does not do: it decides nothing about trust. It says which parts of the file
would run code, by reading its configuration as data.
"""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from weighin.gates.errors import SourceError
from weighin.plugin.sources.saved_model import SavedModel, saved_model_of

_ARITHMETIC = re.compile(
    r"(math|nn|linalg|__operators__)\.\w+|cast|concat|expand_dims|identity|pad|reshape|squeeze|stack"
    r"|tile|transpose|where|clip_by_value|split|slice|strided_slice"
)
"""TensorFlow functions that a layer may name: they compute, and do nothing else."""
_MODULES = ("keras", "tf_keras", "tensorflow.keras", "tensorflow.python.keras", "builtins")


def refuse_code(path: Path) -> None:
    """Read a file's configuration without loading it.

    Raises:
        SourceError: it is no Keras model, or it holds functions or foreign classes.
    """
    for part in _parts(_configuration(path)):
        name, module = str(part.get("class_name")), part.get("module")
        if name.endswith("OpLambda") and _is_arithmetic(part):
            continue
        if "lambda" in name.lower():
            what = f"a {name} layer, which is code"
        elif module is not None and not str(module).startswith(_MODULES):
            what = f"the class {module}.{name}, which is code"
        else:
            continue
        raise SourceError(
            f"{path.name} holds {what}; set trust_pickle = true if you trust this model"
        )


def load_with_keras(path: Path, *, trusted: bool) -> Any:
    """The model as a PyTorch module, if Keras 3 understands the file.

    Raises:
        SourceError: it does not.
    """
    os.environ["KERAS_BACKEND"] = "torch"  # read once, when keras is imported
    import keras

    try:
        model: Any = keras.models.load_model(path, compile=False, safe_mode=not trusted)
    except (TypeError, ValueError, KeyError, NotImplementedError) as error:
        raise SourceError(f"Keras 3 cannot load {path.name}: {error}") from error
    return model.eval()


def load_with_tf_keras(path: Path) -> SavedModel:
    """The model as TensorFlow sees it, through Keras 2.

    Raises:
        SourceError: ``tf_keras`` is not installed, or cannot load the file either.
    """
    import tensorflow as tf

    try:
        import tf_keras
    except ModuleNotFoundError as error:
        raise SourceError("tf_keras, which loads what Keras 3 cannot, is not installed") from error
    try:
        model: Any = tf_keras.models.load_model(path, compile=False)
    except (TypeError, ValueError, KeyError, NotImplementedError) as error:
        first = str(error).strip().splitlines()[0]
        raise SourceError(f"tf_keras cannot load {path.name}: {first}") from error
    if len(model.inputs) != 1:
        raise SourceError(f"the model has {len(model.inputs)} inputs; one is needed")
    wanted = tf.TensorSpec(model.inputs[0].shape, tf.float32, name="rows")

    def infer(rows: Any) -> Any:
        return {"output": model(rows, training=False)}

    function: Any = tf.function(infer, input_signature=[wanted])
    return saved_model_of(function.get_concrete_function(), model)


def _is_arithmetic(part: dict[str, object]) -> bool:
    """A layer that Keras 2 makes of ``x * 2``: it names a function of TensorFlow."""
    configuration = part.get("config")
    function = configuration.get("function") if isinstance(configuration, dict) else None
    known = part.get("class_name") in ("TFOpLambda", "SlicingOpLambda")
    return known and _ARITHMETIC.fullmatch(str(function)) is not None


def _configuration(path: Path) -> object:
    import h5py

    try:
        with h5py.File(path, "r") as file:
            text = file.attrs.get("model_config")
    except OSError as error:
        raise SourceError(f"{path.name} cannot be read as HDF5: {error}") from error
    if text is None:
        raise SourceError(f"{path.name} holds weights only; save the whole model")
    return json.loads(text)


def _parts(value: object) -> Iterator[dict[str, object]]:
    """Every description of an object in a configuration."""
    if isinstance(value, dict):
        if "class_name" in value:
            yield value
        for inner in value.values():
            yield from _parts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _parts(inner)

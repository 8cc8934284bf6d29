"""SavedModels and Keras 2 files: read as data first, then loaded, then the same as every source."""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from weighin.gates.errors import SourceError
from weighin.plugin.graph import same_outputs, to_graph
from weighin.plugin.source import SourceKind, inspect_source
from weighin.plugin.sources.foreign import load_foreign
from weighin.plugin.sources.keras_h5 import refuse_code
from weighin.plugin.sources.onnx_module import onnx_module
from weighin.plugin.sources.saved_model import load_saved_model

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    tf: Any = pytest.importorskip("tensorflow")
    tf_keras: Any = pytest.importorskip("tf_keras")
    pytest.importorskip("tf2onnx")

Layer = Callable[[Any], Any]
SHAPE = (6, 6, 1)


def module(function: Layer, shape: tuple[int | None, ...] = (None, *SHAPE)) -> Any:
    """A TensorFlow module with one convolution, a function, and four scores."""
    kernel = tf.Variable(tf.random.stateless_normal((3, 3, 1, 4), (1, 2)))
    dense = tf.Variable(tf.random.stateless_normal((36, 4), (3, 4)))

    def infer(rows: Any) -> Any:
        hidden = tf.nn.relu(tf.nn.conv2d(rows, kernel, 2, "SAME"))
        return tf.nn.softmax(tf.reshape(function(hidden), (-1, 36)) @ dense)

    made = tf.Module()
    made.kernel, made.dense = kernel, dense
    made.infer = tf.function(infer, input_signature=[tf.TensorSpec(shape, tf.float32)])
    return made


def saved(folder: Path, function: Layer, **more: Any) -> Path:
    made = module(function)
    tf.saved_model.save(made, str(folder), more or {"serving_default": made.infer})
    return folder


def x(count: int = 3) -> Any:
    return torch.from_numpy(np.random.default_rng(0).random((count, *SHAPE), np.float32))


def prove(kind: SourceKind, path: Path) -> Any:
    foreign = load_foreign(kind, path, trusted=False)
    graph = to_graph(onnx_module(foreign.to_onnx().proto), x(2))
    same_outputs(foreign.run, graph, x())
    assert foreign.to_tflite is not None
    assert len(foreign.to_tflite()) > 1000
    return graph


def test_a_saved_model_takes_the_same_rows_as_before(tmp_path: Path) -> None:
    graph = prove(SourceKind.SAVED_MODEL, saved(tmp_path / "m", tf.nn.relu6))
    assert sorted(tuple(w.shape) for w in graph.parameters()) == [(4, 1, 3, 3), (4, 36)]


def effect(write: Callable[[Any], Any]) -> Layer:
    def layer(hidden: Any) -> Any:
        with tf.control_dependencies([write(hidden)]):
            return hidden + 0.0

    return layer


def reads(hidden: Any) -> Any:
    return hidden + tf.strings.to_number(tf.io.read_file("/etc/hostname"))


def saves(hidden: Any) -> Any:
    return tf.raw_ops.SaveV2(
        prefix="stolen", tensor_names=["a"], shape_and_slices=[""], tensors=[hidden]
    )


def writes_in_a_loop(hidden: Any) -> Any:
    def body(place: Any, value: Any) -> Any:
        with tf.control_dependencies([tf.io.write_file("stolen", "")]):
            return place + 1, value + 0.0

    return tf.while_loop(lambda place, _: place < 2, body, [0, hidden])[1]


def python(hidden: Any) -> Any:
    return tf.ensure_shape(tf.numpy_function(np.abs, [hidden], tf.float32), (None, 3, 3, 4))


def dropout(hidden: Any) -> Any:
    return tf.nn.dropout(hidden, 0.5)


@pytest.mark.parametrize(
    ("function", "words"),
    [
        pytest.param(effect(lambda _: tf.io.write_file("stolen", "")), "WriteFile", id="writes"),
        pytest.param(writes_in_a_loop, "WriteFile", id="writes in a loop"),
        pytest.param(reads, "ReadFile", id="reads"),
        pytest.param(python, "PyFunc", id="python"),
        pytest.param(effect(saves), r"when it runs \(SaveV2\)", id="saves while it runs"),
        pytest.param(dropout, "random numbers", id="dropout left on"),
        pytest.param(tf.quantization.fake_quant_with_min_max_args, "quantized already", id="fake"),
    ],
)
def test_a_saved_model_that_does_more_than_compute_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, function: Layer, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SourceError, match=words):
        load_saved_model(saved(tmp_path / "m", function), trusted=False)
    assert not list(tmp_path.glob("stolen*"))


def loop(hidden: Any) -> Any:
    """As recurrent layers do it: states are kept in a list."""
    states = tf.TensorArray(tf.float32, size=3, element_shape=(None, 3, 4))
    for place in tf.range(3):
        states = states.write(place, hidden[:, place])
    return tf.transpose(states.stack(), (1, 0, 2, 3))


def test_a_loop_is_no_danger_and_has_a_litert_file(tmp_path: Path) -> None:
    foreign = load_foreign(SourceKind.SAVED_MODEL, saved(tmp_path / "m", loop), trusted=False)
    assert foreign.run(x(1)).shape == (1, 4)
    assert foreign.to_tflite is not None
    assert len(foreign.to_tflite()) > 1000
    with pytest.raises(SourceError, match="tf2onnx has no ONNX for TensorList"):
        foreign.to_onnx()


def test_trust_lets_a_saved_model_read_files(tmp_path: Path) -> None:
    loaded = load_saved_model(saved(tmp_path / "m", reads), trusted=True)
    assert loaded.batch is None


def test_a_table_that_would_be_filled_while_loading_is_refused(tmp_path: Path) -> None:
    made = module(tf.nn.relu6)
    keys, values = tf.constant([1], tf.int64), tf.constant([2], tf.int64)
    made.table = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), 0)
    tf.saved_model.save(made, str(tmp_path / "m"), made.infer)
    with pytest.raises(SourceError, match="trust_pickle = true"):
        load_saved_model(tmp_path / "m", trusted=False)


def test_of_several_signatures_one_has_to_serve(tmp_path: Path) -> None:
    made = module(tf.nn.relu6)
    both = {"first": made.infer, "second": made.infer}
    tf.saved_model.save(made, str(tmp_path / "m"), both)
    with pytest.raises(SourceError, match=r"2 signatures \(first, second\)"):
        load_saved_model(tmp_path / "m", trusted=False)


def test_a_broken_saved_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "saved_model.pb").write_bytes(b"not a model at all")
    with pytest.raises(SourceError, match="no SavedModel"):
        load_saved_model(tmp_path, trusted=False)


def keras2(*layers: Any) -> Any:
    return tf_keras.Sequential([tf_keras.Input(SHAPE), *layers, tf_keras.layers.Dense(4)])


def test_what_only_keras_2_loads_comes_by_way_of_onnx(tmp_path: Path) -> None:
    kit = tf_keras.layers
    model = keras2(
        kit.SeparableConv2D(4, 3, padding="same"), kit.BatchNormalization(), kit.Flatten()
    )
    rows = model.layers[0].input
    model = tf_keras.Model(rows, model.output * 2.0 + 1.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the format is old; that is the point
        model.save(tmp_path / "model.h5")
    prove(SourceKind.KERAS_H5, tmp_path / "model.h5")


@pytest.mark.parametrize(
    ("layer", "words"),
    [
        pytest.param(lambda kit: kit.Lambda(lambda v: v * 2), "Lambda", id="a Python function"),
        pytest.param(lambda kit: kit.Flatten(), "", id="nothing but layers"),
    ],
)
def test_code_in_a_keras_2_file_is_found_without_loading_it(
    tmp_path: Path, layer: Layer, words: str
) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        keras2(layer(tf_keras.layers)).save(tmp_path / "model.h5")
    if not words:
        refuse_code(tmp_path / "model.h5")
        return
    with pytest.raises(SourceError, match=words):
        refuse_code(tmp_path / "model.h5")


def test_mlflow_puts_a_module_where_it_is_looked_for(tmp_path: Path) -> None:
    from mlflow import tensorflow as flavor

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        flavor.save_model(module(tf.nn.relu6), tmp_path / "m", pip_requirements=[])
    source = inspect_source(tmp_path / "m")
    assert source.kind is SourceKind.SAVED_MODEL
    assert source.model_file == "tf2model"

"""One tiny network through the real converter, in every arithmetic that it writes."""

import dataclasses
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from weighin.gates.cost import Arithmetic, Kind, read_cost
from weighin.gates.delegates import Delegate, coverage
from weighin.gates.devices.predict import predict
from weighin.gates.devices.walk import Map, Walk
from weighin.gates.measurement import Measurement, Unreadable
from weighin.gates.metric import Metric
from weighin.gates.profile import load_profile
from weighin.gates.usage import Usage
from weighin.gates.variant import Format

CONVERT = """
import sys, pathlib, numpy as np, tensorflow as tf
folder = pathlib.Path(sys.argv[1])
w1, w2 = np.ones((3, 3, 1, 8), "f4"), np.ones((3, 3, 8, 16), "f4") / 50
w3 = np.ones((64, 10), "f4") / 64

@tf.function(input_signature=[tf.TensorSpec([1, 8, 8, 1], tf.float32)])
def digits(x):
    x = tf.nn.relu(tf.nn.conv2d(x, w1, 1, "SAME"))
    x = tf.nn.relu(tf.nn.conv2d(x, w2, 2, "SAME"))
    x = tf.nn.max_pool2d(x, 2, 2, "VALID")
    return tf.nn.softmax(tf.matmul(tf.reshape(x, [1, 64]), w3))

def write(name, **options):
    made = tf.lite.TFLiteConverter.from_concrete_functions([digits.get_concrete_function()])
    for key, value in options.items():
        setattr(made, key, value)
    (folder / (name + ".tflite")).write_bytes(made.convert())

rows = [[np.random.default_rng(i).random((1, 8, 8, 1), "f4")] for i in range(8)]
smaller = [tf.lite.Optimize.DEFAULT]
write("float32")
halves = tf.lite.TargetSpec(supported_types=[tf.float16])
write("float16", optimizations=smaller, target_spec=halves)
write("dynamic_int8", optimizations=smaller)
write("int8", optimizations=smaller, representative_dataset=lambda: iter(rows))

wd, wp = np.ones((3, 3, 8, 1), "f4"), np.ones((1, 1, 8, 24), "f4")

@tf.function(input_signature=[tf.TensorSpec([None, 8, 8, 1], tf.float32)])
def separable(x):
    x = tf.nn.relu(tf.nn.conv2d(x, w1, 1, "SAME"))
    y = tf.nn.relu(tf.nn.depthwise_conv2d(x, wd, [1, 1, 1, 1], "SAME"))
    x = tf.nn.conv2d(x + y, wp, 1, "SAME")
    x = tf.reduce_mean(x, [1, 2])
    return tf.nn.softmax(tf.matmul(x, np.ones((24, 10), "f4")))

made = tf.lite.TFLiteConverter.from_concrete_functions([separable.get_concrete_function()])
(folder / "separable.tflite").write_bytes(made.convert())
"""


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with one file per arithmetic; converted in a child, which keeps TF out of here."""
    folder = tmp_path_factory.mktemp("digits")
    quiet = {**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, "-c", CONVERT, str(folder)]
    done = subprocess.run(command, env=quiet, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("name", ["float32", "float16", "int8", "separable"])
def test_xnnpack_takes_what_its_published_list_says(digits: Path, name: str) -> None:
    """The runtime itself adds one node per part that it hands over."""
    from ai_edge_litert.interpreter import Interpreter

    path = digits / f"{name}.tflite"
    interpreter = Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    nodes = [node["op_name"] for node in interpreter._get_ops_details()]
    found = coverage(read_cost(path, Format.LITERT), Delegate.XNNPACK)
    assert found.partitions == nodes.count("DELEGATE") >= 1


ARITHMETICS = [
    Arithmetic.FLOAT32,
    Arithmetic.FLOAT16,
    Arithmetic.DYNAMIC_INT8,
    Arithmetic.INT8,
]


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=str)
def test_the_converter_changes_the_arithmetic_and_not_the_multiply_adds(
    digits: Path, arithmetic: Arithmetic
) -> None:
    cost = read_cost(digits / f"{arithmetic}.tflite", Format.LITERT)
    assert cost.macs == 8 * 8 * 8 * 9 + 4 * 4 * 16 * 9 * 8 + 64 * 10
    assert cost.macs_of(Kind.FULLY_CONNECTED) == 640
    # The converter leaves weights of fewer than 1,024 values in float when quantizing dynamically.
    left_alone = {Arithmetic.FLOAT32} if arithmetic is Arithmetic.DYNAMIC_INT8 else set()
    assert set(cost.arithmetics) == {arithmetic} | left_alone
    assert cost.unsized == ()


@pytest.mark.parametrize("arithmetic", ARITHMETICS, ids=str)
def test_a_digit_classifier_fits_ten_milliseconds_on_a_phone_or_says_why_nobody_knows(
    digits: Path, arithmetic: Arithmetic
) -> None:
    latency, energy, battery, memory = predict(
        load_profile("pixel-3"),
        read_cost(digits / f"{arithmetic}.tflite", Format.LITERT),
        Format.LITERT,
        artifact_sha256="0" * 64,
        runtime="ai-edge-litert 2.3.0",
        usage=Usage(inferences_per_second=1),
        now=datetime(2026, 11, 22, tzinfo=UTC),
    )
    assert isinstance(memory, Unreadable)
    if arithmetic is Arithmetic.DYNAMIC_INT8:
        assert isinstance(latency, Unreadable)
        assert "dynamic_int8" in latency.reason
        return
    assert isinstance(latency, Measurement)
    assert isinstance(energy, Measurement)
    assert isinstance(battery, Measurement)
    assert latency.metric is Metric.LATENCY_P90_MS
    assert latency.upper <= 10.0
    assert battery.upper < 1.0


def test_a_network_laid_out_by_hand_costs_what_its_real_file_costs(digits: Path) -> None:
    """Anchors are laid out and artifacts are read: only counted alike can one bound the other."""
    walk = Walk(4)
    x = walk.conv(Map(8, 8, 1), 8, 3)
    walk.depthwise(x, 3)
    x = walk.conv(walk.pointwise_op(x, 2), 24)
    walk.classify(x, 10)
    real = read_cost(digits / "separable.tflite", Format.LITERT)
    assert real.unsized == ()
    biases_added_by_nobody = 4 * (8 + 8 + 24 + 10)
    assert real.terms.weight_bytes == pytest.approx(
        walk.terms.weight_bytes, abs=biases_added_by_nobody
    )
    assert dataclasses.replace(real.terms, weight_bytes=0) == dataclasses.replace(
        walk.terms, weight_bytes=0
    )

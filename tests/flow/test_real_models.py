"""Real trained models on real data, each with its teacher, through the whole flow."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytestmark = pytest.mark.slow
Command = Callable[..., "subprocess.CompletedProcess[str]"]
Environment = Callable[..., dict[str, str]]
Project = Callable[[str, str, Path, dict[str, Any]], Path]

RESNET_TOML = """
[build]
epochs = 1
train_seconds = 25
[host]
on_noise = "label"
[budgets.default]
accuracy_drop_points = 1.0
size_mib = 0.4
[budgets.host]
latency_p90_ms = 50
[budgets.pixel-3]
latency_p90_ms = 20
[models.resnet20]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
training = "data/training.npz"
teacher = "resnet56/1"
recipes = ["float32", "int8", "prune50+distill+int8"]
devices = ["host", "pixel-3"]
"""
RESNET_SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
import mlflow, numpy as np
import load
x = load.prep(np.zeros((2, 32, 32, 3), "uint8")).numpy()
for depth in (56, 20):
    mlflow.pytorch.log_model(
        load.model(depth), name="model", input_example=x, pip_requirements=["torch"],
        registered_model_name=f"resnet{depth}",
    )
"""
MNIST_TOML = """
[build]
epochs = 1
train_seconds = 15
[host]
on_noise = "label"
[budgets.default]
accuracy_drop_points = 1.5
size_mib = 0.1
[budgets.host]
latency_p90_ms = 50
[models.mnist]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
training = "data/training.npz"
teacher = "mnist-teacher/1"
recipes = ["float32", "fp16", "int8", "distill50"]
formats = ["litert"]
"""
MNIST_SCRIPT = """
import sys
import keras, mlflow, numpy as np
from mlflow.models import infer_signature
for name, registered in (("teacher", "mnist-teacher"), ("student", "mnist")):
    model = keras.models.load_model(f"{sys.argv[1]}/{name}.keras")
    x = np.zeros((2, 28, 28, 1), "float32")
    signature = infer_signature(x, model.predict(x, verbose=0))
    mlflow.tensorflow.log_model(
        model, name="model", signature=signature, pip_requirements=["keras"],
        registered_model_name=registered,
    )
"""


@pytest.fixture
def project(tmp_path: Path, weighin: Command, clean_environment: Environment) -> Project:
    """Make a project with data, and register models in it with a script."""

    def make(toml: str, script: str, models: Path, parts: dict[str, Any]) -> Path:
        root = tmp_path / "project"
        _fill(root, weighin, toml, parts)
        _register(root, script, models, clean_environment)
        return root

    return make


def _fill(root: Path, weighin: Command, toml: str, parts: dict[str, Any]) -> None:
    root.mkdir()
    (root / "weighin.toml").write_text(toml)
    weighin(root, "init")
    (root / "data").mkdir()
    for role, (x, y) in parts.items():
        np.savez(root / "data" / f"{role}.npz", x=x, y=y.astype("int64"))


def _register(root: Path, script: str, models: Path, clean_environment: Environment) -> None:
    env = clean_environment(
        MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db",
        MLFLOW_REGISTRY_URI=f"weighin+sqlite:///{root}/mlflow.db",
        KERAS_BACKEND="tensorflow",
    )
    command = [sys.executable, "-c", script, str(models)]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def drops(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {}
    for variant in document["variants"]:
        checks = variant["devices"][0]["checks"]
        label = f"{variant['recipe']}.{variant['format']}"
        found[label] = next(c for c in checks if c["metric"] == "accuracy_drop_points")
    return found


def test_resnet20_on_cifar10_with_resnet56_as_teacher(
    shared_dir: Path, project: Project, weighin: Command
) -> None:
    models = shared_dir / "models/cifar10-resnet-torch"
    mean, std = np.array([0.485, 0.456, 0.406], "f4"), np.array([0.229, 0.224, 0.225], "f4")

    def part(file: str, rows: slice) -> tuple[Any, Any]:
        with np.load(models / file) as archive:
            x = (archive["x"][rows].astype("f4") / 255 - mean) / std
            return np.ascontiguousarray(x.transpose(0, 3, 1, 2)), archive["y"][rows]

    parts = {
        "evaluation": part("eval.npz", slice(0, 2000)),
        "calibration": part("train10k.npz", slice(0, 128)),
        "training": part("train10k.npz", slice(128, 2128)),
    }
    root = project(RESNET_TOML, RESNET_SCRIPT, models, parts)
    document = json.loads(weighin(root, "run", "resnet20/1", "--json").stdout)
    assert document["failures"] == []
    # Published for the same weights on the same 2,000 images: 91.65 %.
    assert document["reference_accuracy"] == pytest.approx(0.9165, abs=0.0006)
    found = drops(document)
    # ONNX Runtime static int8 on 100 calibration images was measured to lose under 0.2 points.
    assert found["int8.onnx"]["value"] == pytest.approx(0, abs=0.5)
    assert found["int8.litert"]["outcome"] == "PASS"
    assert found["float32.litert"]["value"] == pytest.approx(0, abs=0.051)
    # Half the MACs after 25 s of training must not pass for the real thing.
    assert found["prune50+distill+int8.litert"]["outcome"] == "FAIL"
    weighin(root, "promote", "resnet20/1")
    pull = ("pull", "resnet20", "--device", "pixel-3", "--channel", root / ".weighin/channel")
    said = weighin(
        root, *pull, "--root", root / ".weighin/channel/root.json", "--out", root / "app"
    )
    assert "int8" in said.stdout


def test_the_keras_mnist_model_with_its_teacher(
    shared_dir: Path, project: Project, weighin: Command
) -> None:
    models = shared_dir / "models/mnist-keras"

    def part(file: str, rows: slice) -> tuple[Any, Any]:
        with np.load(models / file) as archive:
            return archive["x"][rows].astype("f4").reshape(-1, 28, 28, 1) / 255, archive["y"][rows]

    parts = {
        "evaluation": part("eval.npz", slice(0, 2000)),
        "calibration": part("train.npz", slice(0, 128)),
        "training": part("train.npz", slice(128, 4128)),
    }
    root = project(MNIST_TOML, MNIST_SCRIPT, models, parts)
    done = json.loads(weighin(root, "sync", "--json").stdout)
    assert [version["version"] for version in done] == ["mnist/1"]
    document = json.loads(weighin(root, "report", "mnist/1", "--json").stdout)
    # case.json: 95.3 % on the same 2,000 digits.
    assert document["reference_accuracy"] == pytest.approx(0.953, abs=0.0006)
    found = drops(document)
    assert found["float32.litert"]["value"] == pytest.approx(0, abs=0.051)
    assert found["fp16.litert"]["value"] == pytest.approx(0, abs=0.11)
    assert document["failures"] == []

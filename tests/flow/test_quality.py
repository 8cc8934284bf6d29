"""Quality by other metrics through the whole flow: slices, step by step, numbers, own functions."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Environment = Callable[..., dict[str, str]]

REGISTER_NUMBERS = """
import mlflow, numpy as np, torch
from torch import nn
torch.manual_seed(0)
data = np.load("data/training.npz")
x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"]).float()
model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 1))
optimiser = torch.optim.Adam(model.parameters(), lr=0.02)
for _ in range(150):
    loss = ((model(x)[:, 0] - y) ** 2).mean()
    optimiser.zero_grad(); loss.backward(); optimiser.step()
mlflow.pytorch.log_model(
    model.eval(), name="model", input_example=data["x"][:2], pip_requirements=["torch"],
    registered_model_name="heights",
)
"""
NUMBERS_TOML = """
[budgets.default]
accuracy_drop_points = 10
size_mib = 1
[models.heights]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
recipes = ["float32", "int8"]
formats = ["onnx"]
metric = {metric}
"""
OWN = """
import numpy as np
def closeness(labels, outputs):
    return 1 / (1 + np.abs(labels - outputs))
"""


@pytest.fixture(scope="module")
def heights_origin(
    tmp_path_factory: pytest.TempPathFactory, weighin: Command, clean_environment: Environment
) -> Path:
    """A project with a registered model of numbers."""
    root = tmp_path_factory.mktemp("heights") / "project"
    (root / "data").mkdir(parents=True)
    random = np.random.default_rng(2)
    for name, rows in (("training", 800), ("calibration", 100), ("evaluation", 600)):
        x = random.normal(size=(rows, 6)).astype(np.float32)
        y = (x[:, 0] * 2 + np.abs(x[:, 1]) + 0.1 * random.normal(size=rows)).astype(np.float32)
        np.savez(root / "data" / f"{name}.npz", x=x, y=y)
    (root / "weighin.toml").write_text(NUMBERS_TOML.replace("{metric}", '"mae"'))
    (root / "own.py").write_text(OWN)
    weighin(root, "init")
    env = clean_environment(MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db")
    command = [sys.executable, "-c", REGISTER_NUMBERS]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root


def drops(document: dict[str, Any], metric: str = "accuracy_drop_points") -> dict[str, Any]:
    """Per variant the check of one metric on the first device."""
    return {
        f"{one['recipe']}": next(
            check for check in one["devices"][0]["checks"] if check["metric"] == metric
        )
        for one in document["variants"]
    }


@pytest.mark.parametrize(
    ("metric", "name"),
    [
        pytest.param('"mae"', "mae", id="mean-absolute-error"),
        pytest.param('{ name = "own:closeness", labels = "numbers" }', "own:closeness", id="own"),
    ],
)
def test_a_model_of_numbers_is_judged_by_its_own_metric(
    heights_origin: Path, weighin: Command, metric: str, name: str
) -> None:
    text = NUMBERS_TOML.replace("{metric}", metric)
    (heights_origin / "weighin.toml").write_text(text)
    document = json.loads(weighin(heights_origin, "run", "heights/1", "--json").stdout)
    assert document["quality_metric"] == name
    checks = drops(document)
    assert checks["float32"]["outcome"] == "PASS"
    assert checks["int8"]["upper"] > checks["int8"]["value"] > checks["int8"]["lower"]
    assert dict(checks["int8"]["readings"][0]["conditions"])["metric"] == name
    said = weighin(heights_origin, "report", "heights/1").stdout
    assert f"reference {name.replace('_', ' ')}" in said


def test_an_own_metric_that_changes_makes_the_version_due_again(
    heights_origin: Path, weighin: Command
) -> None:
    own = '{ name = "own:closeness", labels = "numbers" }'
    (heights_origin / "weighin.toml").write_text(NUMBERS_TOML.replace("{metric}", own))
    first = json.loads(weighin(heights_origin, "run", "heights/1", "--json").stdout)
    (heights_origin / "own.py").write_text(OWN.replace("1 + np", "2 + np"))
    second = json.loads(weighin(heights_origin, "run", "heights/1", "--json").stdout)
    (heights_origin / "own.py").write_text(OWN)
    assert first["plan_digest"] != second["plan_digest"]
    assert drops(first)["int8"]["value"] != drops(second)["int8"]["value"]


def test_recipes_that_need_classes_are_refused_for_numbers(
    heights_origin: Path, weighin: Command
) -> None:
    text = NUMBERS_TOML.replace("{metric}", '"mae"').replace('"int8"]', '"prune50"]')
    (heights_origin / "weighin.toml").write_text(text)
    said = weighin(heights_origin, "run", "heights/1", code=2).stderr
    assert "'prune50' needs classes, but mae judges numbers" in said


def test_slices_and_another_metric_are_in_the_report(weighed: Path, weighin: Command) -> None:
    with np.load(weighed / "data" / "evaluation.npz") as data:
        rows = dict(data)
    rows["pen"] = np.array(["thin", "thick"])[np.arange(len(rows["y"])) % 2]
    np.savez(weighed / "data" / "evaluation.npz", **rows)
    text = (weighed / "weighin.toml").read_text()
    text = text.replace('formats = ["onnx"]', 'formats = ["onnx"]\nslices = ["pen"]')
    text = text.replace("size_mib = 1", "size_mib = 1\nslice_drop_points = 20").replace(
        "[models.tiny]", '[models.tiny]\nmetric = "f1_macro"'
    )
    (weighed / "weighin.toml").write_text(text)
    document = json.loads(weighin(weighed, "run", "tiny/1", "--json").stdout)
    check = drops(document, "slice_drop_points")["int8"]
    names = [one["name"] for one in check["readings"][0]["slices"]]
    assert names == ["pen=thick", "pen=thin"]
    assert check["outcome"] == "PASS"
    assert document["quality_metric"] == "f1_macro"


def test_step_by_step_says_how_many_rows_it_took(weighed: Path, weighin: Command) -> None:
    with (weighed / "weighin.toml").open("a") as file:
        file.write("\n[gate]\nsequential = true\nconfidence = 0.9\n")
    document = json.loads(weighin(weighed, "run", "tiny/1", "--json").stdout)
    reading = drops(document)["float32"]["readings"][0]
    assert "look" in reading["conditions"]["sequential"]
    assert reading["confidence"] == 0.9


def test_a_slice_that_the_data_does_not_have_stops_the_run(tiny: Path, weighin: Command) -> None:
    text = (tiny / "weighin.toml").read_text()
    (tiny / "weighin.toml").write_text(
        text.replace("[models.tiny]", '[models.tiny]\nslices = ["pen"]')
    )
    said = weighin(tiny, "run", "tiny/1", code=1).stderr
    assert "pen" in said

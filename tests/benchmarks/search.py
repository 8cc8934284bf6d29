"""Recipe ``auto`` beside all fixed recipes, for five budget sets on a digits classifier (ONNX).

Each budget set is weighed twice in one project: once with every fixed recipe, once with ``auto``.
Builds are shared by content, so later sets pay only for what they ask in addition.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, present
from sklearn.datasets import load_digits

WEIGHIN = Path(sys.executable).with_name("weighin")
MINUTES = 6
REGISTER = """
import mlflow, numpy as np, torch
from torch import nn
torch.manual_seed(0)
data = np.load("data/training.npz")
x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
model = nn.Sequential(
    nn.Conv2d(1, 24, 3, padding=1), nn.ReLU(), nn.Conv2d(24, 48, 3, padding=1), nn.ReLU(),
    nn.MaxPool2d(2), nn.Flatten(), nn.Linear(48 * 16, 48), nn.ReLU(), nn.Linear(48, 10),
)
optimiser = torch.optim.Adam(model.parameters(), lr=0.005)
for _ in range(40):
    for rows in torch.randperm(len(x)).split(128):
        loss = nn.functional.cross_entropy(model(x[rows]), y[rows])
        optimiser.zero_grad(); loss.backward(); optimiser.step()
mlflow.pytorch.log_model(
    model.eval(), name="model", input_example=data["x"][:2], pip_requirements=["torch"],
    registered_model_name="digits",
)
"""
CONFIG = """
[search]
minutes = {minutes}
[build]
epochs = 20
[dvc]
commit = false
[budgets.default]
accuracy_drop_points = {drop}
size_mib = {size}
[models.digits]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
training = "data/training.npz"
formats = ["onnx"]
"""


@dataclass(frozen=True)
class Budgets:
    """At most so many points of accuracy, and such a share of the float32 file."""

    drop: float
    share: float


SETS = (
    Budgets(drop=3.0, share=1.1),
    Budgets(drop=3.0, share=0.35),
    Budgets(drop=5.0, share=0.22),
    Budgets(drop=2.0, share=0.6),
    Budgets(drop=5.0, share=0.12),
)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        whole = prepare(root)
        met, ratios, details = 0, [0.0], []
        for budgets in SETS:
            fixed = smallest(weigh(root, budgets, whole, ""))
            document = weigh(root, budgets, whole, 'recipes = ["auto"]\n')
            found = smallest(document)
            met += found is not None or fixed is None
            if fixed is not None:
                ratios.append(float("inf") if found is None else found[0] / fixed[0])
            details.append(f"{budgets}: fixed {fixed}, auto {found}{spent(document)}")
        detail = "; ".join(details)
        yield Figure(name="auto_budgets_met", value=met, goal=5, detail=detail, op=">=")
        yield Figure(
            name="auto_vs_best_fixed_size", value=max(ratios), goal=1.0, detail="the worst set"
        )


def spent(document: Any) -> str:
    search = document["search"]
    return f", {len(search['rounds'])} rounds in {search['seconds']:.0f} s"


def smallest(document: Any) -> tuple[int, str] | None:
    """Bytes and recipe of the smallest file that the gate passed."""
    passed = [(v["bytes"], v["recipe"]) for v in document["variants"] if v["passed_on"]]
    return min(passed, default=None)


def weigh(root: Path, budgets: Budgets, whole: int, recipes: str) -> Any:
    size = budgets.share * whole / 2**20
    text = CONFIG.format(minutes=MINUTES, drop=budgets.drop, size=size) + recipes
    (root / "weighin.toml").write_text(text)
    command: list[str | Path] = [WEIGHIN, "run", "digits/1", "--json"]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    if done.returncode not in (0, 3):
        raise SystemExit(done.stderr)
    return json.loads(done.stdout)


def prepare(root: Path) -> int:
    """A project with one registered model; the bytes of its float32 file."""
    (root / "weighin.toml").write_text(CONFIG.format(minutes=0, drop=5.0, size=9.0))
    subprocess.run([WEIGHIN, "init"], cwd=root, check=True, capture_output=True)
    write_data(root / "data")
    env = {**os.environ, "MLFLOW_TRACKING_URI": f"sqlite:///{root}/mlflow.db"}
    env["MLFLOW_DISABLE_TELEMETRY"] = "true"
    command = [sys.executable, "-c", REGISTER]
    subprocess.run(command, cwd=root, env=env, check=True, capture_output=True)
    document = weigh(root, Budgets(drop=99.0, share=1.0), 9 * 2**20, "")
    return next(int(v["bytes"]) for v in document["variants"] if v["recipe"] == "float32")


def write_data(folder: Path) -> None:
    digits: Any = load_digits()
    x = (digits.images / 16.0).astype("float32")[:, None]
    _, first_seen = np.unique(x.reshape(len(x), -1), axis=0, return_index=True)
    order = np.random.default_rng(0).permutation(first_seen)
    folder.mkdir()
    parts = {"evaluation": order[:600], "calibration": order[600:700], "training": order[700:]}
    for role, rows in parts.items():
        np.savez(folder / f"{role}.npz", x=x[rows], y=digits.target[rows].astype("int64"))


if __name__ == "__main__":
    present(measure, __doc__)

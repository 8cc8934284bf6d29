"""Recipe ``auto`` beside all fixed recipes, for five budget sets on a digits classifier (ONNX).

Each budget set is weighed twice in one project: once with every fixed recipe, once with ``auto``.
Builds are shared by content, so later sets pay only for what they ask in addition.
"""

import json
import math
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from figures import Figure, present
from sklearn.datasets import load_digits

from weighin.gates.metric import Metric
from weighin.gates.profile import HOST

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


HEAD = (
    "| budgets | smallest, fixed | smallest, auto | fastest, fixed | fastest, auto | search |\n"
    "| --- | --- | --- | --- | --- | --- |"
)
SETS = (
    Budgets(drop=3.0, share=1.1),
    Budgets(drop=3.0, share=0.35),
    Budgets(drop=5.0, share=0.22),
    Budgets(drop=2.0, share=0.6),
    Budgets(drop=5.0, share=0.06),
)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        root = Path(scratch)
        whole = prepare(root)
        pairs = []
        for budgets in SETS:
            fixed = weigh(root, budgets, whole, "")
            pairs.append((budgets, fixed, weigh(root, budgets, whole, 'recipes = ["auto"]\n')))
    rows = [row(budgets, fixed, found) for budgets, fixed, found in pairs]
    if wanted := os.environ.get("WEIGHIN_BENCH_TABLE"):
        Path(wanted).write_text("\n".join([HEAD, *rows]) + "\n", encoding="utf-8")
    compared = [(fixed, found) for _, fixed, found in pairs if passed(fixed)]
    if not compared:
        raise SystemExit("no fixed recipe passed any budget set, so nothing was compared")
    met = sum(bool(passed(found)) or not passed(fixed) for _, fixed, found in pairs)
    detail = "something passes wherever a fixed recipe passes"
    yield Figure(name="auto_budgets_met", value=met, goal=len(SETS), detail=detail, op=">=")
    for name, measure_of in (("size", size_of), ("latency", latency_of)):
        worst = max(ratio(fixed, found, measure_of) for fixed, found in compared)
        yield Figure(
            name=f"auto_vs_best_fixed_{name}",
            value=worst,
            goal=1.0,
            detail=f"best {name} that passed, auto over fixed; the worst of the sets",
        )


def ratio(fixed: Any, found: Any, measure_of: Callable[[Any], float]) -> float:
    """The best of auto over the best of the fixed recipes; infinite where one is not known."""
    ours, theirs = (min(map(measure_of, passed(one)), default=math.inf) for one in (found, fixed))
    return math.inf if math.inf in (ours, theirs) else ours / theirs


def passed(document: Any) -> list[Any]:
    return [variant for variant in document["variants"] if variant["passed_on"]]


def size_of(variant: Any) -> float:
    return float(variant["bytes"])


def latency_of(variant: Any) -> float:
    """Milliseconds on this machine."""
    wanted = (Metric.LATENCY_P90_MS, HOST)
    found = [r for r in variant["readings"] if (r["metric"], r.get("device")) == wanted]
    return float(found[0].get("value", math.inf)) if found else math.inf


def row(budgets: Budgets, fixed: Any, found: Any) -> str:
    """One budget set for the table."""
    search = found["search"]
    cells = (
        f"{budgets.drop:g} points, {100 * budgets.share:g} % of float32",
        *(
            best(document, measure)
            for measure in ("size", "latency")
            for document in (fixed, found)
        ),
        f"{len(search['rounds'])} rounds, {search['seconds']:.0f} s",
    )
    return f"| {' | '.join(cells)} |"


def best(document: Any, measure: str) -> str:
    """The smallest or the fastest that passed, in words."""
    variants = passed(document)
    if not variants:
        return "none passes"
    if measure == "size":
        variant = min(variants, key=size_of)
        return f"{variant['bytes']:,} bytes, `{variant['recipe']}`"
    variant = min(variants, key=latency_of)
    return f"{latency_of(variant):.3f} ms, `{variant['recipe']}`"


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

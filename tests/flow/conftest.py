"""Real projects for the flow: real MLflow, DVC, git, LiteRT, ONNX Runtime and TUF."""

import functools
import http.server
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

WEIGHIN = Path(sys.executable).with_name("weighin")
QUIET = {"MLFLOW_DISABLE_TELEMETRY": "true", "NO_COLOR": "1", "COLUMNS": "100"}


def environment(**more: str) -> dict[str, str]:
    """This process's own, without what MLflow exports when other tests use it in-process."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    return {**inherited, **QUIET, **more}


Done = subprocess.CompletedProcess[str]
Command = Callable[..., Done]


@pytest.fixture(scope="session")
def weighin() -> Command:
    """Run the installed command in a folder, and give back what it said."""

    def run(
        cwd: Path, *words: str | Path, code: int | None = 0, env: dict[str, str] | None = None
    ) -> Done:
        done = subprocess.run(
            [WEIGHIN, *words],
            cwd=cwd,
            env=environment(**(env or {})),
            capture_output=True,
            text=True,
            check=False,
        )
        if code is not None:
            assert done.returncode == code, (
                f"{words}: {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        assert "Traceback" not in done.stderr, done.stderr
        return done

    return run


@pytest.fixture(scope="session")
def kept_builds() -> Callable[[Path], dict[Path, int]]:
    """Built files that have their receipts, in a project, and when they were written."""

    def find(project: Path) -> dict[Path, int]:
        receipts = tuple(project.glob(".weighin/work/build/cache/*.json"))
        files = (path for receipt in receipts for path in receipt.parent.glob(f"{receipt.stem}.*"))
        return {p: p.stat().st_mtime_ns for p in files if p.suffix != ".part"}

    return find


@pytest.fixture
def serve() -> Iterator[Callable[[Path], str]]:
    """Serve folders over HTTP on loopback, as a static web server would."""
    servers: list[http.server.ThreadingHTTPServer] = []

    def start(folder: Path) -> str:
        handler = functools.partial(_Quiet, directory=str(folder))
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


REGISTER_TINY = """
import mlflow, numpy as np, sys, torch
from torch import nn
torch.manual_seed(0)
data = np.load("data/training.npz")
x, y = torch.from_numpy(data["x"]), torch.from_numpy(data["y"])
layers = nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()
model = nn.Sequential(*layers, nn.Linear(128, 10))
optimiser = torch.optim.Adam(model.parameters(), lr=0.01)
for _ in range(60):
    loss = nn.functional.cross_entropy(model(x), y)
    optimiser.zero_grad(); loss.backward(); optimiser.step()
mlflow.pytorch.log_model(
    model.eval(), name="model", input_example=data["x"][:2], pip_requirements=["torch"],
    registered_model_name="tiny",
)
"""
TINY_TOML = """
[host]
on_noise = "label"
[budgets.default]
accuracy_drop_points = 5.0
size_mib = 1
[budgets.host]
latency_p90_ms = 1000
[models.tiny]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
training = "data/training.npz"
recipes = ["float32", "int8"]
formats = ["onnx"]
"""


@pytest.fixture(scope="session")
def tiny_origin(tmp_path_factory: pytest.TempPathFactory, weighin: Command) -> Path:
    """A project with one small registered model, registered without the hook."""
    root = tmp_path_factory.mktemp("tiny") / "project"
    root.mkdir()
    (root / "weighin.toml").write_text(TINY_TOML)
    weighin(root, "init")
    write_digits(root / "data")
    env = environment(MLFLOW_TRACKING_URI=f"sqlite:///{root}/mlflow.db")
    command = [sys.executable, "-c", REGISTER_TINY]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return root


@pytest.fixture
def tiny(tiny_origin: Path, weighed_origin: Path, tmp_path: Path) -> Path:
    """A fresh copy of that project, which knows that its data is sound and nothing else."""
    root = Path(shutil.copytree(tiny_origin, tmp_path / "project"))
    known = Path(".weighin/work/data")
    shutil.copytree(weighed_origin / known, root / known)
    return root


@pytest.fixture(scope="session")
def weighed_origin(
    tiny_origin: Path, tmp_path_factory: pytest.TempPathFactory, weighin: Command
) -> Path:
    """That project after its model was weighed."""
    root = Path(shutil.copytree(tiny_origin, tmp_path_factory.mktemp("weighed") / "project"))
    weighin(root, "sync")
    return root


@pytest.fixture
def weighed(weighed_origin: Path, tmp_path: Path) -> Path:
    """A fresh copy of the weighed project."""
    return Path(shutil.copytree(weighed_origin, tmp_path / "project"))


@pytest.fixture(scope="session")
def clean_environment() -> Callable[..., dict[str, str]]:
    """:func:`environment`, for tests."""
    return environment


def write_digits(folder: Path) -> None:
    """scikit-learn's digits without repetitions, in three disjoint files."""
    import numpy as np
    from sklearn.datasets import load_digits

    digits: Any = load_digits()
    x = (digits.images / 16.0).astype("float32")[:, None]
    _, first_seen = np.unique(x.reshape(len(x), -1), axis=0, return_index=True)
    order = np.random.default_rng(0).permutation(first_seen)
    folder.mkdir()
    parts = {"evaluation": order[:500], "calibration": order[500:628], "training": order[628:]}
    for role, rows in parts.items():
        np.savez(folder / f"{role}.npz", x=x[rows], y=digits.target[rows].astype("int64"))

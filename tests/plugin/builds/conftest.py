"""Tiny models and data sets for the tests of building."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from weighin.plugin.graph import to_graph

ToGraph = Callable[[Any, Any], Any]


def plain() -> nn.Module:
    """The smallest network that has what most have."""
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(8 * 16, 12),
        nn.ReLU(),
        nn.Dropout(0.5),
        nn.Linear(12, 4),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Data:
    """Where data sets are."""

    calibration: Path
    training: Path
    evaluation: Path


@pytest.fixture(autouse=True)
def same_weights() -> None:
    """Every run of a test sees the same random weights; other weights are other tests."""
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def rows() -> Any:
    """Input rows, [6, 1, 8, 8]."""
    return torch.rand(6, 1, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.fixture
def graph_of(rows: Any) -> ToGraph:
    """Make a graph of a module, with batch norms that have seen data."""

    def make(module: Any, example: Any = None) -> Any:
        torch.manual_seed(0)
        shown = rows if example is None else example
        module.train()(shown)
        return to_graph(module.eval(), shown[:2])

    return make


@pytest.fixture
def plain_network() -> Callable[[], Any]:
    """Makes the plain network, with new weights each time."""
    return plain


@pytest.fixture
def plain_graph(graph_of: ToGraph) -> Any:
    """The plain network as a graph of its own, the same one every time."""
    torch.manual_seed(0)
    return graph_of(plain(), None)


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Data:
    """Four classes: which quarter of the picture is the brightest."""
    folder = tmp_path_factory.mktemp("data")
    generator = np.random.default_rng(0)
    sets = {"calibration": 24, "training": 256, "evaluation": 40}
    for name, count in sets.items():
        y = generator.integers(0, 4, count)
        x = generator.random((count, 1, 8, 8), np.float32)
        for row, quarter in enumerate(y):
            top, left = 4 * (quarter // 2), 4 * (quarter % 2)
            x[row, 0, top : top + 4, left : left + 4] += 1
        np.savez(folder / f"{name}.npz", x=x, y=y)
    return Data(**{name: folder / f"{name}.npz" for name in sets})


@pytest.fixture(scope="session")
def torch_program(tmp_path_factory: pytest.TempPathFactory, data: Data) -> Path:
    """A trained model in the form of MLflow's default, with one row frozen into it."""
    folder = tmp_path_factory.mktemp("program")
    torch.manual_seed(0)
    module = plain()
    with np.load(data.training) as training:
        x, y = torch.from_numpy(training["x"]), torch.from_numpy(training["y"])
    optimizer = torch.optim.Adam(module.parameters(), lr=0.01)
    for _ in range(25):
        optimizer.zero_grad()
        nn.functional.cross_entropy(module(x), y).backward()
        optimizer.step()
    (folder / "data").mkdir()
    program = torch.export.export(module.eval(), (x[:1],))
    torch.export.save(program, folder / "data" / "model.pt2")
    write_mlmodel(folder)
    return folder


@pytest.fixture
def pickled(tmp_path: Path) -> Callable[[Any], Path]:
    """Pickle anything the way MLflow pickles a module."""

    def make(module: Any) -> Path:
        folder = tmp_path / "pickled"
        (folder / "data").mkdir(parents=True)
        torch.save(module, folder / "data" / "model.pth")
        write_mlmodel(folder)
        return folder

    return make


def write_mlmodel(folder: Path) -> None:
    """What MLflow writes beside a PyTorch model, as far as it matters."""
    flavors = {"pytorch": {"model_data": "data", "code": None}}
    (folder / "MLmodel").write_text(json.dumps({"flavors": flavors}))

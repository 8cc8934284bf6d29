"""ResNet-20 on CIFAR-10, as the benchmarks use it: model, data, and what a file scores.

The model and its data are kept beside the project, in ``../shared/models``; all 10,000 test
images are evaluation data, and nothing else may look at them.
"""

import importlib.util
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from weighin.gates.meters.models import load_model
from weighin.gates.variant import Format

FOLDER = Path(__file__).parents[3] / "shared/models/cifar10-resnet-torch"
_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_SPLITS = {"test": "eval.npz", "training": "train10k.npz"}


def images(split: str, count: int | None = None, start: int = 0) -> tuple[Any, Any]:
    """Rows as the model takes them, [n, 3, 32, 32] float32, and labels [n]."""
    stop = None if count is None else start + count
    with np.load(FOLDER / _SPLITS[split]) as data:
        x, y = data["x"][start:stop], data["y"][start:stop]
    rows = ((x.astype(np.float32) / 255 - _MEAN) / _STD).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(rows), y.astype(np.int64)


def module(depth: int = 20) -> Any:
    """The trained float model of a depth (20, 32, 44 or 56), in inference mode."""
    import torch

    spec = importlib.util.spec_from_file_location("arch", FOLDER / "arch.py")
    if spec is None or spec.loader is None:
        raise FileNotFoundError(FOLDER / "arch.py")
    arch: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    model = arch.build(depth)
    weights = torch.load(FOLDER / f"resnet{depth}.pt", weights_only=True)
    model.load_state_dict(weights)
    return model.eval()


def predictions(path: Path, format: Format, count: int = 10_000, processes: int = 2) -> Any:
    """Classes that a file gives to the first test images, [count], one row at a time."""
    step = -(-count // processes)
    with ProcessPoolExecutor(processes) as pool:
        parts = pool.map(partial(_predict, path, format, count, step), range(0, count, step))
    return np.concatenate(list(parts))


def _predict(path: Path, format: Format, count: int, step: int, start: int) -> Any:
    rows, _ = images("test", min(step, count - start), start)
    model = load_model(str(path), format, threads=1)
    return np.array([model(row[None])[0].argmax() for row in rows])


def accuracy_percent(path: Path, format: Format, count: int = 10_000) -> float:
    """Share of the first test images that a file gets right, in percent."""
    _, labels = images("test", count)
    return float(100 * (predictions(path, format, count) == labels).mean())

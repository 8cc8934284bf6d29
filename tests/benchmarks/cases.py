"""Real models with their data, as MLflow folders and ``.npz`` files, for the benchmarks.

They lie beside the checkout (``../shared/models``); without them there is nothing to measure.
"""

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

SHARED = Path(__file__).parents[3] / "shared" / "models"
CALIBRATION_ROWS = 128
_SAVE = """
import sys
sys.path.insert(0, sys.argv[1])
kind, out, x = sys.argv[2], sys.argv[3], sys.argv[4]
import mlflow, numpy as np
rows = np.load(x)["x"][:2]
if kind == "keras":
    import keras
    from mlflow.models import infer_signature
    model = keras.models.load_model(f"{sys.argv[1]}/{sys.argv[5]}.keras")
    mlflow.tensorflow.save_model(
        model, out, signature=infer_signature(rows, model.predict(rows, verbose=0)),
        pip_requirements=["keras"],
    )
else:
    import load, torch
    model = load.model(int(sys.argv[5]) if sys.argv[5].isdigit() else sys.argv[5])
    mlflow.pytorch.save_model(model, out, input_example=rows, pip_requirements=["torch"])
    torch.save(model, f"{out}/../module.pth")
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One registered model and the data sets that belong to it.

    Attributes:
        name: For the tables.
        model: Folder as MLflow writes it.
        module: Pickled PyTorch module, if it is one.
        code: Folder of its code.
        evaluation: Test rows.
        calibration: Rows from the training data.
        training: The other training rows.
    """

    name: str
    model: Path
    module: Path | None
    code: Path
    evaluation: Path
    calibration: Path
    training: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class _Recipe:
    folder: str
    kind: str
    which: str
    training: str


CASES: Mapping[str, _Recipe] = {
    "resnet20": _Recipe(
        folder="cifar10-resnet-torch", kind="torch", which="20", training="train10k"
    ),
    "resnet56": _Recipe(
        folder="cifar10-resnet-torch", kind="torch", which="56", training="train10k"
    ),
    "spoken-teacher": _Recipe(
        folder="spoken-digits-torch", kind="torch", which="teacher", training="train"
    ),
    "spoken-student": _Recipe(
        folder="spoken-digits-torch", kind="torch", which="student", training="train"
    ),
    "mnist-teacher": _Recipe(folder="mnist-keras", kind="keras", which="teacher", training="train"),
    "mnist-student": _Recipe(folder="mnist-keras", kind="keras", which="student", training="train"),
}


def make_case(name: str, folder: Path, evaluation_rows: int | None = None) -> Case:
    """Write one case's files into a folder.

    Raises:
        SystemExit: the real models are not beside this checkout.
    """
    recipe = CASES[name]
    origin = SHARED / recipe.folder
    if not origin.is_dir():
        raise SystemExit(f"{origin} is not there: this benchmark needs the real models")
    folder.mkdir(parents=True, exist_ok=True)
    parts = {
        "evaluation": ("eval", slice(0, evaluation_rows)),
        "calibration": (recipe.training, slice(0, CALIBRATION_ROWS)),
        "training": (recipe.training, slice(CALIBRATION_ROWS, None)),
    }
    paths = {role: folder / f"{role}.npz" for role in parts}
    for role, (file, rows) in parts.items():
        with np.load(origin / f"{file}.npz") as data:
            x = prepared(recipe.folder, data["x"][rows])
            np.savez(paths[role], x=x, y=data["y"][rows].astype("int64"))
    model = folder / "model"
    if not model.is_dir():
        words = (origin, recipe.kind, model, paths["calibration"], recipe.which)
        subprocess.run(
            [sys.executable, "-c", _SAVE, *map(str, words)], check=True, capture_output=True
        )
    module = folder / "module.pth"
    return Case(
        name=name,
        model=model,
        module=module if module.is_file() else None,
        code=origin,
        **paths,
    )


def prepared(folder: str, x: Any) -> Any:
    """Rows as the model takes them; constants as in the models' own ``load.py``."""
    if folder == "cifar10-resnet-torch":
        mean, std = np.array([0.485, 0.456, 0.406], "f4"), np.array([0.229, 0.224, 0.225], "f4")
        return np.ascontiguousarray(((x.astype("f4") / 255 - mean) / std).transpose(0, 3, 1, 2))
    if folder == "mnist-keras":
        return x.astype("f4").reshape(-1, 28, 28, 1) / 255
    return x.astype("f4")

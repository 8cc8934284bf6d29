"""Asks a child for metrics that may run somebody's own code, and hands over what it says."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.child import Limits, run_child
from weighin.gates.meters.quality import Quality

_SCORER = "weighin.gates.meters.score_child"

Scored = Mapping[str, object]
"""What the child says of one variant: numbers, or a ``reason``. Nothing in it is checked yet."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Question:
    """By what, and on which rows.

    Attributes:
        quality: The metric, the slices and the seed.
        evaluation: The .npz with the labels.
        reference: .npy [all rows, k], outputs of the registered model.
        rows: Indexes of the rows, in the order of the variants' outputs.
        risk: Allowed risk of an end of the interval.
    """

    quality: Quality
    evaluation: Path
    reference: Path
    rows: NDArray[Any]
    risk: float


def score(
    question: Question, outputs: Mapping[str, NDArray[Any]], folder: Path, limits: Limits
) -> dict[str, Scored]:
    """Per label what the child says; where it says nothing, how it ended."""
    folder.mkdir(parents=True, exist_ok=True)
    items = []
    for number, (label, array) in enumerate(outputs.items()):
        path = folder / f"{number}.npy"
        np.save(path, array)
        items.append({"label": label, "outputs": str(path.resolve())})
    np.save(folder / "rows.npy", question.rows)
    result = run_child(_SCORER, {**_job(question, folder), "variants": items}, folder, limits)
    said: dict[str, Scored] = {str(line.get("label")): line for line in result.lines}
    missing = {"reason": result.ended.reason or "the child left it out"}
    return {label: said.get(label, missing) for label in outputs}


def _job(question: Question, folder: Path) -> dict[str, object]:
    quality = question.quality
    return {
        "metric": asdict(quality.metric),
        "root": quality.root,
        "evaluation": str(question.evaluation.resolve()),
        "reference": str(question.reference.resolve()),
        "rows": str((folder / "rows.npy").resolve()),
        "slices": list(quality.slices),
        "risk": question.risk,
        "seed": quality.seed,
    }

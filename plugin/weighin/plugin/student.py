"""Makes the float model of a recipe that trains: shaped first, trained then. Runs in a child.

A model is shaped by pruning, by narrowing, by leaving out blocks, or by taking the one that the
user names; then its smallest weights become zero, if that is asked for. It learns from the
teacher: the one that is named, if the recipe distills; else the registered model itself, which
needs no labels and undoes most of what the shaping cost.

What this module does not do: it writes no file and knows no format.
"""

import copy
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from weighin.plugin.fx import Graph
from weighin.plugin.recipe import Recipe

Notes = dict[str, str]
_SHAPING_ROWS = 128
_HELD_OUT_SHARE = 10
_MOST_HELD_OUT = 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """Training data: rows [n, ...] float32, and labels [n], ``UNLABELLED`` where there is none."""

    x: Any
    y: Any


def make_student(
    job: Mapping[str, Any], recipe: Recipe, graph: Graph, row: Any
) -> tuple[Graph, Notes]:
    """Shape a model and train it.

    Args:
        job: Says where the data and the other models are, and how to train.
        recipe: What to make; it trains.
        graph: The registered model; may be changed.
        row: One input row, ``[1, ...]``.

    Returns:
        The trained model, and what a reader should know of how it was made.

    Raises:
        PassError: the model cannot be shaped so, or not trained.
    """
    from weighin.plugin.load import load_graph
    from weighin.plugin.passes.prune import PassError
    from weighin.plugin.passes.sparse import sparsify

    data = _training(job)
    if data is None and recipe.distill:
        raise PassError("distillation needs training data; set it for this model")
    teacher_path = job["teacher_graph"] if recipe.distill else job["graph"]
    teacher = load_graph(Path(teacher_path)) if data is not None else None
    graph, notes = _shaped(job, recipe, graph, row)
    masks = {} if recipe.sparse_percent is None else sparsify(graph, percent=recipe.sparse_percent)
    if recipe.sparse_percent is not None and not masks:
        raise PassError("the model has no weights that could become sparse")
    if data is None or teacher is None:
        return graph, notes | {"fine_tuning": "none: no training data is set for this model"}
    taught = str(job["teacher"]) if recipe.distill else "the registered model itself"
    return graph, notes | _train(job, recipe, graph, teacher, masks, data) | {"teacher": taught}


def _training(job: Mapping[str, Any]) -> Rows | None:
    """Labelled and unlabelled rows together, if there are any."""
    import numpy as np

    from weighin.plugin.passes.lesson import UNLABELLED

    parts: list[tuple[Any, Any]] = []
    for path in (job["training"], job["unlabelled"]):
        if path is None:
            continue
        with np.load(path) as data:
            x = np.asarray(data["x"], np.float32)
            labelled = path == job["training"] and "y" in data.files
            y = np.asarray(data["y"]) if labelled else np.full(len(x), UNLABELLED)
            parts.append((x, y))
    if not parts:
        return None
    x, y = (np.concatenate(some) for some in zip(*parts, strict=True))
    return Rows(x=x, y=y)


def _shaped(job: Mapping[str, Any], recipe: Recipe, graph: Graph, row: Any) -> tuple[Graph, Notes]:
    """The model that will be trained, and how it came to its size."""
    from weighin.plugin.load import load_graph
    from weighin.plugin.passes.prune import count_macs, narrow, prune
    from weighin.plugin.passes.shallow import shorten

    if recipe.student:
        before, graph = count_macs(graph, row), load_graph(Path(job["student_graph"]))
        return graph, {"macs": f"{before} -> {count_macs(graph, row)}", "student": job["student"]}
    rows = _some_rows(job)
    if recipe.prune_percent is not None:
        cut = prune(graph, row, remove_percent=recipe.prune_percent, rows=rows)
    elif recipe.width_percent is not None:
        cut = narrow(graph, row, width_percent=recipe.width_percent)
    elif recipe.depth_percent is not None:
        cut = shorten(graph, rows, depth_percent=recipe.depth_percent)
    else:
        return graph, {}
    notes = {"macs": f"{cut.macs_before} -> {cut.macs_after} (-{cut.removed_percent:.0f} %)"}
    return graph, notes | ({"refitted_layers": str(cut.refitted)} if cut.refitted else {})


def _some_rows(job: Mapping[str, Any]) -> Any:
    """Rows to measure damage on and to fit layers with: training data, else calibration."""
    import numpy as np
    import torch

    with np.load(job["training"] or job["calibration"]) as data:
        return torch.from_numpy(np.asarray(data["x"][:_SHAPING_ROWS], np.float32))


def _train(
    job: Mapping[str, Any],
    recipe: Recipe,
    graph: Graph,
    teacher: Graph,
    masks: Mapping[str, Any],
    data: Rows,
) -> Notes:
    """Train the model, and its twin without the teacher if the lift is wanted."""
    from weighin.plugin.passes.distill import TrainingSettings, fine_tune
    from weighin.plugin.passes.lesson import UNLABELLED

    settings, seed = TrainingSettings(**job["settings"]), int(job["seed"])
    lift = settings.report_lift and recipe.distill and bool((data.y != UNLABELLED).any())
    seen, unseen = _split(data, seed) if lift else (data, None)
    twin = copy.deepcopy(graph) if lift else None
    train = partial(
        fine_tune, soft=None, settings=settings, seed=seed, clock=time.monotonic, masks=masks
    )
    trained = train(graph, seen.x, seen.y, teacher=teacher)
    how = f"{trained.epochs:.1f} epochs of {len(seen.x)} rows in {trained.seconds:.1f} s"
    notes = {"fine_tuning": f"{how}, last loss {trained.loss:.3f}"}
    if trained.learning_rate != settings.learning_rate:
        rate = trained.learning_rate
        notes["restarted"] = f"the training diverged once; learning rate lowered to {rate:g}"
    if twin is None or unseen is None:
        return notes
    train(twin, seen.x, seen.y)
    return notes | {"distillation_lift": _lift(graph, twin, unseen)}


def _split(data: Rows, seed: int) -> tuple[Rows, Rows]:
    """Training rows, and labelled rows that no training sees."""
    import numpy as np

    from weighin.plugin.passes.lesson import UNLABELLED

    known = np.flatnonzero(data.y != UNLABELLED)
    count = min(_MOST_HELD_OUT, max(1, len(known) // _HELD_OUT_SHARE))
    out = np.random.default_rng(seed).permutation(known)[:count]
    seen = np.setdiff1d(np.arange(len(data.x)), out)
    return Rows(x=data.x[seen], y=data.y[seen]), Rows(x=data.x[out], y=data.y[out])


def _lift(taught: Graph, alone: Graph, unseen: Rows) -> str:
    """Both accuracies on rows that neither has seen, and the difference."""
    import torch

    from weighin.plugin.passes.lesson import outputs_of

    rows = torch.from_numpy(unseen.x)
    with_teacher, without = (
        100 * float((outputs_of(graph, rows).argmax(1).numpy() == unseen.y).mean())
        for graph in (taught, alone)
    )
    points = with_teacher - without
    return (
        f"{points:+.2f} points: {with_teacher:.2f} % with the teacher, {without:.2f} % without, "
        f"on {len(rows)} training rows that neither saw"
    )

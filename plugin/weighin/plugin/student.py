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
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from weighin.plugin.fx import Graph
from weighin.plugin.recipe import Recipe

Notes = dict[str, str]
_SHAPING_ROWS = 128


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
    from weighin.plugin.passes.distill import TrainingSettings
    from weighin.plugin.passes.prune import PassError
    from weighin.plugin.rows import read_training

    data, settings = read_training(job), TrainingSettings(**job["settings"])
    if data is None and recipe.distill:
        raise PassError("distillation needs training data; set it for this model")
    maker = _Maker(job=job, recipe=recipe, row=row, settings=settings)
    if data is None:
        notes = {"fine_tuning": "none: no training data is set for this model"}
        return maker.shape(graph, 1)[0], maker.notes | notes
    teacher = load_graph(Path(job["teacher_graph"] if recipe.distill else job["graph"]))
    if settings.report_lift and recipe.distill and data.labelled:
        return _with_twin(maker, graph, teacher, data)
    return maker.make(graph, teacher, data), maker.notes


def train_for_rounding(job: Mapping[str, Any], bits: int, graph: Graph) -> Notes:
    """Train a model in place for weights of few bits.

    Raises:
        PassError: there is no training data, or the model cannot be trained so.
    """
    from weighin.plugin.passes.distill import TrainingSettings
    from weighin.plugin.passes.prune import PassError
    from weighin.plugin.passes.qat import train_quantized
    from weighin.plugin.rows import read_training

    data, settings, seed = read_training(job), TrainingSettings(**job["settings"]), job["seed"]
    if data is None:
        raise PassError("quantization-aware training needs training data; set it for this model")
    trained = train_quantized(
        graph, data.x, data.y, bits=bits, settings=settings, seed=int(seed), clock=time.monotonic
    )
    how = f"{trained.epochs:.1f} epochs of {len(data.x)} rows in {trained.seconds:.1f} s"
    return {"qat": f"{bits} bits, {how}, last loss {trained.loss:.3f}"}


def _with_twin(maker: "_Maker", graph: Graph, teacher: Graph, data: Any) -> tuple[Graph, Notes]:
    """Make the same student with and without the teacher, and compare them on unseen rows."""
    from weighin.plugin.rows import lift, split

    seen, unseen = split(data, int(maker.job["seed"]))
    alone = replace(maker, notes={}).make(copy.deepcopy(graph), None, seen)
    taught = maker.make(graph, teacher, seen)
    return taught, maker.notes | {"distillation_lift": lift(taught, alone, unseen)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Maker:
    """Makes one float model, in as many rounds of shaping and training as the settings say."""

    job: Mapping[str, Any]
    recipe: Recipe
    row: Any
    settings: Any
    notes: Notes = field(default_factory=Notes)

    def make(self, graph: Graph, teacher: Graph | None, data: Any) -> Graph:
        """Shape and train in rounds; what was pruned stays so."""
        rounds = self.settings.prune_steps if self._can_go_in_rounds() else 1
        for number in range(1, rounds + 1):
            graph, masks = self.shape(graph, number, rounds)
            self._train(graph, teacher, masks, data, rounds)
        return graph

    def _can_go_in_rounds(self) -> bool:
        return self.recipe.prune_percent is not None or self.recipe.sparse_percent is not None

    def shape(self, graph: Graph, number: int, rounds: int = 1) -> tuple[Graph, Mapping[str, Any]]:
        """The model of one round before its training, and the weights that have to stay zero."""
        from weighin.plugin.passes.prune import PassError
        from weighin.plugin.passes.sparse import sparsify

        graph = self._resize(graph, number, rounds)
        if self.recipe.sparse_percent is None:
            return graph, {}
        masks = sparsify(graph, percent=self.recipe.sparse_percent * number / rounds)
        if not masks:
            raise PassError("the model has no weights that could become sparse")
        return graph, masks

    def _resize(self, graph: Graph, number: int, rounds: int) -> Graph:
        from weighin.plugin.load import load_graph
        from weighin.plugin.passes.prune import count_macs, narrow, prune
        from weighin.plugin.passes.shallow import shorten

        recipe, before = self.recipe, count_macs(graph, self.row)
        if recipe.prune_percent is not None:
            share = _share_of_round(recipe.prune_percent, number, rounds)
            cut = prune(graph, self.row, remove_percent=share, rows=self._some_rows())
            self.notes["refitted_layers"] = str(cut.refitted)
        elif number > 1:
            return graph
        elif recipe.student:
            graph = load_graph(Path(self.job["student_graph"]))
            self.notes["student"] = str(self.job["student"])
        elif recipe.width_percent is not None:
            width = recipe.width_percent
            narrow(graph, self.row, width_percent=width, rows=self._some_rows())
        elif recipe.depth_percent is not None:
            shorten(graph, self._some_rows(), depth_percent=recipe.depth_percent)
        self._note_macs(before, count_macs(graph, self.row))
        return graph

    def _note_macs(self, before: int, after: int) -> None:
        """From the registered model's to those of the last round."""
        first = int(self.notes.get("macs", str(before)).split(" ")[0])
        if after != first:
            self.notes["macs"] = f"{first} -> {after} ({100 * (after / first - 1):+.0f} %)"

    def _some_rows(self) -> Any:
        """Rows to measure damage on and to fit layers with: training data, else calibration."""
        import numpy as np
        import torch

        with np.load(self.job["training"] or self.job["calibration"]) as data:
            return torch.from_numpy(np.asarray(data["x"][:_SHAPING_ROWS], np.float32))

    def _train(
        self, graph: Graph, teacher: Graph | None, masks: Mapping[str, Any], data: Any, rounds: int
    ) -> None:
        from weighin.plugin.passes.distill import fine_tune

        epochs = max(1, round(self.settings.epochs / rounds))
        seconds = self.settings.train_seconds / rounds
        settings = replace(self.settings, epochs=epochs, train_seconds=seconds)
        trained = fine_tune(
            graph,
            data.x,
            data.y,
            soft=None,
            teacher=teacher,
            settings=settings,
            seed=int(self.job["seed"]),
            clock=time.monotonic,
            masks=masks,
        )
        how = f"{trained.epochs:.1f} epochs of {len(data.x)} rows in {trained.seconds:.1f} s"
        times = f"{rounds} rounds, in the last one " if rounds > 1 else ""
        self.notes["fine_tuning"] = f"{times}{how}, last loss {trained.loss:.3f}"
        itself = "the registered model itself"
        self.notes["teacher"] = str(self.job["teacher"]) if self.recipe.distill else itself
        if trained.learning_rate != settings.learning_rate:
            rate = f"{trained.learning_rate:g}"
            self.notes["restarted"] = f"the training diverged; learning rate lowered to {rate}"


def _share_of_round(percent: float, number: int, rounds: int) -> float:
    """What one round has to remove of what is left, so that all remove this share of the whole."""
    left = 1 - percent / 100 * (number - 1) / rounds
    return 100 * (1 - (1 - percent / 100 * number / rounds) / left)

"""What runs in a build child: ``python -I -m weighin.plugin.worker job.json``.

Three kinds of job. ``import`` loads a registered model, brings it into the trainable form, saves
that, and runs it on data sets. ``direct`` is for a model that cannot be brought there: it writes
float files of it as it is, and runs it on data sets. ``build`` makes trunks out of that form
(float models: pruned, distilled, or as it is) or of those files, and every file of each, so that
heavy libraries are loaded once. Before each step a line says what begins, after it a line says
what came out.

What this module does not do: it catches only what a pass says on purpose. Any other error ends
the child, and the parent makes it the failure of the step that had begun.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from weighin.gates.child import append_result, read_job
from weighin.gates.errors import WeighinError
from weighin.gates.variant import Format
from weighin.plugin.filemaker import Notes, make_file, receipt
from weighin.plugin.fx import Graph
from weighin.plugin.recipe import Recipe, parse_recipe
from weighin.plugin.rows import first_rows

GRAPH = "graph.pt2"
IMPORT = "import"
DIRECT = "direct"
BUILD = "build"
TRUNK_STEP = "trunk"
WORKER = "weighin.plugin.worker"
_CHECKED_ROWS = 64
_COMPARED_ROWS = 32
_OUTPUT_BATCH = 128


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reporter:
    """Writes the lines that the parent reads."""

    results: Path

    def step(self, name: str, work: Callable[[], dict[str, object]]) -> bool:
        """Do one step; whether it came to something."""
        append_result(self.results, {"begin": name})
        try:
            outcome = work()
        except WeighinError as error:
            append_result(self.results, {"failed": name, "reason": str(error)})
            return False
        append_result(self.results, {"done": name} | outcome)
        return True


def main(arguments: list[str]) -> None:
    """Do the job that a file describes."""
    import torch

    job, results = read_job(Path(arguments[0]))
    torch.set_num_threads(int(str(job["threads"])))
    torch.manual_seed(int(str(job["seed"])))
    reporter = _Reporter(results=results)
    if job["kind"] == IMPORT:
        _import(job, reporter)
    elif job["kind"] == DIRECT:
        _direct(job, reporter)
    else:
        _build(job, reporter)


def _import(job: Mapping[str, Any], reporter: _Reporter) -> None:
    graph_path = Path(job["graph"])
    if not graph_path.is_file():
        made = reporter.step(GRAPH, lambda: _import_source(job, graph_path))
        if not made:
            return
    from weighin.plugin.load import load_graph

    graph = load_graph(graph_path)
    for task in job["outputs"]:
        reporter.step(task["name"], partial(_save_outputs, graph, task))


def _import_source(job: Mapping[str, Any], path: Path) -> dict[str, object]:
    """Load, trace, compare on real rows, save."""
    from weighin.plugin.graph import same_outputs, to_graph
    from weighin.plugin.load import load_source, save_graph
    from weighin.plugin.passes.prune import count_macs

    loaded = load_source(job["source"])
    rows = first_rows(job["trace"], max(_CHECKED_ROWS, loaded.batch))
    batches = rows[: len(rows) // loaded.batch * loaded.batch].split(loaded.batch)
    if not batches:
        batches = (rows.repeat([loaded.batch] + [1] * (rows.dim() - 1))[: loaded.batch],)
    graph = to_graph(loaded.module, batches[0])
    for batch in batches:
        same_outputs(loaded.reference or loaded.module, graph, batch)
    macs = count_macs(graph, rows[:1])
    save_graph(graph, rows[:1], path)
    return receipt(path) | {"notes": {"macs": str(macs)} | dict(loaded.notes)}


def _direct(job: Mapping[str, Any], reporter: _Reporter) -> None:
    """Float files and outputs of a model as it is, each a step of its own."""
    from weighin.plugin.sources.direct import direct_loader, run_on

    load = direct_loader(job["source"])
    for task in job["floats"]:
        reporter.step(task["name"], partial(_write_float, load, task, job))
    for task in job["outputs"]:
        reporter.step(task["name"], partial(_save_outputs, partial(run_on, load), task))


def _write_float(load: Any, task: Mapping[str, Any], job: Mapping[str, Any]) -> dict[str, object]:
    from weighin.plugin.sources.direct import write_float

    path = Path(task["path"])
    rows = first_rows(job["trace"], _COMPARED_ROWS)
    notes = write_float(load, Format(task["format"]), path, rows)
    return receipt(path) | {"notes": notes | {"not_trainable": job["why"]}}


def _save_outputs(run: Callable[[Any], Any], task: Mapping[str, Any]) -> dict[str, object]:
    """Outputs of a model for every row of a data set."""
    import numpy as np
    import torch

    rows = first_rows(task["data"])
    with torch.no_grad():
        outputs = torch.cat([run(batch) for batch in rows.split(_OUTPUT_BATCH)]).numpy()
    path = Path(task["path"])
    part = path.with_suffix(".part.npz")
    np.savez(part, outputs=outputs)
    part.replace(path)
    return receipt(path)


def _build(job: Mapping[str, Any], reporter: _Reporter) -> None:
    for trunk in job["trunks"]:
        prefix, row = trunk["recipe"], first_rows(trunk["calibration"], 1)
        if trunk["graph"] is None:
            _build_direct(trunk, row, reporter)
            continue
        graph = _trunk(trunk, row, reporter)
        for step in trunk["steps"] if graph is not None else ():
            reporter.step(f"{prefix}/{step['name']}", partial(make_file, graph, row, step, trunk))


def _build_direct(trunk: Mapping[str, Any], row: Any, reporter: _Reporter) -> None:
    """Files of a model without a graph: quantized from, and compared with, its float files."""
    from weighin.plugin.sources.direct import float_model

    for step in trunk["steps"]:
        model = float_model(Path(trunk["floats"][step["base"]]), Format(step["base"]))
        name = f"{trunk['recipe']}/{step['name']}"
        reporter.step(name, partial(make_file, model, row, step, trunk))


def _trunk(job: Mapping[str, Any], row: Any, reporter: _Reporter) -> Graph | None:
    """The float model of a recipe: kept from before, or made now; ``None`` if it cannot be."""
    from weighin.plugin.load import load_graph

    recipe = parse_recipe(job["recipe"])
    if job["kept"] is not None:
        return load_graph(Path(job["kept"]))
    graph = load_graph(Path(job["graph"]))
    if not recipe.trains:
        return graph
    made: list[Graph] = []
    make = partial(_make_trunk, job, recipe, graph, row, made)
    return made[0] if reporter.step(f"{job['recipe']}/{TRUNK_STEP}", make) else None


def _make_trunk(
    job: Mapping[str, Any], recipe: Recipe, graph: Graph, row: Any, made: list[Graph]
) -> dict[str, object]:
    """Shape and train a graph, save it, and leave it in ``made``."""
    from weighin.plugin.load import save_graph
    from weighin.plugin.student import make_student, train_for_rounding

    student, notes = graph, Notes()
    if recipe.shapes:
        student, notes = make_student(job, recipe, graph, row)
    if recipe.qat_bits is not None:
        notes |= train_for_rounding(job, recipe.qat_bits, student)
    path = Path(job["trunk"])
    save_graph(student, row, path)
    made.append(student)
    return receipt(path) | {"notes": notes}


if __name__ == "__main__":
    main(sys.argv[1:])
    sys.stdout.flush()
    sys.stderr.flush()
    # Everything is written. Taking the ML libraries apart object by object takes seconds.
    os._exit(0)

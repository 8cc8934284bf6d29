"""Imports registered models and runs them on data, in a child process of their own.

This is the only child that runs a registered model's own code. All others start from the
trainable form that it leaves behind.
"""

from dataclasses import dataclass
from pathlib import Path

from weighin.gates.child import End, Limits, run_child
from weighin.gates.digest import sha256_of
from weighin.plugin.buildcache import Cache, Entry, Pairs, key_of
from weighin.plugin.direct_run import Direct, DirectTask
from weighin.plugin.ledger import Ledger
from weighin.plugin.load import source_job
from weighin.plugin.source import Source
from weighin.plugin.tools import source_tools
from weighin.plugin.worker import GRAPH, IMPORT, WORKER


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceRun:
    """What a registered model says about data sets.

    Attributes:
        outputs: For each data set an ``.npz`` with ``outputs``, [n, classes] float32: scores or
            probabilities for every row, in order.
        graph: The model in the trainable form; ``None`` if it cannot be brought there.
        macs: Multiply-accumulates for one row, where there is a graph.
        notes: What a reader of the report should know of how it was loaded.
        direct: Float files of a model without a graph.
    """

    outputs: tuple[Path, ...]
    graph: Path | None
    macs: int | None
    notes: Pairs = ()
    direct: Direct | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFailure:
    """A registered model could not be loaded, traced or run, and why.

    Attributes:
        reason: Why.
        lasting: Whether it would fail again: it was not for want of time or memory.
    """

    reason: str
    lasting: bool = True


def run_source(
    source: Source, data: tuple[Path, ...], trace: Path, workdir: Path, limits: Limits
) -> SourceRun | SourceFailure:
    """Import a registered model and run it on data sets; what was done before is not done again.

    Args:
        source: The model.
        data: Each an ``.npz`` with ``x``, [n, ...] as the model takes it; may be none.
        trace: The data set whose first rows the model is traced and compared on.
        workdir: Survives between runs; the same as the builds', so that a model is imported once.
        limits: Of the child.
    """
    task = _Import(source=source, data=data, trace=trace, cache=Cache(workdir / "cache"))
    direct = DirectTask(source=source, data=data, trace=trace, cache=task.cache)
    if direct.settled:
        direct.run(direct.why, workdir, limits)
        return _as_it_is(direct, SourceFailure(reason=direct.why))
    if not all(task.found(step) for step in task.keys):
        failure = _run(task, workdir, limits)
        if failure is not None:
            direct.run(failure.reason if failure.lasting else "", workdir, limits)
            return _as_it_is(direct, failure)
    graph = task.found(GRAPH)
    outputs = tuple(task.found(step) for step in task.keys if step != GRAPH)
    if graph is None or None in outputs:
        return SourceFailure(reason="the child ended without an answer")
    notes = dict(graph.notes)
    macs = int(notes.pop("macs", "0"))
    paths = tuple(entry.path for entry in outputs if entry is not None)
    return SourceRun(outputs=paths, graph=graph.path, macs=macs, notes=tuple(notes.items()))


def _as_it_is(direct: DirectTask, failure: SourceFailure) -> SourceRun | SourceFailure:
    """What there is of a model that could not be made trainable."""
    found = direct.result(failure.reason)
    if found is None:
        others = [reason for reason in direct.failed.values() if reason != failure.reason]
        return SourceFailure(reason="; ".join(dict.fromkeys([failure.reason, *others])))
    return SourceRun(outputs=direct.outputs(), graph=None, macs=None, direct=found)


class _Import:
    """Where one model, and its outputs on data sets, are kept."""

    def __init__(self, *, source: Source, data: tuple[Path, ...], trace: Path, cache: Cache):
        self.source, self.trace, self.cache = source, trace, cache
        graph = key_of("graph", source.digest, str(source.kind), source_tools(source.kind))
        self.data = {f"outputs{place}.npz": path for place, path in enumerate(data)}
        self.keys = {GRAPH: graph} | {
            step: key_of("outputs", graph, sha256_of(path)) for step, path in self.data.items()
        }

    def found(self, step: str) -> Entry | None:
        return self.cache.find(self.keys[step], Path(step).suffix)


def _run(task: _Import, workdir: Path, limits: Limits) -> SourceFailure | None:
    todo = tuple(step for step in task.keys if task.found(step) is None)
    folder = workdir / "children" / f"import-{key_of(task.keys)[:16]}"
    kept = task.found(GRAPH)
    (folder / GRAPH).unlink(missing_ok=True)
    job = {
        "kind": IMPORT,
        "threads": limits.threads,
        "seed": 0,
        "source": source_job(task.source),
        "graph": str((kept.path if kept else folder / GRAPH).resolve()),
        "trace": str(task.trace.resolve()),
        "outputs": [
            {
                "name": step,
                "data": str(task.data[step].resolve()),
                "path": str((folder / step).resolve()),
            }
            for step in todo
            if step != GRAPH
        ],
    }
    ledger = Ledger(todo, lambda step, line: task.cache.keep(task.keys[step], folder / step, line))
    ended = run_child(WORKER, job, folder, limits, on_line=ledger.line).ended
    ledger.end(ended)
    reason = next(iter(ledger.failed.values()), "")
    lasting = ended.how in (End.OK, End.CRASHED)
    return SourceFailure(reason=reason, lasting=lasting) if reason else None

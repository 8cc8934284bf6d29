"""Builds every variant of a registered model, and turns whatever happens into values.

One child imports the model; then a few children at a time make the trunks (the float model as
it is, pruned, distilled) and the files of each. Files are kept by content: a run that was killed
goes on where it was, and doing it twice does nothing twice.

What this module does not do: it loads no model and imports no ML library.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from weighin.gates.child import Limits
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.buildcache import key_of
from weighin.plugin.crew import Results, build_trunks
from weighin.plugin.describe import Meaning
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.recipe import Recipe
from weighin.plugin.source import Source
from weighin.plugin.source_run import SourceFailure, SourceRun, run_source
from weighin.plugin.tools import source_tools
from weighin.plugin.trunk import Built, Step, TrunkRequest

Report = Callable[[str, int, int], None]
"""Told what was just finished, how many files are finished, and of how many."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRequest:
    """Everything that decides what is built.

    Attributes:
        source: The registered model.
        recipes: What to make.
        formats: Each recipe in each of these.
        calibration: Data set for calibration, and for comparing files with their model.
        limits: Of one child.
        workdir: For the cache and the children; survives between runs.
        teacher: Another model to distill from; the registered one if ``None``.
        teacher_name: How the report calls it.
        training: Data set for fine-tuning, if there is one.
        workers: How many children at once.
        seed: Of everything random.
        settings: How to fine-tune.
        meaning: What to write into each file about its inputs and outputs.
    """

    source: Source
    recipes: tuple[Recipe, ...]
    formats: tuple[Format, ...]
    calibration: Path
    limits: Limits
    workdir: Path
    teacher: Source | None = None
    teacher_name: str = "the registered model itself"
    training: Path | None = None
    workers: int = 2
    seed: int = 0
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    meaning: Meaning = field(default_factory=Meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lesson:
    """What a teacher says about the training data, or why it says nothing."""

    outputs: Path | None = None
    reason: str = ""


def build_variants(request: BuildRequest, report: Report) -> tuple[Built | BuildFailure, ...]:
    """Build every recipe in every format.

    Args:
        request: What to build.
        report: Called from several threads, one at a time.

    Returns:
        One result per recipe and format, in that order.
    """
    wanted = tuple((recipe, format) for recipe in request.recipes for format in request.formats)
    source = _import(request)
    if isinstance(source, SourceFailure):
        reason = f"the registered model cannot be used: {source.reason}"
        return tuple(BuildFailure(recipe=str(r), format=f, reason=reason) for r, f in wanted)
    lesson = _teach(request, source)
    trunks = tuple(
        _trunk_request(request, source, lesson, trunk)
        for trunk in dict.fromkeys(recipe.trunk for recipe in request.recipes)
    )
    done = _Counter(total=len(wanted), report=report)
    results: Results = {}
    with ThreadPoolExecutor(max_workers=max(1, request.workers)) as pool:
        for part in pool.map(
            lambda group: build_trunks(group[1], group[0], request.limits, done.finished),
            _groups(request, trunks),
        ):
            results |= part
    return tuple(results[str(r.trunk), _step(r, format)] for r, format in wanted)


def _groups(
    request: BuildRequest, trunks: tuple[TrunkRequest, ...]
) -> tuple[tuple[Path, tuple[TrunkRequest, ...]], ...]:
    """Trunks that share a child, because loading the libraries costs more than most files.

    Those that train come first, so that no child is left with all of them.
    """
    order = sorted(trunks, key=lambda trunk: not trunk.trunk.trains)
    count = max(1, min(request.workers, len(order)))
    names = ("-".join(str(trunk.trunk) for trunk in order[n::count]) for n in range(count))
    folders = (request.workdir / "children" / f"build-{key_of(name)[:16]}" for name in names)
    return tuple((folder, tuple(order[n::count])) for n, folder in enumerate(folders))


def _import(request: BuildRequest) -> SourceRun | SourceFailure:
    """The registered model in the trainable form, and its outputs if it is its own teacher."""
    data: tuple[Path, ...] = ()
    if request.teacher is None and request.training is not None and _distills(request):
        data = (request.training,)
    calibration, workdir = request.calibration, request.workdir
    return run_source(request.source, data, calibration, workdir, request.limits)


def _teach(request: BuildRequest, source: SourceRun) -> _Lesson:
    """Run the teacher on the training data, if any recipe needs it."""
    if not _distills(request):
        return _Lesson()
    if request.training is None:
        return _Lesson(reason="distillation needs training data, and none is set for this model")
    if request.teacher is None:
        return _Lesson(outputs=source.outputs[0])
    data, calibration = (request.training,), request.calibration
    run = run_source(request.teacher, data, calibration, request.workdir, request.limits)
    match run:
        case SourceRun():
            return _Lesson(outputs=run.outputs[0])
        case SourceFailure():
            return _Lesson(reason=f"the teacher cannot be used: {run.reason}")


def _distills(request: BuildRequest) -> bool:
    return any(recipe.distill for recipe in request.recipes)


def _trunk_request(
    request: BuildRequest, source: SourceRun, lesson: _Lesson, trunk: Recipe
) -> TrunkRequest:
    steps = tuple(
        _step(recipe, format)
        for recipe in request.recipes
        if recipe.trunk == trunk
        for format in request.formats
    )
    return TrunkRequest(
        trunk=trunk,
        steps=tuple(dict.fromkeys(steps)),
        graph=source.graph,
        graph_tools=source_tools(request.source.kind),
        graph_notes=source.notes,
        direct=source.direct,
        calibration=request.calibration,
        training=request.training,
        soft=lesson.outputs,
        teacher=request.teacher_name,
        no_teacher=lesson.reason,
        workdir=request.workdir,
        seed=request.seed,
        settings=request.settings,
        meaning=request.meaning,
    )


def _step(recipe: Recipe, format: Format) -> Step:
    return Step(format=format, quantization=recipe.quantization)


class _Counter:
    """Counts results for the report, one thread at a time."""

    def __init__(self, *, total: int, report: Report) -> None:
        self._lock = threading.Lock()
        self._total = total
        self._count = 0
        self._report = report

    def finished(self, result: Built | BuildFailure) -> None:
        with self._lock:
            self._count += 1
            self._report(f"{result.recipe}{result.format.suffix}", self._count, self._total)

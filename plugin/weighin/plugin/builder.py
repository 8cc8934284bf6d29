"""Builds every variant of a registered model, and turns whatever happens into values.

One child imports the model; then a few children at a time make the trunks (the float model as
it is, pruned, distilled) and the files of each. Files are kept by content: a run that was killed
goes on where it was, and doing it twice does nothing twice.

What this module does not do: it loads no model and imports no ML library.
"""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
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
        training: Data set for fine-tuning, if there is one; it may have no labels.
        unlabelled: More rows for the training, without labels.
        student: Another model whose form and weights the recipe ``student`` starts from.
        student_name: How the report calls it.
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
    unlabelled: Path | None = None
    student: Source | None = None
    student_name: str = ""
    workers: int = 2
    seed: int = 0
    settings: TrainingSettings = field(default_factory=TrainingSettings)
    meaning: Meaning = field(default_factory=Meaning)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Other:
    """Another model in the trainable form, or why there is none."""

    graph: Path | None = None
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
    teacher, student = _teacher(request, source), _student(request)
    trunks = tuple(
        _trunk_request(request, source, teacher, student, trunk)
        for trunk in dict.fromkeys(_trunk(recipe, request) for recipe in request.recipes)
    )
    done = _Counter(total=sum(len(trunk.steps) for trunk in trunks), report=report)
    results: Results = {}
    with ThreadPoolExecutor(max_workers=max(1, request.workers)) as pool:
        for part in pool.map(
            lambda group: build_trunks(group[1], group[0], request.limits, done.finished),
            _groups(request, trunks),
        ):
            results |= part
    return tuple(
        replace(results[str(_trunk(r, request)), _step(r, format)], recipe=str(r))
        for r, format in wanted
    )


def _trunk(recipe: Recipe, request: BuildRequest) -> Recipe:
    """The float model of a recipe.

    A pruned model is taught by the registered one in any case, so that ``distill`` adds nothing
    without another teacher; it is trained once.
    """
    rows = request.training is not None or request.unlabelled is not None
    alike = rows and request.teacher is None and not request.settings.report_lift
    if alike and recipe.prune_percent is not None:
        return replace(recipe.trunk, distill=False)
    return recipe.trunk


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
    """The registered model in the trainable form."""
    return run_source(request.source, (), request.calibration, request.workdir, request.limits)


def _teacher(request: BuildRequest, source: SourceRun) -> _Other:
    """The teacher, if any recipe needs it."""
    if not _distills(request):
        return _Other()
    if request.training is None and request.unlabelled is None:
        return _Other(reason="distillation needs training data, and none is set for this model")
    if request.teacher is None:
        return _Other(graph=source.graph)
    return _other(request, request.teacher, "teacher")


def _student(request: BuildRequest) -> _Other:
    """The named student, if any recipe needs it."""
    if not any(recipe.student for recipe in request.recipes):
        return _Other()
    if request.student is None:
        return _Other(reason="the recipe 'student' needs a model; set `student` for this model")
    return _other(request, request.student, "student")


def _other(request: BuildRequest, other: Source, role: str) -> _Other:
    run = run_source(other, (), request.calibration, request.workdir, request.limits)
    match run:
        case SourceRun(graph=None):
            return _Other(reason=f"the {role} cannot be used: it cannot be made trainable")
        case SourceRun():
            return _Other(graph=run.graph)
        case SourceFailure():
            return _Other(reason=f"the {role} cannot be used: {run.reason}")


def _distills(request: BuildRequest) -> bool:
    return any(recipe.distill for recipe in request.recipes)


def _trunk_request(
    request: BuildRequest, source: SourceRun, teacher: _Other, student: _Other, trunk: Recipe
) -> TrunkRequest:
    steps = tuple(
        _step(recipe, format)
        for recipe in request.recipes
        if _trunk(recipe, request) == trunk
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
        unlabelled=request.unlabelled,
        teacher_graph=teacher.graph,
        teacher=request.teacher_name,
        no_teacher=teacher.reason,
        student_graph=student.graph,
        student=request.student_name,
        no_student=student.reason,
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

"""What is left to do for one trunk: one float model, in every format and quantization.

A file is made from the trunk's graph, or from another file, its origin, which is made once.

What this module does not do: it starts no child; :mod:`weighin.plugin.crew` does.
"""

from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from weighin.gates.child import Line
from weighin.gates.digest import sha256_of
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.buildcache import Cache, Entry, key_of
from weighin.plugin.describe import Meaning
from weighin.plugin.direct_run import Direct, FloatFile
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.recipe import Quantization, Recipe
from weighin.plugin.tools import Pairs, file_tools
from weighin.plugin.worker import TRUNK_STEP


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A variant's file in the builder's cache: copy it, never change it.

    Attributes:
        recipe: Canonical name of its recipe.
        format: Of the file.
        path: Where it is.
        sha256: Digest of the file.
        size_bytes: Length of the file.
        tools: Name and version of everything that made it, sorted by name.
        notes: What a reader of the report should know.
    """

    recipe: str
    format: Format
    path: Path
    sha256: str
    size_bytes: int
    tools: Pairs
    notes: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One file to make: a float file, or a quantized copy of one."""

    format: Format
    quantization: Quantization | None

    @property
    def name(self) -> str:
        """What the child calls it."""
        return f"{self.quantization or 'float32'}{self.format.suffix}"

    @property
    def base(self) -> Format:
        """The format of the float file that it is made from, at the latest; its own if none."""
        return self.origins[0].format if self.origins else self.format

    @property
    def origins(self) -> "tuple[Step, ...]":
        """The files that this one is made from, one out of the other, the first one first."""
        match self.format:
            case Format.LITERT | Format.ONNX if self.quantization is not None:
                return (Step(format=self.format, quantization=None),)
            case Format.ORT:
                origin = Step(format=Format.ONNX, quantization=self.quantization)
                return (*origin.origins, origin)
            case Format.LITERT | Format.ONNX | Format.EXECUTORCH | Format.COREML:
                return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkRequest:
    """Everything that decides one trunk.

    Attributes:
        trunk: A recipe without quantization.
        steps: The files that are asked for.
        graph: The registered model in the trainable form, or ``None``: then ``direct`` is there.
        graph_tools: What made that.
        graph_notes: What a reader of the report should know of how it was loaded.
        direct: Float files of a model that cannot be made trainable.
        calibration: Data set for calibration and comparison.
        training: Data set for fine-tuning, if there is one.
        unlabelled: More rows for it, without labels.
        teacher_graph: The teacher in the trainable form, if one is needed.
        teacher: How the report calls the teacher.
        no_teacher: Why there is none, if one is needed.
        student_graph: The model that the user names as the student, in the same form.
        student: How the report calls it.
        no_student: Why there is none, if one is needed.
        workdir: For the cache.
        seed: Of everything random.
        settings: How to fine-tune.
        meaning: What to write into each file about its inputs and outputs.
    """

    trunk: Recipe
    steps: tuple[Step, ...]
    graph: Path | None
    graph_tools: Pairs
    calibration: Path
    training: Path | None
    unlabelled: Path | None
    teacher_graph: Path | None
    teacher: str
    no_teacher: str
    student_graph: Path | None
    student: str
    no_student: str
    workdir: Path
    seed: int
    settings: TrainingSettings
    graph_notes: Pairs = ()
    direct: Direct | None = None
    meaning: Meaning = field(default_factory=Meaning)


class Trunk:
    """The state of one trunk between children: kept, failed, left to do."""

    def __init__(self, request: TrunkRequest, folder: Path) -> None:
        """Look at what is kept; the child will work in ``folder``."""
        self.request = request
        self._cache = Cache(request.workdir / "cache")
        self._key = _trunk_key(request)
        self._folder = folder / f"{request.trunk}-{self._key[:16]}"
        self._failed: dict[Step, str] = {}
        if request.trunk.distill and request.no_teacher:
            self._fail(self.todo(), request.no_teacher)
        if request.trunk.student and request.no_student:
            self._fail(self.todo(), request.no_student)
        if request.direct is not None:
            self._fail_what_needs_a_graph(request.direct)

    def _fail_what_needs_a_graph(self, direct: Direct) -> None:
        """Without a graph nothing is trained, and not every format can be written."""
        for step in self.todo():
            rounds = step.quantization is not None and step.quantization.rounds_in_the_graph
            if self.request.trunk.trains or rounds:
                self._fail((step,), f"the model cannot be made trainable: {direct.why}")
            elif direct.file(step.base) is None:
                self._fail((step,), direct.why_not(step.format))

    def todo(self) -> tuple[Step, ...]:
        """What still has to be made, origins before what is made from them."""
        found: list[Step] = []
        for wanted in self.request.steps:
            if wanted in self._failed or self._kept(wanted) is not None:
                continue
            last_kept = max(
                (n + 1 for n, one in enumerate(wanted.origins) if self._kept(one) is not None),
                default=0,
            )
            found += [*wanted.origins[last_kept:], wanted]
        return tuple(dict.fromkeys(found))

    def _kept(self, step: Step) -> Entry | None:
        return self._cache.find(self._file_key(step), step.format.suffix)

    def _file_key(self, step: Step) -> str:
        tools = file_tools(step.format, step.quantization)
        data = sha256_of(self.request.calibration)
        meaning = asdict(self.request.meaning)
        return key_of("file", self._key, step.name, data, tools, meaning)

    def result(self, step: Step) -> Built | BuildFailure | None:
        """What became of a step; ``None`` as long as it is to be done."""
        recipe, kept = _recipe_name(self.request.trunk, step), self._kept(step)
        if kept is None:
            if step not in self._failed:
                return None
            return BuildFailure(recipe=recipe, format=step.format, reason=self._failed[step])
        trunk = self._trunk_file()
        tools = {*self.request.graph_tools, *file_tools(step.format, step.quantization)}
        return Built(
            recipe=recipe,
            format=step.format,
            path=kept.path,
            sha256=kept.sha256,
            size_bytes=kept.size_bytes,
            tools=tuple(sorted(tools)),
            notes=self._origin_notes(step.base) + (trunk.notes if trunk else ()) + kept.notes,
        )

    def _origin_notes(self, format: Format) -> Pairs:
        direct = self.request.direct
        file = direct.file(format) if direct is not None else None
        return file.notes if file is not None else self.request.graph_notes

    def accept(self, name: str, line: Line) -> str:
        """Keep what a child made; why not, if it cannot be kept."""
        if name == TRUNK_STEP:
            return self._cache.keep(self._key, self._folder / "trunk.pt2", line)
        step = self._named(name)
        return self._cache.keep(self._file_key(step), self._made(step), line, step.format.suffix)

    def give_up(self, name: str, reason: str) -> None:
        """A step failed, and with it whatever starts from its file."""
        self._fail(self._lost_with(name), reason)

    def steps_left(self) -> tuple[str, ...]:
        """Names of the steps of the next child, in order."""
        todo = self.todo()
        if not todo:
            return ()
        needed = self._trunk_file() is None and self.request.trunk.trains
        return ((TRUNK_STEP,) if needed else ()) + tuple(step.name for step in todo)

    def _lost_with(self, name: str) -> tuple[Step, ...]:
        """What cannot be made any more when a step failed."""
        if name == TRUNK_STEP:
            return self.todo()
        return tuple(
            step
            for step in self.todo()
            if name in (step.name, *(origin.name for origin in step.origins))
        )

    def _made(self, step: Step) -> Path:
        return self._folder / step.name

    def job(self) -> dict[str, object]:
        """This trunk's part of the next child's job."""
        request, kept = self.request, self._trunk_file()
        self._folder.mkdir(parents=True, exist_ok=True)
        made = self._folder / "trunk.pt2"
        made.unlink(missing_ok=True)
        return {
            "recipe": str(request.trunk),
            "graph": str(request.graph.resolve()) if request.graph else None,
            "floats": {str(file.format): str(file.path.resolve()) for file in self._floats()},
            "kept": str(kept.path.resolve()) if kept else None,
            "trunk": str(made.resolve()),
            "calibration": str(request.calibration.resolve()),
            "training": _text(request.training),
            "unlabelled": _text(request.unlabelled),
            "teacher_graph": _text(request.teacher_graph),
            "teacher": request.teacher,
            "student_graph": _text(request.student_graph),
            "student": request.student,
            "seed": request.seed,
            "settings": asdict(request.settings),
            "meaning": asdict(request.meaning),
            "steps": [self._step_job(step) for step in self.todo()],
        }

    def _floats(self) -> tuple[FloatFile, ...]:
        return self.request.direct.files if self.request.direct is not None else ()

    def _trunk_file(self) -> Entry | None:
        return self._cache.find(self._key, ".pt2")

    def _named(self, name: str) -> Step:
        return next(step for step in self.todo() if step.name == name)

    def _fail(self, steps: tuple[Step, ...], reason: str) -> None:
        for step in steps:
            self._failed.setdefault(step, reason)

    def _step_job(self, step: Step) -> dict[str, object]:
        origin = step.origins[-1] if step.origins else None
        kept = self._kept(origin) if origin else None
        made = self._made(origin) if origin else None
        path = kept.path if kept else made
        return {
            "name": step.name,
            "format": str(step.format),
            "base": str(step.base),
            "quantization": str(step.quantization) if step.quantization else None,
            "origin": str(path.resolve()) if path else None,
            "path": str(self._made(step).resolve()),
        }


def _trunk_key(request: TrunkRequest) -> str:
    """Decided by the model, and by all that training sees if there is any."""
    direct = request.direct.files if request.direct is not None else ()
    files = [file.path for file in direct] + ([request.graph] if request.graph else [])
    origin = tuple(sha256_of(path) for path in files)
    parts: tuple[object, ...] = ("trunk", str(request.trunk), *origin)
    if request.trunk.trains:
        teacher = request.teacher_graph if request.trunk.distill else None
        student = request.student_graph if request.trunk.student else None
        sets = (request.training, request.unlabelled, teacher, student, request.calibration)
        digests = tuple(sha256_of(path) if path else "" for path in sets)
        parts = (*parts, digests, request.seed, asdict(request.settings))
    return key_of(*parts, request.graph_tools)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.resolve())


def _recipe_name(trunk: Recipe, step: Step) -> str:
    if step.quantization is None:
        return str(trunk)
    return str(replace(trunk, quantization=step.quantization))

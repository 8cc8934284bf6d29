"""Every technique from every kind of source in every format: what came out, or why nothing did.

Six real models, one per kind. Each file that runs here is run on test rows; its accuracy is held
against the registered model's on the same rows. Trainings are short: this measures reach, and
what can be gained by training is measured in ``pruning.py``. The table goes into
``docs/variants.md``.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import numpy as np
from cases import SHARED, prepared
from figures import Figure, present

from weighin.gates.child import Limits
from weighin.gates.meters.models import load_model
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.recipe import parse_recipe
from weighin.plugin.source import Source, SourceKind, inspect_source
from weighin.plugin.source_run import SourceRun, run_source
from weighin.plugin.trunk import Built

RECIPES = (
    *("float32", "fp16", "w8", "w4", "dynamic_int8"),
    *("int8", "int8_percentile", "int8_entropy", "int8_mse", "int8_a16", "mixed"),
    *("qat+int8", "qat+w4", "sparse80", "prune50", "prune50+int8", "prune30+sparse50+w8"),
    *("distill50", "distill50+int8", "shallow50", "student"),
)
PROOF = ("float32", "int8", "prune50", "distill50")
"""A source works if these come out of it, in LiteRT and in ONNX."""

FAMILIES: Mapping[str, tuple[Format, ...]] = {
    "LiteRT": (Format.LITERT,),
    "ONNX and ORT": (Format.ONNX, Format.ORT),
    "ExecuTorch": (Format.EXECUTORCH,),
    "Core ML": (Format.COREML,),
}
PAGE = Path(__file__).parents[2] / "docs" / "variants.md"
BEGIN, END = "<!-- reach -->", "<!-- /reach -->"
MOST_ROWS = 1000
CALIBRATION_ROWS = 128
SAME_POINTS = 0.2
LIMITS = Limits(wall_seconds=3600, memory_mib=12000)
SETTINGS = TrainingSettings(epochs=3, train_seconds=60, report_lift=True)

_SAVE = """
import sys
origin, kind, which, out, rows = sys.argv[1:]
sys.path.insert(0, origin)
import numpy as np
rows = np.load(rows)["x"][:2]
if kind.startswith("torch"):
    import load, mlflow
    more = {"input_example": rows} if kind == "torch-pt2" else {
        "serialization_format": "pickle", "code_paths": [f"{origin}/arch.py"]}
    mlflow.pytorch.save_model(load.model(which), out, pip_requirements=["torch"], **more)
elif kind == "onnx":
    import mlflow, onnx
    mlflow.onnx.save_model(onnx.load(f"{origin}/{which}.onnx"), out, pip_requirements=["onnx"])
elif kind == "keras3":
    import keras, mlflow
    mlflow.keras.save_model(keras.models.load_model(f"{origin}/{which}.keras"), out)
elif kind == "tensorflow-savedmodel":
    import keras
    keras.models.load_model(f"{origin}/{which}.keras").export(f"{out}/data/model")
else:
    import os, shutil
    os.makedirs(f"{out}/data")
    shutil.copy(f"{origin}/{which}.h5", f"{out}/data/model.h5")
"""
_FLAVOR = {"flavors": {"tensorflow": {"data": "data"}}}


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One registered model.

    Attributes:
        kind: How it is stored.
        title: For the table.
        folder: Below ``../shared/models``.
        which: Of the models there.
        data: Names of the evaluation and the training data there.
        student: Another model there that the recipe ``student`` starts from.
    """

    kind: SourceKind
    title: str
    folder: str
    which: str
    data: tuple[str, str] = ("eval", "train")
    student: str = ""


CASES = (
    Case(
        kind=SourceKind.TORCH_PROGRAM,
        title="PyTorch pt2: spoken digits, CNN",
        folder="spoken-digits-torch",
        which="teacher",
        student="student",
    ),
    Case(
        kind=SourceKind.TORCH_PICKLE,
        title="PyTorch pickle: spoken digits, depthwise",
        folder="spoken-digits-torch",
        which="student",
    ),
    Case(
        kind=SourceKind.KERAS,
        title="Keras 3: MNIST, CNN",
        folder="mnist-keras",
        which="teacher",
        student="student",
    ),
    Case(
        kind=SourceKind.SAVED_MODEL,
        title="SavedModel: MNIST, depthwise",
        folder="mnist-keras",
        which="student",
    ),
    Case(
        kind=SourceKind.KERAS_H5,
        title="Keras 2 .h5: hand gestures, MLP",
        folder="hand-gesture-keras",
        which="keypoint_classifier",
        data=("keypoint_classifier_eval", "keypoint_classifier_train"),
    ),
    Case(
        kind=SourceKind.ONNX,
        title="ONNX: ResNet-20",
        folder="cifar10-resnet-torch",
        which="resnet20",
        data=("eval", "train10k"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """What became of one recipe in one format from one source.

    Attributes:
        kind: Of the source.
        recipe: The recipe.
        format: Of the file.
        drop: Accuracy lost against the registered model on the same rows, points; ``None`` if
            there is no file, or it does not run here.
        size_bytes: Of the file; 0 if there is none.
        failure: Why there is none.
        lift: What the product noted of a student with and without its teacher.
    """

    kind: SourceKind
    recipe: str
    format: Format
    drop: float | None = None
    size_bytes: int = 0
    failure: str = ""
    lift: str = ""

    @property
    def short(self) -> str:
        return f"{self.drop:+.1f}" if self.drop is not None else "built" * bool(self.size_bytes)


def measure_case(case: Case, work: Path) -> list[Cell]:
    """Build every recipe in every format, and run what can be run."""
    data = write_data(case, work)
    student = save(case, case.student, work / "student", data["calibration"])
    request = BuildRequest(
        source=_must(save(case, case.which, work / "model", data["calibration"])),
        recipes=tuple(map(parse_recipe, RECIPES)),
        formats=tuple(Format),
        calibration=data["calibration"],
        training=data["training"],
        limits=LIMITS,
        workdir=work / "build",
        student=student,
        student_name=case.student,
        workers=os.cpu_count() or 1,
        settings=SETTINGS,
    )
    evaluation, calibration = data["evaluation"], data["calibration"]
    run = run_source(request.source, (evaluation,), calibration, request.workdir, LIMITS)
    if not isinstance(run, SourceRun):
        raise SystemExit(f"{case.title}: {run.reason}")
    with np.load(evaluation) as rows, np.load(run.outputs[0]) as outputs:
        x, y = rows["x"], rows["y"]
        right = (outputs["outputs"].argmax(1) == y).mean()
    results = build_variants(request, lambda *_: None)
    return [cell(case, made, x, y, float(right)) for made in results]


def cell(case: Case, made: Built | BuildFailure, x: Any, y: Any, right: float) -> Cell:
    if isinstance(made, BuildFailure):
        return Cell(kind=case.kind, recipe=made.recipe, format=made.format, failure=made.reason)
    drop = None
    if not made.format.runs_elsewhere:
        model = load_model(str(made.path), made.format, 1)
        found = np.array([np.array(model(row)).argmax() for row in x[:, None]])
        drop = 100 * (right - float((found == y).mean()))
    return Cell(
        kind=case.kind,
        recipe=made.recipe,
        format=made.format,
        drop=drop,
        size_bytes=made.size_bytes,
        lift=dict(made.notes).get("distillation_lift", ""),
    )


def write_data(case: Case, work: Path) -> dict[str, Path]:
    """Data sets of one case; rows of the shared files as its model takes them."""
    origin = SHARED / case.folder
    if not origin.is_dir():
        raise SystemExit(f"{origin} is not there: this benchmark needs the real models")
    work.mkdir(parents=True)
    evaluation, training = case.data
    parts = {
        "evaluation": (evaluation, slice(0, MOST_ROWS)),
        "calibration": (training, slice(0, CALIBRATION_ROWS)),
        "training": (training, slice(CALIBRATION_ROWS, None)),
    }
    for role, (name, rows) in parts.items():
        with np.load(origin / f"{name}.npz") as data:
            x, y = prepared(case.folder, data["x"][rows]), data["y"][rows].astype("int64")
            np.savez(work / f"{role}.npz", x=x, y=y)
    return {role: work / f"{role}.npz" for role in parts}


def save(case: Case, which: str, folder: Path, rows: Path) -> Source | None:
    """One model the way MLflow writes it; ``None`` where there is none of that name."""
    if not which:
        return None
    words = (str(SHARED / case.folder), case.kind.value, which, str(folder), str(rows))
    command = [sys.executable, "-c", _SAVE, *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise SystemExit(f"{case.title}: {done.stderr}")
    if not (folder / "MLmodel").is_file():
        (folder / "MLmodel").write_text(json.dumps(_FLAVOR))
    return inspect_source(folder, trust_pickle=case.kind is SourceKind.TORCH_PICKLE)


def _must(source: Source | None) -> Source:
    if source is None:
        raise SystemExit("a case has no model")
    return source


def figures(cells: Sequence[Cell]) -> Iterator[Figure]:
    """How many families of formats and kinds of sources work."""
    good = [name for name, formats in FAMILIES.items() if _format_works(cells, formats)]
    told = "; ".join(f"{name}: {_count(cells, formats)}" for name, formats in FAMILIES.items())
    yield Figure(name="formats_working", value=len(good), goal=4, op=">=", detail=told)
    sources = [case for case in CASES if _source_works(cells, case.kind)]
    yield Figure(
        name="sources_working",
        value=len(sources),
        goal=5,
        op=">=",
        detail=f"{', '.join(case.kind for case in sources)}: {', '.join(PROOF)} built in LiteRT "
        f"and ONNX, float32 within {SAME_POINTS} points",
    )


def _format_works(cells: Sequence[Cell], formats: Sequence[Format]) -> bool:
    """From every source there is a float32 file that says what the registered model says."""
    proof = [c for c in cells if c.format in formats and c.recipe == "float32"]
    return len(proof) == len(CASES) * len(formats) and all(map(_same, proof))


def _source_works(cells: Sequence[Cell], kind: SourceKind) -> bool:
    proof = [
        c
        for c in cells
        if c.kind is kind and c.format in (Format.LITERT, Format.ONNX) and c.recipe in PROOF
    ]
    built = all(_same(c) if c.recipe == "float32" else c.size_bytes > 0 for c in proof)
    return len(proof) == 2 * len(PROOF) and built


def _same(cell: Cell) -> bool:
    """Built, and where it runs here no worse than the registered model."""
    return cell.size_bytes > 0 and abs(cell.drop or 0.0) <= SAME_POINTS


def _count(cells: Sequence[Cell], formats: Sequence[Format]) -> str:
    own = [c for c in cells if c.format in formats]
    run = sum(c.drop is not None for c in own)
    return f"{sum(c.size_bytes > 0 for c in own)} of {len(own)} files built, {run} run"


def table(cells: Sequence[Cell]) -> str:
    """Techniques by sources; in a cell the formats, in this order; letters stand for reasons."""
    reasons = list(dict.fromkeys(_reason(c) for c in cells if c.failure))
    names = ", ".join(f"`{format.suffix}`" for format in Format)
    lines = [
        f"Accuracy lost in points, for {names}; a letter is a reason why there is no file.\n",
        f"| | {' | '.join(case.title for case in CASES)} |",
        f"| --- |{' --- |' * len(CASES)}",
    ]
    for recipe in RECIPES:
        row = [
            " ".join(
                c.short or f"*{ascii_lowercase[reasons.index(_reason(c))]}*"
                for c in cells
                if c.kind is case.kind and c.recipe == recipe
            )
            for case in CASES
        ]
        lines.append(f"| `{recipe}` | {' | '.join(row)} |")
    lines.append("")
    lines += [f"- *{ascii_lowercase[place]}*: {reason}" for place, reason in enumerate(reasons)]
    lifts = {(c.kind, str(parse_recipe(c.recipe).trunk)): c.lift for c in cells if c.lift}
    lines += ["", "| source | student | with and without its teacher |", "| --- | --- | --- |"]
    lines += [f"| {kind} | `{recipe}` | {lift} |" for (kind, recipe), lift in lifts.items()]
    return "\n".join(lines) + "\n"


def _reason(cell: Cell) -> str:
    """A failure without what differs from model to model and from recipe to recipe."""
    first = re.sub(r" \([^)]*\)", "", cell.failure.strip().splitlines()[0])
    quantization = str(parse_recipe(cell.recipe).quantization)
    return first.replace(quantization, "…")


def put_into(page: Path, text: str) -> None:
    """Replace what stands between the two marks of a page."""
    before, rest = page.read_text(encoding="utf-8").split(BEGIN)
    _, after = rest.split(END)
    page.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory(prefix="weighin-reach-") as scratch:
        cells = [c for case in CASES for c in measure_case(case, Path(scratch) / case.kind)]
    put_into(PAGE, table(cells))
    yield from figures(cells)


if __name__ == "__main__":
    present(measure, __doc__)

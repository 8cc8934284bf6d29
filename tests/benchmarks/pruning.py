"""Pruning and distillation of ResNet-20: accuracy on all 10,000 test images, and speed.

Everything is built by the product's own builder from the 10,000 training images, with at most
ten minutes of fine-tuning per model on one core. The evaluation images are seen only here. The
student without its teacher is the same build with ``soft_weight = 0``.
"""

import importlib
import json
import resource
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from figures import Figure, present

from weighin.gates.child import Limits
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.recipe import parse_recipe
from weighin.plugin.source import Source, inspect_source
from weighin.plugin.trunk import Built

MODEL = Path(__file__).parents[3] / "shared/models/cifar10-resnet-torch"
PRUNING = TrainingSettings(epochs=24, train_seconds=600)
STUDENT = TrainingSettings(epochs=6, train_seconds=600)
LIMITS = Limits(wall_seconds=3600, memory_mib=8192, threads=1)
GOALS = {50: 3.5, 30: 1.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """Where the models and the data are."""

    folder: Path
    resnet20: Source
    resnet56: Source
    x: Any
    y: Any

    def build(
        self, recipes: tuple[str, ...], settings: TrainingSettings, teacher: Source | None = None
    ) -> dict[str, Built]:
        """Build recipes as `.tflite`; a failure ends the benchmark with its reason."""
        request = BuildRequest(
            source=self.resnet20,
            recipes=tuple(map(parse_recipe, recipes)),
            formats=(Format.LITERT,),
            calibration=self.folder / "calibration.npz",
            training=self.folder / "training.npz",
            limits=LIMITS,
            workdir=self.folder / "work",
            workers=1,
            teacher=teacher,
            teacher_name="resnet56" if teacher else "the registered model itself",
            settings=replace(settings, augment="flip+shift"),
        )
        results = build_variants(request, lambda *_: None)
        failures = [result for result in results if isinstance(result, BuildFailure)]
        if failures:
            raise SystemExit(f"{failures[0].label}: {failures[0].reason}")
        return {result.recipe: result for result in results if isinstance(result, Built)}

    def accuracy(self, built: Built) -> float:
        """Per cent of the test images."""
        answers = _runner(built)
        return 100 * float((answers(self.x).argmax(1) == self.y).mean())


def prepare(folder: Path) -> Bench:
    """Export the models the way MLflow does, and bring the images into their form."""
    import numpy as np

    sys.path.insert(0, str(MODEL))
    load: Any = importlib.import_module("load")
    sets = {}
    for name in ("train10k", "eval"):
        with np.load(MODEL / f"{name}.npz") as data:
            sets[name] = (load.prep(data["x"]).numpy(), data["y"].astype(np.int64))
    x, y = sets["train10k"]
    np.savez(folder / "training.npz", x=x, y=y)
    np.savez(folder / "calibration.npz", x=x[:200], y=y[:200])
    sources = [_exported(load.model(depth), folder / f"resnet{depth}") for depth in (20, 56)]
    x, y = sets["eval"]
    return Bench(folder=folder, resnet20=sources[0], resnet56=sources[1], x=x, y=y)


def _exported(module: Any, folder: Path) -> Source:
    import torch

    (folder / "data").mkdir(parents=True, exist_ok=True)
    program = torch.export.export(module, (torch.zeros(1, 3, 32, 32),))
    torch.export.save(program, folder / "data/model.pt2")
    (folder / "MLmodel").write_text(json.dumps({"flavors": {"pytorch": {"model_data": "data"}}}))
    return inspect_source(folder)


def _runner(built: Built) -> Any:
    """A function from rows to outputs, through the runtime that an app uses."""
    import numpy as np

    from weighin.gates.meters.models import load_model

    model = load_model(str(built.path), built.format, 1)
    return lambda rows: np.concatenate([np.array(model(row)) for row in rows[:, None]])


def speedup(slow: Built, fast: Built, rows: Any) -> float:
    """How many times faster, in turns, so that a busy machine slows both down alike."""
    first, second = _runner(slow), _runner(fast)
    ratios = []
    for _ in range(60):
        times = []
        for run in (first, second):
            started = time.thread_time()
            run(rows[:20])
            times.append(time.thread_time() - started)
        ratios.append(times[0] / times[1])
    return statistics.median(ratios)


def measure() -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as scratch:
        bench = prepare(Path(scratch))
        yield from pruned(bench, PRUNING, GOALS)
        yield from lift(bench, STUDENT)


def pruned(
    bench: Bench, settings: TrainingSettings, goals: Mapping[int, float]
) -> Iterator[Figure]:
    """Drop of each pruned model, and how much faster the one with half of the work is."""
    whole = bench.build(("float32",), settings)["float32"]
    full = bench.accuracy(whole)
    for percent, goal in goals.items():
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
        name = f"prune{percent}"
        built = bench.build((name,), settings)[name]
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        cpu = used.ru_utime + used.ru_stime - spent.ru_utime - spent.ru_stime
        notes, reached = dict(built.notes), bench.accuracy(built)
        detail = (
            f"{full:.2f} -> {reached:.2f} % of {len(bench.y)} test images; MACs {notes['macs']}; "
            f"{notes['fine_tuning']}; {cpu:.0f} CPU seconds for everything"
        )
        drop = full - reached
        yield Figure(name=f"pruned_{percent}_drop_points", value=drop, goal=goal, detail=detail)
        if percent == 50:
            ratio = speedup(whole, built, bench.x)
            detail = "LiteRT, one thread, CPU time in turns, median of 60"
            yield Figure(name="pruned_50_speedup", value=ratio, goal=1.5, detail=detail, op=">=")


def lift(bench: Bench, settings: TrainingSettings) -> Iterator[Figure]:
    """How much better a student is with its teacher than without, at equal epochs."""
    reached = {}
    for weight in (0.9, 0.0):
        built = bench.build(("distill50",), replace(settings, soft_weight=weight), bench.resnet56)[
            "distill50"
        ]
        reached[weight] = (bench.accuracy(built), dict(built.notes)["fine_tuning"])
    (taught, how), (alone, how_alone) = reached[0.9], reached[0.0]
    detail = (
        f"distill50 of ResNet-20, {taught:.2f} % taught by ResNet-56 ({how}), "
        f"{alone:.2f} % alone ({how_alone}), {len(bench.y)} test images"
    )
    yield Figure(name="distill_lift_points", value=taught - alone, goal=1.0, detail=detail, op=">=")


if __name__ == "__main__":
    present(measure, __doc__)

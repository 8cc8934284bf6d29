"""ResNet-20 in every format: ``python tests/benchmarks/formats.py [images [format ...]]``.

Needs the real model in ``../shared``. Prints bytes, CPU seconds of making the files of a format
(libraries loaded, the registered model imported before), the check against the registered model,
and the accuracy on the first test images.
"""

import importlib.util
import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from weighin.gates.child import Limits
from weighin.gates.meters.models import load_model
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.recipe import parse_recipe
from weighin.plugin.source import inspect_source
from weighin.plugin.trunk import Built

FOLDER = Path(__file__).parents[3] / "shared/models/cifar10-resnet-torch"
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
STD = np.array([0.229, 0.224, 0.225], np.float32)
RECIPES = ("float32", "fp16", "dynamic_int8", "int8")


def images(name: str, count: int) -> tuple[Any, Any]:
    with np.load(FOLDER / name) as data:
        x, y = data["x"][:count], data["y"][:count]
    rows = ((x.astype(np.float32) / 255 - MEAN) / STD).transpose(0, 3, 1, 2)
    return np.ascontiguousarray(rows), y


def registered(folder: Path) -> Path:
    """ResNet-20 the way that MLflow keeps it."""
    spec = importlib.util.spec_from_file_location("arch", FOLDER / "arch.py")
    assert spec is not None
    assert spec.loader is not None
    arch: Any = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(arch)
    module = arch.build(20)
    module.load_state_dict(torch.load(FOLDER / "resnet20.pt", weights_only=True))
    (folder / "data").mkdir(parents=True)
    program = torch.export.export(module.eval(), (torch.rand(1, 3, 32, 32),))
    torch.export.save(program, folder / "data/model.pt2")
    (folder / "MLmodel").write_text('{"flavors": {"pytorch": {"model_data": "data"}}}')
    return folder


def accuracy(built: Built, rows: Any, labels: Any) -> str:
    if built.format.runs_elsewhere:
        return built.format.runs_elsewhere
    model = load_model(str(built.path), built.format, 1)
    right = [
        np.array(model(row)).argmax() == y for row, y in zip(rows[:, None], labels, strict=True)
    ]
    return f"{100 * np.mean(right):.2f} %"


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main(count: int, formats: tuple[Format, ...], work: Path) -> None:
    calibration, _ = images("train10k.npz", 200)
    np.savez(work / "calibration.npz", x=calibration)
    request = BuildRequest(
        source=inspect_source(registered(work / "model")),
        recipes=tuple(map(parse_recipe, RECIPES)),
        formats=(),
        calibration=work / "calibration.npz",
        limits=Limits(wall_seconds=900, memory_mib=8000),
        workdir=work,
        workers=1,
    )
    build_variants(request, lambda *_: None)
    rows, labels = images("eval.npz", count)
    print("| file | bytes | difference | agreement | accuracy |\n| --- | --- | --- | --- | --- |")
    for format in formats:
        before = cpu_seconds()
        results = build_variants(replace(request, formats=(format,)), lambda *_: None)
        seconds = cpu_seconds() - before
        for result in results:
            name = f"{result.recipe}{result.format.suffix}"
            if isinstance(result, BuildFailure):
                print(f"| {name} | not possible: {result.reason} |")
                continue
            notes = dict(result.notes)
            checked = (notes["difference_from_trunk"], notes.get("agreement_with_trunk", ""))
            score = accuracy(result, rows, labels)
            print(f"| {name} | {result.size_bytes} | {' | '.join(checked)} | {score} |", flush=True)
        print(f"{format}: {seconds:.0f} s of CPU", flush=True)


if __name__ == "__main__":
    chosen = tuple(map(Format, sys.argv[2:])) or tuple(Format)
    with tempfile.TemporaryDirectory() as folder:
        main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000, chosen, Path(folder))

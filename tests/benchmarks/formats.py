"""ResNet-20 in every format: ``python tests/benchmarks/formats.py [images [format ...]]``.

Needs the real model in ``../shared``. Prints bytes, CPU seconds of making the files of a format
(libraries loaded, the registered model imported before), the check against the registered model,
and the accuracy on the first test images.
"""

import resource
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from cases import make_case

from weighin.gates.child import Limits
from weighin.gates.meters.models import load_model
from weighin.gates.variant import BuildFailure, Format
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.recipe import parse_recipe
from weighin.plugin.source import inspect_source
from weighin.plugin.trunk import Built

RECIPES = ("float32", "fp16", "dynamic_int8", "int8")


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
    case = make_case("resnet20", work / "case", evaluation_rows=count)
    request = BuildRequest(
        source=inspect_source(case.model),
        recipes=tuple(map(parse_recipe, RECIPES)),
        formats=(),
        calibration=case.calibration,
        limits=Limits(wall_seconds=900, memory_mib=8000),
        workdir=work,
        workers=1,
    )
    build_variants(request, lambda *_: None)
    with np.load(case.evaluation) as data:
        rows, labels = data["x"], data["y"]
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

"""The child that computes metrics: ``python -I -m weighin.gates.meters.score_child job.json``.

It may run a function of the user's own, and reads outputs that models wrote: so it runs apart, like
the models. What this module does not do: it judges nothing.
"""

import sys
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from weighin.gates.child import append_result, read_job
from weighin.gates.meters.columns import read_slices
from weighin.gates.meters.metrics import BUILT_IN, QualityMetric, Reads
from weighin.gates.meters.score_functions import Array, Score, prepared, score_function
from weighin.gates.meters.scores import Drop, NotDefinedError, Pair, drop_of


def main(arguments: Sequence[str]) -> None:
    """Estimate the drop of each variant, and of each slice of the data."""
    said, results = read_job(Path(arguments[0]))
    job: dict[str, Any] = dict(said)
    warnings.simplefilter("ignore")  # what is not defined is not finite, and is said as that
    metric, rows = _metric(job), np.load(job["rows"])
    labels, slices = _data(Path(job["evaluation"]), rows, tuple(job["slices"]))
    reference = np.load(job["reference"], allow_pickle=False)[rows]
    read = prepared(reference, metric.reads)
    score = score_function(metric, _classes(metric, read, labels), _root(job))
    for item in job["variants"]:
        variant = prepared(np.load(item["outputs"], allow_pickle=False), metric.reads)
        pair = Pair(labels=labels, reference=read, variant=variant)
        line = _measured(partial_drop(score, metric, job), pair, slices, job["risk"])
        append_result(results, {"label": item["label"], **line})


def partial_drop(
    score: Score, metric: QualityMetric, job: Mapping[str, Any]
) -> Callable[[Pair, float], Drop]:
    """How one pair is estimated at one risk."""
    return lambda pair, risk: drop_of(
        score, pair, larger_is_better=metric.larger_is_better, risk=risk, seed=job["seed"]
    )


def _measured(
    drop: Callable[[Pair, float], Drop], pair: Pair, slices: Sequence[Array], risk: float
) -> dict[str, object]:
    if pair.variant.shape != pair.reference.shape:
        shapes = f"{list(pair.variant.shape)}, the registered model's {list(pair.reference.shape)}"
        return {"reason": f"the outputs have shape {shapes}"}
    line = _line(drop, pair, risk)
    parts = [_line(drop, pair.rows(mask), risk / len(slices)) for mask in slices]
    return {**line, "differing": pair.differing, "slices": parts}


def _line(drop: Callable[[Pair, float], Drop], pair: Pair, risk: float) -> dict[str, object]:
    """An estimate, or why there is none: not defined, or refused by the function itself."""
    try:
        found = drop(pair, risk)
    except (NotDefinedError, ValueError, IndexError) as error:
        return {"reason": f"{error}"}
    return {
        "drop": asdict(found.estimate),
        "reference": found.reference,
        "variant": found.variant,
        "by_row": found.by_row,
    }


def _data(evaluation: Path, rows: Array, columns: tuple[str, ...]) -> tuple[Array, list[Array]]:
    with np.load(evaluation, allow_pickle=False) as archive:
        labels = archive["y"][rows]
    return labels, [one.mask[rows] for one in read_slices(evaluation, columns)]


def _classes(metric: QualityMetric, read: Array, labels: Array) -> int:
    if metric.reads is Reads.SCORES:
        return int(read.shape[1])
    return (
        0
        if metric.numbers or metric.reads is Reads.VALUES
        else int(max(read.max(), labels.max())) + 1
    )


def _metric(job: Mapping[str, Any]) -> QualityMetric:
    fields: dict[str, Any] = job["metric"]
    if fields["name"] in BUILT_IN:
        return BUILT_IN[fields["name"]]
    return QualityMetric(
        name=fields["name"],
        reads=Reads(fields["reads"]),
        larger_is_better=fields["larger_is_better"],
        numbers=fields["numbers"],
        arguments=tuple((name, value) for name, value in fields["arguments"]),
    )


def _root(job: Mapping[str, Any]) -> Path | None:
    return Path(job["root"]) if job["root"] else None


if __name__ == "__main__":
    main(sys.argv[1:])

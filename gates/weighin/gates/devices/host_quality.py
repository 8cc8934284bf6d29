"""The stage that measures quality: outputs of the files against the registered model's, row by row.

Rows are taken in a seeded order. Where the gate looks step by step, each look runs only the rows
that are new to it, of the files that are not decided yet.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.devices import children as on
from weighin.gates.devices.bench import Candidate, Raw
from weighin.gates.devices.scorer import Question, Scored, score
from weighin.gates.devices.weighing import Weighing
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.meters.columns import Rows, read_slices
from weighin.gates.meters.quality import (
    Compared,
    Quality,
    counted_readings,
    estimated_readings,
)
from weighin.gates.metric import Metric
from weighin.gates.sequential import Look, is_decided, looks, one_look
from weighin.gates.stats import Interval

Array = NDArray[Any]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Data:
    """The evaluation data in the order of the looks."""

    order: Array
    labels: Array
    reference: Array
    slices: tuple[Rows, ...]

    def first(self, outputs: Array) -> Compared:
        """What both models said about as many rows as there are outputs."""
        rows = self.order[: len(outputs)]
        slices = tuple(Rows(name=one.name, mask=one.mask[rows]) for one in self.slices)
        return Compared(
            outputs=outputs,
            reference=self.reference[rows],
            labels=self.labels[rows],
            slices=slices,
        )


def weigh_quality(
    weighing: Weighing, todo: Sequence[Candidate], _: Sequence[Candidate]
) -> Iterator[Raw[Reading]]:
    """Readings of ``accuracy_drop_points``, and of ``slice_drop_points`` before them."""
    if not todo:
        return
    settings = weighing.bench.settings
    data, seen, left = _read(weighing), dict[str, Array](), list(todo)
    planned = looks if settings.quality.sequential else one_look
    steps = planned(len(data.order), settings.confidence)
    done = 0
    for look in steps:
        raw = _outputs(weighing, left, data.order[done : look.rows], look, seen)
        left = [one for one in left if one.label not in raw.crashed]
        readings = _readings(weighing, data, left, seen, look)
        ready = [
            one for one in left if look.last or _is_ready(readings[one.label], settings.quality)
        ]
        yield from _found(ready, readings, look, len(steps), settings.quality, settings.confidence)
        yield Raw[Reading](crashed=raw.crashed)
        left = [one for one in left if one not in ready]
        done = look.rows
        if not left:
            return


def _read(weighing: Weighing) -> _Data:
    quality, evaluation = weighing.bench.settings.quality, weighing.bench.evaluation
    with np.load(evaluation, allow_pickle=False) as archive:
        labels = archive["y"]
    order = np.arange(len(labels))
    if quality.sequential:
        order = np.random.default_rng(quality.seed).permutation(len(labels))
    return _Data(
        order=order,
        labels=labels,
        reference=np.load(weighing.reference_outputs, allow_pickle=False),
        slices=read_slices(evaluation, quality.slices),
    )


def _outputs(
    weighing: Weighing,
    candidates: Sequence[Candidate],
    rows: Array,
    look: Look,
    seen: dict[str, Array],
) -> Raw[Path]:
    """Run the rows that are new, and put what came out behind what was seen before."""
    path = weighing.bench.workdir / f"rows-{look.number}.npy"
    np.save(path, rows)
    whole = Raw[Path]()
    for raw in on.predict(weighing.bench, candidates, path, f"look-{look.number}"):
        whole.crashed.update(raw.crashed)
        for label, written in raw.found.items():
            try:
                fresh = np.load(written, allow_pickle=False)
                seen[label] = np.concatenate([seen[label], fresh]) if label in seen else fresh
            except (OSError, ValueError, EOFError) as error:
                whole.crashed[label] = f"its outputs cannot be read: {error}"
    return whole


def _readings(
    weighing: Weighing,
    data: _Data,
    candidates: Sequence[Candidate],
    seen: dict[str, Array],
    look: Look,
) -> dict[str, tuple[Reading, ...]]:
    """Per label the readings on the rows that were looked at, at the look's own confidence."""
    quality = weighing.bench.settings.quality
    compared = {one.label: data.first(seen[one.label]) for one in candidates}
    if quality.counted:
        return {
            one.label: counted_readings(
                compared[one.label], quality, weighing.stamp(one), look.confidence
            )
            for one in candidates
        }
    lines = _scored(weighing, data, candidates, seen, look)
    return {
        one.label: estimated_readings(
            lines[one.label], compared[one.label], quality, weighing.stamp(one), look.confidence
        )
        for one in candidates
    }


def _scored(
    weighing: Weighing,
    data: _Data,
    candidates: Sequence[Candidate],
    seen: dict[str, Array],
    look: Look,
) -> dict[str, Scored]:
    bench = weighing.bench
    question = Question(
        quality=bench.settings.quality,
        evaluation=bench.evaluation,
        reference=weighing.reference_outputs,
        rows=data.order[: look.rows],
        risk=1 - look.confidence,
    )
    outputs = {one.label: seen[one.label] for one in candidates}
    return score(question, outputs, bench.workdir / f"score-{look.number}", bench.limits)


def _is_ready(readings: tuple[Reading, ...], quality: Quality) -> bool:
    """Whether no further row can be of use: decided, or not readable at all."""
    whole = readings[-1]
    if isinstance(whole, Unreadable):
        return True
    ends = Interval(value=whole.value, lower=whole.lower, upper=whole.upper)
    return is_decided(ends, quality.margins)


def _found(
    ready: Sequence[Candidate],
    readings: dict[str, tuple[Reading, ...]],
    look: Look,
    planned: int,
    quality: Quality,
    confidence: float,
) -> Iterator[Raw[Reading]]:
    """Slices first: a reading of all rows that is kept must have its slices kept beside it."""
    for metric in (Metric.SLICE_DROP_POINTS, Metric.ACCURACY_DROP_POINTS):
        found = {
            one.label: _looked(reading, look, planned, quality, confidence)
            for one in ready
            for reading in readings[one.label]
            if reading.metric is metric
        }
        if found:
            yield Raw[Reading](found=found)


def _looked(
    reading: Reading, look: Look, planned: int, quality: Quality, confidence: float
) -> Reading:
    """Say after which look it ended; the interval holds with the confidence of all looks."""
    if not isinstance(reading, Measurement) or not quality.sequential:
        return reading
    words = f"stopped at look {look.number} of {planned}, rows in the order of seed {quality.seed}"
    conditions = (*reading.conditions, ("sequential", words))
    return replace(reading, confidence=confidence, conditions=conditions)

"""The stage that runs files in both forms of their runtime on a sample of the evaluation rows."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.devices import children as on
from weighin.gates.devices.bench import Candidate, Raw
from weighin.gates.devices.weighing import Weighing
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.backends import FORMS, backend_disagreement
from weighin.gates.metric import Metric

Array = NDArray[Any]

ROWS = 128
_METRIC = Metric.BACKEND_DISAGREEMENT_PERCENT


def weigh_backends(
    weighing: Weighing, todo: Sequence[Candidate], _: Sequence[Candidate]
) -> Iterator[Raw[Reading]]:
    """Whether the two forms agree. A crash of the plain form is a reason here, and no more."""
    single = [one for one in todo if one.format not in FORMS]
    yield Raw[Reading](found={one.label: _only_form(one) for one in single})
    several = {one.label: one for one in todo if one.format in FORMS}
    if not several:
        return
    reference = np.load(weighing.reference_outputs, allow_pickle=False)
    seed = weighing.bench.settings.quality.seed
    rows = np.random.default_rng(seed).permutation(len(reference))[:ROWS]
    path = weighing.bench.workdir / "rows-cross.npy"
    np.save(path, rows)
    for raw in on.predict(weighing.bench, list(several.values()), path, "forms", kind="cross"):
        found: dict[str, Reading] = {
            label: _reading(weighing, several[label], written, reference[rows])
            for label, written in raw.found.items()
        }
        for label, why in raw.crashed.items():
            found[label] = Unreadable(metric=_METRIC, reason=f"not in both forms: {why}")
        yield Raw[Reading](found=found)


def _reading(weighing: Weighing, one: Candidate, written: Path, reference: Array) -> Reading:
    try:
        both = np.load(written, allow_pickle=False)
    except (OSError, ValueError, EOFError) as error:
        return Unreadable(metric=_METRIC, reason=f"its outputs cannot be read: {error}")
    stamp, confidence = weighing.stamp(one), weighing.bench.settings.confidence
    return backend_disagreement(
        both, reference, one.format, stamp, confidence, is_float=one.is_float32
    )


def _only_form(one: Candidate) -> Unreadable:
    reason = f"{one.format.runtime_package} has one form of this file here"
    return Unreadable(metric=_METRIC, reason=reason)

"""What the registered model itself says about the gate's data: what variants are held against."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.child import Limits
from weighin.gates.errors import SourceError
from weighin.gates.meters.metrics import QualityMetric
from weighin.gates.meters.quality import ACCURATE, Quality


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Outputs of the registered model.

    Attributes:
        outputs: .npy [n, k], a row per row of the evaluation data.
        quality: What the model reaches in the metric that is judged; accuracy as 0 to 1.
    """

    outputs: Path
    quality: float


def keep_reference(
    produced: Path, evaluation: Path, kept: Path, limits: Limits, quality: Quality = ACCURATE
) -> Reference:
    """Check what a child wrote, keep it where meters read it, and say how good it is.

    Args:
        produced: .npz with ``outputs`` [n, k] or [n], from the child that ran the model.
        evaluation: .npz with ``x`` [n, ...] and ``y`` [n] or [n, k].
        kept: Where to write the outputs as .npy.
        limits: What the child may use that computes a metric other than a share of right answers.
        quality: By what quality is judged.

    Raises:
        SourceError: not one finite row of outputs per row of data, or the metric is not defined.
    """
    import numpy as np

    with np.load(evaluation, allow_pickle=False) as data, np.load(produced) as archive:
        outputs, labels = archive["outputs"], data["y"]
    if outputs.ndim == 1:
        outputs = outputs[:, None]
    _check(outputs, labels, quality.metric)
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = kept.with_name(f"{kept.name}.new.npy")
    np.save(draft, outputs)
    draft.replace(kept)
    return Reference(outputs=kept, quality=_quality(kept, outputs, evaluation, limits, quality))


def _check(outputs: Any, labels: Any, metric: QualityMetric) -> None:
    import numpy as np

    if outputs.ndim != 2 or len(outputs) != len(labels):
        raise SourceError(
            f"the model's outputs have shape {outputs.shape} for {len(labels)} rows of data; "
            "weighin judges models with one row of outputs per row of data"
        )
    if not np.isfinite(outputs).all():
        raise SourceError("the registered model's outputs are not finite on the evaluation data")
    if not metric.numbers and 1 < outputs.shape[1] <= int(labels.max()):
        raise SourceError(
            f"the model tells {outputs.shape[1]} classes apart, but the evaluation data has "
            f"the label {int(labels.max())}"
        )
    if metric.right_among is not None and outputs.shape[1] <= max(1, metric.right_among):
        raise SourceError(
            f"the model's outputs have shape {outputs.shape}; {metric.words} needs one score "
            f"per class, and more than {metric.right_among} classes"
        )


def _quality(kept: Path, outputs: Any, evaluation: Path, limits: Limits, quality: Quality) -> float:
    import numpy as np

    from weighin.gates import wire
    from weighin.gates.devices.scorer import Question, score
    from weighin.gates.meters.accuracy import answers

    if quality.metric.right_among is not None:
        with np.load(evaluation, allow_pickle=False) as data:
            labels = data["y"]
        both = answers(outputs, outputs, labels, quality.metric.right_among)
        return float(both.right.mean())
    rows = np.arange(len(outputs))
    question = Question(
        quality=quality, evaluation=evaluation, reference=kept, rows=rows, risk=0.05
    )
    line = score(question, {"reference": outputs}, kept.with_name("score-reference"), limits)
    said = line["reference"]
    if "reason" in said:
        name = quality.metric.words
        raise SourceError(f"{name} of the registered model cannot be computed: {said['reason']}")
    return wire.number_of(said, "reference")

"""What the registered model itself says about the gate's data: what variants are held against."""

from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import SourceError


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """Outputs of the registered model.

    Attributes:
        outputs: .npy [n, classes], a row per row of the evaluation data.
        accuracy: Share of rows whose largest output is at the label, 0 to 1.
    """

    outputs: Path
    accuracy: float


def keep_reference(produced: Path, evaluation: Path, kept: Path) -> Reference:
    """Check what a child wrote, and keep it where meters read it.

    Args:
        produced: .npz with ``outputs`` [n, classes], from the child that ran the model.
        evaluation: .npz with ``x`` [n, ...] and ``y`` [n].
        kept: Where to write the outputs as .npy.

    Raises:
        SourceError: not one finite row of scores per row of data.
    """
    import numpy as np

    with np.load(evaluation, allow_pickle=False) as data, np.load(produced) as archive:
        outputs, labels = archive["outputs"], data["y"]
    if outputs.ndim != 2 or len(outputs) != len(labels):
        raise SourceError(
            f"the model's outputs have shape {outputs.shape} for {len(labels)} rows of data; "
            "weighin judges classifiers, with one row of scores per row of data"
        )
    if not np.isfinite(outputs).all():
        raise SourceError("the registered model's outputs are not finite on the evaluation data")
    if outputs.shape[1] <= int(labels.max()):
        raise SourceError(
            f"the model tells {outputs.shape[1]} classes apart, but the evaluation data has "
            f"the label {int(labels.max())}"
        )
    kept.parent.mkdir(parents=True, exist_ok=True)
    draft = kept.with_name(f"{kept.name}.new.npy")
    np.save(draft, outputs)
    draft.replace(kept)
    return Reference(outputs=kept, accuracy=float((outputs.argmax(axis=1) == labels).mean()))

"""The registered model's own outputs: what cannot be judged is refused, with the reason."""

from pathlib import Path

import numpy as np
import pytest

from weighin.gates.child import Limits
from weighin.gates.errors import SourceError
from weighin.plugin.reference import keep_reference

LIMITS = Limits(wall_seconds=60, memory_mib=2000)
LABELS = np.array([0, 1, 2, 1])
RIGHT = np.eye(3, dtype="float32")[LABELS]


def keep(folder: Path, outputs: np.ndarray) -> float:
    np.savez(folder / "outputs.npz", outputs=outputs)
    np.savez(folder / "data.npz", x=np.zeros((4, 2)), y=LABELS)
    kept = keep_reference(folder / "outputs.npz", folder / "data.npz", folder / "kept.npy", LIMITS)
    assert np.array_equal(np.load(kept.outputs), outputs)
    return kept.quality


def test_accuracy_is_the_share_of_rows_that_are_right(tmp_path: Path) -> None:
    assert keep(tmp_path, RIGHT) == 1.0
    assert keep(tmp_path, np.roll(RIGHT, 1, axis=0)) == 0.0


@pytest.mark.parametrize(
    ("outputs", "said"),
    [
        pytest.param(RIGHT[:3], "for 4 rows of data", id="too-few-rows"),
        pytest.param(RIGHT.reshape(4, 3, 1), "shape", id="no-classifier"),
        pytest.param(RIGHT[:, :2], "the label 2", id="too-few-classes"),
        pytest.param(np.where(RIGHT > 0, np.nan, RIGHT), "not finite", id="nan"),
    ],
)
def test_what_no_variant_could_be_held_against_is_refused(
    tmp_path: Path, outputs: np.ndarray, said: str
) -> None:
    with pytest.raises(SourceError, match=said):
        keep(tmp_path, outputs)

"""What the data sets of one model must be, from its signature, its configuration and its data."""

import zipfile
from pathlib import Path

from weighin.gates.data import DataContract
from weighin.plugin.config import ModelConfig
from weighin.plugin.source import Source

INPUT_DTYPE = "float32"


def contract_for(source: Source, settings: ModelConfig, evaluation: Path) -> DataContract:
    """The contract that every data set is checked against.

    The model's signature says the shape of a row. Where it does not, the evaluation data does,
    and the other sets must agree with it.
    """
    shape, classes = _seen(evaluation)
    signed = source.row_shape
    low, high = settings.value_range or (None, None)
    return DataContract(
        input_shape=shape if signed is None or -1 in signed else signed,
        input_dtype=source.input_dtype or INPUT_DTYPE,
        classes=settings.classes or classes,
        minimum=low,
        maximum=high,
        least_evaluation_rows=settings.min_rows,
        least_class_share=settings.min_class_share,
    )


def _seen(evaluation: Path) -> tuple[tuple[int, ...], int]:
    """Row shape and number of classes of a data set; guesses nothing where it is unreadable.

    What is unreadable here is reported by the data check, which looks at every set.
    """
    import numpy as np

    try:
        with np.load(evaluation, allow_pickle=False) as archive:
            x, y = archive["x"], archive["y"]
    except (ValueError, KeyError, OSError, zipfile.BadZipFile):
        return (), 2
    whole = y.size > 0 and np.issubdtype(y.dtype, np.integer)
    return tuple(int(size) for size in x.shape[1:]), max(2, int(y.max()) + 1) if whole else 2

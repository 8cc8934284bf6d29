"""What the data sets of one model must be, from its signature, its configuration and its data."""

import zipfile
from pathlib import Path

from weighin.gates.data import DataContract
from weighin.gates.meters.metrics import LABEL
from weighin.plugin.config import ModelConfig
from weighin.plugin.source import Source

INPUT_DTYPE = "float32"


def contract_for(source: Source | None, settings: ModelConfig, evaluation: Path) -> DataContract:
    """The contract that every data set is checked against.

    The model's signature says the shape of a row. Where it does not, or where no version is
    looked at, the evaluation data does, and the other sets must agree with it.

    Args:
        source: The registered model, if one is looked at.
        settings: The model's table in the configuration.
        evaluation: Its evaluation data.
    """
    shape, dtype, classes = _seen(evaluation)
    signed = None if source is None else source.row_shape
    low, high = settings.value_range or (None, None)
    near = settings.max_near_duplicate_percent
    return DataContract(
        input_shape=shape if signed is None or -1 in signed else signed,
        input_dtype=dtype if source is None else source.input_dtype or INPUT_DTYPE,
        classes=None if settings.quality_metric.numbers else settings.classes or classes,
        minimum=low,
        maximum=high,
        least_evaluation_rows=settings.min_rows,
        least_class_share=settings.min_class_share,
        most_near_share=None if near is None else near / 100,
        slice_columns=tuple(name for name in settings.slices if name != LABEL),
    )


def _seen(evaluation: Path) -> tuple[tuple[int, ...], str, int]:
    """Row shape, type and number of classes of a data set; guesses nothing if it is unreadable.

    What is unreadable here is reported by the data check, which looks at every set.
    """
    import numpy as np

    try:
        with np.load(evaluation, allow_pickle=False) as archive:
            x, y = archive["x"], archive["y"]
    except (ValueError, KeyError, OSError, EOFError, AttributeError, zipfile.BadZipFile):
        return (), INPUT_DTYPE, 2
    whole = y.size > 0 and np.issubdtype(y.dtype, np.integer)
    shape = tuple(int(size) for size in x.shape[1:])
    return shape, str(x.dtype), max(2, int(y.max()) + 1) if whole else 2

"""Columns of a data set whose values are slices. Pure, but for reading the file."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.meters.metrics import LABEL

MOST_VALUES = 50


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Rows:
    """Which rows are one slice."""

    name: str
    mask: NDArray[np.bool_]


def read_slices(evaluation: Path, columns: tuple[str, ...]) -> tuple[Rows, ...]:
    """Every value of every named column of a .npz, in order.

    Raises:
        ValueError: a column is not there, has not one value per row, or too many values.
    """
    found: list[Rows] = []
    with np.load(evaluation, allow_pickle=False) as archive:
        labels = archive["y"]
        for column in columns:
            if column != LABEL and column not in archive:
                raise ValueError(f"the evaluation data has no column '{column}'")
            found += _values(column, labels if column == LABEL else archive[column], len(labels))
    return tuple(found)


def _values(column: str, values: NDArray[Any], rows: int) -> list[Rows]:
    if values.shape != (rows,):
        raise ValueError(f"column '{column}' has shape {list(values.shape)} for {rows} rows")
    different = np.unique(values)
    if len(different) > MOST_VALUES:
        raise ValueError(
            f"column '{column}' has {len(different)} different values; at most {MOST_VALUES}"
        )
    return [Rows(name=f"{column}={value}", mask=values == value) for value in different]

"""Near duplicates of evaluation rows in what a model is built from, as records and results.

What this module does not do: it compares no rows; :mod:`weighin.gates.data_near` does.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.data import ExpectationResult, Role
from weighin.gates.data_near import can_compare, near_pairs
from weighin.gates.data_record import NearDuplicates, NearPair

SHOWN_PAIRS = 5


def near_duplicates(paths: Mapping[Role, Path]) -> tuple[NearDuplicates, ...]:
    """Evaluation rows that are nearly in another data set, per other set.

    Args:
        paths: Data sets that hold their contract; one of them is the evaluation set.
    """
    x = _rows(paths[Role.EVALUATION])
    among = len(near_pairs(x, x, same=True)[0]) if len(paths) > 1 else 0
    return tuple(
        _near(role, x, _rows(path), among)
        for role, path in paths.items()
        if role is not Role.EVALUATION
    )


def near_results(
    found: tuple[NearDuplicates, ...], most_share: float | None
) -> Iterator[ExpectationResult]:
    """What the contract says of them, if it says something; rows that cannot be compared fail."""
    if most_share is None:
        return
    for near in found:
        seen = f"{near.near} of {near.rows} rows ({near.share:.2%})"
        yield ExpectationResult(
            role=Role.EVALUATION,
            expectation=f"at most {most_share:.2%} of the rows are nearly in the {near.other} data",
            success=near.rows > 0 and near.share <= most_share,
            observed=seen if near.rows else "rows of so few values cannot be compared",
            rows=tuple(pair.row for pair in near.pairs),
        )


def _near(role: Role, x: NDArray[Any], other: NDArray[Any], among: int) -> NearDuplicates:
    rows, partners, likeness = near_pairs(x, other)
    return NearDuplicates(
        other=role,
        rows=len(x) if can_compare(x.shape[1:]) else 0,
        near=len(rows),
        among=among,
        pairs=tuple(
            NearPair(row=int(row), other_row=int(partner), likeness=round(float(value), 4))
            for row, partner, value in zip(rows, partners, likeness, strict=True)
        )[:SHOWN_PAIRS],
    )


def _rows(path: Path) -> NDArray[Any]:
    with np.load(path, allow_pickle=False) as archive:
        x: NDArray[Any] = archive["x"]
    return x

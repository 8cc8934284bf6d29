"""The Great Expectations suite of the data contract: what is asked of each data set.

Great Expectations passes an empty column, and lets NaN pass a range; so there is a row count
and a not-null expectation beside each. What this module does not do: it reads no answer.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.data import DataContract, ExpectationResult, Role
from weighin.gates.data_ask import Expected, ask, between, in_set, median_near, not_null
from weighin.gates.data_table import DataTable

MOST_SLICES = 50
"""A column with more different values cuts the rows into slices that say nothing."""

_SCALE_SLACK = 0.25
_OTHERS = (Role.CALIBRATION, Role.TRAINING, Role.UNLABELLED, Role.TUNING)


def validate(
    tables: Sequence[DataTable],
    contract: DataContract,
    committed: Mapping[Role, Sequence[Expected]],
) -> tuple[ExpectationResult, ...]:
    """Ask Great Expectations about every data set, and about the classes of the evaluation set.

    Args:
        tables: One per data set.
        contract: What must hold.
        committed: What the suite files beside the data expect besides.
    """
    by_role = {table.role: table for table in tables}
    evaluation = by_role.get(Role.EVALUATION)
    results: list[ExpectationResult] = []
    for table in tables:
        suite = [*_suite(table.role, contract), *_same_scale(table.role, evaluation)]
        suite += committed.get(table.role, ())
        results.extend(ask(table.role, _columns(table, by_role), suite))
    if evaluation is not None and contract.classes is not None:
        balance = tuple(_balance_suite(contract, contract.classes))
        columns = _classes(evaluation, contract.classes)
        results.extend(ask(Role.EVALUATION, columns, balance))
    return tuple(results)


def _columns(table: DataTable, others: Mapping[Role, DataTable]) -> dict[str, Any]:
    """The columns of one data set's frame; overlaps with the other sets are counted per row."""
    columns = table.columns()
    for role in _OTHERS:
        known = frozenset(others[role].contents) if role in others else frozenset[bytes]()
        columns[f"in_{role}"] = [int(content in known) for content in table.contents]
    return columns


def _suite(role: Role, contract: DataContract) -> tuple[Expected, ...]:
    suite = [_least_rows(role, contract), *_values(contract), _varied()]
    if role is not Role.UNLABELLED:
        suite.append(_labels(contract))
    if role not in (Role.TRAINING, Role.UNLABELLED):
        suite.append(_unrepeated(contract))
    if role is Role.EVALUATION:
        suite.append(_two_labels(contract))
        suite.extend(_apart(other) for other in _OTHERS)
        suite.extend(one for name in contract.slice_columns for one in _sliced(name))
    if role is Role.TUNING:
        suite.extend(_apart(other) for other in _OTHERS if other is not Role.TUNING)
    return tuple(suite)


def _least_rows(role: Role, contract: DataContract) -> Expected:
    least = {
        Role.EVALUATION: contract.least_evaluation_rows,
        Role.CALIBRATION: contract.least_calibration_rows,
        Role.TRAINING: 1,
        Role.UNLABELLED: 1,
        Role.TUNING: contract.least_calibration_rows,
    }[role]
    return Expected(
        words=f"there are at least {least} rows",
        kind="ExpectTableRowCountToBeBetween",
        arguments=(("min_value", max(1, least)),),
    )


def _values(contract: DataContract) -> Iterator[Expected]:
    yield in_set("no value is NaN or infinite", "not_finite", (0,))
    for column in ("lowest", "highest"):
        yield not_null(f"every row has a {column} value", column)
    if contract.minimum is not None:
        yield between(f"no value is below {contract.minimum:g}", "lowest", least=contract.minimum)
    if contract.maximum is not None:
        yield between(f"no value is above {contract.maximum:g}", "highest", most=contract.maximum)


def _same_scale(role: Role, evaluation: DataTable | None) -> Iterator[Expected]:
    """What a model is built with has the scale of what it is judged on.

    Pixels from 0 to 255 beside pixels from 0 to 1 calibrate an int8 model into ruin. The typical
    row is compared, so that single wild values in either set do not matter.
    """
    if role is Role.EVALUATION or evaluation is None or not len(evaluation.labels):
        return
    bottom, top = (float(np.median(ends)) for ends in (evaluation.lowest, evaluation.highest))
    slack = (top - bottom) * _SCALE_SLACK
    if not np.isfinite(slack) or slack <= 0:
        return
    for column, value in (("lowest", bottom), ("highest", top)):
        words = f"the median row's {column} value is like the evaluation data's ({value:.4g})"
        yield median_near(words, column, value, slack)


def _labels(contract: DataContract) -> Expected:
    if contract.classes is None:
        return in_set("no label is NaN or infinite", "label_not_finite", (0,))
    words = f"every label is a class from 0 to {contract.classes - 1}"
    return in_set(words, "label", range(contract.classes))


def _varied() -> Expected:
    return _several("the rows are not all the same", "content")


def _two_labels(contract: DataContract) -> Expected:
    if contract.classes is None:
        return _several("the labels are not all the same", "label_content")
    return _several("there are at least two classes", "label")


def _several(words: str, column: str) -> Expected:
    return Expected(
        words=words,
        kind="ExpectColumnUniqueValueCountToBeBetween",
        arguments=(("column", column), ("min_value", 2)),
    )


def _unrepeated(contract: DataContract) -> Expected:
    return Expected(
        words=f"at most {contract.most_duplicate_share:.2%} of the rows repeat another",
        kind="ExpectColumnProportionOfUniqueValuesToBeBetween",
        arguments=(("column", "content"), ("min_value", 1 - contract.most_duplicate_share)),
    )


def _apart(other: Role) -> Expected:
    return in_set(f"no row is also in the {other} data", f"in_{other}", (0,))


def _sliced(name: str) -> Iterator[Expected]:
    column = f"slice_{name}"
    yield not_null(f"every row has a value of '{name}'", column)
    yield Expected(
        words=f"'{name}' has at most {MOST_SLICES} different values",
        kind="ExpectColumnUniqueValueCountToBeBetween",
        arguments=(("column", column), ("min_value", 1), ("max_value", MOST_SLICES)),
    )


def _balance_suite(contract: DataContract, classes: int) -> Iterator[Expected]:
    least = contract.least_class_share
    share = 0.1 / classes if least is None else least
    words = f"each class has at least {share:.3%} of the rows"
    yield replace(between(words, "share", least=share), lines="classes")


def _classes(table: DataTable, classes: int) -> dict[str, Any]:
    """The frame of classes: one line per class, present or not."""
    labels = table.labels.astype(np.int64)
    inside = labels[(labels >= 0) & (labels < classes)]
    counts: NDArray[np.int64] = np.bincount(inside, minlength=classes)
    return {"row": np.arange(classes), "share": counts / len(labels)}

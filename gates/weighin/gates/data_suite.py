"""The Great Expectations suite of the data contract, and our reading of its answers.

Great Expectations passes an empty column, and lets NaN pass a range; so there is a row count
and a not-null expectation beside each, and an answer is only believed if it looked at every
row. What this module does not do: it never asks Great Expectations for the verdict.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.data import DataContract, ExpectationResult, Role
from weighin.gates.data_table import DataTable

_SHOWN_ROWS = 5
_SCALE_SLACK = 0.25
_OTHERS = (Role.CALIBRATION, Role.TRAINING, Role.UNLABELLED, Role.TUNING)


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One expectation: its words, the column it looks at, and what Great Expectations calls it.

    Attributes:
        words: What is expected, for people.
        kind: Name of the class in ``great_expectations.expectations``.
        arguments: Its arguments.
        every_row: Whether it looks at each row by itself, so that all must have been seen.
        lines: What a line of the frame is.
    """

    words: str
    kind: str
    arguments: tuple[tuple[str, object], ...]
    every_row: bool = False
    lines: str = "rows"


def validate(tables: Sequence[DataTable], contract: DataContract) -> tuple[ExpectationResult, ...]:
    """Ask Great Expectations about every data set, and about the classes of the evaluation set."""
    by_role = {table.role: table for table in tables}
    evaluation = by_role.get(Role.EVALUATION)
    results: list[ExpectationResult] = []
    for table in tables:
        suite = [*_suite(table.role, contract), *_same_scale(table.role, evaluation)]
        results.extend(ask(table.role, _columns(table, by_role), suite))
    if evaluation is not None:
        balance = tuple(_balance_suite(contract))
        results.extend(ask(Role.EVALUATION, _classes(evaluation, contract), balance))
    return tuple(results)


def _columns(table: DataTable, others: Mapping[Role, DataTable]) -> dict[str, Any]:
    """The columns of one data set's frame; overlaps with the other sets are counted per row."""
    columns: dict[str, Any] = {
        "row": np.arange(len(table.labels)),
        "label": table.labels,
        "lowest": table.lowest,
        "highest": table.highest,
        "not_finite": table.not_finite,
        "content": [content.hex() for content in table.contents],
    }
    for role in _OTHERS:
        known = frozenset(others[role].contents) if role in others else frozenset[bytes]()
        columns[f"in_{role}"] = [int(content in known) for content in table.contents]
    return columns


def _suite(role: Role, contract: DataContract) -> tuple[Expected, ...]:
    suite = [_least_rows(role, contract), *_values(contract), _labels(contract), _varied()]
    if role not in (Role.TRAINING, Role.UNLABELLED):
        suite.append(_unrepeated(contract))
    if role is Role.EVALUATION:
        suite.append(_two_classes())
        suite.extend(_apart(other) for other in _OTHERS)
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
    yield _in_set("no value is NaN or infinite", "not_finite", (0,))
    for column in ("lowest", "highest"):
        yield Expected(
            words=f"every row has a {column} value",
            kind="ExpectColumnValuesToNotBeNull",
            arguments=(("column", column),),
            every_row=True,
        )
    if contract.minimum is not None:
        yield _between(f"no value is below {contract.minimum:g}", "lowest", least=contract.minimum)
    if contract.maximum is not None:
        yield _between(f"no value is above {contract.maximum:g}", "highest", most=contract.maximum)


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
        least, most = value - slack, value + slack
        yield Expected(
            words=f"the median row's {column} value is like the evaluation data's ({value:.4g})",
            kind="ExpectColumnMedianToBeBetween",
            arguments=(("column", column), ("min_value", least), ("max_value", most)),
        )


def _labels(contract: DataContract) -> Expected:
    words = f"every label is a class from 0 to {contract.classes - 1}"
    return _in_set(words, "label", tuple(range(contract.classes)))


def _varied() -> Expected:
    return Expected(
        words="the rows are not all the same",
        kind="ExpectColumnUniqueValueCountToBeBetween",
        arguments=(("column", "content"), ("min_value", 2)),
    )


def _unrepeated(contract: DataContract) -> Expected:
    return Expected(
        words=f"at most {contract.most_duplicate_share:.2%} of the rows repeat another",
        kind="ExpectColumnProportionOfUniqueValuesToBeBetween",
        arguments=(("column", "content"), ("min_value", 1 - contract.most_duplicate_share)),
    )


def _two_classes() -> Expected:
    return Expected(
        words="there are at least two classes",
        kind="ExpectColumnUniqueValueCountToBeBetween",
        arguments=(("column", "label"), ("min_value", 2)),
    )


def _apart(other: Role) -> Expected:
    return _in_set(f"no row is also in the {other} data", f"in_{other}", (0,))


def _balance_suite(contract: DataContract) -> Iterator[Expected]:
    least = contract.least_class_share
    share = 0.1 / contract.classes if least is None else least
    words = f"each class has at least {share:.3%} of the rows"
    yield replace(_between(words, "share", least=share), lines="classes")


def _classes(table: DataTable, contract: DataContract) -> dict[str, Any]:
    """The frame of classes: one line per class, present or not."""
    inside = table.labels[(table.labels >= 0) & (table.labels < contract.classes)]
    counts: NDArray[np.int64] = np.bincount(inside, minlength=contract.classes)
    shares = counts / len(table.labels)
    return {"row": np.arange(contract.classes), "share": shares}


def _in_set(words: str, column: str, values: tuple[int, ...]) -> Expected:
    return Expected(
        words=words,
        kind="ExpectColumnValuesToBeInSet",
        arguments=(("column", column), ("value_set", list(values))),
        every_row=True,
    )


def _between(
    words: str, column: str, *, least: float | None = None, most: float | None = None
) -> Expected:
    return Expected(
        words=words,
        kind="ExpectColumnValuesToBeBetween",
        arguments=(("column", column), ("min_value", least), ("max_value", most)),
        every_row=True,
    )


def ask(
    role: Role, columns: Mapping[str, Any], suite: Sequence[Expected]
) -> Iterator[ExpectationResult]:
    """Put questions about one frame to Great Expectations; one without an answer is broken.

    Args:
        role: Which data set the frame was made of.
        columns: Equally long; ``row`` numbers the lines.
        suite: The questions, each with words of its own.
    """
    answers = {_name(answer): answer for answer in _run(columns, suite)}
    rows = len(columns["row"])
    for expected in suite:
        yield _read(role, expected, answers.get(expected.words), rows)


def _run(columns: Mapping[str, Any], suite: Iterable[Expected]) -> Iterable[Any]:
    import great_expectations as gx
    import great_expectations.expectations as kinds
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch({"dataframe": pd.DataFrame(dict(columns))})
    questions = [
        getattr(kinds, one.kind)(**dict(one.arguments), meta={"words": one.words}) for one in suite
    ]
    shape = {"result_format": "SUMMARY", "unexpected_index_column_names": ["row"]}
    results: Iterable[Any] = batch.validate(
        gx.ExpectationSuite(name="data contract", expectations=questions), result_format=shape
    ).results
    return results


def _name(answer: Any) -> str:
    return str((answer.expectation_config.meta or {}).get("words"))


def _read(role: Role, expected: Expected, answer: Any, rows: int) -> ExpectationResult:
    """Our verdict on one answer: believed only if it says so and looked at every row."""
    if answer is None:
        return ExpectationResult(
            role=role, expectation=expected.words, success=False, observed="it did not run"
        )
    found: Mapping[str, Any] = answer.result or {}
    seen_all = (
        found.get("element_count") == rows
        and found.get("unexpected_count") == 0
        and not found.get("missing_count")
    )
    success = answer.success is True and (seen_all or not expected.every_row)
    bad = [int(entry["row"]) for entry in found.get("partial_unexpected_index_list") or ()]
    return ExpectationResult(
        role=role,
        expectation=expected.words,
        success=success,
        observed=_observed(expected, found, answer),
        rows=tuple(bad[:_SHOWN_ROWS]) if expected.lines == "rows" else (),
    )


def _observed(expected: Expected, found: Mapping[str, Any], answer: Any) -> str:
    if "observed_value" in found:
        value = found["observed_value"]
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    if "unexpected_count" in found:
        whole = f"{found['element_count']} {expected.lines}"
        if found.get("missing_count") and not found["unexpected_count"]:
            return f"{found['missing_count']} of {whole} have nothing to look at"
        several = ", ".join(map(str, found.get("partial_unexpected_list", ())[:_SHOWN_ROWS]))
        broken = f"{found['unexpected_count']} of {whole} break it"
        return broken + (f" with {several}" if several else "")
    return f"it could not be checked: {str(answer.exception_info)[:300]}"

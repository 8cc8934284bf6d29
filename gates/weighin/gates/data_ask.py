"""Puts expectations to Great Expectations, and reads its answers ourselves.

Great Expectations passes an empty column, lets NaN pass a range or a maximum, and reports what
it could not run beside what it ran. So an answer is believed only if it is there, says success,
and looked at every row of a column without gaps. What this module does not do: it never asks
Great Expectations for the verdict, and knows no data set.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from weighin.gates.data import ExpectationResult, Role

SHOWN_ROWS = 5
_PLACE = "weighin.place"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """One expectation: its words, the column it looks at, and what Great Expectations calls it.

    Attributes:
        words: What is expected, for people.
        kind: Name of the class in ``great_expectations.expectations``.
        arguments: Its arguments.
        every_row: Whether it looks at each row by itself, so that all must have been seen.
        lines: What a line of the frame is.
        committed: Whether it is from a suite file, not from the contract.
    """

    words: str
    kind: str
    arguments: tuple[tuple[str, object], ...]
    every_row: bool = False
    lines: str = "rows"
    committed: bool = False

    @property
    def column(self) -> str | None:
        """The column that it looks at; none if it looks at the whole table."""
        found = dict(self.arguments).get("column")
        return None if found is None else str(found)


def in_set(words: str, column: str, values: Sequence[object]) -> Expected:
    """Every row's value is one of these."""
    return Expected(
        words=words,
        kind="ExpectColumnValuesToBeInSet",
        arguments=(("column", column), ("value_set", list(values))),
        every_row=True,
    )


def between(
    words: str, column: str, *, least: float | None = None, most: float | None = None
) -> Expected:
    """Every row's value lies between these."""
    ends = (("min_value", least), ("max_value", most))
    return Expected(
        words=words,
        kind="ExpectColumnValuesToBeBetween",
        arguments=(("column", column), *((name, end) for name, end in ends if end is not None)),
        every_row=True,
    )


def not_null(words: str, column: str) -> Expected:
    """Every row has a value."""
    return Expected(
        words=words,
        kind="ExpectColumnValuesToNotBeNull",
        arguments=(("column", column),),
        every_row=True,
    )


def median_near(words: str, column: str, value: float, slack: float) -> Expected:
    """The median row's value is near this one."""
    ends = (("min_value", value - slack), ("max_value", value + slack))
    return Expected(
        words=words, kind="ExpectColumnMedianToBeBetween", arguments=(("column", column), *ends)
    )


def ask(
    role: Role, columns: Mapping[str, Any], suite: Sequence[Expected]
) -> Iterator[ExpectationResult]:
    """Put questions about one frame to Great Expectations; one without an answer is broken.

    Args:
        role: Which data set the frame was made of.
        columns: Equally long; ``row`` numbers the lines.
        suite: The questions.
    """
    return read_answers(role, columns, suite, answers_to(columns, suite))


def read_answers(
    role: Role, columns: Mapping[str, Any], suite: Sequence[Expected], answers: Mapping[int, Any]
) -> Iterator[ExpectationResult]:
    """Our verdict on each question, from the answers by the question's place in the suite."""
    for place, expected in enumerate(suite):
        if expected.column not in (None, *columns):
            have = f"there is no column '{expected.column}'; there are {', '.join(columns)}"
            yield _result(role, expected, have, success=False)
        elif place not in answers:
            yield _result(role, expected, "it did not run", success=False)
        else:
            yield _read(role, expected, answers[place], columns)


def answers_to(columns: Mapping[str, Any], suite: Sequence[Expected]) -> dict[int, Any]:
    """Great Expectations' own answers, by the question's place in the suite."""
    import great_expectations as gx
    import pandas as pd
    from great_expectations.data_context.types.base import ProgressBarsConfig

    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("rows").add_dataframe_asset("rows")
    definition = asset.add_batch_definition_whole_dataframe("all")
    batch = definition.get_batch({"dataframe": pd.DataFrame(dict(columns))})
    questions = [
        question(one, {_PLACE: place})
        for place, one in enumerate(suite)
        if one.column in (None, *columns)
    ]
    shape = {"result_format": "SUMMARY", "unexpected_index_column_names": ["row"]}
    answers = batch.validate(
        gx.ExpectationSuite(name="data contract", expectations=questions), result_format=shape
    ).results
    return {_place(answer): answer for answer in answers}


def question(expected: Expected, meta: Mapping[str, object]) -> Any:
    """An expectation as Great Expectations knows it.

    Raises:
        ValueError: it has no such expectation, or refuses the arguments.
    """
    import great_expectations.expectations as kinds

    make = getattr(kinds, expected.kind, None)
    if make is None:
        raise ValueError(f"Great Expectations has no {expected.kind}")
    return make(**dict(expected.arguments), meta=dict(meta))


def _place(answer: Any) -> int:
    return int((answer.expectation_config.meta or {}).get(_PLACE, -1))


def _result(
    role: Role, expected: Expected, observed: str, *, success: bool, rows: Sequence[int] = ()
) -> ExpectationResult:
    return ExpectationResult(
        role=role,
        expectation=expected.words,
        success=success,
        observed=observed,
        rows=tuple(rows[:SHOWN_ROWS]) if expected.lines == "rows" else (),
        committed=expected.committed,
    )


def _read(
    role: Role, expected: Expected, answer: Any, columns: Mapping[str, Any]
) -> ExpectationResult:
    """Our verdict on one answer: believed only if it says so and looked at every row."""
    found: Mapping[str, Any] = answer.result or {}
    rows, gaps = len(columns["row"]), _gaps(columns, expected.column)
    if answer.success is True and gaps:
        said = f"{len(gaps)} of {rows} {expected.lines} have nothing to look at"
        return _result(role, expected, said, success=False, rows=gaps)
    seen_all = (
        found.get("element_count") == rows
        and found.get("unexpected_count") == 0
        and not found.get("missing_count")
    )
    success = answer.success is True and (seen_all or not expected.every_row)
    bad = [int(entry["row"]) for entry in found.get("partial_unexpected_index_list") or ()]
    return _result(role, expected, _observed(expected, found, answer), success=success, rows=bad)


def _gaps(columns: Mapping[str, Any], column: str | None) -> list[int]:
    """Lines without a value: Great Expectations leaves them out of what it counts."""
    import numpy as np
    import pandas as pd

    if column is None:
        return []
    return [int(row) for row in np.flatnonzero(pd.isna(np.asarray(columns[column])))]


def _observed(expected: Expected, found: Mapping[str, Any], answer: Any) -> str:
    if "partial_missing_list" in found:
        return _of_sets(found)
    if "observed_value" in found:
        value = found["observed_value"]
        return f"{value:.4g}" if isinstance(value, float) else str(value)
    if "unexpected_count" in found:
        whole = f"{found['element_count']} {expected.lines}"
        if found.get("missing_count") and not found["unexpected_count"]:
            return f"{found['missing_count']} of {whole} have nothing to look at"
        several = ", ".join(map(str, found.get("partial_unexpected_list", ())[:SHOWN_ROWS]))
        broken = f"{found['unexpected_count']} of {whole} break it"
        return broken + (f" with {several}" if several else "")
    return f"it could not be checked: {str(answer.exception_info)[:300]}"


def _of_sets(found: Mapping[str, Any]) -> str:
    """What a set of values lacks, and what is too much in it."""
    parts = (("missing", "partial_missing_list"), ("unknown", "partial_unexpected_list"))
    said = [
        f"{word}: {', '.join(map(str, found[name][:SHOWN_ROWS]))}"
        for word, name in parts
        if found.get(name)
    ]
    return "; ".join(said) or "all of them"

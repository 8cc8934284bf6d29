"""Suite files: what a data set looked like when somebody last agreed to it.

    data/evaluation.npz          the data
    data/evaluation.suite.json   a Great Expectations suite, to be committed with it

The law, held by tests: a file that cannot be read as a whole, or that expects something whose
answer we could not judge, is an error, never fewer expectations. What this module does not do:
it asks nothing; it only writes and reads.
"""

import json
import math
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any

from weighin.gates.data_ask import Expected, question
from weighin.gates.wire import list_of, object_of, text_of

SUFFIX = ".suite.json"
GENERATED = "weighin data freeze"
_BOUNDS = frozenset({"min_value", "max_value", "strict_min", "strict_max"})
_EVERY_ROW = {
    "expect_column_values_to_be_between": ("ExpectColumnValuesToBeBetween", _BOUNDS),
    "expect_column_values_to_be_in_set": ("ExpectColumnValuesToBeInSet", {"value_set"}),
    "expect_column_values_to_not_be_in_set": ("ExpectColumnValuesToNotBeInSet", {"value_set"}),
    "expect_column_values_to_not_be_null": ("ExpectColumnValuesToNotBeNull", frozenset[str]()),
    "expect_column_values_to_be_unique": ("ExpectColumnValuesToBeUnique", frozenset[str]()),
}
_WHOLE_TABLE = {
    "expect_table_row_count_to_be_between": (
        "ExpectTableRowCountToBeBetween",
        {"min_value", "max_value"},
    ),
    "expect_table_row_count_to_equal": ("ExpectTableRowCountToEqual", {"value"}),
}
_WHOLE_COLUMN = {
    "expect_column_min_to_be_between": ("ExpectColumnMinToBeBetween", _BOUNDS),
    "expect_column_max_to_be_between": ("ExpectColumnMaxToBeBetween", _BOUNDS),
    "expect_column_mean_to_be_between": ("ExpectColumnMeanToBeBetween", _BOUNDS),
    "expect_column_median_to_be_between": ("ExpectColumnMedianToBeBetween", _BOUNDS),
    "expect_column_stdev_to_be_between": ("ExpectColumnStdevToBeBetween", _BOUNDS),
    "expect_column_unique_value_count_to_be_between": (
        "ExpectColumnUniqueValueCountToBeBetween",
        _BOUNDS,
    ),
    "expect_column_proportion_of_unique_values_to_be_between": (
        "ExpectColumnProportionOfUniqueValuesToBeBetween",
        _BOUNDS,
    ),
    "expect_column_distinct_values_to_be_in_set": (
        "ExpectColumnDistinctValuesToBeInSet",
        {"value_set"},
    ),
    "expect_column_distinct_values_to_contain_set": (
        "ExpectColumnDistinctValuesToContainSet",
        {"value_set"},
    ),
    "expect_column_distinct_values_to_equal_set": (
        "ExpectColumnDistinctValuesToEqualSet",
        {"value_set"},
    ),
    "expect_column_kl_divergence_to_be_less_than": (
        "ExpectColumnKLDivergenceToBeLessThan",
        {"partition_object", "threshold"},
    ),
}
_KNOWN = _EVERY_ROW | _WHOLE_TABLE | _WHOLE_COLUMN


def suite_path(data: Path) -> Path:
    """Where the suite of a data file lies: beside it, with another ending."""
    return data.with_suffix(SUFFIX)


def suite_text(
    name: str, suite: tuple[Expected, ...], own: Sequence[Mapping[str, object]] = ()
) -> str:
    """The suite as Great Expectations writes it, the same text for the same suite.

    Args:
        name: Of the suite.
        suite: What was generated.
        own: Expectations that somebody wrote, from :func:`own_of`; they come last, unchanged.
    """
    import great_expectations as gx

    questions = [question(one, {"words": one.words, "by": GENERATED}) for one in suite]
    document: dict[str, Any] = dict(
        gx.ExpectationSuite(name=name, expectations=questions).to_json_dict()
    )
    if len(document["expectations"]) != len(suite):
        raise ValueError(f"{name}: Great Expectations did not keep every expectation")
    document["expectations"] = [*document["expectations"], *own]
    return json.dumps(document, indent=2, allow_nan=False) + "\n"


def own_of(text: str) -> tuple[Mapping[str, object], ...]:
    """The expectations of a suite file that were not generated; none if it cannot be read."""
    try:
        written = list_of(object_of(json.loads(text), "suite"), "expectations")
        each = [object_of(one, "expectation") for one in written]
        return tuple(
            one for one in each if object_of(one.get("meta") or {}, "meta").get("by") != GENERATED
        )
    except (ValueError, RecursionError):
        return ()


def read_suite(text: str) -> tuple[Expected, ...]:
    """Read a suite file, all of it.

    Raises:
        ValueError: it is not a suite, is empty, or expects something that we could not judge.
    """
    try:
        document = object_of(json.loads(text, parse_constant=_refuse), "suite")
    except json.JSONDecodeError as error:
        raise ValueError(f"it is not JSON: {error}") from error
    written = list_of(document, "expectations")
    if not written:
        raise ValueError("it expects nothing")
    suite = []
    for number, one in enumerate(written, start=1):
        try:
            suite.append(_expected(one))
        except ValueError as error:
            raise ValueError(f"expectation {number} cannot be checked: {error}") from error
    return tuple(suite)


def _refuse(constant: str) -> float:
    raise ValueError(f"{constant} is no number to hold anything against")


def _expected(document: object) -> Expected:
    fields = object_of(document, "expectation")
    kind = text_of(fields, "type")
    if kind not in _KNOWN:
        raise ValueError(f"{kind} is none of {', '.join(sorted(_KNOWN))}")
    name, allowed = _KNOWN[kind]
    arguments = dict(object_of(fields.get("kwargs"), "kwargs"))
    _check_arguments(arguments, allowed | (set() if kind in _WHOLE_TABLE else {"column"}))
    meta = object_of(fields.get("meta") or {}, "meta")
    expected = Expected(
        words=str(meta.get("words") or f"{kind} {json.dumps(arguments)[:200]}"),
        kind=name,
        arguments=tuple(arguments.items()),
        every_row=kind in _EVERY_ROW,
        committed=True,
    )
    question(expected, {})  # refuses what Great Expectations would not understand
    return expected


def _check_arguments(arguments: Mapping[str, Any], allowed: AbstractSet[str]) -> None:
    """Exactly what we can judge: bounds that are numbers, sets that hold something."""
    unknown = sorted(set(arguments) - allowed)
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not something that we can judge")
    ends = [arguments.get(end) for end in ("min_value", "max_value")]
    if "min_value" in allowed and ends == [None, None]:
        raise ValueError("neither min_value nor max_value is given, so anything would hold")
    numbers = [*ends, arguments.get("value", 0), arguments.get("threshold", 0)]
    for number in numbers:
        if number is not None and not _is_number(number):
            raise ValueError(f"a finite number is needed, not {number!r}")
    for name in allowed & {"column", "value_set", "value", "threshold", "partition_object"}:
        if arguments.get(name) in (None, [], {}, ""):
            raise ValueError(f"{name} is missing or empty")


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)

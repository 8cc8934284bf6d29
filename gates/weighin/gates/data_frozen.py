"""What is true of a data set now, as expectations for the time when it changes.

The law, held by tests: a suite made from data holds on that data. What this module does not do:
it writes no file; :mod:`weighin.gates.data_committed` does.
"""

import math
from collections.abc import Iterator

import numpy as np

from weighin.gates.data_ask import Expected, between, in_set, median_near
from weighin.gates.data_table import DataTable

MEDIAN_SLACK = 0.1
"""A typical row may move by this share of the range that typical rows span."""

SHARES_SLACK = 0.045
"""Relative entropy of the label shares, beside chance; Cohen's medium effect (w = 0.3)."""

_MOST_VALUES = 50


def make_suite(table: DataTable) -> tuple[Expected, ...]:
    """What is true of sound data now, with room where the next sound data may differ."""
    return (
        *_form(table),
        *_ranges(table),
        *_typical(table),
        *_label_suite(table),
        *_slice_suite(table),
    )


def _form(table: DataTable) -> Iterator[Expected]:
    rows = len(table.contents)
    yield Expected(
        words=f"there are still at least {rows} rows",
        kind="ExpectTableRowCountToBeBetween",
        arguments=(("min_value", rows),),
    )
    yield in_set(f"a row has the shape {list(table.shape)}", "shape", [str(list(table.shape))])
    yield in_set(f"the values are {table.dtype}", "dtype", [table.dtype])
    share = math.floor(1e4 * len(set(table.contents)) / rows) / 1e4
    yield Expected(
        words=f"at least {share:.2%} of the rows are different",
        kind="ExpectColumnProportionOfUniqueValuesToBeBetween",
        arguments=(("column", "content"), ("min_value", share)),
    )


def _ranges(table: DataTable) -> Iterator[Expected]:
    low, high = float(table.lowest.min()), float(table.highest.max())
    yield in_set("every value is finite", "not_finite", [0])
    yield between(f"no value is below {low:g}, the lowest seen", "lowest", least=low)
    yield between(f"no value is above {high:g}, the highest seen", "highest", most=high)


def _typical(table: DataTable) -> Iterator[Expected]:
    low, high = (float(np.median(ends)) for ends in (table.lowest, table.highest))
    slack = MEDIAN_SLACK * (high - low)
    for column in ("lowest", "mean", "highest", "spread"):
        value = float(np.median(table.columns()[column]))
        yield median_near(f"the median row's {column} is near {value:.4g}", column, value, slack)


def _label_suite(table: DataTable) -> Iterator[Expected]:
    columns = table.columns()
    if "label" in columns:
        yield from _class_suite(table)
    elif "label_lowest" in columns:
        low, high = float(table.labels.min()), float(table.labels.max())
        yield between(f"no label is below {low:g}, the lowest seen", "label_lowest", least=low)
        yield between(f"no label is above {high:g}, the highest seen", "label_highest", most=high)


def _class_suite(table: DataTable) -> Iterator[Expected]:
    found, counts = np.unique(table.labels, return_counts=True)
    classes, rows = [int(one) for one in found], len(table.labels)
    yield in_set(f"every label is one of the {len(classes)} seen", "label", classes)
    yield Expected(
        words="every label that was seen is there",
        kind="ExpectColumnDistinctValuesToContainSet",
        arguments=(("column", "label"), ("value_set", classes)),
    )
    weights = [float(count) / rows for count in counts]
    yield Expected(
        words="the classes have about the shares that they had (relative entropy)",
        kind="ExpectColumnKLDivergenceToBeLessThan",
        arguments=(
            ("column", "label"),
            ("partition_object", {"values": classes, "weights": weights}),
            ("threshold", SHARES_SLACK + (len(classes) - 1) / rows),
        ),
    )


def _slice_suite(table: DataTable) -> Iterator[Expected]:
    for name, values in table.slices:
        different = sorted({value for value in values if value is not None})
        if None in values or len(different) > _MOST_VALUES:
            continue  # an index or a gap: nothing that rows are grouped by
        yield in_set(
            f"every '{name}' is one of the {len(different)} seen", f"slice_{name}", different
        )
        yield Expected(
            words=f"every '{name}' that was seen is there",
            kind="ExpectColumnDistinctValuesToContainSet",
            arguments=(("column", f"slice_{name}"), ("value_set", different)),
        )

"""How the record of the data looks in JSON, in both directions.

The law, held by a property test: reading back what was written gives an equal record.
What this module does not do: it opens no file. Whatever does not have the right shape raises
``ValueError`` with the name of the field.
"""

from weighin.gates.data_record import (
    CheckedSet,
    Comparison,
    DataSummary,
    Drift,
    EvaluationSummary,
    NearDuplicates,
    NearPair,
)
from weighin.gates.wire import (
    JsonObject,
    list_of,
    number_of,
    number_to_json,
    object_of,
    only,
    text_of,
    whole_of,
)


def summary_to_json(summary: DataSummary) -> dict[str, object]:
    """Write what a report says about the data."""
    return {
        "sets": [set_to_json(one) for one in summary.sets],
        "near_duplicates": [near_to_json(one) for one in summary.near],
        "evaluation": summary.evaluation and evaluation_to_json(summary.evaluation),
        "drift": summary.drift and _drift_to_json(summary.drift),
    }


def summary_from_json(document: object) -> DataSummary:
    """Read what :func:`summary_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = object_of(document, "data report")
    only(fields, "sets", "near_duplicates", "evaluation", "drift")
    evaluation, drift = fields.get("evaluation"), fields.get("drift")
    return DataSummary(
        sets=tuple(set_from_json(one) for one in list_of(fields, "sets")),
        near=tuple(near_from_json(one) for one in list_of(fields, "near_duplicates")),
        evaluation=None if evaluation is None else evaluation_from_json(evaluation),
        drift=None if drift is None else _drift_from_json(drift),
    )


def set_to_json(one: CheckedSet) -> dict[str, object]:
    """Write what was checked of one data set."""
    return {
        "role": one.role,
        "rows": one.rows,
        "expectations": one.expectations,
        "suite_expectations": one.suite_expectations,
        "suite_sha256": one.suite_sha256,
    }


def set_from_json(document: object) -> CheckedSet:
    """Read what :func:`set_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = object_of(document, "data set")
    only(fields, *CheckedSet.__dataclass_fields__)
    return CheckedSet(
        role=text_of(fields, "role"),
        rows=whole_of(fields, "rows"),
        expectations=whole_of(fields, "expectations"),
        suite_expectations=whole_of(fields, "suite_expectations"),
        suite_sha256=text_of(fields, "suite_sha256"),
    )


def near_to_json(near: NearDuplicates) -> dict[str, object]:
    """Write near duplicates; the share and the flag are for readers only."""
    return {
        "other": near.other,
        "rows": near.rows,
        "near": near.near,
        "among": near.among,
        "share": near.share,
        "pairs": [
            {"row": pair.row, "other_row": pair.other_row, "likeness": pair.likeness}
            for pair in near.pairs
        ],
    }


def near_from_json(document: object) -> NearDuplicates:
    """Read what :func:`near_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = object_of(document, "near duplicates")
    only(fields, "share", *NearDuplicates.__dataclass_fields__)
    return NearDuplicates(
        other=text_of(fields, "other"),
        rows=whole_of(fields, "rows"),
        near=whole_of(fields, "near"),
        among=whole_of(fields, "among"),
        pairs=tuple(_pair(one) for one in list_of(fields, "pairs")),
    )


def _pair(document: object) -> NearPair:
    fields = object_of(document, "pair")
    only(fields, *NearPair.__dataclass_fields__)
    return NearPair(
        row=whole_of(fields, "row"),
        other_row=whole_of(fields, "other_row"),
        likeness=number_of(fields, "likeness"),
    )


def evaluation_to_json(summary: EvaluationSummary) -> dict[str, object]:
    """Write what an evaluation set looks like."""
    return {
        "sha256": summary.sha256,
        "rows": summary.rows,
        "classes": [list(pair) for pair in summary.classes],
        "quantiles": {
            name: [number_to_json(value) for value in values] for name, values in summary.quantiles
        },
    }


def evaluation_from_json(document: object) -> EvaluationSummary:
    """Read what :func:`evaluation_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = object_of(document, "evaluation summary")
    only(fields, *EvaluationSummary.__dataclass_fields__)
    quantiles = object_of(fields.get("quantiles"), "quantiles")
    return EvaluationSummary(
        sha256=text_of(fields, "sha256"),
        rows=whole_of(fields, "rows"),
        classes=tuple(_class(pair) for pair in list_of(fields, "classes")),
        quantiles=tuple((name, _numbers(quantiles, name)) for name in quantiles),
    )


def _class(pair: object) -> tuple[int, int]:
    match pair:
        case [int(label), int(rows)]:
            return label, rows
        case _:
            raise ValueError(f"classes: a label and its rows are needed, not {pair!r}")


def _numbers(fields: JsonObject, name: str) -> tuple[float, ...]:
    return tuple(number_of({name: value}, name) for value in list_of(fields, name))


def _drift_to_json(drift: Drift) -> dict[str, object]:
    return {
        "released": drift.released,
        "same": drift.same,
        "comparisons": [
            {
                "what": one.what,
                "test": one.test,
                "p": number_to_json(one.p),
                "effect": number_to_json(one.effect),
                "notable": one.notable,
            }
            for one in drift.comparisons
        ],
    }


def _drift_from_json(document: object) -> Drift:
    fields = object_of(document, "drift")
    only(fields, *Drift.__dataclass_fields__)
    same = fields.get("same")
    if not isinstance(same, bool):
        raise ValueError(f"same: true or false is needed, not {same!r}")  # noqa: TRY004
    comparisons = tuple(_comparison(one) for one in list_of(fields, "comparisons"))
    return Drift(released=text_of(fields, "released"), same=same, comparisons=comparisons)


def _comparison(document: object) -> Comparison:
    fields = object_of(document, "comparison")
    only(fields, "notable", *Comparison.__dataclass_fields__)
    return Comparison(
        what=text_of(fields, "what"),
        test=text_of(fields, "test"),
        p=number_of(fields, "p"),
        effect=number_of(fields, "effect"),
    )

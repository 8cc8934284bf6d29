"""How readings, budgets, variants and data digests look in JSON, in both directions.

Reports and signed evidence share these shapes. The law, held by a property test: reading back
what was written gives an equal record (times as the same instant, numbers bit for bit).

What this module does not do: it judges nothing and opens no file. Whatever does not have the
right shape raises ``ValueError`` with the name of the field; the caller says what that means.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime

from weighin.gates.estimate import Estimate
from weighin.gates.measurement import Baseline, Measurement, Reading, Unreadable
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.quantiles import Quantiles, checked
from weighin.gates.slices import Slice
from weighin.gates.stats import PairedCounts
from weighin.gates.variant import Format, Variant
from weighin.gates.weigh_in import DataDigest

JsonObject = Mapping[str, object]
"""A parsed JSON object whose values have not been looked at yet."""

_COUNTS = ("both_right", "only_reference", "only_variant", "both_wrong")
_ESTIMATE = ("value", "standard_error", "skew", "slack")
_NOT_FINITE = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def reading_to_json(reading: Reading) -> dict[str, object]:
    """Write a measurement, or the reason why there is none."""
    if isinstance(reading, Unreadable):
        return {"metric": reading.metric.value, "reason": reading.reason}
    document: dict[str, object] = {
        "metric": reading.metric.value,
        "value": number_to_json(reading.value),
        "lower": number_to_json(reading.lower),
        "upper": number_to_json(reading.upper),
        "n": reading.n,
        "origin": reading.origin.value,
        "artifact_sha256": reading.artifact_sha256,
        "device": reading.device,
        "runtime": reading.runtime,
        "measured_at": time_to_json(reading.measured_at),
        "conditions": pairs_to_json(reading.conditions),
        "confidence": number_to_json(reading.confidence),
    }
    if reading.slices:
        document["slices"] = [_slice_to_json(one) for one in reading.slices]
    if reading.baseline is not None:
        value = number_to_json(reading.baseline.value)
        document["baseline"] = {"sha256": reading.baseline.sha256, "value": value}
    if reading.quantiles:
        document["quantiles"] = [list(pair) for pair in reading.quantiles]
    return document


def reading_from_json(document: object) -> Reading:
    """Read what :func:`reading_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = object_of(document, "reading")
    metric = Metric(text_of(fields, "metric"))
    if "reason" in fields:
        only(fields, "metric", "reason")
        return Unreadable(metric=metric, reason=text_of(fields, "reason"))
    only(fields, *Measurement.__dataclass_fields__)
    return Measurement(
        metric=metric,
        value=number_of(fields, "value"),
        lower=number_of(fields, "lower"),
        upper=number_of(fields, "upper"),
        n=whole_of(fields, "n"),
        origin=Origin(text_of(fields, "origin")),
        artifact_sha256=text_of(fields, "artifact_sha256"),
        device=text_of(fields, "device"),
        runtime=text_of(fields, "runtime"),
        measured_at=time_of(fields, "measured_at"),
        conditions=pairs_of(fields, "conditions"),
        confidence=number_of(fields, "confidence"),
        slices=tuple(_slice_from_json(one) for one in list_of(fields, "slices"))
        if "slices" in fields
        else (),
        baseline=_baseline_from_json(fields["baseline"]) if "baseline" in fields else None,
        quantiles=quantiles_of(fields, "quantiles"),
    )


def quantiles_of(fields: JsonObject, name: str) -> Quantiles:
    """How samples are spread; nothing where the field is left out."""
    if name not in fields:
        return ()
    return checked(_quantile_from_json(one) for one in list_of(fields, name))


def _quantile_from_json(document: object) -> tuple[float, float]:
    if not isinstance(document, list) or len(document) != 2:
        raise ValueError(f"quantiles: a level and a value are needed, not {document!r}")
    level, value = (number_of({"quantiles": one}, "quantiles") for one in document)
    return level, value


def _slice_to_json(one: Slice) -> dict[str, object]:
    named: dict[str, object] = {"name": one.name, "rows": one.rows}
    match one.drop:
        case PairedCounts() as counts:
            return named | {name: getattr(counts, name) for name in _COUNTS}
        case Estimate() as estimate:
            numbers = {name: number_to_json(getattr(estimate, name)) for name in _ESTIMATE}
            return named | numbers | {"degrees": estimate.degrees}


def _slice_from_json(document: object) -> Slice:
    fields = object_of(document, "slice")
    drop: PairedCounts | Estimate
    if "degrees" in fields:
        only(fields, "name", "rows", "degrees", *_ESTIMATE)
        numbers = {name: number_of(fields, name) for name in _ESTIMATE}
        drop = Estimate(degrees=whole_of(fields, "degrees"), **numbers)
    else:
        only(fields, "name", "rows", *_COUNTS)
        drop = PairedCounts(**{name: whole_of(fields, name) for name in _COUNTS})
    rows = whole_of(fields, "rows")
    if isinstance(drop, PairedCounts) and drop.n != rows:
        raise ValueError(f"slice: has {rows} rows, but counts {drop.n}")
    return Slice(name=text_of(fields, "name"), rows=rows, drop=drop)


def _baseline_from_json(document: object) -> Baseline:
    fields = object_of(document, "baseline")
    only(fields, "sha256", "value")
    return Baseline(sha256=text_of(fields, "sha256"), value=number_of(fields, "value"))


def budget_to_json(budget: Budget) -> dict[str, object]:
    """Write one upper bound."""
    document: dict[str, object] = {
        "metric": budget.metric.value,
        "at_most": budget.at_most,
        "least_origin": budget.least_origin.value,
    }
    optional = {"floor": budget.floor, "least_rows": budget.least_rows}
    return document | {name: value for name, value in optional.items() if value is not None}


def budget_from_json(document: object) -> Budget:
    """Read what :func:`budget_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type, or no budget may be so.
    """
    fields = object_of(document, "budget")
    only(fields, *Budget.__dataclass_fields__)
    return Budget(
        metric=Metric(text_of(fields, "metric")),
        at_most=number_of(fields, "at_most"),
        least_origin=Origin(text_of(fields, "least_origin")),
        floor=number_of(fields, "floor") if "floor" in fields else None,
        least_rows=whole_of(fields, "least_rows") if "least_rows" in fields else None,
    )


def variant_to_json(variant: Variant) -> dict[str, object]:
    """Write what is known of one file."""
    return {
        "recipe": variant.recipe,
        "format": variant.format.value,
        "sha256": variant.sha256,
        "size_bytes": variant.size_bytes,
        "path": variant.path,
        "parent": variant.parent,
        "tools": pairs_to_json(variant.tools),
        "notes": pairs_to_json(variant.notes),
    }


def variant_from_json(document: object) -> Variant:
    """Read what :func:`variant_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = object_of(document, "variant")
    only(fields, *Variant.__dataclass_fields__)
    return Variant(
        recipe=text_of(fields, "recipe"),
        format=Format(text_of(fields, "format")),
        sha256=text_of(fields, "sha256"),
        size_bytes=whole_of(fields, "size_bytes"),
        path=text_of(fields, "path"),
        parent=text_of(fields, "parent"),
        tools=pairs_of(fields, "tools"),
        notes=pairs_of(fields, "notes"),
    )


def data_to_json(data: DataDigest) -> dict[str, object]:
    """Write which data set was used."""
    return {"role": data.role, "path": data.path, "sha256": data.sha256, "rows": data.rows}


def data_from_json(document: object) -> DataDigest:
    """Read what :func:`data_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = object_of(document, "data")
    only(fields, *DataDigest.__dataclass_fields__)
    return DataDigest(
        role=text_of(fields, "role"),
        path=text_of(fields, "path"),
        sha256=text_of(fields, "sha256"),
        rows=whole_of(fields, "rows"),
    )


def number_to_json(number: float) -> float | str:
    """A number; JSON has no NaN and no infinity, so those are written as their names."""
    if math.isnan(number):
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return number


def time_to_json(time: datetime) -> str:
    """An instant as ISO 8601 in UTC, with a Z.

    Raises:
        ValueError: the time has no time zone.
    """
    if time.tzinfo is None:
        raise ValueError(f"a time without a time zone cannot be written: {time.isoformat()}")
    return time.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def pairs_to_json(pairs: tuple[tuple[str, str], ...]) -> dict[str, object]:
    """Named texts as an object, in their order.

    Raises:
        ValueError: a name is given twice.
    """
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        raise ValueError(f"a name is given twice: {', '.join(names)}")
    return dict(pairs)


def object_of(document: object, what: str) -> JsonObject:
    """The document as an object with text keys."""
    if not isinstance(document, dict):
        raise ValueError(f"{what}: an object is needed, not {type(document).__name__}")  # noqa: TRY004
    return document


def only(fields: JsonObject, *allowed: str) -> None:
    """Refuse fields that nobody knows: they would be lost when written again."""
    unknown = sorted(set(fields) - set(allowed))
    if unknown:
        raise ValueError(f"unknown field {', '.join(map(repr, unknown))}")


def text_of(fields: JsonObject, name: str) -> str:
    """A text field."""
    value = fields.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name}: a text is needed, not {value!r}")  # noqa: TRY004
    return value


def whole_of(fields: JsonObject, name: str) -> int:
    """A whole number; ``true`` is none."""
    value = fields.get(name)
    if not isinstance(value, int) or isinstance(value, bool):
        raise ValueError(f"{name}: a whole number is needed, not {value!r}")  # noqa: TRY004
    return value


def number_of(fields: JsonObject, name: str) -> float:
    """A number, or the name of one that JSON does not have."""
    value = fields.get(name)
    if isinstance(value, str) and value in _NOT_FINITE:
        return _NOT_FINITE[value]
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise ValueError(f"{name}: a number is needed, not {value!r}")  # noqa: TRY004
    return float(value)


def time_of(fields: JsonObject, name: str) -> datetime:
    """An instant with its time zone, in UTC."""
    text = text_of(fields, name)
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError(f"{name}: a time zone is needed: {text!r}")
    return time.astimezone(UTC)


def pairs_of(fields: JsonObject, name: str) -> tuple[tuple[str, str], ...]:
    """Named texts, in the document's order."""
    named = object_of(fields.get(name), name)
    return tuple((key, text_of(named, key)) for key in named)


def list_of(fields: JsonObject, name: str) -> list[object]:
    """A list field."""
    value = fields.get(name)
    if not isinstance(value, list):
        raise ValueError(f"{name}: a list is needed, not {value!r}")  # noqa: TRY004
    return value

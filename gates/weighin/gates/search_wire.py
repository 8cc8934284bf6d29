"""How the record of a search looks in JSON, in both directions.

Reports and the search's own journal share these shapes. The law, held by a property test:
reading back what was written gives an equal record. What this module does not do: it opens no
file. Whatever has not the right shape raises ``ValueError``.
"""

from weighin.gates.search import DeviceStanding, Round, SearchRecord, Standing, Trial
from weighin.gates.variant import Format
from weighin.gates.wire import (
    JsonObject,
    list_of,
    number_of,
    number_to_json,
    object_of,
    text_of,
    whole_of,
)


def search_to_json(record: SearchRecord) -> dict[str, object]:
    """Write a whole search."""
    return {
        "minutes": record.minutes,
        "seconds": record.seconds,
        "ended": record.ended,
        "kept": list(record.kept),
        "rounds": [round_to_json(one) for one in record.rounds],
    }


def search_from_json(document: object) -> SearchRecord:
    """Read what :func:`search_to_json` wrote.

    Raises:
        ValueError: a field is missing or of the wrong type.
    """
    fields = object_of(document, "search")
    return SearchRecord(
        minutes=number_of(fields, "minutes"),
        rounds=tuple(round_from_json(one) for one in list_of(fields, "rounds")),
        ended=text_of(fields, "ended"),
        kept=_texts_of(fields, "kept"),
    )


def round_to_json(one: Round) -> dict[str, object]:
    """Write one question and its answer."""
    return {
        "question": one.question,
        "recipes": list(one.recipes),
        "trains": one.trains,
        "seconds": one.seconds,
        "trials": [_trial_to_json(trial) for trial in one.trials],
    }


def round_from_json(document: object) -> Round:
    """Read what :func:`round_to_json` wrote.

    Raises:
        ValueError: a field is missing or of the wrong type.
    """
    fields = object_of(document, "round")
    return Round(
        question=text_of(fields, "question"),
        recipes=_texts_of(fields, "recipes"),
        trains=_flag_of(fields, "trains"),
        seconds=number_of(fields, "seconds"),
        trials=tuple(_trial_from_json(trial) for trial in list_of(fields, "trials")),
    )


def _trial_to_json(trial: Trial) -> dict[str, object]:
    return {
        "label": trial.label,
        "recipe": trial.recipe,
        "format": trial.format.value,
        "bytes": trial.size_bytes,
        "drop_points": _maybe_to_json(trial.drop_points),
        "drop_at_most": _maybe_to_json(trial.drop_at_most),
        "accurate": trial.accurate,
        "dominated": trial.dominated,
        "reason": trial.reason,
        "devices": [_standing_to_json(one) for one in trial.devices],
    }


def _trial_from_json(document: object) -> Trial:
    fields = object_of(document, "trial")
    return Trial(
        recipe=text_of(fields, "recipe"),
        format=Format(text_of(fields, "format")),
        size_bytes=None if fields.get("bytes") is None else whole_of(fields, "bytes"),
        drop_points=_maybe_of(fields, "drop_points"),
        drop_at_most=_maybe_of(fields, "drop_at_most"),
        accurate=None if fields.get("accurate") is None else _flag_of(fields, "accurate"),
        dominated=_flag_of(fields, "dominated"),
        devices=tuple(_standing_from_json(one) for one in list_of(fields, "devices")),
        reason=text_of(fields, "reason"),
    )


def _standing_to_json(one: DeviceStanding) -> dict[str, object]:
    return {
        "device": one.device,
        "standing": one.standing.value,
        "open_checks": one.open_checks,
        "overshoot": number_to_json(one.overshoot),
        "latency_ms": _maybe_to_json(one.latency_ms),
        "reason": one.reason,
    }


def _standing_from_json(document: object) -> DeviceStanding:
    fields = object_of(document, "device of a trial")
    return DeviceStanding(
        device=text_of(fields, "device"),
        standing=Standing(text_of(fields, "standing")),
        open_checks=whole_of(fields, "open_checks"),
        overshoot=number_of(fields, "overshoot"),
        latency_ms=_maybe_of(fields, "latency_ms"),
        reason=text_of(fields, "reason"),
    )


def _maybe_to_json(number: float | None) -> float | str | None:
    return None if number is None else number_to_json(number)


def _maybe_of(fields: JsonObject, name: str) -> float | None:
    return None if fields.get(name) is None else number_of(fields, name)


def _flag_of(fields: JsonObject, name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise ValueError(f"{name}: true or false is needed, not {value!r}")  # noqa: TRY004
    return value


def _texts_of(fields: JsonObject, name: str) -> tuple[str, ...]:
    texts = list_of(fields, name)
    if not all(isinstance(text, str) for text in texts):
        raise ValueError(f"{name}: a list of texts is needed, not {texts!r}")
    return tuple(str(text) for text in texts)

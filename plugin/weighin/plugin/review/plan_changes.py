"""What a pull request changes in what its models are judged by: told, never judged by. Pure.

Two configurations go in, the base branch's and the pull request's, both with their devices named
one by one. Out comes every difference that has to do with judging, and whether something could
pass under the new one that does not pass under the old one. Where that cannot be told, it is
called looser. The law, held by a property test: loosening any budget that holds is found.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from enum import StrEnum

from weighin.gates.metric import Budget, Metric
from weighin.gates.report.context import PlanChange
from weighin.gates.report.words import count
from weighin.plugin.config import FILE_NAME, Config, ModelConfig

_MOST_NAMES = 3
_LONGEST = 200


class _Way(StrEnum):
    """In which direction a setting is looser."""

    UP = "up"
    DOWN = "down"
    ANY = "any"
    MORE = "more"  # of a list: whoever is added
    NEVER = "never"


_TABLES: Mapping[str, Mapping[str, _Way]] = {
    "gate": {"confidence": _Way.DOWN},
    "evidence": {"valid_days": _Way.UP, "trusted_keys": _Way.MORE},
    "host": {
        "most_other_load": _Way.UP,
        "most_steal": _Way.UP,
        "most_pressure": _Way.UP,
        "least_clock": _Way.DOWN,
        "most_noise": _Way.UP,
        "wait_seconds": _Way.NEVER,
    },
    "phones": {},
    "fleet": {"at_least_percent": _Way.DOWN},
    "review": {
        "waivers": _Way.MORE,
        "waiver_days": _Way.UP,
        "repository": _Way.NEVER,
        "report_url": _Way.NEVER,
    },
}
"""The tables that judging rests on; a setting that is not named is looser whenever it changes."""

_MODEL: Mapping[str, _Way] = {
    "calibration": _Way.NEVER,
    "training": _Way.NEVER,
    "unlabelled": _Way.NEVER,
    "tuning": _Way.NEVER,
    "teacher": _Way.NEVER,
    "student": _Way.NEVER,
    "recipes": _Way.NEVER,
    "formats": _Way.NEVER,
    "min_rows": _Way.DOWN,
    "min_class_share": _Way.DOWN,
    "max_near_duplicate_percent": _Way.UP,
}


def plan_changes(before: Config, after: Config) -> tuple[PlanChange, ...]:
    """Every change that has to do with judging, the looser ones first.

    Args:
        before: Of the base branch, which judges.
        after: Of the pull request.
    """
    found = [*_settings(before, after)]
    for name in sorted(before.models.keys() | after.models.keys()):
        found += _of_model(name, before, after)
    return tuple(sorted(found, key=lambda change: not change.looser))


def file_changes(
    before: Mapping[str, bytes | None], after: Mapping[str, bytes | None]
) -> tuple[PlanChange, ...]:
    """Files that judging reads and that the pull request has otherwise; always looser.

    Args:
        before: The base branch's, by path; ``None`` where there is none.
        after: The pull request's.
    """
    return tuple(
        PlanChange(where=path, before=_size(old), after=_size(after.get(path)), looser=True)
        for path, old in sorted(before.items())
        if after.get(path) != old
    )


def judged_files(config: Config, model: str) -> tuple[str, ...]:
    """The files, relative to ``weighin.toml``, whose content decides what passes.

    A data set may be in git itself, or only its DVC pointer is.
    """
    settings = config.models.get(model)
    data = [] if settings is None else [settings.evaluation, settings.labels_file]
    keys = [config.evidence.public_key, *(config.evidence.trusted_keys or ())]
    said = [path for path in (*data, *keys, config.fleet.file) if path is not None]
    return tuple(dict.fromkeys(name for path in said for name in (path, f"{path}.dvc")))


def unreadable(reason: str) -> PlanChange:
    """The pull request's ``weighin.toml`` is none, or is gone."""
    return PlanChange(where=FILE_NAME, before="readable", after=reason[:_LONGEST], looser=True)


def _settings(before: Config, after: Config) -> Iterator[PlanChange]:
    for table, ways in _TABLES.items():
        yield from _fields(table, getattr(before, table), getattr(after, table), ways)


def _of_model(name: str, before: Config, after: Config) -> Iterator[PlanChange]:
    old, new = before.models.get(name), after.models.get(name)
    where = f"models.{name}"
    if old is None or new is None:
        gone = new is None
        said = ("described", "") if gone else ("", "described")
        yield PlanChange(where=where, before=said[0], after=said[1], looser=not gone)
        return
    yield from _fields(where, old, new, _MODEL)
    yield from _budgets(name, before, after)


def _fields(where: str, old: object, new: object, ways: Mapping[str, _Way]) -> Iterator[PlanChange]:
    """The settings of two tables of one kind that differ."""
    if not dataclasses.is_dataclass(old) or isinstance(old, type):
        return
    for field in dataclasses.fields(old):
        one, other = getattr(old, field.name), getattr(new, field.name)
        if field.name != "budgets" and one != other:
            yield PlanChange(
                where=f"{where}.{field.name}",
                before=_text(one),
                after=_text(other),
                looser=_is_looser(one, other, ways.get(field.name, _Way.ANY)),
            )


def _is_looser(old: object, new: object, way: _Way) -> bool:
    match way:
        case _Way.NEVER:
            return False
        case _Way.UP | _Way.DOWN:
            if not isinstance(old, int | float) or not isinstance(new, int | float):
                return True  # a limit that went away, or one that came: it cannot be compared
            return new > old if way is _Way.UP else new < old
        case _Way.MORE:
            if not isinstance(old, tuple) or not isinstance(new, tuple):
                return True
            return not set(new) <= set(old)
        case _Way.ANY:
            return True


def _budgets(name: str, before: Config, after: Config) -> Iterator[PlanChange]:
    """The budgets that hold, told once for all devices on which they change alike."""
    alike: dict[tuple[str, str, str, bool], list[str]] = {}
    devices = _devices(before.models[name], after.models[name])
    for device in devices:
        for change in _on_device(before.budgets_for(name, device), after.budgets_for(name, device)):
            alike.setdefault(change, []).append(device)
    for (metric, old, new, looser), where in alike.items():
        yield PlanChange(
            where=f"models.{name}.budgets.{_these(where, devices)}.{metric}",
            before=old,
            after=new,
            looser=looser,
        )


def _on_device(
    before: tuple[Budget, ...], after: tuple[Budget, ...]
) -> Iterator[tuple[str, str, str, bool]]:
    old, new = ({one.metric: one for one in budgets} for budgets in (before, after))
    nothing_passed = not old  # a device without budgets passes nothing
    for metric in (metric for metric in Metric if metric in old or metric in new):
        one, other = old.get(metric), new.get(metric)
        if one != other:
            looser = nothing_passed or other is None or (one is not None and _looser(one, other))
            yield metric.value, _budget_text(one), _budget_text(other), looser


def _looser(old: Budget, new: Budget) -> bool:
    """Whether any part of a budget lets more through than it did."""
    return (
        new.at_most > old.at_most
        or not new.least_origin.is_at_least(old.least_origin)
        or (new.floor or 0) > (old.floor or 0)
        or new.least_slice_rows < old.least_slice_rows
    )


def _devices(old: ModelConfig, new: ModelConfig) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*old.devices, *new.devices)))


def _these(where: list[str], devices: tuple[str, ...]) -> str:
    if len(where) == len(devices) > 1:
        return f"(all {count(len(devices), 'device')})"
    shown = ", ".join(where[:_MOST_NAMES])
    more = f" and {len(where) - _MOST_NAMES} more" if len(where) > _MOST_NAMES else ""
    return shown if len(where) == 1 else f"({shown}{more})"


def _budget_text(budget: Budget | None) -> str:
    if budget is None:
        return ""
    parts = [f"{budget.at_most:g}", f"from {budget.least_origin} or better"]
    if budget.floor is not None:
        parts.append(f"floor {budget.floor:g}")
    if budget.least_rows is not None:
        parts.append(f"{budget.least_rows} rows")
    return ", ".join(parts)


def _text(value: object) -> str:
    """A setting as it could stand in the file, on one line."""
    if value is None:
        return ""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"


def _size(content: bytes | None) -> str:
    return "" if content is None else f"{len(content)} bytes"

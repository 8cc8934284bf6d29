"""Remembers what was promoted: which versions and when, and what the last one's data looked like.

One small file per model, ``.weighin/released/MODEL.json``, written by ``weighin promote``: every
promotion with its time, and the summary of the last one's evaluation data. What this module does
not do: it proves nothing. The channel says what is released, and the signed evidence holds the
data's digest; this is for a flag and a history in a report only.
"""

import json
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from weighin.gates.data_drift import compare
from weighin.gates.data_record import DataSummary, EvaluationSummary
from weighin.gates.data_wire import evaluation_from_json, evaluation_to_json
from weighin.gates.errors import WeighinError
from weighin.gates.wire import (
    JsonObject,
    list_of,
    object_of,
    only,
    text_of,
    time_of,
    time_to_json,
)
from weighin.plugin.project import Project
from weighin.plugin.results import load_weigh_in, weigh_in_folder


@dataclass(frozen=True, slots=True, kw_only=True)
class PastRelease:
    """One promotion: the version, and when it went into the channel, UTC."""

    version: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class _Memory:
    """What is remembered of a model.

    Attributes:
        released: The version that was promoted last: ``digits/3``.
        releases: Every promotion, oldest first.
        evaluation: The last one's evaluation data; ``None`` if its report says nothing of it.
    """

    released: str
    releases: tuple[PastRelease, ...]
    evaluation: EvaluationSummary | None


def remember_release(project: Project, name: str, version: str, at: datetime | None = None) -> None:
    """Note a version that was just promoted, and keep the summary of its evaluation data.

    Promoting again what is released keeps the first time. A memory that cannot be read is begun
    anew: that is how people get rid of a damaged one.

    Args:
        project: Where it was promoted.
        name: Registered model name.
        version: Registered model version.
        at: When; now if left out.

    Raises:
        WeighinError: the version's report cannot be read.
    """
    checked = load_weigh_in(weigh_in_folder(project, name, version)).data_report
    releases = _known_releases(project, name)
    if not releases or releases[-1].version != version:
        releases = (*releases, PastRelease(version=version, at=at or datetime.now(UTC)))
    memory = _Memory(
        released=f"{name}/{version}",
        releases=releases,
        evaluation=None if checked is None else checked.evaluation,
    )
    path = _path(project, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(_to_json(memory), allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)


def with_drift(project: Project, name: str, summary: DataSummary) -> DataSummary:
    """The summary with a comparison to the last release, if there is one.

    Raises:
        WeighinError: what was remembered cannot be read.
    """
    last = _memory(project, name)
    if last is None or last.evaluation is None or summary.evaluation is None:
        return summary
    return replace(summary, drift=compare(summary.evaluation, last.evaluation, last.released))


def release_log(project: Project, name: str) -> tuple[PastRelease, ...]:
    """Every promotion of a model from this folder, oldest first.

    Raises:
        WeighinError: what was remembered cannot be read.
    """
    memory = _memory(project, name)
    return () if memory is None else memory.releases


def _known_releases(project: Project, name: str) -> tuple[PastRelease, ...]:
    try:
        return release_log(project, name)
    except WeighinError:
        return ()  # the message of this very error says to promote again


def _memory(project: Project, name: str) -> _Memory | None:
    path = _path(project, name)
    try:
        fields = object_of(json.loads(path.read_text(encoding="utf-8")), "release")
        return _from_json(fields) if "releases" in fields else _from_the_old_form(fields, path)
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise WeighinError(
            f"{path}: what was remembered of the last release cannot be read: {error}. Remove it "
            f"to go on without a comparison, or promote the released version again"
        ) from error


def _to_json(memory: _Memory) -> dict[str, object]:
    return {
        "released": memory.released,
        "releases": [
            {"version": one.version, "at": time_to_json(one.at)} for one in memory.releases
        ],
        "evaluation": memory.evaluation and evaluation_to_json(memory.evaluation),
    }


def _from_json(fields: JsonObject) -> _Memory:
    only(fields, "released", "releases", "evaluation")
    evaluation = fields.get("evaluation")
    return _Memory(
        released=text_of(fields, "released"),
        releases=tuple(_release(one) for one in list_of(fields, "releases")),
        evaluation=None if evaluation is None else evaluation_from_json(evaluation),
    )


def _from_the_old_form(fields: JsonObject, path: Path) -> _Memory:
    """Only the last release, without its time: the file was written when it was promoted."""
    released = text_of(fields, "released")
    evaluation = {name: value for name, value in fields.items() if name != "released"}
    written = datetime.fromtimestamp(path.stat().st_mtime, tz=UTC)
    return _Memory(
        released=released,
        releases=(PastRelease(version=released.rpartition("/")[2], at=written),),
        evaluation=evaluation_from_json(evaluation),
    )


def _release(document: object) -> PastRelease:
    fields = object_of(document, "release")
    only(fields, "version", "at")
    return PastRelease(version=text_of(fields, "version"), at=time_of(fields, "at"))


def _path(project: Project, name: str) -> Path:
    return project.state / "released" / f"{name}.json"

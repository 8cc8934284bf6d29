"""Remembers what the evaluation data of the last promoted version looked like.

One small file per model, ``.weighin/released/MODEL.json``, written by ``weighin promote``. What
this module does not do: it proves nothing. The signed evidence holds the data's digest; this is
for a flag in a report only.
"""

import json
from dataclasses import replace
from pathlib import Path

from weighin.gates.data_drift import compare
from weighin.gates.data_record import DataSummary, EvaluationSummary
from weighin.gates.data_wire import evaluation_from_json, evaluation_to_json
from weighin.gates.errors import WeighinError
from weighin.gates.wire import object_of, text_of
from weighin.plugin.project import Project
from weighin.plugin.results import load_weigh_in


def remember_release(project: Project, name: str, version: str) -> None:
    """Keep the evaluation summary of a version that was just promoted, in place of the last."""
    path = _path(project, name)
    checked = load_weigh_in(project.results(name, version)).data_report
    if checked is None or checked.evaluation is None:  # weighed by a version without summaries
        path.unlink(missing_ok=True)
        return
    document = {"released": f"{name}/{version}", **evaluation_to_json(checked.evaluation)}
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document, allow_nan=False) + "\n", encoding="utf-8")
    draft.replace(path)


def with_drift(project: Project, name: str, summary: DataSummary) -> DataSummary:
    """The summary with a comparison to the last release, if there is one.

    Raises:
        WeighinError: what was remembered cannot be read.
    """
    last = _last(project, name)
    if last is None or summary.evaluation is None:
        return summary
    return replace(summary, drift=compare(summary.evaluation, last[1], last[0]))


def _last(project: Project, name: str) -> tuple[str, EvaluationSummary] | None:
    path = _path(project, name)
    try:
        fields = dict(object_of(json.loads(path.read_text(encoding="utf-8")), "release"))
        released = text_of(fields, "released")
        fields.pop("released")
        return released, evaluation_from_json(fields)
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise WeighinError(
            f"{path}: what was remembered of the last release cannot be read: {error}. Remove it "
            f"to go on without a comparison, or promote the released version again"
        ) from error


def _path(project: Project, name: str) -> Path:
    return project.state / "released" / f"{name}.json"

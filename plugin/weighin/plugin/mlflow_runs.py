"""Writes a weigh-in into MLflow: a parent run with the report, and a run per variant under it.

    weighin (experiment)
      digits/3            parent: report.html, report.md, report.json; counts; what devices get
        int8.tflite       child: numbers with intervals, a verdict per device
        prune70.tflite    child, FAILED: why it could not be built

Doing it twice writes nothing twice. A run is found again by its key, and carries a digest of
everything in it, written last; times are those of the weigh-in, so that a number which was
written before a crash is the same row when it is written again. What this module does not do: it
decides nothing about what a run says (:mod:`weighin.plugin.mlflow_records` does).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.digest import sha256_of
from weighin.gates.errors import RegistryError
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.event import Registration
from weighin.plugin.mlflow_inputs import Inputs, inputs_of, link_inputs
from weighin.plugin.mlflow_records import (
    KEY_TAG,
    RunRecord,
    child_records,
    digest_of,
    parent_record,
)
from weighin.plugin.mlflow_store import Connection, refused

EXPERIMENT = "weighin"
_CONTENT_TAG = "weighin.content"
_FILES_TAG = "weighin.files"
_PARENT_TAG = "mlflow.parentRunId"
_PAGE = 500
_TEXTS = 90
"""Parameters or tags in one call; MLflow takes 100 of each."""
_NUMBERS = 800
"""Metrics in one call; MLflow takes 1,000 of everything."""


def publish_runs(
    connection: Connection,
    registration: Registration,
    weigh_in: WeighIn,
    files: Sequence[Path],
) -> str:
    """Write the runs of a weigh-in, with its report files; returns the parent's id.

    Only what is new or has changed is written. Children of variants that a later weigh-in of the
    same plan does not have any more are deleted; MLflow can restore them.

    Args:
        connection: From `connect`.
        registration: The version that was weighed.
        weigh_in: What became of it.
        files: The report, artifacts of the parent.

    Raises:
        RegistryError: MLflow refused or cannot be reached; doing it again goes on from there.
    """
    with refused(f"the report of {registration.label} cannot be attached in MLflow"):
        parent = parent_record(weigh_in, registration)
        children = child_records(weigh_in, registration, parent.key)
        shown = digest_of([[file.name, sha256_of(file)] for file in files])
        whole = digest_of([parent.digest, shown, [child.digest for child in children]])
        experiment_id = _experiment_id(connection.client)
        run = _run_of(connection.client, experiment_id, parent)
        if run is None or not _is_whole(run, parent, whole):
            place = _place(connection.client, experiment_id, registration, weigh_in)
            run = run or _created(place, parent, {})
            _attach(place.client, run, files, shown)
            _write_children(place, run.info.run_id, children)
            _write(place, run, parent, whole, place.inputs)
        run_id: str = run.info.run_id
        return run_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where runs are written, and what their numbers are linked to.

    Attributes:
        client: `mlflow.MlflowClient`.
        experiment_id: The experiment of all weigh-ins.
        inputs: The model and the data.
        started_ms: When the weigh-in began, since the epoch.
        finished_ms: When it ended.
    """

    client: Any
    experiment_id: str
    inputs: Inputs
    started_ms: int
    finished_ms: int


def _place(
    client: Any, experiment_id: str, registration: Registration, weigh_in: WeighIn
) -> _Place:
    return _Place(
        client=client,
        experiment_id=experiment_id,
        inputs=inputs_of(client, registration.source, weigh_in.data),
        started_ms=round(weigh_in.started_at.timestamp() * 1000),
        finished_ms=round(weigh_in.finished_at.timestamp() * 1000),
    )


def _run_of(client: Any, experiment_id: str, parent: RunRecord) -> Any:
    """The run of this version and plan, if there is one."""
    found = client.search_runs([experiment_id], f"tags.`{KEY_TAG}` = '{parent.key}'", max_results=1)
    return found[0] if found else None


def _write_children(place: _Place, parent_id: str, children: Sequence[RunRecord]) -> None:
    known = {run.data.tags.get(KEY_TAG, ""): run for run in _runs_under(place, parent_id)}
    for child in children:
        run = known.get(child.key)
        if run is None or not _is_whole(run, child, child.digest):
            run = run or _created(place, child, {_PARENT_TAG: parent_id})
            _write(place, run, child, child.digest, place.inputs.measured)
    wanted = {"", *(child.key for child in children)}
    for key in known.keys() - wanted:
        place.client.delete_run(known[key].info.run_id)


def _runs_under(place: _Place, parent_id: str) -> Iterator[Any]:
    query, token = f"tags.`{_PARENT_TAG}` = '{parent_id}'", None
    while True:
        page = place.client.search_runs(
            [place.experiment_id], query, max_results=_PAGE, page_token=token
        )
        yield from page
        token = page.token
        if not token:
            return


def _created(place: _Place, record: RunRecord, more: Mapping[str, str]) -> Any:
    return place.client.create_run(
        place.experiment_id,
        start_time=place.started_ms,
        tags={KEY_TAG: record.key, **more},
        run_name=record.name,
    )


def _is_whole(run: Any, record: RunRecord, digest: str) -> bool:
    return run.data.tags.get(_CONTENT_TAG) == digest and run.info.status == _status(record)


def _status(record: RunRecord) -> str:
    return "FAILED" if record.failed else "FINISHED"


def _attach(client: Any, run: Any, files: Sequence[Path], digest: str) -> None:
    """Log the report files, unless these very files are there."""
    if run.data.tags.get(_FILES_TAG) == digest:
        return
    for file in files:
        client.log_artifact(run.info.run_id, str(file))
    client.set_tag(run.info.run_id, _FILES_TAG, digest)


def _write(place: _Place, run: Any, record: RunRecord, digest: str, inputs: Inputs) -> None:
    """Inputs, numbers, parameters and tags of one run, the digest last, and its end."""
    from mlflow.entities import Param, RunTag

    client, run_id, known = place.client, run.info.run_id, run.data
    link_inputs(client, run_id, inputs)
    numbers = _changed(place, run, record)
    params = [Param(name, text) for name, text in record.params if name not in known.params]
    tags = [RunTag(name, text) for name, text in record.tags if known.tags.get(name) != text]
    while len(numbers) > _NUMBERS or len(tags) > _TEXTS:
        client.log_batch(run_id, metrics=numbers[:_NUMBERS], tags=tags[:_TEXTS])
        numbers, tags = numbers[_NUMBERS:], tags[_TEXTS:]
    last = [*tags, RunTag(_CONTENT_TAG, digest)]
    client.log_batch(run_id, metrics=numbers, params=params, tags=last)
    client.set_terminated(run_id, _status(record), end_time=place.finished_ms)


def _changed(place: _Place, run: Any, record: RunRecord) -> list[Any]:
    """The numbers to write: all of a run that was never whole, else those that changed."""
    from mlflow.entities import Metric

    known = run.data.metrics if _CONTENT_TAG in run.data.tags else {}
    linked = place.inputs.of_metrics
    return [
        Metric(
            number.name,
            number.value,
            place.finished_ms,
            0,
            **(linked if number.estimate else {}),
        )
        for number in record.numbers
        if known.get(number.name) != number.value
    ]


def _experiment_id(client: Any) -> str:
    from mlflow.exceptions import MlflowException

    found = client.get_experiment_by_name(EXPERIMENT)
    if found is None:
        try:
            return str(client.create_experiment(EXPERIMENT))
        except MlflowException as error:
            found = client.get_experiment_by_name(EXPERIMENT)  # another project was faster
            if found is None:
                raise RegistryError(f"no experiment {EXPERIMENT} can be made: {error}") from error
    if found.lifecycle_stage != "active":
        raise RegistryError(
            f"the MLflow experiment {EXPERIMENT} was deleted; bring it back with "
            f"`mlflow experiments restore --experiment-id {found.experiment_id}`"
        )
    return str(found.experiment_id)

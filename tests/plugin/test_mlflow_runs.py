"""A weigh-in in MLflow: a parent run, a run per variant, and nothing written twice."""

import json
import shutil
import sqlite3
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gates.report.conftest import SAMPLES, make_weigh_in

from weighin.gates.errors import RegistryError
from weighin.gates.judge import Outcome
from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import Metric
from weighin.gates.variant import BuildFailure, Format
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config_file import parse_config
from weighin.plugin.event import Registration
from weighin.plugin.mark import read_mark
from weighin.plugin.mlflow_records import child_records, metric_name, parent_record
from weighin.plugin.mlflow_runs import EXPERIMENT, publish_runs
from weighin.plugin.mlflow_store import Connection, connect, find_version
from weighin.plugin.project import Project
from weighin.plugin.publish import publish_weigh_in
from weighin.registry.keys import create_dev_keys

FAILURE = BuildFailure(recipe="prune70", format=Format.ONNX, reason="killed after 300 s")
SMALL = make_weigh_in(
    {"host": (1.0, 6.0), "pixel-4": (2.0, 0.1)},
    ("float32", "int8"),
    (Format.LITERT,),
    failures=(FAILURE,),
    model="digits",
)
LATENCY = Metric.LATENCY_P90_MS
WRITES = frozenset(
    {
        *("create_run", "delete_run", "log_artifact", "log_batch", "log_inputs"),
        *("log_metric", "log_param", "set_tag", "set_terminated", "update_run"),
    }
)


class KilledError(OSError):
    """The process ended here."""


@dataclass(slots=True)
class Counted:
    """MLflow's own client, with its writes counted; it may end after some of them."""

    client: Any
    most: int = 1_000
    writes: list[str] = field(default_factory=list)

    def __getattr__(self, name: str) -> Any:
        if name in WRITES:
            if len(self.writes) == self.most:
                raise KilledError("killed")
            self.writes.append(name)
        return getattr(self.client, name)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database with version 1 of a model that MLflow logged itself."""
    folder = tmp_path_factory.mktemp("template")
    client = connect(*[f"sqlite:///{folder}/mlflow.db"] * 2).client
    experiment_id = client.create_experiment("training", (folder / "models").as_uri())
    model = client.create_logged_model(experiment_id, name="digits")
    client.create_registered_model("digits")
    client.create_model_version("digits", "file:///a", tags={"logged": model.model_id})
    return folder / "mlflow.db"


@pytest.fixture
def connection(template: Path, tmp_path: Path) -> Connection:
    shutil.copy(template, tmp_path / "mlflow.db")
    connection = connect(*[f"sqlite:///{tmp_path}/mlflow.db"] * 2)
    connection.client.create_experiment(EXPERIMENT, (tmp_path / "artifacts").as_uri())
    return connection


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, ...]:
    found = tuple(tmp_path / f"report.{kind}" for kind in ("html", "json", "md"))
    for file in found:
        file.write_text(f"{file.suffix} of digits/1")
    return found


def digits(connection: Connection) -> Registration:
    """As the registry gives it out for a model that was logged in the same MLflow."""
    source = f"models:/{model_id(connection)}"
    return replace(find_version(connection, "digits", "1"), source=source)


def model_id(connection: Connection) -> str:
    return str(connection.client.get_model_version("digits", "1").tags["logged"])


def publish(
    connection: Connection, files: tuple[Path, ...], weigh_in: WeighIn = SMALL, most: int = 1_000
) -> list[str]:
    """Publish, and say what was written."""
    counted = Counted(connection.client, most)
    publish_runs(replace(connection, client=counted), digits(connection), weigh_in, files)
    return counted.writes


def all_runs(connection: Connection) -> list[Any]:
    experiment = connection.client.get_experiment_by_name(EXPERIMENT)
    return list(connection.client.search_runs([experiment.experiment_id]))


def parent_of(connection: Connection) -> Any:
    (parent,) = [r for r in all_runs(connection) if "mlflow.parentRunId" not in r.data.tags]
    return parent


def children_of(connection: Connection) -> dict[str, Any]:
    """By name, as MLflow's page finds them under their parent."""
    parent = parent_of(connection)
    query = f"tags.`mlflow.parentRunId` = '{parent.info.run_id}'"
    found = connection.client.search_runs([parent.info.experiment_id], query)
    return {run.info.run_name: run for run in found}


def linked_metrics(connection: Connection) -> list[Any]:
    """The numbers on the page of the registered model itself."""
    return list(connection.client.get_logged_model(model_id(connection)).metrics)


OF_THE_PLAN = {"mlflow.parentRunId", "weighin.plan", "weighin.key", "weighin.content"}


def told(connection: Connection, plan: str = SMALL.plan_digest) -> dict[str, Any]:
    """Everything that MLflow shows of one weigh-in, without ids."""
    linked = Counter(metric.run_id for metric in linked_metrics(connection))
    return {
        run.info.run_name: (
            run.info.status,
            (run.info.start_time, run.info.end_time),
            run.data.metrics,
            run.data.params,
            {k: v for k, v in run.data.tags.items() if k not in OF_THE_PLAN},
            sorted((i.dataset.name, i.dataset.digest) for i in run.inputs.dataset_inputs),
            [i.model_id for i in run.inputs.model_inputs],
            [a.path for a in connection.client.list_artifacts(run.info.run_id)],
            linked[run.info.run_id],
        )
        for one in all_runs(connection)
        if one.data.tags.get("weighin.plan") == plan
        for run in [connection.client.get_run(one.info.run_id)]
    }


def twice(connection: Connection) -> list[str]:
    """Metrics that have more than one value in their history."""
    query = (
        "SELECT runs.name, key FROM metrics JOIN runs USING (run_uuid) "
        "GROUP BY run_uuid, key HAVING COUNT(*) > 1"
    )
    with closing(sqlite3.connect(connection.tracking_uri.removeprefix("sqlite:///"))) as database:
        return sorted(f"{run} {metric}" for run, metric in database.execute(query))


def test_a_weigh_in_is_a_parent_with_its_report_and_a_run_per_variant(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    parent, children = parent_of(connection), children_of(connection)
    assert (parent.info.run_name, parent.info.status) == ("digits/1", "FINISHED")
    shown = connection.client.list_artifacts(parent.info.run_id)
    assert [one.path for one in shown] == ["report.html", "report.json", "report.md"]
    assert parent.data.params == {"model": "digits", "version": "1"}
    assert parent.data.metrics["variants_failed"] == 1.0
    assert {name: run.info.status for name, run in children.items()} == {
        "float32.tflite": "FINISHED",
        "int8.tflite": "FINISHED",
        "prune70.onnx": "FAILED",
    }
    took = (SMALL.started_at, SMALL.finished_at)
    milliseconds = tuple(round(time.timestamp() * 1000) for time in took)
    assert (parent.info.start_time, parent.info.end_time) == milliseconds


def test_a_variants_run_has_its_numbers_intervals_and_verdicts(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    run = children_of(connection)["int8.tflite"]
    (result,) = [r for r in SMALL.results if r.variant.recipe == "int8"]
    (reading,) = [r for r in result.readings if r.metric is LATENCY and r.device == "pixel-4"]  # type: ignore[union-attr]
    assert isinstance(reading, Measurement)
    metrics = run.data.metrics
    assert metrics["latency_p90_ms.pixel-4"] == reading.value
    assert metrics["latency_p90_ms_lower.pixel-4"] == reading.lower
    assert metrics["latency_p90_ms_upper.pixel-4"] == reading.upper
    assert metrics["size_mib"] == result.variant.size_bytes / 2**20
    assert "size_mib_upper" not in metrics  # it is exact
    assert run.data.params["sha256"] == result.variant.sha256
    assert (run.data.params["recipe"], run.data.params["format"]) == ("int8", "litert")
    assert run.data.tags["weighin.verdict.host"] == "PASS"
    assert run.data.tags["weighin.verdict.pixel-4"] == "FAIL"
    assert "| `pixel-4` | **FAIL** |" in run.data.tags["mlflow.note.content"]


def test_variants_are_found_by_their_verdict(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    experiment_id = parent_of(connection).info.experiment_id
    query = "tags.`weighin.verdict.host` = 'PASS' and metrics.`latency_p90_ms.host` < 2"
    found = connection.client.search_runs([experiment_id], query)
    assert [run.info.run_name for run in found] == ["int8.tflite"]


def test_a_variant_that_could_not_be_built_says_why(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    run = children_of(connection)["prune70.onnx"]
    assert run.data.tags["weighin.reason"] == "killed after 300 s"
    assert run.data.tags["mlflow.note.content"] == "Could not be built: `killed after 300 s`"


def test_numbers_are_linked_to_the_model_and_the_data(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    run, (data, *_) = children_of(connection)["int8.tflite"], SMALL.data
    (used,) = run.inputs.dataset_inputs
    assert (used.dataset.name, used.dataset.digest) == (data.path, data.sha256[:36])
    assert json.loads(used.dataset.profile) == {"num_rows": data.rows}
    assert [(tag.key, tag.value) for tag in used.tags] == [("mlflow.data.context", "evaluation")]
    mine = {m.key: m for m in linked_metrics(connection) if m.run_id == run.info.run_id}
    assert mine["latency_p90_ms.host"].value == run.data.metrics["latency_p90_ms.host"]
    assert mine["latency_p90_ms.host"].dataset_name == data.path
    assert mine["latency_p90_ms.host"].dataset_digest == data.sha256[:36]
    assert not [name for name in mine if "_lower" in name or "_upper" in name]
    parent = connection.client.get_run(parent_of(connection).info.run_id)
    assert len(parent.inputs.dataset_inputs) == len(SMALL.data)
    assert [one.model_id for one in parent.inputs.model_inputs] == [model_id(connection)]


@pytest.mark.parametrize(
    "source",
    [
        pytest.param("file:///somewhere", id="a-folder"),
        pytest.param("models:/m-0123456789abcdef", id="of-another-server"),
        pytest.param("models:/digits/1", id="another-version"),
    ],
)
def test_a_model_that_mlflow_did_not_log_is_not_linked(
    connection: Connection, files: tuple[Path, ...], source: str
) -> None:
    registration = replace(digits(connection), source=source)
    publish_runs(connection, registration, SMALL, files)
    run = connection.client.get_run(children_of(connection)["int8.tflite"].info.run_id)
    assert run.inputs.model_inputs == []
    assert len(run.inputs.dataset_inputs) == 1
    assert "latency_p90_ms.host" in run.data.metrics


def test_publishing_again_writes_nothing(connection: Connection, files: tuple[Path, ...]) -> None:
    first = publish(connection, files)
    before = told(connection)
    assert first.count("create_run") == 4
    assert publish(connection, files) == []
    assert told(connection) == before
    assert twice(connection) == []


def test_killed_after_any_write_it_goes_on_and_writes_nothing_twice(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    small = replace(SMALL, results=SMALL.results[:1], data=SMALL.data[:1])
    writes = publish(connection, files[:1], small)
    whole = told(connection)
    for most, first_lost in enumerate(writes):
        plan = f"cut before {first_lost}, write {most}"
        weigh_in = replace(small, plan_digest=plan)
        with pytest.raises(RegistryError, match="the report of digits/1 cannot be attached"):
            publish(connection, files[:1], weigh_in, most)
        publish(connection, files[:1], weigh_in)
        assert told(connection, plan) == whole, plan
        assert publish(connection, files[:1], weigh_in) == []
    assert len(all_runs(connection)) == 3 * (1 + len(writes))
    assert twice(connection) == []


def test_killed_within_a_batch_the_links_are_made_up_for(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    with pytest.raises(RegistryError):
        publish(connection, files, most=6)  # parent, three files, their digest; the first child
    run = children_of(connection)["float32.tflite"]
    at = round(SMALL.finished_at.timestamp() * 1000)
    value = next(
        r.value
        for r in SMALL.results[0].readings
        if isinstance(r, Measurement) and r.metric is LATENCY and r.device == "host"
    )
    connection.client.log_metric(
        run.info.run_id, "latency_p90_ms.host", value, timestamp=at, step=0
    )
    publish(connection, files)
    assert twice(connection) == []
    mine = [m.key for m in linked_metrics(connection) if m.run_id == run.info.run_id]
    assert mine.count("latency_p90_ms.host") == 1


def test_a_changed_page_replaces_the_files_only(
    connection: Connection, files: tuple[Path, ...], tmp_path: Path
) -> None:
    publish(connection, files)
    files[0].write_text("another look")
    writes = publish(connection, files)
    assert writes.count("log_artifact") == 3
    assert writes.count("create_run") == 0
    assert writes.count("log_batch") == 1  # the parent's digest
    assert twice(connection) == []
    stored = next((tmp_path / "artifacts").rglob("report.html"))
    assert stored.read_text() == "another look"


def slower_on_the_host(weigh_in: WeighIn) -> WeighIn:
    """The same files weighed again an hour later: one of them takes longer on this machine."""

    def again(reading: Any) -> Any:
        mine = reading.metric is LATENCY and getattr(reading, "device", "") == "host"
        return replace(reading, value=reading.value + 1, upper=9.0) if mine else reading

    first, *rest = weigh_in.results
    verdicts = tuple(
        replace(
            verdict,
            checks=tuple(
                replace(check, readings=tuple(again(r) for r in check.readings))
                for check in verdict.checks
            ),
        )
        for verdict in first.verdicts
    )
    changed = replace(first, verdicts=verdicts, readings=tuple(again(r) for r in first.readings))
    later = weigh_in.finished_at + timedelta(hours=1)
    return replace(weigh_in, results=(changed, *rest), finished_at=later)


def test_weighed_again_only_what_changed_gets_a_second_value(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    other = slower_on_the_host(SMALL)
    assert other.outcomes["float32.tflite", "host"] is Outcome.UNDECIDED
    publish(connection, files, other)
    children = children_of(connection)
    assert children["float32.tflite"].data.tags["weighin.verdict.host"] == "UNDECIDED"
    assert twice(connection) == [
        "digits/1 variants_passed",
        "float32.tflite latency_p90_ms.host",
        "float32.tflite latency_p90_ms_upper.host",
    ]
    assert publish(connection, files, other) == []


def test_another_build_of_a_variant_takes_the_place_of_the_old_one(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    first, *rest = SMALL.results
    rebuilt = replace(first, variant=replace(first.variant, sha256="f" * 64))
    publish(connection, files, replace(SMALL, results=(rebuilt, *rest)))
    children = children_of(connection)
    assert len(children) == 3
    assert children["float32.tflite"].data.params["sha256"] == "f" * 64


def test_somebody_elses_run_under_ours_is_left_alone(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    publish(connection, files)
    parent = parent_of(connection)
    tags = {"mlflow.parentRunId": parent.info.run_id}
    connection.client.create_run(parent.info.experiment_id, tags=tags, run_name="theirs")
    publish(connection, files, replace(SMALL, failures=()))
    assert sorted(children_of(connection)) == ["float32.tflite", "int8.tflite", "theirs"]


def test_the_single_run_of_an_earlier_weighin_becomes_the_parent(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    registration = digits(connection)
    record = parent_record(SMALL, registration)
    experiment = connection.client.get_experiment_by_name(EXPERIMENT)
    tags = {"weighin.key": record.key, "weighin.content": "of the old kind"}
    old = connection.client.create_run(experiment.experiment_id, tags=tags, run_name="digits/1")
    connection.client.log_param(old.info.run_id, "model", "digits")
    connection.client.log_metric(old.info.run_id, "variants_built", 2.0)
    assert publish_runs(connection, registration, SMALL, files) == old.info.run_id
    assert len(children_of(connection)) == 3
    assert twice(connection) == []


def test_another_plan_or_a_recreated_version_is_another_parent(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    mine = digits(connection)
    recreated = replace(mine, created_at_ms=mine.created_at_ms + 1)
    other = replace(SMALL, plan_digest="another")
    pairs: list[tuple[Registration, WeighIn]] = [
        (mine, SMALL),
        (mine, other),
        (recreated, SMALL),
    ]
    ids = {publish_runs(connection, one, weigh_in, files) for one, weigh_in in pairs}
    assert len(ids) == 3


def test_an_experiment_that_somebody_deleted_says_how_to_get_it_back(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    experiment = connection.client.get_experiment_by_name(EXPERIMENT)
    connection.client.delete_experiment(experiment.experiment_id)
    with pytest.raises(RegistryError, match="mlflow experiments restore"):
        publish(connection, files)


@pytest.mark.parametrize("name", ["evil", "zero-variants"])
def test_names_that_mlflow_does_not_allow_are_written_all_the_same(
    connection: Connection, files: tuple[Path, ...], name: str
) -> None:
    publish(connection, files, SAMPLES[name]())
    assert publish(connection, files, SAMPLES[name]()) == []


def test_a_weigh_in_with_more_numbers_than_one_call_takes(
    connection: Connection, files: tuple[Path, ...]
) -> None:
    devices = {f"phone-{number}": (1.0, 6.0) for number in range(100)}
    many = make_weigh_in(devices, ("int8",), (Format.LITERT,), model="digits")
    publish(connection, files, many)
    run = children_of(connection)["int8.tflite"]
    assert len(run.data.metrics) > 800
    assert sum(name.startswith("weighin.verdict.") for name in run.data.tags) == 100
    assert publish(connection, files, many) == []


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from(["", "lower", "upper"]))
def test_law_a_metrics_name_is_allowed_and_different_devices_differ(
    one: str, other: str, end: str
) -> None:
    from mlflow.utils import validation

    names = {metric_name(LATENCY, device, end) for device in (one, other)}
    for name in names:
        validation._validate_metric_name(name)  # pyright: ignore[reportPrivateUsage]
    assert (len(names) == 2) is (one != other)


def test_an_infinite_end_is_no_metric(connection: Connection) -> None:
    registration = digits(connection)
    first, *_ = SMALL.results
    endless = tuple(
        replace(r, upper=float("inf")) if isinstance(r, Measurement) else r for r in first.readings
    )
    weigh_in = replace(SMALL, results=(replace(first, verdicts=(), readings=endless),))
    record, *_ = child_records(weigh_in, registration, "key")
    names = [number.name for number in record.numbers]
    assert metric_name(LATENCY, "host", "lower") in names
    assert not [name for name in names if "_upper" in name]
    assert metric_name(Metric.SIZE_MIB, ANY_DEVICE) in names


def test_a_finished_weigh_in_is_signed_saved_attached_and_marked(
    connection: Connection, tmp_path: Path
) -> None:
    project = Project(root=tmp_path / "project", config=parse_config({}))
    create_dev_keys(project.keys)
    weigh_in = replace(SMALL, version="1")
    publish_weigh_in(project, connection, digits(connection), weigh_in)
    parent = parent_of(connection)
    shown = {one.path for one in connection.client.list_artifacts(parent.info.run_id)}
    assert shown == {"report.html", "report.json", "report.md"}
    mark = read_mark(find_version(connection, "digits", "1"))
    assert mark is not None
    assert mark.report == parent.info.run_id

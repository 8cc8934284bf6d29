"""What people see in MLflow: one run per weigh-in, one `-mobile` version per released file."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weighin.gates.errors import EvidenceError, RegistryError
from weighin.plugin.event import Registration
from weighin.plugin.mlflow_publish import (
    EXPERIMENT,
    ReleasedFile,
    publish_release,
    publish_report,
)
from weighin.plugin.mlflow_store import Connection, connect, find_version, recent_versions


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    connect(f"sqlite:///{database}", f"sqlite:///{database}")
    return database


@pytest.fixture
def connection(empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Connection:
    monkeypatch.chdir(tmp_path)  # MLflow puts the artifacts of SQLite stores in ./mlruns
    shutil.copy(empty_database, tmp_path / "mlflow.db")
    connection = connect("sqlite:///mlflow.db", "sqlite:///mlflow.db")
    connection.client.create_experiment(EXPERIMENT, (tmp_path / "artifacts").as_uri())
    connection.client.create_registered_model("digits")
    connection.client.create_model_version("digits", "file:///a")
    return connection


@pytest.fixture
def digits(connection: Connection) -> Registration:
    return find_version(connection, "digits", "1")


@pytest.fixture
def report(tmp_path: Path) -> tuple[Path, ...]:
    files = tuple(tmp_path / f"report.{kind}" for kind in ("html", "json", "md"))
    for file in files:
        file.write_text(f"{file.suffix} of digits/1")
    return files


def released(folder: Path, label: str, content: bytes, *devices: str) -> ReleasedFile:
    path = folder / label
    path.write_bytes(content)
    return ReleasedFile(
        label=label,
        recipe=path.stem,
        sha256=hashlib.sha256(content).hexdigest(),
        path=path,
        devices=devices,
    )


def publish(
    connection: Connection,
    digits: Registration,
    report: tuple[Path, ...],
    plan: str = "plan-a",
    **metrics: float,
) -> str:
    return publish_report(
        connection, digits, plan, report, metrics=metrics, params={"recipes": "int8"}
    )


def runs(connection: Connection) -> list[Any]:
    experiment = connection.client.get_experiment_by_name(EXPERIMENT)
    return list(connection.client.search_runs([experiment.experiment_id]))


def artifacts(connection: Connection, run_id: str) -> list[str]:
    return [found.path for found in connection.client.list_artifacts(run_id)]


def test_a_report_is_one_finished_run_with_its_files(
    connection: Connection, digits: Registration, report: tuple[Path, ...]
) -> None:
    run_id = publish(connection, digits, report, passed_variants=2.0)
    (run,) = runs(connection)
    assert (run.info.run_id, run.info.status) == (run_id, "FINISHED")
    assert run.info.run_name == "digits/1"
    assert run.data.metrics == {"passed_variants": 2.0}
    assert run.data.params == {"recipes": "int8"}
    assert artifacts(connection, run_id) == ["report.html", "report.json", "report.md"]


def test_publishing_the_same_report_again_writes_nothing(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report, passed_variants=2.0)
    stored = next((tmp_path / "artifacts").rglob("report.html"))
    before = (stored.stat().st_mtime_ns, len(metric_history(connection, run_id)))
    assert publish(connection, digits, report, passed_variants=2.0) == run_id
    assert (stored.stat().st_mtime_ns, len(metric_history(connection, run_id))) == before
    assert len(runs(connection)) == 1


def metric_history(connection: Connection, run_id: str) -> list[Any]:
    return list(connection.client.get_metric_history(run_id, "passed_variants"))


def test_a_changed_report_updates_its_run(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report, passed_variants=2.0)
    report[0].write_text("another look")
    assert publish(connection, digits, report, passed_variants=1.0) == run_id
    (run,) = runs(connection)
    assert run.data.metrics == {"passed_variants": 1.0}
    stored = next((tmp_path / "artifacts").rglob("report.html"))
    assert stored.read_text() == "another look"


def test_another_plan_or_version_is_another_run(
    connection: Connection, digits: Registration, report: tuple[Path, ...]
) -> None:
    recreated = replace(digits, created_at_ms=digits.created_at_ms + 1)
    ids = {
        publish(connection, digits, report),
        publish(connection, digits, report, "plan-b"),
        publish(connection, recreated, report),
    }
    assert len(ids) == len(runs(connection)) == 3


def test_a_run_left_half_written_by_a_crash_is_taken_up_again(
    connection: Connection, digits: Registration, report: tuple[Path, ...]
) -> None:
    missing = (*report, report[0].with_name("deleted.html"))
    with pytest.raises(RegistryError, match="the report of digits/1 cannot be attached"):
        publish(connection, digits, missing)
    run_id = publish(connection, digits, report)
    assert [run.info.run_id for run in runs(connection)] == [run_id]


def test_an_experiment_that_somebody_deleted_says_how_to_get_it_back(
    connection: Connection, digits: Registration, report: tuple[Path, ...]
) -> None:
    experiment = connection.client.get_experiment_by_name(EXPERIMENT)
    connection.client.delete_experiment(experiment.experiment_id)
    with pytest.raises(RegistryError, match="mlflow experiments restore"):
        publish(connection, digits, report)


def test_the_experiment_is_made_where_there_is_none(
    empty_database: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    report: tuple[Path, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(empty_database, tmp_path / "fresh.db")
    fresh = connect("sqlite:///fresh.db", "sqlite:///fresh.db")
    fresh.client.create_registered_model("digits")
    fresh.client.create_model_version("digits", "file:///a")
    publish(fresh, find_version(fresh, "digits", "1"), report)
    assert len(runs(fresh)) == 1


def test_released_files_become_mobile_versions_and_the_first_gets_the_alias(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report)
    int8 = released(tmp_path, "int8.tflite", b"int8", "host", "pixel_7")
    fp16 = released(tmp_path, "fp16.onnx", b"fp16", "host")
    assert publish_release(connection, digits, run_id, (int8, fp16), "development") == ("1", "2")
    aliased = connection.client.get_model_version_by_alias("digits-mobile", "development")
    assert str(aliased.version) == "1"
    assert aliased.run_id == run_id
    assert aliased.tags == {
        "weighin.role": "variant",
        "weighin.recipe": "int8",
        "weighin.devices": "host, pixel_7",
        "weighin.sha256": int8.sha256,
    }


def test_a_mobile_version_gives_the_released_file_back(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    from mlflow.artifacts import download_artifacts

    run_id = publish(connection, digits, report)
    int8 = released(tmp_path, "int8.tflite", b"the file", "host")
    publish_release(connection, digits, run_id, (int8,), "development")
    uri = connection.client.get_model_version_download_uri("digits-mobile", "1")
    folder = Path(download_artifacts(artifact_uri=uri, dst_path=str(tmp_path / "got")))
    assert (folder / "int8.tflite").read_bytes() == b"the file"


def test_releasing_again_makes_no_new_version_and_only_updates_the_devices(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report)
    int8 = released(tmp_path, "int8.tflite", b"int8", "host")
    assert publish_release(connection, digits, run_id, (int8,), "development") == ("1",)
    more = replace(int8, devices=("host", "pixel_7"))
    assert publish_release(connection, digits, run_id, (more,), "stable") == ("1",)
    found = connection.client.search_model_versions("name = 'digits-mobile'")
    assert [v.tags["weighin.devices"] for v in found] == ["host, pixel_7"]
    aliases = connection.client.get_registered_model("digits-mobile").aliases
    assert {name: str(number) for name, number in aliases.items()} == {
        "development": "1",
        "stable": "1",
    }


def test_another_build_of_the_same_recipe_leaves_the_released_one_in_place(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report)
    for content in (b"first build", b"second build"):
        file = released(tmp_path, "int8.tflite", content, "host")
        publish_release(connection, digits, run_id, (file,), "development")
    stored = {p.read_bytes() for p in (tmp_path / "artifacts").rglob("int8.tflite")}
    assert stored == {b"first build", b"second build"}
    aliased = connection.client.get_model_version_by_alias("digits-mobile", "development")
    assert str(aliased.version) == "2"


def test_a_file_swapped_after_the_verdict_is_not_released(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report)
    int8 = released(tmp_path, "int8.tflite", b"judged", "host")
    int8.path.write_bytes(b"swapped")
    with pytest.raises(EvidenceError, match="is not the file that was judged"):
        publish_release(connection, digits, run_id, (int8,), "development")
    assert list(connection.client.search_model_versions("name = 'digits-mobile'")) == []


def test_nothing_released_makes_no_mobile_model(
    connection: Connection, digits: Registration, report: tuple[Path, ...]
) -> None:
    run_id = publish(connection, digits, report)
    assert publish_release(connection, digits, run_id, (), "development") == ()
    assert [m.name for m in connection.client.search_registered_models()] == ["digits"]


def test_a_channel_name_with_a_dot_becomes_an_alias_that_mlflow_accepts(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report)
    int8 = released(tmp_path, "int8.tflite", b"int8", "host")
    publish_release(connection, digits, run_id, (int8,), "eu.stable")
    assert connection.client.get_model_version_by_alias("digits-mobile", "eu-stable")


def test_what_was_released_is_not_weighed_itself(
    connection: Connection, digits: Registration, report: tuple[Path, ...], tmp_path: Path
) -> None:
    run_id = publish(connection, digits, report)
    int8 = released(tmp_path, "int8.tflite", b"int8", "host")
    publish_release(connection, digits, run_id, (int8,), "development")
    assert recent_versions(connection, None, 10) == (digits,)
    assert recent_versions(connection, ["digits-mobile"], 10) == ()

"""What people see in MLflow of a release: one `-mobile` version per released file."""

import hashlib
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from weighin.gates.errors import EvidenceError
from weighin.plugin.event import Registration
from weighin.plugin.mlflow_publish import ReleasedFile, publish_release
from weighin.plugin.mlflow_runs import EXPERIMENT
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


@pytest.fixture
def run_id(connection: Connection, digits: Registration) -> str:
    """The run of the weigh-in that released files come from."""
    experiment = connection.client.get_experiment_by_name(EXPERIMENT)
    return str(connection.client.create_run(experiment.experiment_id).info.run_id)


def test_released_files_become_mobile_versions_and_the_first_gets_the_alias(
    connection: Connection, digits: Registration, run_id: str, tmp_path: Path
) -> None:
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
    connection: Connection, digits: Registration, run_id: str, tmp_path: Path
) -> None:
    from mlflow.artifacts import download_artifacts

    int8 = released(tmp_path, "int8.tflite", b"the file", "host")
    publish_release(connection, digits, run_id, (int8,), "development")
    uri = connection.client.get_model_version_download_uri("digits-mobile", "1")
    folder = Path(download_artifacts(artifact_uri=uri, dst_path=str(tmp_path / "got")))
    assert (folder / "int8.tflite").read_bytes() == b"the file"


def test_releasing_again_makes_no_new_version_and_only_updates_the_devices(
    connection: Connection, digits: Registration, run_id: str, tmp_path: Path
) -> None:
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
    connection: Connection, digits: Registration, run_id: str, tmp_path: Path
) -> None:
    for content in (b"first build", b"second build"):
        file = released(tmp_path, "int8.tflite", content, "host")
        publish_release(connection, digits, run_id, (file,), "development")
    stored = {p.read_bytes() for p in (tmp_path / "artifacts").rglob("int8.tflite")}
    assert stored == {b"first build", b"second build"}
    aliased = connection.client.get_model_version_by_alias("digits-mobile", "development")
    assert str(aliased.version) == "2"


def test_a_file_swapped_after_the_verdict_is_not_released(
    connection: Connection, digits: Registration, run_id: str, tmp_path: Path
) -> None:
    int8 = released(tmp_path, "int8.tflite", b"judged", "host")
    int8.path.write_bytes(b"swapped")
    with pytest.raises(EvidenceError, match="is not the file that was judged"):
        publish_release(connection, digits, run_id, (int8,), "development")
    assert list(connection.client.search_model_versions("name = 'digits-mobile'")) == []


def test_nothing_released_makes_no_mobile_model(
    connection: Connection, digits: Registration, run_id: str
) -> None:
    assert publish_release(connection, digits, run_id, (), "development") == ()
    assert [m.name for m in connection.client.search_registered_models()] == ["digits"]


def test_a_channel_name_with_a_dot_becomes_an_alias_that_mlflow_accepts(
    connection: Connection, digits: Registration, run_id: str, tmp_path: Path
) -> None:
    int8 = released(tmp_path, "int8.tflite", b"int8", "host")
    publish_release(connection, digits, run_id, (int8,), "eu.stable")
    assert connection.client.get_model_version_by_alias("digits-mobile", "eu-stable")


def test_what_was_released_is_not_weighed_itself(
    connection: Connection, digits: Registration, run_id: str, tmp_path: Path
) -> None:
    int8 = released(tmp_path, "int8.tflite", b"int8", "host")
    publish_release(connection, digits, run_id, (int8,), "development")
    assert recent_versions(connection, None, 10) == (digits,)
    assert recent_versions(connection, ["digits-mobile"], 10) == ()

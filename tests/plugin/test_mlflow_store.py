"""Finding versions, fetching their files and marking them, in a real MLflow on SQLite."""

import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from weighin.gates.errors import RegistryError
from weighin.plugin.mark import Conclusion, Mark, read_mark
from weighin.plugin.mlflow_store import (
    Connection,
    connect,
    download,
    find_version,
    recent_versions,
    write_mark,
)
from weighin.plugin.reconcile import due, marks_of

MARK = Mark(plan_digest="plan-a", conclusion=Conclusion.PASSED, report="run-1")


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    connect(f"sqlite:///{database}", f"sqlite:///{database}")
    return database


@pytest.fixture
def connection(empty_database: Path, tmp_path: Path) -> Connection:
    database = tmp_path / "mlflow.db"
    shutil.copy(empty_database, database)
    return connect(f"sqlite:///{database}", f"weighin+sqlite:///{database}")


def register(connection: Connection, name: str, source: str = "file:///a", **options: Any) -> None:
    if name not in {model.name for model in connection.client.search_registered_models()}:
        connection.client.create_registered_model(name)
    connection.client.create_model_version(name, source, **options)
    time.sleep(0.002)  # MLflow stamps versions in milliseconds, and they are sorted by it


def test_a_relative_database_is_the_one_of_the_folder_that_one_is_in(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        shutil.copy(empty_database, tmp_path / folder / "mlflow.db")
        monkeypatch.chdir(tmp_path / folder)
        register(connect("sqlite:///mlflow.db", "weighin+sqlite:///mlflow.db"), folder)
        here = connect("sqlite:///mlflow.db", "weighin+sqlite:///mlflow.db")
        assert labels(here) == [f"{folder}/1"]


def labels(connection: Connection, names: list[str] | None = None, limit: int = 100) -> list[str]:
    return [found.label for found in recent_versions(connection, names, limit)]


def test_a_version_is_found_with_what_mlflow_knows_of_it(connection: Connection) -> None:
    register(connection, "digits", "file:///models/a", tags={"weighin.note": "x", "team": "t"})
    found = find_version(connection, "digits", "1")
    assert (found.label, found.source) == ("digits/1", "file:///models/a")
    assert found.registry_uri.startswith("sqlite:///")
    assert found.tags == (("weighin.note", "x"),)


@pytest.mark.parametrize(
    ("name", "version", "named"),
    [
        pytest.param("digits", "7", r"no version digits/7 .* digits has 2, 1", id="number"),
        pytest.param("digits", "latest", "digits has 2, 1", id="not-a-number"),
        pytest.param("digit", "1", "there are digits, letters", id="model"),
        pytest.param('o\'clock "5"', "1", "rename the model", id="quotes"),
    ],
)
def test_a_missing_version_names_what_there_is(
    name: str, version: str, named: str, connection: Connection
) -> None:
    for model in ("digits", "digits", "letters"):
        register(connection, model)
    with pytest.raises(RegistryError, match=named):
        find_version(connection, name, version)


def test_an_empty_registry_says_so(connection: Connection) -> None:
    with pytest.raises(RegistryError, match="it holds no models yet"):
        find_version(connection, "digits", "1")


def test_our_own_variant_is_not_weighed_even_when_asked_for(connection: Connection) -> None:
    register(connection, "digits-mobile", tags={"weighin.role": "variant"})
    with pytest.raises(RegistryError, match="digits-mobile/1 is a prompt or a released variant"):
        find_version(connection, "digits-mobile", "1")


def test_the_newest_come_first_and_ours_and_prompts_not_at_all(connection: Connection) -> None:
    register(connection, "digits")
    register(connection, "letters")
    connection.client.register_prompt("greeting", "Hello {{name}}")
    register(connection, "digits-mobile", tags={"weighin.role": "variant"})
    register(connection, "letters-mobile")
    register(connection, "digits")
    assert labels(connection) == ["digits/2", "letters/1", "digits/1"]
    assert labels(connection, limit=1) == ["digits/2"]


def test_only_named_models_are_listed_and_a_mobile_one_if_it_is_named(
    connection: Connection,
) -> None:
    for name in ("digits", "letters", "it's", "keywords-mobile"):
        register(connection, name)
    assert labels(connection, ["letters", "it's"]) == ["it's/1", "letters/1"]
    assert labels(connection, ["keywords-mobile"]) == ["keywords-mobile/1"]
    assert labels(connection, []) == []


def test_variants_do_not_crowd_models_out_of_a_page(connection: Connection) -> None:
    register(connection, "digits")
    connection.client.create_registered_model("digits-mobile")
    for _ in range(205):
        connection.client.create_model_version(
            "digits-mobile", "file:///v", tags={"weighin.role": "variant"}
        )
    assert labels(connection, limit=5) == ["digits/1"]


def test_files_are_copied_and_the_stores_own_stay_as_they_are(
    connection: Connection, tmp_path: Path
) -> None:
    model = tmp_path / "store" / "model"
    model.mkdir(parents=True)
    (model / "MLmodel").write_text("flavors: {}\n")
    (model / "data").mkdir()
    (model / "data" / "weights.bin").write_bytes(b"\x01\x02")
    register(connection, "digits", model.as_uri())
    copied = download(connection, find_version(connection, "digits", "1"), tmp_path / "work")
    assert copied.is_relative_to(tmp_path / "work")
    assert (copied / "data" / "weights.bin").read_bytes() == b"\x01\x02"
    assert sorted(p.name for p in model.rglob("*")) == ["MLmodel", "data", "weights.bin"]


def test_files_that_are_gone_are_an_error_with_the_address(
    connection: Connection, tmp_path: Path
) -> None:
    register(connection, "digits", (tmp_path / "deleted").as_uri())
    with pytest.raises(RegistryError, match=r"digits/1 .*deleted.* cannot be fetched"):
        download(connection, find_version(connection, "digits", "1"), tmp_path / "work")


def test_a_marked_version_is_no_longer_due(connection: Connection) -> None:
    register(connection, "digits")
    write_mark(connection, find_version(connection, "digits", "1"), MARK, "| table |")
    found = recent_versions(connection, None, 10)
    assert read_mark(found[0]) == MARK
    assert due(found, marks_of(found), lambda _: "plan-a") == ()
    assert due(found, marks_of(found), lambda _: "plan-b") == found


def test_a_mark_is_four_tags_and_a_table_below_what_people_wrote(connection: Connection) -> None:
    register(connection, "digits", description="Trained by Kim.", tags={"team": "vision"})
    write_mark(connection, find_version(connection, "digits", "1"), MARK, "| table |")
    stored = connection.client.get_model_version("digits", "1")
    assert set(stored.tags) == {
        "team",
        "weighin.plan",
        "weighin.outcome",
        "weighin.source",
        "weighin.report",
    }
    assert stored.description.startswith("Trained by Kim.\n\n")
    assert "| table |" in stored.description


def test_marking_twice_writes_nothing_twice(connection: Connection) -> None:
    register(connection, "digits")
    registration = find_version(connection, "digits", "1")
    write_mark(connection, registration, MARK, "| table |")
    before = connection.client.get_model_version("digits", "1")
    time.sleep(0.01)
    write_mark(connection, registration, MARK, "| table |")
    after = connection.client.get_model_version("digits", "1")
    assert after.last_updated_timestamp == before.last_updated_timestamp
    assert (after.tags, after.description) == (before.tags, before.description)


def test_a_new_plan_replaces_the_mark_and_the_table(connection: Connection) -> None:
    register(connection, "digits")
    registration = find_version(connection, "digits", "1")
    write_mark(connection, registration, MARK, "| old |")
    newer = Mark(plan_digest="plan-b", conclusion=Conclusion.NONE_PASSED, report="run-2")
    write_mark(connection, registration, newer, "| new |")
    assert read_mark(find_version(connection, "digits", "1")) == newer
    assert "| old |" not in connection.client.get_model_version("digits", "1").description


def test_a_copied_version_brings_the_tags_along_and_is_due_all_the_same(
    connection: Connection,
) -> None:
    register(connection, "digits")
    write_mark(connection, find_version(connection, "digits", "1"), MARK, "| table |")
    connection.client.copy_model_version("models:/digits/1", "digits-production")
    found = recent_versions(connection, None, 10)
    copy = find_version(connection, "digits-production", "1")
    assert copy.tag("weighin.plan") == "plan-a"
    assert due(found, marks_of(found), lambda _: "plan-a") == (copy,)


def test_a_version_recreated_while_it_was_weighed_is_not_marked(connection: Connection) -> None:
    register(connection, "digits")
    weighed = find_version(connection, "digits", "1")
    connection.client.delete_registered_model("digits")
    register(connection, "digits")
    with pytest.raises(RegistryError, match="digits/1 was recreated while it was weighed"):
        write_mark(connection, weighed, MARK, "| table |")
    assert find_version(connection, "digits", "1").tags == ()


@pytest.mark.parametrize(
    ("uri", "says"),
    [
        pytest.param("sqlite:///{tmp}/no/such/a.db", "no/such does not exist", id="no-folder"),
        pytest.param("sqlite:///{tmp}/bad.db", "file is not a database", id="not-a-database"),
        pytest.param("floppy://a", "unsupported URI 'floppy://a'", id="unknown-scheme"),
        pytest.param("http://127.0.0.1:9", "cannot open http://127.0.0.1:9", id="nobody-there"),
    ],
)
def test_a_registry_that_cannot_be_opened_is_one_clear_line(
    uri: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    (tmp_path / "bad.db").write_bytes(b"no database " * 999)
    uri = uri.format(tmp=tmp_path)
    with pytest.raises(RegistryError, match=says) as caught:
        connect(uri, uri)
    assert "\n" not in str(caught.value)


CONNECT = """
import sys
from weighin.plugin.mlflow_store import connect
connection = connect(sys.argv[1], sys.argv[1])
connection.client.create_registered_model(sys.argv[2])
"""


def test_processes_that_meet_a_new_database_at_once_do_not_corrupt_it(tmp_path: Path) -> None:
    uri = f"sqlite:///{tmp_path}/new.db"
    children = [subprocess.Popen([sys.executable, "-c", CONNECT, uri, name]) for name in ("a", "b")]
    assert [child.wait() for child in children] == [0, 0]
    models = connect(uri, uri).client.search_registered_models()
    assert sorted(model.name for model in models) == ["a", "b"]

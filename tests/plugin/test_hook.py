"""Every way of registering wakes the worker, and none of them ever fails because of us."""

import inspect
import logging
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from weighin.plugin.event import registration_of
from weighin.plugin.hook import open_store, plain_uri
from weighin.plugin.mlflow_store import connect, hook_is_live
from weighin.plugin.outbox import pending


@dataclass(frozen=True)
class Hooked:
    """A registry opened through the hook, and the outbox it writes to."""

    client: Any
    plain_uri: str
    outbox: Path
    files: Path

    @property
    def hints(self) -> list[str]:
        return [hint.label for hint in pending(self.outbox)]


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    database = tmp_path_factory.mktemp("template") / "mlflow.db"
    connect(f"sqlite:///{database}", f"sqlite:///{database}")
    return database


@pytest.fixture
def hooked(
    empty_database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Hooked]:
    from mlflow import MlflowClient, set_registry_uri, set_tracking_uri
    from mlflow.tracking._model_registry import utils

    database = tmp_path / "mlflow.db"
    shutil.copy(empty_database, database)
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "MLmodel").write_text("flavors: {}\n")
    monkeypatch.setenv("WEIGHIN_OUTBOX", str(tmp_path / "outbox.db"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "")  # set_… below exports both: let go afterwards
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", "")
    # What the entry point does; that it does so is proven with a built wheel elsewhere.
    utils._get_store_registry().register("weighin+sqlite", open_store)  # pyright: ignore[reportPrivateUsage]
    set_tracking_uri(f"sqlite:///{database}")
    set_registry_uri(f"weighin+sqlite:///{database}")
    client = MlflowClient()
    client.create_experiment("Default-here", artifact_location=(tmp_path / "runs").as_uri())
    yield Hooked(
        client=client,
        plain_uri=f"sqlite:///{database}",
        outbox=tmp_path / "outbox.db",
        files=tmp_path / "model",
    )
    set_tracking_uri("")
    set_registry_uri("")


def register(hooked: Hooked, name: str = "digits", **options: Any) -> Any:
    registered = {model.name for model in hooked.client.search_registered_models()}
    if name not in registered:
        hooked.client.create_registered_model(name)
    return hooked.client.create_model_version(name, hooked.files.as_uri(), **options)


@pytest.mark.parametrize(
    ("uri", "inner"),
    [
        ("weighin+sqlite:////a/mlflow.db", "sqlite:////a/mlflow.db"),
        ("weighin:postgresql+psycopg2://h/db", "postgresql+psycopg2://h/db"),
        ("weighin+postgresql+psycopg2://h/db", "postgresql+psycopg2://h/db"),
        ("weighin+https://mlflow.example", "https://mlflow.example"),
        ("weighin+file:///a/mlruns", "file:///a/mlruns"),
        ("weighin:databricks-uc", "databricks-uc"),
        ("sqlite:///weighin+x.db", "sqlite:///weighin+x.db"),
    ],
)
def test_only_the_prefix_is_taken_off(uri: str, inner: str) -> None:
    assert plain_uri(uri) == inner


def with_client(hooked: Hooked) -> None:
    register(hooked)


def with_register_model(hooked: Hooked) -> None:
    import mlflow

    mlflow.register_model(hooked.files.as_uri(), "digits")


def with_log_model(hooked: Hooked) -> None:
    import mlflow

    mlflow.set_experiment("Default-here")
    with mlflow.start_run():
        mlflow.pyfunc.log_model(
            name="model",
            loader_module="json",  # never loaded here
            registered_model_name="digits",
            pip_requirements=[],
        )


@pytest.mark.parametrize("way", [with_client, with_register_model, with_log_model])
def test_every_way_of_registering_leaves_one_hint(
    way: Callable[[Hooked], None], hooked: Hooked
) -> None:
    way(hooked)
    assert hooked.hints == ["digits/1"]


def test_a_copy_to_another_name_is_a_registration_too(hooked: Hooked) -> None:
    register(hooked)
    hooked.client.copy_model_version("models:/digits/1", "digits-production")
    assert hooked.hints == ["digits/1", "digits-production/1"]


def test_the_hint_is_keyed_like_the_version_that_polling_finds(hooked: Hooked) -> None:
    register(hooked)
    found = hooked.client.get_model_version("digits", "1")
    (hint,) = pending(hooked.outbox)
    assert hint.key == registration_of(hooked.plain_uri, found).key


def test_a_refused_registration_leaves_no_hint_and_its_own_error(hooked: Hooked) -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="not found"):
        hooked.client.create_model_version("nobody-made-this-model", "file:///x")
    assert hooked.hints == []


def test_prompts_leave_no_hint(hooked: Hooked) -> None:
    hooked.client.register_prompt("greeting", "Hello {{name}}")
    assert hooked.hints == []


def test_our_own_variants_leave_no_hint(hooked: Hooked) -> None:
    register(hooked, "digits-mobile", tags={"weighin.role": "variant"})
    assert hooked.hints == []


def lock(outbox: Path) -> Callable[[], None]:
    with closing(sqlite3.connect(outbox)) as db:
        db.execute("PRAGMA journal_mode=WAL")
    other = sqlite3.connect(outbox, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    return other.close


def overwrite(outbox: Path) -> Callable[[], None]:
    outbox.write_bytes(b"this is no database " * 500)
    return lambda: None


def make_a_folder_of_it(outbox: Path) -> Callable[[], None]:
    outbox.mkdir()
    return lambda: None


@pytest.mark.parametrize("sabotage", [lock, overwrite, make_a_folder_of_it])
def test_registration_succeeds_whatever_happens_to_the_outbox(
    sabotage: Callable[[Path], Callable[[], None]],
    hooked: Hooked,
    caplog: pytest.LogCaptureFixture,
) -> None:
    repair = sabotage(hooked.outbox)
    with caplog.at_level(logging.WARNING, logger="weighin.plugin.hook"):
        version = register(hooked)
    repair()
    assert str(hooked.client.get_model_version("digits", version.version).version) == "1"
    assert "digits version 1 is registered, but nobody was woken" in caplog.text


@pytest.mark.parametrize(
    "place",
    [
        pytest.param("/proc/weighin/outbox.db", id="read-only-filesystem"),
        pytest.param("/dev/full/outbox.db", id="parent-is-no-folder"),
        pytest.param("/dev/full", id="full-disk"),
        pytest.param("x" * 300 + "/outbox.db", id="name-too-long"),
    ],
)
def test_registration_succeeds_where_no_outbox_can_be(
    place: str,
    hooked: Hooked,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("WEIGHIN_OUTBOX", place)
    register(hooked)
    assert hooked.client.get_model_version("digits", "1").name == "digits"
    assert "nobody was woken" in caplog.text


def test_registration_succeeds_in_a_folder_that_was_deleted(
    hooked: Hooked,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    register(hooked)
    assert "nobody was woken" in caplog.text


def test_the_next_registration_wakes_again_after_the_outbox_is_repaired(hooked: Hooked) -> None:
    repair = lock(hooked.outbox)
    register(hooked)
    repair()
    register(hooked)
    assert hooked.hints == ["digits/2"]


def test_the_store_is_still_what_mlflow_made_it(empty_database: Path) -> None:
    from mlflow.store.model_registry.sqlalchemy_store import SqlAlchemyStore

    store = open_store(f"weighin+sqlite:///{empty_database}", "sqlite://")
    assert isinstance(store, SqlAlchemyStore)
    assert inspect.signature(store.create_model_version) == inspect.signature(
        SqlAlchemyStore(f"sqlite:///{empty_database}").create_model_version
    )


@pytest.mark.parametrize(
    ("uri", "kind"),
    [
        ("weighin+http://127.0.0.1:9", "RestStore"),
        ("weighin+https://mlflow.example", "RestStore"),
    ],
)
def test_remote_registries_keep_their_kind_and_are_not_contacted(uri: str, kind: str) -> None:
    store = open_store(uri, uri)
    assert kind in [base.__name__ for base in type(store).__mro__]


def test_an_address_that_mlflow_does_not_know_fails_as_it_does_without_us() -> None:
    from mlflow.exceptions import MlflowException

    with pytest.raises(MlflowException, match="unsupported URI 'floppy://a'"):
        open_store("weighin+floppy://a", None)


def test_the_doctor_can_tell_whether_the_hook_is_in_place(hooked: Hooked) -> None:
    assert hook_is_live(f"weighin+{hooked.plain_uri}")
    assert not hook_is_live(hooked.plain_uri)


IMPORTS = """
import sys
before = set(sys.modules)
import weighin.plugin.hook
new = {name.partition(".")[0] for name in set(sys.modules) - before}
print(sorted(new - sys.stdlib_module_names - {"weighin"}))
print(sorted(name for name in sys.modules if name.startswith("weighin")))
"""


def test_importing_the_hook_imports_the_standard_library_only() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True
    )
    foreign, ours = done.stdout.splitlines()
    assert foreign == "[]"
    assert ours == "['weighin', 'weighin.plugin', 'weighin.plugin.hook']"

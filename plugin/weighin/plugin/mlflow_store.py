"""The edge to MLflow: find versions, fetch their files, and leave marks on them.

What this module does not do: it decides nothing (`reconcile` does) and publishes nothing
(`mlflow_publish` does). MLflow is imported when a connection is made, not before.
"""

import fcntl
import logging
import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from weighin.gates.errors import RegistryError
from weighin.plugin.event import MOBILE_SUFFIX, Registration, is_weighable, registration_of
from weighin.plugin.hook import open_store, plain_uri
from weighin.plugin.mark import PLAN_TAG, Mark, mark_tags, with_block

_PAGE = 200
_NAMED_AT_MOST = 10
_OUR_DEFAULTS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "3",  # MLflow's 7 hide a wrong address for minutes
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """An open registry and its tracking server.

    Attributes:
        client: `mlflow.MlflowClient`.
        tracking_uri: Where runs and artifacts are.
        registry_uri: Where model versions are, without the hook's prefix: what weighin
            registers itself needs no hint.
    """

    client: Any
    tracking_uri: str
    registry_uri: str


def connect(tracking_uri: str, registry_uri: str) -> Connection:
    """Open both stores; a new SQLite file is initialised by one process at a time.

    Raises:
        RegistryError: An address is wrong, or nobody answers there.
    """
    tracking_uri, registry_uri = _absolute(tracking_uri), _absolute(plain_uri(registry_uri))
    for name, value in _OUR_DEFAULTS.items():
        os.environ.setdefault(name, value)
    with ExitStack() as locks, refused(f"cannot open {registry_uri} with {tracking_uri}"):
        for file in sorted({*_sqlite_file(tracking_uri), *_sqlite_file(registry_uri)}):
            locks.enter_context(_exclusive(file))
        from mlflow import MlflowClient

        for chatty in ("alembic", "mlflow.store.db.utils"):
            logging.getLogger(chatty).setLevel(logging.WARNING)
        client = MlflowClient(tracking_uri=tracking_uri, registry_uri=registry_uri)
        client.search_experiments(max_results=1)
        client.search_registered_models(max_results=1)
    return Connection(client=client, tracking_uri=tracking_uri, registry_uri=registry_uri)


def hook_is_live(registry_uri: str) -> bool:
    """Whether MLflow, as installed here, opens this address through the hook.

    Looks at what MLflow would call; opens nothing.

    Raises:
        RegistryError: MLflow knows no such kind of address.
    """
    with refused(f"MLflow cannot open {registry_uri}"):
        from mlflow.tracking._model_registry import utils

        stores = utils._get_store_registry()  # pyright: ignore[reportPrivateUsage]
        return bool(stores.get_store_builder(registry_uri) is open_store)


def is_unmade(uri: str) -> bool:
    """Whether an address is an SQLite file that nobody has made yet; connecting would make it."""
    return any(not file.exists() for file in _sqlite_file(_absolute(plain_uri(uri))))


def find_version(connection: Connection, name: str, version: str) -> Registration:
    """One version that somebody registered.

    Raises:
        RegistryError: There is none (the message names what there is), or it is a prompt or
            one of weighin's own variants.
    """
    found = _get_version(connection, name, version)
    if not is_weighable(found.tags):
        raise RegistryError(f"{name}/{version} is a prompt or a released variant, not a model")
    return registration_of(connection.registry_uri, found)


def recent_versions(
    connection: Connection, names: Sequence[str] | None, limit: int
) -> tuple[Registration, ...]:
    """The newest versions that somebody registered, newest first.

    Args:
        connection: From `connect`.
        names: Only these models, as they are named here; `None` for all but `*-mobile`.
        limit: How many at most, prompts and our own variants not counted.

    Raises:
        RegistryError: MLflow refused or cannot be reached.
    """
    if names is not None and not names:
        return ()
    found: list[Registration] = []
    for version in all_versions(connection, names):
        if len(found) >= limit:
            break
        ours = names is None and version.name.endswith(MOBILE_SUFFIX)
        if is_weighable(version.tags) and not ours:
            found.append(registration_of(connection.registry_uri, version))
    return tuple(found)


def download(connection: Connection, registration: Registration, dst: Path) -> Path:
    """Copy the version's files to `dst`; returns the folder that holds them.

    Always a copy: without a destination, MLflow hands out the store's own folder.

    Raises:
        RegistryError: The files are gone or cannot be reached.
    """
    from mlflow.artifacts import download_artifacts

    with refused(f"the files of {registration.label} ({registration.source}) cannot be fetched"):
        uri = connection.client.get_model_version_download_uri(
            registration.name, registration.version
        )
        return Path(
            download_artifacts(
                artifact_uri=uri, dst_path=str(dst), tracking_uri=connection.tracking_uri
            )
        )


def write_mark(
    connection: Connection, registration: Registration, mark: Mark, markdown: str
) -> None:
    """Leave the terminal record: the table in the description, then four tags, plan last.

    What is there already is not written again.

    Raises:
        RegistryError: MLflow refused, or the version was deleted and recreated meanwhile.
    """
    name, version = registration.name, registration.version
    current = _get_version(connection, name, version)
    if registration_of(connection.registry_uri, current).identity != registration.identity:
        raise RegistryError(f"{name}/{version} was recreated while it was weighed; sync again")
    with refused(f"the mark of {name}/{version} cannot be written"):
        description = with_block(current.description, markdown)
        if description != (current.description or ""):
            connection.client.update_model_version(name, version, description)
        _write_tags(connection.client, current, mark_tags(registration, mark))


def all_versions(connection: Connection, names: Sequence[str] | None) -> Iterator[Any]:
    """MLflow's own records, newest first, page by page.

    Raises:
        RegistryError: MLflow refused or cannot be reached.
    """
    query = f"name IN ({', '.join(map(quoted, names))})" if names else None
    token = None
    while True:
        with refused("the model versions cannot be listed"):
            page = connection.client.search_model_versions(
                filter_string=query,
                max_results=_PAGE,
                order_by=["creation_timestamp DESC", "name ASC", "version_number DESC"],
                page_token=token,
            )
        yield from page
        token = page.token
        if not token:
            return


@contextmanager
def refused(what: str) -> Generator[None]:
    """Whatever MLflow or its storage throws becomes a `RegistryError` that says what failed."""
    try:
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError
    except ImportError as error:
        raise RegistryError(f"{what}: MLflow is missing; install weighin[plugin]") from error
    try:
        yield
    except (MlflowException, SQLAlchemyError, OSError) as error:
        raise RegistryError(f"{what}: {_first_line(error)}") from error


def quoted(name: str) -> str:
    """A literal of MLflow's filter language.

    Raises:
        RegistryError: The name holds both kinds of quotation marks.
    """
    if "'" not in name:
        return f"'{name}'"
    if '"' not in name:
        return f'"{name}"'
    raise RegistryError(f"MLflow cannot search for {name}: rename the model without quotes")


def _get_version(connection: Connection, name: str, version: str) -> Any:
    from mlflow.exceptions import MlflowException

    try:
        return connection.client.get_model_version(name, version)
    except MlflowException as error:
        if error.error_code not in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
            raise RegistryError(f"{name}/{version}: {_first_line(error)}") from error
        there_is = _what_exists(connection, name)
        raise RegistryError(f"no version {name}/{version} in the registry; {there_is}") from error


def _what_exists(connection: Connection, name: str) -> str:
    if versions := [str(v.version) for v in all_versions(connection, [name])]:
        return f"{name} has {_some(versions)}"
    with refused("the models cannot be listed"):
        models = [m.name for m in connection.client.search_registered_models(max_results=_PAGE)]
    return f"there are {_some(models)}" if models else "it holds no models yet"


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED_AT_MOST} more" if len(names) > _NAMED_AT_MOST else ""
    return ", ".join(names[:_NAMED_AT_MOST]) + more


def _write_tags(client: Any, current: Any, tags: Sequence[tuple[str, str]]) -> None:
    changed = [(key, value) for key, value in tags if current.tags.get(key) != value]
    if changed and PLAN_TAG in current.tags:
        # Until the new mark is whole, the old plan must not vouch for half of it.
        client.delete_model_version_tag(current.name, current.version, PLAN_TAG)
        changed = [*(tag for tag in changed if tag[0] != PLAN_TAG), tags[-1]]
    for key, value in changed:
        client.set_model_version_tag(current.name, current.version, key, value)


def _absolute(uri: str) -> str:
    """The address with a relative SQLite path spelled out.

    MLflow caches stores by address, so after a `chdir` a relative one means the old folder.
    """
    parts = urlsplit(uri)
    if not parts.scheme.startswith("sqlite") or not parts.path[1:]:
        return uri
    query = f"?{parts.query}" if parts.query else ""
    return f"{parts.scheme}:///{Path(parts.path[1:]).absolute()}{query}"


def _sqlite_file(uri: str) -> tuple[Path, ...]:
    """The file behind an absolute SQLite URI; nothing for the others and for in-memory ones."""
    parts = urlsplit(uri)
    path = parts.path[1:]
    return (Path(path),) if parts.scheme.startswith("sqlite") and path else ()


@contextmanager
def _exclusive(database: Path) -> Generator[None]:
    """One process at a time: two that create MLflow's tables at once corrupt the file."""
    if not database.parent.is_dir():
        raise RegistryError(f"{database.parent} does not exist; make it or correct the address")
    if database.is_file() and not os.access(database.parent, os.W_OK):
        yield
        return
    with database.with_name(f".{database.name}.weighin-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _first_line(error: BaseException) -> str:
    """What went wrong in one line; MLflow's list of files that failed, with its first reason."""
    text = str(error).strip() or type(error).__name__
    lines = [line for line in text.splitlines() if line and not line.startswith("#####")]
    return " ".join(lines[: 2 if lines[0].endswith(":") else 1])

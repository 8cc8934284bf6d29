"""What people see in MLflow: one run per weigh-in, and `<name>-mobile` for what was released.

Doing it twice writes nothing twice: a run is found again by the version and the plan that it
reports on, a released file by its sha256.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.errors import EvidenceError, RegistryError
from weighin.plugin.event import MOBILE_SUFFIX, ROLE_TAG, VARIANT_ROLE, Registration
from weighin.plugin.mark import PLAN_TAG, SOURCE_TAG
from weighin.plugin.mlflow_store import Connection, all_versions, refused

EXPERIMENT = "weighin"
SHA256_TAG = "weighin.sha256"
RECIPE_TAG = "weighin.recipe"
DEVICES_TAG = "weighin.devices"
_KEY_TAG = "weighin.key"
_CONTENT_TAG = "weighin.content"


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleasedFile:
    """A variant that a channel offers.

    Attributes:
        label: Recipe and format: `int8.tflite`.
        recipe: The passes that made it.
        sha256: Digest of the file as it was judged.
        path: Where the file is now.
        devices: The devices it passed on.
    """

    label: str
    recipe: str
    sha256: str
    path: Path
    devices: tuple[str, ...]


def publish_report(
    connection: Connection,
    registration: Registration,
    plan_digest: str,
    files: Sequence[Path],
    *,
    metrics: Mapping[str, float],
    params: Mapping[str, str],
) -> str:
    """Attach the report files to the one run of this version and plan; returns the run's id.

    An unchanged report writes nothing; a changed one replaces the files and the changed
    metrics. MLflow's params cannot change: those that the run has already stay.

    Raises:
        RegistryError: MLflow refused or cannot be reached.
    """
    with refused(f"the report of {registration.label} cannot be attached in MLflow"):
        run = _run_of(connection, registration, plan_digest)
        run_id: str = run.info.run_id
        content = _content_digest(files, metrics, params)
        if run.data.tags.get(_CONTENT_TAG) == content:
            return run_id
        for file in files:
            connection.client.log_artifact(run_id, str(file))
        for name, value in metrics.items():
            if run.data.metrics.get(name) != value:
                connection.client.log_metric(run_id, name, value)
        for name, text in params.items():
            if name not in run.data.params:
                connection.client.log_param(run_id, name, text)
        connection.client.set_terminated(run_id, "FINISHED")
        connection.client.set_tag(run_id, _CONTENT_TAG, content)
        return run_id


def publish_release(
    connection: Connection,
    registration: Registration,
    run_id: str,
    released: Sequence[ReleasedFile],
    channel: str,
) -> tuple[str, ...]:
    """Show released files as versions of `<name>-mobile`, and alias the first to the channel.

    Args:
        connection: From `connect`.
        registration: The version that the files were made from.
        run_id: From `publish_report`; the files become artifacts of that run.
        released: In order of preference.
        channel: Becomes the alias; characters that MLflow refuses there become `-`.

    Returns:
        The version number of each file, in the same order. The same file keeps its number.

    Raises:
        EvidenceError: A file is not the one that was judged.
        RegistryError: MLflow refused or cannot be reached.
    """
    if not released:
        return ()
    mobile = f"{registration.name}{MOBILE_SUFFIX}"
    with refused(f"{mobile} cannot be published"):
        _ensure_model(connection.client, mobile, registration)
        known = {
            version.tags[SHA256_TAG]: version
            for version in all_versions(connection, [mobile])
            if SHA256_TAG in version.tags
        }
        numbers = tuple(
            _refreshed(connection.client, known[file.sha256], file)
            if file.sha256 in known
            else _created(connection.client, mobile, registration, run_id, file)
            for file in released
        )
        _point_alias(connection.client, mobile, re.sub(r"[^\w-]", "-", channel), numbers[0])
    return numbers


def _run_of(connection: Connection, registration: Registration, plan_digest: str) -> Any:
    client = connection.client
    experiment_id = _experiment_id(client)
    key = hashlib.sha256(f"{registration.identity}\n{plan_digest}".encode()).hexdigest()
    query = f"tags.`{_KEY_TAG}` = '{key}'"
    if runs := client.search_runs([experiment_id], query, max_results=1):
        return runs[0]
    tags = {_KEY_TAG: key, SOURCE_TAG: registration.identity, PLAN_TAG: plan_digest}
    return client.create_run(experiment_id, tags=tags, run_name=registration.label)


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


def _ensure_model(client: Any, mobile: str, registration: Registration) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(
            mobile,
            tags={ROLE_TAG: VARIANT_ROLE},
            description=f"Mobile variants of `{registration.name}` that passed, by weighin.",
        )
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise


def _created(
    client: Any, mobile: str, registration: Registration, run_id: str, file: ReleasedFile
) -> str:
    if hashlib.sha256(file.path.read_bytes()).hexdigest() != file.sha256:
        raise EvidenceError(f"{file.path} is not the file that was judged; run weighin again")
    folder = f"mobile/{file.label}-{file.sha256[:12]}"  # another build must not replace it
    client.log_artifact(run_id, str(file.path), folder)
    version = client.create_model_version(
        mobile,
        source=f"{client.get_run(run_id).info.artifact_uri}/{folder}",
        run_id=run_id,
        tags={
            ROLE_TAG: VARIANT_ROLE,
            RECIPE_TAG: file.recipe,
            DEVICES_TAG: ", ".join(file.devices),
            SHA256_TAG: file.sha256,
        },
        description=f"`{file.label}` of {registration.label}; the report is in the source run.",
        await_creation_for=None,
    )
    return str(version.version)


def _refreshed(client: Any, version: Any, file: ReleasedFile) -> str:
    """The same file again; only the devices it passed on may have changed."""
    devices = ", ".join(file.devices)
    if version.tags.get(DEVICES_TAG) != devices:
        client.set_model_version_tag(version.name, version.version, DEVICES_TAG, devices)
    return str(version.version)


def _point_alias(client: Any, mobile: str, alias: str, number: str) -> None:
    if str(client.get_registered_model(mobile).aliases.get(alias)) != number:
        client.set_registered_model_alias(mobile, alias, number)


def _content_digest(
    files: Sequence[Path], metrics: Mapping[str, float], params: Mapping[str, str]
) -> str:
    digests = [(file.name, hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]
    parts = [sorted(digests), sorted(metrics.items()), sorted(params.items())]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

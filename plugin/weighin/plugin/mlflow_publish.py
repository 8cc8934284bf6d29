"""What people see in MLflow of a release: versions of `<name>-mobile`, and an alias per channel.

Doing it twice writes nothing twice: a released file is found again by its sha256. What this
module does not do: it writes no report (:mod:`weighin.plugin.mlflow_runs` does).
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.errors import EvidenceError
from weighin.plugin.event import MOBILE_SUFFIX, ROLE_TAG, VARIANT_ROLE, Registration
from weighin.plugin.mlflow_store import Connection, all_versions, refused

SHA256_TAG = "weighin.sha256"
RECIPE_TAG = "weighin.recipe"
DEVICES_TAG = "weighin.devices"


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
        run_id: From `publish_runs`; the files become artifacts of that run.
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

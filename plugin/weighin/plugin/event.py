"""Which model version was registered: the first noun of the flow.

Pure and stdlib-only: nothing here talks to a registry. The hook makes a `Registration` from
what MLflow returns to it, and the reconciler makes the same one from what it finds by polling.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlsplit, urlunsplit

TAG_PREFIX = "weighin."
ROLE_TAG = "weighin.role"
VARIANT_ROLE = "variant"
"""Value of `ROLE_TAG` on versions that weighin itself registered."""

MOBILE_SUFFIX = "-mobile"
"""`digits` is weighed, `digits-mobile` holds what of it was released."""

_PROMPT_TAG = "mlflow.prompt.is_prompt"


class ModelVersionLike(Protocol):
    """What weighin reads of `mlflow.entities.model_registry.ModelVersion`."""

    @property
    def name(self) -> str:
        """Registered model name."""
        ...

    @property
    def version(self) -> int | str:
        """Number within the name; starts at 1 again after a delete."""
        ...

    @property
    def creation_timestamp(self) -> int:
        """Milliseconds since the epoch."""
        ...

    @property
    def source(self) -> str:
        """Where the files are: a path, `models:/m-…`, a bucket."""
        ...

    @property
    def run_id(self) -> str | None:
        """The run that logged the model, if any."""
        ...

    @property
    def tags(self) -> Mapping[str, str]:
        """Everybody's tags, ours among them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Registration:
    """One model version of one registry.

    Attributes:
        registry_uri: The registry's own address, without the hook's prefix and a password.
        name: Registered model name.
        version: Version number, as text.
        created_at_ms: Creation time; tells a recreated version 1 from the deleted one.
        source: The registry's source URI of the version.
        run_id: The run that logged the model, if any.
        tags: Only those under `weighin.`, sorted by name.
    """

    registry_uri: str
    name: str
    version: str
    created_at_ms: int
    source: str
    run_id: str | None
    tags: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """How people call it: `digits/3`."""
        return f"{self.name}/{self.version}"

    @property
    def identity(self) -> str:
        """What a record must name to speak of this version: `digits/3@1766400000000`.

        Without the registry's address, which differs by the way it is reached.
        """
        return f"{self.label}@{self.created_at_ms}"

    @property
    def key(self) -> str:
        """Digest that keys the work on this version: registry, name, version, creation time."""
        parts = (self.registry_uri, self.name, self.version, str(self.created_at_ms))
        return hashlib.sha256("\0".join(parts).encode()).hexdigest()

    def tag(self, name: str) -> str | None:
        """The value of one `weighin.` tag."""
        return dict(self.tags).get(name)


def registration_of(registry_uri: str, version: ModelVersionLike) -> Registration:
    """Read a model version, however it was reached."""
    ours = ((k, str(v)) for k, v in version.tags.items() if k.startswith(TAG_PREFIX))
    return Registration(
        registry_uri=without_password(registry_uri),
        name=version.name,
        version=str(version.version),
        created_at_ms=int(version.creation_timestamp),
        source=version.source,
        run_id=version.run_id or None,
        tags=tuple(sorted(ours)),
    )


def is_weighable(tags: Mapping[str, str]) -> bool:
    """Whether a version with these tags is a model that somebody else registered.

    Prompts are model versions too, and so are the variants that weighin publishes.
    """
    is_prompt = tags.get(_PROMPT_TAG, "").lower() == "true"
    return not is_prompt and tags.get(ROLE_TAG) != VARIANT_ROLE


def without_password(uri: str) -> str:
    """The URI as it may be stored and shown: user name and password are left out."""
    parts = urlsplit(uri)
    if "@" not in parts.netloc:
        return uri
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))

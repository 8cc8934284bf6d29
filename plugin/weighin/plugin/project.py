"""The user's repository: its configuration and where everything in it lives."""

import fcntl
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from weighin.gates.errors import ConfigError
from weighin.plugin.config import FILE_NAME, STATE_DIR, Config, MlflowConfig
from weighin.plugin.config_file import find_root, load_config
from weighin.registry.keys import key_file

TRACKING_URI = "MLFLOW_TRACKING_URI"
REGISTRY_URI = "MLFLOW_REGISTRY_URI"
_SQLITE = "sqlite:///"
_SECRET_FOLDERS = (
    ".ssh",
    ".aws",
    ".azure",
    ".config/gcloud",
    ".config/gh",
    ".docker",
    ".gnupg",
    ".kube",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Project:
    """A repository with a ``weighin.toml``."""

    root: Path
    config: Config

    @property
    def state(self) -> Path:
        """Everything that git does not track."""
        return self.root / STATE_DIR

    @property
    def keys(self) -> Path:
        """Private keys of this machine."""
        return self.state / "keys"

    @property
    def secrets(self) -> tuple[Path, ...]:
        """What no model may see: our keys, a configured key file, and where people keep theirs."""
        file = key_file(self.root, self.config.evidence.key or "")
        configured = () if file is None else (file,)
        return (self.keys, *configured, *(Path.home() / name for name in _SECRET_FOLDERS))

    @property
    def work(self) -> Path:
        """Builds and measurements in progress, addressed by content."""
        return self.state / "work"

    @property
    def channel(self) -> Path:
        """The folder that releases are published into."""
        return self.root / self.config.channel.path

    @property
    def tracking_uri(self) -> str:
        """MLflow tracking URI with a relative SQLite path taken from the root."""
        return _anchored(self.config.mlflow.tracking_uri, self.root)

    @property
    def registry_uri(self) -> str:
        """MLflow registry URI with a relative SQLite path taken from the root."""
        return _anchored(self.config.mlflow.registry_uri, self.root)

    def results(self, model: str, version: str) -> Path:
        """Where reports and evidence of one model version are kept."""
        return self.state / "runs" / model / f"v{version}"

    def committed(self, model: str, version: str) -> Path:
        """Where a review branch keeps the report and the evidence of one version, in git."""
        return self.root / "variants" / model / f"v{version}" / "weigh-in"


def open_project(start: Path) -> Project:
    """The project at or above ``start``.

    Raises:
        ConfigError: there is none, or its configuration is wrong.
    """
    root = find_root(start)
    return Project(root=root, config=load_config(root / FILE_NAME))


def with_mlflow_of(project: Project, environ: Mapping[str, str]) -> Project:
    """The project, with MLflow's own variables in place of what ``weighin.toml`` leaves unsaid.

    For machines that only a CI system sets up. What the file says counts more than
    ``MLFLOW_TRACKING_URI`` and ``MLFLOW_REGISTRY_URI``.
    """
    tracking = environ.get(TRACKING_URI, "")
    if not tracking or project.config.mlflow != MlflowConfig():
        return project
    registry = environ.get(REGISTRY_URI) or tracking
    mlflow = MlflowConfig(tracking_uri=tracking, registry_uri=registry)
    return replace(project, config=replace(project.config, mlflow=mlflow))


def parse_reference(text: str) -> tuple[str, str]:
    """``MODEL/VERSION`` (or ``models:/MODEL/VERSION``) as name and version.

    Raises:
        ConfigError: it is neither.
    """
    name, _, version = text.removeprefix("models:/").rpartition("/")
    if not name or not version.isdigit():
        raise ConfigError(f"'{text}' is not MODEL/VERSION, such as digits/3")
    return name, version


@contextmanager
def sole_worker(project: Project) -> Generator[bool]:
    """Hold the project's lock while weighing; yields whether it had to be waited for.

    The lock is the kernel's, so a killed worker leaves none behind.
    """
    project.state.mkdir(parents=True, exist_ok=True)
    with (project.state / "worker.lock").open("a") as handle:
        waited = not _try_lock(handle.fileno())
        if waited:
            fcntl.flock(handle, fcntl.LOCK_EX)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield waited


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _anchored(uri: str, root: Path) -> str:
    prefix, found, path = uri.partition(_SQLITE)
    if not found or path.startswith("/") or path == ":memory:":
        return uri
    return f"{prefix}{_SQLITE}{root / path}"

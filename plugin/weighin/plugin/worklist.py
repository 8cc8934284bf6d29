"""Which versions are weighed, in which order, by one worker at a time.

The registry is the queue: hints only wake the worker. What stops one version is told and
recorded, and the next one gets its turn.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

from weighin.gates.errors import DataError, WeighinError
from weighin.gates.report.summary import held_back
from weighin.gates.weigh_in import WeighIn
from weighin.plugin import outbox
from weighin.plugin.config import Config
from weighin.plugin.console import progress_bar, warn
from weighin.plugin.event import Registration
from weighin.plugin.mlflow_store import Connection, connect, find_version, recent_versions
from weighin.plugin.pipeline import weigh
from weighin.plugin.planning import plan_for
from weighin.plugin.project import Project, open_project, sole_worker
from weighin.plugin.reconcile import due, marks_of
from weighin.registry.channel import keep_alive
from weighin.registry.keys import load_online_signers

NEWEST = 500
"""How many versions of the configured models a sync looks at, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """What became of one version in a sync."""

    reference: str
    passed: tuple[str, ...]
    error: str | None = None
    held: str | None = None

    @property
    def exit_code(self) -> int:
        """0 something may ship, 3 nothing may, 1 it could not be weighed."""
        if self.error is not None:
            return 1
        return 0 if self.passed and self.held is None else 3

    @property
    def summary(self) -> str:
        """One line for people."""
        if self.error is not None:
            return f"could not be weighed: {self.error}"
        if not self.passed:
            return "no variant passed"
        held = "" if self.held is None else f"; may not ship: {self.held}"
        return f"passed: {', '.join(self.passed)}{held}"

    def as_document(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "version": self.reference,
            "passed": list(self.passed),
            "held": self.held,
            "error": self.error,
        }


def weigh_version(
    project: Project, name: str, version: str, *, again: bool = False, quiet: bool = False
) -> WeighIn:
    """Weigh one version now; unchanged and already weighed, its result is read again.

    Raises:
        WeighinError: it could not be weighed; says why.
    """
    with sole_worker(project) as waited:
        if waited:
            warn("weighin: waited for another worker to finish")
        connection = connect(project.tracking_uri, project.registry_uri)
        registration = find_version(connection, name, version)
        with progress_bar(registration.label, quiet=quiet) as progress:
            return weigh(project, connection, registration, again=again, progress=progress)


def sync(
    project: Project, *, quiet: bool, tell: Callable[[Done], None], channel: bool = True
) -> tuple[Done, ...]:
    """Weigh every version that is due, oldest first, and keep the channel from expiring.

    Args:
        project: The project.
        quiet: Without a progress bar.
        tell: Called with what became of each version.
        channel: Whether to keep the channel alive too; a machine without its keys does not.

    Raises:
        WeighinError: the registry cannot be read.
    """
    hints_path = outbox.outbox_path(os.environ, project.root)
    with sole_worker(project):
        hints = outbox.pending(hints_path)
        connection = connect(project.tracking_uri, project.registry_uri)
        waiting = _waiting(project, connection)
        _tell_unknown(project.config, hints)
        finished = tuple(
            _weigh_one(project, connection, registration, quiet=quiet, tell=tell)
            for registration in waiting
        )
        if hints:
            outbox.clear(hints_path, hints[-1].seq)
        if channel:
            renew(project)
    return finished


def renew(project: Project) -> bool:
    """Keep the channel, if there is one, from expiring; whether that was due.

    Raises:
        ConfigError: its online keys are not here.
        StoreError: its folder is damaged or cannot be written.
    """
    if not project.channel.is_dir():
        return False
    return keep_alive(project.channel, load_online_signers(project.keys), datetime.now(UTC))


def watch(project: Project, *, every_seconds: float, tell: Callable[[Done], None]) -> None:
    """Sync for ever: at once after a registration, and every so often without one."""
    hints_path = outbox.outbox_path(os.environ, project.root)
    while True:
        try:
            sync(open_project(project.root), quiet=False, tell=tell)
        except WeighinError as error:
            warn(f"weighin: {error}; trying again in {every_seconds:g} s")
        outbox.wait_for_hint(hints_path, every_seconds)


def _waiting(project: Project, connection: Connection) -> tuple[Registration, ...]:
    models = tuple(project.config.models)
    registrations = recent_versions(connection, models, NEWEST)
    digests = {name: _digest(project, name) for name in {r.name for r in registrations}}
    return due(registrations, marks_of(registrations), lambda r: digests[r.name])


def _digest(project: Project, model: str) -> str | None:
    """Today's plan of a model; a model whose data is missing must not stop the others."""
    try:
        return plan_for(project, model).digest
    except DataError as error:
        warn(f"weighin: {model}: not weighed: {error}")
        return None


def _tell_unknown(config: Config, hints: tuple[outbox.Hint, ...]) -> None:
    names = {hint.label.rpartition("/")[0] for hint in hints} - set(config.models)
    for name in sorted(names):
        warn(f"weighin: '{name}' was registered, but weighin.toml has no [models.{name}]")


def _weigh_one(
    project: Project,
    connection: Connection,
    registration: Registration,
    *,
    quiet: bool,
    tell: Callable[[Done], None],
) -> Done:
    try:
        with progress_bar(registration.label, quiet=quiet) as progress:
            weigh_in = weigh(project, connection, registration, again=False, progress=progress)
        passed = tuple(result.variant.label for result in weigh_in.passed)
        done = Done(reference=registration.label, passed=passed, held=held_back(weigh_in))
    except WeighinError as error:
        done = Done(reference=registration.label, passed=(), error=str(error))
    tell(done)
    return done

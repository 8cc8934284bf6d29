"""What ``weighin doctor`` looks at: each finding says what is there, or what to do."""

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, entry_points, version
from pathlib import Path

from weighin.gates.child import can_isolate
from weighin.gates.errors import ConfigError, WeighinError
from weighin.plugin.evidence_keys import try_key
from weighin.plugin.lapsed import lapsed
from weighin.plugin.planning import fleet_of
from weighin.plugin.project import Project, open_project
from weighin.registry.keys import KeyRole

PACKAGES = (
    "mlflow",
    "dvc",
    "torch",
    "tensorflow",
    "onnxruntime",
    "ai-edge-litert",
    "litert-torch",
    "great_expectations",
    "tuf",
)
HOOK_GROUP = "mlflow.model_registry_store"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that weighing needs, and whether it is there."""

    what: str
    ok: bool
    detail: str


def examine(start: Path) -> tuple[Finding, ...]:
    """Look at the installation and at the project at or above ``start``.

    Raises:
        ConfigError: there is no project, or its ``weighin.toml`` is wrong.
    """
    project = open_project(start, os.environ)
    return (
        *_packages(),
        _hook(project),
        _models(project),
        *_fleet(project),
        _dvc(project),
        _keys(project),
        _evidence_key(project),
        _channel(project),
        *_lapsed(project),
        _isolation(),
    )


def _packages() -> Iterator[Finding]:
    for name in PACKAGES:
        try:
            yield Finding(what=name, ok=True, detail=version(name))
        except PackageNotFoundError:
            yield Finding(what=name, ok=False, detail="pip install 'weighin[plugin]'")


def _hook(project: Project) -> Finding:
    """The hook is live when MLflow can find it and registrations go through it."""
    found = [point for point in entry_points(group=HOOK_GROUP) if point.name == "weighin"]
    uri = os.environ.get("MLFLOW_REGISTRY_URI", "")
    if not found:
        return Finding(what="hook", ok=False, detail="MLflow cannot find it; reinstall weighin")
    if uri.startswith("weighin+"):
        return Finding(what="hook", ok=True, detail="live: registrations wake weighin at once")
    advice = f"export MLFLOW_REGISTRY_URI={project.registry_uri}"
    return Finding(
        what="hook",
        ok=True,
        detail=f"installed, but not used in this shell ({advice}); `weighin sync` polls anyway",
    )


def _models(project: Project) -> Finding:
    names = tuple(project.config.models)
    missing = [
        f"{name}.{role}"
        for name, model in project.config.models.items()
        for role in ("evaluation", "calibration", "training")
        if (path := getattr(model, role)) and not (project.root / path).is_file()
    ]
    if not names:
        detail = "weighin.toml describes no model yet; add a [models.NAME] table"
        return Finding(what="models", ok=False, detail=detail)
    if missing:
        return Finding(what="models", ok=False, detail=f"no data file for {', '.join(missing)}")
    return Finding(what="models", ok=True, detail=", ".join(names))


def _fleet(project: Project) -> Iterator[Finding]:
    """Who the users are, where `weighin.toml` says that somebody counted them."""
    try:
        fleet = fleet_of(project)
    except ConfigError as error:
        yield Finding(what="fleet", ok=False, detail=str(error))
        return
    if fleet is not None:
        counted = 100 - fleet.other_percent
        detail = f"{counted:g} % of users by phone or class, as of {fleet.as_of.isoformat()}"
        yield Finding(what="fleet", ok=True, detail=detail)


def _dvc(project: Project) -> Finding:
    if not shutil.which("git"):
        return Finding(what="DVC", ok=False, detail="git is not installed")
    if not (project.root / ".dvc" / "config").is_file():
        return Finding(what="DVC", ok=False, detail="run `weighin init`")
    return Finding(what="DVC", ok=True, detail="set up")


def _keys(project: Project) -> Finding:
    paths = {role: project.keys / f"{role}.pem" for role in KeyRole}
    missing = [role.value for role, path in paths.items() if not path.is_file()]
    if missing:
        return Finding(what="keys", ok=False, detail=f"no {', '.join(missing)}: `weighin init`")
    loose = [role.value for role, path in paths.items() if path.stat().st_mode & 0o077]
    if loose:
        return Finding(
            what="keys", ok=False, detail=f"others can read {', '.join(loose)}: chmod 600"
        )
    return Finding(what="keys", ok=True, detail=f"development keys in {project.keys}")


def _evidence_key(project: Project) -> Finding:
    """Which key signs evidence, tried out on something that is none."""
    try:
        key = try_key(project, os.environ)
    except ConfigError as error:
        return Finding(what="evidence key", ok=False, detail=str(error))
    said = f"{key.kind} {key.keyid[:12]} signs"
    if not key.trusted:
        detail = f"{said}; evidence.trusted_keys does not name it, so nothing of it is promoted"
        return Finding(what="evidence key", ok=True, detail=detail)
    return Finding(what="evidence key", ok=True, detail=f"{said}, and is believed")


def _channel(project: Project) -> Finding:
    path = project.channel / "metadata" / "timestamp.json"
    if not path.is_file():
        return Finding(what="channel", ok=False, detail="run `weighin init`")
    text = json.loads(path.read_text(encoding="utf-8"))["signed"]["expires"]
    expires = datetime.fromisoformat(text).astimezone(UTC)
    ok = expires > datetime.now(UTC)
    said = "valid until" if ok else "expired on"
    return Finding(
        what="channel", ok=ok, detail=f"{said} {expires:%Y-%m-%d}; `weighin sync` renews it daily"
    )


def _lapsed(project: Project) -> Iterator[Finding]:
    """What is released although its evidence or its waiver is over; nothing where all is well."""
    try:
        yield from (
            Finding(what="release", ok=False, detail=said)
            for said in lapsed(project, datetime.now(UTC))
        )
    except WeighinError:
        return  # the findings about keys and channel say why it cannot be looked at


def _isolation() -> Finding:
    if can_isolate():
        return Finding(what="isolation", ok=True, detail="models run without network and keys")
    return Finding(
        what="isolation",
        ok=False,
        detail="no user namespaces: models run with limits, but can reach the network and files; "
        "weigh only models that you trust, or allow user namespaces",
    )

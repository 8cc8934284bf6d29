"""Makes a repository ready for weighin; whatever is there already is left as it is."""

import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from weighin.gates.errors import ConfigError
from weighin.plugin.config import FILE_NAME, STATE_DIR
from weighin.plugin.project import Project, open_project
from weighin.registry.channel import create_channel
from weighin.registry.keys import KeyRole, create_dev_keys, load_dev_signers, load_signer
from weighin.registry.store import ensure_dvc

REMOTE = ".dvc-remote"
IGNORED = (f"/{STATE_DIR}/", f"/{REMOTE}/", "/mlflow.db", "/mlruns/", "/.*.weighin-lock")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing that a repository needs, and whether it was made just now."""

    what: str
    made: bool


def init_project(root: Path, template: str | None = None) -> tuple[Step, ...]:
    """Write the configuration, set up git, DVC, keys and a development channel.

    Args:
        root: The folder; made if missing.
        template: Text of the ``weighin.toml`` to write instead of the commented one.

    Raises:
        ConfigError: git is missing, or the ``weighin.toml`` that is there is wrong.
        StoreError: DVC or the channel could not be set up.
    """
    root.mkdir(parents=True, exist_ok=True)
    steps = [_git(root), _config(root, template), _ignore(root)]
    project = open_project(root)
    steps.append(_dvc(project))
    steps.append(_keys(project))
    steps.append(_channel(project))
    return tuple(steps)


def _git(root: Path) -> Step:
    inside = _run_git(root, "rev-parse", "--is-inside-work-tree").returncode == 0
    # A folder that its repository ignores needs one of its own, or nothing in it can be kept.
    inside = inside and _run_git(root, "check-ignore", "--quiet", ".").returncode != 0
    if not inside and (done := _run_git(root, "init", "--quiet")).returncode != 0:
        raise ConfigError(f"{root}: git init failed: {done.stderr.strip()}")
    return Step(what="git repository", made=not inside)


def _run_git(root: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            ["git", *words], cwd=root, capture_output=True, text=True, check=False
        )
    except FileNotFoundError as error:
        raise ConfigError("git is not installed; weighin keeps variants beside git") from error


def _config(root: Path, template: str | None) -> Step:
    path = root / FILE_NAME
    if path.exists():
        return Step(what=f"{FILE_NAME}", made=False)
    text = template or files("weighin.plugin").joinpath(f"templates/{FILE_NAME}").read_text("utf-8")
    path.write_text(text, encoding="utf-8")
    return Step(what=f"{FILE_NAME} (every setting is explained in it)", made=True)


def _ignore(root: Path) -> Step:
    path = root / ".gitignore"
    known = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    missing = [line for line in IGNORED if line not in known]
    if missing:
        path.write_text("\n".join([*known, *missing]) + "\n", encoding="utf-8")
    return Step(what=f".gitignore (keeps {STATE_DIR}/ and its keys out of git)", made=bool(missing))


def _dvc(project: Project) -> Step:
    made = ensure_dvc(project.root, REMOTE)
    return Step(what=f"DVC with the local remote {REMOTE}/", made=made)


def _keys(project: Project) -> Step:
    written = create_dev_keys(project.keys)
    return Step(
        what=f"development keys in {STATE_DIR}/keys/ (never commit them)", made=bool(written)
    )


def _channel(project: Project) -> Step:
    root_key = load_signer(str(project.keys / f"{KeyRole.ROOT}.pem"))
    fresh = not (project.channel / "metadata").is_dir()
    signers = load_dev_signers(project.keys)
    trusted = create_channel(project.channel, root_key, signers, datetime.now(UTC))
    where = trusted.relative_to(project.root) if trusted.is_relative_to(project.root) else trusted
    what = f"channel '{project.config.channel.name}' (apps trust it by {where})"
    return Step(what=what, made=fresh)

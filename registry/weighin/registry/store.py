"""What is kept: every variant in DVC, its pointer in git.

DVC runs in this process: its command line costs more than a second a call. Three things that it
does not do for us are done here. It moves a file into its cache before it writes the pointer, so
it is never given the only copy. It refuses to run twice at once, so runs wait for each other. And
it compares MD5 only, so our own sha256 is checked afterwards.
"""

import hashlib
import logging
import re
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from weighin.gates.errors import StoreError
from weighin.gates.variant import Variant
from weighin.registry.files import copy_atomically, holds, locked

REMOTE_NAME = "weighin"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What keeping did.

    Attributes:
        changed: Whether anything was added; pushing what the remote has already is no change.
        paths: What git should commit: pointers, ignore files and ``dvc.yaml``; relative to root.
    """

    changed: bool
    paths: tuple[str, ...]


def ensure_dvc(root: Path, remote: str) -> bool:
    """Make the user's git repository a DVC repository with a default remote.

    A repository that is one already keeps its settings; only a missing default remote is added.

    Args:
        root: The project's root, inside a git repository.
        remote: Where the files go: a path (relative to the root) or a URL such as ``s3://…``.

    Returns:
        Whether anything was written.

    Raises:
        StoreError: the root is not in git, or DVC refuses.
    """
    with dvc_errors(root):
        from dvc.repo import Repo
        from dvc.repo.init import init

        fresh = not (root / ".dvc").is_dir()
        repo = init(str(root), subdir=not (root / ".git").exists()) if fresh else Repo(str(root))
        try:
            if repo.config["core"].get("remote"):
                return fresh
            _configure(repo, remote, fresh=fresh)
        finally:
            repo.close()
    return True


def keep_variants(
    root: Path, model: str, version: str, files: tuple[tuple[Path, Variant], ...]
) -> Kept:
    """Copy each file to its variant's path, version it with DVC, describe it, and push it.

    The second time does nothing but ask the remote whether it has everything.

    Args:
        root: The project's root, where DVC is set up.
        model: Registered model name.
        version: Registered model version.
        files: Where each built file is now, and its variant; the build is left where it is.

    Raises:
        StoreError: a file is not the one its variant names, or DVC did not keep it.
    """
    for source, variant in files:
        _check_source(root, source, variant)
    with locked(root / ".dvc" / "tmp" / "weighin.lock"), dvc_errors(root):
        from dvc.repo import Repo

        with Repo(str(root)) as repo:
            new = [(s, v) for s, v in files if not _is_tracked(repo, root, v)]
            for source, variant in new:
                copy_atomically(source, root / variant.path)
            if new:
                _add(repo, [str(root / variant.path) for _, variant in new])
            described = _describe(root, model, version, tuple(v for _, v in files))
            pointers = [str(root / f"{variant.path}.dvc") for _, variant in files]
            if pointers:
                repo.push(pointers)
    for _, variant in files:
        if not holds(root / variant.path, variant.sha256, variant.size_bytes):
            raise StoreError(f"{variant.path}: DVC did not keep the file that it was given")
    return Kept(changed=bool(new) or described, paths=_paths_for_git(root, files))


def artifact_name(model: str, variant: Variant) -> str:
    """A variant's name in ``dvc.yaml``, without a version: git tags carry versions.

    Where DVC's alphabet changes a name, a digest keeps different names apart.
    """
    wanted = f"{model}-{variant.recipe}-{variant.format}"
    name = re.sub(r"[^A-Za-z0-9]+", "-", wanted).strip("-").lower()
    if model == re.sub(r"[^a-z0-9-]", "", model).strip("-"):
        return name
    return f"{name}-{hashlib.sha256(wanted.encode()).hexdigest()[:8]}"


def artifact_entries(
    model: str, version: str, variants: tuple[Variant, ...]
) -> dict[str, dict[str, object]]:
    """What ``dvc.yaml`` says of these variants, by artifact name."""
    return {artifact_name(model, v): _artifact(model, version, v) for v in variants}


def _configure(repo: Any, remote: str, *, fresh: bool) -> None:
    from dvc.config_schema import RelPath

    here = "://" not in remote
    path = Path(repo.root_dir, remote).resolve()
    url = remote if not here or Path(remote).is_absolute() else RelPath(str(path))
    with repo.config.edit() as config:
        config["remote"][REMOTE_NAME] = {"url": url, "verify": True}
        config["core"]["remote"] = REMOTE_NAME
        if fresh:
            config["core"] |= {"analytics": False, "check_update": False, "autostage": True}
    if here:
        path.mkdir(parents=True, exist_ok=True)


def _check_source(root: Path, source: Path, variant: Variant) -> None:
    target = root / variant.path
    if not target.resolve().is_relative_to(root.resolve()):
        raise StoreError(f"{variant.path}: is outside of the project")
    if source.resolve() == target.resolve():
        raise StoreError(f"{variant.path}: DVC would be given the only copy; build it elsewhere")
    if not holds(source, variant.sha256, variant.size_bytes):
        raise StoreError(f"{source}: is not the file of {variant.label} any more; build it again")


def _add(repo: Any, paths: list[str]) -> None:
    repo.add(paths)


def _is_tracked(repo: Any, root: Path, variant: Variant) -> bool:
    """Whether pointer, workspace and cache agree on this very file."""
    pointer = root / f"{variant.path}.dvc"
    if not pointer.is_file() or not holds(root / variant.path, variant.sha256, variant.size_bytes):
        return False
    status = repo.status([str(pointer)])
    return not status


def _describe(root: Path, model: str, version: str, variants: tuple[Variant, ...]) -> bool:
    """Name the variants in ``dvc.yaml``; whether that changed it."""
    from dvc.utils.serialize import modify_yaml

    wanted = artifact_entries(model, version, variants)
    path = root / "dvc.yaml"
    if wanted.items() <= _artifacts(path).items():
        return False
    with modify_yaml(str(path)) as document:
        document.setdefault("artifacts", {}).update(wanted)
    return True


def _artifacts(path: Path) -> dict[str, object]:
    from dvc.utils.serialize import load_yaml

    document = load_yaml(str(path)) if path.is_file() else {}
    return dict((document or {}).get("artifacts") or {})


def _artifact(model: str, version: str, variant: Variant) -> dict[str, object]:
    return {
        "path": variant.path,
        "type": "model",
        "desc": f"{model} version {version}, {variant.recipe}, for {variant.format}",
        "labels": [variant.format.value, *variant.recipe.split("+")],
        "meta": {
            "model": model,
            "version": version,
            "recipe": variant.recipe,
            "format": variant.format.value,
            "sha256": variant.sha256,
            "size_bytes": variant.size_bytes,
            "parent": variant.parent,
            "tools": dict(variant.tools),
        },
    }


def _paths_for_git(root: Path, files: tuple[tuple[Path, Variant], ...]) -> tuple[str, ...]:
    pointers = {f"{variant.path}.dvc" for _, variant in files}
    ignores = {str(Path(variant.path).parent / ".gitignore") for _, variant in files}
    wanted = sorted({"dvc.yaml", *pointers, *ignores})
    return tuple(path for path in wanted if (root / path).is_file())


@contextmanager
def dvc_errors(root: Path) -> Generator[None]:
    """Keep DVC quiet, and turn what it raises into an error of ours.

    Raises:
        StoreError: DVC or the disk refused.
    """
    from dvc.exceptions import DvcException
    from dvc.scm import SCMError

    logger = logging.getLogger("dvc")
    level = logger.level
    logger.setLevel(logging.WARNING)  # DVC greets on standard output otherwise.
    try:
        yield
    except (DvcException, SCMError) as error:
        raise StoreError(f"{root}: DVC refused: {error}") from error
    except OSError as error:
        raise StoreError(f"{root}: the variants could not be kept ({error})") from error
    finally:
        logger.setLevel(level)

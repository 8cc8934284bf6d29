"""Committing a few paths with plain git, and nothing else that lies around."""

import subprocess
from collections.abc import Iterable
from pathlib import Path

from weighin.gates.errors import StoreError

GIT_TIMEOUT_S = 120


def commit(root: Path, paths: Iterable[str], message: str) -> str | None:
    """Commit exactly these paths; whatever else is changed or staged stays as it is.

    Args:
        root: The project's root, inside a git repository.
        paths: Relative to the root; they exist.
        message: The commit message.

    Returns:
        The new commit, or ``None`` when there was nothing to commit.

    Raises:
        StoreError: git refused; its own words are in the message.
    """
    wanted = [f":(literal){path}" for path in paths]
    if not wanted or not _git(
        root, "status", "--porcelain", "--untracked-files=all", "--", *wanted
    ):
        return None
    _git(root, "add", "--", *wanted)
    _git(root, "commit", "--quiet", "--message", message, "--", *wanted)
    return _git(root, "rev-parse", "HEAD").strip()


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            timeout=GIT_TIMEOUT_S,
            check=True,
        )
    except FileNotFoundError as error:
        raise StoreError("git is not installed or not on PATH") from error
    except subprocess.TimeoutExpired as error:
        raise StoreError(f"{root}: git {arguments[0]} did not end in {GIT_TIMEOUT_S} s") from error
    except subprocess.CalledProcessError as error:
        words = (error.stderr or error.stdout).strip()
        raise StoreError(f"{root}: git {arguments[0]} refused: {words}") from error
    return done.stdout

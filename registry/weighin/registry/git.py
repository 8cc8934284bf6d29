"""Plain git: committing a few paths and nothing else that lies around; what a merge changed."""

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


def commit_of(root: Path, revision: str) -> str:
    """The full name of the commit that a revision means.

    Raises:
        StoreError: this clone has no such commit.
    """
    try:
        words = ("--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
        return _git(root, "rev-parse", *words).strip()
    except StoreError as error:
        raise StoreError(
            f"{root}: no commit {revision!r} in this clone; fetch the whole history "
            "(actions/checkout: fetch-depth: 0)"
        ) from error


def changed_files(root: Path, before: str | None, after: str) -> tuple[str, ...]:
    """Files below the root that were added or changed from one commit to another.

    Args:
        root: The project's root, inside a git repository.
        before: The earlier commit; ``None``: everything that is in the later one.
        after: The later commit.

    Returns:
        Relative to the root, sorted. Names that are no text are none of ours and left out.

    Raises:
        StoreError: git refused.
    """
    since = before or _git(root, "hash-object", "-t", "tree", "/dev/null").strip()
    listed = _git(
        root,
        *("diff", "--name-only", "-z", "--relative", "--no-renames", "--no-ext-diff"),
        *("--diff-filter=d", "--end-of-options", since, after, "--"),
    )
    names = (name for name in listed.split("\0") if name)
    return tuple(sorted(name for name in names if "\ufffd" not in name))


def _git(root: Path, *arguments: str) -> str:
    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=root,
            capture_output=True,
            text=True,
            errors="replace",
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

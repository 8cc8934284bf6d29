"""A bare git repository, read and merged with git itself.

What this module does not do: it knows nothing of pull requests; ``hosted`` does.
"""

import os
import subprocess
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

# `update` hooks run for pushes and not for `git update-ref`, so merging through the API passes.
_HOOK = """#!/bin/sh
grep -qxF "$1" "$GIT_DIR/protected-refs" 2>/dev/null || exit 0
echo "error: GH006: Protected branch update failed for $1." >&2
echo "error: Changes must be made through a pull request." >&2
exit 1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitFacts:
    """What the simulator shows of a commit."""

    sha: str
    tree: str
    parents: tuple[str, ...]
    author: str
    email: str
    when: datetime
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One name in a commit's tree: ``blob``, ``tree`` or ``commit`` (a submodule)."""

    kind: str
    sha: str
    name: str


class MergeConflict(Exception):  # noqa: N818 - what git calls it
    """Two branches cannot be merged without somebody's decision."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BareRepository:
    """A bare repository at a path."""

    path: Path

    def head(self, branch: str) -> str | None:
        """The commit that a branch points to."""
        return self.resolve(f"refs/heads/{branch}")

    def resolve(self, ref: str) -> str | None:
        """The commit of any name or sha."""
        spec = f"{ref}^{{commit}}"
        found = self._run(
            "rev-parse", "--verify", "--quiet", "--end-of-options", spec, ok=(0, 1, 128)
        )
        return found.stdout.decode().strip() or None

    def commit(self, sha: str) -> CommitFacts:
        """What is known of a commit."""
        shape = "%H%x00%T%x00%P%x00%an%x00%ae%x00%aI%x00%B"
        text = self._run("show", "-s", f"--format={shape}", sha).stdout.decode()
        found, tree, parents, author, email, when, message = text.split("\0", 6)
        return CommitFacts(
            sha=found,
            tree=tree,
            parents=tuple(parents.split()),
            author=author,
            email=email,
            when=datetime.fromisoformat(when),
            message=message.strip(),
        )

    def entry(self, sha: str, path: str) -> Entry | None:
        """What a commit has at a path."""
        listed = self._run("ls-tree", "-z", sha, "--", path.rstrip("/")).stdout.decode()
        return _entries(listed)[0] if listed else None

    def entries(self, tree: str) -> list[Entry]:
        """What a folder holds."""
        return _entries(self._run("ls-tree", "-z", tree).stdout.decode())

    def blob(self, sha: str) -> bytes | None:
        """A file's content."""
        shown = self._run("cat-file", "blob", sha, ok=(0, 128))
        return shown.stdout if shown.returncode == 0 else None

    def contains(self, commit: str, ancestor: str) -> bool:
        """Whether ``ancestor`` is in the history of ``commit``."""
        code = self._run("merge-base", "--is-ancestor", ancestor, commit, ok=(0, 1, 128)).returncode
        return code == 0

    def numbers(self, base: str, head: str) -> tuple[int, int, int, int]:
        """Commits, changed files, added and removed lines from ``base`` to ``head``."""
        commits = self._run("rev-list", "--count", f"{base}..{head}").stdout
        rows = self._run("diff", "--numstat", f"{base}...{head}", ok=(0, 128)).stdout.decode()
        split = [row.split("\t") for row in rows.splitlines()]
        added, removed = (
            sum(int(row[column]) for row in split if row[column].isdecimal()) for column in (0, 1)
        )
        return int(commits), len(split), added, removed

    def fetch(self, other: "BareRepository", branch: str, into: str) -> None:
        """Take a branch of another repository over, under a ref of this one."""
        self._run("fetch", "--quiet", str(other.path), f"+refs/heads/{branch}:{into}")

    def update(self, ref: str, sha: str) -> None:
        """Let a ref point to a commit."""
        self._run("update-ref", ref, sha)

    def protect(self, branch: str) -> None:
        """Refuse pushes to a branch from now on, as GitHub does."""
        with (self.path / "protected-refs").open("a") as file:
            file.write(f"refs/heads/{branch}\n")
        hook = self.path / "hooks" / "update"
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(_HOOK)
        hook.chmod(0o755)

    def merged_tree(self, base: str, head: str) -> str:
        """The tree of both.

        Raises:
            MergeConflict: git cannot merge them.
        """
        result = self._run("merge-tree", "--write-tree", base, head, ok=(0, 1, 128))
        if result.returncode:
            raise MergeConflict(result.stdout.decode(errors="replace"))
        return result.stdout.decode().split()[0]

    def merge(
        self, branch: str, head: str, message: str, *, squash: bool, author: str, when: datetime
    ) -> str:
        """Merge a commit into a branch, which moves; returns the new commit.

        Raises:
            MergeConflict: git cannot merge them.
        """
        base = self.head(branch)
        if base is None:
            raise MergeConflict(f"there is no branch {branch}")
        tree = self.merged_tree(base, head)
        parents = ["-p", base] if squash else ["-p", base, "-p", head]
        names = ("GIT_AUTHOR", "GIT_COMMITTER")
        people = {f"{name}_NAME": author for name in names}
        people |= {f"{name}_EMAIL": f"{author}@users.noreply.github.test" for name in names}
        people |= {f"{name}_DATE": when.isoformat() for name in names}
        made = self._run("commit-tree", tree, *parents, "-m", message, env=people)
        sha = made.stdout.decode().strip()
        self._run("update-ref", f"refs/heads/{branch}", sha, base)
        return sha

    def _run(
        self, *command: str, ok: tuple[int, ...] = (0,), env: dict[str, str] | None = None
    ) -> subprocess.CompletedProcess[bytes]:
        outside = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
        result = subprocess.run(
            ["git", "--git-dir", str(self.path), *command],
            capture_output=True,
            check=False,
            env=outside | (env or {}),
        )
        if result.returncode not in ok:
            raise subprocess.CalledProcessError(
                result.returncode, ["git", *command], result.stdout, result.stderr
            )
        return result


def _entries(listed: str) -> list[Entry]:
    found: list[Entry] = []
    for row in listed.split("\0"):
        if row:
            meta, name = row.split("\t", 1)
            _mode, kind, sha = meta.split()
            found.append(Entry(kind=kind, sha=sha, name=name))
    return found

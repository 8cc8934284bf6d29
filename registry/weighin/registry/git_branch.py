"""A branch on a remote that holds given files, made beside the user's work and not in it.

    remote branches -> parent -> tree -> commit -> push

The working tree, the index and the branches of the user stay as they are: trees are built in an
index of their own. The commit's people and times
are arguments, so equal files on an equal parent are an equal commit, and a branch that has the
files already is left alone. A commit of somebody else on the branch is never thrown away: ours
goes on top of it, or is refused where both change the same files. What this module does not do: it
knows no model and no GitHub.
"""

import secrets
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from weighin.gates.errors import StoreError
from weighin.gates.plain import plain
from weighin.registry.git_objects import file_in, paths_of, stored
from weighin.registry.git_plumbing import Git, GitRefused, Remote

OUR_NAME, OUR_EMAIL = "weighin", "noreply@weighin.dev"
_DELETED = "0" * 40
_PUSH_ONLY = ("--no-verify", "--no-follow-tags", "--no-signed", "--recurse-submodules=no")
"""Whatever the user's configuration says: this branch, and nothing beside it."""

Rewrite = Callable[[bytes | None], bytes]
"""What a file must be, from what it is in the parent (``None``: not there)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What a branch must hold.

    Attributes:
        branch: Its name, without ``refs/heads/``.
        base: The branch that it will be merged into.
        files: Content by path from the top of the repository.
        rewritten: Files of which only a part is ours, by path.
        folder: A folder in which there is nothing but these files; empty for none.
        message: Of the commit.
        at: The commit's time, UTC.
    """

    branch: str
    base: str
    files: Mapping[str, bytes]
    rewritten: Mapping[str, Rewrite]
    folder: str
    message: str
    at: datetime

    @property
    def paths(self) -> tuple[str, ...]:
        """The files that the commit may change, but for those of the folder."""
        return (*self.files, *self.rewritten)

    def owns(self, path: str) -> bool:
        """Whether a change of this file by somebody else stands against ours."""
        return path in self.paths or bool(self.folder and path.startswith(f"{self.folder}/"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A branch as it should be on the remote.

    Attributes:
        commit: What it must point to.
        before: What it pointed to when it was read; empty if it was not there.
        branch: Its name.
        empty: Whether it holds nothing that the base does not hold.
    """

    commit: str
    before: str
    branch: str
    empty: bool

    @property
    def changed(self) -> bool:
        """Whether there is anything to push."""
        return self.commit != self.before


def prepare(git: Git, remote: Remote, wanted: Wanted) -> Prepared:
    """Fetch, and make the commit if the remote branch does not hold the files; pushes nothing.

    Raises:
        StoreError: the remote cannot be read, has no such base, or a commit of somebody else on
            the branch changes the same files.
    """
    tips = _fetch(git, remote, wanted)
    base, before = tips.get(wanted.base), tips.get(wanted.branch, "")
    if base is None:
        raise StoreError(
            f"{remote.name} has no branch '{wanted.base}' to merge into; "
            "name the right one with --base or [review] base"
        )
    with tempfile.TemporaryDirectory(prefix="weighin-") as temporary:
        apart = git.using(GIT_INDEX_FILE=str(Path(temporary) / "index"))
        commit = _commit_for(apart, wanted, base, before)
    empty = git("rev-parse", f"{commit}^{{tree}}") == git("rev-parse", f"{base}^{{tree}}")
    return Prepared(commit=commit, before=before, branch=wanted.branch, empty=empty)


def push(git: Git, remote: Remote, prepared: Prepared) -> None:
    """Move the remote branch, unless somebody else moved it in the meantime.

    Raises:
        StoreError: the remote refused; git's own words say why.
    """
    if not prepared.changed:
        return
    ref = f"refs/heads/{prepared.branch}"
    lease = f"--force-with-lease={ref}:{prepared.before}"
    where = ("--", remote.name, f"{prepared.commit}:{ref}")
    try:
        git("push", *_PUSH_ONLY, lease, *where, remote=remote)
    except GitRefused as error:
        if git("ls-remote", "--", remote.name, ref, remote=remote).split()[:1] == [prepared.commit]:
            return  # another review of the same weigh-in was faster
        raise StoreError(_refusal(remote, prepared, error.words)) from error


def _refusal(remote: Remote, prepared: Prepared, words: str) -> str:
    said = f"branch '{prepared.branch}' was not pushed to {remote.name}: {words}"
    if "stale info" in words:
        return f"{said}. Somebody moved it in the meantime; run the review again"
    if "protected branch" in words or "GH006" in words or "GH013" in words:
        return f"{said}. Exempt branches named 'weighin/**' from that rule"
    if "hook declined" in words or "pre-receive" in words:
        return f"{said}. A rule of that server declined it; its words say which"
    return f"{said}. The token or key needs the right to write contents of that repository"


def _fetch(git: Git, remote: Remote, wanted: Wanted) -> dict[str, str]:
    """The tips of both branches on the remote, with their history."""
    names = {f"refs/heads/{name}": name for name in (wanted.base, wanted.branch)}
    listed = git("ls-remote", "--", remote.name, *names, remote=remote)
    refs = {line.partition("\t")[2] for line in listed.splitlines()}
    own = f"refs/weighin/{secrets.token_hex(8)}"  # another review may be at it in this clone
    places = {ref: f"{own}/{n}" for n, ref in enumerate(names) if ref in refs}
    if not places:
        return {}
    specs = [f"+{ref}:{place}" for ref, place in places.items()]
    quiet = ("--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
    git("fetch", *quiet, "--", remote.name, *specs, remote=remote)
    if len(places) > 1 and _is_cut_off(git, tuple(places.values())):
        git("fetch", "--unshallow", *quiet, "--", remote.name, *specs, remote=remote)
    tips = {names[ref]: git("rev-parse", f"{place}^{{commit}}") for ref, place in places.items()}
    for place in places.values():
        git("update-ref", "-d", place)  # what was fetched stays for days all the same
    return tips


def _is_cut_off(git: Git, places: tuple[str, ...]) -> bool:
    """Whether a shallow clone ends before the commit at which two branches parted."""
    shallow = git("rev-parse", "--is-shallow-repository") == "true"
    return shallow and not git.says_yes("merge-base", *places)


def _commit_for(git: Git, wanted: Wanted, base: str, before: str) -> str:
    """The commit that the branch must point to; the one that it points to if that will do."""
    if not before or git.says_yes("merge-base", "--is-ancestor", before, base):
        return _commit(git, wanted, _tree(git, wanted, base, base), (base,))
    strangers = _strangers(git, base, before)
    stale = _stale(git, wanted, base, before)
    if not stale and _tree(git, wanted, before, before) == git("rev-parse", f"{before}^{{tree}}"):
        return before
    if not strangers:
        return _commit(git, wanted, _tree(git, wanted, base, base), (base,))
    _refuse_overlap(git, wanted, strangers)
    if not stale:
        return _commit(git, wanted, _tree(git, wanted, before, before), (before,))
    merged = _merged_tree(git, wanted, before, base)
    return _commit(git, wanted, _tree(git, wanted, merged, base), (before, base))


def _strangers(git: Git, base: str, tip: str) -> tuple[str, ...]:
    """The commits of other people between the base and the branch, newest first."""
    listed = git("log", "--format=%H %ce", f"{base}..{tip}")
    pairs = (line.partition(" ") for line in listed.splitlines())
    return tuple(sha for sha, _, email in pairs if email != OUR_EMAIL)


def _stale(git: Git, wanted: Wanted, base: str, tip: str) -> bool:
    """Whether the base changed one of our files since the branch left it: it would conflict."""
    try:
        fork = git("merge-base", base, tip)
    except GitRefused:
        return True  # no common history
    return any(wanted.owns(path) for path in paths_of(git, "diff", "--no-renames", fork, base))


def _refuse_overlap(git: Git, wanted: Wanted, strangers: tuple[str, ...]) -> None:
    """Our commit may go on top of other people's only where they changed other files."""
    for sha in strangers:
        named = ("diff-tree", "-r", "-c", "--root", "--no-commit-id", "--no-renames")
        both = [path for path in paths_of(git, *named, sha) if wanted.owns(path)]
        if both:
            who = plain(git("log", "-1", "--format=%an <%ae>: %s", sha))
            raise StoreError(
                f"branch '{wanted.branch}' has a commit that changes what this review writes "
                f"({plain(both[0])}): {sha[:12]} by {who}. Nothing was overwritten: move that "
                f"commit elsewhere or delete the branch, and run the review again"
            )


def _merged_tree(git: Git, wanted: Wanted, tip: str, base: str) -> str:
    """Other people's changes and the base's, together; our own files are written over it."""
    if not git.says_yes("merge-base", tip, base):
        raise StoreError(
            f"branch '{wanted.branch}' has no history in common with '{wanted.base}'; "
            "delete the branch and run the review again"
        )
    named = ("merge-tree", "--write-tree", "-z", "--name-only", "--no-messages")
    status, output, words = git.ask(*named, tip, base)
    if status not in (0, 1):
        raise StoreError(f"'{tip[:12]}' and '{wanted.base}' could not be merged: {words}")
    tree, *conflicts = output.decode("utf-8", "surrogateescape").rstrip("\0").split("\0")
    strange = [path for path in conflicts if not wanted.owns(path)]
    if strange:
        raise StoreError(
            f"branch '{wanted.branch}' cannot be merged with '{wanted.base}': both change "
            f"{plain(strange[0])}. Merge them by hand, push, and run the review again"
        )
    return tree


def _tree(git: Git, wanted: Wanted, under: str, shared: str) -> str:
    """A tree with our files over another one.

    Args:
        git: With an index of its own.
        wanted: Our files.
        under: The commit or tree that they are laid over.
        shared: Where the other part of files is read that are only partly ours.
    """
    files = dict(wanted.files)
    for path, rewrite in wanted.rewritten.items():
        files[path] = rewrite(file_in(git, shared, path))
    git("read-tree", under)
    there = paths_of(git, "ls-files", "--", f":(literal){wanted.folder}") if wanted.folder else ()
    gone = [f"0 {_DELETED}\t{path}" for path in there if path not in files]
    shas = stored(git, list(files.values()))
    kept = [f"100644 {sha}\t{path}" for sha, path in zip(shas, files, strict=True)]
    lines = "".join(f"{line}\0" for line in (*gone, *kept))
    git("update-index", "-z", "--index-info", stdin=lines.encode("utf-8", "surrogateescape"))
    _check_whole(git, wanted, files)
    return git("write-tree")


def _check_whole(git: Git, wanted: Wanted, files: Mapping[str, bytes]) -> None:
    """``update-index`` leaves out paths that no tree may hold, and only prints that."""
    there = set(paths_of(git, "ls-files"))
    lost = [path for path in files if path not in there]
    if lost:
        raise StoreError(
            f"git cannot keep a file named {lost[0]!r}, so branch '{wanted.branch}' was not made"
        )


def _commit(git: Git, wanted: Wanted, tree: str, parents: tuple[str, ...]) -> str:
    when = f"{int(wanted.at.timestamp())} +0000"
    people = {
        f"GIT_{role}_{what}": value
        for role in ("AUTHOR", "COMMITTER")
        for what, value in (("NAME", OUR_NAME), ("EMAIL", OUR_EMAIL), ("DATE", when))
    }
    named = git.using(**people)
    under = [part for parent in parents for part in ("-p", parent)]
    return named("commit-tree", tree, *under, stdin=wanted.message.encode("utf-8", "replace"))

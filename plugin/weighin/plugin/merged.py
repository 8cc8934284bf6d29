"""Promotion of what a merge brought: the weigh-ins that a review committed, no others.

The merge says which versions; the signed evidence in their folders says what may be released.
Nothing here believes a report, a name of a folder or anything else that a pull request can write.
"""

import re
import stat
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import EvidenceError, StoreError, WeighinError
from weighin.plugin.project import Project
from weighin.plugin.promote import Promotion, promote_version
from weighin.registry.channel import current_release
from weighin.registry.git import changed_files, commit_of

_COMMITTED = re.compile(r"variants/([^/]+)/v([1-9][0-9]*)/weigh-in/.+", re.DOTALL)
_NO_COMMIT = re.compile(r"0+")
_MOST_BYTES = 32 * 2**20


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """What became of one merged version.

    Attributes:
        model: Registered model name.
        version: Registered model version.
        promotion: What was released; ``None`` if it was refused.
        refused: Why it was; empty if it was not.
        failed: Whether somebody must look: its evidence or the channel is not as it should be.
    """

    model: str
    version: str
    promotion: Promotion | None = None
    refused: str = ""
    failed: bool = False

    @property
    def released(self) -> bool:
        """Whether the channel offers it now."""
        return self.promotion is not None and bool(self.promotion.release.variants)


def promote_merged(project: Project, before: str, after: str) -> tuple[Merged, ...]:
    """Release every version whose weigh-in was added or changed between two commits.

    Of several versions of a model only the newest is released. One that is refused does not
    stop the others. Doing it again publishes nothing new.

    Args:
        project: Checked out at ``after``.
        before: A git revision; zeros, as GitHub says for a new branch, for none.
        after: A git revision.

    Raises:
        StoreError: a commit is not in this clone, or ``after`` is not what is checked out.
    """
    root = project.root
    since = None if _NO_COMMIT.fullmatch(before) else commit_of(root, before)
    until = commit_of(root, after)
    if commit_of(root, "HEAD") != until:
        raise StoreError(f"{root}: {after} is not checked out, so its files are not here")
    versions = versions_in(changed_files(root, since, until))
    return tuple(_promoted(project, name, version) for name, version in versions)


def versions_in(paths: Iterable[str]) -> tuple[tuple[str, str], ...]:
    """The versions whose weigh-in is among paths; of each model the newest, sorted by name."""
    newest: dict[str, int] = {}
    for path in paths:
        found = _COMMITTED.fullmatch(path)
        if found is not None and found[1] not in {".", ".."}:
            newest[found[1]] = max(int(found[2]), newest.get(found[1], 0))
    return tuple((name, str(version)) for name, version in sorted(newest.items()))


def _promoted(project: Project, name: str, version: str) -> Merged:
    folder = project.committed(name, version)
    try:
        offered = current_release(project.channel, project.config.channel.name, name)
        if offered is not None and _number(offered.version) > int(version):
            why = (
                f"the channel offers v{offered.version}, which is newer; to go back to "
                f"v{version} on purpose: weighin promote {name}/{version}"
            )
            return Merged(model=name, version=version, refused=why)
        _check_files(project.root, folder)
        promotion = promote_version(project, name, version, folder=folder, unregistered=True)
    except WeighinError as error:
        return Merged(model=name, version=version, refused=str(error), failed=True)
    return Merged(model=name, version=version, promotion=promotion)


def _check_files(root: Path, folder: Path) -> None:
    """Plain files of a sane size, all the way down: a merge can bring a link to anything."""
    inside = [parent for parent in folder.parents if parent.is_relative_to(root / "variants")]
    for path in (*inside, folder, *folder.rglob("*")):
        mode, size = path.lstat().st_mode, path.lstat().st_size
        if not (stat.S_ISDIR(mode) or (stat.S_ISREG(mode) and size <= _MOST_BYTES)):
            raise EvidenceError(
                f"{path.relative_to(root)}: is no plain file of at most {_MOST_BYTES} bytes"
            )


def _number(version: str) -> int:
    return int(version) if version.isdecimal() else 0

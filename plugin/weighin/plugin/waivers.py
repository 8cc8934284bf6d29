"""Waivers as signed files beside the evidence: written from comments, and read back if they hold.

    MODEL/vVERSION/…/waivers/<id>.json     one in-toto statement each, signed by the evidence key

The files follow the comments: a waiver whose comment is gone is removed. Signing and believing
are apart. What promotion believes needs a trusted signature, the very weigh-in, a person that
``weighin.toml`` still names and a time before its end. What this module does not do: it fetches
no comment, and releases nothing.
"""

import hashlib
import os
import stat
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import EvidenceError
from weighin.gates.waiver import Waiver
from weighin.gates.waiver_wire import BoundWaiver, Looked, open_waiver, sign_waiver
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import FILE_NAME, ReviewConfig
from weighin.plugin.evidence_keys import evidence_signer, signing, trusted_keys
from weighin.plugin.github.records import Comment
from weighin.plugin.project import Project
from weighin.plugin.results import report_text, weigh_in_folder
from weighin.plugin.waiver_ask import RefusedWaiver, may_waive, waivers_from_comments
from weighin.plugin.waiver_command import shortened
from weighin.registry.files import write_atomically

if TYPE_CHECKING:
    from weighin.gates.signing import Key

WAIVERS_DIR = "waivers"
_MOST_FILES = 200
_MOST_BYTES = 65_536


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """What comments came to.

    Attributes:
        waivers: Signed and kept.
        refused: Asked for in vain, each with the reason.
        changed: Whether a file was written or removed.
    """

    waivers: tuple[Waiver, ...]
    refused: tuple[RefusedWaiver, ...]
    changed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Believed:
    """The waivers of one weigh-in that hold, and why others do not.

    Attributes:
        waivers: They hold now.
        expired: Sentences about good ones whose time is over.
        refused: Sentences about files that are not to be believed.
    """

    waivers: tuple[Waiver, ...] = ()
    expired: tuple[str, ...] = ()
    refused: tuple[str, ...] = ()

    @property
    def notes(self) -> tuple[str, ...]:
        """Everything about those that do not count."""
        return (*self.refused, *self.expired)


def record_waivers(
    project: Project,
    weigh_in: WeighIn,
    comments: Iterable[Comment],
    now: datetime,
    *,
    config: ReviewConfig | None = None,
    folder: Path | None = None,
) -> Recorded:
    """Make the waiver files of a weigh-in say what its comments say.

    A file that says it already is left as it is, so that doing it again changes nothing.

    Args:
        project: Whose evidence key signs.
        weigh_in: What the commenters looked at.
        comments: All of the pull request's.
        now: The time, UTC.
        config: Of the branch that is merged into; the project's own if not given.
        folder: Where the weigh-in is kept; where it is found if not given.

    Raises:
        ConfigError: the evidence key is missing, or does not sign.
    """
    review = project.config.review if config is None else config
    asked = waivers_from_comments(comments, review, weigh_in, now)
    granted = tuple(one for one in asked if isinstance(one, Waiver))
    where = folder or weigh_in_folder(project, weigh_in.model, weigh_in.version)
    return Recorded(
        waivers=granted,
        refused=tuple(one for one in asked if isinstance(one, RefusedWaiver)),
        changed=_rewrite(project, where / WAIVERS_DIR, granted, seen_by_all(weigh_in)),
    )


def valid_waivers(
    project: Project, weigh_in: WeighIn, now: datetime, folder: Path | None = None
) -> Believed:
    """The waivers that are kept with a weigh-in and hold now.

    Args:
        project: Whose trusted keys and ``[review] waivers`` count.
        weigh_in: What they must speak of.
        now: The time, UTC.
        folder: Where the weigh-in is kept; where it is found if not given.

    Raises:
        ConfigError: a trusted key is missing.
    """
    where = folder or weigh_in_folder(project, weigh_in.model, weigh_in.version)
    return kept_waivers(project, where, seen_by_all(weigh_in), now)


def kept_waivers(project: Project, folder: Path, looked: Looked, now: datetime) -> Believed:
    """The waivers in a weigh-in's folder that hold now.

    Raises:
        ConfigError: a trusted key is missing.
    """
    files, refused = _read(folder / WAIVERS_DIR)
    if not files:
        return Believed(refused=refused)
    found = believe(files, looked, trusted_keys(project), project.config.review, now)
    return Believed(
        waivers=found.waivers, expired=found.expired, refused=(*refused, *found.refused)
    )


def believe(
    files: Mapping[str, bytes],
    looked: Looked,
    keys: Collection["Key"],
    config: ReviewConfig,
    now: datetime,
) -> Believed:
    """Look at every file: signature, weigh-in, person, dates. Pure."""
    good: list[Waiver] = []
    expired: list[str] = []
    refused: list[str] = []
    for name, content in files.items():
        about = f"{WAIVERS_DIR}/{shortened(name)}"
        try:
            bound = open_waiver(content, keys)
        except EvidenceError as error:
            refused.append(f"{about}: not a waiver to believe: {error}")
            continue
        if why := _objection(bound, looked, config, now):
            refused.append(f"{about}: {why}")
        elif bound.waiver.expires_at <= now:
            expired.append(_over(bound.waiver))
        else:
            good.append(bound.waiver)
    return Believed(waivers=tuple(good), expired=tuple(expired), refused=tuple(refused))


def seen_by_all(weigh_in: WeighIn) -> Looked:
    """What somebody who looks at a weigh-in looks at."""
    return Looked(
        model=weigh_in.model,
        version=weigh_in.version,
        plan_digest=weigh_in.plan_digest,
        source_digest=weigh_in.source_digest,
        report_sha256=hashlib.sha256(report_text(weigh_in).encode()).hexdigest(),
    )


def _objection(bound: BoundWaiver, looked: Looked, config: ReviewConfig, now: datetime) -> str:
    """Why a signed waiver does not count here, whatever its end; empty if it does."""
    waiver = bound.waiver
    if bound.looked != looked:
        said = f"{bound.looked.model}/{bound.looked.version}"
        return f"speaks of another weigh-in ({shortened(said)}, {bound.looked.report_sha256[:12]})"
    if not may_waive(waiver.by, config):
        by = shortened(waiver.by)
        return f"{by} is not named in {FILE_NAME}, [review] waivers"
    if waiver.issued_at > now:
        return "it is from the future"
    return ""


def _over(waiver: Waiver) -> str:
    where = "" if waiver.device is None else f" on {waiver.device}"
    return (
        f"the waiver of {waiver.metric}{where} by {shortened(waiver.by)} expired on "
        f"{waiver.expires_at:%Y-%m-%d}"
    )


def _rewrite(project: Project, folder: Path, waivers: Collection[Waiver], looked: Looked) -> bool:
    """Keep what is there and right, remove the rest, sign what is missing."""
    if folder.is_symlink():
        folder.unlink()  # whatever it points to is none of ours
    wanted = {b.id: b for b in (BoundWaiver(waiver=w, looked=looked) for w in waivers)}
    files, _ = _read(folder)
    right = _right(project, files, wanted) if wanted and files else set[str]()
    gone = [path for path in _entries(folder) if path.name not in right and not path.is_dir()]
    for path in gone:
        path.unlink()
    missing = [b for id_, b in wanted.items() if f"{id_}.json" not in right]
    if missing:
        signer = evidence_signer(project, os.environ)
        with signing():
            fresh = {f"{bound.id}.json": sign_waiver(bound, signer) for bound in missing}
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in fresh.items():
            write_atomically(folder / name, content)
    return bool(gone or missing)


def _right(
    project: Project, files: Mapping[str, bytes], wanted: Mapping[str, BoundWaiver]
) -> set[str]:
    """Names of the files that hold a wanted waiver under a trusted signature."""
    keys, right = trusted_keys(project), set[str]()
    for name, content in files.items():
        try:
            bound = open_waiver(content, keys)
        except EvidenceError:
            continue  # it is replaced
        if bound == wanted.get(name.removesuffix(".json")):
            right.add(name)
    return right


def _read(folder: Path) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The files, and a sentence about each that is none of ours to read."""
    files: dict[str, bytes] = {}
    refused: list[str] = []
    entries = _entries(folder)
    for path in entries[:_MOST_FILES]:
        state = path.lstat()
        if stat.S_ISREG(state.st_mode) and state.st_size <= _MOST_BYTES:
            files[path.name] = path.read_bytes()
        else:
            about = f"{WAIVERS_DIR}/{shortened(path.name)}"
            refused.append(f"{about}: no file of at most {_MOST_BYTES} bytes")
    if len(entries) > _MOST_FILES:
        refused.append(f"{len(entries)} waivers are kept; only {_MOST_FILES} were looked at")
    return files, tuple(refused)


def _entries(folder: Path) -> list[Path]:
    return [] if folder.is_symlink() else sorted(folder.glob("*.json"))

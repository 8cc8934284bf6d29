"""The signed channel: a TUF repository in a folder that any web server or bucket can serve.

    root -> targets -> channel (stable, ...) -> one role per model -> its files and evidence

A model's role may sign paths of that model only. What is published replaces what the channel
offered for that model; the files of earlier releases stay, for clients that are still reading
the earlier state.

What this module does not do: it judges nothing. :mod:`weighin.registry.promotion` makes the
release that is published here.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighin.gates.errors import EvidenceError, StoreError
from weighin.registry import release as naming
from weighin.registry.channel_state import (
    METADATA_FOLDER,
    ONLINE_DAYS,
    ROLE_DAYS,
    ROOT_DAYS,
    TARGETS_FOLDER,
    TOP_LEVEL,
    ChannelState,
    is_half_spent,
    opened,
)
from weighin.registry.files import (
    copy_atomically,
    holds,
    locked,
    remove_unfinished,
    write_atomically,
)
from weighin.registry.keys import ChannelSigners, OnlineSigners
from weighin.registry.release import Release, ReleasedVariant

if TYPE_CHECKING:
    from weighin.gates.signing import Signer
    from weighin.registry.tuf_names import TargetFile, Targets

ROOT_FILE = "root.json"
"""The first root, beside the folders: what an app keeps in its source tree to trust a channel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publication:
    """What to publish, and the bytes for it.

    Attributes:
        channel: Name of the channel, such as ``stable``.
        release: What passed, from promotion.
        files: Where each variant's file is, by its sha256.
        evidence: Each signed envelope, by its sha256.
    """

    channel: str
    release: Release
    files: Mapping[str, Path]
    evidence: Mapping[str, bytes]


def create_channel(
    directory: Path, root_signer: "Signer", signers: ChannelSigners, now: datetime
) -> Path:
    """Make an empty channel repository; one that exists is left as it is.

    Returns:
        The trusted root that clients need once.

    Raises:
        StoreError: it could not be written.
    """
    try:
        with locked(directory / ".lock"):
            if not (directory / METADATA_FOLDER / "timestamp.json").exists():
                _create(directory, root_signer, signers, now)
    except OSError as error:
        raise StoreError(f"{directory}: the channel could not be created: {error}") from error
    return directory / ROOT_FILE


def publish(
    directory: Path, publication: Publication, signers: ChannelSigners, now: datetime
) -> bool:
    """Offer a release in a channel, in place of what it offered for that model.

    Files come first, then the model's role, the snapshot and the timestamp. Publishing the same
    release again writes nothing, unless the model's role has lived more than half of its time.

    Returns:
        Whether anything was written.

    Raises:
        EvidenceError: the release is empty, or a file or an evidence is not what it says.
        StoreError: the folder is damaged or cannot be written; clients see the earlier state.
    """
    _check_complete(publication)
    channel, model = publication.channel, publication.release.model
    with opened(directory) as state:
        _delegate(state, channel, model, signers.targets, now)
        name = naming.role_name(channel, model)
        role = _known_role(state, channel, model)
        offered = _targets_of(publication)
        if role is None or role.targets != offered or is_half_spent(role.expires, ROLE_DAYS, now):
            _store_files(directory, publication)
            state.put(name, _targets(offered), signers.targets, naming.slug(channel), now)
        changed = bool(state.changed)
        if changed:
            state.commit(signers, now)
    return changed


def withdraw(
    directory: Path, channel: str, model: str, signers: ChannelSigners, now: datetime
) -> bool:
    """Offer nothing for a model any more. What apps have pulled stays where it is.

    Returns:
        Whether anything was offered before.

    Raises:
        StoreError: the folder is damaged or cannot be written.
    """
    with opened(directory) as state:
        role = _known_role(state, channel, model)
        if role is None or not role.targets:
            return False
        name = naming.role_name(channel, model)
        state.put(name, _targets({}), signers.targets, naming.slug(channel), now)
        state.commit(signers, now)
    return True


def refresh_timestamp(directory: Path, signers: ChannelSigners, now: datetime) -> None:
    """Say that the channel is alive: sign the timestamp anew, and the snapshot when half spent.

    Run it daily; clients refuse a channel that nobody refreshed for a week.

    Raises:
        StoreError: the folder is damaged or cannot be written.
    """
    with opened(directory) as state:
        state.commit(signers, now)


def keep_alive(directory: Path, signers: ChannelSigners | OnlineSigners, now: datetime) -> bool:
    """Refresh a channel whose timestamp is older than a day; whether that was due.

    Model roles are left alone: a release that nobody weighs again runs out after their time.

    Raises:
        StoreError: the folder is damaged or cannot be written.
    """
    with opened(directory) as state:
        due = state.timestamp.signed.expires - now < timedelta(days=ONLINE_DAYS - 1)
        if due:
            state.commit(signers, now)
    return due


def current_release(directory: Path, channel: str, model: str) -> Release | None:
    """What a channel offers for a model now; ``None`` if nothing.

    Raises:
        StoreError: there is no channel, or it is damaged.
    """
    with opened(directory) as state:
        role = _known_role(state, channel, model)
    try:
        return naming.release_from_targets(role.targets.values()) if role else None
    except ValueError as error:
        raise StoreError(
            f"{directory}: what it offers for {model} is malformed: {error}"
        ) from error


def offered_since(directory: Path, channel: str, model: str) -> datetime | None:
    """When a channel last signed what it offers for a model, UTC; ``None`` if it offers nothing.

    Raises:
        StoreError: there is no channel, or it is damaged.
    """
    with opened(directory) as state:
        role = _known_role(state, channel, model)
    return role.expires - timedelta(days=ROLE_DAYS) if role and role.targets else None


def released_file(
    directory: Path, channel: str, release: Release, variant: ReleasedVariant
) -> Path:
    """Where a channel folder keeps the file of a variant that it offers."""
    path = naming.variant_path(channel, release, variant)
    folder, _, name = path.rpartition("/")
    return directory / TARGETS_FOLDER / folder / f"{variant.sha256}.{name}"


def _check_complete(publication: Publication) -> None:
    if not publication.release.variants:
        raise EvidenceError(f"{publication.release.model}: nothing passed, so nothing is published")
    for variant in publication.release.variants:
        file = publication.files.get(variant.sha256)
        if file is None or not holds(file, variant.sha256, variant.size_bytes):
            raise EvidenceError(
                f"{variant.label}: its file is not the one that was approved: {file}"
            )
        for approval in variant.approvals:
            envelope = publication.evidence.get(approval.evidence_sha256, b"")
            if hashlib.sha256(envelope).hexdigest() != approval.evidence_sha256:
                raise EvidenceError(
                    f"{variant.label} on {approval.device}: its evidence is missing"
                )


def _delegate(
    state: ChannelState, channel: str, model: str, signer: "Signer", now: datetime
) -> None:
    """Let the channel's role and the model's role sign their paths, if they may not yet."""
    channel_role, model_role = naming.slug(channel), naming.role_name(channel, model)
    top = state.load(TOP_LEVEL).signed
    if _add_role(top, channel_role, f"{channel_role}/*/*/*", signer) or _is_due(top, now):
        state.put(TOP_LEVEL, top, signer, None, now)
    if f"{channel_role}.json" in state.snapshot.signed.meta:
        models = state.load(channel_role, TOP_LEVEL).signed
    else:
        models = _targets({})
    pattern = f"{naming.home_path(channel, model)}*/*"
    if _add_role(models, model_role, pattern, signer) or _is_due(models, now):
        state.put(channel_role, models, signer, TOP_LEVEL, now)


def _add_role(parent: "Targets", name: str, paths: str, signer: "Signer") -> bool:
    from weighin.registry.tuf_names import DelegatedRole, Delegations

    if parent.delegations is None:
        parent.delegations = Delegations(keys={}, roles={})
    roles = parent.delegations.roles
    if roles is None:
        raise StoreError(f"channel role {name}: its parent delegates by hash, which is not ours")
    if name in roles:
        return False
    roles[name] = DelegatedRole(name, [], 1, terminating=True, paths=[paths])
    parent.add_key(signer.public_key, name)
    return True


def _is_due(role: "Targets", now: datetime) -> bool:
    return is_half_spent(role.expires, ROLE_DAYS, now)


def _known_role(state: ChannelState, channel: str, model: str) -> "Targets | None":
    channel_role, model_role = naming.slug(channel), naming.role_name(channel, model)
    meta = state.snapshot.signed.meta
    if not {f"{channel_role}.json", f"{model_role}.json"} <= set(meta):
        return None
    state.load(TOP_LEVEL)
    state.load(channel_role, TOP_LEVEL)
    return state.load(model_role, channel_role).signed


def _targets(files: "dict[str, TargetFile]") -> "Targets":
    from weighin.registry.tuf_names import Targets

    return Targets(targets=files)


def _targets_of(publication: Publication) -> "dict[str, TargetFile]":
    from weighin.registry.tuf_names import TargetFile

    channel, release = publication.channel, publication.release
    files: dict[str, TargetFile] = {}
    for variant in release.variants:
        path = naming.variant_path(channel, release, variant)
        about: dict[str, Any] = {"custom": naming.custom_of(release, variant)}
        files[path] = TargetFile(variant.size_bytes, {"sha256": variant.sha256}, path, about)
        for approval in variant.approvals:
            digest = approval.evidence_sha256
            path = naming.evidence_path(channel, release.model, digest)
            size = len(publication.evidence[digest])
            files[path] = TargetFile(size, {"sha256": digest}, path)
    return files


def _store_files(directory: Path, publication: Publication) -> None:
    for path, target in _targets_of(publication).items():
        digest = target.hashes["sha256"]
        folder, _, name = path.rpartition("/")
        stored = directory / TARGETS_FOLDER / folder / f"{digest}.{name}"
        remove_unfinished(stored.parent)
        if holds(stored, digest, target.length):
            continue
        if digest in publication.files:
            copy_atomically(publication.files[digest], stored)
        else:
            write_atomically(stored, publication.evidence[digest])
        if not holds(stored, digest, target.length):
            raise StoreError(f"{stored}: what was written is not what was approved")


def _create(directory: Path, root_signer: "Signer", signers: ChannelSigners, now: datetime) -> None:
    from weighin.registry.tuf_names import Metadata, MetaFile, Root, Snapshot, Targets, Timestamp

    online, role = now + timedelta(days=ONLINE_DAYS), now + timedelta(days=ROLE_DAYS)
    root = Metadata(Root(expires=now + timedelta(days=ROOT_DAYS), consistent_snapshot=True))
    for name, signer in (
        ("root", root_signer),
        ("targets", signers.targets),
        ("snapshot", signers.snapshot),
        ("timestamp", signers.timestamp),
    ):
        root.signed.add_key(signer.public_key, name)
    targets, snapshot = Metadata(Targets(expires=role)), Metadata(Snapshot(expires=online))
    root.sign(root_signer)
    targets.sign(signers.targets)
    snapshot.sign(signers.snapshot)
    content = snapshot.to_bytes()
    timestamp = Metadata(
        Timestamp(expires=online, snapshot_meta=MetaFile.from_data(1, content, ["sha256"]))
    )
    timestamp.sign(signers.timestamp)
    folder = directory / METADATA_FOLDER
    write_atomically(directory / ROOT_FILE, root.to_bytes())
    write_atomically(folder / "1.root.json", root.to_bytes())
    write_atomically(folder / "1.targets.json", targets.to_bytes())
    write_atomically(folder / "1.snapshot.json", content)
    write_atomically(folder / "timestamp.json", timestamp.to_bytes())

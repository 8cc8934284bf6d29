"""The signed metadata of a channel folder: load and check it, change it, commit the change.

A channel is a TUF repository with consistent snapshots. Every file but ``timestamp.json`` has
its version or digest in its name and is written before anything refers to it; replacing
``timestamp.json`` is the one moment at which clients see a change. So a crash, a full disk or a
``kill -9`` anywhere before it leaves the state as it was, and the next writer overwrites what
was left half done.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from weighin.gates.errors import StoreError
from weighin.registry.files import locked, remove_unfinished, write_atomically
from weighin.registry.keys import ChannelSigners, OnlineSigners

if TYPE_CHECKING:
    from weighin.gates.signing import Signer
    from weighin.registry.tuf_names import Metadata, Root, Snapshot, Targets, Timestamp

ROOT_DAYS = 365
ROLE_DAYS = 90
ONLINE_DAYS = 7
KEPT_VERSIONS = 10
"""How many versions of a role stay for clients that are still reading an earlier state."""

METADATA_FOLDER = "metadata"
TARGETS_FOLDER = "targets"
TOP_LEVEL = "targets"


@dataclass(slots=True, kw_only=True)
class ChannelState:
    """What a channel says now, with the roles that are about to change."""

    directory: Path
    root: "Metadata[Root]"
    timestamp: "Metadata[Timestamp]"
    snapshot: "Metadata[Snapshot]"
    roles: "dict[str, Metadata[Targets]]" = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)

    def load(self, name: str, parent: str | None = None) -> "Metadata[Targets]":
        """The current metadata of a role, signed by whom its parent says.

        Raises:
            StoreError: it is damaged or not signed as its parent demands.
        """
        if name not in self.roles:
            version = self.snapshot.signed.meta[f"{name}.json"].version
            loaded = read_metadata(self.directory, f"{version}.{name}.json", "targets")
            check_signed(name, self._delegator(parent), loaded)
            self.roles[name] = loaded
        return self.roles[name]

    def put(
        self, name: str, role: "Targets", signer: "Signer", parent: str | None, now: datetime
    ) -> None:
        """Sign the next version of a role; :meth:`commit` makes it visible.

        Raises:
            StoreError: the channel does not trust this key for this role.
        """
        from weighin.registry.tuf_names import Metadata

        known = self.snapshot.signed.meta.get(f"{name}.json")
        role.version = known.version + 1 if known else 1
        role.expires = now + timedelta(days=ROLE_DAYS)
        check_key(name, self._delegator(parent), signer)
        signed = Metadata(role)
        signed.sign(signer)
        self.roles[name] = signed
        self.changed.append(name)

    def commit(self, signers: ChannelSigners | OnlineSigners, now: datetime) -> None:
        """Write the changed roles, then the snapshot, then the timestamp.

        Raises:
            StoreError: the channel does not trust these keys.
            OSError: something could not be written; clients still see the old state.
        """
        from weighin.registry.tuf_names import MetaFile

        for name in self.changed:
            version = self.roles[name].signed.version
            self._write(f"{name}.json", self.roles[name].to_bytes(), version)
            self.snapshot.signed.meta[f"{name}.json"] = MetaFile(version=version)
        if self.changed or is_half_spent(self.snapshot.signed.expires, ONLINE_DAYS, now):
            self._commit_snapshot(signers.snapshot, now)
        self._commit_timestamp(signers.timestamp, now)
        self.changed.clear()

    def _commit_snapshot(self, signer: "Signer", now: datetime) -> None:
        from weighin.registry.tuf_names import MetaFile

        snapshot = self.snapshot.signed
        snapshot.version += 1
        snapshot.expires = now + timedelta(days=ONLINE_DAYS)
        check_key("snapshot", self.root.signed, signer)
        self.snapshot.sign(signer)
        content = self.snapshot.to_bytes()
        self._write("snapshot.json", content, snapshot.version)
        self.timestamp.signed.snapshot_meta = MetaFile.from_data(
            snapshot.version, content, ["sha256"]
        )

    def _commit_timestamp(self, signer: "Signer", now: datetime) -> None:
        self.timestamp.signed.version += 1
        self.timestamp.signed.expires = now + timedelta(days=ONLINE_DAYS)
        check_key("timestamp", self.root.signed, signer)
        self.timestamp.sign(signer)
        self._write("timestamp.json", self.timestamp.to_bytes())

    def _delegator(self, parent: str | None) -> "Root | Targets":
        return self.root.signed if parent is None else self.roles[parent].signed

    def _write(self, name: str, content: bytes, version: int | None = None) -> None:
        """Write a metadata file; of versioned ones, drop the one that nobody can be reading."""
        folder = self.directory / METADATA_FOLDER
        if version is None:
            write_atomically(folder / name, content)
            return
        write_atomically(folder / f"{version}.{name}", content)
        (folder / f"{version - KEPT_VERSIONS}.{name}").unlink(missing_ok=True)


@contextmanager
def opened(directory: Path) -> Generator[ChannelState]:
    """Hold the channel's lock while its state is looked at or changed.

    Raises:
        StoreError: there is no channel, it is damaged, or it could not be written. What
            clients see has not changed then.
    """
    if not (directory / METADATA_FOLDER / "timestamp.json").is_file():
        raise StoreError(f"{directory}: there is no channel; weighin init makes one")
    try:
        with locked(directory / ".lock"):
            remove_unfinished(directory / METADATA_FOLDER)
            yield _load(directory)
    except OSError as error:
        raise StoreError(
            f"{directory}: the channel could not be written ({error}); "
            "what it offered before is unchanged, so make room and publish again"
        ) from error


def check_signed(name: str, delegator: "Root | Targets", signed: "Metadata[Any]") -> None:
    """Refuse metadata that clients would refuse.

    Raises:
        StoreError: it is not signed by the keys that its delegator names.
    """
    from tuf.api.exceptions import UnsignedMetadataError

    try:
        delegator.verify_delegate(name, signed.signed_bytes, signed.signatures)
    except UnsignedMetadataError as error:
        raise StoreError(
            f"channel role {name}: not signed with the channel's key: {error}"
        ) from error


def check_key(name: str, delegator: "Root | Targets", signer: "Signer") -> None:
    """Refuse to sign what clients would refuse.

    Raises:
        StoreError: the delegator does not name this key, or asks for more than one.
    """
    role = delegator.get_delegated_role(name)
    key = signer.public_key
    if role.threshold != 1 or key.keyid not in role.keyids or delegator.get_key(key.keyid) != key:
        raise StoreError(f"channel role {name}: this key is not the one that the channel trusts")


def read_metadata(directory: Path, file: str, kind: str) -> "Metadata[Any]":
    """Parse one metadata file of the folder; nothing is known about its signature yet.

    Raises:
        StoreError: it is missing or is not this kind of metadata.
    """
    from tuf.api.serialization import DeserializationError

    from weighin.registry.tuf_names import Metadata

    path = directory / METADATA_FOLDER / file
    try:
        parsed: Metadata[Any] = Metadata.from_bytes(path.read_bytes())
    except (FileNotFoundError, DeserializationError) as error:
        raise StoreError(f"{path}: the channel is damaged: {error}") from error
    if parsed.signed.type != kind:
        raise StoreError(f"{path}: the channel is damaged: {parsed.signed.type}, not {kind}")
    return parsed


def is_half_spent(expires: datetime, days: int, now: datetime) -> bool:
    """Whether metadata has lived more than half of its days and should be signed anew."""
    return expires - now < timedelta(days=days) / 2


def _load(directory: Path) -> ChannelState:
    root = read_metadata(directory, f"{_newest_root(directory)}.root.json", "root")
    check_signed("root", root.signed, root)
    timestamp = read_metadata(directory, "timestamp.json", "timestamp")
    check_signed("timestamp", root.signed, timestamp)
    version = timestamp.signed.snapshot_meta.version
    snapshot = read_metadata(directory, f"{version}.snapshot.json", "snapshot")
    check_signed("snapshot", root.signed, snapshot)
    return ChannelState(directory=directory, root=root, timestamp=timestamp, snapshot=snapshot)


def _newest_root(directory: Path) -> int:
    names = (path.name for path in (directory / METADATA_FOLDER).glob("*.root.json"))
    versions = [int(name.partition(".")[0]) for name in names if name[0].isdigit()]
    if not versions:
        raise StoreError(f"{directory}: the channel is damaged: it has no root")
    return max(versions)

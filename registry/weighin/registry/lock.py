"""``model.lock``: which file an app ships, and what was seen of the channel when it was chosen.

It belongs into the app's version control, like any lock file: who may edit it decides what the
app ships. A fresh machine has no memory of a channel; the versions in the lock are that memory,
so that an old state of the channel is refused there too.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from weighin.gates import wire
from weighin.gates.errors import LockMismatch
from weighin.gates.variant import Format
from weighin.registry.files import holds, write_atomically

LOCK_FORMAT = "weighin/lock/v1"


@dataclass(frozen=True, slots=True, kw_only=True)
class LockedFile:
    """The file that was chosen.

    Attributes:
        name: File name in the output folder.
        sha256: Digest of its bytes.
        size_bytes: Its length.
        recipe: Passes that made it.
        format: Which runtime family loads it.
        evidence_sha256: Digest of the signed evidence for this device.
        waived: Metrics whose budgets it does not hold on this device, but that were waived;
            empty for what passed.
        waived_until: When the first of these waivers expires, UTC.
    """

    name: str
    sha256: str
    size_bytes: int
    recipe: str
    format: Format
    evidence_sha256: str
    waived: tuple[str, ...] = ()
    waived_until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenChannel:
    """What was seen of the channel, all of it verified.

    Attributes:
        location: Folder or URL.
        name: Channel name.
        root_version: Version of the newest trusted root.
        root_sha256: Digest of that root's bytes; the pin that trust starts from next time.
        timestamp_version: No lower one is accepted again.
        timestamp_sha256: Digest of its bytes; equal bytes mean that nothing has changed.
        snapshot_version: No lower one is accepted again.
        role_version: Of the model's role; no lower one is accepted again.
        expires_at: When the first of these expires, UTC.
    """

    location: str
    name: str
    root_version: int
    root_sha256: str
    timestamp_version: int
    timestamp_sha256: str
    snapshot_version: int
    role_version: int
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Lock:
    """The whole lock.

    Attributes:
        model: Registered model name.
        version: Model version that was released.
        device: Device profile the choice was made for.
        wanted_format: The format that was asked for, if one was.
        file: The file that was chosen.
        channel: What was seen of the channel.
    """

    model: str
    version: str
    device: str
    wanted_format: Format | None
    file: LockedFile
    channel: SeenChannel


def lock_to_bytes(lock: Lock) -> bytes:
    """Write a lock: fixed order, one field a line, so that a diff shows what changed."""
    file, channel = lock.file, lock.channel
    document = {
        "lock": LOCK_FORMAT,
        "model": lock.model,
        "version": lock.version,
        "device": lock.device,
        "wanted_format": lock.wanted_format.value if lock.wanted_format else None,
        "file": {
            "name": file.name,
            "sha256": file.sha256,
            "size_bytes": file.size_bytes,
            "recipe": file.recipe,
            "format": file.format.value,
            "evidence_sha256": file.evidence_sha256,
            **_waived_to_json(file),
        },
        "channel": {
            "location": channel.location,
            "name": channel.name,
            "root_version": channel.root_version,
            "root_sha256": channel.root_sha256,
            "timestamp_version": channel.timestamp_version,
            "timestamp_sha256": channel.timestamp_sha256,
            "snapshot_version": channel.snapshot_version,
            "role_version": channel.role_version,
            "expires_at": wire.time_to_json(channel.expires_at),
        },
    }
    return json.dumps(document, indent=2, ensure_ascii=False).encode() + b"\n"


def lock_from_bytes(content: bytes) -> Lock:
    """Read what :func:`lock_to_bytes` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    fields = wire.object_of(json.loads(content), "lock")
    wire.only(fields, "lock", *Lock.__dataclass_fields__)
    if fields.get("lock") != LOCK_FORMAT:
        raise ValueError(f"lock: {LOCK_FORMAT} is needed, not {fields.get('lock')!r}")
    wanted = fields.get("wanted_format")
    return Lock(
        model=wire.text_of(fields, "model"),
        version=wire.text_of(fields, "version"),
        device=wire.text_of(fields, "device"),
        wanted_format=None if wanted is None else Format(wire.text_of(fields, "wanted_format")),
        file=_file(wire.object_of(fields.get("file"), "file")),
        channel=_channel(wire.object_of(fields.get("channel"), "channel")),
    )


def read_lock(path: Path) -> Lock | None:
    """The lock at a path; ``None`` if there is none.

    Raises:
        LockMismatch: there is one, but it cannot be understood.
    """
    try:
        return lock_from_bytes(path.read_bytes())
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError) as error:
        raise LockMismatch(
            f"{path}: cannot be understood ({error}); restore it from version control"
        ) from error


def write_lock(path: Path, lock: Lock) -> None:
    """Replace the lock atomically; an equal one is not touched."""
    content = lock_to_bytes(lock)
    if not path.is_file() or path.read_bytes() != content:
        write_atomically(path, content)


def verify(lock_path: Path, directory: Path) -> Lock:
    """Check, without any network, that the folder holds exactly the file that the lock names.

    Raises:
        LockMismatch: there is no lock, or the file is missing or different.
    """
    lock = read_lock(lock_path)
    if lock is None:
        raise LockMismatch(f"{lock_path}: there is no lock; weighin pull writes one")
    path = directory / lock.file.name
    if not path.is_file():
        raise LockMismatch(f"{path}: is missing; run: weighin pull")
    if not holds(path, lock.file.sha256, lock.file.size_bytes):
        raise LockMismatch(
            f"{path}: is not the file that {lock_path.name} names ({lock.file.sha256[:12]}); "
            "somebody changed it. Look at why, then run: weighin pull"
        )
    return lock


def _waived_to_json(file: LockedFile) -> dict[str, object]:
    """Only where something was waived; the metrics are one text, as in the channel."""
    if not file.waived or file.waived_until is None:
        return {}
    until = wire.time_to_json(file.waived_until)
    return {"waived": " ".join(file.waived), "waived_until": until}


def _file(fields: wire.JsonObject) -> LockedFile:
    wire.only(fields, *LockedFile.__dataclass_fields__)
    name = wire.text_of(fields, "name")
    # A lock must never decide that something outside of the output folder is written.
    if not name or PurePosixPath(name).name != name or "\\" in name or name == "..":
        raise ValueError(f"file: a plain file name is needed, not {name!r}")
    return LockedFile(
        name=name,
        sha256=_digest(fields, "sha256"),
        size_bytes=wire.whole_of(fields, "size_bytes"),
        recipe=wire.text_of(fields, "recipe"),
        format=Format(wire.text_of(fields, "format")),
        evidence_sha256=_digest(fields, "evidence_sha256"),
        waived=tuple(wire.text_of(fields, "waived").split()) if "waived" in fields else (),
        waived_until=wire.time_of(fields, "waived_until") if "waived" in fields else None,
    )


def _channel(fields: wire.JsonObject) -> SeenChannel:
    wire.only(fields, *SeenChannel.__dataclass_fields__)
    return SeenChannel(
        location=wire.text_of(fields, "location"),
        name=wire.text_of(fields, "name"),
        root_version=wire.whole_of(fields, "root_version"),
        root_sha256=_digest(fields, "root_sha256"),
        timestamp_version=wire.whole_of(fields, "timestamp_version"),
        timestamp_sha256=_digest(fields, "timestamp_sha256"),
        snapshot_version=wire.whole_of(fields, "snapshot_version"),
        role_version=wire.whole_of(fields, "role_version"),
        expires_at=wire.time_of(fields, "expires_at"),
    )


def _digest(fields: wire.JsonObject, name: str) -> str:
    digest = wire.text_of(fields, name)
    if len(digest) != 64 or not set(digest) <= set("0123456789abcdef"):
        raise ValueError(f"{name}: a sha256 is needed, not {digest!r}")
    return digest

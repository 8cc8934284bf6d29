"""What a pull is asked for, what it answers, and where its files are."""

from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import ConfigError, LockMismatch, NetworkError
from weighin.gates.variant import Format
from weighin.registry.files import copy_atomically, holds
from weighin.registry.lock import Lock


@dataclass(frozen=True, slots=True, kw_only=True)
class PullRequest:
    """What is wanted, from where, to where.

    Attributes:
        model: Registered model name.
        device: Device profile to choose for.
        location: The channel's folder or its http(s) or file URL.
        channel: Channel name.
        output_dir: Where the file goes.
        lock_path: Where ``model.lock`` is.
        cache_dir: Verified files and metadata, shared by all pulls of one user.
        format: Only this format, if given.
        trusted_root: The channel's root, needed until the lock has pinned it.
        trust_on_first_use: Believe whatever root the channel shows first. Unsafe: whoever
            controls the network at that moment controls the channel for ever.
        frozen: Only what the lock says, without any network.
        timeout_s: How long to wait for a connection or the next bytes.
    """

    model: str
    device: str
    location: str
    output_dir: Path
    lock_path: Path
    cache_dir: Path
    channel: str = "stable"
    format: Format | None = None
    trusted_root: Path | None = None
    trust_on_first_use: bool = False
    frozen: bool = False
    timeout_s: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What is in the output folder now.

    Attributes:
        path: The model file.
        lock: What the lock says, as written.
        changed: Whether the file or the lock was written.
        notice: What a person should know although it went well.
    """

    path: Path
    lock: Lock
    changed: bool
    notice: str | None = None


class UnreachableError(NetworkError):
    """Nothing new could be learned about the channel, so an old lock may still do."""


def difference(request: PullRequest, lock: Lock) -> str | None:
    """What the lock was made for that is not what is asked; ``None`` if it answers."""
    asked = (request.model, request.device, request.channel, request.format)
    answered = (lock.model, lock.device, lock.channel.name, lock.wanted_format)
    names = ("model", "device", "channel", "format")
    return next((n for n, a, b in zip(names, asked, answered, strict=True) if a != b), None)


def restore(request: PullRequest, lock: Lock) -> bool:
    """Put the locked file in place from the cache; whether that was needed.

    Raises:
        LockMismatch: neither the folder nor the cache has it.
    """
    if in_place(request, lock):
        return False
    cached = cached_path(request, lock)
    if not holds(cached, lock.file.sha256, lock.file.size_bytes):
        raise LockMismatch(
            f"{output_path(request, lock)}: is not the file that {request.lock_path.name} names, "
            "and the cache does not have it either; pull without --frozen and with a network"
        )
    copy_atomically(cached, output_path(request, lock))
    return True


def in_place(request: PullRequest, lock: Lock) -> bool:
    """Whether the output folder holds the locked file."""
    return holds(output_path(request, lock), lock.file.sha256, lock.file.size_bytes)


def output_path(request: PullRequest, lock: Lock) -> Path:
    """Where the locked file goes."""
    return request.output_dir / lock.file.name


def cached_path(request: PullRequest, lock: Lock) -> Path:
    """Where the cache keeps the locked file."""
    return request.cache_dir / "files" / lock.file.sha256


def base_url(location: str) -> str:
    """The location as a URL: a folder is one too.

    Raises:
        ConfigError: it is neither a folder nor a URL that can be fetched.
    """
    scheme, separator, _ = location.partition("://")
    if not separator:
        return Path(location).absolute().as_uri()
    if scheme not in {"http", "https", "file"}:
        raise ConfigError(f"{location}: a channel is a folder or an http(s) or file URL")
    return location.rstrip("/")

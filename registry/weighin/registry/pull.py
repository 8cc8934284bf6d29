"""Getting the right file for a device into an app: verified, locked, and fast when nothing is new.

    nothing new    the channel's timestamp is, byte for byte, the one the lock was made from
    online         tuf verifies the channel; the best-ranked variant and the lock are written
    offline        the channel cannot be reached, but the lock is still valid
    frozen         the lock decides, without any network

The first and the last do not import tuf: they cost what Python costs.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from weighin.gates.errors import (
    ExpiredError,
    LockMismatch,
    NetworkError,
    PullError,
)
from weighin.registry.files import locked
from weighin.registry.lock import Lock, read_lock
from weighin.registry.request import (
    Pulled,
    PullRequest,
    UnreachableError,
    base_url,
    difference,
    in_place,
    output_path,
    restore,
)

TIMESTAMP_LIMIT_BYTES = 16_384


def pull(request: PullRequest, now: datetime) -> Pulled:
    """Get the best approved file for a device.

    Raises:
        PullError: one of its kinds; the file and the lock are as they were before.
        ConfigError: there is no root to trust, or the location is none.
    """
    try:
        lock = read_lock(request.lock_path)
        if request.frozen:
            return _frozen(request, lock)
        try:
            if lock is not None and _nothing_new(request, lock, now):
                return Pulled(path=output_path(request, lock), lock=lock, changed=False)
            return _online(request, now)
        except UnreachableError as error:
            return _offline(request, lock, now, error)
    except OSError as error:
        raise PullError(f"{request.model}: could not be read or written ({error})") from error


def _online(request: PullRequest, now: datetime) -> Pulled:
    from weighin.registry.look import look, take

    with locked(request.cache_dir / "pull.lock"):
        # Read again: another pull may have written it while we waited.
        lock = read_lock(request.lock_path)
        client, release = look(request, lock, now)
        return take(request, lock, client, release)


def _nothing_new(request: PullRequest, lock: Lock, now: datetime) -> bool:
    if difference(request, lock) or request.location != lock.channel.location:
        return False
    if now >= lock.channel.expires_at or not in_place(request, lock):
        return False
    content = _timestamp_bytes(request)
    return hashlib.sha256(content).hexdigest() == lock.channel.timestamp_sha256


def _timestamp_bytes(request: PullRequest) -> bytes:
    """The channel's timestamp as it is now, unchecked: only for comparing with a known one."""
    try:
        if "://" in request.location:
            return _fetched(f"{base_url(request.location)}/metadata/timestamp.json", request)
        return Path(request.location, "metadata", "timestamp.json").read_bytes()
    except OSError as error:
        raise UnreachableError(
            f"{request.location}: the channel cannot be reached ({error})"
        ) from error


def _fetched(url: str, request: PullRequest) -> bytes:
    from http.client import HTTPException
    from urllib.error import HTTPError
    from urllib.request import urlopen

    try:
        # http(s) or file only: see base_url().
        with urlopen(url, timeout=request.timeout_s) as answer:  # noqa: S310
            content: bytes = answer.read(TIMESTAMP_LIMIT_BYTES)
            return content
    except HTTPError as error:
        error.close()
        return b""  # Not the locked one, whatever it is: the full look says what is wrong.
    except HTTPException as error:
        raise OSError(f"the connection broke: {error}") from error


def _offline(request: PullRequest, lock: Lock | None, now: datetime, error: NetworkError) -> Pulled:
    if lock is None or difference(request, lock):
        raise NetworkError(f"{error}, and no lock answers this request") from error
    if now >= lock.channel.expires_at:
        raise ExpiredError(
            f"{error}, and what {request.lock_path.name} knows of it expired on "
            f"{lock.channel.expires_at:%Y-%m-%d}. Pull again with a network, or use --frozen"
        ) from error
    try:
        changed = restore(request, lock)
    except LockMismatch as missing:
        raise NetworkError(f"{error}, and {missing}") from error
    return Pulled(
        path=output_path(request, lock),
        lock=lock,
        changed=changed,
        notice=f"{error}; used what {request.lock_path.name} says, which is valid until "
        f"{lock.channel.expires_at:%Y-%m-%d}",
    )


def _frozen(request: PullRequest, lock: Lock | None) -> Pulled:
    if lock is None:
        raise LockMismatch(f"{request.lock_path}: there is no lock; pull once without --frozen")
    if asked := difference(request, lock):
        raise LockMismatch(
            f"{request.lock_path}: was made for another {asked}; pull without --frozen"
        )
    return Pulled(path=output_path(request, lock), lock=lock, changed=restore(request, lock))

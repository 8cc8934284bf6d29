"""The online part of a pull: what a channel offers, and taking the best of it.

Whatever is refused here is refused before the output folder or the lock is touched.
"""

import hashlib
from datetime import datetime
from pathlib import Path

from weighin.gates.errors import (
    ConfigError,
    EvidenceError,
    IntegrityError,
    LockMismatch,
    NetworkError,
    NothingApproved,
    RollbackError,
)
from weighin.gates.evidence import statement_about_file
from weighin.registry import release as naming
from weighin.registry.client import ChannelClient, fetch_root
from weighin.registry.files import holds
from weighin.registry.lock import Lock, LockedFile, SeenChannel, write_lock
from weighin.registry.release import Approval, Release, ReleasedVariant
from weighin.registry.request import (
    Pulled,
    PullRequest,
    UnreachableError,
    base_url,
    cached_path,
    difference,
    output_path,
    restore,
)


def look(request: PullRequest, lock: Lock | None, now: datetime) -> tuple[ChannelClient, Release]:
    """Verify the channel as far as one model needs it.

    Raises:
        UnreachableError: nothing new could be learned.
        PullError: the channel is not to be trusted, or offers nothing for this model.
        ConfigError: there is no root to trust.
    """
    url = base_url(request.location)
    key = hashlib.sha256(url.encode()).hexdigest()[:16]
    metadata_dir = request.cache_dir / "metadata" / key
    try:
        root = _trusted_root(request, lock, metadata_dir)
        client = ChannelClient(
            base_url=url,
            metadata_dir=metadata_dir,
            root=root,
            now=now,
            timeout_s=request.timeout_s,
        )
        release = client.look(request.channel, request.model)
    except NetworkError as error:
        raise UnreachableError(str(error)) from error
    if lock is not None:
        _refuse_older(lock, client.seen(request.location, request.channel, request.model), request)
    if release is None:
        raise NothingApproved(
            f"{request.model}: channel {request.channel} at {request.location} offers nothing "
            "for this model; publish it with: weighin promote"
        )
    return client, release


def _trusted_root(request: PullRequest, lock: Lock | None, metadata_dir: Path) -> bytes:
    """The root that trust starts from: the lock's pin, else the given file, else on request."""
    url = base_url(request.location)
    given = _given_root(request)
    if lock is None:
        if given is None and not request.trust_on_first_use:
            raise ConfigError(
                f"{request.location}: no root to trust. Give the channel's root.json (from who "
                "runs it, not from the channel) with --root"
            )
        return fetch_root(url, 1, request.timeout_s) if given is None else given
    pin, version = lock.channel.root_sha256, lock.channel.root_version
    if given is not None and hashlib.sha256(given).hexdigest() == pin:
        return given
    cached = metadata_dir / "root_history" / f"{version}.root.json"
    if cached.is_file() and hashlib.sha256(content := cached.read_bytes()).hexdigest() == pin:
        return content
    content = fetch_root(url, version, request.timeout_s)
    if hashlib.sha256(content).hexdigest() != pin:
        raise IntegrityError(
            f"{request.location}: its root is not the one that {request.lock_path.name} pins. "
            "If the channel was created anew, delete the lock and give its new root"
        )
    return content


def _given_root(request: PullRequest) -> bytes | None:
    if request.trusted_root is None:
        return None
    try:
        return request.trusted_root.read_bytes()
    except OSError as error:
        raise ConfigError(f"{request.trusted_root}: the root cannot be read: {error}") from error


def _refuse_older(lock: Lock, seen: SeenChannel, request: PullRequest) -> None:
    known = lock.channel
    pairs = [
        ("timestamp", known.timestamp_version, seen.timestamp_version),
        ("snapshot", known.snapshot_version, seen.snapshot_version),
    ]
    if seen.role_version and (lock.model, known.name) == (request.model, seen.name):
        pairs.append((f"the role of {lock.model}", known.role_version, seen.role_version))
    for what, before, now in pairs:
        if now < before:
            raise RollbackError(
                f"{request.location}: offers {what} version {now}, but {request.lock_path.name} "
                f"has seen {before}. An old copy was restored, or somebody rolls it back"
            )


def take(
    request: PullRequest, lock: Lock | None, client: ChannelClient, release: Release
) -> Pulled:
    """Fetch the best variant, put it in place, then write the lock.

    Raises:
        PullError: nothing is approved, or what is offered is not what was signed.
    """
    variant, approval = _best(request, release)
    seen = client.seen(request.location, request.channel, request.model)
    new = Lock(
        model=release.model,
        version=release.version,
        device=request.device,
        wanted_format=request.format,
        file=LockedFile(
            name=f"{naming.slug(release.model)}{variant.format.suffix}",
            sha256=variant.sha256,
            size_bytes=variant.size_bytes,
            recipe=variant.recipe,
            format=variant.format,
            evidence_sha256=approval.evidence_sha256,
            waived=approval.waived,
            waived_until=approval.waived_until,
        ),
        channel=seen,
    )
    _refuse_rewritten(request, lock, new)
    _check_evidence(request, client, new)
    kept = cached_path(request, new)
    if not holds(kept, variant.sha256, variant.size_bytes):
        path = naming.variant_path(request.channel, release, variant)
        client.download(request.channel, request.model, path, variant.sha256, kept)
    written = restore(request, new)
    write_lock(request.lock_path, new)
    return Pulled(path=output_path(request, new), lock=new, changed=written or new != lock)


def _best(request: PullRequest, release: Release) -> tuple[ReleasedVariant, Approval]:
    variant = release.best_for(request.device, request.format)
    approval = variant.approval_for(request.device) if variant else None
    if variant is None or approval is None:
        kind = f" as {request.format}" if request.format else ""
        raise NothingApproved(
            f"{release.model} v{release.version}: nothing{kind} is approved for device "
            f"{request.device}; approved devices: {', '.join(release.devices)}"
        )
    return variant, approval


def _refuse_rewritten(request: PullRequest, lock: Lock | None, new: Lock) -> None:
    """The same version of the same role cannot offer two files: somebody changed the lock."""
    if lock is None or difference(request, lock):
        return
    if lock.channel.role_version == new.channel.role_version and lock.file != new.file:
        raise LockMismatch(
            f"{request.lock_path}: names a file ({lock.file.sha256[:12]}) that the channel never "
            f"offered in that version ({new.file.sha256[:12]}); somebody changed the lock. "
            "Restore it from version control, or delete it to lock anew"
        )


def _check_evidence(request: PullRequest, client: ChannelClient, new: Lock) -> None:
    """The evidence is offered, has the digest that the variant names, and speaks of this file."""
    digest = new.file.evidence_sha256
    path = naming.evidence_path(request.channel, request.model, digest)
    kept = request.cache_dir / "evidence" / f"{digest}.json"
    client.download(request.channel, request.model, path, digest, kept)
    try:
        about = statement_about_file(kept.read_bytes())
    except EvidenceError as error:
        raise IntegrityError(f"{path}: {error}") from error
    if about != (new.file.sha256, request.device):
        raise IntegrityError(
            f"{path}: the evidence speaks of another file or device ({about[0][:12]}, {about[1]})"
        )

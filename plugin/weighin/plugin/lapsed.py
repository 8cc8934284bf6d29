"""What the channel still offers although what it rests on is over: evidence or a waiver.

A release is not taken back when its evidence expires; apps that have it keep it. Somebody should
know all the same. What this module does not do: it weighs, promotes and withdraws nothing.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from weighin.gates.errors import EvidenceError, StoreError
from weighin.gates.evidence import open_statement
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.project import Project
from weighin.registry.channel import current_release
from weighin.registry.channel_state import TARGETS_FOLDER
from weighin.registry.release import Approval, Release, evidence_path

if TYPE_CHECKING:
    from weighin.gates.signing import Key


def lapsed(project: Project, now: datetime) -> tuple[str, ...]:
    """A sentence for every released file and device that nobody vouches for any more.

    Args:
        project: Its channel, its configured models and its trusted keys.
        now: The time, UTC.

    Raises:
        ConfigError: a trusted key is missing.
        StoreError: the channel cannot be read.
    """
    keys, channel = trusted_keys(project), project.config.channel.name
    offered = (current_release(project.channel, channel, model) for model in project.config.models)
    return tuple(
        sentence
        for release in offered
        if release is not None
        for sentence in _of_release(project, release, keys, now)
    )


def _of_release(
    project: Project, release: Release, keys: tuple["Key", ...], now: datetime
) -> Iterator[str]:
    said = f"{release.model}/{release.version}"
    for variant in release.variants:
        for approval in variant.approvals:
            about = f"{said} is released as {variant.label} on {approval.device}"
            if approval.waived_until is not None and approval.waived_until <= now:
                metrics = ", ".join(approval.waived)
                yield (
                    f"{about} by a waiver of {metrics} that expired on "
                    f"{approval.waived_until:%Y-%m-%d}: waive it anew and promote again, or "
                    "release a version that passes"
                )
            elif why := _over(project, release, approval, keys, now):
                yield f"{about}, but {why}; weighin run {said} and promote it again"


def _over(
    project: Project,
    release: Release,
    approval: Approval,
    keys: tuple["Key", ...],
    now: datetime,
) -> str:
    """Why its evidence does not hold; empty if it does."""
    try:
        envelope = _kept(project, release, approval)
        statement = open_statement(envelope, keys).statement
    except (EvidenceError, StoreError) as error:
        return str(error)
    if statement.expires_at <= now:
        return f"its evidence expired on {statement.expires_at:%Y-%m-%d}"
    return ""


def _kept(project: Project, release: Release, approval: Approval) -> bytes:
    digest = approval.evidence_sha256
    path = evidence_path(project.config.channel.name, release.model, digest)
    folder, _, name = path.rpartition("/")
    try:
        return (project.channel / TARGETS_FOLDER / folder / f"{digest}.{name}").read_bytes()
    except OSError as error:
        raise StoreError(f"the channel has lost its evidence ({error.strerror})") from error

"""Promotion: from verified evidence to the channel and to MLflow.

Believes signatures and files, never a report. Nothing is published when anything about the
evidence is wrong. Waivers let through what people let go; one that does not hold does nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from weighin.gates.errors import EvidenceError, WeighinError
from weighin.plugin.event import Registration
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.mark import Conclusion, read_mark
from weighin.plugin.mlflow_publish import ReleasedFile, publish_release
from weighin.plugin.mlflow_store import Connection, connect, find_version, is_unmade
from weighin.plugin.planning import data_paths, plan_for
from weighin.plugin.project import Project, sole_worker
from weighin.plugin.promote_policy import check_about, policy_of, verified, waivers_with
from weighin.plugin.released import remember_release
from weighin.plugin.results import load_evidence, load_weigh_in, weigh_in_folder
from weighin.registry.channel import Publication, current_release, publish
from weighin.registry.fetch import fetch_missing
from weighin.registry.keys import load_dev_signers
from weighin.registry.promotion import (
    Policy,
    Proof,
    fleet_objection,
    gaps,
    promote,
    stale,
    waivers_of,
)
from weighin.registry.release import Approval, Release, ReleasedVariant


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What was released, and what a person should know beside it.

    Attributes:
        release: What the channel offers now; without variants when nothing passed or was waived.
        notes: What was left out or let through, and why.
        changed: Whether the channel offered something else before.
    """

    release: Release
    notes: tuple[str, ...]
    changed: bool = False


def promote_version(
    project: Project,
    name: str,
    version: str,
    *,
    folder: Path | None = None,
    unregistered: bool = False,
) -> Promotion:
    """Release what passed or was waived of one version; empty when there is nothing.

    Args:
        project: Whose keys, plan and channel count.
        name: Registered model name.
        version: Registered model version.
        folder: Where its evidence is; where its weigh-in is found if not given.
        unregistered: Whether it may be released where there is no registry to ask, because a
            merge vouches for it: only where the registry is an SQLite file that does not exist.

    Raises:
        EvidenceError: the evidence is missing, or does not verify, match or hold any more.
        StoreError: the channel could not be read or written; it offers what it offered before.
        RegistryError: MLflow could not be read, and nothing was released; or the channel has
            the release, but MLflow could not be told, and doing it again tells it.
    """
    now = datetime.now(UTC)
    where = folder or weigh_in_folder(project, name, version)
    with sole_worker(project):
        envelopes = load_evidence(where)
        proofs = verified(envelopes, trusted_keys(project), now)
        check_about(proofs, name, version)
        fetch_missing(project.root, _needed(project, name, proofs))
        offered = current_release(project.channel, project.config.channel.name, name)
        waivers = waivers_with(project, where, proofs, now)
        plan = plan_for(project, name)
        policy = policy_of(project, plan, proofs, offered, now, waivers.waivers)
        release = promote(proofs, policy)
        changed, told = False, ()
        if release.variants:
            home = _registered(project, name, version, plan.digest, unregistered=unregistered)
            changed = _publish(project, release, proofs, envelopes, now)
            told = _tell_mlflow(project, home, release, proofs)
        forgotten = _remember(project, name, version) if release.variants else ()
    known = _reported(where)
    short = fleet_objection(proofs, policy)
    notes = (
        *(() if short is None else (short,)),
        *gaps(proofs, policy, known),
        *stale(proofs, policy),
        *waivers.notes,
        *_let_through(proofs, policy, release),
        *told,
        *forgotten,
    )
    return Promotion(release=release, notes=notes, changed=changed)


def _needed(project: Project, name: str, proofs: tuple[Proof, ...]) -> tuple[str, ...]:
    """The files that a promotion looks at: variants by their evidence, and the model's data."""
    variants = {proof.statement.variant.path for proof in proofs}
    data = (path.relative_to(project.root) for path in data_paths(project, name).values())
    return (*sorted(variants), *(path.as_posix() for path in data))


def _let_through(proofs: tuple[Proof, ...], policy: Policy, release: Release) -> tuple[str, ...]:
    """A sentence for each budget that a release does not hold."""
    offered = {a.evidence_sha256 for v in release.variants for a in v.approvals}
    return tuple(
        f"{p.statement.variant.label} on {p.statement.device} did not pass: "
        f"{check.budget.metric} is {check.outcome} ({check.reason}), waived by {waiver.by} until "
        f"{waiver.expires_at:%Y-%m-%d}: {waiver.reason}"
        for p in proofs
        if p.envelope_sha256 in offered
        for check, waiver in waivers_of(p.statement, policy)
    )


def _remember(project: Project, name: str, version: str) -> tuple[str, ...]:
    """Keep what the data looked like; a report that cannot be read takes back no release."""
    try:
        remember_release(project, name, version)
    except WeighinError as error:
        return (f"the next weigh-in's data is not compared with this one's: {error}",)
    return ()


def _reported(folder: Path) -> tuple[str, ...]:
    """The variants that the report speaks of: only to say what evidence is missing."""
    try:
        return tuple(result.variant.label for result in load_weigh_in(folder).results)
    except WeighinError:
        return ()  # the evidence alone decides, and it was there


@dataclass(frozen=True, slots=True, kw_only=True)
class _Registered:
    """The version in MLflow, and the run that holds its report."""

    connection: Connection
    registration: Registration
    run_id: str


def _registered(
    project: Project, name: str, version: str, plan_digest: str, *, unregistered: bool
) -> _Registered | None:
    """The version as MLflow knows it; ``None`` where there is no MLflow, and that is allowed."""
    if unregistered and is_unmade(project.registry_uri):
        return None
    connection = connect(project.tracking_uri, project.registry_uri)
    registration = find_version(connection, name, version)
    run_id = _report_run(registration, plan_digest)
    return _Registered(connection=connection, registration=registration, run_id=run_id)


def _report_run(registration: Registration, plan_digest: str) -> str:
    """The MLflow run of the weigh-in; a version registered anew under this number has none.

    Raises:
        EvidenceError: MLflow knows no finished weigh-in of this very version and plan.
    """
    mark = read_mark(registration)
    finished = mark is not None and mark.conclusion is not Conclusion.REFUSED
    if mark is None or not finished or mark.plan_digest != plan_digest:
        raise EvidenceError(
            f"MLflow has no finished weigh-in of today's plan for {registration.label}; "
            f"run `weighin run {registration.label}`"
        )
    return mark.report


def _publish(
    project: Project,
    release: Release,
    proofs: tuple[Proof, ...],
    envelopes: Mapping[str, bytes],
    now: datetime,
) -> bool:
    by_digest = {hashlib.sha256(e).hexdigest(): e for e in envelopes.values()}
    needed = {a.evidence_sha256 for v in release.variants for a in v.approvals}
    publication = Publication(
        channel=project.config.channel.name,
        release=release,
        files={p.statement.variant.sha256: project.root / p.statement.variant.path for p in proofs},
        evidence={digest: by_digest[digest] for digest in sorted(needed)},
    )
    return publish(project.channel, publication, load_dev_signers(project.keys), now)


def _tell_mlflow(
    project: Project, home: _Registered | None, release: Release, proofs: tuple[Proof, ...]
) -> tuple[str, ...]:
    """Register what was released; a sentence where there is no registry to do it in."""
    if home is None:
        where = project.registry_uri
        return (f"MLflow was not told: there is no registry on this machine ({where})",)
    paths = {p.statement.variant.sha256: p.statement.variant.path for p in proofs}
    ranked = sorted(release.variants, key=_place)
    files = tuple(
        ReleasedFile(
            label=variant.label,
            recipe=variant.recipe,
            sha256=variant.sha256,
            path=project.root / paths[variant.sha256],
            devices=tuple(_device(approval) for approval in variant.approvals),
        )
        for variant in ranked
    )
    channel = project.config.channel.name
    publish_release(home.connection, home.registration, home.run_id, files, channel)
    return ()


def _place(variant: ReleasedVariant) -> tuple[bool, int, str]:
    """What passed somewhere comes before what was waived everywhere."""
    ranks = [(bool(a.waived), a.rank) for a in variant.approvals]
    return *min(ranks), variant.label


def _device(approval: Approval) -> str:
    waived = " and ".join(approval.waived)
    return f"{approval.device} (waived: {waived})" if waived else approval.device

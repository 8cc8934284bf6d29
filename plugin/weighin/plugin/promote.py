"""Promotion: from verified evidence to the channel and to MLflow.

Believes signatures and files, never a report. Nothing is published when anything about the
evidence is wrong.
"""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.belief import Moment
from weighin.gates.digest import sha256_of
from weighin.gates.errors import EvidenceError, WeighinError
from weighin.gates.evidence import verify_statement
from weighin.plugin.event import Registration
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.mark import Conclusion, read_mark
from weighin.plugin.mlflow_publish import ReleasedFile, publish_release
from weighin.plugin.mlflow_store import Connection, connect, find_version
from weighin.plugin.plan import Plan
from weighin.plugin.planning import plan_for
from weighin.plugin.project import Project, sole_worker
from weighin.plugin.released import remember_release
from weighin.plugin.results import load_evidence, load_weigh_in
from weighin.plugin.tools import weighing_tools
from weighin.registry.channel import Publication, current_release, publish
from weighin.registry.keys import load_dev_signers
from weighin.registry.promotion import Policy, Proof, fleet_objection, gaps, promote, stale
from weighin.registry.release import Release

if TYPE_CHECKING:
    from weighin.gates.signing import Key


@dataclass(frozen=True, slots=True, kw_only=True)
class Promotion:
    """What was released, and what a person should know beside it.

    Attributes:
        release: What the channel offers now; without variants when nothing passed.
        notes: What was left out, and why.
    """

    release: Release
    notes: tuple[str, ...]


def promote_version(project: Project, name: str, version: str) -> Promotion:
    """Release what passed of one version; the release is empty when nothing did.

    Raises:
        EvidenceError: the evidence is missing, or does not verify, match or hold any more.
        StoreError: the channel could not be read or written; it offers what it offered before.
        RegistryError: MLflow could not be read, and nothing was released; or the channel has
            the release, but MLflow could not be told, and doing it again tells it.
    """
    now = datetime.now(UTC)
    with sole_worker(project):
        envelopes = load_evidence(project.results(name, version))
        proofs = verified(envelopes, trusted_keys(project), now)
        check_about(proofs, name, version)
        offered = current_release(project.channel, project.config.channel.name, name)
        policy = policy_of(project, plan_for(project, name), proofs, offered, now)
        release = promote(proofs, policy)
        if release.variants:
            connection = connect(project.tracking_uri, project.registry_uri)
            registration = find_version(connection, name, version)
            run_id = _report_run(registration, policy.plan_digest)
            _publish(project, release, proofs, envelopes, now)
            _tell_mlflow(project, connection, registration, run_id, release, proofs)
        forgotten = _remember(project, name, version) if release.variants else ()
    known = _reported(project.results(name, version))
    short = fleet_objection(proofs, policy)
    held = () if short is None else (short,)
    notes = (*held, *gaps(proofs, policy, known), *stale(proofs, policy), *forgotten)
    return Promotion(release=release, notes=notes)


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


def verified(
    envelopes: Mapping[str, bytes], keys: Collection["Key"], now: datetime
) -> tuple[Proof, ...]:
    """Every statement, after its signature, shape and dates were checked.

    Raises:
        EvidenceError: names the file, and what does not hold.
    """
    proofs: list[Proof] = []
    for name, envelope in envelopes.items():
        try:
            statement = verify_statement(envelope, keys, now)
        except EvidenceError as error:
            raise EvidenceError(f"{name}: {error}") from error
        digest = hashlib.sha256(envelope).hexdigest()
        proofs.append(Proof(statement=statement, envelope_sha256=digest))
    return tuple(proofs)


def check_about(proofs: tuple[Proof, ...], name: str, version: str) -> None:
    """Evidence of one version must not be filed under another.

    Raises:
        EvidenceError: it is.
    """
    for proof in proofs:
        said = (proof.statement.model, proof.statement.version)
        if said != (name, version):
            raise EvidenceError(
                f"the evidence kept for {name}/{version} speaks of {said[0]}/{said[1]}; "
                f"run `weighin run {name}/{version} --again`"
            )


def policy_of(
    project: Project,
    plan: Plan,
    proofs: Collection[Proof],
    offered: Release | None,
    now: datetime,
) -> Policy:
    """What evidence is held against: today's plan, and the files as they are on disk."""
    config = project.config
    paths = {proof.statement.variant.path for proof in proofs}
    existing = {path for path in paths if (project.root / path).is_file()}
    return Policy(
        plan_digest=plan.digest,
        data=plan.data,
        tools=weighing_tools(),
        budgets={target.device: target.budgets for target in plan.targets},
        artifacts={path: sha256_of(project.root / path) for path in sorted(existing)},
        offered=offered,
        moment=Moment(
            now=now,
            max_age=timedelta(days=config.evidence.valid_days),
            confidence=config.gate.confidence,
        ),
        fleet=plan.fleet,
    )


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
    envelopes: dict[str, bytes],
    now: datetime,
) -> None:
    by_digest = {hashlib.sha256(e).hexdigest(): e for e in envelopes.values()}
    needed = {a.evidence_sha256 for v in release.variants for a in v.approvals}
    publication = Publication(
        channel=project.config.channel.name,
        release=release,
        files={p.statement.variant.sha256: project.root / p.statement.variant.path for p in proofs},
        evidence={digest: by_digest[digest] for digest in sorted(needed)},
    )
    publish(project.channel, publication, load_dev_signers(project.keys), now)


def _tell_mlflow(
    project: Project,
    connection: Connection,
    registration: Registration,
    run_id: str,
    release: Release,
    proofs: tuple[Proof, ...],
) -> None:
    paths = {p.statement.variant.sha256: p.statement.variant.path for p in proofs}
    ranked = sorted(release.variants, key=lambda v: (min(a.rank for a in v.approvals), v.label))
    files = tuple(
        ReleasedFile(
            label=variant.label,
            recipe=variant.recipe,
            sha256=variant.sha256,
            path=project.root / paths[variant.sha256],
            devices=tuple(a.device for a in variant.approvals),
        )
        for variant in ranked
    )
    publish_release(connection, registration, run_id, files, project.config.channel.name)

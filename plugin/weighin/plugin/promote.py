"""Promotion: from verified evidence to the channel and to MLflow.

Believes signatures and files, never a report. Nothing is published when anything about the
evidence is wrong.
"""

import hashlib
from datetime import UTC, datetime, timedelta

from weighin.gates.digest import sha256_of
from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import verify_statement
from weighin.gates.judge import Moment
from weighin.plugin.config import Config
from weighin.plugin.mark import Conclusion, read_mark
from weighin.plugin.mlflow_publish import ReleasedFile, publish_release
from weighin.plugin.mlflow_store import Connection, connect, find_version
from weighin.plugin.project import Project, sole_worker
from weighin.plugin.released import remember_release
from weighin.plugin.results import load_evidence
from weighin.registry.channel import Publication, publish
from weighin.registry.keys import KeyRole, load_dev_signers, load_public_key
from weighin.registry.promotion import Policy, Proof, promote
from weighin.registry.release import Release


def promote_version(project: Project, name: str, version: str) -> Release:
    """Release what passed of one version; the release is empty when nothing did.

    Raises:
        EvidenceError: the evidence is missing, or does not verify, match or hold any more.
        StoreError: the channel could not be written; it offers what it offered before.
        RegistryError: the channel has the release, but MLflow could not be told; run it again.
    """
    now = datetime.now(UTC)
    with sole_worker(project):
        envelopes = load_evidence(project.results(name, version))
        proofs = _verified(project, envelopes, now)
        _check_about(proofs, name, version)
        release = promote(proofs, _policy(project, name, proofs, now))
        if release.variants:
            _publish(project, release, proofs, envelopes, now)
            remember_release(project, name, version)
            connection = connect(project.tracking_uri, project.registry_uri)
            _tell_mlflow(project, connection, release, proofs)
    return release


def _verified(project: Project, envelopes: dict[str, bytes], now: datetime) -> tuple[Proof, ...]:
    keys = (load_public_key(project.keys / f"{KeyRole.EVIDENCE}.pub.json"),)
    return tuple(
        Proof(
            statement=verify_statement(envelope, keys, now),
            envelope_sha256=hashlib.sha256(envelope).hexdigest(),
        )
        for envelope in envelopes.values()
    )


def _check_about(proofs: tuple[Proof, ...], name: str, version: str) -> None:
    """Evidence of one version must not be filed under another."""
    for proof in proofs:
        said = (proof.statement.model, proof.statement.version)
        if said != (name, version):
            raise EvidenceError(
                f"the evidence kept for {name}/{version} speaks of {said[0]}/{said[1]}; "
                f"run `weighin run {name}/{version} --again`"
            )


def _policy(project: Project, name: str, proofs: tuple[Proof, ...], now: datetime) -> Policy:
    config: Config = project.config
    devices = config.model(name).devices
    paths = {proof.statement.variant.path for proof in proofs}
    existing = {path for path in paths if (project.root / path).is_file()}
    return Policy(
        budgets={device: config.budgets_for(name, device) for device in devices},
        artifacts={path: sha256_of(project.root / path) for path in sorted(existing)},
        moment=Moment(now=now, max_age=timedelta(days=config.evidence.valid_days)),
    )


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
    project: Project, connection: Connection, release: Release, proofs: tuple[Proof, ...]
) -> None:
    registration = find_version(connection, release.model, release.version)
    mark = read_mark(registration)
    if mark is None or mark.conclusion is not Conclusion.PASSED:
        raise EvidenceError(
            f"MLflow has no finished weigh-in for {registration.label}; "
            f"run `weighin run {registration.label}`"
        )
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
    publish_release(connection, registration, mark.report, files, project.config.channel.name)

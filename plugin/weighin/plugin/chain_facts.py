"""Collects what `weighin report --verify` looks at: files, keys, the registry, the channel.

What this module does not do: it judges nothing (:mod:`weighin.registry.chain` does), and it
changes nothing. What cannot be had becomes a reason, so that every other link is still looked at.
"""

import hashlib
import json
import tempfile
from collections.abc import Collection, Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.digest import sha256_of
from weighin.gates.errors import (
    DataError,
    EvidenceError,
    RegistryError,
    StoreError,
    WeighinError,
)
from weighin.gates.evidence import open_statement
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.mlflow_store import connect, download, find_version
from weighin.plugin.pipeline import model_folder
from weighin.plugin.plan import make_plan
from weighin.plugin.planning import plan_for
from weighin.plugin.project import Project
from weighin.plugin.promote_policy import policy_of, waivers_with
from weighin.plugin.results import REPORT_JSON, load_evidence, load_weigh_in, weigh_in_folder
from weighin.plugin.source import content_digest
from weighin.registry.chain_records import Facts, ReportFile
from weighin.registry.channel import current_release
from weighin.registry.promotion import Policy, Proof
from weighin.registry.release import Release

if TYPE_CHECKING:
    from weighin.gates.signing import Key


def collect(project: Project, name: str, version: str, now: datetime) -> Facts:
    """Everything that the chain of one version is made of, as it is at this moment.

    Raises:
        ConfigError: the configuration does not describe the model, or a trusted key is missing.
    """
    folder = weigh_in_folder(project, name, version)
    envelopes, keys = load_evidence(folder), trusted_keys(project)
    proofs = _proofs(envelopes.values(), keys)
    offered, channel_problem = _offered(project, name)
    waivers = waivers_with(project, folder, proofs, now)
    policy, no_plan = _policy(project, name, proofs, offered, now)
    policy = replace(policy, waivers=waivers.waivers)
    source, source_problem = _source(project, name, version)
    report, report_problem = _report(folder)
    return Facts(
        model=name,
        version=version,
        envelopes=envelopes,
        keys=keys,
        policy=policy,
        no_plan=no_plan,
        data_files=_data_files(project.root, proofs),
        source_digest=source,
        source_problem=source_problem,
        report=report,
        report_problem=report_problem,
        channel=project.config.channel.name,
        offered=offered,
        channel_problem=channel_problem,
        waiver_problems=waivers.refused,
    )


def _proofs(envelopes: Iterable[bytes], keys: Collection["Key"]) -> tuple[Proof, ...]:
    """What verifies so far; the chain itself says what does not, and why."""
    proofs: list[Proof] = []
    for envelope in envelopes:
        try:
            statement = open_statement(envelope, keys).statement
        except EvidenceError:
            continue
        digest = hashlib.sha256(envelope).hexdigest()
        proofs.append(Proof(statement=statement, envelope_sha256=digest))
    return tuple(proofs)


def _policy(
    project: Project,
    name: str,
    proofs: tuple[Proof, ...],
    offered: Release | None,
    now: datetime,
) -> tuple[Policy, str]:
    """What evidence is held against; without its data a model has budgets, but no plan."""
    try:
        return policy_of(project, plan_for(project, name), proofs, offered, now), ""
    except DataError as error:
        unfinished = make_plan(project.config, name, (), {})
        return policy_of(project, replace(unfinished, digest=""), proofs, offered, now), str(error)


def _data_files(root: Path, proofs: tuple[Proof, ...]) -> dict[str, str]:
    paths = {data.path for proof in proofs for data in proof.statement.data}
    return {path: sha256_of(root / path) for path in sorted(paths) if (root / path).is_file()}


def _source(project: Project, name: str, version: str) -> tuple[str, str]:
    """Digest of the files that the registry gives out now; no copy of ours is believed."""
    project.work.mkdir(parents=True, exist_ok=True)
    try:
        connection = connect(project.tracking_uri, project.registry_uri)
        registration = find_version(connection, name, version)
        with tempfile.TemporaryDirectory(dir=project.work) as folder:
            download(connection, registration, Path(folder))
            return content_digest(model_folder(Path(folder))), ""
    except RegistryError as error:
        return "", f"the registered files cannot be read: {error}"


def _report(folder: Path) -> tuple[ReportFile | None, str]:
    path = folder / REPORT_JSON
    try:
        weigh_in = load_weigh_in(folder)
        content = path.read_bytes()
        document: object = json.loads(content)
    except (WeighinError, OSError, ValueError) as error:
        return None, str(error)
    digest = hashlib.sha256(content).hexdigest()
    return ReportFile(weigh_in=weigh_in, document=document, sha256=digest), ""


def _offered(project: Project, name: str) -> tuple[Release | None, str]:
    try:
        return current_release(project.channel, project.config.channel.name, name), ""
    except StoreError as error:
        return None, str(error)

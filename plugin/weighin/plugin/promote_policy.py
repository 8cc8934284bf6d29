"""What evidence is held against when it is promoted or looked at: keys, plan, files, waivers.

Shared by promotion and by the chain, which shows what promotion would believe. What this module
does not do: it releases nothing, and changes nothing.
"""

import hashlib
from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.belief import Moment
from weighin.gates.digest import sha256_of
from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import verify_statement
from weighin.gates.waiver import Waiver
from weighin.gates.waiver_wire import looked_at
from weighin.plugin.plan import Plan
from weighin.plugin.project import Project
from weighin.plugin.tools import weighing_tools
from weighin.plugin.waivers import Believed, kept_waivers
from weighin.registry.promotion import Policy, Proof
from weighin.registry.release import Release

if TYPE_CHECKING:
    from weighin.gates.signing import Key


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
    waivers: tuple[Waiver, ...] = (),
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
        waivers=waivers,
    )


def waivers_with(
    project: Project, folder: Path, proofs: tuple[Proof, ...], now: datetime
) -> Believed:
    """The waivers kept with evidence; nobody looked at evidence of several reports.

    Raises:
        ConfigError: a trusted key is missing.
    """
    looked = {looked_at(proof.statement) for proof in proofs}
    if len(looked) != 1:
        return Believed()
    return kept_waivers(project, folder, looked.pop(), now)

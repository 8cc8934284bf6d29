"""One signed statement per variant and device, as files."""

from datetime import timedelta

from weighin.gates.evidence import Statement, sign_statement
from weighin.gates.judge import Verdict
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.project import Project
from weighin.registry.keys import KeyRole, load_signer


def sign_all(project: Project, weigh_in: WeighIn) -> dict[str, bytes]:
    """Sign what was measured: an envelope per variant and device, by file name.

    Raises:
        ConfigError: the evidence key is missing.
    """
    signer = load_signer(str(project.keys / f"{KeyRole.EVIDENCE}.pem"))
    valid = timedelta(days=project.config.evidence.valid_days)
    return {
        f"{result.variant.label}@{verdict.subject.device}.json": sign_statement(
            _statement(weigh_in, result, verdict, valid), signer
        )
        for result in weigh_in.results
        for verdict in result.verdicts
    }


def _statement(weigh_in: WeighIn, result: Result, verdict: Verdict, valid: timedelta) -> Statement:
    return Statement(
        model=weigh_in.model,
        version=weigh_in.version,
        source_digest=weigh_in.source_digest,
        plan_digest=weigh_in.plan_digest,
        variant=result.variant,
        device=verdict.subject.device,
        runtime=verdict.subject.runtime,
        data=weigh_in.data,
        readings=tuple(reading for check in verdict.checks for reading in check.readings),
        budgets=tuple(check.budget for check in verdict.checks),
        issued_at=weigh_in.finished_at,
        expires_at=weigh_in.finished_at + valid,
    )

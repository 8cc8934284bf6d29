"""One signed statement per variant and device, as files."""

import os
from datetime import timedelta

from weighin.gates.evidence import Statement, sign_statement
from weighin.gates.judge import Verdict
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.config import Config
from weighin.plugin.evidence_keys import evidence_signer, signing
from weighin.plugin.project import Project
from weighin.plugin.tools import Pairs, weighing_tools


def sign_all(project: Project, weigh_in: WeighIn) -> dict[str, bytes]:
    """Sign what was measured: an envelope per variant and device, by file name.

    Raises:
        ConfigError: the evidence key is missing, or does not sign.
    """
    signer, tools = evidence_signer(project, os.environ), weighing_tools()
    with signing():
        return {
            file_name(result.variant.label, verdict.subject.device): sign_statement(
                _statement(project.config, weigh_in, result, verdict, tools), signer
            )
            for result in weigh_in.results
            for verdict in result.verdicts
        }


def file_name(label: str, device: str) -> str:
    """Where the statement about a variant on a device is; nobody takes the name's word for it."""
    return f"{label}@{device}.json"


def _statement(
    config: Config, weigh_in: WeighIn, result: Result, verdict: Verdict, tools: Pairs
) -> Statement:
    return Statement(
        model=weigh_in.model,
        version=weigh_in.version,
        source_digest=weigh_in.source_digest,
        plan_digest=weigh_in.plan_digest,
        tools=tools,
        variant=result.variant,
        device=verdict.subject.device,
        runtime=verdict.subject.runtime,
        data=weigh_in.data,
        readings=tuple(reading for check in verdict.checks for reading in check.readings),
        budgets=tuple(check.budget for check in verdict.checks),
        confidence=config.gate.confidence,
        issued_at=weigh_in.finished_at,
        expires_at=weigh_in.finished_at + timedelta(days=config.evidence.valid_days),
    )

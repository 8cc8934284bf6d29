"""One signed statement per variant and device, as files."""

import hashlib
import os
from dataclasses import dataclass
from datetime import timedelta

from weighin.gates.evidence import Statement, sign_statement
from weighin.gates.judge import Verdict
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.config import Config
from weighin.plugin.evidence_keys import evidence_signer, signing
from weighin.plugin.project import Project
from weighin.plugin.results import report_text
from weighin.plugin.tools import Pairs, weighing_tools


def sign_all(project: Project, weigh_in: WeighIn) -> dict[str, bytes]:
    """Sign what was measured: an envelope per variant and device, by file name.

    Raises:
        ConfigError: the evidence key is missing, or does not sign.
    """
    signer = evidence_signer(project, os.environ)
    common = _Common(
        weigh_in=weigh_in,
        config=project.config,
        tools=weighing_tools(),
        report_sha256=hashlib.sha256(report_text(weigh_in).encode()).hexdigest(),
    )
    with signing():
        return {
            file_name(result.variant.label, verdict.subject.device): sign_statement(
                _statement(common, result, verdict), signer
            )
            for result in weigh_in.results
            for verdict in result.verdicts
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Common:
    """What all statements of a weigh-in say alike."""

    weigh_in: WeighIn
    config: Config
    tools: Pairs
    report_sha256: str


def file_name(label: str, device: str) -> str:
    """Where the statement about a variant on a device is; nobody takes the name's word for it."""
    return f"{label}@{device}.json"


def _statement(common: _Common, result: Result, verdict: Verdict) -> Statement:
    weigh_in, config = common.weigh_in, common.config
    return Statement(
        model=weigh_in.model,
        version=weigh_in.version,
        source_digest=weigh_in.source_digest,
        plan_digest=weigh_in.plan_digest,
        tools=common.tools,
        variant=result.variant,
        device=verdict.subject.device,
        runtime=verdict.subject.runtime,
        data=weigh_in.data,
        readings=tuple(reading for check in verdict.checks for reading in check.readings),
        budgets=tuple(check.budget for check in verdict.checks),
        confidence=config.gate.confidence,
        report_sha256=common.report_sha256,
        issued_at=weigh_in.finished_at,
        expires_at=weigh_in.finished_at + timedelta(days=config.evidence.valid_days),
    )

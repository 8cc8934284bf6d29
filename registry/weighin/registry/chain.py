"""The chain from the registered files to the release, link by link: what holds, and what does not.

    source -> data -> plan -> file -> readings -> signature -> report -> channel

Pure. What this module does not do: it collects no facts and stops at no broken link, because
whoever looks wants to see all of them.
"""

import hashlib
from collections.abc import Iterator

from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import check_dates, open_statement
from weighin.gates.statement import Statement
from weighin.registry.chain_records import Chain, Examined, Facts, Link, State
from weighin.registry.chain_waivers import waiver_links
from weighin.registry.changes import changes
from weighin.registry.promotion import (
    Proof,
    artifact_objection,
    gaps,
    verdict_of,
    waivers_of,
)
from weighin.registry.release import Release
from weighin.registry.report_match import report_difference


def trace(facts: Facts) -> Chain:
    """Look at every link of one version."""
    evidence = tuple(_examine(name, facts) for name in sorted(facts.envelopes))
    good = tuple(
        Proof(statement=one.statement, envelope_sha256=one.sha256)
        for one in evidence
        if one.statement is not None
    )
    return Chain(
        model=facts.model,
        version=facts.version,
        at=facts.policy.moment.now,
        links=(
            _evidence_link(evidence, good, facts),
            _plan_link(good, facts),
            _source_link(good, facts),
            _report_link(good, facts),
            _channel_link(evidence, facts),
            *waiver_links(evidence, facts),
        ),
        evidence=evidence,
    )


def _examine(name: str, facts: Facts) -> Examined:
    envelope = facts.envelopes[name]
    digest = hashlib.sha256(envelope).hexdigest()
    try:
        signed = open_statement(envelope, facts.keys)
    except EvidenceError as error:
        broken = Link(name="signature", state=State.BROKEN, detail=str(error))
        return Examined(
            file=name,
            sha256=digest,
            statement=None,
            keyid="",
            verdict=None,
            links=(broken,),
            released=False,
        )
    statement = signed.statement
    return Examined(
        file=name,
        sha256=digest,
        statement=statement,
        keyid=signed.keyid,
        verdict=verdict_of(statement, facts.policy),
        links=(
            Link(name="signature", state=State.HOLDS, detail=f"by key {signed.keyid}"),
            *_statement_links(statement, facts),
        ),
        released=_is_released(statement, digest, facts.offered),
        waivers=waivers_of(statement, facts.policy),
    )


def _statement_links(statement: Statement, facts: Facts) -> Iterator[Link]:
    here, said = (facts.model, facts.version), (statement.model, statement.version)
    about = "" if here == said else f"speaks of {said[0]}/{said[1]}"
    yield _link("subject", about, statement.about)
    artifact = artifact_objection(statement, facts.policy) or ""
    yield _link("artifact", artifact, f"{statement.variant.path} is the file that was weighed")
    plan = "" if statement.plan_digest == facts.policy.plan_digest else "is not today's"
    yield _link("plan", plan, f"today's ({statement.plan_digest[:12]})")
    yield _link("data", "; ".join(_data_objections(statement, facts)), "as weighed")
    until = f"valid until {statement.expires_at:%Y-%m-%d %H:%M} UTC"
    try:
        check_dates(statement, facts.policy.moment.now)
    except EvidenceError as error:
        yield _link("dates", str(error), until)
    else:
        yield _link("dates", "", until)


def _data_objections(statement: Statement, facts: Facts) -> Iterator[str]:
    for data in statement.data:
        now = facts.data_files.get(data.path)
        if now is None:
            yield f"the {data.role} data is gone ({data.path})"
        elif now != data.sha256:
            yield f"the {data.role} data changed since ({data.path})"


def _is_released(statement: Statement, digest: str, offered: Release | None) -> bool:
    return offered is not None and any(
        variant.sha256 == statement.variant.sha256
        and approval.device == statement.device
        and approval.evidence_sha256 == digest
        for variant in offered.variants
        for approval in variant.approvals
    )


def _evidence_link(evidence: tuple[Examined, ...], good: tuple[Proof, ...], facts: Facts) -> Link:
    if not evidence:
        return _link("evidence", "there is none; weigh the model: weighin run", "")
    reported = facts.report.weigh_in.results if facts.report is not None else ()
    missing = gaps(good, facts.policy, [result.variant.label for result in reported])
    said = [(p.statement.variant.label, p.statement.device) for p in good]
    twice = sorted(
        {f"{label} on {device}" for label, device in said if said.count((label, device)) > 1}
    )
    objections = [*missing, *(f"two statements for {name}" for name in twice)]
    keys = ", ".join(sorted({one.keyid[:12] for one in evidence if one.keyid}))
    return _link("evidence", "; ".join(objections), f"{len(good)} statements, by key {keys}")


def _plan_link(good: tuple[Proof, ...], facts: Facts) -> Link:
    policy = facts.policy
    if facts.no_plan or not good:
        return _link("plan", facts.no_plan or "no evidence names one", "")
    statements = tuple(proof.statement for proof in good)
    objection = ""
    if {one.plan_digest for one in statements} != {policy.plan_digest}:
        what = "; ".join(changes(statements, policy.budgets, policy.data, policy.tools))
        objection = f"another than today's: {what}; weighin run {facts.model}/{facts.version}"
    return _link(
        "plan", objection, f"today's configuration, data and tools ({_short(policy.plan_digest)})"
    )


def _source_link(good: tuple[Proof, ...], facts: Facts) -> Link:
    weighed = {proof.statement.source_digest for proof in good}
    objection = facts.source_problem
    if not objection and weighed != {facts.source_digest}:
        said = ", ".join(sorted(map(_short, weighed))) or "none"
        objection = (
            f"the registered files ({_short(facts.source_digest)}) are not those that were "
            f"weighed ({said})"
        )
    return _link(
        "source",
        objection,
        f"the registered files are those weighed ({_short(facts.source_digest)})",
    )


def _report_link(good: tuple[Proof, ...], facts: Facts) -> Link:
    if facts.report is None or not good:
        return _link("report", facts.report_problem or "no evidence to hold it against", "")
    difference = report_difference(facts.report.weigh_in, facts.report.document, good)
    signed = {proof.statement.report_sha256 for proof in good}
    if difference is None and signed != {facts.report.sha256}:
        difference = (
            "report.json is not the file whose digest the evidence holds: a field that no "
            "statement repeats was edited"
        )
    return _link("report", difference or "", "report.json is as the evidence says")


def _channel_link(evidence: tuple[Examined, ...], facts: Facts) -> Link:
    offered, name = facts.offered, facts.channel
    if facts.channel_problem:
        return _link("channel", facts.channel_problem, "")
    if offered is None or offered.version != facts.version:
        instead = "nothing" if offered is None else f"v{offered.version}"
        return Link(
            name="channel",
            state=State.NOTE,
            detail=f"not released: '{name}' offers {instead} for {facts.model}",
        )
    here = {one.sha256 for one in evidence if one.released}
    approvals = [(v, a) for v in offered.variants for a in v.approvals]
    lost = [
        f"'{name}' offers {variant.label} on {approval.device} by evidence "
        f"{_short(approval.evidence_sha256)}, which is not here"
        for variant, approval in approvals
        if approval.evidence_sha256 not in here
    ]
    return _link(
        "channel", "; ".join(lost), f"released: '{name}' offers {len(approvals)} by this evidence"
    )


def _link(name: str, objection: str, otherwise: str) -> Link:
    state = State.BROKEN if objection else State.HOLDS
    return Link(name=name, state=state, detail=objection or otherwise)


def _short(digest: str) -> str:
    return digest[:12]

"""Signed evidence: what was measured of one variant on one device, bound to that very file.

A statement is an in-toto Statement v1 in a DSSE envelope. It carries readings, the budgets of
that day and, for its reader, the verdict that follows from them. Whoever promotes it judges the
readings again, against the budgets of the day of promotion.

What this module does not do: it opens no file, holds no key and decides no promotion. The laws,
held by property tests: verifying what was signed gives an equal statement back; an envelope
with any byte of its payload changed gives an :class:`EvidenceError`; so does a statement whose
written verdict is not the one that its own readings and budgets give.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from weighin.gates import wire
from weighin.gates.errors import EvidenceError
from weighin.gates.judge import Moment, Subject, Verdict, judge
from weighin.gates.measurement import Reading
from weighin.gates.metric import Budget
from weighin.gates.variant import Variant
from weighin.gates.weigh_in import DataDigest

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope

    from weighin.gates.signing import Key, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PREDICATE_TYPE = "https://weighin.dev/evidence/v2"
PLAN_COVERS = "configuration, budgets, data sets by content, tool versions"
"""What the plan digest is made of; written beside it, so that a reader sees it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """What is known of one variant on one device.

    Attributes:
        model: Registered model name.
        version: Registered model version.
        source_digest: Content digest of the registered files.
        plan_digest: Digest of the configuration, the budgets, the data and the tools: everything
            that decided what was done (:data:`PLAN_COVERS`).
        tools: Name and version of everything that built and weighed, sorted by name.
        variant: The file that was weighed; its sha256 is the statement's subject.
        device: Name of the device the verdict is about.
        runtime: Runtime and version, such as ``ai-edge-litert 2.3.0``.
        data: The data sets that were used.
        readings: Every reading of this file that a budget of this device asks for.
        budgets: The device's budgets when this was signed; for the reader, never for the judge.
        report_sha256: Digest of the report that was written with it, byte for byte.
        confidence: How sure each end of an interval had to be, on its own side.
        issued_at: When it was signed, UTC.
        expires_at: From when on nobody may rely on it, UTC.
    """

    model: str
    version: str
    source_digest: str
    plan_digest: str
    tools: tuple[tuple[str, str], ...]
    variant: Variant
    device: str
    runtime: str
    data: tuple[DataDigest, ...]
    readings: tuple[Reading, ...]
    budgets: tuple[Budget, ...]
    confidence: float
    report_sha256: str
    issued_at: datetime
    expires_at: datetime

    @property
    def about(self) -> str:
        """Which file and device, for messages."""
        return f"{self.model} v{self.version} {self.variant.label} on {self.device}"

    @property
    def verdict(self) -> Verdict:
        """The verdict of the day it was signed, from its own readings and budgets."""
        subject = Subject(
            artifact_sha256=self.variant.sha256, device=self.device, runtime=self.runtime
        )
        moment = Moment(
            now=self.issued_at,
            max_age=self.expires_at - self.issued_at,
            confidence=self.confidence,
        )
        return judge(subject, self.budgets, self.readings, moment)


def sign_statement(statement: Statement, signer: "Signer") -> bytes:
    """Put a statement into a DSSE envelope and sign it.

    Raises:
        ValueError: the statement cannot be written (a time without a zone, a name given twice).
    """
    from securesystemslib.dsse import Envelope

    payload = json.dumps(_statement_to_json(statement), allow_nan=False, ensure_ascii=False)
    envelope = Envelope(payload.encode(), PAYLOAD_TYPE, {})
    envelope.sign(signer)
    return json.dumps(envelope.to_dict(), indent=1).encode()


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A statement and the trusted key whose signature on it is good."""

    statement: Statement
    keyid: str


def verify_statement(envelope: bytes, public_keys: Iterable["Key"], now: datetime) -> Statement:
    """Check the signature first, then the shape, the subject, the verdict and the dates.

    Args:
        envelope: The DSSE envelope as JSON.
        public_keys: The keys that may sign evidence; one good signature of any is enough.
        now: The time of verification, UTC.

    Raises:
        EvidenceError: says which of these does not hold.
    """
    statement = open_statement(envelope, public_keys).statement
    check_dates(statement, now)
    return statement


def open_statement(envelope: bytes, public_keys: Iterable["Key"]) -> Signed:
    """Check everything about a statement but its dates, and say who signed it.

    Raises:
        EvidenceError: the signature, the shape, the subject or the verdict does not hold.
    """
    parsed = _envelope(envelope)
    keyid = _check_signature(parsed, tuple(public_keys))
    if parsed.payload_type != PAYLOAD_TYPE:
        raise EvidenceError(f"evidence: payload type {parsed.payload_type!r} is not in-toto's")
    return Signed(statement=_statement_of(parsed), keyid=keyid)


def check_dates(statement: Statement, now: datetime) -> None:
    """Refuse a statement outside of its dates.

    Raises:
        EvidenceError: it was issued in the future, or has expired.
    """
    if now < statement.issued_at:
        raise EvidenceError(
            f"evidence for {statement.about} was issued in the future ({statement.issued_at})"
        )
    if now >= statement.expires_at:
        raise EvidenceError(
            f"evidence for {statement.about} expired on {statement.expires_at:%Y-%m-%d}; "
            "weigh the model again: weighin run"
        )


def statement_about_file(envelope: bytes) -> tuple[str, str]:
    """The sha256 and the device that an envelope speaks of, **without** checking who signed it.

    For a puller who got the envelope through a channel that already vouches for its bytes.

    Raises:
        EvidenceError: the envelope or its statement is malformed.
    """
    statement = _statement_of(_envelope(envelope))
    return statement.variant.sha256, statement.device


def _statement_of(envelope: "Envelope") -> Statement:
    try:
        return _statement_from_json(json.loads(envelope.payload))
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"evidence is malformed: {error}") from error


def _envelope(document: bytes) -> "Envelope":
    from securesystemslib.dsse import Envelope
    from securesystemslib.exceptions import FormatError

    try:
        fields = wire.object_of(json.loads(document), "envelope")
        wire.text_of(fields, "payload")
        wire.text_of(fields, "payloadType")
        wire.list_of(fields, "signatures")
        return Envelope.from_dict(dict(fields))
    except (ValueError, KeyError, TypeError, AttributeError, FormatError, RecursionError) as error:
        raise EvidenceError(f"evidence is not a DSSE envelope: {error}") from error


def _check_signature(envelope: "Envelope", keys: tuple["Key", ...]) -> str:
    """The id of a trusted key whose signature is good."""
    from securesystemslib.exceptions import VerificationError

    if not envelope.signatures:
        raise EvidenceError("evidence is not signed")
    trusted = [key for key in keys if key.keyid in envelope.signatures]
    if not trusted:
        signers = ", ".join(keyid[:12] for keyid in envelope.signatures)
        raise EvidenceError(f"evidence is signed by a key that is not trusted ({signers})")
    try:
        return min(envelope.verify(trusted, 1))
    except VerificationError as error:
        raise EvidenceError("evidence has a bad signature: it was changed after signing") from error


def _statement_to_json(statement: Statement) -> dict[str, object]:
    variant = statement.variant
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": variant.path, "digest": {"sha256": variant.sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "model": statement.model,
            "version": statement.version,
            "source_digest": statement.source_digest,
            "plan_digest": statement.plan_digest,
            "plan_covers": PLAN_COVERS,
            "tools": wire.pairs_to_json(statement.tools),
            "variant": wire.variant_to_json(variant),
            "device": statement.device,
            "runtime": statement.runtime,
            "data": [wire.data_to_json(data) for data in statement.data],
            "readings": [wire.reading_to_json(reading) for reading in statement.readings],
            "budgets": [wire.budget_to_json(budget) for budget in statement.budgets],
            "confidence": statement.confidence,
            "report_sha256": statement.report_sha256,
            "verdict": _verdict_to_json(statement.verdict),
            "issued_at": wire.time_to_json(statement.issued_at),
            "expires_at": wire.time_to_json(statement.expires_at),
        },
    }


def _statement_from_json(document: object) -> Statement:
    outer = wire.object_of(document, "statement")
    wire.only(outer, "_type", "subject", "predicateType", "predicate")
    if (outer.get("_type"), outer.get("predicateType")) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError(f"not an evidence statement: {outer.get('predicateType')!r}")
    fields = wire.object_of(outer.get("predicate"), "predicate")
    wire.only(fields, *Statement.__dataclass_fields__, "plan_covers", "verdict")
    if fields.get("plan_covers") != PLAN_COVERS:
        raise ValueError(f"plan_covers: {PLAN_COVERS!r} is needed")
    statement = Statement(
        model=wire.text_of(fields, "model"),
        version=wire.text_of(fields, "version"),
        source_digest=wire.text_of(fields, "source_digest"),
        plan_digest=wire.text_of(fields, "plan_digest"),
        tools=wire.pairs_of(fields, "tools"),
        variant=wire.variant_from_json(fields.get("variant")),
        device=wire.text_of(fields, "device"),
        runtime=wire.text_of(fields, "runtime"),
        data=tuple(wire.data_from_json(data) for data in wire.list_of(fields, "data")),
        readings=tuple(wire.reading_from_json(r) for r in wire.list_of(fields, "readings")),
        budgets=tuple(wire.budget_from_json(b) for b in wire.list_of(fields, "budgets")),
        confidence=wire.number_of(fields, "confidence"),
        report_sha256=wire.text_of(fields, "report_sha256"),
        issued_at=wire.time_of(fields, "issued_at"),
        expires_at=wire.time_of(fields, "expires_at"),
    )
    _check_subject(wire.list_of(outer, "subject"), statement.variant)
    _check_verdict(fields.get("verdict"), statement)
    return statement


def _verdict_to_json(verdict: Verdict) -> dict[str, object]:
    """Outcomes only: their wording may change between versions, their meaning does not."""
    return {
        "outcome": verdict.outcome.value,
        "checks": [
            {"metric": check.budget.metric.value, "outcome": check.outcome.value}
            for check in verdict.checks
        ],
    }


def _check_verdict(written: object, statement: Statement) -> None:
    """A statement that contradicts itself was made by somebody whose gate is not this one."""
    follows = _verdict_to_json(statement.verdict)
    if written != follows:
        raise ValueError(
            f"its verdict contradicts its own readings and budgets ({statement.about}: they give "
            f"{follows['outcome']}); weigh the model again: weighin run"
        )


def _check_subject(subjects: list[object], variant: Variant) -> None:
    """in-toto's subject is what other tools match on; it must be the file of the predicate."""
    if subjects != [{"name": variant.path, "digest": {"sha256": variant.sha256}}]:
        raise ValueError(f"its subject is not the file it speaks of ({variant.path})")

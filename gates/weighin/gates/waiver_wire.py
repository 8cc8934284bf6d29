"""A waiver as a signed in-toto statement, in both directions.

Its subject is the report that the person looked at, by the digest that the evidence holds too. So
a waiver is void for any other version, plan, source or weigh-in, also for one with better numbers.
The law, held by a property test: reading what was signed gives an equal waiver back.

What this module does not do: it asks nobody whether the person may waive, and checks no expiry.
"""

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from weighin.gates import wire
from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import open_document, sign_document
from weighin.gates.metric import Metric
from weighin.gates.statement import STATEMENT_TYPE, Statement
from weighin.gates.waiver import Waiver

if TYPE_CHECKING:
    from weighin.gates.signing import Key, Signer

PREDICATE_TYPE = "https://weighin.dev/waiver/v1"
_SUBJECT = "report.json"
_ID_LENGTH = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """Which weigh-in somebody looked at when they let a budget go.

    Attributes:
        model: Registered model name.
        version: Registered model version.
        plan_digest: What it was weighed under.
        source_digest: Content digest of the registered files.
        report_sha256: Digest of its report, byte for byte.
    """

    model: str
    version: str
    plan_digest: str
    source_digest: str
    report_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class BoundWaiver:
    """A waiver, and the one weigh-in that it speaks of."""

    waiver: Waiver
    looked: Looked

    @property
    def id(self) -> str:
        """A name for files: of the content, so that the same waiver has the same name."""
        text = json.dumps(waiver_to_json(self), sort_keys=True, allow_nan=False)
        return hashlib.sha256(text.encode()).hexdigest()[:_ID_LENGTH]


def looked_at(statement: Statement) -> Looked:
    """The weigh-in that a piece of evidence is from."""
    return Looked(
        model=statement.model,
        version=statement.version,
        plan_digest=statement.plan_digest,
        source_digest=statement.source_digest,
        report_sha256=statement.report_sha256,
    )


def waiver_to_json(bound: BoundWaiver) -> dict[str, object]:
    """Write a waiver.

    Raises:
        ValueError: one of its times has no zone.
    """
    waiver, looked = bound.waiver, bound.looked
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": _SUBJECT, "digest": {"sha256": looked.report_sha256}}],
        "predicateType": PREDICATE_TYPE,
        "predicate": {
            "model": looked.model,
            "version": looked.version,
            "plan_digest": looked.plan_digest,
            "source_digest": looked.source_digest,
            "metric": waiver.metric.value,
            "device": waiver.device,
            "reason": waiver.reason,
            "by": waiver.by,
            "url": waiver.url,
            "issued_at": wire.time_to_json(waiver.issued_at),
            "expires_at": wire.time_to_json(waiver.expires_at),
        },
    }


def waiver_from_json(document: object) -> BoundWaiver:
    """Read what :func:`waiver_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or of the wrong type.
    """
    outer = wire.object_of(document, "statement")
    wire.only(outer, "_type", "subject", "predicateType", "predicate")
    if (outer.get("_type"), outer.get("predicateType")) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError(f"not a waiver ({PREDICATE_TYPE}), but {outer.get('predicateType')!r}")
    fields = wire.object_of(outer.get("predicate"), "predicate")
    wire.only(fields, *Waiver.__dataclass_fields__, "source_digest")
    looked = Looked(
        model=wire.text_of(fields, "model"),
        version=wire.text_of(fields, "version"),
        plan_digest=wire.text_of(fields, "plan_digest"),
        source_digest=wire.text_of(fields, "source_digest"),
        report_sha256=_subject(wire.list_of(outer, "subject")),
    )
    return BoundWaiver(waiver=_waiver(fields, looked), looked=looked)


def sign_waiver(bound: BoundWaiver, signer: "Signer") -> bytes:
    """Put a waiver into a DSSE envelope and sign it.

    Raises:
        ValueError: one of its times has no zone.
    """
    return sign_document(waiver_to_json(bound), signer)


def open_waiver(envelope: bytes, public_keys: Iterable["Key"]) -> BoundWaiver:
    """Check the signature first, then the shape.

    Raises:
        EvidenceError: says which of these does not hold.
    """
    document = open_document(envelope, public_keys)
    try:
        return waiver_from_json(document)
    except ValueError as error:
        raise EvidenceError(f"the waiver is malformed: {error}") from error


def _waiver(fields: wire.JsonObject, looked: Looked) -> Waiver:
    waiver = Waiver(
        model=looked.model,
        version=looked.version,
        plan_digest=looked.plan_digest,
        metric=Metric(wire.text_of(fields, "metric")),
        device=None if fields.get("device") is None else wire.text_of(fields, "device"),
        reason=wire.text_of(fields, "reason"),
        by=wire.text_of(fields, "by"),
        url=wire.text_of(fields, "url"),
        issued_at=wire.time_of(fields, "issued_at"),
        expires_at=wire.time_of(fields, "expires_at"),
    )
    if not (waiver.reason.strip() and waiver.by.strip()):
        raise ValueError("a waiver needs a person and a reason")
    return waiver


def _subject(subjects: list[object]) -> str:
    if len(subjects) != 1:
        raise ValueError("subject: exactly one report is needed")
    subject = wire.object_of(subjects[0], "subject")
    wire.only(subject, "name", "digest")
    if wire.text_of(subject, "name") != _SUBJECT:
        raise ValueError(f"subject: {_SUBJECT} is needed, not {subject.get('name')!r}")
    digest = wire.object_of(subject.get("digest"), "digest")
    wire.only(digest, "sha256")
    return wire.text_of(digest, "sha256")

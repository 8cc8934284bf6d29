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
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from weighin.gates import wire
from weighin.gates.errors import EvidenceError
from weighin.gates.statement import Statement, statement_from_json, statement_to_json

if TYPE_CHECKING:
    from securesystemslib.dsse import Envelope

    from weighin.gates.signing import Key, Signer

PAYLOAD_TYPE = "application/vnd.in-toto+json"


def sign_statement(statement: Statement, signer: "Signer") -> bytes:
    """Put a statement into a DSSE envelope and sign it.

    Raises:
        ValueError: the statement cannot be written (a time without a zone, a name given twice).
    """
    return sign_document(statement_to_json(statement), signer)


def sign_document(document: Mapping[str, object], signer: "Signer") -> bytes:
    """Put any in-toto statement into a DSSE envelope and sign it.

    Raises:
        ValueError: it is no JSON.
    """
    from securesystemslib.dsse import Envelope

    payload = json.dumps(document, allow_nan=False, ensure_ascii=False)
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
    parsed, keyid = _verified(envelope, public_keys)
    return Signed(statement=_statement_of(parsed), keyid=keyid)


def open_document(envelope: bytes, public_keys: Iterable["Key"]) -> object:
    """The in-toto statement of any kind in an envelope that a trusted key signed.

    Raises:
        EvidenceError: the signature does not hold, or there is no JSON inside.
    """
    parsed, _ = _verified(envelope, public_keys)
    try:
        document: object = json.loads(parsed.payload)
    except (ValueError, RecursionError) as error:
        raise EvidenceError(f"evidence is malformed: {error}") from error
    return document


def _verified(envelope: bytes, public_keys: Iterable["Key"]) -> tuple["Envelope", str]:
    """The envelope, and the id of the trusted key whose signature on it is good."""
    parsed = _envelope(envelope)
    keyid = _check_signature(parsed, tuple(public_keys))
    if parsed.payload_type != PAYLOAD_TYPE:
        raise EvidenceError(f"evidence: payload type {parsed.payload_type!r} is not in-toto's")
    return parsed, keyid


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
    statement = read_unverified(envelope)
    return statement.variant.sha256, statement.device


def read_unverified(envelope: bytes) -> Statement:
    """What an envelope says, **without** checking who signed it: to show it, never to believe it.

    Raises:
        EvidenceError: the envelope or its statement is malformed.
    """
    return _statement_of(_envelope(envelope))


def _statement_of(envelope: "Envelope") -> Statement:
    try:
        return statement_from_json(json.loads(envelope.payload))
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

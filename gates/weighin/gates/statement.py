"""A statement: what is known of one variant on one device, as a record and as in-toto JSON.

The laws, held by property tests: reading back what was written gives an equal statement, and a
document whose written verdict is not the one that its own readings and budgets give is refused.

What this module does not do: it signs nothing and checks no date.
"""

from dataclasses import dataclass
from datetime import datetime

from weighin.gates import wire
from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import Verdict, judge
from weighin.gates.measurement import Reading
from weighin.gates.metric import Budget
from weighin.gates.variant import Variant
from weighin.gates.weigh_in import DataDigest

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


def statement_to_json(statement: Statement) -> dict[str, object]:
    """Write a statement with its verdict.

    Raises:
        ValueError: it cannot be written (a time without a zone, a name given twice).
    """
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


def statement_from_json(document: object) -> Statement:
    """Read what :func:`statement_to_json` wrote.

    Raises:
        ValueError: a field is missing, unknown or wrong, or the parts contradict each other.
    """
    outer = wire.object_of(document, "statement")
    wire.only(outer, "_type", "subject", "predicateType", "predicate")
    if (outer.get("_type"), outer.get("predicateType")) != (STATEMENT_TYPE, PREDICATE_TYPE):
        raise ValueError(
            f"not an evidence statement of this kind ({PREDICATE_TYPE}), but "
            f"{outer.get('predicateType')!r}; weigh the model again: weighin run"
        )
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

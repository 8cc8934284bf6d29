"""Does a report say what the signed evidence says? The first field that differs, or nothing.

Pure. A report repeats everything that a statement says about its variant and device, so both
are written as JSON and compared. What is derived in a report (outcomes, sentences, the nearest
miss) is derived again from the report's own readings and compared with what stands there.
"""

import json
from collections.abc import Iterable, Sequence

from weighin.gates import wire
from weighin.gates.evidence import Statement
from weighin.gates.judge import Verdict
from weighin.gates.report.document import to_document
from weighin.gates.weigh_in import Result, WeighIn
from weighin.registry.promotion import Proof


def report_difference(report: WeighIn, document: object, proofs: Iterable[Proof]) -> str | None:
    """The first contradiction between a report and the evidence, as a sentence.

    Args:
        report: What the report says, read from ``document``.
        document: The report as it is written.
        proofs: Verified statements of the same weigh-in.
    """
    verdicts = {
        (result.variant.label, verdict.subject.device): (result, verdict)
        for result in report.results
        for verdict in result.verdicts
    }
    for statement in (proof.statement for proof in proofs):
        about = f"{statement.variant.label} on {statement.device}"
        there = verdicts.get((statement.variant.label, statement.device))
        if there is None:
            return f"report.json says nothing about {about}, the evidence does"
        found = first_difference(_of_report(report, *there), _of_statement(statement))
        if found is not None:
            field, says, signed = found
            return (
                f"report.json contradicts the evidence for {about}: {field} is {says}, "
                f"signed was {signed}"
            )
    follows_from_it: object = json.loads(json.dumps(to_document(report)))
    found = first_difference(document, follows_from_it)
    if found is None:
        return None
    field, says, follows = found
    return f"report.json contradicts itself: {field} is {says}, from its readings follows {follows}"


def first_difference(one: object, other: object, where: str = "") -> tuple[str, str, str] | None:
    """Path and both values of the first place where two JSON documents differ."""
    match one, other:
        case dict(), dict():
            for name in dict.fromkeys([*one, *other]):
                inner = f"{where}.{name}" if where else str(name)
                if (name in one) is not (name in other):
                    return inner, _shown(one.get(name, _NOTHING)), _shown(other.get(name, _NOTHING))
                inside = first_difference(one[name], other[name], inner)
                if inside is not None:
                    return inside
            return None
        case list(), list():
            if len(one) != len(other):
                return f"{where} (length)", str(len(one)), str(len(other))
            pairs = enumerate(zip(one, other, strict=True))
            each = (first_difference(a, b, f"{where}{_place(k, b)}") for k, (a, b) in pairs)
            return next((found for found in each if found is not None), None)
        case _ if one == other and isinstance(one, bool) is isinstance(other, bool):
            return None
        case _:
            return where or "the document", _shown(one), _shown(other)


_NOTHING = "(nothing)"


def _place(number: int, entry: object) -> str:
    """``[latency_p90_ms]`` says more than ``[1]``."""
    names = ("metric", "label", "name", "device", "role")
    named = [entry[n] for n in names if isinstance(entry, dict) and isinstance(entry.get(n), str)]
    return f"[{named[0] if named else number}]"


def _shown(value: object) -> str:
    text = str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _of_statement(statement: Statement) -> dict[str, object]:
    return {
        "model": statement.model,
        "version": statement.version,
        "source_digest": statement.source_digest,
        "plan_digest": statement.plan_digest,
        "data": [wire.data_to_json(data) for data in statement.data],
        "finished_at": wire.time_to_json(statement.issued_at),
        "variant": wire.variant_to_json(statement.variant),
        "runtime": statement.runtime,
        "budgets": [wire.budget_to_json(budget) for budget in statement.budgets],
        "readings": [wire.reading_to_json(reading) for reading in statement.readings],
    }


def _of_report(report: WeighIn, result: Result, verdict: Verdict) -> dict[str, object]:
    """What :func:`_of_statement` would say, had the statement been made from this report."""
    readings: Sequence[object] = [
        wire.reading_to_json(reading) for check in verdict.checks for reading in check.readings
    ]
    return {
        "model": report.model,
        "version": report.version,
        "source_digest": report.source_digest,
        "plan_digest": report.plan_digest,
        "data": [wire.data_to_json(data) for data in report.data],
        "finished_at": wire.time_to_json(report.finished_at),
        "variant": wire.variant_to_json(result.variant),
        "runtime": verdict.subject.runtime,
        "budgets": [wire.budget_to_json(check.budget) for check in verdict.checks],
        "readings": readings,
    }

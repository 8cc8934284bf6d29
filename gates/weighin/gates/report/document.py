"""The report as JSON, format ``weighin/report/v1``, and back.

The law, held by a property test: ``from_document(to_document(w)) == w`` for every weigh-in
whose verdicts come from :func:`weighin.gates.judge.judge`.

What this module does not do: it believes no outcome. Outcomes, reasons, the exit code and the
nearest miss are written for readers; reading the document back ignores them and judges again
from the readings. So a report that somebody edited cannot pass anything that its own evidence
does not. (Whether the *evidence* was edited is for its signature to say.)
"""

import math
from datetime import timedelta

from weighin.gates.belief import Moment, Subject
from weighin.gates.data_wire import summary_from_json, summary_to_json
from weighin.gates.errors import WeighinError
from weighin.gates.fleet_wire import fleet_from_json, fleet_to_json, share_to_json
from weighin.gates.judge import Check, Verdict
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.report import quality_words, summary
from weighin.gates.report.fleet_words import fleet_report
from weighin.gates.report.limit_words import limit_of
from weighin.gates.search_wire import search_from_json, search_to_json
from weighin.gates.slices import Decided
from weighin.gates.variant import BuildFailure, Format
from weighin.gates.weigh_in import Compared, Result, WeighIn
from weighin.gates.wire import (
    JsonObject,
    data_from_json,
    data_to_json,
    list_of,
    number_of,
    number_to_json,
    object_of,
    pairs_of,
    pairs_to_json,
    reading_from_json,
    reading_to_json,
    text_of,
    time_of,
    time_to_json,
    variant_from_json,
    variant_to_json,
    whole_of,
)

SCHEMA = "weighin/report/v1"


def to_document(weigh_in: WeighIn) -> dict[str, object]:
    """Write a weigh-in as plain JSON values, without NaN or infinity."""
    return {
        "schema": SCHEMA,
        "model": weigh_in.model,
        "version": weigh_in.version,
        "outcome": summary.overall_outcome(weigh_in).value,
        "exit_code": summary.exit_code(weigh_in),
        "verdict": summary.sentence(weigh_in),
        "source": weigh_in.source,
        "source_digest": weigh_in.source_digest,
        "plan_digest": weigh_in.plan_digest,
        "quality_metric": weigh_in.quality_metric,
        "reference_accuracy": number_to_json(weigh_in.reference_accuracy),
        "started_at": time_to_json(weigh_in.started_at),
        "finished_at": time_to_json(weigh_in.finished_at),
        "data": [data_to_json(data) for data in weigh_in.data],
        "devices": [_device_to_json(weigh_in, device) for device in weigh_in.devices],
        "variants": [_result_to_json(result) for result in weigh_in.results],
        "failures": [_failure_to_json(failure) for failure in weigh_in.failures],
        "skipped": [
            {"variant": skipped.label, "device": skipped.device, "reason": skipped.reason}
            for skipped in summary.skipped(weigh_in)
        ],
        "alarms": [
            {"variant": label, "alarm": alarm} for label, alarm in quality_words.alarms(weigh_in)
        ],
        "compared_with": [
            {"device": compared.device, "words": compared.words}
            for compared in weigh_in.compared_with
        ],
        "search": weigh_in.search and search_to_json(weigh_in.search),
        "fleet": _fleet_to_json(weigh_in),
        "data_report": weigh_in.data_report and summary_to_json(weigh_in.data_report),
    }


def from_document(document: object) -> WeighIn:
    """Read what :func:`to_document` wrote, and judge it again.

    Raises:
        WeighinError: the document is of another schema, or a field is missing or wrong.
    """
    try:
        return _weigh_in_from_json(object_of(document, "report"))
    except ValueError as error:
        raise WeighinError(f"this is no {SCHEMA} report: {error}. Write it again.") from error


def _weigh_in_from_json(fields: JsonObject) -> WeighIn:
    if fields.get("schema") != SCHEMA:
        raise ValueError(f"schema: {SCHEMA!r} is needed, not {fields.get('schema')!r}")
    devices = (object_of(device, "device") for device in list_of(fields, "devices"))
    searched, checked = fields.get("search"), fields.get("data_report")
    fleet = fields.get("fleet")
    return WeighIn(
        model=text_of(fields, "model"),
        version=text_of(fields, "version"),
        source=text_of(fields, "source"),
        source_digest=text_of(fields, "source_digest"),
        plan_digest=text_of(fields, "plan_digest"),
        quality_metric=text_of(fields, "quality_metric"),
        reference_accuracy=number_of(fields, "reference_accuracy"),
        data=tuple(data_from_json(data) for data in list_of(fields, "data")),
        devices=tuple(text_of(device, "name") for device in devices),
        results=tuple(_result_from_json(result) for result in list_of(fields, "variants")),
        failures=tuple(_failure_from_json(failure) for failure in list_of(fields, "failures")),
        started_at=time_of(fields, "started_at"),
        finished_at=time_of(fields, "finished_at"),
        compared_with=tuple(_compared_from_json(one) for one in list_of(fields, "compared_with")),
        search=None if searched is None else search_from_json(searched),
        data_report=None if checked is None else summary_from_json(checked),
        fleet=None if fleet is None else fleet_from_json(fleet),
    )


def _fleet_to_json(weigh_in: WeighIn) -> dict[str, object] | None:
    """Who the users are, and for readers how many of them are served."""
    told = fleet_report(weigh_in)
    if told is None:
        return None
    return {
        **fleet_to_json(told.fleet),
        "outcome": told.outcome and told.outcome.value,
        "served": share_to_json(told.served),
        "by_variant": [
            {"variant": label, **share_to_json(alone)} for label, alone in told.by_variant
        ],
    }


def _device_to_json(weigh_in: WeighIn, device: str) -> dict[str, object]:
    miss = summary.nearest_miss(weigh_in, device)
    return {
        "name": device,
        "outcome": summary.device_outcome(weigh_in, device).value,
        "passed": [result.variant.label for result in summary.passing(weigh_in, device)],
        "nearest_miss": miss
        and {
            "variant": miss[0].variant.label,
            "metric": miss[1].budget.metric.value,
            "reason": summary.why(miss[1]),
        },
    }


def _result_to_json(result: Result) -> dict[str, object]:
    variant = variant_to_json(result.variant)
    return {
        "label": result.variant.label,
        "bytes": variant.pop("size_bytes"),
        **variant,
        "passed_on": list(result.passed_on),
        "dominated_by": pairs_to_json(result.dominated_by),
        "devices": [_verdict_to_json(verdict) for verdict in result.verdicts],
        "readings": [reading_to_json(reading) for reading in result.readings],
    }


def _result_from_json(document: object) -> Result:
    fields = object_of(document, "variant")
    names = ("recipe", "format", "sha256", "path", "parent", "tools", "notes")
    variant = {name: fields.get(name) for name in names} | {"size_bytes": fields.get("bytes")}
    return Result(
        variant=variant_from_json(variant),
        verdicts=tuple(_verdict_from_json(verdict) for verdict in list_of(fields, "devices")),
        readings=tuple(reading_from_json(reading) for reading in list_of(fields, "readings")),
        dominated_by=pairs_of(fields, "dominated_by"),
    )


def _verdict_to_json(verdict: Verdict) -> dict[str, object]:
    moment = verdict.checks[0].moment if verdict.checks else None
    return {
        "device": verdict.subject.device,
        "runtime": verdict.subject.runtime,
        "artifact_sha256": verdict.subject.artifact_sha256,
        "outcome": verdict.outcome.value,
        "reason": verdict.reason,
        "judged_at": moment and time_to_json(moment.now),
        "max_age_s": moment and moment.max_age.total_seconds(),
        "confidence": moment and moment.confidence,
        "checks": [_check_to_json(check) for check in verdict.checks],
    }


def _verdict_from_json(document: object) -> Verdict:
    fields = object_of(document, "device of a variant")
    subject = Subject(
        artifact_sha256=text_of(fields, "artifact_sha256"),
        device=text_of(fields, "device"),
        runtime=text_of(fields, "runtime"),
    )
    written = list_of(fields, "checks")
    if not written:
        return Verdict(subject=subject, checks=())
    moment = Moment(
        now=time_of(fields, "judged_at"),
        max_age=_age_of(fields, "max_age_s"),
        confidence=number_of(fields, "confidence"),
    )
    return Verdict(
        subject=subject,
        checks=tuple(_check_from_json(check, subject, moment) for check in written),
    )


def _check_to_json(check: Check) -> dict[str, object]:
    reading = check.reading
    measured = reading if isinstance(reading, Measurement) else None
    return {
        "metric": check.budget.metric.value,
        "budget": check.budget.at_most,
        "least_origin": check.budget.least_origin.value,
        "floor": check.budget.floor,
        "least_rows": check.budget.least_rows,
        "limit": _finite(limit_of(check)),
        "value": measured and _finite(measured.value),
        "lower": measured and _finite(measured.lower),
        "upper": measured and _finite(measured.upper),
        "n": measured and measured.n,
        "confidence": measured and _finite(measured.confidence),
        "slices": None if check.objection is not None else _decided_to_json(check.decided),
        "origin": measured and measured.origin.value,
        "outcome": check.outcome.value,
        "reason": check.reason,
        "readings": [reading_to_json(one) for one in check.readings],
    }


def _decided_to_json(decided: Decided | None) -> dict[str, object] | None:
    """Names of slices by what was decided; nothing for a reading without slices."""
    if decided is None:
        return None
    states = ("within", "above", "open", "small")
    return {state: list(getattr(decided, state)) for state in states}


def _check_from_json(document: object, subject: Subject, moment: Moment) -> Check:
    fields = object_of(document, "check")
    budget = Budget(
        metric=Metric(text_of(fields, "metric")),
        at_most=number_of(fields, "budget"),
        least_origin=Origin(text_of(fields, "least_origin")),
        floor=None if fields.get("floor") is None else number_of(fields, "floor"),
        least_rows=None if fields.get("least_rows") is None else whole_of(fields, "least_rows"),
    )
    readings = tuple(reading_from_json(reading) for reading in list_of(fields, "readings"))
    stray = [reading.metric.value for reading in readings if reading.metric is not budget.metric]
    if stray:
        raise ValueError(f"readings: {stray[0]} cannot be held against {budget.metric.value}")
    return Check(budget=budget, readings=readings, subject=subject, moment=moment)


def _compared_from_json(document: object) -> Compared:
    fields = object_of(document, "compared_with")
    return Compared(device=text_of(fields, "device"), words=text_of(fields, "words"))


def _failure_to_json(failure: BuildFailure) -> dict[str, object]:
    return {
        "recipe": failure.recipe,
        "format": failure.format.value,
        "reason": failure.reason,
    }


def _failure_from_json(document: object) -> BuildFailure:
    fields = object_of(document, "failure")
    return BuildFailure(
        recipe=text_of(fields, "recipe"),
        format=Format(text_of(fields, "format")),
        reason=text_of(fields, "reason"),
    )


def _age_of(fields: JsonObject, name: str) -> timedelta:
    seconds = number_of(fields, name)
    if not 0 <= seconds <= timedelta.max.total_seconds():
        raise ValueError(f"{name}: a length of time in seconds is needed, not {seconds}")
    return timedelta(seconds=seconds)


def _finite(number: float) -> float | None:
    """The number, or nothing: what is not finite stands by name in ``readings``."""
    return number if math.isfinite(number) else None

"""A waiver lets one budget of one weigh-in go; it makes nothing pass, and mends no evidence."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.belief import Moment, Subject
from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import open_statement, sign_document
from weighin.gates.judge import Outcome, Verdict, judge
from weighin.gates.measurement import ANY_DEVICE, Measurement, Reading, Unreadable
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.signing import CryptoSigner
from weighin.gates.waiver import Waiver, bar_to_waiving, waived
from weighin.gates.waiver_wire import (
    BoundWaiver,
    Looked,
    open_waiver,
    sign_waiver,
    waiver_from_json,
    waiver_to_json,
)

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SUBJECT = Subject(artifact_sha256="a" * 64, device="phone", runtime="onnxruntime 1.31.1")
SIGNER = CryptoSigner.generate_ed25519()
BUDGETS = (
    Budget(metric=Metric.SIZE_MIB, at_most=1.0),
    Budget(metric=Metric.LATENCY_P90_MS, at_most=10.0),
)
SIZE = Measurement(
    metric=Metric.SIZE_MIB,
    value=0.5,
    lower=0.5,
    upper=0.5,
    n=1,
    origin=Origin.ARTIFACT,
    artifact_sha256=SUBJECT.artifact_sha256,
    device=ANY_DEVICE,
    runtime=SUBJECT.runtime,
    measured_at=NOW - timedelta(days=1),
)
SLOW = replace(
    SIZE,
    metric=Metric.LATENCY_P90_MS,
    value=12.0,
    lower=11.0,
    upper=13.0,
    n=200,
    origin=Origin.DEVICE,
    device="phone",
)
WAIVER = Waiver(
    model="digits",
    version="3",
    plan_digest="c" * 64,
    metric=Metric.LATENCY_P90_MS,
    device=None,
    reason="the camera is slower",
    by="Alice",
    url="https://github.com/acme/app/pull/7#issuecomment-1",
    issued_at=NOW - timedelta(hours=1),
    expires_at=NOW + timedelta(days=14),
)
LOOKED = Looked(
    model="digits",
    version="3",
    plan_digest="c" * 64,
    source_digest="d" * 64,
    report_sha256="e" * 64,
)
BOUND = BoundWaiver(waiver=WAIVER, looked=LOOKED)


def verdict(*readings: Reading, budgets: tuple[Budget, ...] = BUDGETS) -> Verdict:
    return judge(SUBJECT, budgets, readings, Moment(now=NOW, max_age=timedelta(days=30)))


@pytest.mark.parametrize(
    "latency",
    [
        pytest.param((SLOW,), id="above the budget"),
        pytest.param((replace(SLOW, lower=9.0),), id="across the budget"),
        pytest.param((), id="not measured"),
        pytest.param((Unreadable(metric=SLOW.metric, reason="no such phone"),), id="unreadable"),
        pytest.param((replace(SLOW, origin=Origin.SCALED),), id="scaled from specifications"),
    ],
)
def test_numbers_and_gaps_can_be_waived_and_stay_what_they_are(
    latency: tuple[Reading, ...],
) -> None:
    held = verdict(SIZE, *latency)
    [(check, waiver)] = waived(held, [WAIVER], NOW)
    assert (check.budget.metric, waiver) == (Metric.LATENCY_P90_MS, WAIVER)
    assert held.outcome is not Outcome.PASS
    assert check.outcome is not Outcome.PASS


def test_a_lower_origin_than_asked_for_can_be_waived() -> None:
    asks = replace(BUDGETS[1], least_origin=Origin.DEVICE)
    fast = replace(SLOW, lower=1.0, value=2.0, upper=3.0, origin=Origin.PREDICTED)
    assert waived(verdict(SIZE, fast, budgets=(BUDGETS[0], asks)), [WAIVER], NOW)


WRONG: dict[str, dict[str, Any]] = {
    "of another file": {"artifact_sha256": "b" * 64},
    "of another device": {"device": "other"},
    "of another runtime": {"runtime": "onnxruntime 1.0.0"},
    "stale": {"measured_at": NOW - timedelta(days=31)},
    "from the future": {"measured_at": NOW + timedelta(days=1)},
    "not a number": {"value": float("nan")},
    "without an upper end": {"upper": float("inf")},
    "upside down": {"lower": 14.0},
    "below zero": {"lower": -1.0},
    "less sure than the gate asks": {"confidence": 0.5},
    "without samples": {"n": 0},
    "a device's number out of the file": {"origin": Origin.ARTIFACT},
}


@pytest.mark.parametrize("how", WRONG)
def test_evidence_that_is_wrong_cannot_be_waived(how: str) -> None:
    spoilt = verdict(SIZE, replace(SLOW, **WRONG[how]))
    assert waived(spoilt, [WAIVER], NOW) == ()
    assert any(bar_to_waiving(check) for check in spoilt.checks)


def test_two_readings_that_contradict_cannot_be_waived() -> None:
    assert waived(verdict(SIZE, SLOW, replace(SLOW, value=12.5)), [WAIVER], NOW) == ()


VOID: dict[str, tuple[Waiver, ...]] = {
    "none": (),
    "another metric": (replace(WAIVER, metric=Metric.ENERGY_MJ),),
    "another device": (replace(WAIVER, device="other"),),
    "expired": (replace(WAIVER, expires_at=NOW),),
    "not issued yet": (replace(WAIVER, issued_at=NOW + timedelta(seconds=1)),),
}


@pytest.mark.parametrize("how", VOID)
def test_a_waiver_that_does_not_speak_of_this_does_nothing(how: str) -> None:
    assert waived(verdict(SIZE, SLOW), VOID[how], NOW) == ()


def test_what_is_left_open_is_not_let_through_by_what_is_waived() -> None:
    big = replace(SIZE, value=2.0, lower=2.0, upper=2.0)
    assert waived(verdict(big, SLOW), [WAIVER], NOW) == ()


def test_where_everything_would_be_waived_nothing_is() -> None:
    """At least one budget must hold: a file of which nothing is known is never released."""
    assert waived(verdict(SLOW, budgets=BUDGETS[1:]), [WAIVER], NOW) == ()


def test_what_passes_needs_no_waiver() -> None:
    fast = replace(SLOW, lower=1.0, value=2.0, upper=3.0)
    assert waived(verdict(SIZE, fast), [WAIVER], NOW) == ()


times = st.integers(0, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
words = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)
waivers = st.builds(
    Waiver,
    model=words,
    version=words,
    plan_digest=words,
    metric=st.sampled_from(Metric),
    device=st.none() | words,
    reason=words,
    by=words,
    url=st.text(st.characters(exclude_categories=["Cs"])),
    issued_at=times,
    expires_at=times,
)


@given(waiver=waivers, source=words, report=words)
def test_law_what_was_signed_reads_back_equal(waiver: Waiver, source: str, report: str) -> None:
    looked = Looked(
        model=waiver.model,
        version=waiver.version,
        plan_digest=waiver.plan_digest,
        source_digest=source,
        report_sha256=report,
    )
    bound = BoundWaiver(waiver=waiver, looked=looked)
    assert waiver_from_json(json.loads(json.dumps(waiver_to_json(bound)))) == bound
    assert open_waiver(sign_waiver(bound, SIGNER), [SIGNER.public_key]) == bound


def test_equal_waivers_have_one_name_and_different_ones_have_two() -> None:
    assert BOUND.id == replace(BOUND).id
    others = [
        replace(BOUND, waiver=replace(WAIVER, by="Bob")),
        replace(BOUND, looked=replace(LOOKED, report_sha256="f" * 64)),
    ]
    assert len({BOUND.id, *(other.id for other in others)}) == 3


def test_a_strangers_signature_is_no_waiver() -> None:
    with pytest.raises(EvidenceError, match="not trusted"):
        open_waiver(sign_waiver(BOUND, CryptoSigner.generate_ed25519()), [SIGNER.public_key])


def test_a_waiver_is_no_evidence_and_evidence_is_no_waiver() -> None:
    signed = sign_waiver(BOUND, SIGNER)
    with pytest.raises(EvidenceError, match="not an evidence statement"):
        open_statement(signed, [SIGNER.public_key])
    other = {**waiver_to_json(BOUND), "predicateType": "https://weighin.dev/evidence/v2"}
    with pytest.raises(EvidenceError, match="not a waiver"):
        open_waiver(sign_document(other, SIGNER), [SIGNER.public_key])


def spoil(**changes: object) -> dict[str, object]:
    document = waiver_to_json(BOUND)
    predicate = document["predicate"]
    assert isinstance(predicate, dict)
    return {**document, "predicate": {**predicate, **changes}}


MALFORMED: dict[str, object] = {
    "not an object": [],
    "no predicate": {**waiver_to_json(BOUND), "predicate": None},
    "an unknown field": spoil(forever=True),
    "an unknown metric": spoil(metric="beauty"),
    "a device that is a number": spoil(device=7),
    "no reason": spoil(reason=" "),
    "nobody": spoil(by=""),
    "a time without a zone": spoil(expires_at="2026-12-01T00:00:00"),
    "no time": spoil(issued_at="soon"),
    "no subject": {**waiver_to_json(BOUND), "subject": []},
    "another subject": {
        **waiver_to_json(BOUND),
        "subject": [{"name": "model.tflite", "digest": {"sha256": "e" * 64}}],
    },
}


@pytest.mark.parametrize("how", MALFORMED)
def test_a_malformed_waiver_is_refused_although_it_is_signed(how: str) -> None:
    document = MALFORMED[how]
    with pytest.raises(EvidenceError, match="malformed"):
        open_waiver(sign_document(document, SIGNER), [SIGNER.public_key])  # type: ignore[arg-type]

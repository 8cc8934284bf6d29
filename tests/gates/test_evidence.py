"""Signed evidence comes back as it was written, or not at all."""

import base64
import json
import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates import wire
from weighin.gates.errors import EvidenceError
from weighin.gates.estimate import Estimate
from weighin.gates.evidence import (
    PAYLOAD_TYPE,
    sign_statement,
    statement_about_file,
    verify_statement,
)
from weighin.gates.measurement import Baseline, Measurement, Reading, Unreadable
from weighin.gates.metric import RELATIVE, Budget, Metric, Origin
from weighin.gates.quantiles import spread_of
from weighin.gates.signing import CryptoSigner
from weighin.gates.slices import Slice
from weighin.gates.statement import Statement
from weighin.gates.stats import PairedCounts
from weighin.gates.variant import Format, Variant
from weighin.gates.weigh_in import DataDigest

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
SIGNER = CryptoSigner.generate_ed25519()
KEYS = (SIGNER.public_key,)

texts = st.text(max_size=20)
floats = st.floats(allow_nan=False)
times = st.datetimes(
    min_value=datetime(2000, 1, 1),  # noqa: DTZ001 - the zone comes from `timezones`
    max_value=datetime(2100, 1, 1),  # noqa: DTZ001
    timezones=st.sampled_from((UTC, timezone(timedelta(hours=5, minutes=30)))),
)
pairs = st.lists(st.tuples(texts, texts), unique_by=lambda pair: pair[0], max_size=3).map(tuple)
finite = st.floats(allow_nan=False, allow_infinity=False)


def _budgets_of(metric: Metric) -> st.SearchStrategy[Budget]:
    """Budgets with everything that may be said of this metric."""
    more: dict[str, st.SearchStrategy[object]] = {}
    if metric in RELATIVE:
        more["floor"] = st.floats(1e-3, 1e3)
    if metric is Metric.SLICE_DROP_POINTS:
        more["least_rows"] = st.none() | st.integers(1, 1000)
    return st.builds(
        Budget,
        metric=st.just(metric),
        at_most=finite,
        least_origin=st.sampled_from([one for one in Origin if one is not Origin.SCALED]),
        **more,
    )


budgets = st.sampled_from(Metric).flatmap(_budgets_of)
whole = st.integers(0, 10**6)
estimates = st.builds(
    Estimate,
    value=finite,
    standard_error=st.floats(0, 1e300),
    degrees=st.integers(1, 100),
    skew=finite,
    slack=st.floats(0, 1e300),
)
counted = st.builds(
    PairedCounts,
    both_right=st.integers(1, 10**6),
    only_reference=whole,
    only_variant=whole,
    both_wrong=whole,
)
slices = st.one_of(
    st.builds(Slice, name=texts, rows=whole, drop=estimates),
    counted.flatmap(
        lambda drop: st.builds(Slice, name=texts, rows=st.just(drop.n), drop=st.just(drop))
    ),
)
measurements = st.builds(
    Measurement,
    metric=st.sampled_from(Metric),
    value=floats,
    lower=floats,
    upper=floats,
    n=st.integers(),
    origin=st.sampled_from(Origin),
    artifact_sha256=texts,
    device=texts,
    runtime=texts,
    measured_at=times,
    conditions=pairs,
    confidence=st.floats(0.5, 1),
    slices=st.lists(slices, max_size=3).map(tuple),
    baseline=st.none() | st.builds(Baseline, sha256=texts, value=floats),
    quantiles=st.lists(st.floats(-1e9, 1e9), max_size=5).map(spread_of),
)
unreadables = st.builds(Unreadable, metric=st.sampled_from(Metric), reason=texts)
readings = st.one_of(measurements, unreadables)
variants = st.builds(
    Variant,
    recipe=texts,
    format=st.sampled_from(Format),
    sha256=texts,
    size_bytes=st.integers(min_value=0),
    path=texts,
    parent=texts,
    tools=pairs,
    notes=pairs,
)
data_digests = st.builds(
    DataDigest, role=texts, path=texts, sha256=texts, rows=st.integers(min_value=0)
)
statements = st.builds(
    Statement,
    model=texts,
    version=texts,
    source_digest=texts,
    plan_digest=texts,
    tools=pairs,
    variant=variants,
    device=texts,
    runtime=texts,
    data=st.lists(data_digests, max_size=2).map(tuple),
    readings=st.lists(readings, max_size=3).map(tuple),
    budgets=st.lists(budgets, max_size=3).map(tuple),
    confidence=st.floats(0.5, 0.999),
    report_sha256=texts,
    issued_at=st.just(NOW - timedelta(hours=1)),
    expires_at=st.just(NOW + timedelta(days=90)),
)


def a_statement() -> Statement:
    variant = Variant(
        recipe="int8",
        format=Format.LITERT,
        sha256="ab" * 32,
        size_bytes=300_000,
        path="variants/digits/v1/int8.tflite",
        parent="cd" * 32,
        tools=(("ai-edge-litert", "2.3.0"),),
    )
    latency = Measurement(
        metric=Metric.LATENCY_P90_MS,
        value=1.5,
        lower=1.25,
        upper=1.75,
        n=200,
        origin=Origin.DEVICE,
        artifact_sha256=variant.sha256,
        device="host",
        runtime="ai-edge-litert 2.3.0",
        measured_at=NOW - timedelta(hours=2),
        conditions=(("threads", "1"),),
    )
    return Statement(
        model="digits",
        version="1",
        source_digest="ef" * 32,
        plan_digest="01" * 32,
        tools=(("ai-edge-litert", "2.3.0"), ("weighin", "0.1.0")),
        variant=variant,
        device="host",
        runtime="ai-edge-litert 2.3.0",
        data=(DataDigest(role="evaluation", path="eval.npz", sha256="23" * 32, rows=500),),
        readings=(latency, Unreadable(metric=Metric.ENERGY_MJ, reason="no meter")),
        budgets=(Budget(metric=Metric.LATENCY_P90_MS, at_most=2.0),),
        confidence=0.95,
        report_sha256="45" * 32,
        issued_at=NOW - timedelta(hours=1),
        expires_at=NOW + timedelta(days=90),
    )


def test_a_statement_says_in_the_clear_what_it_is_about() -> None:
    document = json.loads(sign_statement(a_statement(), SIGNER))
    assert document["payloadType"] == "application/vnd.in-toto+json"
    payload = json.loads(base64.b64decode(document["payload"]))
    assert payload["_type"] == "https://in-toto.io/Statement/v1"
    assert payload["subject"] == [
        {"name": "variants/digits/v1/int8.tflite", "digest": {"sha256": "ab" * 32}}
    ]
    assert payload["predicate"]["verdict"] == {
        "outcome": "PASS",
        "checks": [{"metric": "latency_p90_ms", "outcome": "PASS"}],
    }
    assert payload["predicate"]["plan_digest"] == "01" * 32
    assert "budgets" in payload["predicate"]["plan_covers"]
    assert payload["predicate"]["tools"] == {"ai-edge-litert": "2.3.0", "weighin": "0.1.0"}


@settings(max_examples=60, deadline=None)
@given(statement=statements)
def test_law_what_is_signed_is_what_is_verified(statement: Statement) -> None:
    assert verify_statement(sign_statement(statement, SIGNER), KEYS, NOW) == statement


@given(reading=readings)
def test_law_a_reading_round_trips_through_json(reading: Reading) -> None:
    assert wire.reading_from_json(json.loads(json.dumps(wire.reading_to_json(reading)))) == reading


@given(budget=budgets, variant=variants, data=data_digests)
def test_law_budgets_variants_and_data_round_trip(
    budget: Budget, variant: Variant, data: DataDigest
) -> None:
    assert wire.budget_from_json(json.loads(json.dumps(wire.budget_to_json(budget)))) == budget
    assert wire.variant_from_json(json.loads(json.dumps(wire.variant_to_json(variant)))) == variant
    assert wire.data_from_json(json.loads(json.dumps(wire.data_to_json(data)))) == data


def test_a_number_that_json_does_not_have_is_written_by_name() -> None:
    [latency, _] = a_statement().readings
    assert isinstance(latency, Measurement)
    broken = replace(latency, value=math.nan, lower=-math.inf, upper=math.inf)
    text = json.dumps(wire.reading_to_json(broken), allow_nan=False)
    read = wire.reading_from_json(json.loads(text))
    assert isinstance(read, Measurement)
    assert math.isnan(read.value)
    assert (read.lower, read.upper) == (-math.inf, math.inf)


def test_a_time_without_a_zone_and_a_name_given_twice_are_not_written() -> None:
    with pytest.raises(ValueError, match="without a time zone"):
        wire.time_to_json(datetime(2026, 1, 1))  # noqa: DTZ001 - that is the point
    with pytest.raises(ValueError, match="given twice"):
        wire.pairs_to_json((("threads", "1"), ("threads", "2")))


@pytest.mark.parametrize(
    ("field", "value", "complaint"),
    [
        ("n", True, "whole number"),
        ("n", 1.5, "whole number"),
        ("value", "fast", "a number"),
        ("value", None, "a number"),
        ("metric", "happiness", "happiness"),
        ("origin", "rumour", "rumour"),
        ("measured_at", "2026-11-22T12:00:00", "time zone"),
        ("measured_at", "yesterday", "yesterday"),
        ("conditions", {"threads": 1}, "a text"),
        ("conditions", [], "an object"),
        ("colour", "red", "unknown field"),
    ],
)
def test_a_reading_of_the_wrong_shape_is_refused(field: str, value: object, complaint: str) -> None:
    document = wire.reading_to_json(a_statement().readings[0])
    with pytest.raises(ValueError, match=complaint):
        wire.reading_from_json({**document, field: value})


def resigned(change: str, value: object) -> bytes:
    """A payload changed before signing, by somebody who holds the key."""
    document = json.loads(sign_statement(a_statement(), SIGNER))
    payload = json.loads(base64.b64decode(document["payload"]))
    outer, _, inner = change.rpartition("/")
    (payload[outer] if outer else payload)[inner] = value
    return signed(json.dumps(payload).encode(), PAYLOAD_TYPE)


def signed(payload: bytes, payload_type: str) -> bytes:
    from securesystemslib.dsse import Envelope

    envelope = Envelope(payload, payload_type, {})
    envelope.sign(SIGNER)
    return json.dumps(envelope.to_dict()).encode()


def edited(**fields: object) -> bytes:
    """An envelope changed after signing."""
    return json.dumps({**json.loads(sign_statement(a_statement(), SIGNER)), **fields}).encode()


def edited_payload(old: bytes, new: bytes) -> bytes:
    payload = base64.b64decode(json.loads(sign_statement(a_statement(), SIGNER))["payload"])
    assert old in payload
    return edited(payload=base64.b64encode(payload.replace(old, new)).decode())


ATTACKS = {
    "an edited measurement": (edited_payload(b"1.75", b"0.75"), "bad signature"),
    "another payload type": (edited(payloadType="text/plain"), "bad signature"),
    "a signed other payload type": (signed(b"{}", "text/plain"), "payload type"),
    "no signature": (edited(signatures=[]), "not signed"),
    "garbage for a signature": (
        edited(signatures=[{"keyid": SIGNER.public_key.keyid, "sig": "AAAA"}]),
        "bad signature",
    ),
    "a signature that is no object": (edited(signatures=["x"]), "not a DSSE envelope"),
    "a payload that is not base64": (edited(payload="%%%"), "DSSE envelope|bad signature"),
    "no payload": (b'{"payloadType": "x", "signatures": []}', "not a DSSE envelope"),
    "a list": (b"[]", "not a DSSE envelope"),
    "nothing": (b"", "not a DSSE envelope"),
    "deep nesting": (b"[" * 200_000, "not a DSSE envelope"),
    "another kind of statement": (resigned("predicateType", "https://x/v1"), "not an evidence"),
    "a subject that is another file": (
        resigned("subject", [{"name": "x", "digest": {"sha256": "00" * 32}}]),
        "subject",
    ),
    "two subjects": (resigned("subject", []), "subject"),
    "readings that are no list": (resigned("predicate/readings", {}), "a list"),
    "a verdict beside the evidence": (resigned("predicate/outcome", "PASS"), "unknown field"),
    "no verdict": (resigned("predicate/verdict", None), "contradicts its own readings"),
    "a verdict that is too good": (
        resigned("predicate/budgets", []),
        "contradicts its own readings and budgets",
    ),
    "a verdict that is too bad": (
        resigned("predicate/verdict", {"outcome": "FAIL", "checks": []}),
        "contradicts its own readings and budgets",
    ),
    "a plan of other things": (resigned("predicate/plan_covers", "nothing"), "plan_covers"),
    "a gate that is sure of nothing": (resigned("predicate/confidence", 7), "malformed|contradict"),
}


@pytest.mark.parametrize(("envelope", "complaint"), ATTACKS.values(), ids=ATTACKS.keys())
def test_an_envelope_that_is_not_as_it_was_signed_is_refused(
    envelope: bytes, complaint: str
) -> None:
    with pytest.raises(EvidenceError, match=complaint):
        verify_statement(envelope, KEYS, NOW)


def test_evidence_signed_with_another_key_is_refused() -> None:
    envelope = sign_statement(a_statement(), CryptoSigner.generate_ed25519())
    with pytest.raises(EvidenceError, match="a key that is not trusted"):
        verify_statement(envelope, KEYS, NOW)


def test_evidence_signed_with_another_key_under_a_trusted_name_is_refused() -> None:
    impostor = CryptoSigner.generate_ed25519(keyid=SIGNER.public_key.keyid)
    with pytest.raises(EvidenceError, match="bad signature"):
        verify_statement(sign_statement(a_statement(), impostor), KEYS, NOW)


def test_without_any_trusted_key_nothing_verifies() -> None:
    with pytest.raises(EvidenceError, match="not trusted"):
        verify_statement(sign_statement(a_statement(), SIGNER), (), NOW)


@pytest.mark.parametrize(
    ("moment", "complaint"),
    [
        pytest.param(NOW + timedelta(days=90), "expired on 2027-02-20", id="at its last second"),
        pytest.param(NOW + timedelta(days=900), "expired", id="long after"),
        pytest.param(NOW - timedelta(hours=2), "in the future", id="before it was issued"),
    ],
)
def test_evidence_out_of_its_dates_is_refused(moment: datetime, complaint: str) -> None:
    with pytest.raises(EvidenceError, match=complaint):
        verify_statement(sign_statement(a_statement(), SIGNER), KEYS, moment)


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_law_any_changed_byte_of_the_payload_is_noticed(data: st.DataObject) -> None:
    document = json.loads(sign_statement(a_statement(), SIGNER))
    payload = bytearray(base64.b64decode(document["payload"]))
    place = data.draw(st.integers(0, len(payload) - 1))
    payload[place] ^= data.draw(st.integers(1, 255))
    document["payload"] = base64.b64encode(payload).decode()
    with pytest.raises(EvidenceError, match="bad signature"):
        verify_statement(json.dumps(document).encode(), KEYS, NOW)


def test_a_puller_can_read_what_an_envelope_speaks_of() -> None:
    assert statement_about_file(sign_statement(a_statement(), SIGNER)) == ("ab" * 32, "host")
    with pytest.raises(EvidenceError, match="malformed"):
        statement_about_file(signed(b"{}", PAYLOAD_TYPE))

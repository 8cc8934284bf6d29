import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.belief import Moment, Subject
from weighin.gates.errors import WeighinError
from weighin.gates.estimate import Estimate
from weighin.gates.fleet import Fleet, FleetPart
from weighin.gates.judge import Outcome, Verdict, judge
from weighin.gates.measurement import Baseline, Measurement, Reading, Unreadable
from weighin.gates.metric import RELATIVE, Budget, Metric, Origin
from weighin.gates.quantiles import spread_of
from weighin.gates.report.document import SCHEMA, from_document, to_document
from weighin.gates.search import DeviceStanding, Round, SearchRecord, Standing, Trial
from weighin.gates.slices import Slice
from weighin.gates.stats import PairedCounts
from weighin.gates.variant import BuildFailure, Format, Variant
from weighin.gates.weigh_in import Compared, DataDigest, Result, WeighIn

Sample = Callable[[str], WeighIn]

names = st.text(max_size=12)
whole = st.integers(min_value=0, max_value=2**53)
times = st.datetimes(timezones=st.just(UTC))
values = st.floats(allow_nan=False)
finite = st.floats(allow_nan=False, allow_infinity=False)
pairs = st.dictionaries(names, names, max_size=3).map(lambda found: tuple(found.items()))
counts = st.integers(0, 400)
fractions = st.floats(-1, 1)
drops = st.one_of(
    st.builds(
        PairedCounts,
        both_right=st.integers(1, 400),
        only_reference=counts,
        only_variant=counts,
        both_wrong=counts,
    ),
    st.builds(
        Estimate,
        value=fractions,
        standard_error=st.floats(0, 1),
        degrees=st.integers(1, 400),
        skew=fractions,
        slack=st.floats(0, 1),
    ),
)


def slice_of(name: str, drop: PairedCounts | Estimate) -> Slice:
    return Slice(name=name, rows=drop.n if isinstance(drop, PairedCounts) else 90, drop=drop)


slices = st.lists(st.builds(slice_of, names, drops), max_size=3).map(tuple)
readings: st.SearchStrategy[Reading] = st.one_of(
    st.builds(Unreadable, metric=st.sampled_from(Metric), reason=names),
    st.builds(
        Measurement,
        metric=st.sampled_from(Metric),
        value=values,
        lower=values,
        upper=values,
        n=whole,
        origin=st.sampled_from(Origin),
        artifact_sha256=names,
        device=names,
        runtime=names,
        measured_at=times,
        conditions=pairs,
        confidence=st.sampled_from([0.9, 0.95, 0.99]),
        slices=slices,
        baseline=st.none() | st.builds(Baseline, sha256=names, value=values),
        quantiles=st.lists(finite, max_size=3).map(spread_of),
    ),
)
budgets = st.sampled_from(Metric).flatmap(
    lambda metric: st.builds(
        Budget,
        metric=st.just(metric),
        at_most=finite,
        least_origin=st.sampled_from([one for one in Origin if one is not Origin.SCALED]),
        floor=st.just(0.5 if metric in RELATIVE else None),
        least_rows=st.just(20 if metric is Metric.SLICE_DROP_POINTS else None),
    )
)
subjects = st.builds(Subject, artifact_sha256=names, device=names, runtime=names)
moments = st.builds(Moment, now=times, max_age=st.timedeltas(timedelta(), timedelta(days=36_500)))
verdicts: st.SearchStrategy[Verdict] = st.builds(
    judge,
    subject=subjects,
    budgets=st.lists(budgets, max_size=3),
    readings=st.lists(readings, max_size=4),
    moment=moments,
)
variants = st.builds(
    Variant,
    recipe=names,
    format=st.sampled_from(Format),
    sha256=names,
    size_bytes=whole,
    path=names,
    parent=names,
    tools=pairs,
    notes=pairs,
)


def few(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(strategy, max_size=2).map(tuple)


numbers = st.floats(0, 1e6)
trials = st.builds(
    Trial,
    recipe=names,
    format=st.sampled_from(Format),
    size_bytes=st.none() | whole,
    drop_points=st.none() | numbers,
    drop_at_most=st.none() | numbers,
    accurate=st.none() | st.booleans(),
    dominated=st.booleans(),
    devices=few(
        st.builds(
            DeviceStanding,
            device=names,
            standing=st.sampled_from(Standing),
            open_checks=whole,
            overshoot=numbers | st.just(math.inf),
            latency_ms=st.none() | numbers,
            reason=names,
        )
    ),
    reason=names,
)
searches = st.builds(
    SearchRecord,
    minutes=numbers,
    rounds=few(
        st.builds(
            Round,
            question=names,
            recipes=few(names),
            trains=st.booleans(),
            seconds=numbers,
            trials=few(trials),
        )
    ),
    ended=names,
    kept=few(names),
)
weigh_ins = st.builds(
    WeighIn,
    model=names,
    version=names,
    source=names,
    source_digest=names,
    plan_digest=names,
    reference_accuracy=values,
    data=few(st.builds(DataDigest, role=names, path=names, sha256=names, rows=whole)),
    devices=few(names),
    results=few(
        st.builds(
            Result,
            variant=variants,
            verdicts=few(verdicts),
            readings=few(readings),
            dominated_by=pairs,
        )
    ),
    failures=few(
        st.builds(BuildFailure, recipe=names, format=st.sampled_from(Format), reason=names)
    ),
    started_at=times,
    finished_at=times,
    search=st.none() | searches,
    compared_with=st.lists(st.builds(Compared, device=names, words=names), max_size=2).map(tuple),
    fleet=st.none()
    | st.builds(
        Fleet,
        parts=few(st.builds(FleetPart, name=names, percent=st.floats(0, 100), devices=few(names))),
        source=names,
        as_of=st.dates(),
        at_least_percent=st.none() | st.floats(1, 100),
    ),
)


def through_json(weigh_in: WeighIn) -> Any:
    return json.loads(json.dumps(to_document(weigh_in), allow_nan=False))


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(weigh_ins)
def test_reading_back_what_was_written_gives_the_same_weigh_in(weigh_in: WeighIn) -> None:
    assert from_document(through_json(weigh_in)) == weigh_in


def test_samples_survive_the_round_trip(weigh_in: WeighIn) -> None:
    assert from_document(through_json(weigh_in)) == weigh_in


def test_each_check_has_the_fields_that_other_programs_read(sample: Sample) -> None:
    weigh_in = sample("mixed")
    document = through_json(weigh_in)
    assert document["schema"] == SCHEMA == "weighin/report/v1"
    for written, result in zip(document["variants"], weigh_in.results, strict=True):
        variant = result.variant
        assert (written["recipe"], written["format"]) == (variant.recipe, variant.format)
        assert (written["path"], written["sha256"]) == (variant.path, variant.sha256)
        assert (written["bytes"], written["tools"]) == (variant.size_bytes, dict(variant.tools))
        for device, verdict in zip(written["devices"], result.verdicts, strict=True):
            assert device["device"] == verdict.subject.device
            for shown, check in zip(device["checks"], verdict.checks, strict=True):
                expected: dict[str, object] = {
                    "metric": check.budget.metric.value,
                    "budget": check.budget.at_most,
                    "outcome": check.outcome.value,
                    "reason": check.reason,
                }
                measured = ("value", "lower", "upper", "n", "origin")
                expected |= {name: getattr(check.reading, name, None) for name in measured}
                assert {name: shown[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("name", "outcome", "exit_code"),
    [
        ("all-pass", "PASS", 0),
        ("mixed", "PASS", 0),
        ("none-passed", "UNDECIDED", 3),
        ("zero-variants", "UNDECIDED", 3),
        ("evil", "FAIL", 3),
    ],
)
def test_outcome_and_exit_code(sample: Sample, name: str, outcome: str, exit_code: int) -> None:
    document = to_document(sample(name))
    assert (document["outcome"], document["exit_code"]) == (outcome, exit_code)


def test_a_report_edited_to_say_pass_still_fails(sample: Sample) -> None:
    document = through_json(sample("none-passed"))
    document |= {"outcome": "PASS", "exit_code": 0}
    for variant in document["variants"]:
        variant["passed_on"] = [device["device"] for device in variant["devices"]]
        for device in variant["devices"]:
            device |= {"outcome": "PASS", "reason": "all budgets hold"}
            for check in device["checks"]:
                check |= {"outcome": "PASS", "value": 0.0, "lower": 0.0, "upper": 0.0}
    again = from_document(document)
    assert again == sample("none-passed")
    assert not again.passed


def test_a_reading_moved_to_another_metric_is_refused(sample: Sample) -> None:
    document = through_json(sample("one-device"))
    checks = document["variants"][0]["devices"][0]["checks"]
    checks[0]["readings"], checks[1]["readings"] = checks[1]["readings"], checks[0]["readings"]
    with pytest.raises(WeighinError, match="cannot be held against"):
        from_document(document)


def test_a_number_that_is_none_never_reaches_json_and_never_passes() -> None:
    subject = Subject(artifact_sha256="a", device="host", runtime="r")
    now = datetime(2026, 1, 1, tzinfo=UTC)
    reading = Measurement(
        metric=Metric.SIZE_MIB,
        value=math.nan,
        lower=-math.inf,
        upper=math.inf,
        n=1,
        origin=Origin.DEVICE,
        artifact_sha256="a",
        device="host",
        runtime="r",
        measured_at=now,
    )
    budget = Budget(metric=Metric.SIZE_MIB, at_most=1.0)
    moment = Moment(now=now, max_age=timedelta(days=1))
    verdict = judge(subject, [budget], [reading], moment)
    variant = Variant(
        recipe="float32",
        format=Format.ONNX,
        sha256="a",
        size_bytes=1,
        path="p",
        parent="q",
        tools=(),
    )
    weigh_in = WeighIn(
        model="m",
        version="1",
        source="s",
        source_digest="d",
        plan_digest="p",
        reference_accuracy=math.nan,
        data=(),
        devices=("host",),
        results=(Result(variant=variant, verdicts=(verdict,), readings=(reading,)),),
        failures=(),
        started_at=now,
        finished_at=now,
    )
    document = through_json(weigh_in)
    check = document["variants"][0]["devices"][0]["checks"][0]
    assert (check["value"], check["lower"], check["upper"]) == (None, None, None)
    again = from_document(document)
    assert through_json(again) == document
    assert again.results[0].verdicts[0].outcome is Outcome.UNDECIDED


@pytest.mark.parametrize(
    ("change", "message"),
    [
        pytest.param(lambda d: d.update(schema="weighin/report/v2"), "schema", id="other-schema"),
        pytest.param(lambda d: d.pop("model"), "model", id="no-model"),
        pytest.param(lambda d: d.update(variants={}), "variants", id="variants-no-list"),
        pytest.param(lambda d: d.update(started_at="2026-01-01"), "time zone", id="no-zone"),
        pytest.param(
            lambda d: d["variants"][0].update(bytes="many"), "whole number", id="bytes-in-words"
        ),
        pytest.param(
            lambda d: d["variants"][0]["devices"][0].update(max_age_s=-1), "max_age_s", id="age"
        ),
        pytest.param(
            lambda d: d["variants"][0]["devices"][0]["checks"][0].update(budget="Infinity"),
            "finite",
            id="budget-without-bound",
        ),
        pytest.param(
            lambda d: d["variants"][0]["devices"][0]["checks"][0].update(metric="charm"),
            "charm",
            id="unknown-metric",
        ),
    ],
)
def test_a_broken_document_is_refused_with_the_field(
    sample: Sample, change: Callable[[dict[str, Any]], object], message: str
) -> None:
    document = through_json(sample("one-device"))
    change(document)
    with pytest.raises(WeighinError, match=message):
        from_document(document)


@pytest.mark.parametrize("document", [None, [], "text", {}, {"schema": 1}])
def test_what_is_no_report_is_refused(document: object) -> None:
    with pytest.raises(WeighinError, match="weighin/report/v1"):
        from_document(document)

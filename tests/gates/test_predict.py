"""Predictions: bounded by what was published, refused where nothing was."""

import dataclasses
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.cost import Arithmetic, Kind, ModelCost, Operator, Terms
from weighin.gates.devices.basis import phone_of
from weighin.gates.devices.coefficients import Learned, load_coefficients
from weighin.gates.devices.latency import Latency, load_rules, predict_latency
from weighin.gates.devices.networks import terms_of
from weighin.gates.devices.predict import predict
from weighin.gates.devices.prices import amounts_of
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import HOST, Calibration, DeviceProfile, load_profile, profile_names
from weighin.gates.usage import Usage
from weighin.gates.variant import Format

NOW = datetime(2026, 11, 22, tzinfo=UTC)
PHONES = tuple(load_profile(name) for name in profile_names() if name != HOST)
CALIBRATED = [(p, c) for p in PHONES for c in p.calibrations if c.runtime == "litert"]
PIXEL_3 = load_profile("pixel-3")
ONE_PER_SECOND = Usage(inferences_per_second=1)
TINY = Terms(
    conv_macs=300_000,
    pointwise_macs=0,
    depthwise_macs=9_000,
    fully_connected_macs=400,
    activation_bytes=30_000,
    weight_bytes=25_000,
    layers=8,
)


def learned(arithmetic: Arithmetic) -> Learned:
    """What is shipped about LiteRT."""
    coefficients = load_coefficients("litert")
    assert coefficients is not None
    found = coefficients.of(arithmetic)
    assert found is not None
    return found


def latency_of(calibration: Calibration, terms: Terms) -> Latency | str:
    """The p90 of a model on the phone that these published runs settle."""
    prices = learned(calibration.arithmetic)
    return predict_latency(
        load_rules(),
        prices,
        phone_of(calibration, prices),
        calibration.arithmetic,
        amounts_of(terms, prices.item_bytes),
    )


def model(
    terms: Terms = TINY, arithmetic: Arithmetic = Arithmetic.FLOAT32, *extra: Operator
) -> ModelCost:
    """An artifact with these terms."""
    counted = {
        Kind.CONV: ("CONV_2D", terms.conv_macs),
        Kind.POINTWISE: ("CONV_2D", terms.pointwise_macs),
        Kind.DEPTHWISE: ("DEPTHWISE_CONV_2D", terms.depthwise_macs),
        Kind.FULLY_CONNECTED: ("FULLY_CONNECTED", terms.fully_connected_macs),
    }
    working = [
        Operator(name=name, moved_bytes=0, macs=macs, kind=kind, arithmetic=arithmetic)
        for kind, (name, macs) in counted.items()
        if macs
    ]
    quiet = terms.layers - len(working)
    padding = [Operator(name="RELU", moved_bytes=0)] * max(0, quiet - 1)
    moving = Operator(name="ADD", moved_bytes=terms.activation_bytes)
    return ModelCost(
        format=Format.LITERT,
        operators=(*working, *padding, moving, *extra),
        weight_bytes=terms.weight_bytes,
        arena_bytes=4096,
    )


def readings(
    profile: DeviceProfile,
    cost: ModelCost,
    fmt: Format = Format.LITERT,
    usage: Usage | None = ONE_PER_SECOND,
) -> dict[Metric, Reading]:
    found = predict(
        profile,
        cost,
        fmt,
        artifact_sha256="a" * 64,
        runtime="ai-edge-litert 2.3.0",
        usage=usage,
        now=NOW,
    )
    assert len(found) == len({r.metric for r in found}) == 4
    return {r.metric: r for r in found}


def number(reading: Reading) -> Measurement:
    assert isinstance(reading, Measurement), reading
    return reading


def reason(reading: Reading) -> str:
    assert isinstance(reading, Unreadable), reading
    return reading.reason


def test_the_helper_makes_the_terms_it_was_given() -> None:
    assert model().terms == TINY


@pytest.mark.parametrize(
    "arithmetic", [Arithmetic.FLOAT32, Arithmetic.FLOAT16, Arithmetic.INT8], ids=str
)
def test_a_tiny_network_is_decidable_on_a_phone_because_a_larger_one_was_published(
    arithmetic: Arithmetic,
) -> None:
    latency = number(readings(PIXEL_3, model(arithmetic=arithmetic))[Metric.LATENCY_P90_MS])
    assert latency.lower == 0.0
    assert 0 < latency.value <= latency.upper < 2.0
    assert latency.origin is Origin.PREDICTED
    assert "smaller in every term than mobilenet_v1_0.25_128" in dict(latency.conditions)["rule"]


def test_a_prediction_says_everything_needed_to_repeat_and_doubt_it() -> None:
    latency = number(readings(PIXEL_3, model())[Metric.LATENCY_P90_MS])
    conditions = dict(latency.conditions)
    assert conditions["threads"] == "4"
    assert conditions["published kernels"] == "before xnnpack"
    assert "hosted_models.md" in conditions["source"]
    assert "p90" in conditions["statistic"]
    assert "weighin device fit" in conditions["reproduce"]
    assert (latency.artifact_sha256, latency.device) == ("a" * 64, "pixel-3")
    assert (latency.runtime, latency.measured_at) == ("ai-edge-litert 2.3.0", NOW)
    assert latency.n == len(PIXEL_3.calibrations[0].anchors)


@pytest.mark.parametrize(
    ("profile", "calibration"),
    CALIBRATED,
    ids=[f"{p.name}-{c.arithmetic}" for p, c in CALIBRATED],
)
def test_published_runs_lie_within_their_own_predictions(
    profile: DeviceProfile, calibration: Calibration
) -> None:
    item_bytes = 4 if calibration.arithmetic is Arithmetic.FLOAT32 else 1
    inside = 0
    for anchor in calibration.anchors:
        terms = terms_of(anchor.model, item_bytes)
        assert terms is not None
        predicted = latency_of(calibration, terms)
        assert isinstance(predicted, Latency), (profile.name, anchor.model, predicted)
        inside += predicted.lower_ms <= anchor.mean_ms <= predicted.upper_ms
    assert inside >= 0.9 * len(calibration.anchors)


@pytest.mark.parametrize(
    ("profile", "calibration"),
    CALIBRATED,
    ids=[f"{p.name}-{c.arithmetic}" for p, c in CALIBRATED],
)
def test_a_published_network_exported_with_a_few_operators_more_keeps_its_number(
    profile: DeviceProfile, calibration: Calibration
) -> None:
    item_bytes = 4 if calibration.arithmetic is Arithmetic.FLOAT32 else 1
    for anchor in calibration.anchors:
        terms = terms_of(anchor.model, item_bytes)
        assert terms is not None
        longer = dataclasses.replace(terms, layers=terms.layers + 4)
        assert isinstance(latency_of(calibration, longer), Latency)


NO_NUMBER = {
    "unknown operator": (
        model(TINY, Arithmetic.FLOAT32, Operator(name="GELU", moved_bytes=8)),
        "GELU",
    ),
    "attention": (
        model(TINY, Arithmetic.FLOAT32, Operator(name="BATCH_MATMUL", moved_bytes=8)),
        "BATCH_MATMUL",
    ),
    "custom operator": (
        model(TINY, Arithmetic.FLOAT32, Operator(name="custom Mine", moved_bytes=8)),
        "custom Mine",
    ),
    "dynamic int8": (model(arithmetic=Arithmetic.DYNAMIC_INT8), "dynamic_int8"),
    "weight only": (model(arithmetic=Arithmetic.WEIGHT_ONLY), "weight_only"),
    "other arithmetic": (model(arithmetic=Arithmetic.OTHER), "other"),
    "mixed": (
        model(TINY, Arithmetic.INT8, *model().operators),
        "mix of float32 and int8",
    ),
    "nothing multiplies": (
        ModelCost(
            format=Format.LITERT,
            operators=(Operator(name="RELU", moved_bytes=64),),
            weight_bytes=0,
            arena_bytes=64,
        ),
        "no operator that multiplies",
    ),
    "unsized": (dataclasses.replace(model(), unsized=("2 subgraphs",)), "2 subgraphs"),
    "mostly transposes": (
        model(TINY, Arithmetic.FLOAT32, Operator(name="TRANSPOSE", moved_bytes=20_000)),
        "only move",
    ),
    "too large": (
        model(dataclasses.replace(TINY, conv_macs=10**12)),
        "larger than every network",
    ),
    "weights of a large language model": (
        model(dataclasses.replace(TINY, weight_bytes=10**10)),
        "reading weights, more than in any published network",
    ),
    "mostly depthwise": (
        model(dataclasses.replace(TINY, depthwise_macs=50_000_000)),
        "depthwise",
    ),
    "mostly fully connected": (
        model(dataclasses.replace(TINY, fully_connected_macs=300_000_000)),
        "fully connected",
    ),
}


@pytest.mark.parametrize(("cost", "why"), NO_NUMBER.values(), ids=NO_NUMBER.keys())
def test_without_calibration_there_is_a_reason_and_never_a_number(
    cost: ModelCost, why: str
) -> None:
    for reading in readings(PIXEL_3, cost).values():
        assert isinstance(reading, Unreadable)
    assert why in reason(readings(PIXEL_3, cost)[Metric.LATENCY_P90_MS])
    assert why in reason(readings(PIXEL_3, cost)[Metric.ENERGY_MJ])


@pytest.mark.parametrize("profile", PHONES, ids=lambda p: p.name)
def test_onnx_runtime_gets_no_number_on_any_phone(profile: DeviceProfile) -> None:
    found = readings(profile, model(), Format.ONNX)
    assert "no calibration for onnxruntime" in reason(found[Metric.LATENCY_P90_MS])


def test_int8_gets_no_number_where_only_float_was_published() -> None:
    found = readings(load_profile("pixel-3a"), model(arithmetic=Arithmetic.INT8))
    assert "published int8 runs on Pixel 3a" in reason(found[Metric.LATENCY_P90_MS])


def test_fewer_than_three_published_runs_are_no_calibration() -> None:
    first = PIXEL_3.calibrations[0]
    poor = dataclasses.replace(first, anchors=first.anchors[:2])
    found = readings(dataclasses.replace(PIXEL_3, calibrations=(poor,)), model())
    assert "fewer than 3" in reason(found[Metric.LATENCY_P90_MS])


def test_a_phone_with_facts_only_gets_no_number() -> None:
    found = readings(load_profile("redmi-6-pro"), model())
    assert all(isinstance(r, Unreadable) for r in found.values())


def test_the_host_is_never_predicted() -> None:
    found = readings(load_profile(HOST), model())
    assert {reason(r) for m, r in found.items() if m is Metric.LATENCY_P90_MS} == {
        "the host is measured, not predicted"
    }
    assert all(isinstance(r, Unreadable) for r in found.values())


def test_peak_memory_is_refused_with_the_computed_lower_bound() -> None:
    why = reason(readings(PIXEL_3, model())[Metric.PEAK_MEMORY_MIB])
    assert f"{(25_000 + 4096) / 2**20:.3g} MiB" in why


def test_int8_published_before_todays_kernels_has_no_lower_end() -> None:
    """Nobody published both kernels, so nobody knows how much faster today's are."""
    terms = terms_of("mobilenet_v1_1.0_192", 1)
    assert terms is not None
    int8 = number(readings(PIXEL_3, model(terms, Arithmetic.INT8))[Metric.LATENCY_P90_MS])
    assert int8.lower == 0.0 < int8.value


def test_float16_weights_keep_the_upper_end_and_lower_the_lower_one() -> None:
    terms = terms_of("mobilenet_v1_1.0_192", 4)
    assert terms is not None
    wide, narrow = (
        number(readings(PIXEL_3, model(terms, a))[Metric.LATENCY_P90_MS])
        for a in (Arithmetic.FLOAT16, Arithmetic.FLOAT32)
    )
    assert (wide.value, wide.upper) == (narrow.value, narrow.upper)
    assert 0 < wide.lower < narrow.lower


counts = st.integers(0, 2_000_000_000)
any_terms = st.builds(
    Terms,
    conv_macs=counts,
    pointwise_macs=counts,
    depthwise_macs=st.integers(0, 200_000_000),
    fully_connected_macs=st.integers(0, 50_000_000),
    activation_bytes=counts,
    weight_bytes=counts,
    layers=st.integers(1, 500),
)


@settings(deadline=None, max_examples=50)
@given(terms=any_terms, which=st.sampled_from(CALIBRATED))
def test_every_interval_contains_its_value(
    terms: Terms, which: tuple[DeviceProfile, Calibration]
) -> None:
    found = latency_of(which[1], terms)
    if isinstance(found, Latency):
        assert 0 <= found.lower_ms <= found.value_ms <= found.upper_ms
    else:
        assert found


@settings(deadline=None, max_examples=50)
@given(
    terms=any_terms,
    which=st.sampled_from(CALIBRATED),
    term=st.sampled_from([f.name for f in dataclasses.fields(Terms)]),
    more=st.integers(0, 10_000_000),
)
def test_more_of_any_term_is_never_predicted_to_be_faster(
    terms: Terms, which: tuple[DeviceProfile, Calibration], term: str, more: int
) -> None:
    grown = dataclasses.replace(terms, **{term: getattr(terms, term) + more})
    small, large = (latency_of(which[1], t) for t in (terms, grown))
    if isinstance(small, Latency) and isinstance(large, Latency):
        assert small.value_ms <= large.value_ms * (1 + 1e-12)


@settings(deadline=None, max_examples=50)
@given(terms=any_terms, rate=st.floats(0.001, 300), which=st.sampled_from(PHONES))
def test_an_unknown_operator_never_gets_a_number(
    terms: Terms, rate: float, which: DeviceProfile
) -> None:
    terms = dataclasses.replace(terms, layers=min(terms.layers, 20))
    cost = model(terms, Arithmetic.FLOAT32, Operator(name="NEW_OPERATOR", moved_bytes=0))
    for reading in readings(which, cost, usage=Usage(inferences_per_second=rate)).values():
        assert isinstance(reading, Unreadable)

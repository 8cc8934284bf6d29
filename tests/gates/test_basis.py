"""What settles a phone's prices: own runs before published ones, and nothing mixed."""

import dataclasses
import math
from datetime import UTC, datetime

import pytest

from weighin.gates.cost import Arithmetic, Kind, ModelCost, Operator, Terms
from weighin.gates.devices.basis import Basis, OwnRuns, basis_of, effect_of
from weighin.gates.devices.coefficients import Coefficients, Learned, load_coefficients
from weighin.gates.devices.networks import terms_of
from weighin.gates.devices.phone.evidence import PhoneAnchor
from weighin.gates.devices.predict import predict
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import load_profile
from weighin.gates.variant import Format

NOW = datetime(2026, 11, 26, tzinfo=UTC)
PIXEL_4 = load_profile("pixel-4")
REDMI = load_profile("redmi-6-pro")
NETWORKS = (
    "mobilenet_v1_0.50_224",
    "mobilenet_v1_1.0_224",
    "mobilenet_v2_1.0_224",
    "mnasnet_1.0_224",
    "inception_v3",
)


def learned(runtime: str = "litert") -> Learned:
    coefficients = load_coefficients(runtime)
    assert coefficients is not None
    found = coefficients.of(Arithmetic.FLOAT32)
    assert found is not None
    return found


def terms(network: str) -> Terms:
    found = terms_of(network, 4)
    assert found is not None
    return found


def run(network: str, ms: float, **changed: object) -> PhoneAnchor:
    anchor = PhoneAnchor(
        title=network,
        artifact_sha256=network,
        terms=terms(network),
        arithmetics=(Arithmetic.FLOAT32,),
        operators=("CONV_2D",),
        runtime=Format.LITERT,
        runtime_version="2.3.0",
        threads=2,
        delegate="",
        mean_ms=ms,
    )
    return dataclasses.replace(anchor, **changed)  # type: ignore[arg-type]


def runs(factor: float = 1.0) -> tuple[PhoneAnchor, ...]:
    """Runs whose times are proportional to the networks' MACs."""
    return tuple(run(n, factor * terms(n).macs / 1e7) for n in NETWORKS)


SMALLEST = terms("mobilenet_v1_0.25_128")


def shrunk(of: Terms, by: int) -> Terms:
    """The same network so many times smaller."""
    sides = dataclasses.asdict(of)
    return Terms(**{name: max(1 if value else 0, value // by) for name, value in sides.items()})


def cost_of(network: str) -> ModelCost:
    return cost_with(terms(network))


def cost_with(found: Terms) -> ModelCost:
    kinds = {
        Kind.CONV: ("CONV_2D", found.conv_macs),
        Kind.POINTWISE: ("CONV_2D", found.pointwise_macs),
        Kind.DEPTHWISE: ("DEPTHWISE_CONV_2D", found.depthwise_macs),
        Kind.FULLY_CONNECTED: ("FULLY_CONNECTED", found.fully_connected_macs),
    }
    working = [
        Operator(name=op, moved_bytes=0, macs=macs, kind=kind, arithmetic=Arithmetic.FLOAT32)
        for kind, (op, macs) in kinds.items()
        if macs
    ]
    quiet = [Operator(name="RELU", moved_bytes=0)] * max(0, found.layers - len(working) - 1)
    return ModelCost(
        format=Format.LITERT,
        operators=(*working, *quiet, Operator(name="ADD", moved_bytes=found.activation_bytes)),
        weight_bytes=found.weight_bytes,
        arena_bytes=1024,
    )


def latency(
    own: OwnRuns, network: str = "mnasnet_1.0_160", cost: ModelCost | None = None
) -> Reading:
    readings = predict(
        REDMI,
        cost or cost_of(network),
        Format.LITERT,
        artifact_sha256=network,
        runtime="ai-edge-litert 2.3.0",
        usage=None,
        now=NOW,
        own=own,
    )
    return next(one for one in readings if one.metric is Metric.LATENCY_P90_MS)


def number(reading: Reading) -> Measurement:
    assert isinstance(reading, Measurement), reading
    return reading


def test_own_runs_stand_before_published_ones() -> None:
    found = basis_of(PIXEL_4, runs(), Format.LITERT, Arithmetic.FLOAT32, learned())
    assert isinstance(found, Basis)
    assert (found.threads, found.phone.kernels) == (2, "measured")
    assert "5 models measured on Pixel 4" in found.source


def test_without_enough_own_runs_the_published_ones_stand() -> None:
    found = basis_of(PIXEL_4, runs()[:2], Format.LITERT, Arithmetic.FLOAT32, learned())
    assert isinstance(found, Basis)
    assert found.phone.kernels == "before_xnnpack"


@pytest.mark.parametrize(
    "changed",
    [
        {"threads": 4},
        {"delegate": "gpu"},
        {"arithmetics": (Arithmetic.INT8,)},
        {"arithmetics": (Arithmetic.FLOAT32, Arithmetic.INT8)},
        {"runtime": Format.ONNX},
        {"artifact_sha256": NETWORKS[0]},
    ],
    ids=["threads", "delegate", "int8", "mixed", "another runtime", "the same file"],
)
def test_runs_that_differ_are_never_mixed(changed: dict[str, object]) -> None:
    two = (*runs()[:2], dataclasses.replace(runs()[2], **changed))  # type: ignore[arg-type]
    found = basis_of(REDMI, two, Format.LITERT, Arithmetic.FLOAT32, learned())
    assert isinstance(found, str)
    assert "fewer than 3" in found


def test_a_phone_nobody_published_is_predicted_from_three_own_runs() -> None:
    assert isinstance(latency(OwnRuns()), Unreadable)
    found = number(latency(OwnRuns(here=runs())))
    assert found.origin is Origin.PREDICTED
    assert found.n == 5
    assert 0 < found.lower < found.value < found.upper
    assert dict(found.conditions)["published kernels"] == "measured"


def test_a_phone_twice_as_slow_is_predicted_to_take_twice_as_long() -> None:
    once, twice = (number(latency(OwnRuns(here=runs(f)))).value for f in (1.0, 2.0))
    assert twice / once == pytest.approx(2.0, rel=0.02)


def test_a_file_measured_on_another_phone_is_transferred() -> None:
    target = "mnasnet_1.0_160"
    other = (*runs(3.0), run(target, 3.0 * 1.6 * terms(target).macs / 1e7))
    alone = number(latency(OwnRuns(here=runs()), target))
    with_other = number(latency(OwnRuns(here=runs(), elsewhere=(("p", other),)), target))
    assert with_other.origin is Origin.TRANSFERRED
    assert dict(with_other.conditions)["measured on"] == "p"
    assert with_other.value > alone.value


def test_a_file_out_of_reach_is_not_transferred_either() -> None:
    """The other phone knows what it takes there; at what price here, nobody does."""
    target = "mobilenet_v2_1.0_224"
    odd = dataclasses.replace(terms(target), depthwise_macs=10 * terms(target).depthwise_macs)
    other = (*runs(3.0), run(target, 900.0, artifact_sha256="odd", terms=odd))
    readings = predict(
        REDMI,
        cost_with(odd),
        Format.LITERT,
        artifact_sha256="odd",
        runtime="ai-edge-litert 2.3.0",
        usage=None,
        now=NOW,
        own=OwnRuns(here=runs(), elsewhere=(("p", other),)),
    )
    found = next(one for one in readings if one.metric is Metric.LATENCY_P90_MS)
    assert isinstance(found, Unreadable)
    assert "depthwise convolutions, more than in any published network" in found.reason


def test_a_bound_by_a_larger_network_is_no_transfer() -> None:
    tiny = shrunk(SMALLEST, 12)
    other = (*runs(3.0), run("mobilenet_v1_0.25_128", 2.0, artifact_sha256="tiny", terms=tiny))
    readings = predict(
        load_profile("pixel-3"),
        cost_with(tiny),
        Format.LITERT,
        artifact_sha256="tiny",
        runtime="ai-edge-litert 2.3.0",
        usage=None,
        now=NOW,
        own=OwnRuns(elsewhere=(("p", other),)),
    )
    found = number(next(one for one in readings if one.metric is Metric.LATENCY_P90_MS))
    assert found.origin is Origin.PREDICTED
    assert "smaller in every term" in dict(found.conditions)["rule"]


def test_another_phone_counts_only_with_three_other_files() -> None:
    target = "mnasnet_1.0_160"
    poor = (*runs()[:2], run(target, 20.0))
    assert effect_of(target, [("p", poor)], Format.LITERT, Arithmetic.FLOAT32, learned()) is None
    rich = (*runs()[:3], run(target, 20.0))
    found = effect_of(target, [("p", rich)], Format.LITERT, Arithmetic.FLOAT32, learned())
    assert found is not None
    assert found[1] == "p"
    assert math.isfinite(found[0].value)


def test_a_small_model_is_within_reach_of_small_models_that_ran_on_the_phone() -> None:
    """Below every published network there is a bound only; own small runs make it a prediction."""
    small = [
        run(
            "mobilenet_v1_0.25_128",
            0.05 * (i + 1),
            artifact_sha256=f"small{i}",
            terms=shrunk(SMALLEST, 20 - 5 * i),
        )
        for i in range(3)
    ]
    bound = number(latency(OwnRuns(here=runs()), cost=cost_with(shrunk(SMALLEST, 12))))
    found = number(latency(OwnRuns(here=(*runs(), *small)), cost=cost_with(shrunk(SMALLEST, 12))))
    assert bound.lower == 0.0
    assert found.lower > 0.0


def test_own_prices_stand_before_the_shipped_ones() -> None:
    """ONNX Runtime has no shipped prices: with the user's own ones there is a number."""
    mine = Coefficients(
        runtime="onnx",
        source="mine",
        operators=("CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED", "RELU", "ADD"),
        learned=((Arithmetic.FLOAT32, learned()),),
    )
    onnx = tuple(dataclasses.replace(one, runtime=Format.ONNX) for one in runs())

    def ask(own: OwnRuns) -> Reading:
        readings = predict(
            REDMI,
            cost_of("mnasnet_1.0_160"),
            Format.ONNX,
            artifact_sha256="x",
            runtime="onnxruntime 1.31.1",
            usage=None,
            now=NOW,
            own=own,
        )
        return next(one for one in readings if one.metric is Metric.LATENCY_P90_MS)

    without = ask(OwnRuns(here=onnx))
    assert isinstance(without, Unreadable)
    assert "no calibration for onnxruntime" in without.reason
    assert number(ask(OwnRuns(here=onnx, coefficients=(mine,)))).value > 0
    fewer = dataclasses.replace(mine, operators=("CONV_2D",))
    refused = ask(OwnRuns(here=onnx, coefficients=(fewer,)))
    assert isinstance(refused, Unreadable)
    assert "ADD" in refused.reason

"""A variant must help: what something simpler matches is named, per device."""

from datetime import UTC, datetime, timedelta

import pytest

from weighin.gates.belief import Moment, Subject
from weighin.gates.dominance import passes, with_dominance
from weighin.gates.judge import judge
from weighin.gates.measurement import ANY_DEVICE, Measurement, Reading, Unreadable
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.variant import GZIP_BYTES, Format, Variant
from weighin.gates.weigh_in import Result

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
MOMENT = Moment(now=NOW, max_age=timedelta(days=1))
BUDGETS = (
    Budget(metric=Metric.LATENCY_P90_MS, at_most=1e6),
    Budget(metric=Metric.SIZE_MIB, at_most=1e6),
)


def reading(
    sha: str,
    metric: Metric,
    value: float,
    ends: tuple[float, float] | None = None,
    conditions: tuple[tuple[str, str], ...] = (),
) -> Measurement:
    of_file = metric is Metric.SIZE_MIB
    lower, upper = ends or (value, value)
    return Measurement(
        metric=metric,
        value=value,
        lower=lower,
        upper=upper,
        n=40,
        origin=Origin.ARTIFACT if of_file else Origin.DEVICE,
        artifact_sha256=sha,
        device=ANY_DEVICE if of_file else "phone",
        runtime="r 1",
        measured_at=NOW,
        conditions=conditions,
    )


def result(
    recipe: str,
    latency: Reading | float,
    size: float,
    format: Format = Format.LITERT,
    budgets: tuple[Budget, ...] = BUDGETS,
    compressed: int | None = None,
) -> Result:
    sha = f"{recipe}{format}"
    if isinstance(latency, Measurement | Unreadable):
        first: Reading = latency
    else:
        first = reading(sha, Metric.LATENCY_P90_MS, latency)
    readings = (first, reading(sha, Metric.SIZE_MIB, size))
    subject = Subject(artifact_sha256=sha, device="phone", runtime="r 1")
    variant = Variant(
        recipe=recipe,
        format=format,
        sha256=sha,
        size_bytes=1,
        path="p",
        parent="m",
        tools=(),
        notes=() if compressed is None else ((GZIP_BYTES, str(compressed)),),
    )
    verdict = judge(subject, budgets, readings, MOMENT)
    return Result(variant=variant, verdicts=(verdict,), readings=readings)


def dominated(*results: Result) -> dict[str, str]:
    return {
        one.variant.label: label
        for one in with_dominance(results)
        for device, label in one.dominated_by
        if device == "phone"
    }


@pytest.mark.parametrize(
    ("recipe", "count"), [("float32", 0), ("fp16", 1), ("int8", 1), ("prune50+distill+int8", 3)]
)
def test_passes_are_counted_from_the_registered_model(recipe: str, count: int) -> None:
    assert passes(recipe) == count


def test_a_simpler_variant_that_is_as_good_everywhere_dominates() -> None:
    found = dominated(result("int8", 5.0, 1.0), result("prune50+int8", 5.0, 1.5))
    assert found == {"prune50+int8.tflite": "int8.tflite"}


@pytest.mark.parametrize(
    ("simple", "elaborate"),
    [
        pytest.param(("int8", 5.0, 1.0), ("prune50+int8", 4.0, 1.5), id="faster"),
        pytest.param(("int8", 5.0, 1.0), ("prune50+int8", 6.0, 0.5), id="smaller"),
        pytest.param(("int8", 5.0, 1.0), ("fp16", 6.0, 1.5), id="as-simple-as-the-other"),
    ],
)
def test_a_variant_that_is_better_somewhere_is_not_dominated(
    simple: tuple[str, float, float], elaborate: tuple[str, float, float]
) -> None:
    assert dominated(result(*simple), result(*elaborate)) == {}


def test_a_file_of_another_runtime_is_no_alternative() -> None:
    assert dominated(result("fp16", 1.0, 1.0, Format.ONNX), result("prune50+int8", 5.0, 5.0)) == {}


def test_an_axis_without_a_number_proves_nothing() -> None:
    unknown = Unreadable(metric=Metric.LATENCY_P90_MS, reason="it crashed")
    assert dominated(result("fp16", unknown, 1.0), result("prune50+int8", 5.0, 5.0)) == {}
    assert dominated(result("fp16", 1.0, 1.0), result("prune50+int8", unknown, 5.0)) == {}


def test_a_number_of_another_file_proves_nothing() -> None:
    borrowed = reading("somebody else's", Metric.LATENCY_P90_MS, 0.001)
    assert dominated(result("fp16", borrowed, 1.0), result("prune50+int8", 5.0, 5.0)) == {}


def test_without_budgets_nothing_is_dominated() -> None:
    cheap = result("fp16", 1.0, 1.0, budgets=())
    assert dominated(cheap, result("prune50+int8", 5.0, 5.0, budgets=())) == {}


@pytest.mark.parametrize(
    ("ratio_lower", "noise_floor", "is_slower"),
    [
        pytest.param("1.5000", "0.0200", True, id="clearly-slower"),
        pytest.param("1.0100", "0.0200", False, id="within-the-noise"),
        pytest.param("0.5000", "0.0200", False, id="faster"),
        pytest.param("nonsense", "0.0200", True, id="unreadable-ratio-falls-back-to-intervals"),
    ],
)
def test_slower_than_float32_beyond_the_noise_is_dominated_although_smaller(
    ratio_lower: str, noise_floor: str, is_slower: bool
) -> None:
    conditions = (("ratio_lower", ratio_lower), ("noise_floor", noise_floor))
    slow = reading("int8litert", Metric.LATENCY_P90_MS, 11.0, conditions=conditions)
    found = dominated(result("float32", 10.0, 4.0), result("int8", slow, 1.0))
    assert found == ({"int8.tflite": "float32.tflite"} if is_slower else {})


@pytest.mark.parametrize(("scale", "is_slower"), [(1.0, True), (0.01, False)])
def test_a_ratio_of_nearly_nothing_is_not_slower(scale: float, is_slower: bool) -> None:
    conditions = (("ratio_lower", "1.4000"), ("noise_floor", "0.0200"))
    slow = reading("int8litert", Metric.LATENCY_P90_MS, 15.0 * scale, conditions=conditions)
    found = dominated(result("float32", 10.0 * scale, 4.0), result("int8", slow, 1.0))
    assert bool(found) is is_slower


@pytest.mark.parametrize(("lower", "is_slower"), [(10.5, True), (9.5, False)])
def test_without_ratios_the_intervals_must_be_apart(lower: float, is_slower: bool) -> None:
    slow = reading("int8litert", Metric.LATENCY_P90_MS, 11.0, (lower, 20.0))
    found = dominated(result("float32", 10.0, 4.0), result("int8", slow, 1.0))
    assert bool(found) is is_slower


def test_the_simplest_of_several_dominators_is_named() -> None:
    found = dominated(
        result("prune50+int8", 4.0, 1.0),
        result("int8", 4.0, 1.0),
        result("prune50+distill+int8", 5.0, 1.0),
    )
    assert found["prune50+distill+int8.tflite"] == "int8.tflite"


@pytest.mark.parametrize(
    ("latency", "compressed", "helps"),
    [
        pytest.param(1.0, 900, False, id="as fast and as long a download"),
        pytest.param(0.999, 900, False, id="faster only by chance"),
        pytest.param(1.2, 900, False, id="slower"),
        pytest.param(1.0, 400, True, id="a shorter download"),
        pytest.param(0.5, 900, True, id="really faster"),
        pytest.param(1.0, None, False, id="nothing known of the download"),
    ],
)
def test_zeros_have_to_be_good_for_something(
    latency: float, compressed: int | None, *, helps: bool
) -> None:
    sha = f"sparse80{Format.LITERT}"
    ends = (latency - 0.05, latency + 0.05)
    slow = reading(f"float32{Format.LITERT}", Metric.LATENCY_P90_MS, 1.0, (0.95, 1.05))
    found = dominated(
        result("float32", slow, 2, compressed=900),
        result(
            "sparse80",
            reading(sha, Metric.LATENCY_P90_MS, latency, ends),
            2,
            compressed=compressed,
        ),
    )
    assert ("sparse80.tflite" not in found) == helps

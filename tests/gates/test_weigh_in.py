"""What a weigh-in says about itself: who passed where, and who came closest."""

from datetime import UTC, datetime, timedelta

import pytest

from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import judge
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.variant import BuildFailure, Format, Variant
from weighin.gates.weigh_in import Result, WeighIn

NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
RUNTIME = "ai-edge-litert 2.3.0"
BUDGETS = (
    Budget(metric=Metric.LATENCY_P90_MS, at_most=10.0),
    Budget(metric=Metric.PEAK_MEMORY_MIB, at_most=20.0),
)


def result(recipe: str, latency: float, memory: float, device: str = "phone") -> Result:
    sha = recipe.ljust(64, "0")
    readings = tuple(
        Measurement(
            metric=metric,
            value=value,
            lower=value,
            upper=value,
            n=40,
            origin=Origin.DEVICE,
            artifact_sha256=sha,
            device=device,
            runtime=RUNTIME,
            measured_at=NOW,
        )
        for metric, value in (
            (Metric.LATENCY_P90_MS, latency),
            (Metric.PEAK_MEMORY_MIB, memory),
        )
    )
    subject = Subject(artifact_sha256=sha, device=device, runtime=RUNTIME)
    verdict = judge(subject, BUDGETS, readings, Moment(now=NOW, max_age=timedelta(days=1)))
    variant = Variant(
        recipe=recipe,
        format=Format.LITERT,
        sha256=sha,
        size_bytes=1000,
        path=f"variants/m/v1/{recipe}.tflite",
        parent="p" * 64,
        tools=(),
    )
    return Result(variant=variant, verdicts=(verdict,), readings=readings)


def weigh_in(*results: Result) -> WeighIn:
    return WeighIn(
        model="m",
        version="1",
        source="models:/m-1",
        source_digest="s" * 64,
        plan_digest="d" * 64,
        reference_accuracy=0.9,
        data=(),
        devices=("phone",),
        results=results,
        failures=(),
        started_at=NOW,
        finished_at=NOW,
    )


def test_a_result_names_the_devices_it_passed_on() -> None:
    good, bad = result("int8", 9.0, 19.0), result("fp16", 11.0, 19.0)
    assert good.passed_on == ("phone",)
    assert bad.passed_on == ()
    assert weigh_in(bad, good).passed == (good,)


@pytest.mark.parametrize(
    ("results", "nearest"),
    [
        pytest.param(
            [("float32", 30.0, 19.0), ("int8", 11.0, 19.0)],
            ("int8", Metric.LATENCY_P90_MS),
            id="smallest-overshoot",
        ),
        pytest.param(
            [("float32", 10.1, 20.1), ("int8", 25.0, 19.0)],
            ("int8", Metric.LATENCY_P90_MS),
            id="fewest-open-checks-first",
        ),
        pytest.param(
            [("float32", 10.5, 60.0)],
            ("float32", Metric.PEAK_MEMORY_MIB),
            id="names-its-worst-metric",
        ),
    ],
)
def test_nearest_miss_is_the_variant_with_least_to_mend(
    results: list[tuple[str, float, float]], nearest: tuple[str, Metric]
) -> None:
    miss = weigh_in(*(result(*one) for one in results)).nearest_miss("phone")
    assert miss is not None
    assert (miss[0].variant.recipe, miss[1]) == nearest


def test_there_is_no_miss_where_something_passed_or_nothing_was_judged() -> None:
    assert (
        weigh_in(result("int8", 9.0, 19.0), result("fp16", 11.0, 1.0)).nearest_miss("phone") is None
    )
    assert weigh_in().nearest_miss("phone") is None
    assert weigh_in(result("int8", 11.0, 19.0)).nearest_miss("tablet") is None


@pytest.mark.parametrize(
    ("format", "label"),
    [(Format.LITERT, "prune50+int8.tflite"), (Format.ONNX, "prune50+int8.onnx")],
)
def test_variants_and_failures_go_by_recipe_and_suffix(format: Format, label: str) -> None:
    assert BuildFailure(recipe="prune50+int8", format=format, reason="no").label == label

"""Small weigh-ins for the tests of the review, by what became of each device."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import judge
from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.variant import Format, Variant
from weighin.gates.weigh_in import DataDigest, Result, WeighIn

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
EVIL = '<script>alert(1)</script>|`rm`\n\x1b[31m@all "q" 💥 \u202egnp'
RUNTIME = "ai-edge-litert 2.3.0"
BUDGETS = {
    Metric.ACCURACY_DROP_POINTS: 1.0,
    Metric.SIZE_MIB: 2.0,
    Metric.LATENCY_P90_MS: 10.0,
}
FATES = {"pass": (8.0, 9.0), "fail": (11.0, 12.0), "undecided": (9.0, 11.0)}
"""Intervals of latency against a budget of 10 ms."""


def make_variant(recipe: str, model: str = "digits") -> Variant:
    content = f"{model} {recipe}".encode()
    return Variant(
        recipe=recipe,
        format=Format.LITERT,
        sha256=hashlib.sha256(content).hexdigest(),
        size_bytes=1_048_576,
        path=f"variants/{model}/v3/{recipe}.tflite",
        parent="aa" * 32,
        tools=(("litert-torch", "0.10.0"),),
    )


def reading(
    variant: Variant, metric: Metric, low: float, high: float, device: str, origin: Origin
) -> Measurement:
    return Measurement(
        metric=metric,
        value=(low + high) / 2,
        lower=low,
        upper=high,
        n=500,
        origin=origin,
        artifact_sha256=variant.sha256,
        device=device,
        runtime=RUNTIME,
        measured_at=NOW - timedelta(hours=1),
    )


def make_result(variant: Variant, devices: Mapping[str, str]) -> Result:
    of_file = (
        reading(variant, Metric.ACCURACY_DROP_POINTS, 0.1, 0.5, ANY_DEVICE, Origin.ARTIFACT),
        reading(variant, Metric.SIZE_MIB, 1.0, 1.0, ANY_DEVICE, Origin.ARTIFACT),
    )
    verdicts, known = [], list(of_file)
    budgets = [Budget(metric=metric, at_most=bound) for metric, bound in BUDGETS.items()]
    for device, fate in devices.items():
        own = reading(variant, Metric.LATENCY_P90_MS, *FATES[fate], device, Origin.DEVICE)
        known.append(own)
        subject = Subject(artifact_sha256=variant.sha256, device=device, runtime=RUNTIME)
        moment = Moment(now=NOW, max_age=timedelta(days=30))
        verdicts.append(judge(subject, budgets, (*of_file, own), moment))
    return Result(variant=variant, verdicts=tuple(verdicts), readings=tuple(known))


def make_weigh_in(
    devices: Mapping[str, str], model: str = "digits", recipes: tuple[str, ...] = ("int8",)
) -> WeighIn:
    results = tuple(make_result(make_variant(recipe, model), devices) for recipe in recipes)
    return WeighIn(
        model=model,
        version="3",
        source="models:/m-6f2c1f0f7a5b4b0d",
        source_digest="bb" * 32,
        plan_digest="cc" * 32,
        reference_accuracy=0.91,
        data=(DataDigest(role="evaluation", path="e.npz", sha256="dd" * 32, rows=500),),
        devices=tuple(devices),
        results=results,
        failures=(),
        started_at=NOW - timedelta(minutes=2),
        finished_at=NOW,
    )


TOML = """
[evidence]
trusted_keys = ["keys/evidence.pub.json"]

[budgets.default]
accuracy_drop_points = 1.0
size_mib = 2.0
latency_p90_ms = 10.0

[models.digits]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
devices = ["host", "pixel-4"]
recipes = ["int8"]
"""
LATENCY_LINE = 8
"""Where ``latency_p90_ms`` stands in it."""

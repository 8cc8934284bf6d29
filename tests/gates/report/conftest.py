"""Realistic weigh-ins for the tests of the report: named samples, and reviews of some."""

import functools
import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from weighin.gates.belief import Moment, Subject
from weighin.gates.judge import judge
from weighin.gates.measurement import ANY_DEVICE, Baseline, Measurement, Reading, Unreadable
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.report.context import Context, PlanChange, SignedFile
from weighin.gates.report.html import to_html
from weighin.gates.slices import Slice, worst
from weighin.gates.stats import PairedCounts
from weighin.gates.variant import BuildFailure, Format, Variant
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import Compared, DataDigest, Result, WeighIn

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
MOMENT = Moment(now=NOW, max_age=timedelta(days=30))
RUNTIMES = {Format.LITERT: "ai-edge-litert 2.3.0", Format.ONNX: "onnxruntime 1.31.1"}
TOOLS = {
    Format.LITERT: (
        ("litert-quantizer", "0.11.0"),
        ("litert-torch", "0.10.0"),
        ("torch", "2.13.0"),
    ),
    Format.ONNX: (("onnx", "1.23.2"), ("onnxruntime", "1.31.1"), ("torch", "2.13.0")),
}
EVIL = '<script>alert(1)</script>|`rm`\n\x1b[31m@all "q" \u202egnp'


@dataclass(frozen=True)
class Cost:
    """What one recipe does to a float model: ratios, and points of accuracy lost."""

    drop: float
    size: float
    litert: float
    onnx: float
    memory: float


COSTS = {
    "float32": Cost(0.0, 1.0, 1.0, 1.05, 1.0),
    "fp16": Cost(0.0, 0.52, 1.0, 1.12, 1.02),
    "dynamic_int8": Cost(0.06, 0.28, 0.42, 6.6, 0.8),
    "int8": Cost(0.1, 0.29, 0.38, 0.57, 0.72),
    "prune50": Cost(1.9, 0.53, 0.585, 0.92, 0.7),
    "distill50": Cost(1.2, 0.51, 0.55, 0.81, 0.68),
    "prune50+distill+int8": Cost(0.9, 0.16, 0.24, 0.41, 0.55),
}
MORE_RECIPES = ("prune30", "prune70", "distill30+int8")
ORIGINS = (Origin.DEVICE, Origin.PREDICTED, Origin.TRANSFERRED, Origin.EMULATED)


def recipe_cost(recipe: str) -> Cost:
    return COSTS.get(recipe) or Cost(0.4 + len(recipe) / 10, 0.4, 0.5, 0.7, 0.7)


def make_variant(recipe: str, form: Format) -> Variant:
    sha256 = hashlib.sha256(f"{recipe}{form}".encode()).hexdigest()
    size_bytes = int(1_108_992 * recipe_cost(recipe).size * (1.07 if form is Format.ONNX else 1))
    return Variant(
        recipe=recipe,
        format=form,
        sha256=sha256,
        size_bytes=size_bytes,
        path=f"variants/digits-cnn/v3/{recipe}{form.suffix}",
        parent=hashlib.sha256(b"source").hexdigest(),
        tools=TOOLS[form],
        notes=(("conversion_difference", "9.5e-06"),),
    )


def measured(
    variant: Variant, metric: Metric, value: float, half: float, n: int, device: str, origin: Origin
) -> Measurement:
    conditions = {
        Metric.LATENCY_P90_MS: (("threads", "1"), ("processes", "5"), ("rounds", "40")),
        Metric.ACCURACY_DROP_POINTS: (("flips", f"{round(n * max(value, 0.05) / 100)}"),),
    }
    return Measurement(
        metric=metric,
        value=value,
        lower=value - half,
        upper=value + half,
        n=n,
        origin=origin,
        artifact_sha256=variant.sha256,
        device=device,
        runtime=RUNTIMES[variant.format],
        measured_at=NOW - timedelta(hours=1),
        conditions=conditions.get(metric, ()),
    )


def file_readings(variant: Variant) -> tuple[Reading, ...]:
    cost, mib = recipe_cost(variant.recipe), variant.size_bytes / 2**20
    accuracy, size = Metric.ACCURACY_DROP_POINTS, Metric.SIZE_MIB
    half = 0.12 + cost.drop * 0.25 if variant.recipe != "float32" else 0.04
    return (
        measured(variant, accuracy, cost.drop, half, 5000, ANY_DEVICE, Origin.ARTIFACT),
        measured(variant, size, mib, 0.0, 1, ANY_DEVICE, Origin.ARTIFACT),
    )


def device_readings(
    variant: Variant, device: str, speed: float, origin: Origin
) -> tuple[Reading, ...]:
    cost = recipe_cost(variant.recipe)
    ratio = cost.litert if variant.format is Format.LITERT else cost.onnx
    ms, band = 4.1 * ratio * speed, 0.03 if origin is Origin.DEVICE else 0.14

    def reading(metric: Metric, value: float, relative: float, n: int) -> Measurement:
        return measured(variant, metric, value, value * relative, n, device, origin)

    if variant.format is Format.ONNX and origin is Origin.TRANSFERRED:
        reason = "operator QLinearConv has no calibration rows for this phone"
        latency: Reading = Unreadable(metric=Metric.LATENCY_P90_MS, reason=reason)
    else:
        latency = reading(Metric.LATENCY_P90_MS, ms, band, 200)
    return (
        latency,
        reading(Metric.PEAK_MEMORY_MIB, 4.0 * cost.memory, 0.02, 5),
        reading(Metric.ENERGY_MJ, ms * 1.9, 0.4, 7),
    )


def budgets(latency_ms: float, drop_points: float) -> tuple[Budget, ...]:
    return (
        Budget(metric=Metric.ACCURACY_DROP_POINTS, at_most=drop_points),
        Budget(metric=Metric.SIZE_MIB, at_most=1.5),
        Budget(metric=Metric.LATENCY_P90_MS, at_most=latency_ms),
        Budget(metric=Metric.PEAK_MEMORY_MIB, at_most=6.0),
    )


def make_result(
    variant: Variant, devices: dict[str, tuple[float, float]], drop_points: float
) -> Result:
    verdicts, known = [], list(file_readings(variant))
    for place, (device, (speed, latency_ms)) in enumerate(devices.items()):
        own = device_readings(variant, device, speed, ORIGINS[place % len(ORIGINS)])
        known += [reading for reading in own if isinstance(reading, Measurement)]
        subject = Subject(
            artifact_sha256=variant.sha256, device=device, runtime=RUNTIMES[variant.format]
        )
        readings = (*file_readings(variant), *own)
        verdicts.append(judge(subject, budgets(latency_ms, drop_points), readings, MOMENT))
    slower = variant.recipe == "dynamic_int8" and variant.format is Format.ONNX
    dominated = tuple((device, f"int8{variant.format.suffix}") for device in devices if slower)
    return Result(
        variant=variant,
        verdicts=tuple(verdicts),
        readings=tuple(known),
        dominated_by=dominated,
    )


def make_weigh_in(
    devices: dict[str, tuple[float, float]],
    recipes: tuple[str, ...] = tuple(COSTS),
    formats: tuple[Format, ...] = (Format.LITERT, Format.ONNX),
    drop_points: float = 1.5,
    failures: tuple[BuildFailure, ...] = (),
    model: str = "digits-cnn",
) -> WeighIn:
    variants = [make_variant(recipe, form) for recipe in recipes for form in formats]
    data = tuple(
        DataDigest(
            role=role,
            path=f"data/{role}.npz",
            sha256=hashlib.sha256(role.encode()).hexdigest(),
            rows=rows,
        )
        for role, rows in (("evaluation", 5000), ("calibration", 128), ("training", 40_000))
    )
    return WeighIn(
        model=model,
        version="3",
        source="models:/m-6f2c1f0f7a5b4b0d",
        source_digest=hashlib.sha256(b"source").hexdigest(),
        plan_digest=hashlib.sha256(b"plan").hexdigest(),
        reference_accuracy=0.9148,
        data=data,
        devices=tuple(devices),
        results=tuple(make_result(variant, devices, drop_points) for variant in variants),
        failures=failures,
        started_at=NOW - timedelta(minutes=2, seconds=13),
        finished_at=NOW,
    )


FOUR = {
    "host": (1.0, 6.0),
    "pixel-3a": (2.9, 9.0),
    "galaxy-a51": (4.4, 4.0),
    "pixel-8-pro": (0.8, 2.2),
}
FAILURES = (
    BuildFailure(
        recipe="prune70",
        format=Format.LITERT,
        reason="the pruned model fails on its first forward: sizes of tensors must match "
        "(expected 24, got 17) at layer2.0.shortcut",
    ),
    BuildFailure(
        recipe="prune70", format=Format.ONNX, reason="killed after 300 s, the limit for one build"
    ),
)


def _evil() -> WeighIn:
    failures = (BuildFailure(recipe=EVIL, format=Format.ONNX, reason=EVIL),)
    return make_weigh_in(
        {EVIL: (1.0, 3.0), "host": (1.0, 0.2)},
        recipes=("float32", EVIL),
        failures=failures,
        model=EVIL,
    )


SLICES = (
    ("camera=front", 2600, 21, 15),
    ("camera=rear", 2400, 20, 14),
    ("light=day", 3000, 9, 8),
    ("light=night", 900, 70, 6),
    ("light=dusk", 260, 3, 2),
    ("light=dawn", 60, 0, 0),
    ("lens=wide", 700, 9, 7),
    ("lens=tele", 650, 8, 7),
    ("lens=macro", 600, 9, 6),
)
"""Name, rows, and how many of them float32 times this flipped, each way."""
SLICE_BUDGETS = {
    "host": Budget(metric=Metric.SLICE_DROP_POINTS, at_most=2.0, least_rows=80),
    "pixel-3a": Budget(metric=Metric.SLICE_DROP_POINTS, at_most=12.0),
}
HARM = {"float32": 0.0, "int8": 0.6, "prune50": 1.0}


def slices_of(variant: Variant, slices: tuple[tuple[str, int, int, int], ...]) -> Measurement:
    """A reading of slices as the meter makes it."""
    parts = tuple(
        Slice(
            name=name,
            rows=rows,
            drop=PairedCounts(
                both_right=rows - lost - won, only_reference=lost, only_variant=won, both_wrong=0
            ),
        )
        for name, rows, lost, won in slices
    )
    widest, ends = worst(parts, 0.95)
    metric, origin = Metric.SLICE_DROP_POINTS, Origin.ARTIFACT
    reading = measured(variant, metric, 0.0, 0.0, 5000, ANY_DEVICE, origin)
    conditions = (("slices", str(len(parts))), ("widest", widest))
    return replace(
        reading,
        value=ends.value,
        lower=ends.lower,
        upper=ends.upper,
        conditions=conditions,
        slices=parts,
    )


def growth_of(variant: Variant, device: str, percent: float, base_ms: float) -> Measurement:
    metric = Metric.LATENCY_VS_RELEASE_PERCENT
    reading = measured(variant, metric, percent, 4.0, 200, device, Origin.DEVICE)
    conditions = (("compared_with", "digits-cnn/2"), ("how", "two intervals divided"))
    return replace(
        reading, conditions=conditions, baseline=Baseline(sha256="b" * 64, value=base_ms)
    )


def backends_of(variant: Variant) -> Measurement:
    """The two forms of the runtime; int8 in ONNX answers differently in them."""
    apart = variant.label == "int8.onnx"
    metric, origin = Metric.BACKEND_DISAGREEMENT_PERCENT, Origin.ARTIFACT
    reading = measured(variant, metric, 2.4 if apart else 0.1, 0.1, 5000, ANY_DEVICE, origin)
    words = "the rewritten graph and the graph as it is in the file differ on 120 of 5000 rows"
    return replace(reading, conditions=(("alarm", words),) if apart else ())


FLIPS = (
    ("flips_right_to_wrong", "95"),
    ("flips_by_class", "8: 41 of 470, 3: 9 of 455, 5: 8 of 430"),
    ("calibration_error", "0.061300"),
    ("reference_calibration_error", "0.012100"),
    (
        "alarm",
        "41 of 95 flips from right to wrong are of class 8, which has 10% of the rows that were "
        "right",
    ),
)


def weighed_closer(result: Result) -> Result:
    """The same variant with slices, flips, both forms of its runtime, and the release."""
    variant, harm = result.variant, HARM[result.variant.recipe]
    flipped = tuple(
        (name, n, round(lost * harm), round(won * harm)) for name, n, lost, won in SLICES
    )
    conditions = FLIPS if variant.recipe == "prune50" else FLIPS[:-1] if harm else ()
    of_the_file = (slices_of(variant, flipped), backends_of(variant))
    verdicts, known = [], [with_flips(one, conditions) for one in (*result.readings, *of_the_file)]
    for verdict in result.verdicts:
        device = verdict.subject.device
        growth = growth_of(variant, device, 31.0 if harm else 4.0, 0.9)
        own = (with_flips(one, conditions) for check in verdict.checks for one in check.readings)
        budgets = (
            *(check.budget for check in verdict.checks),
            SLICE_BUDGETS[device],
            Budget(metric=Metric.BACKEND_DISAGREEMENT_PERCENT, at_most=1.0),
            Budget(metric=Metric.LATENCY_VS_RELEASE_PERCENT, at_most=10.0, floor=0.5),
        )
        readings = (*own, *of_the_file, growth)
        verdicts.append(judge(verdict.subject, budgets, readings, MOMENT))
        known.append(growth)
    return replace(result, verdicts=tuple(verdicts), readings=tuple(known))


def with_flips(reading: Reading, conditions: tuple[tuple[str, str], ...]) -> Reading:
    if isinstance(reading, Measurement) and reading.metric is Metric.ACCURACY_DROP_POINTS:
        return replace(reading, conditions=conditions)
    return reading


def _closer() -> WeighIn:
    plain = make_weigh_in({"host": (1.0, 6.0), "pixel-3a": (2.9, 12.0)}, recipes=tuple(HARM))
    results = tuple(weighed_closer(result) for result in plain.results)
    compared = (Compared(device="host", words="digits-cnn/2, int8.tflite"),)
    return replace(plain, results=results, compared_with=compared)


def _stepwise() -> WeighIn:
    """Looked at row by row, with more confidence than usual."""
    strict, plain = replace(MOMENT, confidence=0.99), SAMPLES["one-device"]()
    results = []
    for result in plain.results:
        readings = tuple(_surer(one) for one in result.readings)
        (verdict,) = result.verdicts
        own = (_surer(one) for check in verdict.checks for one in check.readings)
        budgets = (check.budget for check in verdict.checks)
        again = judge(verdict.subject, budgets, own, strict)
        results.append(replace(result, readings=readings, verdicts=(again,)))
    return replace(plain, results=tuple(results))


def _surer(reading: Reading) -> Reading:
    words = "stopped at look 2 of 5, rows in the order of seed 7"
    if not isinstance(reading, Measurement):
        return reading
    if reading.metric is Metric.ACCURACY_DROP_POINTS:
        reading = replace(reading, n=2500, conditions=(("sequential", words),))
    return replace(reading, confidence=0.99)


_MAKERS: dict[str, Callable[[], WeighIn]] = {
    "all-pass": lambda: make_weigh_in(
        {"host": (1.0, 40.0), "pixel-8-pro": (0.8, 40.0)}, drop_points=4.0
    ),
    "mixed": lambda: make_weigh_in(FOUR, failures=FAILURES),
    "none-passed": lambda: make_weigh_in(
        {name: (speed, 0.5) for name, (speed, _) in FOUR.items()}, failures=FAILURES
    ),
    "zero-variants": lambda: make_weigh_in(FOUR, recipes=(), failures=FAILURES),
    "one-device": lambda: make_weigh_in({"host": (1.0, 6.0)}, formats=(Format.LITERT,)),
    "many-devices": lambda: make_weigh_in(
        {f"phone-{n:02d}-{'ultra' if n % 7 == 0 else 'go'}": (0.7 + n / 5, 6.0) for n in range(30)},
        recipes=(*COSTS, *MORE_RECIPES),
        failures=FAILURES,
    ),
    "evil": _evil,
    "closer": _closer,
    "stepwise": _stepwise,
}
SAMPLES: dict[str, Callable[[], WeighIn]] = {
    name: functools.cache(make) for name, make in _MAKERS.items()
}
"""Named weigh-ins, each made once: they are frozen."""


@pytest.fixture(params=SAMPLES)
def name(request: pytest.FixtureRequest) -> str:
    """The name of every sample in turn."""
    return str(request.param)


@pytest.fixture
def weigh_in(name: str) -> WeighIn:
    """Every sample in turn."""
    return SAMPLES[name]()


@pytest.fixture(scope="session")
def page_of() -> Callable[[str], str]:
    """The HTML page of a sample, rendered once."""
    return functools.cache(lambda name: to_html(SAMPLES[name]()))


@pytest.fixture
def page(name: str, page_of: Callable[[str], str]) -> str:
    """The HTML page of every sample in turn, the one of ``weigh_in``."""
    return page_of(name)


@pytest.fixture(scope="session")
def sample() -> Callable[[str], WeighIn]:
    """Get one sample by its name."""
    return lambda name: SAMPLES[name]()


@pytest.fixture
def golden() -> Callable[[str, str], None]:
    """Compare a text with its golden file; ``WEIGHIN_UPDATE_GOLDEN=1`` writes the file anew."""

    def compare(name: str, text: str) -> None:
        path = Path(__file__).parent / "golden" / name
        if os.environ.get("WEIGHIN_UPDATE_GOLDEN") == "1":
            path.write_text(text, encoding="utf-8")
        assert text == path.read_text(encoding="utf-8"), f"{name} changed: look, then update it"

    return compare


LATER = NOW + timedelta(hours=2)


def make_waiver(weigh_in: WeighIn, **changed: object) -> Waiver:
    """A waiver of this weigh-in that holds for two weeks from when it finished."""
    fields: dict[str, object] = {
        "model": weigh_in.model,
        "version": weigh_in.version,
        "plan_digest": weigh_in.plan_digest,
        "metric": Metric.LATENCY_P90_MS,
        "device": "galaxy-a51",
        "reason": "the A51 is 2 % of users, and the next version is faster",
        "by": "ada",
        "url": "https://github.com/acme/phones/pull/7#issuecomment-81",
        "issued_at": weigh_in.finished_at + timedelta(hours=1),
        "expires_at": weigh_in.finished_at + timedelta(days=14),
    }
    return Waiver(**(fields | changed))  # type: ignore[arg-type]


def _released(weigh_in: WeighIn, recipes: tuple[str, ...] = ("float32", "fp16")) -> WeighIn:
    """The version before: fewer recipes, so larger files."""
    results = tuple(one for one in weigh_in.results if one.variant.recipe in recipes)
    day = timedelta(days=9)
    return replace(
        weigh_in,
        version="2",
        results=results,
        failures=(),
        reference_accuracy=0.9112,
        started_at=weigh_in.started_at - day,
        finished_at=weigh_in.finished_at - day,
    )


def _signatures(weigh_in: WeighIn) -> tuple[SignedFile, ...]:
    return tuple(
        SignedFile(
            label=result.variant.label,
            device=device,
            keyid="" if place == 0 else "5f3e" * 16,
            expires_at=NOW + timedelta(days=30),
            envelope_sha256="c" * 64,
        )
        for place, result in enumerate(weigh_in.results)
        for device in weigh_in.devices
    )


CHANGED = (
    PlanChange(
        where="models.digits-cnn.budgets.host.size_mib", before="2", after="1.5", looser=False
    ),
    PlanChange(
        where="models.digits-cnn.budgets.galaxy-a51.latency_p90_ms",
        before="4",
        after="40",
        looser=True,
    ),
    PlanChange(where="evidence.trusted_keys", before="", after="['5f3e']", looser=True),
)
PAGE = "https://reports.example.org/digits-cnn/3/"


def _waived(weigh_in: WeighIn) -> Context:
    void = make_waiver(weigh_in, device=None, expires_at=LATER - timedelta(minutes=5))
    idle = make_waiver(weigh_in, device="host", by="grace", reason="asked for by nobody")
    return Context(now=LATER, waivers=(void, idle, make_waiver(weigh_in)), report_url=PAGE)


def _evil_context(weigh_in: WeighIn) -> Context:
    waiver = make_waiver(weigh_in, device=EVIL, by=EVIL, reason=EVIL, url=f"https://e/{EVIL}")
    return Context(
        now=LATER,
        waivers=(waiver, make_waiver(weigh_in, device="host", by="all", reason="--> ]]> ~~~~ ```")),
        against=_released(weigh_in, ("float32", EVIL)),
        changes=(PlanChange(where=EVIL, before=EVIL, after=EVIL, looser=True),),
        report_url=f"https://example.org/{EVIL}",
        signatures=_signatures(weigh_in),
    )


def _known(weigh_in: WeighIn) -> Context:
    return Context(
        now=LATER,
        against=_released(weigh_in),
        signatures=_signatures(weigh_in),
        report_url=PAGE,
    )


REVIEWS: dict[str, tuple[str, Callable[[WeighIn], Context]]] = {
    "since-release": ("mixed", _known),
    "waived": ("mixed", _waived),
    "waived-only": (
        "none-passed",
        lambda w: Context(now=LATER, waivers=(make_waiver(w, device="host"),)),
    ),
    "untrusted": (
        "all-pass",
        lambda _: Context(untrusted="no trusted key signed it, it comes from the fork eve/phones"),
    ),
    "loosened": ("mixed", lambda w: replace(_known(w), changes=CHANGED)),
    "evil-review": ("evil", _evil_context),
    "big-review": ("many-devices", _known),
}
"""Names of samples with what else is known."""


@pytest.fixture(scope="session")
def review() -> Callable[[str], tuple[WeighIn, Context]]:
    """Get one weigh-in with its context by name."""

    def find(name: str) -> tuple[WeighIn, Context]:
        sample_name, context = REVIEWS[name]
        found = SAMPLES[sample_name]()
        return found, context(found)

    return find


@pytest.fixture(params=REVIEWS)
def reviewed(request: pytest.FixtureRequest) -> tuple[WeighIn, Context]:
    """Every review in turn."""
    sample_name, context = REVIEWS[str(request.param)]
    found = SAMPLES[sample_name]()
    return found, context(found)

"""A weigh-in as runs of MLflow: what stands in the parent run and in each variant's. Pure.

    parent            digits/3: counts, and what each device gets
    one per variant   int8.tflite: its numbers and verdicts on every device
    one per failure   prune70.tflite: the reason; its run has failed

MLflow's rules are kept here: which characters a name may have, how long a text may be, that a
parameter never changes, that a number is finite. What this module does not do: it calls nobody.
"""

import hashlib
import json
import math
import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass

from weighin.gates.measurement import ANY_DEVICE, Measurement
from weighin.gates.metric import Metric
from weighin.gates.report.markdown import summary_table
from weighin.gates.report.markdown_parts import code, table
from weighin.gates.report.summary import headline_figures, reading_on, smallest_pass
from weighin.gates.variant import BuildFailure
from weighin.gates.weigh_in import Result, WeighIn
from weighin.plugin.event import Registration
from weighin.plugin.mark import PLAN_TAG, SOURCE_TAG
from weighin.plugin.mlflow_publish import DEVICES_TAG, RECIPE_TAG, SHA256_TAG

KEY_TAG = "weighin.key"
"""By which a run is found again."""

VERDICT_TAG = "weighin.verdict"
"""With a dot and a device: the variant's verdict there."""

REASON_TAG = "weighin.reason"
"""Why a variant could not be built."""

NOTE_TAG = "mlflow.note.content"
"""The run's description; MLflow shows it as Markdown."""

Pairs = tuple[tuple[str, str], ...]

_NOT_IN_NAMES = re.compile(r"[^\w.\- ]")
_LONGEST_KEY = 250
_LONGEST_NOTE = 7_900
_LONGEST_REASON = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """One metric of a run.

    Attributes:
        name: As MLflow allows it: ``latency_p90_ms.pixel-4``.
        value: Finite.
        estimate: Whether it is the number itself, which is linked to the model and the data; not
            an end of its interval, and not a count.
    """

    name: str
    value: float
    estimate: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What one run holds.

    Attributes:
        key: What it is found by; the same for the same thing.
        name: For people.
        params: What never changes under this key.
        tags: What may.
        numbers: The metrics.
        failed: Whether the thing that it speaks of could not be made.
    """

    key: str
    name: str
    params: Pairs
    tags: Pairs
    numbers: tuple[Number, ...] = ()
    failed: bool = False

    @property
    def digest(self) -> str:
        """Of everything in it."""
        return digest_of(asdict(self))


def digest_of(value: object) -> str:
    """The sha256 of a value that JSON can write."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()


def parent_record(weigh_in: WeighIn, registration: Registration) -> RunRecord:
    """The weigh-in as a whole."""
    identity = f"{registration.identity}\n{weigh_in.plan_digest}"
    counts = (
        ("variants_built", len(weigh_in.results)),
        ("variants_failed", len(weigh_in.failures)),
        ("variants_passed", len(weigh_in.passed)),
    )
    return RunRecord(
        key=hashlib.sha256(identity.encode()).hexdigest(),
        name=_key(registration.label),
        params=(("model", registration.name), ("version", registration.version)),
        tags=(
            *_origin(weigh_in, registration),
            (NOTE_TAG, _cut(summary_table(weigh_in), _LONGEST_NOTE)),
        ),
        numbers=(
            Number(name="reference_accuracy", value=weigh_in.reference_accuracy),
            *(Number(name=name, value=float(n), estimate=False) for name, n in counts),
            *_what_devices_get(weigh_in),
        ),
    )


def child_records(
    weigh_in: WeighIn, registration: Registration, parent_key: str
) -> tuple[RunRecord, ...]:
    """One per variant, then one per variant that could not be built."""
    origin = _origin(weigh_in, registration)
    built = (_variant(weigh_in, result, parent_key, origin) for result in weigh_in.results)
    failed = (_failure(failure, parent_key, origin) for failure in weigh_in.failures)
    return (*built, *failed)


def metric_name(metric: Metric, device: str, end: str = "") -> str:
    """A metric's name in a run: ``latency_p90_ms.pixel-4``, ``latency_p90_ms_upper.pixel-4``.

    Different devices never share a name. What belongs to the file has no device in its name.
    """
    first = f"{metric.value}_{end}" if end else metric.value
    return first if device == ANY_DEVICE else _key(f"{first}.{_device(device)}")


def _origin(weigh_in: WeighIn, registration: Registration) -> Pairs:
    return ((SOURCE_TAG, registration.identity), (PLAN_TAG, weigh_in.plan_digest))


def _what_devices_get(weigh_in: WeighIn) -> Iterator[Number]:
    """Size, drop and latency of the smallest variant that passed on each device."""
    for device in weigh_in.devices:
        best = smallest_pass(weigh_in, device)
        for reading in headline_figures(best, device) if best is not None else ():
            name = _key(f"{reading.metric.value}.{_device(device)}")
            if math.isfinite(reading.value):
                yield Number(name=name, value=reading.value, estimate=False)


def _variant(weigh_in: WeighIn, result: Result, parent_key: str, origin: Pairs) -> RunRecord:
    variant = result.variant
    verdicts = tuple(
        (_key(f"{VERDICT_TAG}.{_device(verdict.subject.device)}"), verdict.outcome.value)
        for verdict in result.verdicts
    )
    return RunRecord(
        key=digest_of([parent_key, variant.label, variant.sha256]),
        name=_key(variant.label),
        params=(
            ("recipe", variant.recipe),
            ("format", variant.format.value),
            ("sha256", variant.sha256),
            ("size_bytes", str(variant.size_bytes)),
            ("path", variant.path),
        ),
        tags=(
            *origin,
            (SHA256_TAG, variant.sha256),
            (RECIPE_TAG, variant.recipe),
            (DEVICES_TAG, ", ".join(result.passed_on)),
            *verdicts,
            (NOTE_TAG, _cut(_verdicts(result), _LONGEST_NOTE)),
        ),
        numbers=tuple({one.name: one for one in _numbers(weigh_in, result)}.values()),
    )


def _failure(failure: BuildFailure, parent_key: str, origin: Pairs) -> RunRecord:
    label = f"{failure.recipe}{failure.format.suffix}"
    return RunRecord(
        key=digest_of([parent_key, label]),
        name=_key(label),
        params=(("recipe", failure.recipe), ("format", failure.format.value)),
        tags=(
            *origin,
            (RECIPE_TAG, failure.recipe),
            (REASON_TAG, _cut(failure.reason, _LONGEST_REASON)),
            (NOTE_TAG, f"Could not be built: {code(failure.reason)}"),
        ),
        failed=True,
    )


def _numbers(weigh_in: WeighIn, result: Result) -> Iterator[Number]:
    """Every reading of the file, per device where it belongs to one, with its interval."""
    for device in weigh_in.devices:
        for metric in Metric:
            reading = reading_on(result, device, metric)
            if isinstance(reading, Measurement):
                of_the_file = reading.device == ANY_DEVICE
                yield from _with_interval(reading, ANY_DEVICE if of_the_file else device)


def _with_interval(reading: Measurement, device: str) -> Iterator[Number]:
    ends = {"lower": reading.lower, "upper": reading.upper}
    if math.isfinite(reading.value):
        yield Number(name=metric_name(reading.metric, device), value=reading.value)
    for end, value in ends.items():
        if math.isfinite(value) and value != reading.value:
            name = metric_name(reading.metric, device, end)
            yield Number(name=name, value=value, estimate=False)


def _verdicts(result: Result) -> str:
    rows = [
        [code(verdict.subject.device), f"**{verdict.outcome}**", code(verdict.reason)]
        for verdict in result.verdicts
    ]
    return table(["device", "verdict", "why"], rows)


def _device(device: str) -> str:
    """A device's name with only what MLflow allows in names; what had to change gets a digest."""
    allowed = _NOT_IN_NAMES.sub("-", device)
    if allowed == device:
        return device
    return f"{allowed}-{hashlib.sha256(device.encode()).hexdigest()[:8]}"


def _key(name: str) -> str:
    """A name that is not too long; what had to be cut gets a digest."""
    if len(name) <= _LONGEST_KEY:
        return name
    return f"{name[: _LONGEST_KEY - 9]}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"

"""Predicted readings for a phone that nobody has at hand, or the reason why there are none.

Pure: a profile, a cost and the time go in, readings come out. Every number carries origin
``predicted`` and the band that held-out measurements earned.

What this module does not do: it never guesses. A runtime, an arithmetic or an operator without
published measurements on the phone gets no number, and neither does peak memory: the only
public figures of CPU runs are smaller than the weights they ran with.
"""

import math
from datetime import datetime

from weighin.gates.cost import Arithmetic, ModelCost
from weighin.gates.devices.latency import (
    COMMAND,
    CostModel,
    Latency,
    charged,
    load_cost_model,
    predict_latency,
    unknown_operators,
)
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import HOST, Battery, Calibration, DeviceProfile, PowerKind
from weighin.gates.variant import Format

LEAST_ANCHORS = 3
"""Fewer published runs on a phone than this are no calibration (the ladder of origins)."""

POWER_BAND = 2.0
"""Energy is power times time; nothing public validates it better than a factor of two."""

_COMPUTED_AS = {
    Arithmetic.FLOAT32: Arithmetic.FLOAT32,
    Arithmetic.FLOAT16: Arithmetic.FLOAT32,
    Arithmetic.INT8: Arithmetic.INT8,
}


def predict(
    profile: DeviceProfile,
    cost: ModelCost,
    fmt: Format,
    *,
    artifact_sha256: str,
    runtime: str,
    inferences_per_hour: float | None,
    now: datetime,
) -> tuple[Reading, ...]:
    """Latency, memory, energy and battery of one artifact on one phone.

    Args:
        profile: The phone.
        cost: What the artifact costs, from :func:`weighin.gates.cost.read_cost`.
        fmt: The artifact's format.
        artifact_sha256: The artifact the readings speak of.
        runtime: Runtime name and version the readings speak of.
        inferences_per_hour: How often the app runs the model; ``None`` if not stated.
        now: Timezone-aware time of the prediction.

    Returns:
        One reading per metric, always all four.
    """
    found = _latency(profile, cost, fmt)
    memory = Unreadable(metric=Metric.PEAK_MEMORY_MIB, reason=_memory_reason(profile, cost))
    if isinstance(found, str):
        reasons = {
            Metric.LATENCY_P90_MS: found,
            Metric.ENERGY_MJ: f"no latency: {found}",
            Metric.BATTERY_PERCENT_PER_HOUR: f"no latency: {found}",
        }
        missing = (Unreadable(metric=m, reason=r) for m, r in reasons.items())
        return (*missing, memory)
    calibration, latency, conditions = found
    measured = Measurement(
        metric=Metric.LATENCY_P90_MS,
        value=latency.value_ms,
        lower=latency.lower_ms,
        upper=latency.upper_ms,
        n=len(calibration.anchors),
        origin=Origin.PREDICTED,
        artifact_sha256=artifact_sha256,
        device=profile.name,
        runtime=runtime,
        measured_at=now,
        conditions=conditions,
    )
    energy = _energy(profile, calibration, measured)
    return (measured, energy, _battery(profile, energy, inferences_per_hour), memory)


_Found = tuple[Calibration, Latency, tuple[tuple[str, str], ...]]


def _latency(profile: DeviceProfile, cost: ModelCost, fmt: Format) -> _Found | str:
    """The calibration used, the latency and its conditions, or why there is none."""
    if profile.name == HOST:
        return "the host is measured, not predicted"
    if not any(c.runtime is fmt for c in profile.calibrations):
        return f"no calibration for {fmt.runtime_package} on {profile.title}"
    model = load_cost_model()
    arithmetic = _arithmetic(model, cost)
    if not isinstance(arithmetic, Arithmetic):
        return arithmetic
    calibration = profile.calibration(fmt, _COMPUTED_AS[arithmetic])
    if calibration is None or len(calibration.anchors) < LEAST_ANCHORS:
        return f"fewer than {LEAST_ANCHORS} published {arithmetic} runs on {profile.title}"
    terms = charged(model, cost.operators, cost.terms)
    if terms is None:
        return f"over {model.movement_share:.0%} of its bytes only move between layouts"
    latency = predict_latency(model, calibration, terms)
    if isinstance(latency, str):
        return latency
    if arithmetic is Arithmetic.FLOAT16:
        latency = _with_native_float16(model, latency)
    return calibration, latency, _conditions(model, calibration, latency, arithmetic)


def _arithmetic(model: CostModel, cost: ModelCost) -> Arithmetic | str:
    """The one arithmetic that the model runs in, or why it cannot be predicted."""
    if cost.unsized:
        return f"cannot be counted: {cost.unsized[0]}"
    if unknown := unknown_operators(model, cost.operators):
        return f"no calibration for operator {', '.join(unknown)}"
    kinds = set(cost.arithmetics)
    if not kinds:
        return "no operator that multiplies, so nothing to predict from"
    if kinds == {Arithmetic.FLOAT16, Arithmetic.FLOAT32}:
        return Arithmetic.FLOAT16
    if len(kinds) > 1:
        return f"no calibration for a mix of {' and '.join(sorted(kinds))}"
    (only,) = kinds
    return only if only in _COMPUTED_AS else f"no published {only} run on any phone"


def _with_native_float16(model: CostModel, latency: Latency) -> Latency:
    """Lower the lower end: a runtime may compute in float16 where the cores can."""
    return Latency(
        value_ms=latency.value_ms,
        lower_ms=latency.lower_ms * model.float16_kernels,
        upper_ms=latency.upper_ms,
        rule=f"{latency.rule}; float16 weights run as float32",
    )


def _conditions(
    model: CostModel, calibration: Calibration, latency: Latency, arithmetic: Arithmetic
) -> tuple[tuple[str, str], ...]:
    sources = dict.fromkeys(anchor.source for anchor in calibration.anchors)
    p90 = f"published means; the upper end adds x{model.p90_over_mean} for the p90"
    return (
        ("rule", latency.rule),
        ("arithmetic", arithmetic.value),
        ("threads", str(calibration.threads)),
        ("anchors", str(len(calibration.anchors))),
        ("published kernels", calibration.kernels.replace("_", " ")),
        ("statistic", p90),
        ("source", "; ".join(sources)),
        ("reproduce", COMMAND),
    )


def _memory_reason(profile: DeviceProfile, cost: ModelCost) -> str:
    if profile.name == HOST:
        return "the host is measured, not predicted"
    if cost.unsized:
        return f"not measured on {profile.title}, and cannot be counted: {cost.unsized[0]}"
    least = f"weights and activations alone are {cost.least_memory_mib:.3g} MiB"
    return f"not measured on {profile.title}; {least}"


def _energy(profile: DeviceProfile, calibration: Calibration, latency: Measurement) -> Reading:
    """Measured power of the busy cores, times the latency interval, times the band."""
    power = profile.active_mw(calibration.threads)
    if power is None or power.kind is not PowerKind.MEASURED:
        reason = f"nobody published the measured power of {profile.title}'s cores"
        return Unreadable(metric=Metric.ENERGY_MJ, reason=reason)
    cores = f"{calibration.threads} fastest cores busy, {power.mw:.0f} mW measured by freqbench"
    return _scaled(
        latency,
        Metric.ENERGY_MJ,
        power.mw / 1e3,
        POWER_BAND,
        (("power", cores), ("power source", power.source), ("power band", "x0.5 to x2")),
    )


def _battery(profile: DeviceProfile, energy: Reading, per_hour: float | None) -> Reading:
    """Energy times use, as a share of what the battery holds."""
    metric = Metric.BATTERY_PERCENT_PER_HOUR
    if isinstance(energy, Unreadable):
        return Unreadable(metric=metric, reason=energy.reason)
    if per_hour is None:
        return Unreadable(metric=metric, reason="the inferences per hour are not stated")
    if not (math.isfinite(per_hour) and per_hour >= 0):
        return Unreadable(metric=metric, reason=f"{per_hour} inferences per hour is no rate of use")
    if profile.battery is None:
        return Unreadable(metric=metric, reason=f"the battery of {profile.title} is not known")
    percent_per_mj = 100 * per_hour / 1e3 / profile.battery.joules
    return _scaled(energy, metric, percent_per_mj, 1.0, _use(profile.battery, per_hour))


def _use(battery: Battery, per_hour: float) -> tuple[tuple[str, str], ...]:
    holds = f"{battery.mah:.0f} mAh at {battery.nominal_volts} V (nominal, assumed)"
    return (
        ("use", f"{per_hour:g} inferences per hour, the model alone"),
        ("battery", holds),
        ("battery source", battery.source),
    )


def _scaled(
    basis: Measurement,
    metric: Metric,
    factor: float,
    band: float,
    conditions: tuple[tuple[str, str], ...],
) -> Measurement:
    """The same measurement in another quantity, its interval widened by ``band`` either way."""
    return Measurement(
        metric=metric,
        value=basis.value * factor,
        lower=basis.lower * factor / band,
        upper=basis.upper * factor * band,
        n=basis.n,
        origin=basis.origin,
        artifact_sha256=basis.artifact_sha256,
        device=basis.device,
        runtime=basis.runtime,
        measured_at=basis.measured_at,
        conditions=basis.conditions + conditions,
    )

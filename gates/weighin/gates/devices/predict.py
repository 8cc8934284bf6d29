"""Predicted readings for a phone that nobody has at hand, or the reason why there are none.

Pure: a profile, a cost, the user's own runs and the time go in, readings come out. Every number
carries the band that held-out measurements earned, and its origin: ``predicted``, or
``transferred`` where the file was measured on another phone.

What this module does not do: it never guesses. A runtime, an arithmetic or an operator without
published measurements on the phone gets no number, and neither does peak memory: the only
public figures of CPU runs are smaller than the weights they ran with.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from weighin.gates.cost import Arithmetic, ModelCost
from weighin.gates.devices.basis import LEAST_ANCHORS, Basis, OwnRuns, basis_of, effect_of
from weighin.gates.devices.coefficients import COMMAND, Coefficients, Learned, load_coefficients
from weighin.gates.devices.latency import (
    Latency,
    Rules,
    charged,
    load_rules,
    predict_latency,
    unknown_operators,
)
from weighin.gates.devices.predict_energy import battery_of, predict_energy
from weighin.gates.devices.prices import amounts_of
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import HOST, DeviceProfile
from weighin.gates.usage import Usage
from weighin.gates.variant import Format

__all__ = ["LEAST_ANCHORS", "OwnRuns", "predict"]

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
    usage: Usage | None,
    now: datetime,
    own: OwnRuns | None = None,
) -> tuple[Reading, ...]:
    """Latency, memory, energy and battery of one artifact on one phone.

    Args:
        profile: The phone.
        cost: What the artifact costs, from :func:`weighin.gates.cost.read_cost`.
        fmt: The artifact's format.
        artifact_sha256: The artifact the readings speak of.
        runtime: Runtime name and version the readings speak of.
        usage: How the app uses the model; ``None`` if not stated.
        now: Timezone-aware time of the prediction.
        own: What the user measured, on this phone and on others.

    Returns:
        One reading per metric, always all four.
    """
    asked = _Asked(
        profile=profile, cost=cost, fmt=fmt, sha256=artifact_sha256, own=own or OwnRuns()
    )
    found = _latency(asked)
    memory = Unreadable(metric=Metric.PEAK_MEMORY_MIB, reason=_memory_reason(profile, cost))
    if isinstance(found, str):
        reasons = {
            Metric.LATENCY_P90_MS: found,
            Metric.ENERGY_MJ: f"no latency: {found}",
            Metric.BATTERY_PERCENT_PER_HOUR: f"no latency: {found}",
        }
        missing = (Unreadable(metric=m, reason=r) for m, r in reasons.items())
        return (*missing, memory)
    measured = Measurement(
        metric=Metric.LATENCY_P90_MS,
        value=found.latency.value_ms,
        lower=found.latency.lower_ms,
        upper=found.latency.upper_ms,
        n=len(found.basis.phone.anchors),
        origin=found.origin,
        artifact_sha256=artifact_sha256,
        device=profile.name,
        runtime=runtime,
        measured_at=now,
        conditions=found.conditions,
    )
    energy = predict_energy(profile, found.basis.threads, measured)
    battery = battery_of(energy, usage, profile.battery, latency=measured)
    return (measured, energy, battery, memory)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What is asked for."""

    profile: DeviceProfile
    cost: ModelCost
    fmt: Format
    sha256: str
    own: OwnRuns

    @property
    def coefficients(self) -> Coefficients | None:
        """What is known of the runtime: the user's own fit first."""
        fitted = (c for c in self.own.coefficients if c.runtime == self.fmt.value)
        return next(fitted, None) or load_coefficients(self.fmt.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Found:
    """A latency, what it rests on, and what a reader needs to repeat it."""

    latency: Latency
    basis: Basis
    origin: Origin
    conditions: tuple[tuple[str, str], ...]


def _latency(asked: _Asked) -> _Found | str:
    """The latency and what it rests on, or why there is none."""
    profile = asked.profile
    if profile.name == HOST:
        return "the host is measured, not predicted"
    coefficients = asked.coefficients
    published = any(c.runtime == asked.fmt.value for c in profile.calibrations)
    if coefficients is None or not (published or asked.own.here):
        return f"no calibration for {asked.fmt.runtime_package} on {profile.title}"
    rules = _rules(coefficients)
    arithmetic = _arithmetic(rules, asked.cost)
    if not isinstance(arithmetic, Arithmetic):
        return arithmetic
    learned = coefficients.of(_COMPUTED_AS[arithmetic])
    if learned is None:
        return f"no published {arithmetic} run on any phone"
    basis = basis_of(profile, asked.own.here, asked.fmt, _COMPUTED_AS[arithmetic], learned)
    if isinstance(basis, str):
        return basis
    return _settled(asked, rules, coefficients, learned, basis, arithmetic)


def _settled(
    asked: _Asked,
    rules: Rules,
    coefficients: Coefficients,
    learned: Learned,
    basis: Basis,
    arithmetic: Arithmetic,
) -> _Found | str:
    """The latency at the prices that the basis settles."""
    terms = charged(rules, asked.cost.operators, asked.cost.terms)
    if terms is None:
        return f"over {rules.movement_share:.0%} of its bytes only move between layouts"
    computed_as = _COMPUTED_AS[arithmetic]
    amounts = amounts_of(terms, learned.item_bytes)
    known = effect_of(asked.sha256, asked.own.elsewhere, asked.fmt, computed_as, learned)
    effect, phones = known if known else (None, "")
    latency = predict_latency(rules, learned, basis.phone, computed_as, amounts, effect)
    if isinstance(latency, str):
        return latency
    if arithmetic is Arithmetic.FLOAT16:
        latency = _with_native_float16(rules, latency)
    told = _conditions(rules, learned, basis, latency, arithmetic)
    return _Found(
        latency=latency,
        basis=basis,
        origin=Origin.TRANSFERRED if latency.by_effect else Origin.PREDICTED,
        conditions=(*told, ("measured on", phones)) if latency.by_effect else told,
    )


def _rules(coefficients: Coefficients) -> Rules:
    """LiteRT's rules, and the operators that the user measured; for other runtimes only those."""
    rules = load_rules()
    if coefficients.runtime != Format.LITERT.value:
        return replace(rules, calibrated_operators=coefficients.operators, movement_operators=())
    known = (*rules.calibrated_operators, *coefficients.operators)
    return replace(rules, calibrated_operators=known)


def _arithmetic(rules: Rules, cost: ModelCost) -> Arithmetic | str:
    """The one arithmetic that the model runs in, or why it cannot be predicted."""
    if cost.unsized:
        return f"cannot be counted: {cost.unsized[0]}"
    if unknown := unknown_operators(rules, cost.operators):
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


def _with_native_float16(rules: Rules, latency: Latency) -> Latency:
    """Lower the lower end: a runtime may compute in float16 where the cores can."""
    return replace(
        latency,
        lower_ms=latency.lower_ms * rules.float16_kernels,
        rule=f"{latency.rule}; float16 weights run as float32",
    )


def _conditions(
    rules: Rules,
    learned: Learned,
    basis: Basis,
    latency: Latency,
    arithmetic: Arithmetic,
) -> tuple[tuple[str, str], ...]:
    p90 = f"{basis.statistic}; the upper end adds x{rules.p90_over_mean} for the p90"
    return (
        ("rule", latency.rule),
        ("arithmetic", arithmetic.value),
        ("threads", str(basis.threads)),
        ("anchors", str(len(basis.phone.anchors))),
        ("published kernels", basis.phone.kernels.replace("_", " ")),
        ("statistic", p90),
        ("source", basis.source),
        ("prices", f"learned from {learned.runs} runs on {len(learned.devices)} phones and boards"),
        ("reproduce", COMMAND),
    )


def _memory_reason(profile: DeviceProfile, cost: ModelCost) -> str:
    if profile.name == HOST:
        return "the host is measured, not predicted"
    if cost.unsized:
        return f"not measured on {profile.title}, and cannot be counted: {cost.unsized[0]}"
    least = f"weights and activations alone are {cost.least_memory_mib:.3g} MiB"
    return f"not measured on {profile.title}; {least}"

"""What a gate takes from runs on a phone: readings for one file, and anchors for all others.

Pure. The rules: a run of a simulated phone is evidence only on a profile of a simulated phone; of
several runs the newest one counts; a run whose tool's release nobody stated is not taken for
another release.

What this module does not do: it does not judge age and runtime; it hands on what was measured, and
the judge objects.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from weighin.gates.cost import Arithmetic, Terms
from weighin.gates.devices.phone.naming import is_simulated
from weighin.gates.devices.phone.rows import COMPARED_ROWS
from weighin.gates.devices.phone_run import Figure, Missing, PhoneRun
from weighin.gates.devices.predict_energy import battery_of, predict_energy
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import DeviceProfile
from weighin.gates.stats import Interval
from weighin.gates.usage import Usage
from weighin.gates.variant import Format


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneAnchor:
    """A model whose time on a phone is measured: it ties cost models to that phone.

    Attributes:
        title: What the model is called.
        artifact_sha256: Which file.
        terms: What it costs.
        arithmetics: The kernels it runs.
        operators: Names of its operators.
        runtime: Which runtime family.
        runtime_version: Its release; empty if not stated.
        threads: Threads of the run.
        delegate: Empty for the runtime's default.
        mean_ms: Mean latency.
    """

    title: str
    artifact_sha256: str
    terms: Terms
    arithmetics: tuple[Arithmetic, ...]
    operators: tuple[str, ...]
    runtime: Format
    runtime_version: str
    threads: int
    delegate: str
    mean_ms: float


def newest_run(runs: Sequence[PhoneRun], sha256: str) -> PhoneRun | None:
    """The newest run of a file; ``None`` if it was never measured."""
    own = [run for run in runs if run.artifact_sha256 == sha256]
    return max(own, key=lambda run: run.measured_at, default=None)


def readings_of(run: PhoneRun) -> tuple[Reading, ...]:
    """Latency, memory, energy and disagreement as readings of the phone's profile.

    A figure that is missing only because nobody asked for it gives no reading: what is predicted
    for it stays.
    """
    figures = (
        (Metric.LATENCY_P90_MS, run.latency_ms, run.n),
        (Metric.PEAK_MEMORY_MIB, run.memory_mib, 1),
        (Metric.ENERGY_MJ, run.energy_mj, 1),
        (Metric.ARM_DISAGREEMENT_PERCENT, run.disagreement_percent, _rows(run)),
    )
    return tuple(
        _reading(run, metric, figure, n) for metric, figure, n in figures if not _unasked(figure)
    )


def _rows(run: PhoneRun) -> int:
    """How many rows outputs were compared on; a run that does not say has no sample."""
    text = dict(run.conditions).get(COMPARED_ROWS, "0")
    return int(text) if text.isdigit() else 0


def with_run(
    predicted: Sequence[Reading], run: PhoneRun, profile: DeviceProfile, usage: Usage | None
) -> tuple[Reading, ...]:
    """What is known of a file with a run on the phone: measured first, then what follows from it.

    Energy that was not measured follows from the measured latency and the power tables (origin
    ``predicted``), battery from energy; a model without a latency has neither.
    """
    measured = {reading.metric: reading for reading in readings_of(run)}
    known = {reading.metric: reading for reading in predicted} | measured
    latency = known[Metric.LATENCY_P90_MS]
    if Metric.ENERGY_MJ not in measured:
        known[Metric.ENERGY_MJ] = _energy(latency, run, profile)
    known[Metric.BATTERY_PERCENT_PER_HOUR] = battery_of(
        known[Metric.ENERGY_MJ], usage, profile.battery, latency=latency
    )
    return tuple(known.values())


def _energy(latency: Reading, run: PhoneRun, profile: DeviceProfile) -> Reading:
    if isinstance(latency, Unreadable):
        return Unreadable(metric=Metric.ENERGY_MJ, reason=latency.reason)
    if run.delegate not in ("", "xnnpack"):
        reason = f"not measured, and nobody published the power of the {run.delegate} delegate"
        return Unreadable(metric=Metric.ENERGY_MJ, reason=reason)
    energy = predict_energy(profile, run.threads, latency)
    return energy if isinstance(energy, Unreadable) else replace(energy, origin=Origin.PREDICTED)


def _unasked(figure: Figure) -> bool:
    return isinstance(figure, Missing) and figure.reason.startswith("not asked for")


def _reading(run: PhoneRun, metric: Metric, figure: Figure, n: int) -> Reading:
    match figure:
        case Missing(reason=reason):
            return Unreadable(metric=metric, reason=f"on the phone: {reason}")
        case Interval():
            pass
    if run.simulated is not is_simulated(run.device):
        kind = "a simulated phone, which is" if run.simulated else "a real phone, but here"
        reason = f"its run was made on {kind} no evidence about {run.device}"
        return Unreadable(metric=metric, reason=reason)
    if not run.runtime_version:
        return Unreadable(metric=metric, reason=_unstated(run))
    return Measurement(
        metric=metric,
        value=figure.value,
        lower=figure.lower,
        upper=figure.upper,
        n=n,
        origin=Origin.DEVICE,
        artifact_sha256=run.artifact_sha256,
        device=run.device,
        runtime=f"{run.format.runtime_package} {run.runtime_version}",
        measured_at=run.measured_at,
        conditions=_conditions(run),
        confidence=run.confidence,
        quantiles=run.quantiles if metric is Metric.LATENCY_P90_MS else (),
    )


def _unstated(run: PhoneRun) -> str:
    return (
        f"measured on the phone with a tool of unknown release (tool {run.tool_sha256[:12]}); "
        "measure again with --runtime-version, or set it in [phones] of weighin.toml"
    )


def _conditions(run: PhoneRun) -> tuple[tuple[str, str], ...]:
    ratio = run.ratio
    found = {
        "threads": str(run.threads),
        "cores": f"mask {run.cores}" if run.cores else "not pinned",
        "processes": str(run.processes),
        "median_ms": f"{run.p50_ms:.6g}",
        "tool": run.tool_sha256[:12],
        "phone": run.serial_sha256[:12],
        "heat": f"{run.thermal_before}; after: {run.thermal_after}",
    }
    if run.delegate:
        found["delegate"] = run.delegate
    if isinstance(ratio, Interval):
        found["ratio_to_float32"] = f"{ratio.value:.4f}"
        found["ratio_lower"] = f"{ratio.lower:.4f}"
        found["ratio_upper"] = f"{ratio.upper:.4f}"
    if run.simulated:
        found["simulated"] = "a simulated phone: no evidence about any real one"
    return tuple({**dict(run.conditions), **found}.items())


def anchors_of(runs: Sequence[PhoneRun]) -> tuple[PhoneAnchor, ...]:
    """Anchors of a phone, newest run per file, threads, delegate and runtime; oldest first.

    Without runs of simulated phones, runs without a latency, and files that cannot be counted.
    """
    newest: dict[tuple[object, ...], PhoneRun] = {}
    for run in sorted(runs, key=lambda run: run.measured_at):
        key = (run.artifact_sha256, run.threads, run.delegate, run.runtime_version)
        newest[key] = run
    return tuple(
        anchor
        for run in newest.values()
        if run.simulated is is_simulated(run.device) and (anchor := _anchor(run)) is not None
    )


def _anchor(run: PhoneRun) -> PhoneAnchor | None:
    if isinstance(run.latency_ms, Missing) or run.terms is None or run.mean_ms <= 0:
        return None
    return PhoneAnchor(
        title=run.title,
        artifact_sha256=run.artifact_sha256,
        terms=run.terms,
        arithmetics=run.arithmetics,
        operators=run.operators,
        runtime=run.format,
        runtime_version=run.runtime_version,
        threads=run.threads,
        delegate=run.delegate,
        mean_ms=run.mean_ms,
    )

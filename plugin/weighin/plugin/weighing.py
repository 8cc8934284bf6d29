"""From variants to results: readings on every target device, and the verdicts on them."""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.child import Limits
from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.devices.host import measure_host
from weighin.gates.devices.predict import predict
from weighin.gates.errors import SourceError
from weighin.gates.judge import Moment, Subject, judge
from weighin.gates.measurement import Reading, Unreadable
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric
from weighin.gates.profile import HOST, load_profile
from weighin.gates.variant import Variant
from weighin.gates.weigh_in import Result
from weighin.plugin.console import Progress
from weighin.plugin.plan import Plan

PREDICTED = (
    Metric.LATENCY_P90_MS,
    Metric.PEAK_MEMORY_MIB,
    Metric.ENERGY_MJ,
    Metric.BATTERY_PERCENT_PER_HOUR,
)

_ARM = Metric.ARM_DISAGREEMENT_PERCENT
_ARM_STEP = "run ARM kernels"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scales:
    """What variants are weighed with.

    Attributes:
        root: Variant paths are relative to it.
        evaluation: The gate's own data set.
        reference: The registered model's outputs on it.
        workdir: For child processes and readings kept between runs.
        limits: What one child process may use.
        moment: When, and how old a reading may be.
        settings: How this machine measures.
        arm: Where the emulated ARM machine is, if files may be run on one.
    """

    root: Path
    evaluation: Path
    reference: Path
    workdir: Path
    limits: Limits
    moment: Moment
    settings: HostSettings
    arm: Path | None = None


def weigh_variants(
    variants: Sequence[Variant],
    plan: Plan,
    scales: Scales,
    progress: Progress,
    metrics: Collection[Metric] = tuple(Metric),
) -> tuple[Result, ...]:
    """Measure every variant here, predict it for phones, and judge it on each device.

    Only ``metrics`` are measured here; what is left out reads as not measured.
    """
    candidates = [_candidate(variant, scales.root) for variant in variants]
    here = measure_host(
        candidates,
        scales.evaluation,
        scales.reference,
        scales.workdir,
        scales.limits,
        scales.moment.now,
        scales.settings,
        report_progress=lambda done, total, _what: progress("weigh", done, total),
        metrics=metrics,
    )
    arm = _on_arm(candidates, plan, scales, progress) if _ARM in metrics else {}
    return tuple(_result(variant, here[variant.label], arm, plan, scales) for variant in variants)


def _on_arm(
    candidates: Sequence[Candidate], plan: Plan, scales: Scales, progress: Progress
) -> Mapping[tuple[str, str], Reading]:
    """ARM kernels by label and device: only for devices with a budget on them, for it is slow."""
    targets = [one for one in plan.targets if any(b.metric is _ARM for b in one.budgets)]
    if not targets or not candidates:
        return {}
    from weighin.gates.arm.machine import not_set_up, open_machine
    from weighin.gates.arm.readings import arm_readings

    done = itertools.count(1)
    most = len(candidates) * (len(targets) + 1)
    progress(_ARM_STEP, 0, most)
    readings = arm_readings(
        candidates,
        [load_profile(target.device) for target in targets],
        scales.evaluation,
        not_set_up() if scales.arm is None else open_machine(scales.arm),
        scales.workdir / "arm",
        scales.limits,
        scales.moment.now,
        scales.settings,
        tick=lambda _what: progress(_ARM_STEP, min(next(done), most - 1), most),
    )
    progress(_ARM_STEP, most, most)
    return readings


def _candidate(variant: Variant, root: Path) -> Candidate:
    return Candidate(
        label=variant.label,
        path=root / variant.path,
        format=variant.format,
        sha256=variant.sha256,
    )


def _result(
    variant: Variant,
    here: tuple[Reading, ...],
    arm: Mapping[tuple[str, str], Reading],
    plan: Plan,
    scales: Scales,
) -> Result:
    by_device = {
        device: _readings(variant, device, here, plan, scales)
        + ((arm[variant.label, device],) if (variant.label, device) in arm else ())
        for device in plan.devices
    }
    verdicts = tuple(
        judge(
            Subject(
                artifact_sha256=variant.sha256,
                device=target.device,
                runtime=runtime_of(variant.format),
            ),
            target.budgets,
            by_device[target.device],
            scales.moment,
        )
        for target in plan.targets
    )
    known = dict.fromkeys(reading for readings in by_device.values() for reading in readings)
    return Result(variant=variant, verdicts=verdicts, readings=tuple(known))


def _readings(
    variant: Variant, device: str, here: tuple[Reading, ...], plan: Plan, scales: Scales
) -> tuple[Reading, ...]:
    """What is known of a variant on one device."""
    if device == HOST:
        return here
    of_the_file = tuple(reading for reading in here if reading.metric not in PREDICTED)
    return (*of_the_file, *_predicted(variant, device, plan, scales))


def _predicted(variant: Variant, device: str, plan: Plan, scales: Scales) -> tuple[Reading, ...]:
    from weighin.gates.cost import read_cost

    try:
        cost = read_cost(scales.root / variant.path, variant.format)
    except SourceError as error:
        return tuple(Unreadable(metric=metric, reason=str(error)) for metric in PREDICTED)
    return predict(
        load_profile(device),
        cost,
        variant.format,
        artifact_sha256=variant.sha256,
        runtime=runtime_of(variant.format),
        inferences_per_hour=plan.settings.inferences_per_hour,
        now=scales.moment.now,
    )

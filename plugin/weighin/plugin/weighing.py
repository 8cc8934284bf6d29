"""From variants to results: readings on every target device, and the verdicts on them."""

import itertools
from collections.abc import Collection, Mapping, Sequence

from weighin.gates.belief import Subject
from weighin.gates.devices.bench import Bench, Candidate
from weighin.gates.devices.host import HOST_METRICS, measure_host
from weighin.gates.judge import judge
from weighin.gates.measurement import Reading
from weighin.gates.meters.stamp import runtime_of
from weighin.gates.metric import Metric
from weighin.gates.profile import HOST, OWN_FOLDER
from weighin.gates.variant import Variant
from weighin.gates.weigh_in import Result
from weighin.plugin.console import Progress
from weighin.plugin.offer import Offer
from weighin.plugin.phones import PREDICTED, Phones
from weighin.plugin.plan import Plan
from weighin.plugin.regression import Against, against_release
from weighin.plugin.scales import Scales, candidate_of
from weighin.plugin.twin import Counting, twin_latency, with_twin

_ARM = Metric.ARM_DISAGREEMENT_PERCENT
_TWIN_STEP = "count ARM instructions"
_ARM_STEP = "run ARM kernels"
GATE_METRICS = (*HOST_METRICS, _ARM)
"""What the gate measures; a search leaves some of it out."""


def weigh_variants(
    variants: Sequence[Variant],
    plan: Plan,
    scales: Scales,
    progress: Progress,
    metrics: Collection[Metric] = GATE_METRICS,
    offer: Offer | None = None,
) -> tuple[Result, ...]:
    """Measure every variant here, predict it for phones, and judge it on each device.

    Only ``metrics`` are measured here; what is left out reads as not measured. Without an
    ``offer`` nothing is compared with the release, and no budget asks for it.
    """
    candidates = [candidate_of(variant, scales.root) for variant in variants]
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
    phones = Phones(
        scales.root / OWN_FOLDER, plan.settings.use, scales.moment.now, scales.moment.max_age
    )
    arm = _on_arm(candidates, phones, plan, scales, progress) if _ARM in metrics else {}
    twins = _on_twins(candidates, phones, plan, scales, progress)
    return judge_variants(variants, here, arm, twins, phones, plan, scales, progress, offer)


def judge_variants(
    variants: Sequence[Variant],
    here: Mapping[str, tuple[Reading, ...]],
    arm: Mapping[tuple[str, str], Reading],
    twins: Mapping[tuple[str, str], Reading],
    phones: Phones,
    plan: Plan,
    scales: Scales,
    progress: Progress,
    offer: Offer | None = None,
) -> tuple[Result, ...]:
    """Predict every variant for the phones, and judge it on each device.

    Args:
        variants: The files.
        here: By label, what this machine measured.
        arm: By label and device, what ARM kernels said.
        twins: By label and device, what counted instructions said of the latency.
        phones: Predicts.
        plan: Names devices and budgets.
        scales: What is weighed with.
        progress: Told of finished children, where files are compared with the release.
        offer: What the channel offers; ``None`` where nothing is compared with it.
    """
    known = {
        one.label: _known(one, here[one.label], arm, twins, phones, plan, scales)
        for one in variants
    }
    against = against_release(variants, known, plan, scales, phones, progress, offer)
    return tuple(_result(one, known[one.label], against, plan, scales) for one in variants)


def _on_arm(
    candidates: Sequence[Candidate], phones: Phones, plan: Plan, scales: Scales, progress: Progress
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
        [phones.profile(target.device) for target in targets],
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


def _on_twins(
    candidates: Sequence[Candidate], phones: Phones, plan: Plan, scales: Scales, progress: Progress
) -> Mapping[tuple[str, str], Reading]:
    """Latency from counted instructions by label and device, where it is asked for."""
    devices = [device for device in plan.devices if device != HOST]
    if scales.twin is None or not devices or not candidates:
        return {}
    counting = Counting(place=scales.twin, bench=_twin_bench(scales))
    readings = dict[tuple[str, str], Reading]()
    for number, one in enumerate(candidates):
        progress(_TWIN_STEP, number, len(candidates))
        for device in devices:
            profile, now = phones.profile(device), scales.moment.now
            readings[one.label, device] = twin_latency(one, profile, counting, now)
    progress(_TWIN_STEP, len(candidates), len(candidates))
    return readings


def _twin_bench(scales: Scales) -> Bench:
    workdir = scales.workdir / "twin"
    return Bench(
        workdir=workdir,
        evaluation=workdir,
        inputs=workdir,
        limits=scales.limits,
        settings=scales.settings,
        tick=lambda _what: None,
    )


def _known(
    variant: Variant,
    here: tuple[Reading, ...],
    arm: Mapping[tuple[str, str], Reading],
    twins: Mapping[tuple[str, str], Reading],
    phones: Phones,
    plan: Plan,
    scales: Scales,
) -> dict[str, tuple[Reading, ...]]:
    """What is known of a variant by itself: on this machine, and on each target device."""
    known = {HOST: here}
    for device in plan.devices:
        if device != HOST:
            known[device] = _on_phone(variant, device, here, phones, scales)
        twin = twins.get((variant.label, device))
        if twin is not None and not phones.is_measured(variant.sha256, device):
            known[device] = with_twin(known[device], twin)
        measured = {reading.metric for reading in known[device]}
        if (variant.label, device) in arm and _ARM not in measured:
            known[device] = (*known[device], arm[variant.label, device])
    return known


def _on_phone(
    variant: Variant, device: str, here: tuple[Reading, ...], phones: Phones, scales: Scales
) -> tuple[Reading, ...]:
    of_the_file = tuple(reading for reading in here if reading.metric not in PREDICTED)
    path = scales.root / variant.path
    return (*of_the_file, *phones.known(path, variant.format, variant.sha256, device))


def _result(
    variant: Variant,
    known: Mapping[str, tuple[Reading, ...]],
    against: Mapping[tuple[str, str], Against],
    plan: Plan,
    scales: Scales,
) -> Result:
    by_device = {
        device: (*known[device], *against[variant.label, device].readings)
        for device in plan.devices
    }
    runtime = runtime_of(variant.format)  # looks for the package: once is enough
    verdicts = tuple(
        judge(
            Subject(artifact_sha256=variant.sha256, device=device, runtime=runtime),
            against[variant.label, device].budgets,
            readings,
            scales.moment,
        )
        for device, readings in by_device.items()
    )
    every = dict.fromkeys(reading for readings in by_device.values() for reading in readings)
    return Result(variant=variant, verdicts=verdicts, readings=tuple(every))

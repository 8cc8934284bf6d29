"""Against the release: which released file each new one is compared with, and what comes out.

Only for plans with a budget that is relative to the release. What this module does not do: it
judges nothing. What the channel offers is no part of the plan, or every promotion would make
every version due again; promotion looks at the channel itself.
"""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from weighin.gates.devices.bench import Candidate, HostSettings
from weighin.gates.devices.host_compare import Comparison, compare_on_host
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import OF_THE_FILE, RELATIVE, VS_RELEASE, Budget, Metric
from weighin.gates.profile import HOST
from weighin.gates.regression import Released, compared_metric, growth, unchanged
from weighin.gates.variant import Variant
from weighin.plugin.console import Progress
from weighin.plugin.offer import Offer, wanted_of
from weighin.plugin.phones import PREDICTED, Phones
from weighin.plugin.plan import Plan, Target
from weighin.plugin.scales import Scales, candidate_of
from weighin.registry.baseline import applied, baseline_of
from weighin.registry.files import holds
from weighin.registry.release import Release, ReleasedVariant

Readings = Mapping[Metric, Reading]
ByDevice = Mapping[str, tuple[Reading, ...]]
"""What is known of one variant by itself, on each device."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Against:
    """One variant on one device against the release.

    Attributes:
        budgets: The device's budgets that apply.
        readings: Readings of the metrics that are relative to the release.
    """

    budgets: tuple[Budget, ...]
    readings: tuple[Reading, ...]


def against_release(
    variants: Sequence[Variant],
    known: Mapping[str, ByDevice],
    plan: Plan,
    scales: Scales,
    phones: Phones,
    progress: Progress,
    offer: Offer | None,
) -> dict[tuple[str, str], Against]:
    """Per label and device, the budgets that apply and the comparisons for them.

    Args:
        variants: The new files.
        known: What is known of each by itself, by label; of this machine in any case.
        plan: Names devices and budgets.
        scales: What they were weighed with.
        phones: Predicts the released files.
        progress: Told of finished children.
        offer: What the channel offers; ``None`` where nobody asks (a search does not).
    """
    asked = _Asked(plan=plan, scales=scales, phones=phones, offer=offer, progress=progress)
    here = _compared_here(variants, known, asked)
    return {
        (variant.label, target.device): _against(
            variant, target, _by_metric(known[variant.label][target.device]), here, asked
        )
        for target in plan.targets
        for variant in variants
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What stays the same while files are compared."""

    plan: Plan
    scales: Scales
    phones: Phones
    offer: Offer | None
    progress: Progress


def _against(
    variant: Variant,
    target: Target,
    mine: Readings,
    here: Mapping[tuple[str, str], Readings],
    asked: _Asked,
) -> Against:
    """One variant on one device: what applies, and what is known of it."""
    budgets, offer = target.budgets, asked.offer
    wanted = wanted_of(budgets)
    if offer is None or not wanted:
        return Against(budgets=applied(budgets, None), readings=())
    if offer.problem:
        return Against(budgets=budgets, readings=_unreadable(wanted, offer))
    baseline = baseline_of(offer.release, target.device, variant)
    if baseline is None:
        return Against(budgets=applied(budgets, None), readings=())
    if baseline.sha256 == variant.sha256:
        zeros = tuple(_zeros(wanted, mine, target.device, baseline, offer))
        read = {reading.metric for reading in zeros}
        kept = tuple(b for b in budgets if b.metric not in VS_RELEASE or b.metric in read)
        return Against(budgets=kept, readings=zeros)
    readings = dict(here.get((variant.label, baseline.sha256), {}))
    if target.device != HOST:
        readings |= _on_phone(wanted, target.device, mine, baseline, asked)
    spoken = (readings.get(metric, _not_measured(metric)) for metric in wanted)
    return Against(
        budgets=budgets, readings=tuple(_on(target.device, reading) for reading in spoken)
    )


def _on_phone(
    wanted: Iterable[Metric],
    device: str,
    mine: Readings,
    baseline: ReleasedVariant,
    asked: _Asked,
) -> dict[Metric, Reading]:
    """What belongs to the phone, from the predictions of both files there."""
    of_the_phone = [metric for metric in wanted if metric not in OF_THE_FILE]
    if not of_the_phone or asked.offer is None:
        return {}
    old = _by_metric(_predicted(baseline, device, asked, asked.offer))
    released = _released(baseline, asked.offer)
    return {
        metric: growth(
            metric,
            mine.get(RELATIVE[metric], _not_measured(RELATIVE[metric])),
            old.get(RELATIVE[metric], _not_measured(RELATIVE[metric])),
            released,
        )
        for metric in of_the_phone
    }


def _predicted(
    baseline: ReleasedVariant, device: str, asked: _Asked, offer: Offer
) -> tuple[Reading, ...]:
    path = offer.file(baseline)
    if not holds(path, baseline.sha256, baseline.size_bytes):
        why = f"the channel has no longer the file that it offers ({path.name})"
        return tuple(Unreadable(metric=metric, reason=why) for metric in PREDICTED)
    return asked.phones.predict(path, baseline.format, baseline.sha256, device)


def _on(device: str, reading: Reading) -> Reading:
    """A comparison holds for the device that it was made for: others have other releases."""
    return reading if isinstance(reading, Unreadable) else replace(reading, device=device)


def _zeros(
    wanted: Iterable[Metric],
    mine: Readings,
    device: str,
    baseline: ReleasedVariant,
    offer: Offer,
) -> Iterable[Reading]:
    """The very file that is offered: no difference, wherever it is known what it has."""
    for metric in wanted:
        known = mine.get(compared_metric(metric))
        if isinstance(known, Measurement) and (metric not in RELATIVE or known.value > 0):
            yield unchanged(metric, known, device, _released(baseline, offer))


def _compared_here(
    variants: Sequence[Variant], known: Mapping[str, ByDevice], asked: _Asked
) -> dict[tuple[str, str], Readings]:
    """Per label and released file what this machine finds; each pair once, for all devices."""
    offer = asked.offer
    if offer is None or offer.release is None:
        return {}
    alone = {label: _by_metric(by_device[HOST]) for label, by_device in known.items()}
    found: dict[tuple[str, str], Readings] = {}
    for pairing in _pairings(variants, asked.plan, offer.release):
        comparison = _comparison(pairing, asked, offer)
        candidates = [candidate_of(one, asked.scales.root) for one in pairing.variants]
        for label, readings in compare_on_host(candidates, alone, comparison).items():
            found[label, pairing.baseline.sha256] = readings
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pairing:
    """One released file, the new files that are compared with it, and by which metrics."""

    baseline: ReleasedVariant
    variants: tuple[Variant, ...]
    metrics: frozenset[Metric]


def _pairings(variants: Sequence[Variant], plan: Plan, release: Release) -> tuple[_Pairing, ...]:
    """What has to run here: everything for this machine, for phones what belongs to the file."""
    found: dict[str, _Pairing] = {}
    for target in plan.targets:
        at_host = target.device == HOST
        metrics = frozenset(m for m in wanted_of(target.budgets) if at_host or m in OF_THE_FILE)
        for variant in variants if metrics else ():
            baseline = baseline_of(release, target.device, variant)
            if baseline is None or baseline.sha256 == variant.sha256:
                continue
            known = found.get(baseline.sha256)
            others = known.variants if known is not None else ()
            found[baseline.sha256] = _Pairing(
                baseline=baseline,
                variants=tuple(dict.fromkeys((*others, variant))),
                metrics=metrics | (known.metrics if known is not None else frozenset()),
            )
    return tuple(found.values())


def _comparison(pairing: _Pairing, asked: _Asked, offer: Offer) -> Comparison:
    baseline, scales, done = pairing.baseline, asked.scales, itertools.count(1)
    return Comparison(
        released=Candidate(
            label=f"released-{baseline.sha256[:12]}{baseline.format.suffix}",
            path=offer.file(baseline),
            format=baseline.format,
            sha256=baseline.sha256,
        ),
        name=offer.name(baseline),
        metrics=pairing.metrics,
        evaluation=scales.evaluation,
        reference_outputs=scales.reference,
        workdir=scales.workdir / "release",
        limits=scales.limits,
        now=scales.moment.now,
        settings=_settings(scales.settings, asked.plan),
        tick=lambda _what: asked.progress("compare with the release", n := next(done), n + 1),
    )


def _settings(settings: HostSettings, plan: Plan) -> HostSettings:
    """As for the files themselves, but rows are looked at until *these* budgets are decided."""
    margins = {
        budget.at_most
        for target in plan.targets
        for budget in target.budgets
        if budget.metric is Metric.ACCURACY_DROP_VS_RELEASE_POINTS
    }
    stepwise = tuple(sorted(margins)) if settings.quality.margins else ()
    return replace(settings, quality=replace(settings.quality, margins=stepwise, slices=()))


def _released(baseline: ReleasedVariant, offer: Offer) -> Released:
    return Released(sha256=baseline.sha256, name=offer.name(baseline))


def _unreadable(metrics: Iterable[Metric], offer: Offer) -> tuple[Reading, ...]:
    why = f"the channel cannot be read: {offer.problem}"
    return tuple(Unreadable(metric=metric, reason=why) for metric in metrics)


def _not_measured(metric: Metric) -> Unreadable:
    return Unreadable(metric=metric, reason="not measured")


def _by_metric(readings: Iterable[Reading]) -> dict[Metric, Reading]:
    return {reading.metric: reading for reading in readings}

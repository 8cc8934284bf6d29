"""What settles a phone's prices: the user's own runs on it, else the published ones.

Runs of different runtimes, arithmetics, thread counts or kernels are never mixed. The user's own
runs come first, because they were made with the kernels in use. A model that the user measured on
*another* phone has an effect that is known here too.

Pure. What this module does not do: it reads no file and predicts nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.coefficients import Coefficients, Learned
from weighin.gates.devices.latency import MEASURED_HERE, Phone
from weighin.gates.devices.networks import terms_of
from weighin.gates.devices.phone.evidence import PhoneAnchor
from weighin.gates.devices.prices import (
    Anchor,
    Effect,
    amounts_of,
    effect_elsewhere,
    mean_effect,
)
from weighin.gates.profile import Calibration, DeviceProfile
from weighin.gates.variant import Format

LEAST_ANCHORS = 3
"""Fewer runs on a phone than this are no calibration (the ladder of origins)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRuns:
    """What the user measured, and what was fitted to it.

    Attributes:
        here: Runs on the phone itself.
        elsewhere: Runs on each other phone, by its name.
        coefficients: The user's own fits, which stand before the shipped ones.
    """

    here: tuple[PhoneAnchor, ...] = ()
    elsewhere: tuple[tuple[str, tuple[PhoneAnchor, ...]], ...] = ()
    coefficients: tuple[Coefficients, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What settles the prices.

    Attributes:
        phone: The runs, with amounts.
        threads: Of the runs.
        source: Where they come from.
        statistic: What their figures are.
    """

    phone: Phone
    threads: int
    source: str
    statistic: str


def basis_of(
    profile: DeviceProfile,
    own: Sequence[PhoneAnchor],
    fmt: Format,
    arithmetic: Arithmetic,
    learned: Learned,
) -> Basis | str:
    """The runs that settle a phone's prices, or why there are too few."""
    groups = _by_threads(own, fmt, arithmetic)
    enough = [group for group in groups.values() if len(group) >= LEAST_ANCHORS]
    if enough:
        group = max(enough, key=len)
        return Basis(
            phone=Phone(anchors=_anchors(group, learned), kernels=MEASURED_HERE),
            threads=group[0].threads,
            source=f"{len(group)} models measured on {profile.title} over adb",
            statistic="measured means",
        )
    calibration = profile.calibration(fmt.value, arithmetic)
    if calibration is None or len(calibration.anchors) < LEAST_ANCHORS:
        measured = f" and {len(own)} own ones" if own else ""
        return (
            f"fewer than {LEAST_ANCHORS} published {arithmetic} runs{measured} on {profile.title}"
        )
    sources = dict.fromkeys(anchor.source for anchor in calibration.anchors)
    return Basis(
        phone=phone_of(calibration, learned),
        threads=calibration.threads,
        source="; ".join(sources),
        statistic="published means",
    )


def _by_threads(
    own: Iterable[PhoneAnchor], fmt: Format, arithmetic: Arithmetic
) -> dict[int, list[PhoneAnchor]]:
    """Runs of the runtime's default kernels that prices speak of, newest of each file."""
    groups: dict[int, dict[str, PhoneAnchor]] = {}
    for run in own:
        fitting = run.runtime is fmt and run.arithmetics == (arithmetic,) and not run.delegate
        if fitting and not run.terms.rare_macs:
            groups.setdefault(run.threads, {})[run.artifact_sha256] = run
    return {threads: list(group.values()) for threads, group in groups.items()}


def _anchors(runs: Iterable[PhoneAnchor], learned: Learned) -> tuple[Anchor, ...]:
    return tuple(
        Anchor(
            network=run.artifact_sha256,
            amounts=amounts_of(run.terms, learned.item_bytes),
            mean_ms=run.mean_ms,
        )
        for run in runs
    )


def phone_of(calibration: Calibration, learned: Learned) -> Phone:
    """The published runs of a phone, with the amounts of their networks.

    Raises:
        ValueError: a network's layout is not known here.
    """
    anchors = tuple(
        Anchor(
            network=anchor.model,
            amounts=_amounts(anchor.model, learned),
            mean_ms=anchor.mean_ms,
        )
        for anchor in calibration.anchors
    )
    return Phone(anchors=anchors, kernels=calibration.kernels)


def _amounts(network: str, learned: Learned) -> tuple[float, ...]:
    known = learned.amounts(network)
    if known is not None:
        return known
    terms = terms_of(network, learned.item_bytes)
    if terms is None:
        raise ValueError(f"anchor {network} is no network that weighin can lay out")
    return amounts_of(terms, learned.item_bytes)


def effect_of(
    sha256: str,
    elsewhere: Iterable[tuple[str, Sequence[PhoneAnchor]]],
    fmt: Format,
    arithmetic: Arithmetic,
    learned: Learned,
) -> tuple[Effect, str] | None:
    """What a file takes beyond its terms on other phones, and which; ``None`` if none ran it.

    A phone counts where it ran at least :data:`LEAST_ANCHORS` other files in the same way.
    """
    found: list[Effect] = []
    names: list[str] = []
    for name, runs in elsewhere:
        for group in _by_threads(runs, fmt, arithmetic).values():
            same = next((run for run in group if run.artifact_sha256 == sha256), None)
            others = [run for run in group if run.artifact_sha256 != sha256]
            if same is None or len(others) < LEAST_ANCHORS:
                continue
            amounts = amounts_of(same.terms, learned.item_bytes)
            others_ = _anchors(others, learned)
            found.append(effect_elsewhere(learned.prior, others_, amounts, same.mean_ms))
            names.append(name)
    return (mean_effect(found), ", ".join(dict.fromkeys(names))) if found else None

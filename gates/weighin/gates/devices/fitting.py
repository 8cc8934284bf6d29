"""From tables of runs to coefficients with the band that held-out runs earned.

What this module does not do: it reads and writes no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.coefficients import Coefficients, Learned, Network
from weighin.gates.devices.holdout import Band, HeldOut, Plan, Progress, band_of, hold_out
from weighin.gates.devices.learn import Run, learn
from weighin.gates.devices.prices import Prior
from weighin.gates.devices.tables import ITEM_BYTES, Table

NORMAL = 1.645
"""No band is narrower than the normal distribution's."""

FEW_FAMILIES = 8
"""With fewer families the band is at least as wide as the base's."""

FEW_RESIDUALS = 30
"""Fewer held-out predictions have no band of their own."""

FEW_NETWORKS = 16
"""Where phones ran fewer networks, boards are learned from as well."""

KNOWN = Plan(draws=10)
NEW = Plan(families=True, draws=2)
TRANSFERRED = Plan(families=True, draws=3, elsewhere=True)
NEW_ONLY = Plan(families=True, phones=False, draws=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """What one arithmetic of one runtime taught, and how wrong it was.

    Attributes:
        runtime: Whose runs.
        arithmetic: What their kernels reckon in.
        runs: What was learned from.
        learned: The result.
        known: Phones left out; their networks are known from other phones.
        new: Phones and network families left out.
        new_only: Families left out; the phone's runs of all other families are its anchors.
        transferred: Like new, but the network was measured on one other phone.
    """

    runtime: str
    arithmetic: Arithmetic
    runs: tuple[Run, ...]
    learned: Learned
    known: HeldOut
    new: HeldOut
    new_only: HeldOut
    transferred: HeldOut


def chosen(table: Table, runtime: str, arithmetic: Arithmetic) -> tuple[Run, ...]:
    """The runs to learn from: phones; boards as well where phones ran too few networks.

    Boards have the same cores and other memory: on float32, where phones ran 26 networks, they made
    predictions worse; on int8, where phones ran 8, better.
    """
    runs = table.of(runtime, arithmetic)
    phones = tuple(run for run in runs if run.phone)
    few = len({run.anchor.network for run in phones}) < FEW_NETWORKS
    return runs if few else phones


def fit(
    table: Table,
    runtime: str,
    arithmetic: Arithmetic,
    base: Fit | None = None,
    progress: Progress = lambda _: None,
) -> Fit | None:
    """Learn one arithmetic and hold out; ``None`` if the table has no run of it."""
    runs = chosen(table, runtime, arithmetic)
    if not runs:
        return None
    prior = base.learned.prior if base else None
    known = hold_out(runs, KNOWN, prior, progress=progress)
    new = hold_out(runs, NEW, prior, progress=progress)
    new_only = hold_out(runs, NEW_ONLY, prior, progress=progress)
    transferred = hold_out(runs, TRANSFERRED, prior, progress=progress)
    families = {run.family for run in runs}
    floor = base.learned if base and len(families) < FEW_FAMILIES else None
    known_band = _band(known, floor.known if floor else None)
    new_band = _band(new_only, _band(new, floor.new if floor else None))
    learned = Learned(
        prior=learn(runs, prior),
        item_bytes=ITEM_BYTES[arithmetic],
        known=known_band,
        transferred=_transferred(transferred, known_band, new_band),
        new=new_band,
        networks=_networks(runs),
        runs=len(runs),
        devices=tuple(sorted({run.device for run in runs})),
        families=len(families),
    )
    return Fit(
        runtime=runtime,
        arithmetic=arithmetic,
        runs=runs,
        learned=learned,
        known=known,
        new=new,
        new_only=new_only,
        transferred=transferred,
    )


def _band(held_out: HeldOut, floor: Band | None) -> Band:
    least = floor or Band(below=NORMAL, above=NORMAL)
    if not held_out.residuals:
        return least
    own = band_of(held_out.residuals)
    return Band(
        below=max(own.below, least.below, NORMAL), above=max(own.above, least.above, NORMAL)
    )


def _transferred(held_out: HeldOut, known: Band, new: Band) -> Band:
    """The band of transferred networks; the wider of both others where too few were held out."""
    if len(held_out.residuals) >= FEW_RESIDUALS:
        return _band(held_out, None)
    return Band(below=max(known.below, new.below), above=max(known.above, new.above))


def _networks(runs: Sequence[Run]) -> tuple[Network, ...]:
    amounts = {run.anchor.network: run.anchor.amounts for run in runs}
    return tuple(Network(name=name, amounts=amounts[name]) for name in sorted(amounts))


def fit_runtime(table: Table, runtime: str, progress: Progress = lambda _: None) -> tuple[Fit, ...]:
    """Every arithmetic of a runtime; float32 is the base of the others."""
    first = fit(table, runtime, Arithmetic.FLOAT32, progress=progress)
    others = (a for a in (Arithmetic.INT8, Arithmetic.FLOAT16))
    rest = [fit(table, runtime, a, first, progress) for a in others]
    return tuple(one for one in (first, *rest) if one is not None)


def coefficients_of(
    fits: Sequence[Fit], source: str, operators: Sequence[str] = ()
) -> Coefficients:
    """What is shipped of the fits of one runtime."""
    return Coefficients(
        runtime=fits[0].runtime,
        source=source,
        operators=tuple(operators),
        learned=tuple((one.arithmetic, one.learned) for one in fits),
    )


def prior_of(fits: Sequence[Fit], arithmetic: Arithmetic) -> Prior | None:
    """The prior of one arithmetic among several fits."""
    return next((one.learned.prior for one in fits if one.arithmetic is arithmetic), None)

"""From tables of runs to coefficients with the band that held-out runs earned.

What this module does not do: it reads and writes no file.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.coefficients import Coefficients, Learned, Network
from weighin.gates.devices.holdout import (
    TAIL_ABOVE,
    TAIL_BELOW,
    Band,
    HeldOut,
    Plan,
    Progress,
    band_of,
    hold_out,
)
from weighin.gates.devices.learn import Run, learn
from weighin.gates.devices.tables import ITEM_BYTES, Table
from weighin.gates.errors import DataError

NORMAL = 1.645
"""No band is narrower than the normal distribution's."""

FEW_FAMILIES = 10
"""With fewer families the band of a new one is nearly the extremes, and as wide as the base's."""
EXTREME = 0.01
"""Share of the residuals beyond either end of a band from few families."""

FEW_RUNS = 20
"""Fewer runs that were predicted without their family earn no band, and so no prices."""

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
    new_band = _band(new, floor.new if floor else None, _tails(new))
    new_band = _band(new_only, new_band, _tails(new_only))
    known_band = _band(known, floor.known if floor else None) if known.residuals else new_band
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


def _tails(held_out: HeldOut) -> tuple[float, float]:
    """Tails of a band for families never seen: nearly none, where few families were left out."""
    few = len({r.run.family for r in held_out.residuals}) < FEW_FAMILIES
    return (EXTREME, EXTREME) if few else (TAIL_BELOW, TAIL_ABOVE)


def _band(
    held_out: HeldOut,
    floor: Band | None,
    tails: tuple[float, float] = (TAIL_BELOW, TAIL_ABOVE),
) -> Band:
    least = floor or Band(below=NORMAL, above=NORMAL)
    if not held_out.residuals:
        return least
    own = band_of(held_out.residuals, *tails)
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
    """What is kept of the fits of one runtime.

    Raises:
        DataError: too few runs could be held out to say how wrong their predictions are.
    """
    if not fits:
        raise DataError("no runs to keep prices of")
    first = fits[0]
    held_out = (*first.new.residuals, *first.new_only.residuals)
    several = {(r.run.setup, r.run.anchor.network) for r in held_out}
    if len(several) < FEW_RUNS:
        raise DataError(
            f"{first.runtime} {first.arithmetic}: only {len(several)} runs could be predicted "
            f"without their family, and {FEW_RUNS} are needed to say how wrong that is; measure "
            "more models, on more phones"
        )
    return Coefficients(
        runtime=fits[0].runtime,
        source=source,
        operators=tuple(operators),
        learned=tuple((one.arithmetic, one.learned) for one in fits),
    )

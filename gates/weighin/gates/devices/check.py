"""Predictions of the rows of a table that somebody holds out: phones, families or networks.

A held-out phone gets a few of its own runs as anchors and is predicted for the rest; of a held-out
family or network all runs are predicted. The prices come from the table's other rows, or from the
shipped ones where the table has few other phones and none of the held-out ones was learned from.

What this module does not do: it reads no table.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.coefficients import Learned
from weighin.gates.devices.fitting import NORMAL, chosen
from weighin.gates.devices.holdout import Band, Plan, Residual, predict_setup
from weighin.gates.devices.learn import Run, learn
from weighin.gates.devices.prices import Prior
from weighin.gates.devices.reach import Reach, reach_of
from weighin.gates.devices.tables import Table
from weighin.gates.errors import DataError

FEW_DEVICES = 5
"""A table with fewer other phones teaches less than the shipped prices know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """Predictions of what was held out of one runtime and arithmetic.

    Attributes:
        residuals: What was predicted, with how far it was off.
        refused: Runs that got no number, and why.
        prices_from: Where the prices come from, in words.
        prior: The prices' prior.
        known: Band for networks that the prices were learned from.
        new: Band for the others.
    """

    residuals: tuple[Residual, ...]
    refused: tuple[tuple[Run, str], ...]
    prices_from: str
    prior: Prior
    known: Band
    new: Band

    def band(self, residual: Residual) -> Band:
        """The band of one prediction."""
        known = self.prior.effect(residual.run.anchor.network) is not None
        return self.known if known else self.new

    def holds(self, residual: Residual) -> bool:
        """Whether the actual latency lies within the band."""
        band = self.band(residual)
        return -band.below <= residual.z <= band.above


def matches(run: Run, names: Sequence[str]) -> bool:
    """Whether a name is the run's network or family, or part of its phone's name; case aside."""
    network, family, device = (
        text.casefold() for text in (run.anchor.network, run.family, run.device)
    )
    wanted = [name.casefold() for name in names]
    return any(name in (network, family) or name in device for name in wanted)


def check(
    runs: Sequence[Run],
    table: Table,
    runtime: str,
    names: Sequence[str],
    shipped: Learned | None,
    plan: Plan,
) -> Checked:
    """Predict the held-out runs of one runtime and arithmetic.

    Args:
        runs: All runs of it.
        table: The table that they are from.
        runtime: Whose.
        names: What is held out.
        shipped: The shipped prices, if there are any; their band is the one that is checked.
        plan: How many anchors a held-out phone gets, and how often they are drawn.

    Raises:
        DataError: nothing is left to learn from.
    """
    held = [run for run in runs if matches(run, names)]
    usable = [r for r in chosen(table, runtime, runs[0].arithmetic) if not matches(r, names)]
    base = None
    if runs[0].arithmetic is not Arithmetic.FLOAT32:
        floats = chosen(table, runtime, Arithmetic.FLOAT32)
        kept = [run for run in floats if not matches(run, names)]
        base = learn(kept) if kept else None
    prior, reach, words = _prices(usable, base, {run.device for run in held}, shipped)
    residuals: list[Residual] = []
    refused: list[tuple[Run, str]] = []
    for setup in sorted({run.setup for run in held}):
        found = predict_setup(prior, reach, [r for r in runs if r.setup == setup], held, plan)
        residuals += found.residuals
        refused += [
            (run, reach.refusal(prior, run.anchor.amounts) or "too few runs for anchors")
            for run in found.refused
        ]
    normal = Band(below=NORMAL, above=NORMAL)
    return Checked(
        residuals=tuple(residuals),
        refused=tuple(refused),
        prices_from=words,
        prior=prior,
        known=shipped.known if shipped else normal,
        new=shipped.new if shipped else normal,
    )


def _prices(
    usable: Sequence[Run], base: Prior | None, held_devices: set[str], shipped: Learned | None
) -> tuple[Prior, Reach, str]:
    devices = {run.device for run in usable}
    unseen = shipped is not None and not held_devices & set(shipped.devices)
    if shipped is not None and unseen and len(devices) < FEW_DEVICES:
        return shipped.prior, shipped.reach, "the shipped prices, learned on none of these phones"
    if not usable:
        saw = "" if shipped is None else ", and the shipped prices were learned on these phones"
        raise DataError(f"nothing is left to learn from{saw}; hold out less, or add tables")
    return learn(usable, base), reach_of(usable), f"the table's other rows, {len(devices)} phones"

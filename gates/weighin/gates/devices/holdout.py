"""How wrong predictions are: phones and network families left out, predicted, and compared.

For every phone, prices are learned on all other phones; a few of its runs are its anchors, and the
rest are predicted. A network is *known* if other phones ran it (its effect is known), and *new* if
its whole family was left out as well. The residuals, in standard deviations of the prediction,
give the band; each phone's coverage is counted with the band of the other phones.

What this module does not do: it reads no table and ships no figure.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from weighin.gates.devices.learn import Run, learn
from weighin.gates.devices.prices import Effect, Prior, effect_elsewhere, estimate, settle
from weighin.gates.devices.reach import Reach, reach_of

TAIL_BELOW = 0.05
TAIL_ABOVE = 0.03
"""Shares of the residuals beyond the ends of the band: 90 % within, and a little to spare.

The upper end is the one that lets a model pass, so it gets the smaller share.
"""

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Residual:
    """One prediction of a run that nothing was learned from.

    Attributes:
        run: The run.
        log_ratio: Logarithm of actual over predicted mean latency.
        deviation: Standard deviation that the prediction gave itself.
    """

    run: Run
    log_ratio: float
    deviation: float

    @property
    def z(self) -> float:
        """Residual in standard deviations."""
        return self.log_ratio / self.deviation

    @property
    def error(self) -> float:
        """Absolute error as a share of the actual latency."""
        return abs(math.exp(-self.log_ratio) - 1)

    @property
    def predicted_ms(self) -> float:
        """What was predicted."""
        return self.end_ms(0.0)

    def end_ms(self, deviations: float) -> float:
        """The prediction moved by so many of its standard deviations."""
        moved = -self.log_ratio + deviations * self.deviation
        return self.run.anchor.mean_ms * math.exp(moved)


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldOut:
    """Predictions of what was left out, and how many there is no number for."""

    residuals: tuple[Residual, ...]
    refused: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is left out, and how phones get their anchors.

    Attributes:
        anchors: Runs of the phone that settle its prices.
        draws: How often they are drawn.
        families: Whether the predicted network's family is left out as well.
        phones: Whether the phone is left out; without, all its other families are anchors.
        elsewhere: Whether the network was measured on one other phone, with anchors of its own.
        seed: Of the draws.
    """

    anchors: int = 5
    draws: int = 3
    families: bool = False
    phones: bool = True
    elsewhere: bool = False
    seed: int = 0


def hold_out(
    runs: Sequence[Run],
    plan: Plan,
    base: Prior | None = None,
    only: Callable[[Run], bool] = lambda run: run.phone,
    progress: Progress = lambda _: None,
) -> HeldOut:
    """Predict what was left out.

    Args:
        runs: Of one runtime and arithmetic.
        plan: What is left out.
        base: Passed on to :func:`learn`.
        only: Which runs are left out in turn.
        progress: Told of every part that is left out.
    """
    residuals: list[Residual] = []
    refused: list[Run] = []
    draw = generator(plan.seed)
    targets = [run for run in runs if only(run)]
    for device, family in _parts(targets, plan):
        progress(" ".join(part for part in (device, family) if part))
        pool = [r for r in runs if device != r.device and family != r.family]
        if not pool:
            continue
        prior, reach = learn(pool, base), reach_of(pool)
        mine = [r for r in targets if device in (None, r.device)]
        for setup in sorted({r.setup for r in mine}):
            of_setup = [r for r in mine if r.setup == setup]
            wanted = [r for r in of_setup if family in (None, r.family)]
            donors = [r for r in runs if r.device != device] if plan.elsewhere else []
            found = predict_setup(prior, reach, of_setup, wanted, plan, draw, donors)
            residuals += found.residuals
            refused += found.refused
    return HeldOut(residuals=tuple(residuals), refused=tuple(refused))


def generator(seed: int) -> Any:
    """A seeded numpy generator."""
    import numpy as np

    return np.random.default_rng(seed)


def _parts(targets: Sequence[Run], plan: Plan) -> Iterator[tuple[str | None, str | None]]:
    devices: list[str | None] = [None]
    if plan.phones:
        devices = [*sorted({r.device for r in targets})]
    for device in devices:
        if not plan.families:
            yield device, None
            continue
        for family in sorted({r.family for r in targets if device in (None, r.device)}):
            yield device, family


def predict_setup(
    prior: Prior,
    reach: Reach,
    runs: Sequence[Run],
    wanted: Sequence[Run],
    plan: Plan,
    draw: Any = None,
    donors: Sequence[Run] = (),
) -> HeldOut:
    """Predict the wanted runs of one setup, from each draw of anchors.

    Anchors are runs of families that are not wanted; where all are, any other run of the setup.
    """
    draw = generator(plan.seed) if draw is None else draw
    mine = [r for r in runs if r in wanted]
    families = {r.family for r in mine}
    possible = [r for r in runs if r.family not in families] or list(runs)
    refused = [r for r in mine if _unreachable(prior, reach, r)]
    targets = [r for r in mine if r not in refused]
    count = min(plan.anchors, len(possible)) if plan.phones else len(possible)
    if count < min(3, plan.anchors):
        return HeldOut(residuals=(), refused=tuple(mine))
    residuals: list[Residual] = []
    for _ in range(plan.draws):
        anchors = [possible[i] for i in draw.choice(len(possible), count, replace=False)]
        prices = settle(prior, [r.anchor for r in anchors])
        for run in (r for r in targets if r not in anchors):
            effect = prior.effect(run.anchor.network)
            if plan.elsewhere and effect is None:
                effect = _from_one(prior, run, donors, plan, draw)
                if effect is None:
                    continue
            guess = estimate(prior, prices, run.anchor.amounts, effect)
            off = math.log(run.anchor.mean_ms) - guess.log_ms
            residuals.append(Residual(run=run, log_ratio=off, deviation=guess.deviation))
    return HeldOut(residuals=tuple(residuals), refused=tuple(refused))


def _from_one(
    prior: Prior, run: Run, donors: Sequence[Run], plan: Plan, draw: Any
) -> Effect | None:
    """The effect of the run's network as one other phone shows it, drawn among all that ran it."""
    same = [r for r in donors if r.anchor.network == run.anchor.network]
    if not same:
        return None
    chosen = same[draw.integers(len(same))]
    possible = [r for r in donors if r.setup == chosen.setup and r.family != run.family]
    if len(possible) < plan.anchors:
        return None
    anchors = [possible[i] for i in draw.choice(len(possible), plan.anchors, replace=False)]
    return effect_elsewhere(
        prior, [r.anchor for r in anchors], run.anchor.amounts, chosen.anchor.mean_ms
    )


def _unreachable(prior: Prior, reach: Reach, run: Run) -> bool:
    known = prior.effect(run.anchor.network) is not None
    return not known and reach.refusal(prior, run.anchor.amounts) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """How many standard deviations the ends lie below and above a prediction."""

    below: float
    above: float


def band_of(
    residuals: Sequence[Residual], tail_below: float = TAIL_BELOW, tail_above: float = TAIL_ABOVE
) -> Band:
    """The band that held all but so many of the residuals below and above.

    Raises:
        ValueError: there are no residuals.
    """
    zs = [r.z for r in residuals]
    if not zs:
        raise ValueError("no residuals, so no band")
    return Band(
        below=max(0.0, -quantile(zs, tail_below)), above=max(0.0, quantile(zs, 1 - tail_above))
    )


def quantile(values: Sequence[float], share: float) -> float:
    """Linear quantile."""
    import numpy as np

    return float(np.quantile(values, share))


def nested(residuals: Sequence[Residual]) -> Iterator[tuple[Residual, Band]]:
    """Each residual with the band that the *other* phones earned."""
    for device in sorted({r.run.device for r in residuals}):
        others = [r for r in residuals if r.run.device != device]
        if others:
            band = band_of(others)
            yield from ((r, band) for r in residuals if r.run.device == device)


def coverage(residuals: Sequence[Residual]) -> float:
    """Share of the residuals within the band of the other phones.

    Raises:
        ValueError: they are of one phone, so no other phone has a band.
    """
    inside = [-band.below <= r.z <= band.above for r, band in nested(residuals)]
    if not inside:
        raise ValueError("predictions on one phone only: nothing to compare its band with")
    return sum(inside) / len(inside)


@dataclass(frozen=True, slots=True, kw_only=True)
class GateErrors:
    """What a gate made of predictions: shares of all checks, and of the passes and fails."""

    decided: float
    wrong_passes: float
    wrong_fails: float


def simulate_gate(
    residuals: Sequence[Residual], budgets: int = 20, widest: float = 3.0, seed: int = 0
) -> GateErrors:
    """Judge every prediction against budgets between a third and three times the actual latency.

    Args:
        residuals: Held-out predictions; each is judged with the band of the other phones.
        budgets: Budgets for each, uniform in the logarithm.
        widest: Largest budget as a multiple of the actual latency, and its inverse the smallest.
        seed: Of the budgets.

    Raises:
        ValueError: the predictions are of one phone.
    """
    draw, reach = generator(seed), math.log(widest)
    passes, fails, total = [], [], 0
    for residual, band in nested(residuals):
        for _ in range(budgets):
            budget = draw.uniform(-reach, reach)
            predicted = -residual.log_ratio
            total += 1
            if predicted + band.above * residual.deviation <= budget:
                passes.append(budget < 0)
            elif predicted - band.below * residual.deviation > budget:
                fails.append(budget >= 0)
    if not total:
        raise ValueError("predictions on one phone only: nothing to judge them with")
    return GateErrors(
        decided=(len(passes) + len(fails)) / total,
        wrong_passes=sum(passes) / max(1, len(passes)),
        wrong_fails=sum(fails) / max(1, len(fails)),
    )


def error_quantiles(residuals: Iterable[Residual]) -> tuple[float, float]:
    """Median and 90th percentile of the absolute errors, as shares."""
    errors = [r.error for r in residuals]
    return quantile(errors, 0.5), quantile(errors, 0.9)

"""What a fit found, as text for people and as a document for programs. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from weighin.gates.devices.fitting import Fit
from weighin.gates.devices.holdout import (
    HeldOut,
    coverage,
    error_quantiles,
    simulate_gate,
)
from weighin.gates.devices.prices import TERMS

_UNITS = ("MMAC", "MMAC", "MMAC", "MMAC", "million values", "million values", "operator")


@dataclass(frozen=True, slots=True, kw_only=True)
class Errors:
    """Held-out errors of one plan, in percent; ``None`` where one phone alone tells nothing.

    Attributes:
        predictions: How many.
        refused: Runs that got no number.
        median_percent: Of the absolute error.
        p90_percent: 90th percentile of it.
        coverage_percent: Of the 90 % band, each phone with the band of the others.
        decided_percent: Of checks against budgets from a third to three times the latency.
        wrong_pass_percent: Of the passes among them.
        wrong_fail_percent: Of the fails among them.
    """

    predictions: int
    refused: int
    median_percent: float
    p90_percent: float
    coverage_percent: float | None
    decided_percent: float | None
    wrong_pass_percent: float | None
    wrong_fail_percent: float | None


def errors_of(held_out: HeldOut) -> Errors | None:
    """Errors of what was held out; ``None`` if nothing could be predicted."""
    residuals = held_out.residuals
    if not residuals:
        return None
    median, p90 = error_quantiles(residuals)
    several = len({r.run.device for r in residuals}) > 1
    gate = simulate_gate(residuals) if several else None
    return Errors(
        predictions=len(residuals),
        refused=len(held_out.refused),
        median_percent=100 * median,
        p90_percent=100 * p90,
        coverage_percent=100 * coverage(residuals) if several else None,
        decided_percent=100 * gate.decided if gate else None,
        wrong_pass_percent=100 * gate.wrong_passes if gate else None,
        wrong_fail_percent=100 * gate.wrong_fails if gate else None,
    )


_PLANS = (
    ("known", "phone left out, 5 anchors, network known from other phones"),
    ("new", "phone and network family left out, 5 anchors"),
    ("transferred", "the same, network measured on one other phone"),
    ("new_only", "network family left out, phone's other runs are anchors"),
)


def report(fits: Sequence[Fit]) -> str:
    """The fits of one or more runtimes, for people."""
    return "\n".join(line for fit in fits for line in (*_lines(fit), ""))


def _lines(fit: Fit) -> Iterable[str]:
    learned = fit.learned
    yield (
        f"{fit.runtime} {fit.arithmetic}: {learned.runs} runs of {len(learned.networks)} networks "
        f"({learned.families} families) on {len(learned.devices)} phones and boards"
    )
    yield f"  {'left out':<62}{'error':>8}{'p90':>8}{'covers':>8}{'n':>7}{'no number':>11}"
    for name, words in _PLANS:
        found = errors_of(getattr(fit, name))
        if found is None:
            yield f"  {words:<62}{'nothing that could be predicted':>34}"
            continue
        covers = "" if found.coverage_percent is None else f"{found.coverage_percent:.1f} %"
        numbers = f"{found.median_percent:>6.1f} %{found.p90_percent:>6.1f} %{covers:>8}"
        yield f"  {words:<62}{numbers}{found.predictions:>7}{found.refused:>11}"
    yield (
        f"  band in standard deviations: known -{learned.known.below:.2f} "
        f"+{learned.known.above:.2f}, new -{learned.new.below:.2f} +{learned.new.above:.2f}, "
        f"transferred -{learned.transferred.below:.2f} +{learned.transferred.above:.2f}; "
        f"noise {learned.prior.noise:.1%}, network effects {learned.prior.spread:.1%}"
    )
    yield f"  prices beside a pointwise MMAC: {_prices(learned.prior.mean)}"


def _prices(logs: Sequence[float]) -> str:
    import math

    base = logs[TERMS.index("pointwise_mmacs")]
    named = zip(TERMS, _UNITS, logs, strict=True)
    return ", ".join(
        f"{term.rsplit('_', 1)[0].replace('_', ' ')} {math.exp(log - base):.3g}/{unit}"
        for term, unit, log in named
    )


def document(fits: Sequence[Fit]) -> dict[str, Any]:
    """The same for programs: errors by runtime, arithmetic and plan."""
    import dataclasses

    found = {
        f"{fit.runtime} {fit.arithmetic}": {
            name: dataclasses.asdict(errors) if (errors := errors_of(getattr(fit, name))) else None
            for name, _ in _PLANS
        }
        for fit in fits
    }
    return {"schema": "weighin/device-fit/v1", "errors": found}

"""Held-out errors: nothing that is predicted was learned from, and the band is the others'."""

import dataclasses
import random

import pytest
from tests.gates.test_prices import phones

from weighin.gates.devices.holdout import (
    Plan,
    Residual,
    band_of,
    coverage,
    error_quantiles,
    hold_out,
    nested,
    quantile,
    simulate_gate,
)
from weighin.gates.devices.prices import Prior
from weighin.gates.devices.reach import Reach, reach_of

RUNS = phones(6)


def residuals(count: int = 400, deviation: float = 0.1, devices: int = 4) -> list[Residual]:
    """Residuals as a right model would leave them: standard normal in its own deviations."""
    draw = random.Random(2)
    runs = [dataclasses.replace(RUNS[0], device=f"d{i}") for i in range(devices)]
    return [
        Residual(run=runs[i % devices], log_ratio=draw.gauss(0, 1) * deviation, deviation=deviation)
        for i in range(count)
    ]


@pytest.mark.parametrize(
    "plan",
    [
        Plan(),
        Plan(families=True),
        Plan(families=True, phones=False),
        Plan(elsewhere=True, families=True),
    ],
    ids=["phone", "phone and family", "family", "measured elsewhere"],
)
def test_phones_that_follow_the_model_are_predicted_well(plan: Plan) -> None:
    found = hold_out(RUNS, plan)
    assert found.residuals
    median, _ = error_quantiles(found.residuals)
    assert median < 0.15


def test_what_is_held_out_teaches_nothing() -> None:
    """A phone of another world is predicted as badly as it deserves, and spoils no other."""
    odd = [
        dataclasses.replace(r, anchor=dataclasses.replace(r.anchor, mean_ms=100.0))
        if r.device == "p0"
        else r
        for r in RUNS
    ]
    of_odd = [r for r in hold_out(odd, Plan()).residuals if r.run.device == "p0"]
    assert error_quantiles(of_odd)[0] > 0.2


def test_the_anchors_themselves_are_never_counted_as_predictions() -> None:
    plan = Plan(anchors=5, draws=1)
    found = hold_out(RUNS, plan)
    per_phone = len({r.anchor.network for r in RUNS}) - 5
    assert len(found.residuals) == 6 * per_phone


def test_the_same_seed_gives_the_same_residuals() -> None:
    assert hold_out(RUNS, Plan()) == hold_out(RUNS, Plan())
    assert hold_out(RUNS, Plan()) != hold_out(RUNS, Plan(seed=1))


def test_too_few_runs_for_anchors_are_no_prediction() -> None:
    few = [r for r in RUNS if r.anchor.network in {"n0", "n1"} or r.device != "p0"]
    found = hold_out(few, Plan(), only=lambda r: r.device == "p0")
    assert found.residuals == ()
    assert {r.anchor.network for r in found.refused} == {"n0", "n1"}


def test_a_band_holds_the_share_it_is_made_for() -> None:
    band = band_of(residuals(4000))
    assert band.below == pytest.approx(1.645, abs=0.1)
    assert band.above == pytest.approx(1.881, abs=0.1)
    assert coverage(residuals(4000)) == pytest.approx(0.92, abs=0.02)


def test_each_phone_is_judged_with_the_band_of_the_others() -> None:
    """A phone that is off cannot widen its own band."""
    off = [
        dataclasses.replace(r, log_ratio=r.log_ratio + 1.0) if r.run.device == "d0" else r
        for r in residuals()
    ]
    bands = {r.run.device: band for r, band in nested(off)}
    assert bands["d0"].above < 3 < bands["d1"].above
    inside = [-b.below <= r.z <= b.above for r, b in nested(off) if r.run.device == "d0"]
    assert sum(inside) == 0


def test_one_phone_alone_has_no_coverage() -> None:
    alone = [r for r in residuals() if r.run.device == "d0"]
    with pytest.raises(ValueError, match="one phone"):
        coverage(alone)
    with pytest.raises(ValueError, match="one phone"):
        simulate_gate(alone)


def test_no_residuals_no_band() -> None:
    with pytest.raises(ValueError, match="no residuals"):
        band_of([])


def test_honest_bands_pass_wrongly_in_few_cases() -> None:
    found = simulate_gate(residuals(2000))
    assert found.decided > 0.6
    assert found.wrong_passes < 0.02
    assert found.wrong_fails < 0.02


def test_a_phone_whose_predictions_are_too_low_passes_wrongly() -> None:
    low = [
        dataclasses.replace(r, log_ratio=r.log_ratio + 0.6) if r.run.device == "d0" else r
        for r in residuals(2000)
    ]
    only = simulate_gate(low)
    assert only.wrong_passes > simulate_gate(residuals(2000)).wrong_passes


@pytest.mark.parametrize(
    ("share", "value"), [(0.0, 1.0), (0.5, 2.0), (1.0, 4.0), (0.75, 3.0)], ids=str
)
def test_quantiles_are_linear(share: float, value: float) -> None:
    assert quantile([1.0, 2.0, 4.0], share) == value


def flat() -> Prior:
    return Prior(mean=(0.0,) * 7, covariance=((0.0,) * 7,) * 7, noise=0.1, spread=0.1)


REACH = Reach(
    networks=((50.0, 20.0, 5.0, 5.0, 10.0, 5.0, 5.0), (5.0, 2.0, 0.5, 0.5, 1.0, 0.5, 0.5))
)


@pytest.mark.parametrize(
    ("amounts", "why"),
    [
        ((20.0, 8.0, 2.0, 2.0, 4.0, 2.0, 2.0), None),
        ((20.0, 8.0, 20.0, 2.0, 4.0, 2.0, 2.0), "depthwise"),
        ((1.0, 8.0, 2.0, 50.0, 4.0, 2.0, 2.0), "fully connected"),
        ((5000.0, 2000.0, 500.0, 500.0, 1000.0, 500.0, 500.0), "larger"),
        ((0.05, 0.02, 0.005, 0.005, 0.01, 0.005, 0.005), "smaller"),
    ],
    ids=["within", "depthwise", "fully connected", "too large", "too small"],
)
def test_a_network_unlike_all_others_is_out_of_reach(
    amounts: tuple[float, ...], why: str | None
) -> None:
    found = REACH.refusal(flat(), amounts)
    assert (found is None) if why is None else (found is not None and why in found)


def test_every_network_learned_from_is_within_reach() -> None:
    reach = reach_of(RUNS)
    assert all(reach.refusal(flat(), r.anchor.amounts) is None for r in RUNS)


def test_the_upper_end_gets_the_smaller_risk() -> None:
    band = band_of(residuals(4000))
    beyond = [r.z for r in residuals(4000)]
    assert sum(z > band.above for z in beyond) < sum(z < -band.below for z in beyond)

"""Prices of a phone: settled by its runs, learned from others, moved by no single wild run."""

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.cost import Arithmetic, Terms
from weighin.gates.devices.learn import Run, learn
from weighin.gates.devices.prices import (
    TERMS,
    Anchor,
    Effect,
    Prior,
    amounts_of,
    effect_elsewhere,
    estimate,
    mean_effect,
    settle,
    shares_of,
)

LOGS = (0.0, 0.2, 1.5, 1.0, 1.0, 0.5, -2.0)


def broad(deviation: float = 0.5, noise: float = 0.03) -> Prior:
    """A prior around :data:`LOGS` that lets every price go its own way."""
    mean = sum(LOGS) / len(LOGS)
    eye = np.eye(len(TERMS)) * deviation**2
    return Prior(
        mean=tuple(log - mean for log in LOGS),
        covariance=tuple(tuple(float(v) for v in row) for row in eye),
        noise=noise,
        spread=0.1,
    )


def networks(count: int, seed: int = 0) -> list[tuple[float, ...]]:
    """Amounts of made-up networks, of many sizes and mixes."""
    random = np.random.default_rng(seed)
    scales = np.array([300, 300, 20, 5, 10, 5, 80])
    return [tuple(float(v) for v in scales * random.lognormal(0, 0.8, 7)) for _ in range(count)]


def run_ms(logs: Sequence[float], amounts: Sequence[float], speed: float = 0.05) -> float:
    return speed * sum(a * math.exp(p) for a, p in zip(amounts, logs, strict=True))


def anchors(
    logs: Sequence[float], many: list[tuple[float, ...]], speed: float = 0.05
) -> list[Anchor]:
    return [
        Anchor(network=f"n{i}", amounts=one, mean_ms=run_ms(logs, one, speed))
        for i, one in enumerate(many)
    ]


def phones(count: int, nets: int = 12, noise: float = 0.02) -> list[Run]:
    """Runs on phones whose prices vary by 20 %, with a network that takes 1.4 times its terms."""
    random = np.random.default_rng(1)
    many = networks(nets)
    runs: list[Run] = []
    for phone in range(count):
        logs = np.array(LOGS) + random.normal(0, 0.2, 7)
        speed = float(random.lognormal(0, 1)) * 0.05
        for i, one in enumerate(many):
            beyond = 1.4 if i == 3 else 1.0
            ms = run_ms([float(v) for v in logs], one, speed) * beyond
            runs.append(
                Run(
                    setup=f"p{phone}, threads: 1",
                    device=f"p{phone}",
                    family=f"f{i // 2}",
                    arithmetic=Arithmetic.FLOAT32,
                    anchor=Anchor(
                        network=f"n{i}",
                        amounts=one,
                        mean_ms=ms * float(random.lognormal(0, noise)),
                    ),
                )
            )
    return runs


def predicted_ms(prior: Prior, found: Sequence[Anchor], amounts: Sequence[float]) -> float:
    return math.exp(estimate(prior, settle(prior, found), amounts, None).log_ms)


def test_prices_that_made_the_runs_predict_the_next_network() -> None:
    many = networks(40)
    prior = broad()
    shifted = [log + 0.3 * (-1) ** i for i, log in enumerate(LOGS)]
    known, unknown = anchors(shifted, many[:30]), many[30:]
    for one in unknown:
        assert predicted_ms(prior, known, one) == pytest.approx(run_ms(shifted, one), rel=0.05)


def test_few_anchors_leave_the_rest_to_the_prior() -> None:
    many = networks(10)
    one = many[-1]
    assert predicted_ms(broad(0.05), anchors(LOGS, many[:3]), one) == pytest.approx(
        run_ms(LOGS, one), rel=0.02
    )


@settings(deadline=None, max_examples=30)
@given(factor=st.floats(0.01, 100), seed=st.integers(0, 50))
def test_a_phone_so_many_times_slower_gets_all_predictions_so_many_times_longer(
    factor: float, seed: int
) -> None:
    """The scale is free: the law holds up to the weak pull of its variance."""
    many = networks(7, seed)
    prior, known = broad(), anchors(LOGS, many[:5])
    slower = [dataclasses.replace(a, mean_ms=a.mean_ms * factor) for a in known]
    ratio = predicted_ms(prior, slower, many[6]) / predicted_ms(prior, known, many[6])
    assert ratio == pytest.approx(factor, rel=0.01)


@settings(deadline=None, max_examples=30)
@given(term=st.integers(0, 6), more=st.floats(0, 1e4), seed=st.integers(0, 50))
def test_more_of_any_term_is_never_predicted_to_be_faster(
    term: int, more: float, seed: int
) -> None:
    many = networks(6, seed)
    prior, prices = broad(), settle(broad(), anchors(LOGS, many[:5]))
    grown = [a + (more if i == term else 0.0) for i, a in enumerate(many[5])]
    before, after = (estimate(prior, prices, one, None).log_ms for one in (many[5], grown))
    assert before <= after + 1e-12


def test_one_wild_run_among_nine_moves_a_prediction_by_little() -> None:
    many = networks(10)
    good = anchors(LOGS, many[:9])
    wild = [*good[:8], dataclasses.replace(good[8], mean_ms=good[8].mean_ms * 5)]
    off = predicted_ms(broad(0.2), wild, many[9]) / predicted_ms(broad(0.2), good, many[9])
    assert 0.9 < off < 1.1


def test_without_a_run_on_the_phone_nothing_is_known_of_its_speed() -> None:
    with pytest.raises(ValueError, match="at least one run"):
        settle(broad(), [])


def test_more_anchors_make_a_prediction_surer() -> None:
    many = networks(21)
    prior = broad()
    few, more = (
        estimate(prior, settle(prior, anchors(LOGS, many[:n])), many[20], None) for n in (3, 20)
    )
    assert more.deviation < few.deviation


def test_shares_of_the_time_sum_to_one() -> None:
    assert sum(shares_of(LOGS, networks(1)[0])) == pytest.approx(1.0)


def test_amounts_count_values_not_bytes() -> None:
    terms = Terms(
        conv_macs=2_000_000,
        pointwise_macs=0,
        depthwise_macs=0,
        fully_connected_macs=0,
        activation_bytes=8_000_000,
        weight_bytes=4_000_000,
        layers=3,
    )
    assert amounts_of(terms, 4) == (2.0, 0.0, 0.0, 0.0, 2.0, 1.0, 3.0)
    assert amounts_of(terms, 1)[4] == 8.0


def test_what_was_learned_from_phones_predicts_the_next_phone() -> None:
    runs = phones(9)
    prior = learn([r for r in runs if r.device != "p8"])
    mine = [r.anchor for r in runs if r.device == "p8"]
    for target in mine[6:]:
        effect = prior.effect(target.network)
        guess = estimate(prior, settle(prior, mine[:5]), target.amounts, effect)
        assert math.exp(guess.log_ms) == pytest.approx(target.mean_ms, rel=0.15)


def test_a_network_that_takes_more_than_its_terms_everywhere_is_known_to() -> None:
    prior = learn(phones(8))
    effects = dict(prior.effects)
    assert math.exp(effects["n3"]) > 1.2
    assert max(effects, key=lambda name: effects[name]) == "n3"
    assert prior.effect("never seen") is None


def test_nothing_to_learn_from_is_an_error() -> None:
    with pytest.raises(ValueError, match="no runs"):
        learn([])


def test_a_base_stands_in_where_the_runs_say_nothing() -> None:
    """No run has depthwise work: its price is then the base's."""
    base = broad()
    runs = [
        dataclasses.replace(
            r,
            anchor=dataclasses.replace(
                r.anchor, amounts=(*r.anchor.amounts[:2], 0.0, *r.anchor.amounts[3:])
            ),
        )
        for r in phones(3, 6)
    ]
    with_base = learn(runs, base)
    assert with_base.mean[2] - with_base.mean[1] == pytest.approx(
        base.mean[2] - base.mean[1], abs=0.5
    )


def test_an_effect_seen_on_another_phone_is_taken_over_in_part() -> None:
    many = networks(8)
    prior, donor = broad(0.1), anchors(LOGS, many[:6])
    found = effect_elsewhere(prior, donor, many[7], 1.5 * run_ms(LOGS, many[7]))
    assert 0.5 * math.log(1.5) < found.value < math.log(1.5)
    assert found.variance > 0
    nothing = effect_elsewhere(prior, donor, many[7], run_ms(LOGS, many[7]))
    assert abs(nothing.value) < 0.05


def test_effects_of_several_phones_are_averaged() -> None:
    both = mean_effect([Effect(value=0.2, variance=0.02), Effect(value=0.4, variance=0.01)])
    assert both.value == pytest.approx(0.3)
    assert both.variance == 0.01
    with pytest.raises(ValueError, match="no effect"):
        mean_effect([])

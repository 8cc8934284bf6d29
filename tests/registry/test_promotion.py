"""Only what passes here and now is promoted, and only if every piece of evidence fits."""

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import sign_statement, verify_statement
from weighin.gates.fleet import Fleet, FleetPart
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.signing import CryptoSigner
from weighin.gates.statement import Statement
from weighin.registry.promotion import Proof, fleet_objection, promote, verdict_of

if TYPE_CHECKING:
    from tests.registry.conftest import Built, World


def promoted(world: "World", *statements: Statement, built: "tuple[Built, ...]") -> list[str]:
    """Labels and devices of what is released."""
    proofs = [world.prove(statement)[0] for statement in statements]
    release = promote(proofs, world.policy(*built))
    return [f"{v.label} on {a.device}" for v in release.variants for a in v.approvals]


def test_what_passes_is_released_for_the_devices_it_passed_on(world: "World") -> None:
    built = (world.build(recipe="int8", host=2.0, pixel_8=11.0), world.build(recipe="fp16"))
    statements = [world.statement(b, d) for b in built for d in b.latency_ms]
    found = promoted(world, *statements, built=built)
    assert found == ["fp16.tflite on host", "int8.tflite on host"]


def test_ranks_are_by_latency_then_size(world: "World") -> None:
    built = (
        world.build(recipe="float32", content=b"x" * 900, host=5.0),
        world.build(recipe="fp16", content=b"x" * 500, host=5.0),
        world.build(recipe="int8", content=b"x" * 1000, host=1.0),
    )
    release = world.publication(*built).release
    ranks = {v.recipe: a.rank for v in release.variants for a in v.approvals}
    assert ranks == {"int8": 1, "fp16": 2, "float32": 3}
    best = release.best_for("host")
    assert best is not None
    assert best.approvals[0].latency_p90_us == 1100


def test_a_dominated_variant_comes_last_even_if_it_is_fast(world: "World") -> None:
    simple = world.build(recipe="int8", content=b"x" * 100, host=2.0)
    complicated = world.build(recipe="prune50+int8", content=b"x" * 200, host=3.0)
    slow = world.build(recipe="fp16", content=b"x" * 90, host=8.0)
    release = world.publication(simple, complicated, slow).release
    ranks = {v.recipe: a.rank for v in release.variants for a in v.approvals}
    assert ranks == {"int8": 1, "fp16": 2, "prune50+int8": 3}


def test_when_nothing_passes_the_release_is_empty(world: "World") -> None:
    built = world.build(host=50.0)
    assert promoted(world, world.statement(built, "host"), built=(built,)) == []


def test_the_budgets_of_today_count_and_not_those_in_the_statement(world: "World") -> None:
    built = world.build(host=2.0)
    proof, _ = world.prove(world.statement(built, "host"))
    strict = (Budget(metric=Metric.LATENCY_P90_MS, at_most=1.0),)
    for budgets in ({"host": strict}, {"host": ()}, {}):
        policy = replace(world.policy(built), budgets=budgets)
        assert promote([proof], policy).variants == ()


def contradictions(world: "World") -> dict[str, tuple[list[Statement], str]]:
    int8, fp16 = world.build(recipe="int8"), world.build(recipe="fp16")
    good = world.statement(int8, "host")
    swapped = replace(good.variant, path=fp16.variant.path)
    gone = replace(good.variant, path="variants/digits/v1/gone.tflite")
    return {
        "no evidence": ([], "no evidence"),
        "evidence of another file": ([replace(good, variant=swapped)], "not the one that was"),
        "evidence of a file that is gone": ([replace(good, variant=gone)], "the file is gone"),
        "evidence of another model": (
            [good, world.statement(fp16, "host", model="cats")],
            "different weigh-ins",
        ),
        "evidence of another version": (
            [good, world.statement(fp16, "host", version="2")],
            "different weigh-ins",
        ),
        "evidence of another plan": (
            [good, replace(world.statement(fp16, "host"), plan_digest="0" * 64)],
            "different weigh-ins",
        ),
        "two statements for one file and device": (
            [good, replace(good, readings=good.readings[:1])],
            "same file and device",
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "no evidence",
        "evidence of another file",
        "evidence of a file that is gone",
        "evidence of another model",
        "evidence of another version",
        "evidence of another plan",
        "two statements for one file and device",
    ],
)
def test_evidence_that_contradicts_promotes_nothing(world: "World", name: str) -> None:
    statements, complaint = contradictions(world)[name]
    built = (world.build(recipe="int8"), world.build(recipe="fp16"))
    with pytest.raises(EvidenceError, match=complaint):
        promoted(world, *statements, built=built)


def test_evidence_that_expired_since_it_was_verified_promotes_nothing(world: "World") -> None:
    built = world.build()
    proof, _ = world.prove(world.statement(built, "host"))
    policy = world.later(days=91).policy(built)
    with pytest.raises(EvidenceError, match="not valid now"):
        promote([proof], policy)


def test_measurements_older_than_allowed_do_not_pass(world: "World") -> None:
    built = world.build()
    proof, _ = world.prove(world.statement(built, "host"))
    policy = world.later(days=31).policy(built)
    assert promote([proof], policy).variants == ()
    assert "older than 30 days" in verdict_of(proof.statement, policy).reason


def test_evidence_signed_by_somebody_else_never_becomes_a_proof(world: "World") -> None:
    envelope = sign_statement(
        world.statement(world.build(), "host"), CryptoSigner.generate_ed25519()
    )
    with pytest.raises(EvidenceError):
        verify_statement(envelope, (world.evidence_signer.public_key,), world.now)


CORRUPTIONS = {
    "deleted": None,
    "unreadable": "unreadable",
    "of another file": {"artifact_sha256": "0" * 64},
    "of another device": {"device": "pixel_1"},
    "of another runtime": {"runtime": "ai-edge-litert 1.0.0"},
    "not a number": {"value": float("nan")},
    "without an upper end": {"upper": float("inf")},
    "without samples": {"n": 0},
    "scaled from specifications": {"origin": Origin.SCALED},
    "over the budget": {"value": 1e9, "upper": 2e9},
    "undecided": {"lower": -1e9, "upper": 1e9},
    "upside down": {"lower": 1e9},
    "stale": {"days": 365},
    "from the future": {"days": -365},
}


def corrupted(reading: Reading, how: str) -> tuple[Reading, ...]:
    assert isinstance(reading, Measurement)
    match CORRUPTIONS[how]:
        case None:
            return ()
        case {"days": int(days)}:
            return (replace(reading, measured_at=reading.measured_at - timedelta(days=days)),)
        case dict() as change:
            return (replace(reading, **change),)
        case _:
            return (Unreadable(metric=reading.metric, reason="the meter broke"),)


@settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    place=st.integers(0, 2),
    how=st.sampled_from(sorted(CORRUPTIONS)),
    repeated=st.booleans(),
    latency_ms=st.floats(0.1, 9.0),
)
def test_law_any_one_piece_deleted_or_corrupted_and_it_no_longer_passes(
    world: "World", place: int, how: str, repeated: bool, latency_ms: float
) -> None:
    built = world.build(host=latency_ms)
    whole = world.statement(built, "host")
    policy = world.policy(built)
    assert promote([Proof(statement=whole, envelope_sha256="e")], policy).variants
    spoilt = corrupted(whole.readings[place], how)
    # A good reading beside the bad one must not save it: two that contradict count as none.
    kept = whole.readings[place : place + 1] if repeated and spoilt else ()
    readings = (*whole.readings[:place], *kept, *spoilt, *whole.readings[place + 1 :])
    broken = Proof(statement=replace(whole, readings=readings), envelope_sha256="e")
    assert promote([broken], policy).variants == ()


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(latencies=st.lists(st.floats(0.1, 9.0), min_size=1, max_size=6))
def test_law_ranks_are_one_to_n_and_the_best_is_never_dominated(
    world: "World", latencies: list[float]
) -> None:
    built = [
        world.build(recipe="+".join(["fp16"] * (i + 1)), content=b"x" * (i + 1), host=ms)
        for i, ms in enumerate(latencies)
    ]
    release = world.publication(*built).release
    ranks = sorted(a.rank for v in release.variants for a in v.approvals)
    assert ranks == list(range(1, len(latencies) + 1))
    best = release.best_for("host")
    assert best is not None
    assert best.approvals[0].latency_p90_us is not None
    assert min(latencies) * 1.1 * 1000 <= best.approvals[0].latency_p90_us


def fleet(at_least: float, *parts: tuple[str, float]) -> Fleet:
    return Fleet(
        parts=tuple(FleetPart(name=n, percent=p, devices=(n,)) for n, p in parts),
        source="Play Console",
        as_of=date(2026, 11, 1),
        at_least_percent=at_least,
    )


@pytest.mark.parametrize(
    ("at_least", "released", "said"),
    [
        pytest.param(70, ["host"], None, id="enough"),
        pytest.param(80, [], "75 % of users would be served and 0 % are undecided", id="too few"),
    ],
)
def test_a_model_that_serves_too_few_users_is_not_released(
    world: "World", at_least: float, released: list[str], said: str | None
) -> None:
    one = world.build(recipe="int8", host=2.0, pixel_8=90.0)
    proofs = [world.prove(world.statement(one, device))[0] for device in one.latency_ms]
    users = fleet(at_least, ("host", 75), ("pixel_8", 25))
    policy = replace(world.policy(one), fleet=users)
    release = promote(proofs, policy)
    assert [a.device for v in release.variants for a in v.approvals] == released
    objection = fleet_objection(proofs, policy)
    assert (said or "") in (objection or "")
    assert (objection is None) is bool(released)


def test_each_device_may_get_another_variant(world: "World") -> None:
    here = world.build(recipe="int8", host=2.0, pixel_8=90.0)
    there = world.build(recipe="fp16", host=90.0, pixel_8=2.0)
    proofs = [world.prove(world.statement(b, d))[0] for b in (here, there) for d in b.latency_ms]
    users = fleet(100, ("host", 75), ("pixel_8", 25))
    release = promote(proofs, replace(world.policy(here, there), fleet=users))
    assert {v.recipe for v in release.variants} == {"int8", "fp16"}


def test_leaving_away_the_evidence_of_a_failure_does_not_raise_the_share(world: "World") -> None:
    """A class whose slow phone has no statement is undecided, not served by its fast one."""
    one = world.build(recipe="int8", host=2.0, pixel_8=90.0)
    proofs = [world.prove(world.statement(one, "host"))[0]]
    part = FleetPart(name="tier:high", percent=100, devices=("host", "pixel_8"))
    users = replace(fleet(90, ("host", 1)), parts=(part,))
    policy = replace(world.policy(one), fleet=users)
    assert promote(proofs, policy).variants == ()
    assert "100 % are undecided" in (fleet_objection(proofs, policy) or "")


def test_a_fleet_without_a_budget_holds_nothing_back(world: "World") -> None:
    one = world.build(recipe="int8", host=2.0)
    users = replace(fleet(90, ("pixel_8", 100)), at_least_percent=None)
    proofs = [world.prove(world.statement(one, "host"))[0]]
    policy = replace(world.policy(one), fleet=users)
    assert fleet_objection(proofs, policy) is None
    assert promote(proofs, policy).variants != ()

"""What was waived is released as waived, behind everything that passed, and nothing else is."""

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from weighin.gates.errors import EvidenceError
from weighin.gates.fleet import Fleet, FleetPart
from weighin.gates.measurement import Baseline, Measurement, Unreadable
from weighin.gates.metric import Budget, Metric
from weighin.gates.statement import Statement
from weighin.gates.waiver import Waiver
from weighin.registry.channel import current_release, publish
from weighin.registry.lock import read_lock
from weighin.registry.promotion import Policy, fleet_objection, promote, waivers_of
from weighin.registry.pull import pull
from weighin.registry.release import custom_of, release_to_json, variant_from_custom

if TYPE_CHECKING:
    from tests.registry.conftest import Built, World

LATENCY, SIZE = Metric.LATENCY_P90_MS, Metric.SIZE_MIB


def waiver(world: "World", **changes: Any) -> Waiver:
    given = Waiver(
        model="digits",
        version="1",
        plan_digest="cc" * 32,
        metric=LATENCY,
        device=None,
        reason="the camera is slower",
        by="alice",
        url="https://github.com/acme/app/pull/7#issuecomment-1",
        issued_at=world.now - timedelta(minutes=1),
        expires_at=world.now + timedelta(days=14),
    )
    return replace(given, **changes)


def released(
    world: "World", policy: Policy, *statements: Statement
) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Rank and waived metrics, by label and device."""
    release = promote([world.prove(statement)[0] for statement in statements], policy)
    return {
        f"{v.label} on {a.device}": (a.rank, a.waived)
        for v in release.variants
        for a in v.approvals
    }


def policy_with(world: "World", *waivers: Waiver, built: "tuple[Built, ...]") -> Policy:
    return replace(world.policy(*built), waivers=waivers)


def test_what_lacks_only_a_waived_budget_is_released_and_says_so(world: "World") -> None:
    slow = world.build(host=50.0)
    policy = policy_with(world, waiver(world), built=(slow,))
    proof, _ = world.prove(world.statement(slow, "host"))
    [approval] = promote([proof], policy).variants[0].approvals
    assert approval.waived == ("latency_p90_ms",)
    assert approval.waived_until == world.now + timedelta(days=14)
    assert promote([proof], world.policy(slow)).variants == ()


def test_a_waived_variant_never_ranks_above_one_that_passes(world: "World") -> None:
    """It is fast and small, but too big by budget: the one that passes is still the best."""
    passes = world.build(recipe="int8", content=b"x" * 900, host=9.0)
    fast = world.build(recipe="fp16", content=b"x" * 10, host=0.1)
    statement = world.statement(fast, "host")
    unmeasured = replace(statement, readings=statement.readings[1:])
    policy = policy_with(
        world, waiver(world, metric=Metric.ACCURACY_DROP_POINTS), built=(passes, fast)
    )
    found = released(world, policy, world.statement(passes, "host"), unmeasured)
    assert found == {
        "int8.tflite on host": (1, ()),
        "fp16.tflite on host": (2, ("accuracy_drop_points",)),
    }


def test_what_was_waived_does_not_reorder_what_passed(world: "World") -> None:
    big = world.build(recipe="int8", content=b"x" * 900, host=2.0)
    small = world.build(recipe="fp16", content=b"x" * 500, host=3.0)
    tiny = world.build(recipe="float32", content=b"x", host=1.0)
    statement = world.statement(tiny, "host")
    dubious = replace(statement, readings=statement.readings[1:])
    both = [world.statement(one, "host") for one in (big, small)]
    built = (big, small, tiny)
    before = released(world, policy_with(world, built=built), *both, dubious)
    lets = waiver(world, metric=Metric.ACCURACY_DROP_POINTS)
    after = released(world, policy_with(world, lets, built=built), *both, dubious)
    assert {name: after[name] for name in before} == before
    assert after["float32.tflite on host"][0] == 3


VOID: dict[str, dict[str, Any]] = {
    "of another metric": {"metric": SIZE},
    "of another device": {"device": "pixel_8"},
    "of another model": {"model": "cats"},
    "of another version": {"version": "2"},
    "of another plan": {"plan_digest": "00" * 32},
    "expired": {"expires_at": "now"},
    "not issued yet": {"issued_at": "tomorrow"},
}


@pytest.mark.parametrize("how", VOID)
def test_a_waiver_that_does_not_fit_releases_nothing(world: "World", how: str) -> None:
    times = {"now": world.now, "tomorrow": world.now + timedelta(days=1)}
    changes = {k: times.get(v, v) for k, v in VOID[how].items()}
    slow = world.build(host=50.0)
    policy = policy_with(world, waiver(world, **changes), built=(slow,))
    assert released(world, policy, world.statement(slow, "host")) == {}


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    others=st.lists(
        st.fixed_dictionaries(
            {},
            optional={
                "metric": st.sampled_from([m for m in Metric if m is not LATENCY]),
                "device": st.sampled_from(["pixel_8", "Host", "host "]),
                "model": st.sampled_from(["cats", "Digits"]),
                "version": st.sampled_from(["2", "01"]),
                "plan_digest": st.sampled_from(["", "00" * 32]),
            },
        ).filter(bool),
        max_size=5,
    ),
    latencies=st.lists(st.floats(1.0, 20.0), min_size=1, max_size=3),
)
def test_law_waivers_of_anything_else_never_change_a_release(
    world: "World", others: list[dict[str, Any]], latencies: list[float]
) -> None:
    built = tuple(
        world.build(recipe="+".join(["fp16"] * (i + 1)), content=b"x" * (i + 1), host=ms)
        for i, ms in enumerate(latencies)
    )
    proofs = [world.prove(world.statement(one, "host"))[0] for one in built]
    plain = policy_with(world, built=built)
    more = replace(plain, waivers=tuple(waiver(world, **change) for change in others))
    assert promote(proofs, more) == promote(proofs, plain)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(latencies=st.lists(st.floats(0.1, 20.0), min_size=1, max_size=5))
def test_law_with_a_waiver_what_passes_keeps_its_place_and_comes_first(
    world: "World", latencies: list[float]
) -> None:
    built = tuple(
        world.build(recipe="+".join(["fp16"] * (i + 1)), content=b"x" * (i + 1), host=ms)
        for i, ms in enumerate(latencies)
    )
    statements = [world.statement(one, "host") for one in built]
    before = released(world, policy_with(world, built=built), *statements)
    after = released(world, policy_with(world, waiver(world), built=built), *statements)
    assert {name: after[name] for name in before} == before
    assert sorted(rank for rank, _ in after.values()) == list(range(1, len(built) + 1))
    assert all(lets for name, (_, lets) in after.items() if name not in before)


def wrong(world: "World", built: "Built", how: str) -> Statement:
    statement = world.statement(built, "host")
    latency = statement.readings[1]
    assert isinstance(latency, Measurement)
    changes: dict[str, dict[str, Any]] = {
        "of another file": {"artifact_sha256": "00" * 32},
        "of another device": {"device": "pixel_8"},
        "of another runtime": {"runtime": "ai-edge-litert 1.0.0"},
        "stale": {"measured_at": world.now - timedelta(days=40)},
        "not a number": {"upper": float("nan")},
    }
    spoilt = replace(latency, **changes[how])
    return replace(statement, readings=(statement.readings[0], spoilt, statement.readings[2]))


@pytest.mark.parametrize(
    "how",
    ["of another file", "of another device", "of another runtime", "stale", "not a number"],
)
def test_evidence_that_is_wrong_is_not_released_by_a_waiver(world: "World", how: str) -> None:
    slow = world.build(host=50.0)
    policy = policy_with(world, waiver(world), built=(slow,))
    assert released(world, policy, wrong(world, slow, how)) == {}


def test_a_waiver_does_not_help_where_promotion_refuses_everything(world: "World") -> None:
    slow = world.build(host=50.0)
    proof, _ = world.prove(world.statement(slow, "host"))
    policy = policy_with(world, waiver(world), built=(slow,))
    refusals = (
        (replace(policy, artifacts={slow.variant.path: "00" * 32}), "not the one that was weighed"),
        (replace(policy, plan_digest="00" * 32), "another plan"),
        (replace(policy, moment=replace(policy.moment, now=world.later(days=91).now)), "not valid"),
    )
    for refused, said in refusals:
        with pytest.raises(EvidenceError, match=said):
            promote([proof], refused)


def test_a_comparison_with_an_earlier_release_is_not_let_through(world: "World") -> None:
    """Whoever waived it looked at another comparison than the one that counts now."""
    old, new = world.build(recipe="int8", host=2.0), world.build(recipe="fp16", host=2.0)
    offered = world.publication(old).release
    grows = Budget(metric=Metric.SIZE_VS_RELEASE_PERCENT, at_most=0.0, floor=0.000001)
    size = world.statement(new, "host").readings[2]
    assert isinstance(size, Measurement)
    compared = replace(
        size,
        metric=grows.metric,
        value=5.0,
        lower=5.0,
        upper=5.0,
        baseline=Baseline(sha256=old.variant.sha256, value=1.0),
    )
    statement = world.statement(new, "host")
    lets = waiver(world, metric=grows.metric)

    def waived_with(reading: Measurement | Unreadable) -> list[str]:
        told = replace(statement, readings=(*statement.readings, reading))
        base = policy_with(world, lets, built=(new,))
        budgets = {"host": (*base.budgets["host"], grows)}
        pairs = waivers_of(told, replace(base, budgets=budgets, offered=offered))
        return [check.budget.metric for check, _ in pairs]

    assert waived_with(compared) == [grows.metric]
    other = replace(compared, baseline=Baseline(sha256="00" * 32, value=1.0))
    assert waived_with(other) == []


def test_users_who_get_a_waived_file_do_not_count_as_served(world: "World") -> None:
    one = world.build(recipe="int8", host=2.0, pixel_8=90.0)
    parts = tuple(FleetPart(name=n, percent=50, devices=(n,)) for n in ("host", "pixel_8"))
    users = Fleet(parts=parts, source="Play Console", as_of=date(2026, 11, 1), at_least_percent=80)
    policy = replace(policy_with(world, waiver(world), built=(one,)), fleet=users)
    proofs = [world.prove(world.statement(one, device))[0] for device in one.latency_ms]
    assert promote(proofs, policy).variants == ()
    assert "50 % of users would be served" in (fleet_objection(proofs, policy) or "")


def waived_publication(world: "World") -> tuple[Any, Any]:
    slow = world.build(host=50.0)
    proof, envelope = world.prove(world.statement(slow, "host"))
    policy = policy_with(world, waiver(world), built=(slow,))
    plain = world.publication(world.build(host=2.0))
    return slow, replace(
        plain,
        release=promote([proof], policy),
        files={slow.variant.sha256: slow.file},
        evidence={proof.envelope_sha256: envelope},
    )


def test_the_signed_channel_says_what_was_waived_and_the_lock_keeps_it(world: "World") -> None:
    _, publication = waived_publication(world)
    assert publish(world.channel, publication, world.signers, world.now)
    assert not publish(world.channel, publication, world.signers, world.now)
    assert current_release(world.channel, "stable", "digits") == publication.release
    request = world.request()
    locked = pull(request, world.now).lock
    assert locked.file.waived == ("latency_p90_ms",)
    assert locked.file.waived_until == world.now + timedelta(days=14)
    assert read_lock(request.lock_path) == locked
    frozen = pull(replace(request, frozen=True), world.now).lock
    assert frozen.file.waived == ("latency_p90_ms",)


def test_a_release_without_waivers_is_described_as_it_always_was(world: "World") -> None:
    release = world.publication(world.build()).release
    assert not {"waived", "waived_until"} & set(custom_of(release, release.variants[0]))
    assert "waived" not in str(release_to_json(release))


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"waived": {}}, id="until without what"),
        pytest.param({"waived_until": {}}, id="what without until"),
        pytest.param(
            {"waived": {"moon": "size_mib"}, "waived_until": {"moon": "2026-12-01T00:00:00Z"}},
            id="a device that it is not for",
        ),
        pytest.param({"waived_until": {"host": "soon"}}, id="no time"),
        pytest.param({"waived": {"host": 7}}, id="no text"),
        pytest.param({"waived": {"host": ""}}, id="nothing"),
    ],
)
def test_a_malformed_waiver_in_the_channel_is_refused(
    world: "World", change: dict[str, object]
) -> None:
    _, publication = waived_publication(world)
    variant = publication.release.variants[0]
    custom = custom_of(publication.release, variant)
    assert variant_from_custom(custom, variant.sha256, variant.size_bytes) == variant
    with pytest.raises(ValueError, match=r"waived|isoformat|a text is needed"):
        variant_from_custom({**custom, **change}, variant.sha256, variant.size_bytes)

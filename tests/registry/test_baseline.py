"""Which release a file is held against, and that promotion looks at the channel itself."""

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from weighin.gates.evidence import Statement
from weighin.gates.judge import Outcome
from weighin.gates.measurement import Baseline, Measurement
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.variant import Format
from weighin.registry.baseline import baseline_of
from weighin.registry.channel import current_release, released_file
from weighin.registry.promotion import Policy, promote, stale, verdict_of
from weighin.registry.release import Release

if TYPE_CHECKING:
    from tests.registry.conftest import Built, World

SLOWER = Budget(metric=Metric.LATENCY_VS_RELEASE_PERCENT, at_most=10, floor=0.1)


def released(world: "World", *built: "Built") -> Release:
    """A real release in a real channel."""
    world.publish(*built)
    release = current_release(world.channel, "stable", "digits")
    assert release is not None
    return release


def compared(world: "World", built: "Built", sha256: str | None, percent: float) -> Statement:
    """Evidence of a new version that was compared with a released file."""
    whole = replace(world.statement(built, "host", version="2"), budgets=())
    if sha256 is None:
        return whole
    reading = Measurement(
        metric=SLOWER.metric,
        value=percent,
        lower=percent - 1,
        upper=percent + 1,
        n=300,
        origin=Origin.DEVICE,
        artifact_sha256=built.variant.sha256,
        device="host",
        runtime=whole.runtime,
        measured_at=world.now - timedelta(hours=2),
        baseline=Baseline(sha256=sha256, value=2.0),
    )
    return replace(whole, readings=(*whole.readings, reading))


def policy_of(world: "World", built: "Built", release: Release | None) -> Policy:
    policy = world.policy(built)
    budgets = {device: (*known, SLOWER) for device, known in policy.budgets.items()}
    return replace(policy, budgets=budgets, offered=release)


def test_the_file_itself_then_its_format_then_any(world: "World") -> None:
    fast = world.build(recipe="int8", host=1.0)
    other = world.build(recipe="fp16", format=Format.ONNX, host=2.0)
    release = released(world, fast, other)
    new = world.build(version="2", recipe="int8", host=1.0)
    in_onnx = world.build(version="2", recipe="int8", format=Format.ONNX, host=1.0)
    in_ort = world.build(version="2", recipe="int8", format=Format.ORT, host=1.0)

    def found(built: "Built", device: str = "host") -> str | None:
        baseline = baseline_of(release, device, built.variant)
        return None if baseline is None else baseline.label

    assert found(new) == "int8.tflite"
    assert found(in_onnx) == "fp16.onnx"
    assert found(in_ort) == "int8.tflite"
    assert found(other) == "fp16.onnx"
    assert found(new, device="pixel_8") is None
    assert baseline_of(None, "host", new.variant) is None


def test_the_files_of_a_release_are_where_the_channel_says(world: "World") -> None:
    built = world.build(host=1.0)
    release = released(world, built)
    path = released_file(world.channel, "stable", release, release.variants[0])
    assert path.read_bytes() == built.file.read_bytes()


@pytest.mark.parametrize(
    ("percent", "against", "outcome", "said"),
    [
        pytest.param(2.0, "the release", Outcome.PASS, "all 4 budgets hold", id="as fast"),
        pytest.param(30.0, "the release", Outcome.FAIL, "at least 29, budget 10", id="slower"),
        pytest.param(
            2.0, "another file", Outcome.UNDECIDED, "but the channel offers v1", id="stale"
        ),
        pytest.param(2.0, "nothing", Outcome.UNDECIDED, "never compared with v1", id="never"),
    ],
)
def test_a_comparison_counts_only_against_what_the_channel_offers_now(
    world: "World", percent: float, against: str, outcome: Outcome, said: str
) -> None:
    release = released(world, world.build(recipe="int8", host=2.0))
    new = world.build(version="2", recipe="int8", host=2.0)
    digest = {"the release": release.variants[0].sha256, "another file": "0" * 64, "nothing": None}
    statement = compared(world, new, digest[against], percent)
    policy = policy_of(world, new, release)
    verdict = verdict_of(statement, policy)
    assert verdict.outcome is outcome
    assert said in verdict.reason
    proof = world.prove(statement)[0]
    passed = promote([proof], policy).variants
    assert bool(passed) is (outcome is Outcome.PASS)
    told = stale([proof], policy)
    assert bool(told) is (outcome is Outcome.UNDECIDED)
    assert all("weighin run digits/2 --again" in one for one in told)


def test_where_nothing_is_released_there_is_nothing_to_fall_behind(world: "World") -> None:
    first = world.build(host=2.0)
    statement = compared(world, first, None, 0)
    policy = policy_of(world, first, None)
    assert promote([world.prove(statement)[0]], policy).variants


def test_a_device_that_the_release_does_not_serve_has_nothing_to_fall_behind(
    world: "World",
) -> None:
    release = released(world, world.build(recipe="int8", pixel_8=2.0))
    new = world.build(version="2", recipe="int8", host=2.0)
    policy = policy_of(world, new, release)
    assert promote([world.prove(compared(world, new, None, 0))[0]], policy).variants


def test_the_released_file_itself_can_be_promoted_again(world: "World") -> None:
    """Also one that is not the best of its device: promoting twice must not take it away."""
    best, second = world.build(recipe="int8", host=1.0), world.build(recipe="fp16", host=2.0)
    release = released(world, best, second)
    for built in (best, second):
        policy = policy_of(world, built, release)
        statement = compared(world, built, None, 0)
        assert promote([world.prove(statement)[0]], policy).variants

"""What goes to the gate: the smallest, and a few behind it in case the gate sees it otherwise."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.search import Round, Standing, Trial, best, nearest_miss
from weighin.plugin.recipe import parse_recipe
from weighin.plugin.search.finalists import finalists
from weighin.plugin.search.space import Space

Play = Callable[[Any, Space], list[Round]]


def trials_of(rounds: list[Round]) -> list[Trial]:
    return [trial for one in rounds for trial in one.trials]


@settings(max_examples=40, deadline=None)
@given(pruned=st.integers(0, 95), budget=st.integers(1, 3200), most=st.integers(1, 6))
def test_the_best_comes_first_and_there_are_few(
    world: Any, play: Play, space: Space, pruned: int, budget: int, most: int
) -> None:
    trials = trials_of(play(world(most_pruned=pruned, budget=budget), space))
    kept = finalists(trials, ["host"], most, [str(recipe) for recipe in space.fixed])
    assert 1 <= len(kept) <= most
    first = best(trials, "host") or nearest_miss(trials, "host")
    assert first is not None
    assert kept[0] == first.recipe


@settings(max_examples=40, deadline=None)
@given(pruned=st.integers(0, 95), budget=st.integers(1, 3200))
def test_the_best_fixed_recipe_that_fits_goes_along(
    world: Any, play: Play, space: Space, pruned: int, budget: int
) -> None:
    fixed = [str(recipe) for recipe in space.fixed]
    trials = trials_of(play(world(most_pruned=pruned, budget=budget), space))
    kept = finalists(trials, ["host"], 4, fixed)
    own = best([trial for trial in trials if trial.recipe in fixed], "host")
    assert own is None or own.recipe in kept


def marked(trial: Trial, standing: Standing, **more: Any) -> Trial:
    devices = tuple(replace(one, standing=standing) for one in trial.devices)
    return replace(trial, devices=devices, **more)


def test_behind_a_likely_one_stands_a_sure_one(world: Any) -> None:
    small, middle, large = (
        world().trial(parse_recipe(name)) for name in ("prune50+distill+int8", "int8", "fp16")
    )
    trials = [marked(small, Standing.LIKELY), marked(middle, Standing.LIKELY), large]
    assert finalists(trials, ["host"], 2, []) == ("prune50+distill+int8", "fp16")


def test_a_dominated_file_is_kept_only_if_nothing_else_fits(world: Any) -> None:
    slow = replace(world().trial(parse_recipe("int8")), dominated=True)
    fast = world().trial(parse_recipe("fp16"))
    assert finalists([slow, fast], ["host"], 4, []) == ("fp16",)
    assert finalists([slow], ["host"], 4, []) == ("int8",)


def test_each_device_gets_its_turn(world: Any) -> None:
    def only_on(device: str, name: str) -> Trial:
        trial: Trial = world().trial(parse_recipe(name))
        return replace(trial, devices=(replace(trial.devices[0], device=device),))

    trials = [only_on("a", "int8"), only_on("b", "fp16"), only_on("a", "dynamic_int8")]
    assert finalists(trials, ["a", "b"], 2, []) == ("dynamic_int8", "fp16")


@pytest.mark.parametrize("devices", [[], ["elsewhere"]], ids=["no-device", "never-judged"])
def test_nothing_is_kept_for_devices_that_nothing_was_judged_on(
    world: Any, devices: list[str]
) -> None:
    assert finalists([world().trial(parse_recipe("int8"))], devices, 4, []) == ()

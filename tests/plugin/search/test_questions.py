"""The questions of a search: each once, cheap ones first, and there is an end."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.search import Round, best
from weighin.plugin.recipe import Quantization, parse_recipe
from weighin.plugin.search.brackets import RESOLUTION, bracket_of
from weighin.plugin.search.questions import next_question, seen_on, survivors
from weighin.plugin.search.space import Family, Space

Play = Callable[[Any, Space], list[Round]]

percents = st.integers(0, 95)
recipes = st.builds(
    lambda family, percent, quantization: str(family.recipe(percent, quantization)),
    st.sampled_from(Family),
    st.integers(5, 95),
    st.sampled_from([*Quantization, None]),
)
odd = st.frozensets(recipes, max_size=8)
names = st.frozensets(st.sampled_from([*map(str, Quantization), "None"]), max_size=3)


@settings(max_examples=40, deadline=None)
@given(pruned=percents, narrowed=percents, inaccurate=names, odd=odd)
def test_no_recipe_is_asked_twice_and_there_is_an_end(
    world: Any, play: Play, space: Space, pruned: int, narrowed: int, inaccurate: Any, odd: Any
) -> None:
    rounds = play(
        world(most_pruned=pruned, most_narrowed=narrowed, inaccurate=inaccurate, odd=odd), space
    )
    asked = [recipe for one in rounds for recipe in one.recipes]
    assert len(set(asked)) == len(asked)
    assert set(map(str, space.fixed)) <= set(asked)
    assert next_question(space, rounds) is None


@settings(max_examples=40, deadline=None)
@given(pruned=percents, narrowed=percents, odd=odd)
def test_the_best_so_far_never_gets_worse(
    world: Any, play: Play, space: Space, pruned: int, narrowed: int, odd: Any
) -> None:
    rounds = play(world(most_pruned=pruned, most_narrowed=narrowed, odd=odd), space)
    sizes = []
    for count in range(1, len(rounds) + 1):
        found = best([trial for one in rounds[:count] for trial in one.trials], "host")
        sizes.append(found.size_bytes if found and found.size_bytes is not None else 10**9)
    assert sizes == sorted(sizes, reverse=True)


@settings(max_examples=40, deadline=None)
@given(pruned=st.integers(5, 95))
def test_pruning_is_found_to_within_the_resolution(
    world: Any, play: Play, space: Space, pruned: int
) -> None:
    rounds = play(world(most_pruned=pruned), space)
    trials = [trial for one in rounds for trial in one.trials]
    (quantization, *_) = survivors(space, trials)
    found = max(p for p, good in seen_on(Family.PRUNE, quantization, trials).items() if good)
    assert found <= pruned <= found + RESOLUTION


def test_what_needs_no_training_is_asked_first_and_together(space: Space) -> None:
    question = next_question(space, [])
    assert question is not None
    assert not question.trains
    assert {str(recipe) for recipe in question.recipes} == {"float32", *map(str, Quantization)}
    assert str(question.recipes[0]) == "float32"


def test_without_training_data_nothing_else_is_asked(world: Any, play: Play, space: Space) -> None:
    assert len(play(world(), replace(space, trains=False))) == 1


def test_without_an_accuracy_budget_only_fixed_recipes_are_tried(
    world: Any, play: Play, space: Space
) -> None:
    rounds = play(world(), replace(space, bounded=False))
    assert not any("between" in one.question for one in rounds)


def test_a_quantization_that_hurts_is_not_tried_on_trained_models(
    world: Any, play: Play, space: Space
) -> None:
    rounds = play(world(inaccurate=frozenset({"int8"})), space)
    asked = {recipe for one in rounds for recipe in one.recipes}
    fixed = {"prune50+distill+int8"}
    assert {r for r in asked if r.endswith("+int8")} == fixed | {"qat+int8"}


@pytest.mark.parametrize(
    ("inaccurate", "odd", "learned"),
    [
        pytest.param(set(), set(), [], id="none loses too much"),
        pytest.param({"w4"}, set(), ["qat+w4"], id="one does"),
        pytest.param({"w4", "int8"}, {"qat+w4"}, ["qat+w4"], id="the smallest is learned"),
        pytest.param({"w4", "int8"}, set(), ["qat+w4", "qat+int8"], id="it is not"),
        pytest.param({"fp16"}, set(), [], id="no rounding to learn"),
    ],
)
def test_rounding_is_learned_where_a_quantization_hurts(
    world: Any, play: Play, space: Space, inaccurate: set[str], odd: set[str], learned: list[str]
) -> None:
    sizes = replace(space, quantizations=tuple(map(Quantization, ("fp16", "int8", "w4"))))
    rounds = play(world(inaccurate=frozenset(inaccurate), odd=frozenset(odd)), sizes)
    asked = [recipe for one in rounds for recipe in one.recipes]
    assert [recipe for recipe in asked if "qat" in recipe] == learned


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.integers(0, 95), st.booleans()))
def test_a_bracket_has_an_accurate_lower_end_and_its_middle_is_new(seen: dict[int, bool]) -> None:
    bracket = bracket_of(seen)
    if bracket is None:
        assert not any(seen.values())
        return
    assert seen[bracket.low]
    assert bracket.high == 100 or seen[bracket.high] is False
    assert bracket.middle is None or bracket.low < bracket.middle < bracket.high
    assert bracket.middle not in seen


@pytest.mark.parametrize(
    ("family", "percent", "name"),
    [
        pytest.param(Family.PRUNE, 30, "prune30+distill+int8", id="prune"),
        pytest.param(Family.STUDENT, 30, "distill70+int8", id="student"),
        pytest.param(Family.STUDENT, 95, "distill5+int8", id="narrowest"),
    ],
)
def test_an_axis_has_a_recipe_at_every_place(family: Family, percent: int, name: str) -> None:
    recipe = family.recipe(percent, Quantization.INT8)
    assert recipe == parse_recipe(name)
    assert family.place(recipe) == percent
    assert all(other.place(recipe) is None for other in Family if other is not family)

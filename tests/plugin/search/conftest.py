"""A pretended world for the pure parts of a search: what each recipe would come to."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from weighin.gates.search import DeviceStanding, Round, Standing, Trial
from weighin.gates.variant import Format
from weighin.plugin.config import FIXED_RECIPES
from weighin.plugin.recipe import Quantization, Recipe, parse_recipe
from weighin.plugin.search.questions import next_question
from weighin.plugin.search.space import Space

BYTES = {None: 32, "fp16": 16}


@dataclass(frozen=True)
class World:
    """How accuracy falls with what is taken away.

    Attributes:
        most_pruned: The largest percentage of pruning that is accurate.
        most_narrowed: The same for narrower students.
        inaccurate: Quantizations that are never accurate.
        budget: Bytes that fit.
        odd: Recipes whose accuracy is the other way round: training is noisy.
    """

    most_pruned: int = 60
    most_narrowed: int = 40
    inaccurate: frozenset[str] = frozenset()
    budget: int = 10_000
    odd: frozenset[str] = frozenset()

    def trial(self, recipe: Recipe) -> Trial:
        taken = recipe.prune_percent or (100 - (recipe.width_percent or 100))
        most = self.most_pruned if recipe.prune_percent else self.most_narrowed
        accurate = taken <= most and str(recipe.quantization) not in self.inaccurate
        accurate = accurate != (str(recipe) in self.odd)
        size = BYTES.get(recipe.quantization and str(recipe.quantization), 8) * (100 - taken)
        fits = accurate and size <= self.budget
        drop = 0.5 if accurate else 9.0
        return Trial(
            recipe=str(recipe),
            format=Format.ONNX,
            size_bytes=size,
            drop_points=drop,
            drop_at_most=drop + taken / 100,
            accurate=accurate,
            dominated=False,
            devices=(
                DeviceStanding(
                    device="host",
                    standing=Standing.SURE if fits else Standing.FELL,
                    open_checks=0 if fits else 1,
                    overshoot=0.0 if fits else max(size / self.budget, drop),
                    latency_ms=size / 100,
                    reason="because",
                ),
            ),
            reason="",
        )


SPACE = Space(
    quantizations=tuple(Quantization),
    fixed=tuple(parse_recipe(text) for text in FIXED_RECIPES),
    trains=True,
    bounded=True,
)

Run = Callable[[World, Space], list[Round]]


def run(world: World, space: Space) -> list[Round]:
    """Ask and answer until nothing is left to ask."""
    rounds: list[Round] = []
    while (question := next_question(space, rounds)) is not None:
        rounds.append(
            Round(
                question=question.why,
                recipes=tuple(str(recipe) for recipe in question.recipes),
                trains=question.trains,
                seconds=1.0,
                trials=tuple(world.trial(recipe) for recipe in question.recipes),
            )
        )
        assert len(rounds) < 100, "it does not end"
    return rounds


@pytest.fixture(scope="session")
def world() -> type[World]:
    return World


@pytest.fixture(scope="session")
def space() -> Space:
    return SPACE


@pytest.fixture(scope="session")
def play() -> Run:
    return run

"""What a search may ask: fixed recipes, and axes along which a model is made smaller. Pure."""

from dataclasses import dataclass
from enum import StrEnum

from weighin.gates.metric import Metric
from weighin.plugin.config import FIXED_RECIPES
from weighin.plugin.plan import Plan
from weighin.plugin.recipe import Quantization, Recipe, parse_recipe

_BITS = {"fp16": 16, "mixed": 6, "w4": 4}
"""Expected bits per weight, which order the post-training recipes; all others count as 8."""


_LIKE_INT8 = ("int8_percentile", "int8_entropy", "int8_mse", "int8_a16")
"""As large as ``int8``, and the last one far slower: asked only where the plan names them."""


class Family(StrEnum):
    """A way to make a model smaller by training, with one number to turn."""

    PRUNE = "prune and distill"
    STUDENT = "distill a narrower student"

    def recipe(self, percent: int, quantization: Quantization | None) -> Recipe:
        """The recipe that takes away ``percent`` of the work (or of the width), 5 to 95."""
        match self:
            case Family.PRUNE:
                text = f"prune{percent}+distill"
            case Family.STUDENT:
                text = f"distill{100 - percent}"
        return parse_recipe(text if quantization is None else f"{text}+{quantization}")

    def place(self, recipe: Recipe) -> int | None:
        """What percentage a recipe of this family takes away; ``None`` for any other recipe."""
        match self:
            case Family.PRUNE:
                place = recipe.prune_percent
            case Family.STUDENT:
                place = None if recipe.width_percent is None else 100 - recipe.width_percent
        if place is None or self.recipe(place, recipe.quantization) != recipe:
            return None
        return place


@dataclass(frozen=True, slots=True, kw_only=True)
class Space:
    """Everything that a search may ask.

    Attributes:
        quantizations: Post-training passes, those that make the largest files first.
        fixed: The fixed recipes that are worth trying, cheapest first.
        trains: Whether there is data to train on.
        bounded: Whether some device bounds the accuracy drop; without that, smaller would
            always seem better, and nothing is gone beyond the fixed recipes.
    """

    quantizations: tuple[Quantization, ...]
    fixed: tuple[Recipe, ...]
    trains: bool
    bounded: bool

    @property
    def untrained(self) -> tuple[Recipe, ...]:
        """The recipes that cost no training, and so are asked first."""
        fixed = tuple(recipe for recipe in self.fixed if not recipe.trains)
        all_of = (Recipe(), *fixed, *(Recipe(quantization=q) for q in self.quantizations))
        return tuple(dict.fromkeys(all_of))


def _searched() -> tuple[Quantization, ...]:
    return tuple(one for one in Quantization if one not in _LIKE_INT8)


def space_of(plan: Plan) -> Space:
    """What the search of a plan may ask: what the fixed recipes make, and more."""
    trains = plan.settings.training is not None
    known = (*(parse_recipe(text) for text in FIXED_RECIPES), *plan.recipes)
    budgets = (budget for target in plan.targets for budget in target.budgets)
    return Space(
        quantizations=tuple(sorted(_searched(), key=lambda q: (-_BITS.get(str(q), 8), str(q)))),
        fixed=tuple(dict.fromkeys(one for one in known if trains or not one.trains)),
        trains=trains,
        bounded=any(budget.metric is Metric.ACCURACY_DROP_POINTS for budget in budgets),
    )

"""The next question of a search, from the answers so far. Pure.

    without training:  float32 and every quantization, in one go
    fixed recipes:     those that train, one trained model at a time, with the quantizations left
    rounding learned:  quantizations that lost too much, after training with their rounding
    bisection:         per family and quantization, how much can be taken away

Each step eliminates: only quantizations that hold the accuracy budget on the unchanged model are
tried on trained ones. What is too large or too slow says that more has to be taken away, what
loses too much accuracy says less. A recipe is never asked twice, so there is an end.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from weighin.gates.search import Round, Trial, size_of
from weighin.plugin.recipe import Quantization, Recipe, parse_recipe
from weighin.plugin.search.brackets import bracket_of
from weighin.plugin.search.space import Family, Space

MOST_QUANTIZATIONS = 2
"""How many quantizations are tried on trained models; files of one trained model are cheap."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What to try next, together, and why."""

    recipes: tuple[Recipe, ...]
    why: str

    @property
    def trains(self) -> bool:
        """Whether it costs training."""
        return any(recipe.trains for recipe in self.recipes)


def next_question(space: Space, rounds: Sequence[Round]) -> Question | None:
    """What to try next; ``None`` when everything worth asking was asked."""
    asked = {recipe for one in rounds for recipe in one.recipes}
    trials = [trial for one in rounds for trial in one.trials]
    for question in _questions(space, trials):
        left = tuple(recipe for recipe in question.recipes if str(recipe) not in asked)
        if left:
            return replace(question, recipes=left)
    return None


def survivors(space: Space, trials: Sequence[Trial]) -> tuple[Quantization | None, ...]:
    """The best quantizations that are not too inaccurate on the unchanged model.

    Smallest first, those that float32 dominates last; ``None`` is no quantization.
    """
    ranks: dict[Quantization | None, tuple[bool, int]] = {}
    for quantization in (*space.quantizations, None):
        good = _promising(trials, Recipe(quantization=quantization))
        if good:
            ranks[quantization] = min((one.dominated, size_of(one)) for one in good)
    return tuple(sorted(ranks, key=ranks.__getitem__)[:MOST_QUANTIZATIONS])


def _questions(space: Space, trials: Sequence[Trial]) -> Iterator[Question]:
    """Every question that the answers so far lead to, in order; asked ones among them."""
    yield Question(recipes=space.untrained, why="recipes that need no training, cheapest first")
    if not space.trains:
        return
    left = survivors(space, trials)
    yield from _fixed(space, left)
    if space.bounded:
        yield from _learned(space, trials)
        for family in Family:
            for quantization in left:
                yield from _bisection(family, quantization, left, trials)


def _fixed(space: Space, left: tuple[Quantization | None, ...]) -> Iterator[Question]:
    """The fixed recipes that train: those with most passes first, they make the smallest files."""
    training = [recipe for recipe in space.fixed if recipe.trains]
    passes = {str(recipe.trunk): str(recipe).count("+") for recipe in reversed(training)}
    trunks = dict.fromkeys(recipe.trunk for recipe in training)
    for trunk in sorted(trunks, key=lambda one: -passes[str(one)]):
        own = tuple(recipe for recipe in training if recipe.trunk == trunk)
        more = tuple(replace(trunk, quantization=quantization) for quantization in left)
        yield Question(recipes=tuple(dict.fromkeys((*own, *more))), why=f"fixed recipes of {trunk}")


def _learned(space: Space, trials: Sequence[Trial]) -> Iterator[Question]:
    """Training with the rounding of a quantization that loses too much without, smallest first.

    One that was learned well ends it: those that come after it make larger files.
    """
    for quantization in reversed(space.quantizations):
        bits = quantization.trained_bits
        plain = [one for one in trials if one.recipe == str(Recipe(quantization=quantization))]
        if bits is None or not plain or any(one.accurate is not False for one in plain):
            continue
        recipe = Recipe(qat_bits=bits, quantization=quantization)
        yield Question(recipes=(recipe,), why=f"{quantization}, with its rounding learned")
        if any(one.recipe == str(recipe) and one.accurate for one in trials):
            return


def _bisection(
    family: Family,
    quantization: Quantization | None,
    left: tuple[Quantization | None, ...],
    trials: Sequence[Trial],
) -> Iterator[Question]:
    bracket = bracket_of(seen_on(family, quantization, trials))
    middle = None if bracket is None else bracket.middle
    if bracket is None or middle is None:
        return
    # The other quantizations come along: the trained model is what costs, and it is the same.
    recipes = tuple(family.recipe(middle, each) for each in dict.fromkeys((quantization, *left)))
    why = f"{family}, {quantization or 'float32'}: between {bracket.low} % and {bracket.high} %"
    yield Question(recipes=recipes, why=why)


def seen_on(
    family: Family, quantization: Quantization | None, trials: Sequence[Trial]
) -> dict[int, bool]:
    """Percent taken away, and whether more might be; 0 is the unchanged model."""
    own: dict[int, list[bool | None]] = {}
    others: dict[int, list[bool | None]] = {}
    for trial in trials:
        recipe = parse_recipe(trial.recipe)
        place = family.place(recipe) if recipe.trains else 0
        mine = recipe.quantization == quantization
        if place is not None and (mine or recipe.trains):
            (own if mine else others).setdefault(place, []).append(trial.accurate)
    return {place: _more(found, others.get(place, ())) for place, found in own.items()}


def _more(own: Sequence[bool | None], others: Sequence[bool | None]) -> bool:
    """Whether more might be taken away: its files are accurate, or it is not known that not.

    Where they fell before that was measured, the other files of the same trained model speak.
    """
    known = [found for found in own if found is not None]
    known = known or [found for found in others if found is not None]
    return any(known) or not known


def _promising(trials: Sequence[Trial], recipe: Recipe) -> list[Trial]:
    own = [trial for trial in trials if trial.recipe == str(recipe)]
    return [trial for trial in own if trial.accurate is not False]

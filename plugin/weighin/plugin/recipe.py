"""The names of recipes: which passes turn a registered model into a variant.

A recipe is written as its passes joined by ``+``, in this order::

    [pruneNN] [distill | distillNN | shallowNN | student] [sparseNN] [fp16 | dynamic_int8 | int8]

``float32`` alone is no pass. The order says in which order things are done: channels leave, a
student is made, weights become zero (and stay so while training), then come the data types.

``parse_recipe(str(recipe)) == recipe`` for every recipe, and the text of a parsed recipe is its
canonical name: ``distill`` alone becomes ``distill50``.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from weighin.gates.errors import ConfigError

_DEFAULT_WIDTH_PERCENT = 50
_ALLOWED = (
    "allowed are [pruneNN][+distill|distillNN|shallowNN|student][+sparseNN]"
    "[+fp16|dynamic_int8|int8], or float32 alone; NN is a percentage from 5 to 95, distill takes "
    "none after prune, and shallowNN and student do not follow prune"
)
_PERCENT = range(5, 96)


class Quantization(StrEnum):
    """How weights and activations are stored."""

    FP16 = "fp16"
    DYNAMIC_INT8 = "dynamic_int8"
    INT8 = "int8"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """The passes of one variant.

    Attributes:
        prune_percent: Share of multiply-accumulates to remove by structured pruning.
        distill: Whether a teacher's outputs guide the training.
        width_percent: Width of the student, when the student is made by the distillation; the
            pruned model is the student when both passes are asked for.
        depth_percent: Share of the residual blocks that the student keeps, if it is made so.
        student: Whether the student is a model that the user names.
        sparse_percent: Share of the weights that become zero by unstructured pruning.
        quantization: The last pass, if any.
    """

    prune_percent: int | None = None
    distill: bool = False
    width_percent: int | None = None
    depth_percent: int | None = None
    student: bool = False
    sparse_percent: int | None = None
    quantization: Quantization | None = None

    @property
    def trunk(self) -> "Recipe":
        """The float model that the quantization starts from."""
        return replace(self, quantization=None)

    @property
    def trains(self) -> bool:
        """Whether weights are changed by training."""
        parts = (self.prune_percent, self.sparse_percent)
        return self.distill or any(part is not None for part in parts)

    def __str__(self) -> str:
        """The canonical name."""
        prune = () if self.prune_percent is None else (f"prune{self.prune_percent}",)
        distill = (self._taught,) if self.distill else ()
        sparse = () if self.sparse_percent is None else (f"sparse{self.sparse_percent}",)
        quantization = () if self.quantization is None else (str(self.quantization),)
        return "+".join((*prune, *distill, *sparse, *quantization)) or "float32"

    @property
    def _taught(self) -> str:
        """The name of the pass that makes a student."""
        if self.student:
            return "student"
        if self.depth_percent is not None:
            return f"shallow{self.depth_percent}"
        return f"distill{self.width_percent or ''}"


def parse_recipe(text: str) -> Recipe:
    """The recipe of a name.

    Raises:
        ConfigError: no such recipe; the message says which are allowed.
    """
    if text == "float32":
        return Recipe()
    recipe, steps = Recipe(), text.split("+")
    for step in steps:
        recipe = _extend(recipe, step, text)
    sized = (recipe.prune_percent, recipe.width_percent, recipe.depth_percent)
    if recipe.distill and not recipe.student and sized == (None, None, None):
        return replace(recipe, width_percent=_DEFAULT_WIDTH_PERCENT)
    return recipe


def _extend(recipe: Recipe, step: str, text: str) -> Recipe:
    """One more pass, which has to come after all passes so far."""
    if recipe.quantization is None:
        if step in tuple(Quantization):
            return replace(recipe, quantization=Quantization(step))
        if step.startswith("sparse") and recipe.sparse_percent is None:
            return replace(recipe, sparse_percent=_percent(step.removeprefix("sparse"), text))
        if recipe.sparse_percent is None and not recipe.distill:
            extended = _shape(recipe, step, text)
            if extended is not None:
                return extended
    raise ConfigError(f"recipe '{text}': '{step}' has no place there; {_ALLOWED}")


def _shape(recipe: Recipe, step: str, text: str) -> Recipe | None:
    """A pass that decides what is trained, if this is one that may come here."""
    if step == "distill":
        return replace(recipe, distill=True)
    if recipe.prune_percent is not None:
        return None
    if step == "student":
        return replace(recipe, distill=True, student=True)
    if step.startswith("distill"):
        width = _percent(step.removeprefix("distill"), text)
        return replace(recipe, distill=True, width_percent=width)
    if step.startswith("shallow"):
        depth = _percent(step.removeprefix("shallow"), text)
        return replace(recipe, distill=True, depth_percent=depth)
    if step.startswith("prune"):
        return replace(recipe, prune_percent=_percent(step.removeprefix("prune"), text))
    return None


def _percent(digits: str, text: str) -> int:
    if re.fullmatch(r"[1-9][0-9]?", digits) and int(digits) in _PERCENT:
        return int(digits)
    raise ConfigError(f"recipe '{text}': '{digits}' is not a percentage; {_ALLOWED}")

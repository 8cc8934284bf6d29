"""The names of recipes: which passes turn a registered model into a variant.

A recipe is written as its passes joined by ``+``, in this order::

    [pruneNN] [distill | distillNN | shallowNN | student] [sparseNN] [qat] [quantization]

``float32`` alone is no pass. The order says in which order things are done: channels leave, a
student is made, weights become zero (and stay so while training), then come the data types.

The quantizations are :class:`Quantization`. ``qat`` trains for the quantization that follows:
for 4-bit weights before ``w4`` and ``mixed``, else for 8 bits; where none follows, ``qat4``
asks for 4. It does not follow ``sparseNN``, whose zeros it would fill again.

``parse_recipe(str(recipe)) == recipe`` for every recipe, and the text of a parsed recipe is its
canonical name: ``distill`` alone becomes ``distill50``.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from weighin.gates.errors import ConfigError

_DEFAULT_WIDTH_PERCENT = 50
_ALLOWED = (
    "allowed are [pruneNN][+distill|distillNN|shallowNN|student][+sparseNN][+qat]"
    "[+fp16|w8|w4|dynamic_int8|int8|int8_percentile|int8_entropy|int8_mse|int8_a16|mixed], or "
    "float32 alone; NN is a percentage from 5 to 95, distill takes none after prune, shallowNN and "
    "student do not follow prune, qat does not follow sparseNN, and fp16 does not follow qat"
)
_PERCENT = range(5, 96)


class Quantization(StrEnum):
    """How weights and activations are stored."""

    FP16 = "fp16"
    W8 = "w8"
    W4 = "w4"
    DYNAMIC_INT8 = "dynamic_int8"
    INT8 = "int8"
    INT8_PERCENTILE = "int8_percentile"
    INT8_ENTROPY = "int8_entropy"
    INT8_MSE = "int8_mse"
    INT8_A16 = "int8_a16"
    MIXED = "mixed"

    @property
    def rounds_in_the_graph(self) -> bool:
        """Whether weights are rounded in the trainable form, before the file is written."""
        return self in (Quantization.W4, Quantization.MIXED)

    @property
    def trained_bits(self) -> int | None:
        """Bits of the weights that training prepares for it; ``None``: there is nothing to."""
        match self:
            case Quantization.FP16:
                return None
            case Quantization.W4 | Quantization.MIXED:
                return 4
            case _:
                return 8


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
        qat_bits: Bits of the weights that quantization-aware training prepares for: 4 or 8, as
            the quantization wants where there is one; ``None`` without such training.
        quantization: The last pass, if any.
    """

    prune_percent: int | None = None
    distill: bool = False
    width_percent: int | None = None
    depth_percent: int | None = None
    student: bool = False
    sparse_percent: int | None = None
    qat_bits: int | None = None
    quantization: Quantization | None = None

    @property
    def trunk(self) -> "Recipe":
        """The float model that the quantization starts from."""
        return replace(self, quantization=None)

    @property
    def trains(self) -> bool:
        """Whether weights are changed by training."""
        return self.shapes or self.qat_bits is not None

    @property
    def shapes(self) -> bool:
        """Whether channels, blocks or weights leave, or a teacher is asked."""
        parts = (self.prune_percent, self.sparse_percent)
        return self.distill or any(part is not None for part in parts)

    def __str__(self) -> str:
        """The canonical name."""
        prune = () if self.prune_percent is None else (f"prune{self.prune_percent}",)
        distill = (self._taught,) if self.distill else ()
        sparse = () if self.sparse_percent is None else (f"sparse{self.sparse_percent}",)
        quantization = () if self.quantization is None else (str(self.quantization),)
        return "+".join((*prune, *distill, *sparse, *self._qat(), *quantization)) or "float32"

    def _qat(self) -> tuple[str, ...]:
        if self.qat_bits is None:
            return ()
        return ("qat4",) if self.qat_bits == 4 and self.quantization is None else ("qat",)

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


def needs_classes(text: str) -> bool:
    """Whether a recipe compares classes: all that train, and ``mixed``, which measures divergence.

    A text that is no recipe needs nothing; who parses it says what is wrong with it.
    """
    try:
        recipe = parse_recipe(text)
    except ConfigError:
        return False
    return recipe.trains or recipe.quantization is Quantization.MIXED


def _extend(recipe: Recipe, step: str, text: str) -> Recipe:
    """One more pass, which has to come after all passes so far."""
    if recipe.quantization is None:
        if step in tuple(Quantization):
            return _quantized(recipe, Quantization(step), text)
        if recipe.qat_bits is not None:
            raise ConfigError(f"recipe '{text}': '{step}' has no place there; {_ALLOWED}")
        if step in ("qat", "qat4") and recipe.sparse_percent is None:
            return replace(recipe, qat_bits=4 if step == "qat4" else 8)
        if step.startswith("sparse") and recipe.sparse_percent is None:
            return replace(recipe, sparse_percent=_percent(step.removeprefix("sparse"), text))
        if recipe.sparse_percent is None and not recipe.distill:
            extended = _shape(recipe, step, text)
            if extended is not None:
                return extended
    raise ConfigError(f"recipe '{text}': '{step}' has no place there; {_ALLOWED}")


def _quantized(recipe: Recipe, quantization: Quantization, text: str) -> Recipe:
    """The last pass, and training that suits it."""
    bits = None if recipe.qat_bits is None else quantization.trained_bits
    if recipe.qat_bits is not None and (bits is None or (recipe.qat_bits, bits) == (4, 8)):
        raise ConfigError(f"recipe '{text}': qat does not prepare for {quantization}; {_ALLOWED}")
    return replace(recipe, quantization=quantization, qat_bits=bits)


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

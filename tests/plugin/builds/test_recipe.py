"""The grammar of recipes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.errors import ConfigError
from weighin.plugin.recipe import Quantization, Recipe, parse_recipe

percent = st.integers(5, 95)
quantization = st.none() | st.sampled_from(Quantization)
sparse = st.none() | percent
rest = {"sparse_percent": sparse, "quantization": quantization}
pruned = st.builds(Recipe, prune_percent=percent, distill=st.booleans(), **rest)
taught = st.just(value=True)
student = (
    st.builds(Recipe, distill=taught, width_percent=percent, **rest)
    | st.builds(Recipe, distill=taught, depth_percent=percent, **rest)
    | st.builds(Recipe, distill=taught, student=taught, **rest)
)
plain = st.builds(Recipe, **rest)


def trained(recipe: Recipe, bits: int) -> Recipe:
    """The same recipe with the training that suits its quantization."""
    last, dense = recipe.quantization, replace(recipe, sparse_percent=None)
    return replace(dense, qat_bits=bits if last is None else last.trained_bits)


with_qat = st.builds(trained, pruned | student | plain, st.sampled_from((4, 8)))


@given(pruned | student | plain | with_qat)
def test_a_recipe_is_the_recipe_of_its_name(recipe: Recipe) -> None:
    assert parse_recipe(str(recipe)) == recipe


@given(pruned | student | plain | with_qat)
def test_a_trunk_is_the_same_without_quantization(recipe: Recipe) -> None:
    trunk = recipe.trunk
    assert trunk.quantization is None
    assert trunk.trunk == trunk
    assert trunk.trains == recipe.trains


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("float32", "float32"),
        ("distill", "distill50"),
        ("distill+int8", "distill50+int8"),
        ("prune50+distill+int8", "prune50+distill+int8"),
        ("qat4+w4", "qat+w4"),
        ("prune50+distill+qat+mixed", "prune50+distill+qat+mixed"),
        ("sparse80", "sparse80"),
        ("prune50+sparse50+int8", "prune50+sparse50+int8"),
        ("shallow50+sparse80", "shallow50+sparse80"),
        ("student+int8", "student+int8"),
    ],
)
def test_names_become_canonical(text: str, canonical: str) -> None:
    assert str(parse_recipe(text)) == canonical


@pytest.mark.parametrize(
    "text",
    [
        *("", "int4", "INT8", "prune", "prune0", "prune100", "prune05", "prune50.5", "distill-1"),
        *("int8+prune50", "prune50+distill50", "float32+int8", "int8+fp16", "distill+distill"),
        *("+int8", "int8+", "qat+fp16", "qat4+int8", "qat+qat", "int8+qat", "qat+prune50", "qat3"),
        *("qat+sparse50", "sparse50+qat", "sparse50+qat+int8"),
        *("+int8", "int8+", "sparse", "sparse50+distill", "int8+sparse50", "sparse50+sparse60"),
        *("shallow", "prune50+shallow50", "prune50+student", "student+distill", "student50"),
    ],
)
def test_nonsense_is_refused_with_what_is_allowed(text: str) -> None:
    with pytest.raises(ConfigError, match=r"allowed are \[pruneNN"):
        parse_recipe(text)


@given(st.text(max_size=20))
def test_any_text_is_a_recipe_or_a_clear_error(text: str) -> None:
    refused, name = "", ""
    try:
        name = str(parse_recipe(text))
    except ConfigError as error:
        refused = str(error)
    assert refused.startswith(f"recipe '{text}'") != bool(name)
    assert not name or str(parse_recipe(name)) == name

"""Known answers: independent implementations agree with them, and one wrong bit is seen."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weighin.gates.arm.instructions import INSTRUCTIONS, trials
from weighin.gates.arm.known import Known, answer_objection, known_models
from weighin.gates.arm.layers import Layer, answers, known_rows, layers, sums
from weighin.gates.meters.models import load_model
from weighin.gates.variant import Format

Array = NDArray[Any]

LITERT = tuple(known_models(Format.LITERT))
ONNX = tuple(known_models(Format.ONNX))
LAYERS = tuple(layers())


@pytest.mark.parametrize("known", LITERT, ids=lambda known: known.label)
def test_litert_on_this_machine_gives_the_known_answers(known: Known, tmp_path: Path) -> None:
    path = tmp_path / known.label
    path.write_bytes(known.content)
    model = load_model(str(path), known.format, 1)
    outputs = [np.array(model(row[None])) for row in known_rows()]
    assert answer_objection(known, np.concatenate(outputs)) is None


@pytest.mark.parametrize("known", ONNX, ids=lambda known: known.label)
def test_the_onnx_reference_implementation_gives_the_known_answers(known: Known) -> None:
    from onnx.reference import ReferenceEvaluator

    model: Any = ReferenceEvaluator(known.content)
    outputs = [model.run(None, {"x": row[None]})[0] for row in known_rows()]
    assert answer_objection(known, np.concatenate(outputs)) is None


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_no_answer_depends_on_how_it_is_rounded_or_summed(layer: Layer) -> None:
    exact = sums(layer, known_rows())
    if layer.shift is None:
        reach = np.abs(layer.weights).sum(axis=(1, 2, 3)).max() * np.abs(known_rows()).max()
        assert reach + np.abs(layer.bias).max() < 2**24
    else:
        assert not (np.abs(exact) % 2**layer.shift == 2 ** (layer.shift - 1)).any()


@pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: layer.name)
def test_the_answers_are_many_different_values(layer: Layer) -> None:
    found = answers(layer, known_rows())
    assert np.unique(found).size > 40


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param(lambda a: a + (np.arange(a.size).reshape(a.shape) == 7), "1 of", id="one"),
        pytest.param(lambda a: np.where(a == a.max(), np.nan, a), "wrong", id="NaN"),
        pytest.param(lambda a: a[:-1], "shape", id="a row short"),
    ],
)
def test_one_wrong_value_is_seen(change: Callable[[Array], Array], why: str) -> None:
    known = LITERT[0]
    assert why in str(answer_objection(known, change(known.answers)))


def test_every_extension_has_instructions_with_several_operands() -> None:
    assert {one.needs for one in INSTRUCTIONS} == {None, "fp16", "dotprod", "i8mm"}
    for instruction in INSTRUCTIONS:
        own = [trial for trial in trials() if trial.instruction is instruction]
        assert len({(t.left, t.right, t.start) for t in own}) == len(own) >= 8
        assert all(trial.answer != trial.start for trial in own)


def test_two_instructions_never_have_the_same_answers() -> None:
    one = list(trials())[1]  # the first one is extreme, with all bytes the same
    whole = [i for i in INSTRUCTIONS if i.floats is None]
    found = {i.name: i.answer(one.left, one.right, one.start) for i in whole}
    assert len(set(found.values())) == len(found)

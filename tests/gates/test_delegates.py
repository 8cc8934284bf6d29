"""What a delegate would take, and into how many parts it cuts a graph."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.cost import Arithmetic, Kind, ModelCost, Operator
from weighin.gates.delegates import Answer, Delegate, coverage, parts
from weighin.gates.variant import Format


def chain(*names: str, kind: str = "float32") -> tuple[Operator, ...]:
    """Operators that each read what the one before wrote."""
    return tuple(
        Operator(name=n, moved_bytes=8, types=(kind,), inputs=(f"v{i}",), outputs=(f"v{i + 1}",))
        for i, n in enumerate(names)
    )


def model(operators: tuple[Operator, ...], fmt: Format = Format.LITERT) -> ModelCost:
    return ModelCost(format=fmt, operators=operators, weight_bytes=0, arena_bytes=0)


@pytest.mark.parametrize(
    ("operator", "answer"),
    [
        (chain("CONV_2D")[0], Answer.TAKEN),
        (chain("custom Fancy")[0], Answer.NOT_TAKEN),
        (chain("ARG_MAX")[0], Answer.NOT_TAKEN),
        (chain("RSQRT")[0], Answer.NOT_KNOWN),
        (chain("SOFTMAX", kind="int8")[0], Answer.NOT_TAKEN),
        (chain("CONV_2D", kind="int8")[0], Answer.TAKEN),
        (replace(chain("QUANTIZE")[0], types=("float32", "int8")), Answer.TAKEN),
        (replace(chain("CONV_2D")[0], types=()), Answer.NOT_TAKEN),
        (replace(chain("CONV_2D")[0], dynamic=True), Answer.NOT_TAKEN),
        (
            replace(
                chain("FULLY_CONNECTED")[0],
                kind=Kind.FULLY_CONNECTED,
                arithmetic=Arithmetic.DYNAMIC_INT8,
            ),
            Answer.NOT_KNOWN,
        ),
    ],
    ids=[
        "listed", "custom", "not listed", "newer", "not in int8", "in int8", "from float to int8",
        "no types", "size known at run time only", "releases differ",
    ],
)  # fmt: skip
def test_xnnpack_takes_what_its_list_has_with_the_types_that_it_has(
    operator: Operator, answer: Answer
) -> None:
    found = coverage(model((operator,)), Delegate.XNNPACK)
    assert found.answers == (answer,)
    assert "xnnpack" in found.source


@pytest.mark.parametrize(
    ("delegate", "fmt"),
    [(Delegate.NNAPI, Format.LITERT), (Delegate.GPU, Format.ONNX)],
    ids=str,
)
def test_without_a_published_list_nothing_is_said_of_any_operator(
    delegate: Delegate, fmt: Format
) -> None:
    found = coverage(model(chain("ADD", "Add"), fmt), delegate)
    assert (found.answers, found.partitions, found.pieces) == ((), 0, 0)
    assert "nobody published" in found.source


def test_a_program_says_itself_who_runs_what() -> None:
    first, second, third = chain("Conv2d", "aten::mean.out", "FullyConnected")
    inside = (replace(first, delegate="xnnpack"), second, replace(third, delegate="xnnpack"))
    found = coverage(model(inside, Format.EXECUTORCH), Delegate.XNNPACK)
    assert (found.count(Answer.TAKEN), found.partitions, found.pieces) == (2, 2, 3)
    assert found.left_out(inside) == (("aten::mean.out", 1),)
    assert coverage(model(inside, Format.EXECUTORCH), Delegate.GPU).answers == ()


@pytest.mark.parametrize(
    ("taken", "expected"),
    [
        ((True, True, True), (1, 0)),
        ((False, False, False), (0, 1)),
        ((True, False, True), (2, 1)),
        ((False, True, False), (1, 2)),
        ((), (0, 0)),
    ],
    ids=["all", "none", "a hole", "an island", "no operators"],
)
def test_parts_of_a_chain(taken: tuple[bool, ...], expected: tuple[int, int]) -> None:
    assert parts(chain(*("ADD",) * len(taken)), taken) == expected


def test_two_branches_that_wait_for_the_same_fallback_are_one_part() -> None:
    """x -> a (taken), x -> b (taken), a -> c (not), (b, c) -> d (taken): two parts, not three."""
    edges = ((("x",), "a"), (("x",), "b"), (("a",), "c"), (("b", "c"), "d"))
    operators = tuple(
        Operator(name="ADD", moved_bytes=1, inputs=read, outputs=(written,))
        for read, written in edges
    )
    assert parts(operators, (True, True, False, True)) == (2, 1)


@given(st.lists(st.booleans(), max_size=60))
def test_parts_of_a_chain_are_its_runs(taken: list[bool]) -> None:
    runs = [t for i, t in enumerate(taken) if i == 0 or taken[i - 1] != t]
    assert parts(chain(*("ADD",) * len(taken)), taken) == (runs.count(True), runs.count(False))


def test_operators_that_wait_for_one_another_do_not_hang() -> None:
    circle = (
        Operator(name="ADD", moved_bytes=1, inputs=("b",), outputs=("a",)),
        Operator(name="ADD", moved_bytes=1, inputs=("a",), outputs=("b",)),
    )
    assert parts(circle, (True, True)) == (0, 0)

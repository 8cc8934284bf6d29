"""What a person is warned of before shipping a file, and nothing else."""

from dataclasses import replace

import pytest

from weighin.gates.cost import Arithmetic, Kind, ModelCost, Operator, Weight
from weighin.gates.inspection import Inspection, groups, zero_share
from weighin.gates.variant import Format

CONV = Operator(
    name="CONV_2D",
    moved_bytes=10,
    macs=900,
    kind=Kind.CONV,
    arithmetic=Arithmetic.INT8,
    types=("int8",),
    outputs=("a",),
)
DENSE = replace(CONV, name="FULLY_CONNECTED", macs=100, kind=Kind.FULLY_CONNECTED)
PAD = Operator(name="PAD", moved_bytes=4, types=("int8",), outputs=("b",))
COST = ModelCost(format=Format.LITERT, operators=(CONV, DENSE, PAD), weight_bytes=0, arena_bytes=0)


def warnings(cost: ModelCost) -> tuple[str, ...]:
    return Inspection(file="m", size_bytes=1, sha256="", cost=cost, coverages=()).warnings


def test_a_plain_int8_model_warns_of_nothing() -> None:
    assert warnings(COST) == ()


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (
            {"operators": (CONV, replace(DENSE, arithmetic=Arithmetic.FLOAT32))},
            "1 operator of an int8 model not in int8 (10.0% of MACs): FULLY_CONNECTED",
        ),
        (
            {
                "operators": (
                    CONV,
                    replace(PAD, types=("float32",)),
                    replace(PAD, types=("float32",)),
                )
            },
            "2 operators of an int8 model over plain floats: PAD x2",
        ),
        ({"operators": (CONV, replace(PAD, dynamic=True))}, "1 operator with sizes"),
        ({"unsized": ("a", "b", "c", "d", "e")}, "not counted: a; b; c, and 2 more"),
        (
            {
                "weights": (
                    Weight(name="w", type="int8", shape=(8, 2), channels=8, zero_channels=3),
                )
            },
            "3 of 8 output channels are all zeros",
        ),
    ],
    ids=["a float layer", "floats between", "dynamic", "not counted", "empty channels"],
)
def test_what_is_odd_is_said_in_one_sentence(changed: dict[str, object], words: str) -> None:
    (told,) = warnings(replace(COST, **changed))  # type: ignore[arg-type]
    assert words in told


def test_a_float_model_may_have_floats() -> None:
    floats = (replace(CONV, arithmetic=Arithmetic.FLOAT32), replace(PAD, types=("float32",)))
    assert warnings(replace(COST, operators=floats)) == ()


def test_going_from_floats_to_int8_is_no_oddity() -> None:
    step = replace(PAD, name="QUANTIZE", types=("float32", "int8"))
    assert warnings(replace(COST, operators=(step, CONV))) == ()


def test_groups_add_up_to_the_whole() -> None:
    found = groups(COST)
    assert [(g.kind, g.type, g.operators) for g in found] == [
        ("conv", "int8", 1),
        ("fully_connected", "int8", 1),
        ("other", "int8", 1),
    ]
    assert sum(g.macs for g in found) == COST.macs
    assert sum(g.moved_bytes for g in found) == COST.terms.activation_bytes


def test_weights_that_nobody_could_look_at_are_no_zeros() -> None:
    seen = Weight(name="a", type="int8", shape=(4,), zeros=1)
    unseen = Weight(name="b", type="int2", shape=(400,))
    assert zero_share(replace(COST, weights=(seen, unseen))) == 0.25
    assert zero_share(replace(COST, weights=(unseen,))) is None

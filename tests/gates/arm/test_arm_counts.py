"""Counts are whole numbers of everything, or nothing; a known loop is counted to the last one."""

from dataclasses import asdict, replace
from pathlib import Path

import pytest

from weighin.gates.arm.cores import DOTPROD, I8MM, NEON, Core, NoCore
from weighin.gates.arm.count_store import CountKey, CountStore
from weighin.gates.arm.counter import NEON_WIDE, counting_core
from weighin.gates.arm.counts import COLUMNS, Count, parse_count
from weighin.gates.arm.known_loop import loop_objection
from weighin.gates.profile import load_profile

STEPS = 32_768
LOOP = Count(
    integer=STEPS + 10,
    branch=STEPS + 3,
    load=STEPS,
    store=STEPS,
    vector_load=STEPS,
    vector_store=STEPS,
    float_mac=STEPS,
    integer_mac=STEPS,
    vector=STEPS,
    scalar_float=STEPS,
    missed_32k=STEPS - 2,
    missed_512k=STEPS - 2,
    missed_2m=0,
)
KEY = CountKey(
    artifact_sha256="a" * 64,
    cpu="cortex-a72",
    kernels="xnnpack",
    runtime="ai-edge-litert 2.3.0",
    counter="1",
)


def test_instructions_are_the_sum_of_all_kinds_and_no_cache_lines() -> None:
    assert LOOP.instructions == 10 * STEPS + 13


@pytest.mark.parametrize("text", ["", "-1", "1.5", "1e6", "nan", "\u0661", " 7", None, True])
def test_what_is_no_number_of_things_is_no_count(text: object) -> None:
    with pytest.raises(ValueError, match="not a whole number"):
        parse_count(asdict(LOOP) | {"vector": text})


def test_a_count_of_which_a_kind_is_missing_is_no_count() -> None:
    raw = {name: value for name, value in asdict(LOOP).items() if name != "branch"}
    with pytest.raises(ValueError, match="branch is missing"):
        parse_count(raw)


def test_the_known_loop_is_counted_to_the_last_instruction() -> None:
    assert loop_objection(LOOP) is None


@pytest.mark.parametrize("name", [name for name in COLUMNS if not name.startswith("missed")])
@pytest.mark.parametrize("off", [-1, 1])
def test_one_instruction_too_many_or_too_few_is_seen(name: str, off: int) -> None:
    wrong = replace(LOOP, **{name: getattr(LOOP, name) + off})
    assert f"({name})" in str(loop_objection(wrong))


@pytest.mark.parametrize("name", [name for name in COLUMNS if name.startswith("missed")])
def test_a_cache_of_another_size_is_seen(name: str) -> None:
    wrong = replace(LOOP, **{name: STEPS // 2})
    assert f"({name})" in str(loop_objection(wrong))


def test_a_kept_count_comes_back_and_only_under_everything_that_decided_it(tmp_path: Path) -> None:
    store = CountStore(folder=tmp_path / "counts")
    assert store.recall(KEY) is None
    store.keep(KEY, LOOP)
    assert store.recall(KEY) == LOOP
    for name in asdict(KEY):
        assert store.recall(replace(KEY, **{name: "another"})) is None


def test_a_kept_count_that_was_damaged_is_counted_again(tmp_path: Path) -> None:
    store = CountStore(folder=tmp_path)
    store.keep(KEY, LOOP)
    (path,) = tmp_path.iterdir()
    path.write_text(path.read_text()[:-5])
    assert store.recall(KEY) is None
    path.write_text("[]")
    assert store.recall(KEY) is None


@pytest.mark.parametrize(
    ("name", "isa", "core"),
    [
        ("Kryo performance", (), NEON_WIDE),
        ("Kryo 385 Gold (Cortex-A75)", ("fp16",), NEON_WIDE),
        ("Cortex-A53", (), NEON),
        ("Kryo 485 Gold prime (Cortex-A76)", ("dotprod", "fp16"), DOTPROD),
        ("Cortex-X3", ("dotprod", "fp16", "i8mm"), I8MM),
        ("cortex-a55", ("dotprod", "fp16"), None),
        ("cortex-x9", ("dotprod", "fp16", "sme"), None),
        ("odd", ("i8mm",), None),
    ],
)
def test_the_counting_core_has_the_design_and_the_extensions_of_the_fastest_one(
    name: str, isa: tuple[str, ...], core: Core | None
) -> None:
    pixel = load_profile("pixel-4")
    fastest = replace(pixel.clusters[0], core=name, isa=isa)
    found = counting_core(replace(pixel, clusters=(fastest,)))
    if core is None:
        assert isinstance(found, NoCore)
        assert name in found.reason
    else:
        assert found is core


def test_a_phone_of_unknown_cores_has_no_counting_core() -> None:
    found = counting_core(replace(load_profile("pixel-4"), clusters=()))
    assert isinstance(found, NoCore)

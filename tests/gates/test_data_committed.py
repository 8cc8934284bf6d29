"""A suite made from data holds on it, sees what changed, and is never read in part."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from weighin.gates.data import DataContract, DataReport, Role
from weighin.gates.data_ask import answers_to, ask, read_answers
from weighin.gates.data_check import check_data, suite_digests
from weighin.gates.data_committed import own_of, read_suite, suite_path, suite_text
from weighin.gates.data_frozen import make_suite
from weighin.gates.data_table import DataTable, read_table
from weighin.gates.errors import DataError

CONTRACT = DataContract(input_shape=(4, 4), input_dtype="float32", classes=3)
Arrays = dict[str, Any]


def sound(rows: int = 120, seed: int = 1) -> Arrays:
    random = np.random.default_rng(seed)
    x = random.random((rows, 4, 4), dtype=np.float32)
    return {"x": x, "y": np.arange(rows) % 3, "light": np.where(np.arange(rows) % 4, "day", "dusk")}


def table_of(folder: Path, arrays: Arrays, contract: DataContract = CONTRACT) -> DataTable:
    path = folder / "evaluation.npz"
    np.savez(path, allow_pickle=True, **arrays)
    table, objections = read_table(Role.EVALUATION, path, contract)
    assert table is not None, objections
    return table


@pytest.fixture
def frozen(tmp_path: Path) -> Path:
    """Sound data with its suite beside it."""
    table = table_of(tmp_path, sound())
    path = tmp_path / "evaluation.npz"
    suite_path(path).write_text(suite_text("evaluation", make_suite(table)))
    return path


def check(path: Path) -> DataReport:
    return check_data({Role.EVALUATION: path}, CONTRACT)


def test_a_suite_made_from_data_holds_on_that_data(frozen: Path) -> None:
    report = check(frozen)
    assert report.ok
    held = [one for one in report.results if one.committed]
    assert len(held) == 1 + len(read_suite(suite_path(frozen).read_text()))
    (checked,) = report.summary.sets
    assert checked.suite_expectations == len(held)
    assert [one.sha256 for one in suite_digests({Role.EVALUATION: frozen})] == [
        checked.suite_sha256
    ]


@settings(max_examples=12, deadline=None)
@given(
    x=npst.arrays(np.float32, (12, 4, 4), elements=st.floats(-1e6, 1e6, width=32)),
    y=npst.arrays(np.int64, 12, elements=st.integers(0, 2)),
)
def test_it_holds_on_whatever_finite_data_it_was_made_from(
    tmp_path_factory: pytest.TempPathFactory, x: Any, y: Any
) -> None:
    table = table_of(tmp_path_factory.mktemp("any"), {"x": x, "y": y})
    suite = read_suite(suite_text("any", make_suite(table)))
    assert [one for one in ask(Role.EVALUATION, table.columns(), suite) if not one.success] == []


def test_numbers_as_labels_have_a_range_in_place_of_shares(tmp_path: Path) -> None:
    contract = replace(CONTRACT, classes=None)
    arrays = {"x": sound()["x"], "y": np.linspace(-1, 1, 240).reshape(120, 2)}
    table = table_of(tmp_path, arrays, contract)
    suite = read_suite(suite_text("numbers", make_suite(table)))
    assert {"label_lowest", "label_highest"} <= {one.column for one in suite}
    assert all(one.success for one in ask(Role.EVALUATION, table.columns(), suite))


def edited(name: str, at: Any, value: Any) -> Callable[[Arrays], Arrays]:
    def edit(arrays: Arrays) -> Arrays:
        changed = arrays[name].copy()
        changed[at] = value
        return arrays | {name: changed}

    return edit


def shortened(arrays: Arrays) -> Arrays:
    return {name: array[:100] for name, array in arrays.items()}


@pytest.mark.parametrize(
    ("edit", "words", "rows"),
    [
        pytest.param(edited("x", (7, 1, 1), 1.5), "the highest seen", (7,), id="too-high"),
        pytest.param(edited("x", (9, 0, 0), -0.1), "the lowest seen", (9,), id="too-low"),
        pytest.param(shortened, "still at least 120 rows", (), id="rows-lost"),
        pytest.param(edited("y", slice(60), 0), "about the shares", (), id="shares-moved"),
        pytest.param(edited("light", 5, "fog"), "every 'light' is one", (5,), id="new-slice"),
        pytest.param(edited("light", slice(None), "day"), "'light' that was", (), id="no-dusk"),
        pytest.param(lambda a: a | {"x": a["x"] / 2}, "median row's highest", (), id="scale"),
        pytest.param(
            lambda a: a | {"x": np.repeat(a["x"][:60], 2, axis=0)}, "different", (), id="repeats"
        ),
        pytest.param(
            lambda a: {name: array for name, array in a.items() if name != "light"},
            "every 'light' is one",
            (),
            id="slice-gone",
        ),
    ],
)
def test_data_that_changed_breaks_it_and_the_rows_are_named(
    frozen: Path, edit: Callable[[Arrays], Arrays], words: str, rows: tuple[int, ...]
) -> None:
    np.savez(frozen, allow_pickle=True, **edit(sound()))
    broken = [one for one in check(frozen).broken if words in one.expectation]
    assert [(one.committed, one.rows) for one in broken] == [(True, rows)]
    with pytest.raises(DataError, match="of its committed suite is broken"):
        check(frozen).require_sound()


def one(**changed: Any) -> str:
    """A suite of one expectation with something changed."""
    base = {
        "type": "expect_column_values_to_be_between",
        "kwargs": {"column": "lowest", "min_value": -5.0},
    }
    return json.dumps({"name": "n", "expectations": [base | changed]})


BAD = {
    "empty-file": "",
    "torn": '{"expectations": [',
    "a-list": "[]",
    "expects-nothing": '{"name": "n", "expectations": []}',
    "no-list": '{"name": "n"}',
    "not-an-object": '{"expectations": [3]}',
    "not-a-number": one(kwargs={"column": "lowest", "min_value": float("nan")}),
    "endless": one(kwargs={"column": "lowest", "max_value": float("inf")}),
    "overflowing": one(kwargs={"column": "lowest", "max_value": 1}).replace(" 1}", " 1e999}"),
    "unknown-kind": one(type="expect_column_values_to_be_nice"),
    "kind-we-cannot-judge": one(type="expect_column_values_to_match_regex"),
    "without-bounds": one(kwargs={"column": "lowest"}),
    "without-column": one(kwargs={"min_value": 0}),
    "mostly": one(kwargs={"column": "lowest", "min_value": 0, "mostly": 0.5}),
    "only-some-rows": one(
        kwargs={"column": "lowest", "min_value": 9, "row_condition": "row > 500"}
    ),
    "empty-set": one(
        type="expect_column_values_to_be_in_set", kwargs={"column": "label", "value_set": []}
    ),
    "shares-of-nothing": one(
        type="expect_column_kl_divergence_to_be_less_than",
        kwargs={"column": "label", "partition_object": {}, "threshold": 1},
    ),
    "bound-is-a-parameter": one(kwargs={"column": "lowest", "min_value": {"$PARAMETER": "x"}}),
    "nested-too-deep": "[" * 100_000,
}


@pytest.mark.parametrize("text", BAD.values(), ids=BAD)
def test_a_suite_that_cannot_be_checked_as_a_whole_breaks(frozen: Path, text: str) -> None:
    suite_path(frozen).write_text(text)
    (broken,) = check(frozen).broken
    assert broken.expectation == "the suite evaluation.suite.json can be read and checked"
    assert "weighin data freeze" in broken.observed


def test_a_suite_that_is_no_text_breaks(frozen: Path) -> None:
    suite_path(frozen).write_bytes(b"\xff\xfe\x00")
    (broken,) = check(frozen).broken
    assert "utf-8" in broken.observed


def test_a_column_that_is_not_there_breaks(frozen: Path) -> None:
    suite_path(frozen).write_text(one(kwargs={"column": "colour", "min_value": 0}))
    (broken,) = check(frozen).broken
    assert broken.observed.startswith("there is no column 'colour'; there are row, shape, dtype")


@pytest.mark.parametrize(
    ("kind", "arguments"),
    [
        ("expect_column_max_to_be_between", {"column": "highest", "max_value": 5}),
        ("expect_column_mean_to_be_between", {"column": "mean", "max_value": 5}),
        ("expect_column_values_to_be_between", {"column": "mean", "max_value": 5}),
    ],
)
def test_gaps_that_great_expectations_leaves_out_break(
    tmp_path: Path, kind: str, arguments: dict[str, object]
) -> None:
    (expected,) = read_suite(one(type=kind, kwargs=arguments))
    gap = np.array([0.1, np.nan, 0.3])
    columns = {"row": np.arange(3), "highest": gap, "mean": gap}
    (result,) = ask(Role.EVALUATION, columns, [expected])
    assert not result.success
    assert result.rows == (1,)
    assert result.observed == "1 of 3 rows have nothing to look at"


def test_two_expectations_with_the_same_words_are_two(tmp_path: Path) -> None:
    table = table_of(tmp_path, sound())
    meta = {"words": "all is well"}
    suite = [
        {"type": "expect_column_values_to_be_between", "meta": meta, "kwargs": kwargs}
        for kwargs in (
            {"column": "lowest", "min_value": -1},
            {"column": "lowest", "min_value": 1},
        )
    ]
    read = read_suite(json.dumps({"expectations": suite}))
    results = list(ask(Role.EVALUATION, table.columns(), read))
    assert [one.success for one in results] == [True, False]


def test_whatever_is_left_out_of_what_ran_counts_as_broken(tmp_path: Path) -> None:
    table = table_of(tmp_path, sound())
    suite, columns = make_suite(table), table.columns()
    answers = answers_to(columns, suite)
    assert len(answers) == len(suite)
    for left_out in range(len(suite)):
        some = {place: answer for place, answer in answers.items() if place != left_out}
        results = read_answers(Role.EVALUATION, columns, suite, some)
        broken = [(place, one.observed) for place, one in enumerate(results) if not one.success]
        assert broken == [(left_out, "it did not run")]


def test_what_somebody_wrote_survives_freezing_again(frozen: Path) -> None:
    document = json.loads(suite_path(frozen).read_text())
    own = json.loads(one())["expectations"][0]
    document["expectations"].insert(0, own)
    kept = own_of(json.dumps(document))
    assert kept == (own,)
    table = table_of(frozen.parent, sound())
    text = suite_text("evaluation", make_suite(table), kept)
    assert read_suite(text)[-1].arguments == (("column", "lowest"), ("min_value", -5.0))
    assert own_of("no suite") == ()


def test_it_is_a_suite_that_great_expectations_reads_itself(frozen: Path) -> None:
    import great_expectations as gx

    document = json.loads(suite_path(frozen).read_text())
    suite = gx.ExpectationSuite(**document)
    assert len(suite.expectations) == len(document["expectations"])


def test_the_same_data_gives_the_same_text(frozen: Path) -> None:
    again = suite_text("evaluation", make_suite(table_of(frozen.parent, sound())))
    assert again == suite_path(frozen).read_text()


def test_one_file_for_two_roles_has_one_suite(frozen: Path) -> None:
    paths = {Role.TRAINING: frozen, Role.UNLABELLED: frozen}
    assert [one.role for one in suite_digests(paths)] == ["training suite"]
    assert check_data(paths, CONTRACT).ok


def test_a_link_to_a_suite_that_is_gone_is_not_taken_for_none(frozen: Path) -> None:
    suite_path(frozen).unlink()
    suite_path(frozen).symlink_to(frozen.parent / "gone.json")
    with pytest.raises(FileNotFoundError):
        check(frozen)


def test_editing_the_suite_forgets_what_was_remembered(frozen: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    first = check_data({Role.EVALUATION: frozen}, CONTRACT, cache)
    again = check_data({Role.EVALUATION: frozen}, CONTRACT, cache)
    assert again.summary == first.summary
    assert again == replace(first, results=again.results)
    stricter = suite_path(frozen).read_text().replace('"min_value": 120', '"min_value": 121')
    suite_path(frozen).write_text(stricter)
    assert not check_data({Role.EVALUATION: frozen}, CONTRACT, cache).ok
    suite_path(frozen).unlink()
    without = check_data({Role.EVALUATION: frozen}, CONTRACT, cache)
    assert without.ok
    assert without.summary.sets[0].suite_sha256 == ""

"""Broken data is found before anything is spent, and the message says which rows."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from weighin.gates.data import DataContract, DataReport, ExpectationResult, Role
from weighin.gates.data_ask import Expected, ask
from weighin.gates.data_check import check_data, digest_of
from weighin.gates.errors import DataError

CONTRACT = DataContract(
    input_shape=(4, 4), input_dtype="float32", classes=3, minimum=0.0, maximum=1.0
)
Arrays = dict[str, NDArray[Any]]


def sound(seed: int, rows: int = 120) -> Arrays:
    random = np.random.default_rng(seed)
    return {"x": random.random((rows, 4, 4), dtype=np.float32), "y": np.arange(rows) % 3}


def write(path: Path, arrays: Arrays) -> Path:
    np.savez(path, allow_pickle=True, **arrays)
    return path


def check(tmp_path: Path, evaluation: Arrays, **others: Arrays) -> DataReport:
    paths = {Role.EVALUATION: write(tmp_path / "evaluation.npz", evaluation)}
    others = {"calibration": sound(2, 40), **others}
    for name, arrays in others.items():
        paths[Role(name)] = write(tmp_path / f"{name}.npz", arrays)
    return check_data(paths, CONTRACT)


def test_sound_data_is_sound_and_names_what_was_checked(tmp_path: Path) -> None:
    report = check(tmp_path, sound(1), training=sound(3, 300))
    assert report.ok
    report.require_sound()
    assert [(digest.role, digest.rows) for digest in report.data] == [
        ("evaluation", 120),
        ("calibration", 40),
        ("training", 300),
    ]
    assert report.data[0] == digest_of(Role.EVALUATION, tmp_path / "evaluation.npz")


def changed(name: str, at: Any, value: Any) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name][at] = value

    return change


def replaced(name: str, make: Callable[[NDArray[Any]], Any]) -> Callable[[Arrays], None]:
    def change(arrays: Arrays) -> None:
        arrays[name] = np.asarray(make(arrays[name]))

    return change


def emptied(arrays: Arrays) -> None:
    arrays["x"], arrays["y"] = arrays["x"][:0], arrays["y"][:0]


def shortened(arrays: Arrays) -> None:
    arrays["x"], arrays["y"] = arrays["x"][:30], arrays["y"][:30]


def repeated(arrays: Arrays) -> None:
    arrays["x"] = np.repeat(arrays["x"][:60], 2, axis=0)


@pytest.mark.parametrize(
    ("breaks", "expectation", "rows"),
    [
        pytest.param(changed("x", (7, 0, 0), np.nan), "NaN or infinite", (7,), id="nan"),
        pytest.param(changed("x", 9, np.nan), "has a lowest value", (9,), id="a-row-of-nan"),
        pytest.param(changed("x", (8, 1, 1), np.inf), "NaN or infinite", (8,), id="inf"),
        pytest.param(changed("x", (3, 0, 0), -0.5), "below 0", (3,), id="too-low"),
        pytest.param(changed("x", (4, 0, 0), 255), "above 1", (4,), id="not-scaled"),
        pytest.param(changed("y", [5, 6], 3), "is a class from 0 to 2", (5, 6), id="unknown-label"),
        pytest.param(changed("y", 11, -1), "is a class from 0 to 2", (11,), id="negative-label"),
        pytest.param(changed("y", slice(None), 1), "two classes", (), id="one-class"),
        pytest.param(changed("y", slice(1, None), 1), "each class has", (), id="absent-class"),
        pytest.param(changed("x", slice(None), 0.5), "not all the same", (), id="constant"),
        pytest.param(repeated, "repeat another", (), id="duplicates"),
        pytest.param(emptied, "there are rows", (), id="empty"),
        pytest.param(shortened, "at least 50 rows", (), id="too-few"),
        pytest.param(replaced("x", lambda x: x[:, :3]), "input shape", (), id="wrong-shape"),
        pytest.param(replaced("x", lambda x: x.astype("f8")), "input type", (), id="wrong-type"),
        pytest.param(replaced("x", lambda x: 3.0), "input shape", (), id="no-array"),
        pytest.param(replaced("y", lambda y: y[:50]), "same length", (), id="missing-labels"),
        pytest.param(replaced("y", lambda y: y * 1.0), "one whole number", (), id="float-labels"),
        pytest.param(replaced("y", np.eye(3).take), "one whole number", (), id="one-hot-labels"),
        pytest.param(lambda arrays: arrays.pop("x"), "holds x and y", (), id="no-x"),
        pytest.param(lambda arrays: arrays.pop("y"), "holds x and y", (), id="no-y"),
        pytest.param(
            replaced("y", lambda y: np.array([{}] * len(y))), "no pickles", (), id="pickled"
        ),
    ],
)
def test_broken_evaluation_data_stops_the_run_and_says_why(
    tmp_path: Path, breaks: Callable[[Arrays], object], expectation: str, rows: tuple[int, ...]
) -> None:
    arrays = sound(1)
    breaks(arrays)
    report = check(tmp_path, arrays)
    assert not report.ok
    (broken,) = [one for one in report.broken if expectation in one.expectation]
    assert broken.role is Role.EVALUATION
    assert broken.rows == rows
    with pytest.raises(DataError, match=expectation) as raised:
        report.require_sound()
    assert str(tmp_path / "evaluation.npz") in str(raised.value)


@pytest.mark.parametrize("role", ["calibration", "training", "unlabelled"])
def test_rows_that_the_gate_shares_with_other_data_are_found_by_content(
    tmp_path: Path, role: str
) -> None:
    evaluation, other = sound(1), sound(5)
    other["x"][[10, 11]] = evaluation["x"][[70, 3]]
    report = check(tmp_path, evaluation, **{role: other})
    (broken,) = report.broken
    assert broken.expectation == f"no row is also in the {role} data"
    assert broken.rows == (3, 70)


@pytest.mark.parametrize("role", ["evaluation", "calibration", "training"])
def test_tuning_data_shares_no_row_with_any_other(tmp_path: Path, role: str) -> None:
    sets = {"evaluation": sound(1), "calibration": sound(2, 40), "training": sound(3)}
    tuning = sound(4)
    tuning["x"][7] = sets[role]["x"][5]
    (broken,) = check(tmp_path, tuning=tuning, **sets).broken
    assert broken.expectation.startswith("no row is also in the ")


def test_calibration_data_may_be_part_of_the_training_data(tmp_path: Path) -> None:
    assert check(tmp_path, sound(1), calibration=sound(2, 40), training=sound(2, 40)).ok


def test_unlabelled_data_needs_no_labels_but_has_to_be_apart(tmp_path: Path) -> None:
    assert check(tmp_path, sound(1), unlabelled={"x": sound(3)["x"]}).ok
    shared = np.concatenate([sound(3)["x"], sound(1)["x"][5:6]])
    broken = check(tmp_path, sound(1), unlabelled={"x": shared}).broken
    assert [result.rows for result in broken] == [(5,)]


def test_calibration_labels_are_checked_too(tmp_path: Path) -> None:
    calibration = sound(2, 40)
    calibration["y"][4] = 7
    (broken,) = check(tmp_path, sound(1), calibration=calibration).broken
    assert (broken.role, broken.rows) == (Role.CALIBRATION, (4,))


@pytest.mark.parametrize(
    ("role", "change", "ends"),
    [
        pytest.param(
            "calibration", lambda x: 255 * x, {"lowest", "highest"}, id="bytes beside fractions"
        ),
        pytest.param("training", lambda x: 2 * x - 1, {"lowest"}, id="another normalisation"),
        pytest.param("tuning", lambda x: x - 9, {"lowest", "highest"}, id="shifted"),
    ],
)
def test_data_on_another_scale_than_the_evaluation_data_is_refused(
    tmp_path: Path, role: str, change: Callable[[Any], Any], ends: set[str]
) -> None:
    paths = {Role.EVALUATION: write(tmp_path / "evaluation.npz", sound(1))}
    other = sound(6)
    other["x"] = change(other["x"])
    paths[Role(role)] = write(tmp_path / "other.npz", other)
    broken = check_data(paths, replace(CONTRACT, minimum=None, maximum=None)).broken
    assert {result.expectation.split("'s ")[1].split(" ")[0] for result in broken} == ends
    assert all("is like the evaluation data's" in result.expectation for result in broken)


def test_single_wild_values_are_no_other_scale(tmp_path: Path) -> None:
    calibration = sound(2, 40)
    calibration["x"][3, 0, 0] = 1e6
    paths = {
        Role.EVALUATION: write(tmp_path / "evaluation.npz", sound(1)),
        Role.CALIBRATION: write(tmp_path / "calibration.npz", calibration),
    }
    assert check_data(paths, replace(CONTRACT, minimum=None, maximum=None)).ok


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        pytest.param(b"", "No data left in file", id="empty-file"),
        pytest.param(b"version https://git-lfs.github.com/spec/v1\n", "pickle", id="lfs-pointer"),
        pytest.param(b"PK\x03\x04 and then nothing", "BadZipFile", id="torn-archive"),
    ],
)
def test_a_file_that_is_no_archive_is_a_result_with_its_reason(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    path = tmp_path / "evaluation.npz"
    path.write_bytes(content)
    (broken,) = check_data({Role.EVALUATION: path}, CONTRACT).broken
    assert "is a .npz" in broken.expectation
    assert reason in broken.observed


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"evaluation data: there is no file .*gone.npz"):
        check_data({Role.EVALUATION: tmp_path / "gone.npz"}, CONTRACT)


def test_nothing_to_check_is_not_sound() -> None:
    report = DataReport(data=(), results=())
    assert not report.ok
    with pytest.raises(DataError, match="no data set was checked"):
        report.require_sound()


def test_integer_inputs_need_no_finite_check(tmp_path: Path) -> None:
    contract = replace(CONTRACT, input_dtype="uint8", maximum=255)
    random = np.random.default_rng(4)
    x = random.integers(0, 256, (90, 4, 4), dtype=np.uint8)
    path = write(tmp_path / "e.npz", {"x": x, "y": np.arange(90) % 3})
    assert check_data({Role.EVALUATION: path}, contract).ok


# Where Great Expectations itself answers "success" although nothing was looked at.


@pytest.mark.parametrize(
    ("expected", "column"),
    [
        pytest.param(
            Expected(
                words="in range",
                kind="ExpectColumnValuesToBeBetween",
                arguments=(("column", "value"), ("min_value", 0), ("max_value", 1)),
                every_row=True,
            ),
            [0.5, np.nan, 0.7],
            id="nan-is-skipped-by-a-range",
        ),
        pytest.param(
            Expected(
                words="of a column that is not there",
                kind="ExpectColumnValuesToBeInSet",
                arguments=(("column", "other"), ("value_set", [0])),
                every_row=True,
            ),
            [0.0, 0.0, 0.0],
            id="missing-column",
        ),
    ],
)
def test_an_answer_that_did_not_look_at_every_row_is_not_believed(
    expected: Expected, column: list[float]
) -> None:
    columns = {"row": np.arange(3), "value": np.array(column)}
    (result,) = ask(Role.EVALUATION, columns, [expected])
    assert not result.success
    assert result.observed


def test_a_passed_check_is_remembered_until_a_byte_or_the_contract_changes(tmp_path: Path) -> None:
    path, cache = write(tmp_path / "e.npz", sound(1)), tmp_path / "cache"
    first = check_data({Role.EVALUATION: path}, CONTRACT, cache)
    kept = list(cache.iterdir())
    assert len(kept) == 1
    again = check_data({Role.EVALUATION: path}, CONTRACT, cache)
    assert again == first

    stricter = replace(CONTRACT, maximum=0.5)
    assert not check_data({Role.EVALUATION: path}, stricter, cache).ok
    write(path, sound(1) | {"y": np.ones(120, dtype=np.int64)})
    assert not check_data({Role.EVALUATION: path}, CONTRACT, cache).ok
    assert list(cache.iterdir()) == kept  # what is broken is never remembered


@pytest.mark.parametrize(
    "damage",
    [b"", b"{}", b'{"data": [], "results": []}', b"[1, 2", b'{"data": 3, "results": [{}]}'],
    ids=["empty", "no-fields", "nothing-checked", "torn", "wrong-types"],
)
def test_a_damaged_memory_is_checked_afresh(tmp_path: Path, damage: bytes) -> None:
    path, cache = write(tmp_path / "e.npz", sound(1)), tmp_path / "cache"
    first = check_data({Role.EVALUATION: path}, CONTRACT, cache)
    (kept,) = cache.iterdir()
    kept.write_bytes(damage)
    assert check_data({Role.EVALUATION: path}, CONTRACT, cache) == first


def test_a_memory_with_one_broken_result_is_not_believed(tmp_path: Path) -> None:
    path, cache = write(tmp_path / "e.npz", sound(1)), tmp_path / "cache"
    first = check_data({Role.EVALUATION: path}, CONTRACT, cache)
    (kept,) = cache.iterdir()
    kept.write_text(kept.read_text().replace('"success": true', '"success": "yes"', 1))
    assert check_data({Role.EVALUATION: path}, CONTRACT, cache) == first


def test_one_broken_result_breaks_the_report() -> None:
    good = ExpectationResult(role=Role.EVALUATION, expectation="a", success=True, observed="")
    bad = replace(good, success=False, observed="it did not run")
    assert not DataReport(data=(), results=(good, bad)).ok


# Labels that are numbers.

NUMBERS = replace(CONTRACT, classes=None)


def numbered(y: Any, seed: int = 1) -> Arrays:
    return sound(seed) | {"y": np.asarray(y)}


@pytest.mark.parametrize(
    "y",
    [
        pytest.param(np.linspace(-1, 1, 120), id="floats"),
        pytest.param(np.arange(120), id="whole-numbers"),
        pytest.param(np.linspace(0, 1, 360, dtype=np.float16).reshape(120, 3), id="several"),
        pytest.param(np.linspace(0, 1, 120)[:, None], id="a-column"),
    ],
)
def test_labels_may_be_numbers(tmp_path: Path, y: Any) -> None:
    path = write(tmp_path / "e.npz", numbered(y))
    report = check_data({Role.EVALUATION: path}, NUMBERS)
    report.require_sound()
    assert not [one for one in report.results if "class" in one.expectation]
    assert report.evaluation is not None
    assert report.evaluation.classes == ()


def with_value(place: Any, value: float, shape: tuple[int, ...] = (120,)) -> Any:
    y = np.linspace(0, 1, int(np.prod(shape))).reshape(shape)
    y[place] = value
    return y


@pytest.mark.parametrize(
    ("y", "expectation", "rows"),
    [
        pytest.param(with_value(7, np.nan), "no label is NaN", (7,), id="nan"),
        pytest.param(with_value((8, 1), np.inf, (120, 2)), "no label is NaN", (8,), id="inf"),
        pytest.param(np.full(120, 0.5), "labels are not all the same", (), id="constant"),
        pytest.param(np.arange(120) > 60, "y holds real numbers", (), id="booleans"),
        pytest.param(np.arange(120) * 1j, "y holds real numbers", (), id="complex"),
        pytest.param(np.zeros((120, 2, 2)), "y holds real numbers", (), id="a-cube"),
        pytest.param(np.zeros((120, 0)), "y holds real numbers", (), id="no-column"),
        pytest.param(np.array(["a"] * 120), "y holds real numbers", (), id="texts"),
        pytest.param(np.linspace(0, 1, 50), "same length", (), id="too-few"),
    ],
)
def test_numbers_that_are_none_break(
    tmp_path: Path, y: Any, expectation: str, rows: tuple[int, ...]
) -> None:
    path = write(tmp_path / "e.npz", numbered(y))
    report = check_data({Role.EVALUATION: path}, NUMBERS)
    (broken,) = [one for one in report.broken if expectation in one.expectation]
    assert broken.rows == rows


def test_numbers_are_checked_in_every_set_that_has_labels(tmp_path: Path) -> None:
    paths = {
        Role.EVALUATION: write(tmp_path / "e.npz", numbered(np.linspace(0, 1, 120))),
        Role.CALIBRATION: write(tmp_path / "c.npz", numbered(with_value(3, np.nan), 2)),
        Role.UNLABELLED: write(tmp_path / "u.npz", {"x": sound(3)["x"]}),
    }
    (broken,) = check_data(paths, NUMBERS).broken
    assert (broken.role, broken.rows) == (Role.CALIBRATION, (3,))


# Further columns, by which rows may be grouped.


def sliced(**columns: Any) -> Arrays:
    return sound(1) | {name: np.asarray(column) for name, column in columns.items()}


def check_slices(tmp_path: Path, arrays: Arrays, *names: str) -> DataReport:
    path = write(tmp_path / "e.npz", arrays)
    return check_data({Role.EVALUATION: path}, replace(CONTRACT, slice_columns=names))


def test_further_arrays_are_no_matter_until_they_are_named(tmp_path: Path) -> None:
    arrays = sliced(names=["a", "b"], index=np.arange(120), wide=np.zeros((120, 9)), note="text")
    assert check_slices(tmp_path, arrays).ok


@pytest.mark.parametrize(
    "column",
    [
        pytest.param(np.arange(120) % 5, id="whole-numbers"),
        pytest.param(np.arange(120) > 60, id="booleans"),
        pytest.param(np.where(np.arange(120) % 2, "day", "night"), id="texts"),
        pytest.param(np.where(np.arange(120) % 2, b"day", b"night"), id="bytes"),
        pytest.param(np.arange(120) % 50, id="fifty"),
        pytest.param(np.zeros(120, int), id="one"),
    ],
)
def test_a_column_that_groups_rows_is_sound(tmp_path: Path, column: Any) -> None:
    check_slices(tmp_path, sliced(light=column), "light").require_sound()


@pytest.mark.parametrize(
    ("column", "said", "rows"),
    [
        pytest.param(np.zeros(7, int), "'light' has one value per row", (), id="too-short"),
        pytest.param(np.zeros((120, 2), int), "'light' has one value per row", (), id="too-wide"),
        pytest.param(np.zeros(120), "'light' holds whole numbers, booleans", (), id="floats"),
        pytest.param(
            np.array(["day"] * 119 + [""]), "every row has a value of 'light'", (119,), id="empty"
        ),
        pytest.param(np.arange(120) % 51, "at most 50 different values", (), id="fifty-one"),
    ],
)
def test_a_column_that_cannot_group_rows_is_told(
    tmp_path: Path, column: Any, said: str, rows: tuple[int, ...]
) -> None:
    report = check_slices(tmp_path, sliced(light=column), "light")
    (broken,) = [one for one in report.broken if said in one.expectation]
    assert broken.rows == rows


@pytest.mark.parametrize("name", ["dark", "x", "y"])
def test_a_column_that_is_not_there_is_told(tmp_path: Path, name: str) -> None:
    (broken,) = check_slices(tmp_path, sliced(light=np.arange(120) % 2), name).broken
    assert broken.expectation == f"the file holds the slice column '{name}'"
    assert broken.observed == "it holds light"

"""The data that a search sees: set aside by content, once, and apart from everything else."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.data import Role
from weighin.gates.errors import DataError
from weighin.plugin.search.tuning import with_tuning


def write(path: Path, x: Any) -> Path:
    np.savez(path, x=x, y=np.arange(len(x)) % 3)
    return path


def contents(path: Path) -> list[bytes]:
    with np.load(path) as archive:
        return [row.tobytes() for row in archive["x"]]


@pytest.fixture
def rows() -> Any:
    return np.random.default_rng(0).random((200, 2, 3), dtype=np.float32)


def test_a_part_of_the_training_data_is_set_aside(tmp_path: Path, rows: Any) -> None:
    training = write(tmp_path / "t.npz", rows)
    calibration = write(tmp_path / "c.npz", rows[:0])
    paths = {Role.TRAINING: training, Role.CALIBRATION: calibration}
    found = with_tuning(paths, tmp_path / "parts", seed=0)
    tuning, rest = contents(found[Role.TUNING]), contents(found[Role.TRAINING])
    assert (len(tuning), len(rest)) == (50, 150)
    assert {*tuning, *rest} == set(contents(training))
    assert not set(tuning) & set(rest)
    assert found[Role.CALIBRATION] == calibration


def test_rows_that_also_calibrate_are_not_set_aside(tmp_path: Path, rows: Any) -> None:
    calibration = write(tmp_path / "c.npz", rows[:100])
    paths = {Role.TRAINING: write(tmp_path / "t.npz", rows), Role.CALIBRATION: calibration}
    found = with_tuning(paths, tmp_path / "parts", seed=0)
    tuning = contents(found[Role.TUNING])
    assert len(tuning) == 25
    assert not set(tuning) & set(contents(calibration))


def test_equal_rows_stay_together(tmp_path: Path, rows: Any) -> None:
    training = write(tmp_path / "t.npz", np.concatenate([rows, rows[::-1]]))
    found = with_tuning({Role.TRAINING: training}, tmp_path / "parts", seed=0)
    tuning, rest = contents(found[Role.TUNING]), contents(found[Role.TRAINING])
    assert not set(tuning) & set(rest)
    assert len(set(tuning)) == len(tuning)


def test_the_order_of_the_rows_decides_nothing_and_the_seed_does(tmp_path: Path, rows: Any) -> None:
    def aside(name: str, x: Any, seed: int) -> set[bytes]:
        paths = {Role.TRAINING: write(tmp_path / name, x)}
        return set(contents(with_tuning(paths, tmp_path / "parts", seed)[Role.TUNING]))

    assert aside("a.npz", rows, 0) == aside("b.npz", rows[::-1], 0)
    assert aside("a.npz", rows, 0) != aside("a.npz", rows, 1)


def test_without_training_data_calibration_data_is_split(tmp_path: Path, rows: Any) -> None:
    paths = {Role.CALIBRATION: write(tmp_path / "c.npz", rows)}
    found = with_tuning(paths, tmp_path / "parts", seed=0)
    assert len(contents(found[Role.CALIBRATION])) == 150


def test_named_tuning_data_is_taken_as_it_is(tmp_path: Path, rows: Any) -> None:
    paths = {Role.TUNING: write(tmp_path / "t.npz", rows), Role.CALIBRATION: tmp_path / "none.npz"}
    assert with_tuning(paths, tmp_path / "parts", seed=0) == paths


def test_too_little_data_to_set_some_aside_says_what_to_do(tmp_path: Path, rows: Any) -> None:
    paths = {Role.CALIBRATION: write(tmp_path / "c.npz", rows[:40])}
    with pytest.raises(DataError, match="name `tuning` data"):
        with_tuning(paths, tmp_path / "parts", seed=0)

"""`weighin data`: what it shows, what it writes, and what it leaves alone."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from weighin.gates.data_record import DataSummary
from weighin.gates.errors import WeighinError
from weighin.plugin.cli import main
from weighin.plugin.config import ModelConfig
from weighin.plugin.contract import contract_for
from weighin.plugin.pipeline import plan_for
from weighin.plugin.project import Project, open_project
from weighin.plugin.released import with_drift
from weighin.plugin.suites import check_model

TOML = """
[models.blobs]
evaluation = "data/evaluation.npz"
calibration = "data/calibration.npz"
training = "data/calibration.npz"
"""


def write(path: Path, rows: int, seed: int, **more: Any) -> None:
    random = np.random.default_rng(seed)
    x = random.random((rows, 4, 4), dtype=np.float32)
    np.savez(path, allow_pickle=True, **{"x": x, "y": np.arange(rows) % 3, **more})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Project:
    (tmp_path / "data").mkdir()
    (tmp_path / "weighin.toml").write_text(TOML)
    write(tmp_path / "data/evaluation.npz", 120, 1)
    write(tmp_path / "data/calibration.npz", 40, 2)
    monkeypatch.chdir(tmp_path)
    return open_project(tmp_path)


Said = pytest.CaptureFixture[str]


def test_freeze_writes_one_suite_per_file_and_check_holds_them(
    project: Project, capsys: Said
) -> None:
    assert main(["data", "freeze", "blobs"]) == 0
    said = capsys.readouterr().out
    assert "data/evaluation.suite.json: 14 expectations" in said
    assert "commit them with the data" in said
    suites = sorted(path.name for path in (project.root / "data").glob("*.suite.json"))
    assert suites == ["calibration.suite.json", "evaluation.suite.json"]
    assert main(["data", "check", "blobs"]) == 0
    said = capsys.readouterr().out
    assert "✓ every label is one of the 3 seen [suite]" in said
    assert "hold, no suite" not in said.split("training:")[0]


def test_check_shows_what_is_broken_and_where(project: Project, capsys: Said) -> None:
    main(["data", "freeze", "blobs"])
    x = np.load(project.root / "data/evaluation.npz")["x"]
    x[7, 0, 0] = 3
    write(project.root / "data/evaluation.npz", 120, 1, x=x)
    capsys.readouterr()
    assert main(["data", "check", "blobs"]) == 1
    said = capsys.readouterr().out
    assert "✗ no value is above" in said
    assert "1 of 120 rows break it with 3.0 (first at rows 7)" in said
    assert "1 of " in said.splitlines()[-1]


def test_check_as_json_is_a_document(project: Project, capsys: Said) -> None:
    assert main(["data", "check", "blobs", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["ok"] is True
    assert {one["role"] for one in document["summary"]["sets"]} == {
        "evaluation",
        "calibration",
        "training",
    }


def test_freezing_again_changes_nothing_and_keeps_what_people_wrote(
    project: Project, capsys: Said
) -> None:
    main(["data", "freeze", "blobs"])
    path = project.root / "data/evaluation.suite.json"
    document = json.loads(path.read_text())
    document["expectations"].append(
        {
            "type": "expect_column_mean_to_be_between",
            "kwargs": {"column": "mean", "min_value": 0.4, "max_value": 0.6},
            "meta": {},
        }
    )
    path.write_text(json.dumps(document, indent=2) + "\n")
    capsys.readouterr()
    main(["data", "freeze", "blobs"])
    said = capsys.readouterr().out
    assert "evaluation.suite.json: 15 expectations, 1 of them your own (unchanged)" in said
    assert json.loads(path.read_text()) == document
    assert check_model(project, "blobs").ok


def test_what_breaks_the_contract_is_not_agreed_to(project: Project, capsys: Said) -> None:
    write(project.root / "data/evaluation.npz", 120, 1, y=np.zeros(120, int))
    assert main(["data", "freeze", "blobs"]) == 1
    assert "at least two classes" in capsys.readouterr().err
    assert not list((project.root / "data").glob("*.suite.json"))


def test_a_broken_suite_does_not_hinder_making_it_anew(project: Project) -> None:
    path = project.root / "data/evaluation.suite.json"
    path.write_text("{")
    assert not check_model(project, "blobs").ok
    assert main(["data", "freeze", "blobs"]) == 0
    assert check_model(project, "blobs").ok


def test_a_model_that_is_not_described_is_a_configuration_error(project: Project) -> None:
    assert main(["data", "check", "nobody"]) == 2


@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda path: path.unlink(), id="removed"),
        pytest.param(lambda path: path.write_text(path.read_text() + "\n"), id="edited"),
    ],
)
def test_the_suite_is_part_of_the_plan(project: Project, edit: Callable[[Path], Any]) -> None:
    before = plan_for(project, "blobs").digest
    main(["data", "freeze", "blobs"])
    frozen = plan_for(project, "blobs")
    assert frozen.digest != before
    suites = [one for one in frozen.data if one.role == "evaluation suite"]
    assert [one.path for one in suites] == ["data/evaluation.suite.json"]
    edit(project.root / "data/evaluation.suite.json")
    assert plan_for(project, "blobs").digest != frozen.digest


def test_the_configuration_decides_whether_near_duplicates_stop(project: Project) -> None:
    evaluation = project.root / "data/evaluation.npz"
    settings = ModelConfig(evaluation="e", calibration="c")
    assert contract_for(None, settings, evaluation).most_near_share is None
    strict = replace(settings, max_near_duplicate_percent=0.5)
    assert contract_for(None, strict, evaluation).most_near_share == 0.005


def test_the_contract_may_be_of_numbers_and_slices(project: Project) -> None:
    evaluation = project.root / "data/evaluation.npz"
    settings = ModelConfig(evaluation="e", calibration="c")
    assert contract_for(None, settings, evaluation).classes == 3
    settings = replace(settings, metric="mae", slices=("light",))
    contract = contract_for(None, settings, evaluation)
    assert contract.classes is None
    assert contract.slice_columns == ("light",)
    assert (contract.input_shape, contract.input_dtype) == ((4, 4), "float32")


def test_without_a_remembered_release_there_is_nothing_to_compare(project: Project) -> None:
    summary = check_model(project, "blobs").summary
    assert with_drift(project, "blobs", summary).drift is None


@pytest.mark.parametrize("damage", ["", "[]", "{}", '{"released": "blobs/1"}'])
def test_a_damaged_memory_of_the_release_is_told(project: Project, damage: str) -> None:
    path = project.state / "released/blobs.json"
    path.parent.mkdir(parents=True)
    path.write_text(damage)
    summary: DataSummary = check_model(project, "blobs").summary
    with pytest.raises(WeighinError, match=r"blobs.json: what was remembered .* Remove it"):
        with_drift(project, "blobs", summary)

"""Recipe ``auto`` with real builds and measurements: what fits is found, and judged by the gate."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
WEIGHIN = Path(sys.executable).with_name("weighin")
TRAINING = 'training = "data/training.npz"\n'


def configure(project: Path, *changes: tuple[str, str]) -> None:
    path = project / "weighin.toml"
    text = path.read_text()
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    path.write_text(text)


@pytest.fixture(scope="session")
def searched_origin(
    tiny_origin: Path, tmp_path_factory: pytest.TempPathFactory, weighin: Command
) -> Path:
    """No training data, and a budget that only weight-only quantizations meet; searched."""
    root = Path(shutil.copytree(tiny_origin, tmp_path_factory.mktemp("searched") / "project"))
    auto = '["float32", "int8"]', '["auto"]'
    configure(root, auto, (TRAINING, ""), ("size_mib = 1\n", "size_mib = 0.003\n"))
    weighin(root, "run", "tiny/1", "--json")
    return root


@pytest.fixture
def searched(searched_origin: Path, tmp_path: Path) -> Path:
    """A fresh copy of that project."""
    return Path(shutil.copytree(searched_origin, tmp_path / "project"))


def document_of(project: Path) -> Any:
    return json.loads((project / ".weighin/runs/tiny/v1/report.json").read_text())


def test_only_what_fits_goes_to_the_gate_and_passes_there(searched: Path) -> None:
    document = document_of(searched)
    trials = {t["recipe"]: t for one in document["search"]["rounds"] for t in one["trials"]}
    kept = document["search"]["kept"]
    assert kept
    assert {v["recipe"] for v in document["variants"] if v["passed_on"]} == set(kept)
    assert all(trials[name]["devices"][0]["standing"] in ("sure", "likely") for name in kept)
    assert {"float32", "fp16", "dynamic_int8", "int8"} <= set(trials)
    assert trials["fp16"]["devices"][0]["standing"] == "fell"
    assert "size_mib" in trials["fp16"]["devices"][0]["reason"]
    assert "What was searched" in (searched / ".weighin/runs/tiny/v1/report.html").read_text()


def test_the_search_saw_no_row_of_the_gate_and_none_that_calibrates(searched: Path) -> None:
    def contents(path: Path) -> set[bytes]:
        with np.load(path) as archive:
            return {row.tobytes() for row in archive["x"]}

    data = {one["role"]: searched / one["path"] for one in document_of(searched)["data"]}
    parts = searched / ".weighin/work/search/data"
    (rest,) = parts.glob("*-rest.npz")
    seen = contents(data["tuning"])
    assert seen
    assert not seen & contents(data["evaluation"])
    assert not seen & contents(rest)
    assert seen | contents(rest) == contents(data["calibration"])


def test_nothing_fits_and_the_nearest_miss_is_named(searched: Path, weighin: Command) -> None:
    configure(searched, ("size_mib = 0.003", "size_mib = 0.0001"))
    document = json.loads(weighin(searched, "run", "tiny/1", "--json", code=3).stdout)
    assert document["devices"][0]["nearest_miss"]["metric"] == "size_mib"
    trials = [t for one in document["search"]["rounds"] for t in one["trials"]]
    least = min(t["bytes"] for t in trials if t["bytes"] is not None)
    (nearest,) = {t["bytes"] for t in trials if t["recipe"] == document["search"]["kept"][0]}
    assert nearest == least, "the smallest came nearest"
    shown = weighin(searched, "report", "tiny/1", code=None).stdout
    assert "nearest miss" in shown
    assert "every question was answered" in " ".join(shown.split())


def test_no_time_at_all_is_said_and_the_gate_judges_the_cheapest(
    searched: Path, weighin: Command
) -> None:
    configure(searched, ("size_mib = 0.003", "size_mib = 0.0072"))
    path = searched / "weighin.toml"
    path.write_text("[search]\nminutes = 0\n" + path.read_text())
    document = json.loads(weighin(searched, "run", "tiny/1", "--json").stdout)
    assert document["search"]["rounds"] == []
    assert "no time was given" in document["search"]["ended"]
    recipes = {variant["recipe"] for variant in document["variants"]}
    assert recipes == {"float32", "fp16", "dynamic_int8", "int8"}


def test_killed_in_the_middle_it_repeats_no_build_and_finds_what_has_to_be_trained(
    tiny: Path, weighin: Command, kept_builds: Callable[[Path], dict[Path, int]]
) -> None:
    """Without an accuracy budget four rounds are asked; only pruned and quantized ones fit."""
    auto, drop = ('["float32", "int8"]', '["auto"]'), ("accuracy_drop_points = 5.0\n", "")
    configure(tiny, auto, drop, ("size_mib = 1\n", "size_mib = 0.00655\n"))
    first = subprocess.Popen(
        [WEIGHIN, "run", "tiny/1"],
        cwd=tiny,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: len(lines(tiny)) >= 2, first)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    before = lines(tiny)
    kept = kept_builds(tiny)
    assert kept
    document = json.loads(weighin(tiny, "run", "tiny/1", "--json").stdout)
    assert lines(tiny)[: len(before)] == before
    assert kept.items() <= kept_builds(tiny).items()
    assert all(one["trains"] for one in document["search"]["rounds"][1:])
    assert any(v["passed_on"] for v in document["variants"])


def lines(project: Path) -> list[str]:
    found = [path.read_text() for path in project.rglob(".weighin/work/search/*.jsonl")]
    return [line for text in found for line in text.splitlines()]


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    for _ in range(2400):
        if condition():
            return
        assert process.poll() is None, "it ended before it got there"
        time.sleep(0.05)
    raise AssertionError("it never got there")

"""The user's repository: paths, references, and one worker at a time."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from weighin.gates.errors import ConfigError
from weighin.plugin.project import open_project, parse_reference, sole_worker


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("digits/3", ("digits", "3"), id="plain"),
        pytest.param("models:/digits/3", ("digits", "3"), id="mlflow-uri"),
        pytest.param("team/digits/12", ("team/digits", "12"), id="name-with-slash"),
    ],
)
def test_a_reference_names_a_version(text: str, expected: tuple[str, str]) -> None:
    assert parse_reference(text) == expected


@pytest.mark.parametrize("text", ["digits", "digits/", "/3", "digits/latest", "digits@champion"])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="MODEL/VERSION"):
        parse_reference(text)


def test_a_relative_database_is_taken_from_the_root(tmp_path: Path) -> None:
    (tmp_path / "weighin.toml").write_text("")
    (tmp_path / "sub").mkdir()
    project = open_project(tmp_path / "sub")
    assert project.tracking_uri == f"sqlite:///{tmp_path}/mlflow.db"
    assert project.registry_uri == f"weighin+sqlite:///{tmp_path}/mlflow.db"


HOLD = """
import sys, time
from pathlib import Path
from weighin.plugin.project import open_project, sole_worker
with sole_worker(open_project(Path(sys.argv[1]))):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_worker_waits_and_a_killed_one_leaves_no_lock(tmp_path: Path) -> None:
    (tmp_path / "weighin.toml").write_text("")
    first = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"held\n"
    second = subprocess.Popen([sys.executable, "-c", HOLD, tmp_path], stdout=subprocess.PIPE)
    time.sleep(1.0)
    assert second.poll() is None
    first.kill()
    first.communicate()
    assert second.stdout is not None
    assert second.stdout.readline() == b"held\n"
    second.kill()
    second.communicate()
    with sole_worker(open_project(tmp_path)) as waited:
        assert not waited

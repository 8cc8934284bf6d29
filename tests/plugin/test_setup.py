"""weighin init: everything is made once, and what people have is left alone."""

import subprocess
from pathlib import Path

import pytest

from weighin.gates.errors import ConfigError
from weighin.plugin.doctor import examine
from weighin.plugin.setup import init_project


def test_the_second_time_nothing_is_made(tmp_path: Path) -> None:
    assert all(step.made for step in init_project(tmp_path))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert not any(step.made for step in init_project(tmp_path))
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert {p: c for p, c in after.items() if ".git/" not in str(p)} == {
        p: c for p, c in before.items() if ".git/" not in str(p)
    }


@pytest.mark.parametrize(
    ("ignored", "own"),
    [pytest.param("/project/", True, id="ignored"), pytest.param("*.log", False, id="tracked")],
)
def test_a_folder_that_its_repository_ignores_gets_one_of_its_own(
    tmp_path: Path, ignored: str, own: bool
) -> None:
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    (tmp_path / ".gitignore").write_text(f"{ignored}\n")
    init_project(tmp_path / "project")
    assert (tmp_path / "project" / ".git").is_dir() is own


def test_no_key_can_be_committed(tmp_path: Path) -> None:
    init_project(tmp_path)
    subprocess.run(["git", "add", "-A"], cwd=tmp_path, check=True)
    staged = subprocess.run(
        ["git", "ls-files"], cwd=tmp_path, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert "weighin.toml" in staged
    assert not [name for name in staged if "pem" in name or name.startswith(".weighin")]


def test_a_configuration_that_is_there_is_kept_and_checked(tmp_path: Path) -> None:
    (tmp_path / "weighin.toml").write_text("[chanel]\n")
    with pytest.raises(ConfigError, match="did you mean 'channel'"):
        init_project(tmp_path)
    assert (tmp_path / "weighin.toml").read_text() == "[chanel]\n"


def test_lines_of_an_ignore_file_that_is_there_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.log\n")
    init_project(tmp_path)
    assert (tmp_path / ".gitignore").read_text().splitlines()[0] == "*.log"


def test_the_doctor_says_what_to_do_about_what_is_missing(tmp_path: Path) -> None:
    init_project(tmp_path)
    (tmp_path / ".weighin/keys/evidence.pem").unlink()
    (tmp_path / ".weighin/keys/root.pem").chmod(0o644)
    found = {finding.what: finding for finding in examine(tmp_path)}
    assert not found["keys"].ok
    assert "evidence" in found["keys"].detail
    assert not found["models"].ok
    assert found["channel"].ok
    assert found["DVC"].ok

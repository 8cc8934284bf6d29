"""A review without a server: everything is made here, and nothing of the real one is touched."""

import json
from pathlib import Path

import pytest
from review_home import Home
from review_samples import NOW, make_weigh_in

from weighin.gates.report.markdown import marker
from weighin.plugin.cli import main
from weighin.plugin.review.rehearsal import rehearse

CANARY = "ghp_of_a_person"


def test_the_comment_and_the_checks_are_files_and_the_real_server_hears_nothing(home: Home) -> None:
    home.keep(make_weigh_in({"host": "pass", "pixel-4": "fail"}))
    before = home.server("for-each-ref")
    environ = {**home.environ, "GITHUB_TOKEN": CANARY, "GITHUB_API_URL": "http://127.0.0.1:9"}
    done = rehearse(home.root, environ, "digits", "3", NOW)
    comment, checks = (path.read_text() for path in done.files)
    assert comment.startswith(marker("digits"))
    assert "## `weighin / digits / pixel-4`: failure" in checks
    assert "`weighin.toml` line" in checks
    assert (done.reviewed.state, done.reviewed.exit_code) == ("open", 0)
    assert home.server("for-each-ref") == before
    assert home.git("status", "--porcelain", "--", "weighin.toml") == ""
    kept = (path for path in done.files[0].parent.rglob("*") if path.is_file())
    assert not any(CANARY.encode() in path.read_bytes() for path in kept)


def test_again_it_starts_anew(home: Home) -> None:
    home.keep(make_weigh_in({"host": "pass", "pixel-4": "fail"}))
    first = rehearse(home.root, home.environ, "digits", "3", NOW)
    assert rehearse(home.root, home.environ, "digits", "3", NOW) == first


def test_waivers_that_are_kept_stay(home: Home) -> None:
    home.keep(make_weigh_in({"host": "pass", "pixel-4": "fail"}))
    kept = home.project.results("digits", "3") / "waivers" / "one.json"
    kept.parent.mkdir()
    kept.write_text("{}")
    rehearse(home.root, home.environ, "digits", "3", NOW)
    assert kept.read_text() == "{}"


def test_the_command_says_where_to_look(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    home.keep(make_weigh_in({"host": "fail", "pixel-4": "fail"}))
    monkeypatch.chdir(home.root)
    assert main(["review", "digits/3", "--rehearse", "--json"]) == 3
    document = json.loads(capsys.readouterr().out)
    assert document["conclusion"] == "failure"
    assert [Path(file).name for file in document["files"]] == ["comment.md", "checks.md"]


def test_a_rehearsal_of_a_dry_run_is_no_command(
    home: Home, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(home.root)
    assert main(["review", "digits/3", "--rehearse", "--dry-run"]) == 2
    assert "--rehearse takes MODEL/VERSION" in capsys.readouterr().err

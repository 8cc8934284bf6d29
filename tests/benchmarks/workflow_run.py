"""Runs a job of a workflow on this machine, as a runner would: its shell steps for real.

What is stood in for: `actions/checkout` copies a prepared repository (and leaves the token in its
git configuration, if the workflow lets it), `actions/setup-python` does nothing, and
`actions/upload-artifact` remembers the folder. Everything else of the job is what it is.
"""

import os
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from workflow_expression import Contexts, filled, holds

REPOSITORY = Path(__file__).parents[2]
WORKFLOWS = REPOSITORY / ".github" / "workflows"
ACTION = REPOSITORY / ".github" / "actions" / "weighin"
SHELL = ("bash", "--noprofile", "--norc", "-eo", "pipefail")

Document = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What a runner has that a job does not bring along.

    Attributes:
        folder: For the workspace, the home and the temporary folder; empty.
        event_name: What started the workflow.
        event: The event's content.
        secrets: Every secret that the repository and the job's environment know.
        token: The job's own token.
        checkouts: Folder that a checkout copies, by the ref that it asks for; `""`: the default.
        path: Folders before the machine's own PATH.
        environ: Further variables of the runner.
        inputs: Of a call or a dispatch.
    """

    folder: Path
    event_name: str
    event: Document
    secrets: Mapping[str, str]
    token: str
    checkouts: Mapping[str, Path]
    path: tuple[Path, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    inputs: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Ran:
    """One step that ran: what it printed, and how it ended."""

    name: str
    code: int
    text: str


@dataclass(slots=True, kw_only=True)
class Finished:
    """What a job did."""

    steps: list[Ran] = field(default_factory=list[Ran])
    uploads: dict[str, Path] = field(default_factory=dict[str, Path])
    outputs: dict[str, dict[str, str]] = field(default_factory=dict[str, dict[str, str]])
    summary: str = ""

    @property
    def text(self) -> str:
        """Everything that anybody can read in the log and the summary."""
        return "\n".join([*(step.text for step in self.steps), self.summary])

    @property
    def ok(self) -> bool:
        return all(step.code == 0 for step in self.steps)


def load(path: Path) -> Document:
    """A workflow or an action, as YAML 1.2: `on` is a word."""
    document: Document = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    return document


def runs(job: Document, world: World) -> bool:
    """Whether the event starts the job at all."""
    return holds(job.get("if"), _contexts(world, {}, {}))


def run_job(job: Document, world: World) -> Finished:
    """Run a job's steps one after the other; after a failure only those that always run."""
    runner = _Runner(world)
    for name in ("workspace", "home", "temp", "files"):
        (world.folder / name).mkdir()
    environment = {k: filled(v, _contexts(world, {}, {})) for k, v in job.get("env", {}).items()}
    runner.steps(job["steps"], {"env": environment}, environment)
    return runner.finished


class _Runner:
    def __init__(self, world: World) -> None:
        self.world = world
        self.finished = Finished()
        self.exported: dict[str, str] = {}
        self.path: list[str] = [str(folder) for folder in world.path]

    @property
    def workspace(self) -> Path:
        return self.world.folder / "workspace"

    def steps(self, steps: list[Document], more: Contexts, environment: dict[str, str]) -> None:
        outputs: dict[str, dict[str, Any]] = {}
        failed = False
        for number, step in enumerate(steps):
            contexts = _contexts(self.world, more, outputs)
            condition = str(step.get("if", "success()"))
            if (failed and "always()" not in condition) or not holds(condition, contexts):
                continue
            own = {k: filled(v, contexts) for k, v in step.get("env", {}).items()}
            code, said = self._step(step, contexts, environment | own)
            outputs[str(step.get("id", number))] = {"outputs": said}
            failed = failed or code != 0

    def _step(
        self, step: Document, contexts: Contexts, environment: dict[str, str]
    ) -> tuple[int, dict[str, str]]:
        if "run" in step:
            return self._shell(step, contexts, environment)
        given = {k: filled(v, contexts) for k, v in step.get("with", {}).items()}
        uses = str(step["uses"])
        if uses.startswith("actions/checkout@"):
            self._checkout(given)
        elif uses.startswith("actions/upload-artifact@"):
            self.finished.uploads[given["name"]] = Path(given["path"])
        elif uses.startswith("./"):
            self._composite(self.workspace / uses, given, environment)
        elif not uses.startswith("actions/setup-python@"):
            raise ValueError(f"{uses}: not known how to stand in for it")
        return 0, {}

    def _checkout(self, given: dict[str, str]) -> None:
        target = self.workspace / given.get("path", "")
        if "sparse-checkout" in given:
            kept = given["sparse-checkout"]
            shutil.copytree(REPOSITORY / kept, target / kept)
            return
        source = self.world.checkouts[given.get("ref", "")]
        shutil.copytree(source, target, symlinks=True, dirs_exist_ok=True)
        if given.get("persist-credentials", "true") != "false":
            key = "http.https://github.com/.extraheader"
            line = f"AUTHORIZATION: basic x-access-token:{self.world.token}"
            subprocess.run(["git", "config", key, line], cwd=target, check=True)

    def _composite(self, folder: Path, given: dict[str, str], environment: dict[str, str]) -> None:
        action = load(folder / "action.yml")
        unknown = set(given) - set(action["inputs"])
        if unknown:
            raise ValueError(f"the action has no input {sorted(unknown)}")
        defaults = {name: str(one.get("default", "")) for name, one in action["inputs"].items()}
        more = {"inputs": defaults | given, "env": environment}
        inner = environment | {"GITHUB_ACTION_PATH": str(folder)}
        self.steps(action["runs"]["steps"], more, inner)

    def _shell(
        self, step: Document, contexts: Contexts, environment: dict[str, str]
    ) -> tuple[int, dict[str, str]]:
        folder = self.world.folder
        files = {name: folder / "files" / name.lower() for name in _FILES}
        for file in files.values():
            file.write_text("", encoding="utf-8")
        script = folder / "files" / "step.sh"
        script.write_text(str(step["run"]), encoding="utf-8")
        where = self.workspace / filled(step.get("working-directory", "."), contexts)
        done = subprocess.run(
            [*SHELL, str(script)],
            cwd=where,
            env=self._base() | self.exported | environment | {k: str(v) for k, v in files.items()},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=120,
            check=False,
        )
        self.exported |= _pairs(files["GITHUB_ENV"])
        self.path = [*files["GITHUB_PATH"].read_text().split("\n")[:-1], *self.path]
        self.finished.summary += files["GITHUB_STEP_SUMMARY"].read_text(errors="replace")
        name = str(step.get("name", "?"))
        self.finished.steps.append(Ran(name=name, code=done.returncode, text=done.stdout))
        said = _pairs(files["GITHUB_OUTPUT"])
        self.finished.outputs[str(step.get("id", name))] = said
        return done.returncode, said

    def _base(self) -> dict[str, str]:
        folder = self.world.folder
        return {
            "PATH": os.pathsep.join([*self.path, os.environ["PATH"]]),
            "HOME": str(folder / "home"),
            "LANG": "C.UTF-8",
            "RUNNER_TEMP": str(folder / "temp"),
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "GITHUB_REPOSITORY": "octo/models",
            "GITHUB_SERVER_URL": "https://github.com",
            "GITHUB_JOB": "job",
            **self.world.environ,
        }


_FILES = ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")


def _contexts(world: World, more: Contexts, outputs: Mapping[str, Any]) -> Contexts:
    github = {
        "event_name": world.event_name,
        "event": world.event,
        "repository": "octo/models",
        "sha": "f" * 40,
        "ref_name": "main",
        "token": world.token,
    }
    own = {"github": github, "secrets": world.secrets, "inputs": world.inputs, "vars": {}}
    return {**own, **more, "steps": outputs}


def _pairs(file: Path) -> dict[str, str]:
    """`NAME=VALUE` lines, and `NAME<<MARK` blocks."""
    found: dict[str, str] = {}
    lines = iter(file.read_text(encoding="utf-8", errors="replace").split("\n"))
    for line in lines:
        name, equals, text = line.partition("=")
        if "<<" in name or (not equals and "<<" in line):
            name, _, mark = line.partition("<<")
            block: list[str] = []
            for inner in lines:
                if inner == mark:
                    break
                block.append(inner)
            found[name] = "\n".join(block)
        elif equals:
            found[name] = text
    return found

"""A user's project with a finished weigh-in, in a clone of a bare repository."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from review_samples import TOML

from weighin.gates.weigh_in import WeighIn
from weighin.plugin.evidence_files import sign_all
from weighin.plugin.planning import plan_for
from weighin.plugin.project import Project, open_project
from weighin.plugin.results import EVIDENCE_DIR, REPORT_JSON, report_text
from weighin.plugin.review.trust import Bundle
from weighin.registry.git_plumbing import Git
from weighin.registry.keys import create_dev_keys


@dataclass(frozen=True)
class Home:
    """A project, and the bare repository that it came from."""

    root: Path
    bare: Path
    environ: Mapping[str, str]

    @property
    def git(self) -> Git:
        return Git(root=self.root, environ=self.environ)

    @property
    def server(self) -> Git:
        return Git(root=self.bare, environ=self.environ)

    @property
    def project(self) -> Project:
        return open_project(self.root)

    def keep(self, weigh_in: WeighIn) -> WeighIn:
        """Leave a weigh-in as ``weighin run`` leaves it: report, statements, pointers."""
        project = self.project
        if weigh_in.model in project.config.models:
            weigh_in = replace(weigh_in, data=plan_for(project, weigh_in.model).data)
        folder = project.results(weigh_in.model, weigh_in.version)
        shutil.rmtree(folder, ignore_errors=True)
        (folder / EVIDENCE_DIR).mkdir(parents=True)
        for name, envelope in sign_all(project, weigh_in).items():
            (folder / EVIDENCE_DIR / name).write_bytes(envelope)
        (folder / REPORT_JSON).write_text(report_text(weigh_in))
        for result in weigh_in.results:
            pointer = self.root / f"{result.variant.path}.dvc"
            pointer.parent.mkdir(parents=True, exist_ok=True)
            pointer.write_text(f"outs:\n- path: {result.variant.label}\n  md5: {'a' * 32}\n")
            (pointer.parent / ".gitignore").write_text(f"/{result.variant.label}\n")
        return weigh_in

    def bundle(self, model: str = "digits", version: str = "3") -> Bundle:
        """What a run of this project would hand over."""
        folder = self.project.results(model, version)
        paths = (folder / EVIDENCE_DIR).glob("*.json")
        report = (folder / REPORT_JSON).read_bytes()
        return Bundle(report=report, envelopes={path.name: path.read_bytes() for path in paths})

    def commit(self, branch: str, message: str = "a change") -> str:
        """Commit whatever lies in the working tree, and push it."""
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        self.git("push", "-q", "--force", "origin", f"HEAD:refs/heads/{branch}")
        return self.git("rev-parse", "HEAD")


def make_home(place: Path) -> Home:
    """A new project with keys of its own, and the bare repository beside it, in a folder."""
    environ = {"PATH": os.environ["PATH"], "HOME": str(place), "GIT_CONFIG_NOSYSTEM": "1"}
    home = Home(root=place / "project", bare=place / "remote.git", environ=environ)
    here = Git(root=place, environ=environ)
    here("init", "-q", "--bare", "-b", "main", str(home.bare))
    here("init", "-q", "-b", "main", str(home.root))
    home.git("remote", "add", "origin", "../remote.git")
    home.git("config", "user.name", "User")
    home.git("config", "user.email", "user@example.org")
    (home.root / "weighin.toml").write_text(TOML)
    (home.root / ".gitignore").write_text("/.weighin/\n")
    (home.root / "data").mkdir()
    for number, name in enumerate(("evaluation", "calibration")):
        rows = np.full((4, 2), number, dtype="float32")
        np.savez(home.root / "data" / f"{name}.npz", x=rows, y=np.arange(4))
    create_dev_keys(home.project.keys)
    (home.root / "keys").mkdir()
    shutil.copy(home.project.keys / "evidence.pub.json", home.root / "keys")
    home.commit("main", "start")
    return home


def copy_of(home: Home, place: Path) -> Home:
    """The same project somewhere else, with a home folder of its own."""
    shutil.copytree(home.root.parent, place / "home", dirs_exist_ok=True)
    environ = {**home.environ, "HOME": str(place)}
    there = place / "home"
    return Home(root=there / "project", bare=there / "remote.git", environ=environ)

"""The whole product on scikit-learn's handwritten digits, in a folder of its own.

The training scripts are a user's own: they know MLflow and nothing of weighin. Everything else
goes through the same functions as the commands.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import as_file, files
from pathlib import Path

from weighin.gates.errors import ConfigError, WeighinError
from weighin.gates.variant import Format
from weighin.plugin.config import STATE_DIR
from weighin.plugin.console import Progress, progress_bar, say
from weighin.plugin.mlflow_store import connect
from weighin.plugin.project import Project, open_project
from weighin.plugin.promote import promote_version
from weighin.plugin.results import REPORT_HTML, load_weigh_in
from weighin.plugin.review.rehearsal import Rehearsed, rehearse
from weighin.plugin.setup import init_project
from weighin.plugin.show import show_weigh_in
from weighin.plugin.worklist import Done, sync
from weighin.registry.channel import ROOT_FILE
from weighin.registry.pull import pull
from weighin.registry.request import Pulled, PullRequest

MODELS = ("digits-torch", "digits-keras")
PHONE = "pixel-4"
_MARKER = f"{STATE_DIR}/demo"
"""Only a folder that a demo made is ever emptied by the next one."""

SCRIPTS = ("train_torch.py", "train_keras.py")
_QUIET = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Demo:
    """What the demo ended with."""

    project: Project
    weighed: tuple[Done, ...]
    rehearsed: Rehearsed
    pulled: Pulled
    said: str
    seconds: float

    def as_document(self) -> dict[str, object]:
        """For ``--json``."""
        return {
            "seconds": round(self.seconds, 1),
            "folder": str(self.project.root),
            "versions": [done.as_document() for done in self.weighed],
            "pulled": {
                "path": str(self.pulled.path),
                "recipe": self.pulled.lock.file.recipe,
                "sha256": self.pulled.lock.file.sha256,
                "device": self.pulled.lock.device,
            },
            "review": [str(path) for path in self.rehearsed.files],
            "reports": [
                str(self.project.results(*done.reference.split("/")) / REPORT_HTML)
                for done in self.weighed
            ],
        }


def run_demo(folder: Path, *, quiet: bool) -> Demo:
    """Train, register, weigh, review, promote, pull and classify.

    Raises:
        ConfigError: the folder is not empty and not a demo.
        WeighinError: a step failed; says which.
    """
    started = time.monotonic()
    project = _prepare(folder)
    with _chapter("1/6 train a PyTorch and a Keras model, register both in MLflow", quiet) as tick:
        _train(project, tick)
    _title("2/6 weigh what was registered: build, gate, sign, report", quiet)
    weighed = sync(project, quiet=quiet, tell=lambda done: None)
    _require(weighed)
    if not quiet:
        for done in weighed:
            show_weigh_in(load_weigh_in(project.results(*done.reference.split("/"))))
    _title("3/6 rehearse the review on a simulated GitHub: branch, comment, checks", quiet)
    rehearsed = rehearse(project.root, os.environ, MODELS[0], "1", datetime.now(UTC))
    if not quiet:
        say("\n".join(f"  {words}" for words in rehearsed.reviewed.done))
    with _chapter("4/6 promote what passed into the signed channel", quiet) as tick:
        for number, model in enumerate(MODELS, start=1):
            promote_version(project, model, "1")
            tick("promote", number, len(MODELS))
    _title(f"5/6 pull the approved model for a {PHONE} into a fresh app folder", quiet)
    pulled = _pull(project)
    _title("6/6 classify a digit with it", quiet)
    said = _script(project, "classify.py", {}, str(pulled.path), "data/evaluation-torch.npz")
    return Demo(
        project=project,
        weighed=weighed,
        rehearsed=rehearsed,
        pulled=pulled,
        said=said,
        seconds=time.monotonic() - started,
    )


def _prepare(folder: Path) -> Project:
    template = files("weighin.plugin").joinpath("templates/demo.toml").read_text("utf-8")
    if folder.exists() and any(folder.iterdir()) and not (folder / _MARKER).exists():
        raise ConfigError(f"{folder}: is not empty and not a demo; name another --dir")
    shutil.rmtree(folder, ignore_errors=True)
    (folder / _MARKER).parent.mkdir(parents=True)
    (folder / _MARKER).touch()
    init_project(folder, template)
    with as_file(files("weighin.plugin").joinpath("demo_files")) as scripts:
        for script in sorted(scripts.glob("*.py")):
            shutil.copy(script, folder)
    return open_project(folder)


def _train(project: Project, tick: Progress) -> None:
    """Both scripts side by side, as two engineers would."""
    tick("data", 0, 1)
    _script(project, "prepare_data.py", {})
    tick("data", 1, 1)
    connect(project.tracking_uri, project.registry_uri)
    hooked = {
        "MLFLOW_TRACKING_URI": project.tracking_uri,
        "MLFLOW_REGISTRY_URI": project.registry_uri,
    }
    running = [_start(project, script, hooked) for script in SCRIPTS]
    tick("train and register", 0, len(running))
    for number, process in enumerate(running, start=1):
        _finish(process)
        tick("train and register", number, len(running))


def _script(project: Project, name: str, more: Mapping[str, str], *arguments: str) -> str:
    return _finish(_start(project, name, more, *arguments))


def _start(
    project: Project, name: str, more: Mapping[str, str], *arguments: str
) -> "subprocess.Popen[str]":
    # Settings for some other MLflow, such as MLFLOW_EXPERIMENT_ID, are not about the demo's.
    inherited = {k: v for k, v in os.environ.items() if not k.startswith("MLFLOW_")}
    return subprocess.Popen(
        [sys.executable, name, *arguments],
        cwd=project.root,
        env={**inherited, **_QUIET, **more},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: "subprocess.Popen[str]") -> str:
    out, err = process.communicate()
    if process.returncode != 0:
        raise WeighinError(f"a demo script failed:\n{err[-2000:]}")
    return out


def _require(weighed: tuple[Done, ...]) -> None:
    broken = [f"{done.reference}: {done.summary}" for done in weighed if done.exit_code]
    if broken or len(weighed) < len(MODELS):
        raise WeighinError("the demo's models did not all pass: " + "; ".join(broken))


def _pull(project: Project) -> Pulled:
    """As an app's build would, trusting only the channel's root file."""
    app = project.root / "app"
    app.mkdir(exist_ok=True)
    request = PullRequest(
        model=MODELS[0],
        device=PHONE,
        location=str(project.channel),
        channel=project.config.channel.name,
        output_dir=app,
        lock_path=app / "model.lock",
        cache_dir=app / ".cache",
        format=Format.LITERT,
        trusted_root=project.channel / ROOT_FILE,
    )
    return pull(request, datetime.now(UTC))


def _title(text: str, quiet: bool) -> None:
    if not quiet:
        say(f"\n{text}")


@contextmanager
def _chapter(title: str, quiet: bool) -> Generator[Progress]:
    _title(title, quiet)
    with progress_bar("demo", quiet=quiet) as tick:
        yield tick

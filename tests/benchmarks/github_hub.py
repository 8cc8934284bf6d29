"""A simulated GitHub with one real repository: shared by tests and figures."""

import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from weighin.plugin.github.api import Repository
from weighin.plugin.github.connect import connect_repository
from weighin.plugin.github.credentials import choose_credentials
from weighin.plugin.github.patience import Patience
from weighin.plugin.github.simulator.faults import Fault
from weighin.plugin.github.simulator.hosted import Hosted
from weighin.plugin.github.simulator.people import App, Token, workflow
from weighin.plugin.github.simulator.server import GitHubSimulator
from weighin.plugin.github.simulator.wire import Exchange

NAME = "octo/models"
BRANCH = "weighin/digits/1"
WORKFLOW = "ghs_0123456789abcdef"
PERSONAL = "ghp_0123456789abcdef"


def git(*command: str, cwd: Path) -> str:
    """Run git there; what it printed."""
    run = subprocess.run(
        ["git", "-c", "user.name=A", "-c", "user.email=a@example.test", *command],
        cwd=cwd,
        check=True,
        capture_output=True,
        text=True,
    )
    return run.stdout.strip()


@dataclass(slots=True)
class ManualClock:
    """Time that moves by waiting only. It starts now: github3 compares with the real time."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))
    slept: list[float] = field(default_factory=list[float])

    def now(self) -> datetime:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += timedelta(seconds=seconds)


def template_repository(folder: Path) -> Path:
    """A bare repository with ``main`` and one branch ahead of it, beside a working tree."""
    git("init", "--quiet", "--bare", "--initial-branch=main", "models.git", cwd=folder)
    git("init", "--quiet", "--initial-branch=main", "work", cwd=folder)
    work = folder / "work"
    (work / "models a").mkdir()
    (work / "models a" / "x#1?.dvc").write_bytes(b"outs: \xff\n")
    (work / "weighin.toml").write_text("[budgets]\n")
    git("add", ".", cwd=work)
    git("commit", "--quiet", "-m", "first", cwd=work)
    git("push", "--quiet", "../models.git", "main", f"main:refs/heads/{BRANCH}", cwd=work)
    git("checkout", "--quiet", "-b", BRANCH, cwd=work)
    (work / "digits.tflite.dvc").write_text("outs: []\n")
    git("add", ".", cwd=work)
    git("commit", "--quiet", "-m", "variants", cwd=work)
    git("push", "--quiet", "../models.git", BRANCH, cwd=work)
    return folder


@dataclass(slots=True)
class Hub:
    """The simulated GitHub of one test."""

    server: GitHubSimulator
    hosted: Hosted
    clock: ManualClock
    work: Path
    exchanges: list[Exchange]

    def connect(self, token: Token | None = None, **options: Any) -> Repository:
        """The repository as seen with a token; the workflow's by default."""
        shown = self.server.world.add_token(token or workflow(WORKFLOW))
        environment = {"GITHUB_TOKEN": shown.text, "GITHUB_ACTIONS": "true"}
        credentials = choose_credentials(environment, self.server.url)
        options = {"clock": self.clock, "patience": Patience(answer_s=5.0), **options}
        return connect_repository(
            options.pop("name", NAME), self.server.url, credentials, **options
        )

    def fault(self, *faults: Fault) -> None:
        for fault in faults:
            self.server.world.faults.put(fault)

    def sent(self, method: str, ending: str = "") -> list[Exchange]:
        """The calls so far of one method whose path ends so."""
        return [
            exchange
            for exchange in self.exchanges
            if exchange.call.method == method and exchange.call.path.endswith(ending)
        ]

    def head(self, branch: str = BRANCH) -> str:
        return self.hosted.git.head(branch) or ""


def open_hub(
    template: Path, folder: Path, *observers: Callable[[Exchange], None], **options: Any
) -> Hub:
    """A simulated GitHub with a copy of the template as ``octo/models``; to be closed."""
    shutil.copytree(template, folder)
    clock, exchanges = ManualClock(), list[Exchange]()

    def observe(exchange: Exchange) -> None:
        for observer in (exchanges.append, *observers):
            observer(exchange)

    server = GitHubSimulator(now=clock.now, observer=observe, **options)
    hosted = server.world.host(NAME, folder / "models.git")
    return Hub(server, hosted, clock, folder / "work", exchanges)


def pem(key: RSAPrivateKey) -> str:
    """A private key as an App's owner downloads it."""
    return key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()
    ).decode()


def install(hub: Hub, key: RSAPrivateKey, repositories: tuple[str, ...] = (NAME,)) -> None:
    """Install the App 42, ``weighin``, on some repositories."""
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    app = App(
        id=42, slug="weighin", public_key=public, installation_id=7, repositories=repositories
    )
    hub.server.world.add_app(app)

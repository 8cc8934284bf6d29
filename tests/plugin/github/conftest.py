"""A simulated GitHub with one real repository, and ways to connect to it."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from github_hub import BRANCH, PERSONAL, Hub, open_hub, template_repository
from github_openapi import DESCRIPTION, extract

from weighin.plugin.github.api import Repository
from weighin.plugin.github.simulator.people import personal
from weighin.plugin.github.simulator.wire import Exchange

Start = Callable[..., Hub]


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return template_repository(tmp_path_factory.mktemp("template"))


@pytest.fixture
def start(template: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts simulated GitHubs; their observers are told beside the log."""
    running: list[Hub] = []

    def begin(*observers: Callable[[Exchange], None], **options: Any) -> Hub:
        folder = tmp_path / f"hub-{len(running)}"
        running.append(open_hub(template, folder, *observers, **options))
        return running[-1]

    yield begin
    for hub in running:
        hub.server.close()


@pytest.fixture
def hub(start: Start) -> Hub:
    return start()


@pytest.fixture
def repository(hub: Hub) -> Repository:
    """The repository with a workflow's rights and one open pull request, number 1."""
    found = hub.connect()
    found.open_pull(head=BRANCH, base="main", title="digits 1", body="")
    return found


@pytest.fixture
def as_person(hub: Hub) -> Repository:
    return hub.connect(personal(PERSONAL))


@pytest.fixture(scope="session")
def key() -> RSAPrivateKey:
    """An App's."""
    return generate_private_key(public_exponent=65537, key_size=2048)


@pytest.fixture(scope="session")
def description() -> dict[str, Any]:
    """GitHub's own description, cut to the calls of a review; skipped, visibly, without npm."""
    published = Path(__file__).parents[2] / "node" / DESCRIPTION
    if not published.is_file():
        pytest.skip("tests/node has no @octokit/openapi: run npm ci there")
    return extract(published)

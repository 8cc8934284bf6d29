"""Every request of a review, and every answer, against GitHub's published OpenAPI description."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from github_hub import BRANCH, PERSONAL, WORKFLOW, Hub, install, pem
from github_openapi import Judge, openapi_violations
from github_prism import PROGRAM, proxy

from weighin.gates.errors import GitHubError
from weighin.plugin.github.api import Repository
from weighin.plugin.github.connect import connect_repository
from weighin.plugin.github.credentials import choose_credentials
from weighin.plugin.github.records import Annotation, CheckRun, Conclusion, Status
from weighin.plugin.github.simulator.people import personal, workflow
from weighin.plugin.github.simulator.wire import Answer, Call, Exchange

Start = Callable[..., Hub]
MAIN = "main"


@pytest.fixture(scope="session")
def judge(description: dict[str, Any]) -> Judge:
    return Judge(description)


def review(found: Repository) -> None:
    """Every call that a review can make."""
    assert found.branch(BRANCH) is not None
    assert found.branch("nowhere") is None
    assert found.file_at("models a/x#1?.dvc", MAIN) is not None
    assert found.file_at("nothing", MAIN) is None
    for _again in range(2):
        mine = found.pulls_of(BRANCH)
        pull = mine[0] if mine else found.open_pull(head=BRANCH, base=MAIN, title="t", body="b")
        found.edit_pull(pull.number, title="digits | 1", body="")
        sticky = found.add_comment(pull.number, "<!-- weighin --> 🎉")
        assert found.edit_comment(sticky.id, "verdict") is not None
        assert list(found.comments(pull.number))
        found.delete_comment(sticky.id)
        assert found.edit_comment(sticky.id, "verdict") is None
        write_results(found, pull.head_sha)


def write_results(found: Repository, sha: str) -> None:
    found.set_status(sha, Status(context="weighin", state="success", description="ok"))
    assert found.statuses(sha)
    if not found.writes_checks:
        return
    lines = tuple(
        Annotation(path="weighin.toml", line=line, title="t", message="m", level="warning")
        for line in range(1, 61)
    )
    check = CheckRun(
        name="weighin / digits / pixel-4",
        conclusion=Conclusion.NEUTRAL,
        title="t",
        summary="s",
        annotations=lines,
        external_id="e",
    )
    number = found.create_check(sha, check)
    found.update_check(number, replace(check, conclusion=Conclusion.SUCCESS))
    assert found.checks(sha)


@pytest.mark.parametrize("token", [workflow(WORKFLOW), personal(PERSONAL)], ids=lambda t: t.login)
def test_a_whole_review_breaks_no_rule_of_githubs_description(
    start: Start, judge: Judge, token: Any
) -> None:
    judged = judge.judged
    hub = start(judge)
    found = hub.connect(token)
    review(found)
    hub.hosted.pulls[1].state = "closed"
    found.reopen_pull(1)
    url = f"{hub.server.url}/repos/{found.full_name}/pulls/1/merge"
    headers = {"Authorization": f"token {token.text}"}
    assert requests.put(url, json={"merge_method": "squash"}, headers=headers, timeout=5).ok
    assert judge.violations == []
    assert judge.judged - judged == len(hub.exchanges) > 20


def test_an_apps_way_in_breaks_no_rule_either(
    start: Start, judge: Judge, key: RSAPrivateKey
) -> None:
    hub = start(judge)
    install(hub, key)
    environment = {"WEIGHIN_GITHUB_APP_ID": "42", "WEIGHIN_GITHUB_APP_KEY": pem(key)}
    credentials = choose_credentials(environment, hub.server.url)
    found = connect_repository("octo/models", hub.server.url, credentials, clock=hub.clock)
    assert found.login == "weighin[bot]"
    assert judge.violations == []
    assert [exchange.call.path for exchange in hub.exchanges] == [
        "/repos/octo/models/installation",
        "/app/installations/7/access_tokens",
        "/repos/octo/models",
        "/app",
    ]


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        pytest.param({"method": "POST", "body": b'{"text": "x"}'}, Answer(status=201), id="body"),
        pytest.param({"path": "/repos/octo/models/emojis"}, Answer(), id="unknown-address"),
        pytest.param({"query": {"page": "first"}}, Answer(content=[]), id="query"),
        pytest.param({}, Answer(content=[{"id": 1}]), id="answer"),
        pytest.param({}, Answer(status=206, content=[]), id="status"),
    ],
)
def test_the_judge_sees_what_is_wrong(judge: Judge, call: dict[str, Any], answer: Answer) -> None:
    fields: dict[str, Any] = {
        "method": "GET",
        "path": "/repos/octo/models/issues/1/comments",
        "query": {},
        "headers": {"content-type": "application/json"},
        "body": b"",
        "base": "http://127.0.0.1",
    }
    before = len(judge.violations)
    judge(Exchange(call=Call(**{**fields, **call}), answer=answer))
    found = openapi_violations(judge) - before
    del judge.violations[before:]
    assert found > 0


@pytest.fixture
def prism(hub: Hub, description: dict[str, Any], tmp_path: Path) -> Iterator[str]:
    """A validating proxy in front of the simulated GitHub; its address."""
    node = shutil.which("node")
    if node is None or not PROGRAM.is_file():
        pytest.skip("tests/node has no @stoplight/prism-cli: run npm ci there")
    with proxy(node, description, hub.server.url, tmp_path) as url:
        yield url


def test_a_review_passes_the_validating_proxy_and_what_breaks_the_rules_does_not(
    hub: Hub, prism: str
) -> None:
    hub.server.world.add_token(workflow(WORKFLOW))
    credentials = choose_credentials({"WEIGHIN_GITHUB_TOKEN": WORKFLOW}, prism)
    found = connect_repository("octo/models", prism, credentials, clock=hub.clock)
    review(found)
    assert len(hub.hosted.pulls) == 1
    assert sum(len(row.annotations) for row in hub.hosted.checks.values()) == 120
    sent = len(hub.exchanges)
    bad: Any = Status(context="weighin", state="green", description="")  # type: ignore[arg-type]
    with pytest.raises(GitHubError, match="422"):
        found.set_status(hub.head(), bad)
    assert len(hub.exchanges) == sent

"""The simulated GitHub itself, looked at with github3's own objects and with plain HTTP."""

import subprocess
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import github3
import jwt
import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from github3.session import GitHubSession
from github_hub import BRANCH, NAME, PERSONAL, WORKFLOW, Hub, git, install
from hypothesis import given
from hypothesis import strategies as st

from weighin.plugin.github.api import Repository
from weighin.plugin.github.simulator.faults import Fault, FaultBook
from weighin.plugin.github.simulator.people import personal, workflow
from weighin.plugin.github.simulator.wire import Answer, Call, Refused, paged

Start = Callable[..., Hub]


def ask(hub: Hub, method: str, path: str, token: str = WORKFLOW, **options: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return requests.request(method, hub.server.url + path, headers=headers, timeout=5, **options)


def commit(hub: Hub, branch: str, name: str, text: str, *, start: str = "main") -> None:
    git("checkout", "--quiet", "-B", branch, start, cwd=hub.work)
    (hub.work / name).write_text(text)
    git("add", ".", cwd=hub.work)
    git("commit", "--quiet", "-m", f"{name} on {branch}", cwd=hub.work)
    git("push", "--quiet", "--force", "../models.git", branch, cwd=hub.work)


def test_github3s_own_objects_accept_its_answers(hub: Hub, repository: Repository) -> None:
    session = GitHubSession()
    session.base_url = hub.server.url
    ends = (hub.clock.now() + timedelta(days=1)).isoformat()
    session.app_installation_token_auth({"token": WORKFLOW, "expires_at": ends})
    found: Any = github3.GitHub(session=session).repository("octo", "models")
    pull = found.pull_request(1)
    said = pull.create_comment("hello")
    assert said.edit("changed")
    assert [row.body for row in pull.issue_comments()] == ["changed"]
    check = found.create_check_run(
        "weighin",
        pull.head.sha,
        conclusion="failure",
        output={"title": "t", "summary": "s"},
    )
    assert found.check_run(check.id).conclusion == "failure"
    status = found.create_status(pull.head.sha, "success", context="weighin")
    assert status.creator.login == "github-actions[bot]"
    assert found.file_contents("weighin.toml").decoded == b"[budgets]\n"
    assert found.branch("main").latest_sha is not None
    assert [row.number for row in found.pull_requests(state="all")] == [1]
    assert said.delete()
    assert pull.merge("reviewed")
    assert pull.refresh().merged


def test_a_push_moves_an_open_pull_request_and_a_merge_moves_main(
    hub: Hub, repository: Repository
) -> None:
    commit(hub, BRANCH, "more.dvc", "outs: []\n", start=BRANCH)
    pull = repository.pull(1)
    assert pull is not None
    assert pull.head_sha == hub.head()
    merged = hub.server.merge(hub.hosted, 1)
    assert hub.head("main") == merged
    assert git("show", f"{merged}:more.dvc", cwd=hub.hosted.git.path) == "outs: []"
    pull = repository.pull(1)
    assert pull is not None
    assert (pull.state, pull.merged) == ("closed", True)


def test_a_squashed_merge_has_one_parent(hub: Hub, repository: Repository) -> None:
    answer = ask(hub, "PUT", f"/repos/{NAME}/pulls/1/merge", json={"merge_method": "squash"})
    facts = hub.hosted.git.commit(answer.json()["sha"])
    assert len(facts.parents) == 1
    assert facts.message == "digits 1 (#1)"


def test_a_branch_that_was_merged_by_git_shows_as_merged(hub: Hub, repository: Repository) -> None:
    git("push", "--quiet", "../models.git", f"{BRANCH}:main", cwd=hub.work)
    pull = repository.pull(1)
    assert pull is not None
    assert pull.merged


def test_branches_that_conflict_cannot_be_merged(hub: Hub, repository: Repository) -> None:
    commit(hub, "main", "digits.tflite.dvc", "outs: [other]\n")
    shown = ask(hub, "GET", f"/repos/{NAME}/pulls/1").json()
    assert (shown["mergeable"], shown["mergeable_state"]) == (False, "dirty")
    assert ask(hub, "PUT", f"/repos/{NAME}/pulls/1/merge", json={}).status_code == 405
    assert hub.head("main") == git("rev-parse", "main", cwd=hub.work)


def test_a_head_that_moved_meanwhile_is_not_merged(hub: Hub, repository: Repository) -> None:
    answer = ask(hub, "PUT", f"/repos/{NAME}/pulls/1/merge", json={"sha": "0" * 40})
    assert answer.status_code == 409


def test_a_force_pushed_branch_cannot_be_reopened(hub: Hub, repository: Repository) -> None:
    ask(hub, "PATCH", f"/repos/{NAME}/pulls/1", json={"state": "closed"})
    commit(hub, BRANCH, "other.dvc", "outs: []\n")
    answer = ask(hub, "PATCH", f"/repos/{NAME}/pulls/1", json={"state": "open"})
    assert answer.status_code == 422
    assert "force-pushed" in answer.text


def test_a_protected_branch_refuses_pushes_and_merges_with_green_checks_only(
    hub: Hub, repository: Repository
) -> None:
    hub.hosted.protect("main", ("weighin",))
    branch = repository.branch("main")
    assert branch is not None
    assert branch.protected
    with pytest.raises(subprocess.CalledProcessError) as refused:
        git("push", "../models.git", f"{BRANCH}:main", cwd=hub.work)
    assert "GH006: Protected branch update failed for refs/heads/main" in refused.value.stderr
    git("push", "--quiet", "../models.git", f"{BRANCH}:refs/heads/free", cwd=hub.work)
    with pytest.raises(Refused):
        hub.server.merge(hub.hosted, 1)
    status = {"state": "success", "context": "weighin"}
    ask(hub, "POST", f"/repos/{NAME}/statuses/{hub.head()}", json=status)
    merged = hub.server.merge(hub.hosted, 1)
    assert hub.head("main") == merged


def test_a_forks_pull_request_is_kept_in_the_base_repository(hub: Hub, tmp_path: Any) -> None:
    fork = tmp_path / "fork.git"
    git("clone", "--quiet", "--bare", str(hub.hosted.git.path), str(fork), cwd=tmp_path)
    hub.server.world.host("mallory/models", fork, fork_of=NAME)
    found = hub.connect(personal(PERSONAL, "mallory"))
    pull = found.open_pull(head=f"mallory:{BRANCH}", base="main", title="mine", body="")
    assert pull.head_repository == "mallory/models"
    assert hub.hosted.git.resolve("refs/pull/1/head") == pull.head_sha
    assert found.pulls_of(BRANCH) == []
    hub.server.merge(hub.hosted, 1)
    assert hub.hosted.git.contains(hub.head("main"), pull.head_sha)


@pytest.mark.parametrize(
    ("claims", "says"),
    [
        pytest.param({}, "", id="right"),
        pytest.param({"iss": "43"}, "Integration not found", id="other-app"),
        pytest.param({"exp": 7200}, "too far in the future", id="too-long"),
        pytest.param({"exp": -1}, "'exp'", id="over"),
        pytest.param({"iat": 30}, "'iat'", id="clock-ahead"),
    ],
)
def test_an_apps_claims_are_checked_as_github_does(
    hub: Hub, key: RSAPrivateKey, claims: dict[str, Any], says: str
) -> None:
    install(hub, key)
    now = int(hub.clock.now().timestamp())
    shown = {"iss": "42", "iat": now - 60, "exp": now + 540}
    shown |= {name: v if name == "iss" else now + v for name, v in claims.items()}
    answer = ask(hub, "GET", "/app", jwt.encode(shown, key, algorithm="RS256"))
    assert answer.status_code == (401 if says else 200)
    assert says in answer.text


def test_an_apps_claims_signed_by_another_key_are_refused(hub: Hub, key: RSAPrivateKey) -> None:
    install(hub, key)
    now = int(hub.clock.now().timestamp())
    shown = {"iss": "42", "iat": now - 60, "exp": now + 540}
    other = generate_private_key(public_exponent=65537, key_size=2048)
    assert ask(hub, "GET", "/app", jwt.encode(shown, other, algorithm="RS256")).status_code == 401


@pytest.mark.parametrize(
    ("method", "path", "fields", "status"),
    [
        ("POST", "/check-runs", {"name": "x", "head_sha": "HEAD", "status": "completed"}, 422),
        ("POST", "/check-runs", {"name": "x", "head_sha": "0" * 40}, 422),
        ("POST", "/statuses/HEAD", {"state": "green"}, 422),
        ("POST", "/statuses/HEAD", {"state": "success", "description": "x" * 141}, 422),
        ("POST", "/issues/1/comments", {"body": " "}, 422),
        ("POST", "/issues/9/comments", {"body": "x"}, 404),
        ("GET", "/issues/comments/x", None, 404),
        ("GET", "/nothing", None, 404),
    ],
)
def test_it_refuses_what_github_refuses(
    hub: Hub, repository: Repository, method: str, path: str, fields: Any, status: int
) -> None:
    head = hub.head()
    sent = fields and {name: head if v == "HEAD" else v for name, v in fields.items()}
    path = path.replace("HEAD", head)
    assert ask(hub, method, f"/repos/{NAME}{path}", json=sent).status_code == status


def test_no_token_no_json_and_no_completed_check_without_a_conclusion(
    hub: Hub, repository: Repository
) -> None:
    assert ask(hub, "GET", f"/repos/{NAME}", token="").status_code == 401
    answer = ask(hub, "POST", f"/repos/{NAME}/pulls", data=b"[1]")
    assert (answer.status_code, answer.json()["message"]) == (400, "Problems parsing JSON")


def test_rights_and_visibility_are_the_tokens(hub: Hub) -> None:
    hub.server.world.add_token(workflow("ghs_few", permissions={"checks": "write"}))
    comment = {"body": "x"}
    refused = ask(hub, "POST", f"/repos/{NAME}/issues/1/comments", "ghs_few", json=comment)
    assert refused.status_code == 403
    accepted = refused.headers["X-Accepted-GitHub-Permissions"]
    assert accepted == "issues=write; pull_requests=write"
    assert ask(hub, "GET", f"/repos/{NAME}", "ghs_few").ok
    hub.hosted.private = True
    assert ask(hub, "GET", f"/repos/{NAME}/branches/main", "ghs_few").status_code == 403
    hub.server.world.add_token(personal("ghp_other", repositories=("octo/other",)))
    assert ask(hub, "GET", f"/repos/{NAME}", "ghp_other").status_code == 404


def test_the_hour_begins_anew(start: Start) -> None:
    hub = start(hourly_limit=1)
    hub.server.world.add_token(workflow(WORKFLOW))
    assert ask(hub, "GET", f"/repos/{NAME}").headers["X-RateLimit-Remaining"] == "0"
    over = ask(hub, "GET", f"/repos/{NAME}")
    assert (over.status_code, over.headers["X-RateLimit-Remaining"]) == (403, "0")
    hub.clock.at += timedelta(hours=1)
    assert ask(hub, "GET", f"/repos/{NAME}").ok


def call(query: dict[str, str]) -> Call:
    return Call(
        method="GET", path="/rows", query=query, headers={}, body=b"", base="http://127.0.0.1"
    )


@given(rows=st.integers(0, 700), size=st.integers(1, 150))
def test_following_the_links_gives_every_row_once_and_in_order(rows: int, size: int) -> None:
    got: list[int] = []
    query = {"per_page": str(size)}
    while query:
        answer = paged(call(query), range(rows), lambda row: row)
        assert len(answer.content) <= min(size, 100)
        got += answer.content
        links = requests.utils.parse_header_links(answer.headers.get("Link", ""))
        following = [link["url"] for link in links if link.get("rel") == "next"]
        query = (
            dict(pair.split("=") for pair in following[0].split("?")[1].split("&"))
            if (following)
            else {}
        )
    assert got == list(range(rows))


@given(skip=st.integers(0, 5), times=st.integers(0, 5), calls=st.integers(0, 15))
def test_a_fault_strikes_as_often_as_it_says(skip: int, times: int, calls: int) -> None:
    book = FaultBook()
    book.put(Fault(method="GET", path="rows", skip=skip, times=times, answer=Answer(status=502)))
    struck = [book.next_for(call({})) is not None for _ in range(calls)]
    assert struck == [skip <= number < skip + times for number in range(calls)]
    assert book.next_for(replace(call({}), method="POST")) is None

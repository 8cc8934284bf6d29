"""Refusals, failures and lures: what the adapter says, sends again, and never sends."""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from github_hub import BRANCH, NAME, WORKFLOW, Hub, git

from weighin.gates.errors import GitHubError
from weighin.plugin.github.api import Repository
from weighin.plugin.github.connect import connect_repository
from weighin.plugin.github.credentials import choose_credentials
from weighin.plugin.github.patience import Patience
from weighin.plugin.github.records import Annotation, CheckRun, Conclusion, Status
from weighin.plugin.github.refusals import InDoubt
from weighin.plugin.github.simulator.faults import (
    Fault,
    broken,
    dropped,
    empty_body,
    redirect,
    secondary_limit,
)
from weighin.plugin.github.simulator.people import READ_ONLY, personal, workflow
from weighin.plugin.github.simulator.wire import Answer

Start = Callable[..., Hub]
Write = Callable[[Repository, str], object]

CHECK = CheckRun(
    name="weighin",
    conclusion=Conclusion.SUCCESS,
    title="t",
    summary="s",
    annotations=tuple(
        Annotation(path="weighin.toml", line=line, title="", message="m") for line in (1, 2)
    ),
    external_id="digits/1",
)

WRITES: dict[str, tuple[str, Write]] = {
    "comment": ("/comments", lambda found, _: found.add_comment(1, "sticky")),
    "check": ("/check-runs", lambda found, sha: found.create_check(sha, CHECK)),
    "status": (
        "/statuses/",
        lambda found, sha: found.set_status(
            sha, Status(context="weighin", state="success", description="d")
        ),
    ),
    "pull": (
        "/pulls",
        lambda found, _: found.open_pull(head=BRANCH, base="main", title="t", body="b"),
    ),
}


@pytest.fixture
def ready(hub: Hub) -> Repository:
    """Pull request 1 is open; the branch of the second one has none yet."""
    found = hub.connect()
    git("push", "--quiet", "../models.git", f"{BRANCH}:refs/heads/other", cwd=hub.work)
    found.open_pull(head="other", base="main", title="t", body="b")
    return found


def written(hub: Hub) -> tuple[int, int, int, int]:
    hosted = hub.hosted
    notes = sum(len(row.annotations) for row in hosted.checks.values())
    contexts = len({row.context for row in hosted.statuses})
    return len(hosted.comments), notes, contexts, len(hosted.pulls) - 1


@pytest.mark.parametrize("kind", WRITES)
@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(broken(502, applied=True), id="502-applied"),
        pytest.param(broken(502, applied=False), id="502-not-applied"),
        pytest.param(dropped(applied=True), id="dropped-applied"),
        pytest.param(dropped(applied=False), id="dropped-not-applied"),
        pytest.param(empty_body(201, applied=True), id="empty-applied"),
        pytest.param(secondary_limit(3), id="secondary-limit"),
        pytest.param(secondary_limit(None, status=429), id="secondary-untimed"),
    ],
)
def test_what_is_written_is_there_exactly_once_whatever_happens_on_the_way(
    hub: Hub, ready: Repository, kind: str, fault: Fault
) -> None:
    path, write = WRITES[kind]
    before = written(hub)
    hub.fault(_at(fault, path))
    write(ready, hub.head())
    added = [after - old for after, old in zip(written(hub), before, strict=True)]
    assert (
        added
        == {
            "comment": [1, 0, 0, 0],
            "check": [0, 2, 0, 0],
            "status": [0, 0, 1, 0],
            "pull": [0, 0, 0, 1],
        }[kind]
    )
    assert len(hub.hosted.checks) == (kind == "check")


def _at(fault: Fault, path: str) -> Fault:
    return replace(fault, method="POST", path=path)


def test_an_identical_comment_of_somebody_else_is_not_taken_for_ours(
    hub: Hub, ready: Repository
) -> None:
    hub.server.world.say(hub.hosted, 1, "sticky", login="mallory")
    hub.fault(broken(method="POST", path="/comments"))
    assert ready.add_comment(1, "sticky").author == "github-actions[bot]"


def test_a_write_whose_fate_stays_unknown_says_so(hub: Hub, ready: Repository) -> None:
    hub.fault(broken(method="POST", path="/comments", times=99))
    with pytest.raises(InDoubt, match=r"comment on pull request 1 in octo/models.*Run the same"):
        ready.add_comment(1, "sticky")
    assert hub.hosted.comments == {}


def test_an_update_that_broke_off_does_not_repeat_annotations(hub: Hub, ready: Repository) -> None:
    number = ready.create_check(hub.head(), CHECK)
    more = tuple(
        Annotation(path="weighin.toml", line=line, title="", message="m") for line in range(1, 80)
    )
    hub.fault(broken(method="PATCH", path="/check-runs/", applied=True))
    ready.update_check(number, replace(CHECK, annotations=more))
    (known,) = ready.checks(hub.head())
    assert known.check.annotations == more


@pytest.mark.parametrize("status", [500, 502, 503, 504])
def test_short_failures_of_reading_are_waited_out(hub: Hub, ready: Repository, status: int) -> None:
    hub.fault(broken(status, method="GET", times=3), dropped(method="GET"))
    assert ready.branch("main") is not None
    assert hub.clock.slept == [1.0, 2.0, 4.0, 8.0]


def test_a_limit_is_waited_out_for_as_long_as_it_says(hub: Hub, ready: Repository) -> None:
    hub.fault(secondary_limit(17, method="PATCH"))
    ready.edit_pull(1, title="t", body="b")
    assert hub.clock.slept == [17.0]


def test_the_hourly_limit_is_waited_out_if_it_is_near(start: Start) -> None:
    hub = start(hourly_limit=2)
    found = hub.connect()
    assert found.branch("main") is not None
    hub.clock.at += timedelta(minutes=58)
    assert found.branch("main") is not None
    assert hub.clock.slept == [121.0]


def test_a_limit_beyond_patience_says_when_it_ends(start: Start) -> None:
    hub = start(hourly_limit=1)
    found = hub.connect()
    with pytest.raises(GitHubError, match=r"begins anew at \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC"):
        found.branch("main")
    assert hub.clock.slept == []


def test_patience_has_an_end(hub: Hub) -> None:
    found = hub.connect(patience=Patience(total_s=10.0, attempts=99, answer_s=5.0))
    hub.fault(secondary_limit(4, times=99))
    with pytest.raises(GitHubError, match="asks to wait 4 seconds"):
        found.branch("main")
    assert sum(hub.clock.slept) <= 10.0


def test_a_server_that_does_not_recover_is_named(hub: Hub, ready: Repository) -> None:
    hub.fault(broken(503, times=99))
    with pytest.raises(GitHubError, match="failed to read the branch 'main' in octo/models"):
        ready.branch("main")


def test_a_server_that_thinks_too_long_is_given_up(hub: Hub) -> None:
    found = hub.connect(patience=Patience(attempts=2, answer_s=0.05))
    hub.fault(Fault(delay_s=0.3, times=2))
    with pytest.raises(GitHubError, match="cannot be reached"):
        found.branch("main")


def test_a_server_that_is_not_there_is_named(hub: Hub, ready: Repository) -> None:
    hub.server.close()
    with pytest.raises(GitHubError, match=r"127\.0\.0\.1:\d+ cannot be reached") as refused:
        ready.add_comment(1, "x")
    assert not isinstance(refused.value, InDoubt)


@pytest.mark.parametrize(
    ("kind", "permission"),
    [
        ("comment", "'issues: write' or 'pull-requests: write'"),
        ("check", "checks: write"),
        ("status", "statuses: write"),
        ("pull", "pull-requests: write"),
    ],
)
def test_a_token_without_a_right_is_told_which_it_lacks(
    hub: Hub, ready: Repository, kind: str, permission: str
) -> None:
    reader = hub.connect(workflow("ghs_reader", permissions=READ_ONLY))
    asked = len(hub.sent("POST"))
    with pytest.raises(GitHubError, match=permission) as refused:
        WRITES[kind][1](reader, hub.head())
    assert "from a fork never gets it" in str(refused.value)
    assert len(hub.sent("POST")) == asked + 1


def test_an_expired_token_is_told_from_a_missing_right(hub: Hub) -> None:
    ends = hub.clock.now() + timedelta(hours=1)
    found = hub.connect(workflow("ghs_short", expires_at=ends))
    hub.clock.at = ends
    with pytest.raises(GitHubError, match=r"does not accept the token in GITHUB_TOKEN.*expired"):
        found.branch("main")


@pytest.mark.parametrize(
    ("name", "token"),
    [
        pytest.param("octo/nothing", workflow(WORKFLOW), id="not-there"),
        pytest.param(NAME, personal("ghp_x", repositories=("octo/other",)), id="not-visible"),
    ],
)
def test_a_repository_that_is_not_there_or_not_visible(hub: Hub, name: str, token: Any) -> None:
    with pytest.raises(GitHubError, match=rf"read the repository {name}.*may not see it"):
        hub.connect(token, name=name)


@pytest.mark.parametrize(
    "name", ["octo", "octo/models/x", "../models", "octo/..", "octo/mo dels", "o/m\n", "ö/m"]
)
def test_a_name_that_is_none_is_sent_nowhere(hub: Hub, name: str) -> None:
    with pytest.raises(GitHubError, match="write OWNER/NAME"):
        hub.connect(name=name)
    assert hub.exchanges == []


@pytest.mark.parametrize("name", ["", ".", ".."])
def test_no_name_leads_up_to_another_address(hub: Hub, ready: Repository, name: str) -> None:
    asked = len(hub.exchanges)
    with pytest.raises(GitHubError, match="cannot be asked"):
        ready.branch(name)
    assert len(hub.exchanges) == asked


@pytest.mark.parametrize(
    ("head", "base", "says"),
    [
        pytest.param("other", "main", "already exists for octo:other", id="twice"),
        pytest.param("main", "main", "No commits between main and main", id="nothing-new"),
        pytest.param(BRANCH, "nowhere", "base is invalid", id="no-base"),
        pytest.param("nowhere", "main", "head is invalid", id="no-head"),
    ],
)
def test_a_refused_pull_request_gives_githubs_reason(
    ready: Repository, head: str, base: str, says: str
) -> None:
    with pytest.raises(GitHubError, match=says):
        ready.open_pull(head=head, base=base, title="t", body="")


def test_a_closed_pull_request_whose_branch_is_gone_stays_closed(
    hub: Hub, ready: Repository
) -> None:
    hub.hosted.pulls[1].state = "closed"
    git("push", "--quiet", "--delete", "../models.git", "other", cwd=hub.work)
    with pytest.raises(GitHubError, match="The other branch has been deleted"):
        ready.reopen_pull(1)


def test_a_merged_pull_request_stays_closed(hub: Hub, ready: Repository) -> None:
    hub.server.merge(hub.hosted, 1)
    pull = ready.pull(1)
    assert pull is not None
    assert pull.merged
    with pytest.raises(GitHubError, match="The pull request was merged"):
        ready.reopen_pull(1)


def test_a_comment_that_is_too_long_is_refused_with_the_reason(ready: Repository) -> None:
    with pytest.raises(GitHubError, match="maximum is 65536 characters"):
        ready.add_comment(1, "x" * 70_000)


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda found: found.branch("main"), id="branch"),
        pytest.param(lambda found: found.pull(1), id="pull"),
        pytest.param(lambda found: list(found.comments(1)), id="comments"),
        pytest.param(lambda found: found.checks("main"), id="checks"),
        pytest.param(lambda found: found.edit_pull(1, title="t", body="b"), id="edit"),
        pytest.param(lambda found: found.file_at("weighin.toml", "main"), id="file"),
    ],
)
@pytest.mark.parametrize(
    "body",
    [
        pytest.param(None, id="empty"),
        pytest.param(b"<html>", id="page"),
        pytest.param(b'{"type": "file", "check_runs": [{"id": 1}]}', id="other-object"),
        pytest.param(b"7", id="number"),
    ],
)
def test_a_success_without_content_is_no_success(
    hub: Hub, ready: Repository, call: Callable[[Repository], object], body: bytes | None
) -> None:
    hub.fault(Fault(answer=Answer(raw=body), times=9))
    with pytest.raises(GitHubError, match="nothing that can be read"):
        call(ready)


def test_not_modified_is_not_an_empty_list(hub: Hub, ready: Repository) -> None:
    hub.fault(Fault(answer=Answer(status=304), path="/comments"))
    with pytest.raises(GitHubError, match="status 304"):
        list(ready.comments(1))


@pytest.fixture
def other_host() -> Iterator[tuple[str, list[str]]]:
    """A server that is not GitHub, and what it was asked."""
    heard: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            heard.append(f"{self.command} {self.path} {self.headers}")
            self.send_response(200)
            self.send_header("Content-Length", "2")
            self.end_headers()
            self.wfile.write(b"[]")

        do_POST = do_PATCH = do_GET  # noqa: N815 - http.server's names

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", heard
    server.shutdown()
    server.server_close()
    thread.join()


def test_a_next_page_on_another_host_is_not_fetched(
    hub: Hub, ready: Repository, other_host: tuple[str, list[str]]
) -> None:
    url, heard = other_host
    link = {"Link": f'<{url}/repos/octo/models/issues/1/comments?page=2>; rel="next"'}
    hub.fault(Fault(answer=Answer(content=[], headers=link), path="/comments"))
    with pytest.raises(GitHubError, match="from elsewhere"):
        list(ready.comments(1))
    assert heard == []


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("kind", ["read", "comment", "edit"])
def test_no_redirect_takes_anything_to_another_host(
    hub: Hub,
    ready: Repository,
    other_host: tuple[str, list[str]],
    status: int,
    kind: str,
) -> None:
    url, heard = other_host
    calls: dict[str, Callable[[], object]] = {
        "read": lambda: ready.pull(1),
        "comment": lambda: ready.add_comment(1, "x"),
        "edit": lambda: ready.edit_pull(1, title="t", body="b"),
    }
    hub.fault(redirect(f"{url}/x", status=status))
    with pytest.raises(GitHubError, match="from elsewhere"):
        calls[kind]()
    assert heard == []


@pytest.mark.parametrize("status", [301, 302, 303])
def test_a_redirected_write_is_not_turned_into_a_read(
    hub: Hub, ready: Repository, status: int
) -> None:
    here = f"{hub.server.url}/repos/{NAME}/pulls/1"
    hub.fault(redirect(here, status=status, method="POST"))
    with pytest.raises(GitHubError, match="use its new name"):
        ready.add_comment(1, "x")


@pytest.mark.parametrize(
    "api",
    [
        pytest.param("http://github.example/api/v3", id="unencrypted"),
        pytest.param("https://u:p@api.github.com", id="password"),
        pytest.param("https://api.github.com/?x=", id="query"),
        pytest.param("ftp://api.github.com", id="other-protocol"),
        pytest.param("https://[::1", id="no-address"),
        pytest.param("https://", id="no-host"),
        pytest.param("https://api.github.com:port", id="no-port"),
    ],
)
def test_an_address_that_would_betray_the_token_is_refused(api: str) -> None:
    credentials = choose_credentials({"WEIGHIN_GITHUB_TOKEN": WORKFLOW}, api)
    with pytest.raises(GitHubError) as refused:
        connect_repository(NAME, api, credentials)
    assert "u:p" not in str(refused.value)


def test_githubs_words_cannot_forge_lines_in_a_message(hub: Hub, ready: Repository) -> None:
    said = {"message": "no\n\x1b[2J::error::forged", "errors": [{"message": "a\r\nb"}]}
    hub.fault(Fault(answer=Answer(status=422, content=said)))
    with pytest.raises(GitHubError) as refused:
        ready.edit_pull(1, title="t", body="b")
    assert str(refused.value).isprintable()


def test_no_error_ever_shows_the_token(hub: Hub, ready: Repository) -> None:
    statuses = [401, 403, 404, 405, 409, 410, 418, 422, 451, 500]
    for status in statuses:
        hub.fault(Fault(answer=Answer(status=status, content={"message": "m"}), times=6))
        with pytest.raises(GitHubError) as refused:
            ready.edit_pull(1, title="t", body="b")
        assert WORKFLOW not in f"{refused.value!r}{refused.value.__cause__!r}"
        hub.server.world.faults.clear()

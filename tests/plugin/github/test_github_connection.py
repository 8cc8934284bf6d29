"""The adapter against a simulated GitHub that answers as it should."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from github_hub import BRANCH, NAME, PERSONAL, WORKFLOW, Hub, git, install, pem

from weighin.gates.errors import GitHubError
from weighin.plugin.github.api import Repository
from weighin.plugin.github.connect import connect_repository
from weighin.plugin.github.credentials import choose_credentials
from weighin.plugin.github.records import Annotation, CheckRun, Conclusion, Status

Start = Callable[..., Hub]

CHECK = CheckRun(
    name="weighin / digits / pixel-4",
    conclusion=Conclusion.FAILURE,
    title="latency",
    summary="Too **slow**.",
    external_id="digits/1/pixel-4",
)


def annotations(count: int) -> tuple[Annotation, ...]:
    return tuple(
        Annotation(path="weighin.toml", line=line, title="budget", message=f"line {line}")
        for line in range(1, count + 1)
    )


def test_a_repository_is_named_as_github_spells_it(hub: Hub) -> None:
    found = hub.connect(name="Octo/MODELS")
    assert (found.full_name, found.default_branch()) == (NAME, "main")


def test_a_renamed_repository_is_followed_to_its_new_name(hub: Hub) -> None:
    hub.hosted.old_names = ("octo/nets",)
    found = hub.connect(name="octo/nets")
    assert found.full_name == NAME
    assert found.branch("main") is not None


def test_branches_with_slashes_are_found_and_missing_ones_are_not(repository: Repository) -> None:
    branch = repository.branch(BRANCH)
    assert branch is not None
    assert (branch.name, branch.protected) == (BRANCH, False)
    assert repository.branch("weighin/digits") is None


def test_files_come_back_byte_for_byte(hub: Hub, repository: Repository) -> None:
    assert repository.file_at("models a/x#1?.dvc", "main") == b"outs: \xff\n"
    assert repository.file_at("digits.tflite.dvc", hub.head()) == b"outs: []\n"
    assert repository.file_at("digits.tflite.dvc", "main") is None
    assert repository.file_at("models a", "main") is None
    assert repository.file_at("weighin.toml", "0" * 40) is None


def test_a_file_over_a_megabyte_comes_by_its_blob(hub: Hub, repository: Repository) -> None:
    big = bytes(range(256)) * 5000
    (hub.work / "big.bin").write_bytes(big)
    git("add", ".", cwd=hub.work)
    git("commit", "--quiet", "-m", "big", cwd=hub.work)
    git("push", "--quiet", "../models.git", BRANCH, cwd=hub.work)
    assert repository.file_at("big.bin", hub.head()) == big


def test_a_pull_request_is_opened_changed_closed_and_reopened(
    hub: Hub, repository: Repository
) -> None:
    opened = repository.pull(1)
    assert opened is not None
    assert (opened.state, opened.merged, opened.head_branch) == ("open", False, BRANCH)
    assert (opened.head_sha, opened.base_sha) == (hub.head(), hub.head("main"))
    assert not opened.from_fork(NAME)
    edited = repository.edit_pull(1, title="digits 1 | <b>", body="new")
    assert (edited.title, edited.body) == ("digits 1 | <b>", "new")
    hub.hosted.pulls[1].state = "closed"
    assert [pull.state for pull in repository.pulls_of(BRANCH)] == ["closed"]
    assert repository.reopen_pull(1).state == "open"
    assert repository.pull(99) is None


def test_pull_requests_of_other_branches_and_forks_are_not_ours(
    hub: Hub, repository: Repository
) -> None:
    hub.server.world.host("mallory/models", hub.hosted.git.path, fork_of=NAME)
    fork = replace_head(hub, 2, "mallory/models", BRANCH)
    replace_head(hub, 3, NAME, "main")
    assert [pull.number for pull in repository.pulls_of(BRANCH)] == [1]
    stranger = repository.pull(fork)
    assert stranger is not None
    assert stranger.from_fork(NAME)


def replace_head(hub: Hub, number: int, full_name: str, branch: str) -> int:
    source = hub.server.world.find(full_name)
    row = replace(hub.hosted.pulls[1], number=number, head_repository=source, head_branch=branch)
    hub.hosted.pulls[number] = row
    return number


def test_a_pull_request_whose_fork_was_deleted_is_still_a_strangers(
    hub: Hub, repository: Repository
) -> None:
    hub.hosted.pulls[1].head_repository = None
    pull = repository.pull(1)
    assert pull is not None
    assert pull.head_repository == ""
    assert pull.from_fork(NAME)


def test_comments_are_added_changed_and_removed(hub: Hub, repository: Repository) -> None:
    added = repository.add_comment(1, "| a |\n<script>` \u202e🎉")
    assert (added.author, added.edited) == ("github-actions[bot]", False)
    hub.clock.sleep(5)
    edited = repository.edit_comment(added.id, "new")
    assert edited is not None
    assert edited.edited
    assert [comment.body for comment in repository.comments(1)] == ["new"]
    repository.delete_comment(added.id)
    assert list(repository.comments(1)) == []


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("<script>alert('x')</script> & <!-- weighin -->", id="markup"),
        pytest.param("a | b `c` ``` *d* [e](javascript:f)", id="markdown"),
        pytest.param("\u202ekcab \u05e9\u05dc\u05d5\u05dd \U0001f389\u200d", id="right-to-left"),
        pytest.param('one\r\ntwo\ttab \\ "quoted"', id="line-ends"),
        pytest.param('{"body": null}', id="json"),
    ],
)
def test_any_text_is_read_as_it_was_written(hub: Hub, repository: Repository, text: str) -> None:
    repository.add_comment(1, text)
    assert [comment.body for comment in repository.comments(1)] == [text]
    edited = repository.edit_pull(1, title=text, body=text)
    assert (edited.title, edited.body) == (text, text)
    check = replace(
        CHECK,
        title=text,
        summary=text,
        annotations=(Annotation(path="a b#.toml", line=1, title=text, message=text),),
    )
    repository.create_check(hub.head(), check)
    assert [known.check for known in repository.checks(hub.head())] == [check]
    status = Status(context=text, state="failure", description=text)
    repository.set_status(hub.head(), status)
    assert list(repository.statuses(hub.head())) == [status]


def test_a_comment_that_is_gone_is_none_and_its_removal_no_error(repository: Repository) -> None:
    gone = repository.add_comment(1, "sticky")
    repository.delete_comment(gone.id)
    assert repository.edit_comment(gone.id, "again") is None
    repository.delete_comment(gone.id)


def test_a_comment_of_a_deleted_account_is_readable(hub: Hub, repository: Repository) -> None:
    hub.server.world.say(hub.hosted, 1, "I was here", login=None)
    assert [comment.author for comment in repository.comments(1)] == ["ghost"]


def test_three_thousand_comments_are_read_only_as_far_as_needed(
    hub: Hub, repository: Repository
) -> None:
    for number in range(3000):
        hub.server.world.say(hub.hosted, 1, f"comment {number}", login="octocat")
    asked = len(hub.exchanges)
    found = next(row for row in repository.comments(1) if row.body == "comment 150")
    assert found.author == "octocat"
    assert len(hub.exchanges) - asked == 2
    assert [row.body for row in repository.comments(1)][-1] == "comment 2999"
    assert len(hub.exchanges) - asked == 2 + 30


@pytest.mark.parametrize("count", [0, 1, 50, 51, 120])
def test_every_annotation_arrives_once_however_many(
    hub: Hub, repository: Repository, count: int
) -> None:
    check = replace(CHECK, annotations=annotations(count))
    number = repository.create_check(hub.head(), check)
    assert [known.check for known in repository.checks(hub.head())] == [check]
    repository.update_check(number, replace(check, title="again"))
    (known,) = repository.checks(hub.head())
    assert known.check.annotations == check.annotations
    assert (known.id, known.check.title) == (number, "again")


def test_only_the_newest_check_run_of_a_name_counts(hub: Hub, repository: Repository) -> None:
    first = repository.create_check(hub.head(), CHECK)
    second = repository.create_check(hub.head(), replace(CHECK, conclusion=Conclusion.SUCCESS))
    (known,) = repository.checks(hub.head())
    assert first != known.id == second
    assert known.check.conclusion is Conclusion.SUCCESS


def test_check_runs_of_other_apps_are_not_ours(hub: Hub, repository: Repository) -> None:
    repository.create_check(hub.head(), CHECK)
    row = next(iter(hub.hosted.checks.values()))
    row.author = replace(row.author, app_id=7, app_slug="somebody-else")
    assert repository.checks(hub.head()) == []


def test_a_person_writes_statuses_and_is_told_so_before_a_check_is_sent(
    hub: Hub, as_person: Repository
) -> None:
    assert (as_person.writes_checks, as_person.login) == (False, "octocat")
    with pytest.raises(GitHubError, match="write a commit status"):
        as_person.create_check(hub.head(), CHECK)
    assert hub.sent("POST") == []
    green = Status(context="weighin", state="success", description="all", url="https://x.test/1")
    as_person.set_status(hub.head(), replace(green, state="pending"))
    as_person.set_status(hub.head(), green)
    as_person.set_status(hub.head(), replace(green, context="weighin / digits"))
    assert list(as_person.statuses(hub.head())) == [
        green,
        replace(green, context="weighin / digits"),
    ]


def test_a_long_status_is_cut_to_what_github_takes(hub: Hub, as_person: Repository) -> None:
    as_person.set_status(hub.head(), Status(context="c", state="error", description="é" * 500))
    (status,) = as_person.statuses(hub.head())
    assert len(status.description) == 140


def connect_app(hub: Hub, **environment: str) -> Repository:
    credentials = choose_credentials({"WEIGHIN_GITHUB_APP_ID": "42", **environment}, hub.server.url)
    return connect_repository(NAME, hub.server.url, credentials, clock=hub.clock)


@pytest.mark.parametrize("form", ["text", "one-line", "file"])
def test_an_app_finds_its_installation_and_writes_checks_as_itself(
    hub: Hub, key: RSAPrivateKey, tmp_path: Path, form: str
) -> None:
    install(hub, key)
    path = tmp_path / "app.pem"
    path.write_text(pem(key))
    given = {"text": pem(key), "one-line": pem(key).replace("\n", "\\n"), "file": str(path)}
    found = connect_app(hub, WEIGHIN_GITHUB_APP_KEY=given[form])
    assert (found.login, found.writes_checks) == ("weighin[bot]", True)
    number = found.create_check(hub.head(), CHECK)
    assert [known.id for known in found.checks(hub.head())] == [number]


def test_an_apps_token_is_renewed_before_it_ends(hub: Hub, key: RSAPrivateKey) -> None:
    install(hub, key)
    found = connect_app(
        hub, WEIGHIN_GITHUB_APP_KEY=pem(key), WEIGHIN_GITHUB_APP_INSTALLATION_ID="7"
    )
    for minutes in (0, 54, 2, 120):
        hub.clock.at += timedelta(minutes=minutes)
        assert found.branch("main") is not None
    assert len(hub.sent("POST", "/access_tokens")) == 3
    assert hub.sent("GET", "/installation") == []


@pytest.mark.parametrize(
    ("given", "says"),
    [
        pytest.param("-----BEGIN RSA PRIVATE KEY-----\nAAAA", "no RSA private key", id="broken"),
        pytest.param("/nowhere/app.pem", "neither a key", id="no-file"),
        pytest.param("MIIEmangled" * 400, "neither a key", id="mangled"),
    ],
)
def test_a_key_that_is_none_is_named_but_not_shown(hub: Hub, given: str, says: str) -> None:
    with pytest.raises(GitHubError, match=says) as refused:
        connect_app(hub, WEIGHIN_GITHUB_APP_KEY=given)
    assert given not in str(refused.value)
    assert hub.exchanges == []


def test_an_app_that_is_not_installed_there_is_told_so(hub: Hub, key: RSAPrivateKey) -> None:
    install(hub, key, ("octo/other",))
    with pytest.raises(GitHubError, match="find the App's installation on octo/models"):
        connect_app(hub, WEIGHIN_GITHUB_APP_KEY=pem(key))


def test_enterprise_is_the_same_below_another_address(start: Start) -> None:
    hub = start(prefix="/api/v3")
    assert hub.server.url.endswith("/api/v3")
    found = hub.connect()
    pull = found.open_pull(head=BRANCH, base="main", title="t", body="")
    assert "/api/v3" not in pull.url
    assert found.pull(pull.number) == pull


def test_tokens_are_in_no_repr_of_a_connection(hub: Hub, repository: Repository) -> None:
    assert WORKFLOW not in repr(repository)
    assert PERSONAL not in repr(hub.connect())

"""Fetching a bundle: from the run's own artifact, for the pull request that GitHub names."""

import json
import sys
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from weighin.gates.errors import ConfigError, EvidenceError, GitHubError
from weighin.plugin.bundle import read_bundle
from weighin.plugin.bundle_fetch import RestApi, packed_bundle, pull_of, run_of
from weighin.plugin.cli import main

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))
from artifact_host import artifact_host, one_run

if TYPE_CHECKING:
    from artifact_host import ArtifactHost

SHA = "ab" * 20
TOKEN = "canary-token"  # noqa: S105 - of nothing
PULLS = "/repos/octo/models/pulls"
ARTIFACTS = "/repos/octo/models/actions/runs/99/artifacts"


@pytest.fixture
def host() -> "Iterator[ArtifactHost]":
    with artifact_host() as running:
        yield running


def api(host: "ArtifactHost") -> RestApi:
    return RestApi(host.address, TOKEN)


def zipped(name: str = "weigh-in-0/report.json", content: str = "{}") -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def test_a_forks_pull_request_is_found_by_its_branch_and_commit(host: "ArtifactHost") -> None:
    run = run_of(one_run(host, SHA, branch="a&head=octo:main"))
    assert pull_of(run, "octo/models", api(host)) == 7
    assert "head=mallory%3Aa%26head%3Docto%3Amain&" in host.asked[0][0]


@pytest.mark.parametrize("change", ["other-commit", "other-fork", "no-fork", "push", "none-open"])
def test_a_run_that_is_not_at_the_tip_of_an_open_pull_request_has_none(
    host: "ArtifactHost", change: str
) -> None:
    event = one_run(host, SHA)
    head = host.answers[PULLS][0]["head"]
    match change:
        case "other-commit":
            head["sha"] = "cd" * 20
        case "other-fork":
            head["repo"] = {"full_name": "eve/models", "owner": {"login": "eve"}}
        case "no-fork":
            head["repo"] = None
        case "push":
            event["workflow_run"]["event"] = "push"
        case _:
            host.answers[PULLS] = []
    assert pull_of(run_of(event), "octo/models", api(host)) is None


def test_a_run_whose_fork_is_gone_has_no_pull_request(host: "ArtifactHost") -> None:
    event = one_run(host, SHA)
    event["workflow_run"]["head_repository"] = None
    assert pull_of(run_of(event), "octo/models", api(host)) is None
    assert host.asked == []


def test_the_token_does_not_follow_the_download_to_another_host(host: "ArtifactHost") -> None:
    host.packed = b"zip"
    assert packed_bundle(run_of(one_run(host, SHA)), "octo/models", api(host), 10) == b"zip"
    assert {header for _, header in host.asked} == {f"Bearer {TOKEN}"}
    assert host.store_saw == [None]


def test_a_larger_artifact_is_not_fetched_whole(host: "ArtifactHost") -> None:
    host.packed = b"x" * 11
    with pytest.raises(EvidenceError, match="larger than 10 bytes"):
        packed_bundle(run_of(one_run(host, SHA)), "octo/models", api(host), 10)


@pytest.mark.parametrize("store", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_download_that_leads_elsewhere_than_the_web_is_refused(
    host: "ArtifactHost", store: str
) -> None:
    run = run_of(one_run(host, SHA))
    host.store = store
    with pytest.raises(GitHubError, match="not https"):
        packed_bundle(run, "octo/models", api(host), 10)


def test_a_download_that_leads_round_in_circles_is_refused(host: "ArtifactHost") -> None:
    run = run_of(one_run(host, SHA))
    host.store = f"{host.address}/again/zip"
    with pytest.raises(GitHubError, match="from one address to the next"):
        packed_bundle(run, "octo/models", api(host), 10)


@pytest.mark.parametrize("listed", [[], [{"id": 5, "expired": True}]], ids=["none", "expired"])
def test_a_run_without_an_artifact_has_no_bundle(host: "ArtifactHost", listed: list[Any]) -> None:
    run = run_of(one_run(host, SHA))
    host.answers[ARTIFACTS] = {"artifacts": listed}
    assert packed_bundle(run, "octo/models", api(host), 10) is None


def test_a_refusal_says_which_permission_is_needed_and_not_the_token(host: "ArtifactHost") -> None:
    run = run_of(one_run(host, SHA))
    del host.answers[ARTIFACTS]
    with pytest.raises(GitHubError, match="HTTP 404; the job needs `actions: read`") as refused:
        packed_bundle(run, "octo/models", api(host), 10)
    assert TOKEN not in str(refused.value)


def test_a_server_that_is_away_is_told() -> None:
    with pytest.raises(GitHubError, match="no answer"):
        RestApi("http://127.0.0.1:9", TOKEN).ask("/x", {})


@pytest.mark.parametrize("answer", [{"a": 1}, [3], [{"number": "7"}]], ids=str)
def test_an_answer_of_another_shape_is_told(host: "ArtifactHost", answer: Any) -> None:
    run = run_of(one_run(host, SHA))
    host.answers[PULLS] = answer
    with pytest.raises(GitHubError, match="cannot be read"):
        pull_of(run, "octo/models", api(host))


@pytest.mark.parametrize("event", [None, {}, {"workflow_run": {"id": "1"}}], ids=str)
def test_another_event_is_told(event: Any) -> None:
    with pytest.raises(GitHubError, match="no finished workflow run"):
        run_of(event)


@pytest.fixture
def job(host: "ArtifactHost", tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    event = one_run(host, SHA)
    (tmp_path / "event.json").write_text(json.dumps(event))
    for name, value in {
        "GITHUB_EVENT_PATH": str(tmp_path / "event.json"),
        "GITHUB_API_URL": host.address,
        "GITHUB_REPOSITORY": "octo/models",
        "GITHUB_TOKEN": TOKEN,
    }.items():
        monkeypatch.setenv(name, value)
    (tmp_path / "weighin.toml").write_text("")
    monkeypatch.chdir(tmp_path)
    return tmp_path / "out"


def test_the_command_leaves_a_clean_folder_and_says_which_pull_request(
    host: "ArtifactHost", job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.packed = zipped()
    assert main(["bundle", "fetch", str(job)]) == 0
    assert capsys.readouterr().out == f"7 {SHA}\n"
    assert len(read_bundle(job)) == 1
    assert sorted(path.name for path in job.parent.iterdir()) == [
        "event.json", "out", "weighin.toml",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "hostile",
    [b"no zip", zipped("../../x"), zipped(content="[" * 99)],
    ids=["junk", "slip", "deep"],
)
def test_a_hostile_bundle_is_told_and_counts_as_empty(
    host: "ArtifactHost", job: Path, capsys: pytest.CaptureFixture[str], hostile: bytes
) -> None:
    host.packed = hostile
    assert main(["bundle", "fetch", str(job)]) == 0
    said = capsys.readouterr()
    assert said.out == f"7 {SHA}\n"
    assert "the run's bundle is refused" in said.err
    assert read_bundle(job) == ()


def test_a_branch_that_moved_on_has_nothing_to_report(
    host: "ArtifactHost", job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.answers[PULLS] = []
    assert main(["bundle", "fetch", str(job)]) == 0
    assert capsys.readouterr().out == ""
    assert not job.exists()


def test_outside_of_a_workflow_the_command_says_what_is_missing(
    job: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    assert main(["bundle", "fetch", str(job)]) == ConfigError.exit_code
    assert "needs GITHUB_TOKEN" in capsys.readouterr().err


def committed(root: Path, model: str, version: int) -> str:
    folder = root / "variants" / model / f"v{version}" / "weigh-in"
    folder.mkdir(parents=True)
    report = json.dumps({"model": model, "version": str(version)})
    (folder / "report.json").write_text(report)
    return report


def zip_of(*reports: str) -> bytes:
    file = BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for number, report in enumerate(reports):
            archive.writestr(f"weigh-in-{number}/report.json", report)
    return file.getvalue()


def test_what_the_base_has_already_is_not_reported_again(host: "ArtifactHost", job: Path) -> None:
    old = committed(job.parent, "digits", 1)
    fresh = json.dumps({"model": "digits", "version": "2"})
    host.packed = zip_of(old, fresh)
    assert main(["bundle", "fetch", str(job), "--json"]) == 0
    assert [one.report.decode() for one in read_bundle(job)] == [fresh]


def test_with_nothing_new_the_newest_of_each_model_shows_what_changes(
    host: "ArtifactHost", job: Path
) -> None:
    kept = [committed(job.parent, *one) for one in (("digits", 2), ("digits", 10), ("cats", 1))]
    host.packed = zip_of(*kept)
    assert main(["bundle", "fetch", str(job)]) == 0
    assert [one.report.decode() for one in read_bundle(job)] == kept[1:]


def test_a_flood_of_weigh_ins_is_cut_off(
    host: "ArtifactHost", job: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    host.packed = zip_of(*(json.dumps({"model": f"m{n}", "version": "1"}) for n in range(25)))
    assert main(["bundle", "fetch", str(job)]) == 0
    assert len(read_bundle(job)) == 20
    assert "5 more weigh-ins in the bundle are left out" in capsys.readouterr().err

"""Whole reviews against the simulated GitHub and a real bare repository."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from review_home import Home
from review_samples import EVIL, LATENCY_LINE, TOML, make_weigh_in
from review_stage import PERSON, READER, WORKFLOW, Stage, staged

from weighin.gates.errors import GitHubError, StoreError, WeighinError
from weighin.gates.report.markdown import marker
from weighin.plugin.github.records import Conclusion
from weighin.plugin.review.desk import Reviewed
from weighin.plugin.review.names import branch_name

FATES = {"host": "pass", "pixel-4": "fail"}


@pytest.fixture
def stage(home: Home) -> Iterator[Stage]:
    with staged(home) as made:
        yield made


def test_a_review_opens_one_pull_request_with_one_comment_and_its_checks(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    done = stage.review()
    assert (done.state, done.conclusion, done.exit_code) == ("open", Conclusion.SUCCESS, 0)
    (pull,) = stage.hosted.pulls.values()
    assert pull.title == "digits v3: passed on 1 of 2 devices"
    assert (pull.head_branch, pull.base_branch) == ("weighin/digits/v3", "main")
    (comment,) = stage.comments()
    assert comment.startswith(marker("digits"))
    checks = {row.facts["name"]: row for row in stage.hosted.checks.values()}
    assert {name: row.facts["conclusion"] for name, row in checks.items()} == {
        "weighin / digits / host": "success",
        "weighin / digits / pixel-4": "failure",
        "weighin / digits": "success",
        "weighin": "success",
    }
    assert {row.sha for row in checks.values()} == {done.commit}
    (remark,) = checks["weighin / digits / pixel-4"].annotations
    assert (remark["path"], remark["start_line"]) == ("weighin.toml", LATENCY_LINE)


def test_again_writes_nothing(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    first = stage.review()
    again: list[Reviewed] = []
    assert stage.writes(lambda: again.append(stage.review())) == []
    assert again[0].done == ()
    assert replace(again[0], done=first.done) == first


def test_new_numbers_edit_what_is_there(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    first = stage.review()
    stage.home.keep(replace(make_weigh_in({"host": "fail", "pixel-4": "fail"}), version="3"))
    second = stage.review()
    assert second.pull == first.pull
    assert second.commit != first.commit
    assert second.exit_code == 3
    assert len(stage.comments()) == 1
    assert stage.check("weighin", second.commit) == "failure"
    assert stage.hosted.pulls[1].title == "digits v3: nothing passed"


def test_a_dry_run_says_what_it_would_do_and_does_nothing(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    told: list[Reviewed] = []
    assert stage.writes(lambda: told.append(stage.review(dry_run=True))) == []
    assert len(told[0].done) == 7
    assert stage.home.server("branch", "--list", "weighin/*") == ""


def test_a_deleted_comment_is_written_anew(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    stage.hosted.comments.clear()
    assert stage.review().done[0].startswith("write the comment")
    assert len(stage.comments()) == 1


def test_among_3000_comments_ours_is_found_and_a_strangers_copy_is_not(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    (text,) = stage.comments()
    for number in range(3000):
        body = text if number % 1000 == 7 else f"me too {number}"
        stage.hub.world.say(stage.hosted, 1, body, login="mallory")
    stage.home.keep(make_weigh_in({"host": "fail", "pixel-4": "fail"}))
    stage.review()
    assert len(stage.comments()) == 3001
    ours = [row for row in stage.hosted.comments.values() if row.author == "github-actions[bot]"]
    assert len(ours) == 1
    assert "may not ship" in ours[0].body


def test_second_comments_of_ours_are_removed(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    (text,) = stage.comments()
    stage.hub.world.say(stage.hosted, 1, text, login="github-actions[bot]")
    stage.review()
    assert len(stage.comments()) == 1


def test_what_somebody_closed_stays_closed_until_asked_for(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    stage.hosted.pulls[1].state = "closed"
    left: list[Reviewed] = []
    assert stage.writes(lambda: left.append(stage.review())) == []
    assert (left[0].state, left[0].exit_code) == ("closed", 3)
    assert "--reopen" in left[0].notes[0]
    again = stage.review(reopen=True)
    assert (again.state, again.pull) == ("open", 1)
    assert stage.hosted.pulls[1].state == "open"


def test_what_was_merged_is_left_alone(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    stage.hub.merge(stage.hosted, 1)
    left: list[Reviewed] = []
    assert stage.writes(lambda: left.append(stage.review())) == []
    assert (left[0].state, left[0].exit_code) == ("merged", 0)
    merged = stage.home.server("ls-tree", "-r", "--name-only", "main")
    assert "variants/digits/v3/weigh-in/report.json" in merged


def test_a_merged_version_that_was_weighed_again_gets_a_new_pull_request_if_asked_for(
    stage: Stage,
) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    stage.hub.merge(stage.hosted, 1)
    assert stage.writes(lambda: stage.review(renew=True)) == []
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    assert "--renew" in stage.review().notes[0]
    renewed = stage.review(renew=True)
    assert (renewed.state, renewed.pull) == ("open", 2)
    assert stage.writes(lambda: stage.review(renew=True)) == []


def test_a_branch_that_somebody_forced_back_is_made_again(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    first = stage.review()
    stage.home.keep(make_weigh_in({"host": "fail", "pixel-4": "fail"}))
    second = stage.review()
    stage.home.server("update-ref", "refs/heads/weighin/digits/v3", first.commit)
    third = stage.review()
    assert (third.commit, third.pull) == (second.commit, first.pull)
    assert stage.home.server("rev-parse", "weighin/digits/v3") == second.commit


def test_a_base_that_changed_the_same_files_is_merged_into_the_branch(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    home = stage.home
    (home.root / "dvc.yaml").write_text("artifacts:\n  other: {path: other.bin}\n")
    home.git("add", "-f", "dvc.yaml")
    home.git("commit", "-q", "-m", "another model", "--", "dvc.yaml")
    home.git("push", "-q", "origin", "HEAD:main")
    second = stage.review()
    assert home.server("merge-tree", "--write-tree", second.commit, "main")
    assert "other.bin" in home.server("show", f"{second.commit}:dvc.yaml")


def test_a_person_goes_on_in_the_comment_that_a_workflow_wrote(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    stage.home.keep(make_weigh_in({"host": "fail", "pixel-4": "fail"}))
    stage.review(token=PERSON)
    (comment,) = stage.comments()
    assert "may not ship" in comment
    assert not [call for call in stage.writes(stage.review) if "comments" in call]


def test_a_personal_token_writes_statuses_once(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    done = stage.review(token=PERSON)
    states = {row.context: row.state for row in stage.hosted.statuses}
    assert states["weighin"] == "success"
    assert states["weighin / digits / pixel-4"] == "failure"
    assert stage.hosted.checks == {}
    assert stage.writes(lambda: stage.review(token=PERSON)) == []
    assert done.conclusion is Conclusion.SUCCESS


def test_a_token_without_rights_says_what_it_lacks_and_is_not_shown(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    with pytest.raises(GitHubError) as caught:
        stage.review(token=READER)
    assert "pull-requests: write" in str(caught.value)
    assert READER not in str(caught.value)


def test_a_protected_branch_is_said_in_gits_words(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.hosted.protect("weighin/digits/v3")
    with pytest.raises(StoreError, match="GH006: Protected branch update failed"):
        stage.review()
    assert stage.hosted.pulls == {}


@pytest.mark.parametrize("model", [EVIL.replace("/", "!"), "a|`rm`💥", "x.lock"])
def test_a_strange_model_is_reviewed_like_any_other(stage: Stage, model: str) -> None:
    toml = TOML.replace("[models.digits]", f"[models.{quoted(model)}]")
    (stage.home.root / "weighin.toml").write_text(toml)
    stage.home.git("commit", "-qam", "another name")
    stage.home.git("push", "-q", "origin", "HEAD:main")
    stage.home.keep(make_weigh_in(FATES, model=model))
    done = stage.review(model)
    assert done.conclusion is Conclusion.SUCCESS
    assert done.branch == branch_name(model, "3")
    (comment,) = stage.comments()
    assert "\n<script>" not in comment
    assert stage.writes(lambda: stage.review(model)) == []


def quoted(name: str) -> str:
    escaped = "".join(f"\\u{ord(c):04x}" if ord(c) < 32 or c in '"\\' else c for c in name)
    return f'"{escaped}"'


def test_budgets_that_were_loosened_here_only_let_nothing_through(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    toml = stage.home.root / "weighin.toml"
    toml.write_text(TOML.replace("latency_p90_ms = 10.0", "latency_p90_ms = 99.0"))
    stage.home.keep(make_weigh_in(FATES))
    done = stage.review()
    assert done.conclusion is Conclusion.FAILURE
    (comment,) = stage.comments()
    assert "latency_p90_ms" in comment
    assert "merge that first" in comment


@pytest.mark.parametrize("name", ["data/evaluation.npz", "keys/evidence.pub.json"])
def test_what_judging_reads_must_be_what_the_base_branch_has(stage: Stage, name: str) -> None:
    file = stage.home.root / name
    file.write_bytes(file.read_bytes() + b"\n")
    stage.home.keep(make_weigh_in(FATES))
    assert stage.review().conclusion is Conclusion.FAILURE
    assert f"{name} differs there" in stage.comments()[0]


def test_a_waiver_by_a_named_person_turns_failure_into_neutral(stage: Stage) -> None:
    toml = TOML + '\n[review]\nwaivers = ["ada"]\n'
    (stage.home.root / "weighin.toml").write_text(toml)
    stage.home.git("commit", "-qam", "ada may waive")
    stage.home.git("push", "-q", "origin", "HEAD:main")
    stage.home.keep(make_weigh_in({"host": "fail", "pixel-4": "fail"}))
    first = stage.review()
    assert first.conclusion is Conclusion.FAILURE
    command = "weighin: waive latency_p90_ms on host the demo is tomorrow"
    stage.hub.world.say(stage.hosted, 1, command, login="mallory")
    refused = stage.review()
    assert refused.conclusion is Conclusion.FAILURE
    assert "mallory asked in vain" in refused.notes[0]
    assert "Not waived" in stage.comments()[0]
    stage.hub.world.say(stage.hosted, 1, command, login="ada")
    done = stage.review()
    assert done.conclusion is Conclusion.NEUTRAL
    assert done.commit != first.commit
    listed = stage.home.server("ls-tree", "-r", "--name-only", done.commit)
    assert "variants/digits/v3/weigh-in/waivers/" in listed
    assert stage.check("weighin / digits / host", done.commit) == "neutral"
    assert stage.writes(stage.review) == []


def test_a_version_without_a_weigh_in_says_what_to_run(stage: Stage) -> None:
    with pytest.raises(WeighinError, match="weighin run digits/3"):
        stage.review()


def test_no_secret_is_in_what_is_pushed_or_written(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    text = "".join(stage.comments()) + stage.home.server("log", "-p", "weighin/digits/v3")
    assert WORKFLOW not in text
    assert "PRIVATE KEY" not in text


def test_the_project_may_lie_below_the_top_of_its_repository(stage: Stage, tmp_path: Path) -> None:
    home = stage.home
    sub = home.root / "ml"
    sub.mkdir()
    for name in ("weighin.toml", "data", "keys", ".weighin"):
        (home.root / name).rename(sub / name)
    home.git("add", "-A")
    home.git("commit", "-qm", "moved down")
    home.git("push", "-q", "origin", "HEAD:main")
    below = Home(root=sub, bare=home.bare, environ=home.environ)
    below.keep(make_weigh_in(FATES))
    stage.home = below
    done = stage.review()
    listed = home.server("ls-tree", "-r", "--name-only", done.commit)
    assert "ml/variants/digits/v3/weigh-in/report.json" in listed
    assert "ml/dvc.yaml" in listed
    checks = {row.facts["name"]: row for row in stage.hosted.checks.values()}
    (remark,) = checks["weighin / digits / pixel-4"].annotations
    assert remark["path"] == "ml/weighin.toml"


def test_two_reviews_at_once_in_one_clone_both_end_well(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    stage.home.keep(make_weigh_in({"host": "fail", "pixel-4": "fail"}))
    with ThreadPoolExecutor(3) as pool:
        done = [each.result() for each in [pool.submit(stage.review) for _ in range(3)]]
    assert len({one.commit for one in done}) == 1
    assert stage.home.git("for-each-ref", "refs/weighin") == ""
    assert len(stage.hosted.pulls) == len(stage.comments()) == 1

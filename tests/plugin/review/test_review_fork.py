"""A pull request that was weighed without secrets: the base branch judges, signatures count."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from review_home import Home
from review_samples import TOML, make_weigh_in
from review_stage import Fork, Stage, fork_of, staged

from weighin.gates.errors import GitHubError
from weighin.plugin.github.records import Conclusion
from weighin.plugin.review.desk import Reviewed
from weighin.plugin.review.trust import Bundle

FATES = {"host": "pass", "pixel-4": "fail"}


@pytest.fixture
def stage(home: Home) -> Iterator[Stage]:
    with staged(home) as made:
        yield made


def unsigned(bundle: Bundle) -> Bundle:
    return replace(bundle, envelopes={})


def test_a_forks_loosened_budgets_are_shown_and_the_bases_judge(stage: Stage) -> None:
    stage.home.keep(make_weigh_in({"host": "fail", "pixel-4": "fail"}))
    loose = TOML.replace("latency_p90_ms = 10.0", "latency_p90_ms = 99.0")
    fork = fork_of(stage, toml=loose)
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.conclusion is Conclusion.FAILURE
    (comment,) = stage.comments()
    assert "latency_p90_ms" in comment
    assert "99" in comment
    assert stage.check("weighin", fork.sha) == "failure"
    assert stage.home.server("branch", "--list", "weighin/*") == ""


def test_a_forks_numbers_without_a_trusted_signature_are_shown_and_not_believed(
    stage: Stage,
) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    fork = fork_of(stage)
    done = stage.report(fork.number, fork.sha, unsigned(fork.bundle))
    assert done.conclusion is Conclusion.FAILURE
    (comment,) = stage.comments()
    assert "✅" not in comment
    assert {row.facts["conclusion"] for row in stage.hosted.checks.values()} == {"failure"}


def test_signed_numbers_about_this_pull_request_are_believed(stage: Stage) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    fork = fork_of(stage)
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.conclusion is Conclusion.SUCCESS
    assert stage.writes(lambda: stage.report(fork.number, fork.sha, fork.bundle)) == []


def test_good_numbers_of_another_pull_request_do_not_help_this_one(stage: Stage) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    fork = fork_of(stage, commits=False)
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.conclusion is Conclusion.FAILURE
    assert "does not hold this weigh-in" in stage.comments()[0]


def merged_before(stage: Stage, **fork: str) -> Fork:
    """A fork's pull request that brings no weigh-in, after one was merged."""
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    stage.review()
    stage.hub.merge(stage.hosted, 1)
    return fork_of(stage, commits=False, **fork)


def test_a_pull_request_that_changes_budgets_only_shows_the_merged_numbers(stage: Stage) -> None:
    fork = merged_before(stage, toml=TOML.replace("latency_p90_ms = 10.0", "latency_p90_ms = 99.0"))
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.conclusion is Conclusion.SUCCESS
    assert "99" in stage.comments()[-1]


def test_merged_numbers_speak_for_nothing_that_a_pull_request_adds(stage: Stage) -> None:
    fork = merged_before(stage, more="dvc.yaml")
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.conclusion is Conclusion.FAILURE
    assert "brings no weigh-in of what it adds" in stage.comments()[-1]


def test_a_pull_request_that_moved_on_gets_nothing_about_its_past(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    fork = fork_of(stage)
    left: list[Reviewed] = []
    old = "1" * 40
    writes = stage.writes(lambda: left.append(stage.report(fork.number, old, fork.bundle)))
    assert (writes, left[0].state) == ([], "moved")


def test_the_forks_other_data_is_told(stage: Stage) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    fork = fork_of(stage, toml=TOML.replace("data/evaluation.npz", "data/calibration.npz"))
    stage.report(fork.number, fork.sha, fork.bundle)
    assert "models.digits.evaluation" in stage.comments()[0]


@pytest.mark.parametrize(
    "toml",
    [
        pytest.param("not = [toml", id="no-toml"),
        pytest.param("x = " + "[" * 50_000, id="deep"),
        pytest.param('[budgets."tier:nobody"]\nsize_mib = 1', id="no-such-class"),
    ],
)
def test_a_weighin_toml_that_is_none_is_data_like_any_other(stage: Stage, toml: str) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    fork = fork_of(stage, toml=toml)
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.state == "open"
    assert "weighin.toml" in stage.comments()[0]


def test_without_a_trusted_key_nobody_is_believed(stage: Stage) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    fork = fork_of(stage)
    (stage.home.root / "keys" / "evidence.pub.json").unlink()
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.conclusion is Conclusion.FAILURE
    assert "nobody's signature counts" in stage.comments()[0]


def test_what_came_into_the_base_branch_another_way_opens_nothing(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    first = stage.review()
    stage.home.server("update-ref", "refs/heads/main", first.commit)
    stage.home.server("update-ref", "-d", "refs/heads/weighin/digits/v3")
    stage.hosted.pulls.clear()
    left: list[Reviewed] = []
    assert stage.writes(lambda: left.append(stage.review())) == []
    assert left[0].state == "merged"


def test_no_such_pull_request_is_an_error(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    with pytest.raises(GitHubError, match="has no pull request #99"):
        stage.report(99, "1" * 40, stage.home.bundle())

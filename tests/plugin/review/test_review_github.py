"""Whole reviews against the simulated GitHub and a real bare repository."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from tests.plugin.review.conftest import Home
from tests.plugin.review.samples import EVIL, LATENCY_LINE, NOW, TOML, make_weigh_in

from weighin.gates.errors import GitHubError, StoreError, WeighinError
from weighin.gates.report.markdown import marker
from weighin.plugin.github.records import Conclusion
from weighin.plugin.github.simulator.hosted import Hosted, PullRow
from weighin.plugin.github.simulator.people import READ_ONLY, personal, workflow
from weighin.plugin.github.simulator.server import GitHubSimulator
from weighin.plugin.github.simulator.wire import Exchange
from weighin.plugin.review.connect import Wishes, open_desk, open_workplace
from weighin.plugin.review.desk import Reviewed
from weighin.plugin.review.fork import review_pull
from weighin.plugin.review.names import branch_name
from weighin.plugin.review.run import review
from weighin.plugin.review.trust import Bundle

AT = NOW + timedelta(hours=2)
WORKFLOW, PERSON, READER = "ghs_workflow", "ghp_person", "ghs_reader"
FATES = {"host": "pass", "pixel-4": "fail"}


@dataclass
class Stage:
    """A project, its remote, and the GitHub that shows it."""

    home: Home
    hub: GitHubSimulator
    hosted: Hosted
    seen: list[Exchange] = field(default_factory=list)
    now: datetime = AT

    def environ(self, token: str) -> Mapping[str, str]:
        return {**self.home.environ, "GITHUB_TOKEN": token, "GITHUB_ACTIONS": "true"}

    def wishes(self, **changed: object) -> Wishes:
        return replace(Wishes(repository="octo/app", api=self.hub.url), **changed)  # type: ignore[arg-type]

    def review(self, model: str = "digits", token: str = WORKFLOW, **changed: object) -> Reviewed:
        wishes, environ = self.wishes(**changed), self.environ(token)
        opened = open_desk(wishes, environ, self.home.root, signs=True, now=self.now)
        place = open_workplace(wishes, environ, opened)
        return review(opened.desk, place, model, "3")

    def report(self, number: int, sha: str, bundle: Bundle, token: str = WORKFLOW) -> Reviewed:
        environ = self.environ(token)
        opened = open_desk(self.wishes(), environ, self.home.root, signs=False, now=self.now)
        return review_pull(opened.desk, number, sha, bundle, prefix="")

    def writes(self, act: Callable[[], object]) -> list[str]:
        """What a step writes on GitHub."""
        self.seen.clear()
        act()
        return [f"{e.call.method} {e.call.path}" for e in self.seen if e.call.method != "GET"]

    def comments(self) -> list[str]:
        return [row.body for row in self.hosted.comments.values()]

    def check(self, name: str, sha: str) -> str:
        rows = [r for r in self.hosted.checks.values() if (r.sha, r.facts["name"]) == (sha, name)]
        return str(rows[-1].facts["conclusion"])


@pytest.fixture
def stage(home: Home) -> Iterator[Stage]:
    seen: list[Exchange] = []
    clock = [AT]
    with GitHubSimulator(now=lambda: clock[0], observer=seen.append) as hub:
        hosted = hub.world.host("octo/app", home.bare)
        for token in (workflow(WORKFLOW), personal(PERSON)):
            hub.world.add_token(token)
        hub.world.add_token(workflow(READER, permissions=READ_ONLY))
        made = Stage(home=home, hub=hub, hosted=hosted, seen=seen)
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


def test_a_branch_that_somebody_forced_away_is_made_again(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    first = stage.review()
    stage.home.server(
        "update-ref", "refs/heads/weighin/digits/v3", stage.home.server("rev-parse", "main")
    )
    stage.hosted.pulls[1].state = "open"
    assert stage.review().commit == first.commit


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
    assert "merge that file first" in comment


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


@dataclass(frozen=True)
class Fork:
    """Somebody else's repository, and the pull request from it."""

    number: int
    sha: str
    bundle: Bundle


def fork_of(stage: Stage, *, toml: str = TOML, commits: bool = True) -> Fork:
    """A pull request from a fork with its own ``weighin.toml``, and what was measured there."""
    base = stage.home
    place = base.bare.parent
    bare = place / "fork.git"
    base.git("clone", "-q", "--bare", str(base.bare), str(bare))
    theirs = Home(root=place / "theirs", bare=bare, environ=base.environ)
    base.git("clone", "-q", str(bare), str(theirs.root))
    for setting, value in (("user.name", "Mallory"), ("user.email", "m@example.org")):
        theirs.git("config", setting, value)
    (theirs.root / "weighin.toml").write_text(toml)
    bundle = base.bundle()
    if commits:
        kept = theirs.root / "variants" / "digits" / "v3" / "weigh-in"
        (kept / "evidence").mkdir(parents=True)
        (kept / "report.json").write_bytes(bundle.report)
    sha = theirs.commit("patch")
    forked = stage.hub.world.host("mallory/app", bare, fork_of="octo/app")
    number = (
        stage.hub.open_pull(stage.hosted, forked, "patch")
        if hasattr(stage.hub, "open_pull")
        else open_pull(stage, forked, sha)
    )
    return Fork(number=number, sha=sha, bundle=bundle)


def open_pull(stage: Stage, forked: Hosted, sha: str) -> int:
    number = 1 + max(stage.hosted.pulls, default=0)
    row = PullRow(
        number=number,
        id=9000 + number,
        author="mallory",
        title="My patch",
        body="",
        head_repository=forked,
        head_branch="patch",
        head_sha=sha,
        base_branch="main",
        created_at=AT,
        updated_at=AT,
    )
    stage.hosted.pulls[number] = row
    stage.hosted.keep(row)
    return number


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


def test_good_numbers_that_were_merged_before_do_not_help_this_one(stage: Stage) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    stage.review()
    stage.hub.merge(stage.hosted, 1)
    fork = fork_of(stage, commits=False)
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.conclusion is Conclusion.FAILURE
    assert "in the base branch already" in stage.comments()[-1]


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
        pytest.param("[gate]\nconfidence = 7", id="nonsense"),
        pytest.param("\x00", id="control"),
    ],
)
def test_a_weighin_toml_that_is_none_is_data_like_any_other(stage: Stage, toml: str) -> None:
    stage.home.keep(make_weigh_in({"host": "pass", "pixel-4": "pass"}))
    fork = fork_of(stage, toml=toml)
    done = stage.report(fork.number, fork.sha, fork.bundle)
    assert done.state == "open"
    assert "weighin.toml" in stage.comments()[0]


def test_no_such_pull_request_is_an_error(stage: Stage) -> None:
    stage.home.keep(make_weigh_in(FATES))
    with pytest.raises(GitHubError, match="has no pull request #99"):
        stage.report(99, "1" * 40, stage.home.bundle())


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

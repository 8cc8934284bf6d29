"""The command line of a review, without a server."""

import dataclasses
import json

import pytest

from weighin.plugin.cli import main
from weighin.plugin.commands.review import tell
from weighin.plugin.config import ReviewConfig
from weighin.plugin.github.records import Conclusion
from weighin.plugin.review.connect import api_of, git_host, repository_name
from weighin.plugin.review.desk import Reviewed

REVIEWED = Reviewed(
    model="digits",
    version="3",
    state="open",
    pull=7,
    url="https://github.com/octo/app/pull/7",
    branch="weighin/digits/v3",
    commit="a" * 40,
    conclusion=Conclusion.SUCCESS,
    done=("push branch weighin/digits/v3 (aaaaaaaaaaaa)", "check weighin: success"),
)


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nothing"),
        pytest.param(["digits/3", "--pull", "1", "--sha", "a", "--bundle", "b"], id="both"),
        pytest.param(["--pull", "1"], id="half-of-a-pull-request"),
        pytest.param(["digits"], id="no-version"),
    ],
)
def test_a_wrong_use_is_one_message_and_code_2(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["review", *words]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        pytest.param({}, 0, id="success"),
        pytest.param({"conclusion": Conclusion.NEUTRAL}, 0, id="waived"),
        pytest.param({"conclusion": Conclusion.FAILURE}, 3, id="failure"),
        pytest.param({"conclusion": None, "state": "merged"}, 0, id="merged"),
        pytest.param({"conclusion": None, "state": "moved"}, 0, id="moved"),
        pytest.param({"conclusion": None, "state": "closed"}, 3, id="closed"),
    ],
)
def test_the_exit_code_says_whether_it_may_be_merged(changed: dict[str, object], code: int) -> None:
    assert dataclasses.replace(REVIEWED, **changed).exit_code == code  # type: ignore[arg-type]


def test_what_was_done_is_told_shortly(capsys: pytest.CaptureFixture[str]) -> None:
    tell(dataclasses.replace(REVIEWED, notes=("#7 was closed by somebody",)))
    told = capsys.readouterr()
    assert told.out.splitlines() == [
        "  push branch weighin/digits/v3 (aaaaaaaaaaaa)",
        "  check weighin: success",
        "digits/3: check `weighin` is success",
        "https://github.com/octo/app/pull/7",
    ]
    assert told.err == "weighin: #7 was closed by somebody\n"
    tell(dataclasses.replace(REVIEWED, done=()))
    assert "nothing was written" in capsys.readouterr().out


def test_the_record_is_json() -> None:
    document = json.loads(json.dumps(REVIEWED.to_json()))
    assert document["schema"] == "weighin/review/v1"
    assert document["conclusion"] == "success"


@pytest.mark.parametrize(
    ("api", "host"),
    [
        pytest.param("https://api.github.com", "github.com", id="github.com"),
        pytest.param("https://ghe.example.org/api/v3", "ghe.example.org", id="enterprise"),
        pytest.param("https://api.octo.ghe.com", "octo.ghe.com", id="data-residency"),
        pytest.param("http://127.0.0.1:8080", "127.0.0.1:8080", id="loopback"),
    ],
)
def test_git_speaks_with_the_server_of_the_api(api: str, host: str) -> None:
    assert git_host(api) == host


def test_the_command_line_comes_before_the_file_before_the_workflow() -> None:
    review = ReviewConfig(repository="file/app", api="https://ghe.example.org/api/v3")
    environ = {"GITHUB_REPOSITORY": "flow/app", "GITHUB_API_URL": "https://flow.example.org/api/v3"}
    assert repository_name("line/app", review, environ) == "line/app"
    assert repository_name(None, review, environ) == "file/app"
    assert repository_name(None, ReviewConfig(), environ) == "flow/app"
    assert api_of("https://line/api/v3", review, environ) == "https://line/api/v3"
    assert api_of(None, review, environ) == review.api
    assert api_of(None, ReviewConfig(), environ) == environ["GITHUB_API_URL"]
    assert api_of(None, ReviewConfig(), {}) == "https://api.github.com"

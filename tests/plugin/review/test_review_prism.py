"""A whole review through a proxy that refuses what GitHub's description does not allow."""

import shutil
from pathlib import Path

import pytest
from github_openapi import DESCRIPTION, extract
from github_prism import PROGRAM, proxy
from review_home import Home
from review_samples import make_weigh_in
from review_stage import PERSON, staged

from weighin.gates.report.markdown import marker

PUBLISHED = Path(__file__).parents[2] / "node" / DESCRIPTION


def test_a_review_with_its_push_goes_through_a_validating_proxy(home: Home, tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not PROGRAM.is_file() or not PUBLISHED.is_file():
        pytest.skip("tests/node has no prism or no description: run npm ci there")
    home.keep(make_weigh_in({"host": "pass", "pixel-4": "fail"}))
    with staged(home) as stage, proxy(node, extract(PUBLISHED), stage.hub.url, tmp_path) as url:
        first = stage.review(api=url)
        assert stage.writes(lambda: stage.review(api=url)) == []
        stage.review(api=url, token=PERSON)
    assert (first.state, first.exit_code) == ("open", 0)
    assert home.server("rev-parse", f"refs/heads/{first.branch}") == first.commit
    (comment,) = stage.comments()
    assert comment.startswith(marker("digits"))
    assert {row.facts["name"] for row in stage.hosted.checks.values()} == {
        "weighin / digits / host",
        "weighin / digits / pixel-4",
        "weighin / digits",
        "weighin",
    }
    assert {row.context for row in stage.hosted.statuses} == {
        row.facts["name"] for row in stage.hosted.checks.values()
    }

"""Title and description of the pull request: ours where it is ours, people's where it is theirs."""

from dataclasses import replace

import pytest
from review_samples import EVIL, make_weigh_in

from weighin.gates.report.context import PLAIN, Context
from weighin.plugin.github.records import PullRequest
from weighin.plugin.review.pull_text import pull_body, pull_title

WEIGHED = make_weigh_in({"host": "pass", "pixel-4": "fail"})
PULL = PullRequest(
    number=7,
    url="https://github.com/o/r/pull/7",
    title=pull_title(WEIGHED, PLAIN, None),
    body=pull_body(WEIGHED, PLAIN, None),
    state="open",
    merged=False,
    head_branch="weighin/digits/v3",
    head_sha="a" * 40,
    head_repository="o/r",
    base_branch="main",
    base_sha="b" * 40,
)


@pytest.mark.parametrize(
    ("fates", "untrusted", "title"),
    [
        pytest.param({"host": "pass"}, "", "digits v3: passed on 1 of 1 device", id="pass"),
        pytest.param({"host": "pass", "x": "fail"}, "", "passed on 1 of 2 devices", id="part"),
        pytest.param({"host": "fail"}, "", "digits v3: nothing passed", id="fail"),
        pytest.param({"host": "undecided"}, "", "something is undecided", id="undecided"),
        pytest.param({"host": "pass"}, "a fork", "digits v3: not believed", id="untrusted"),
    ],
)
def test_the_title_has_the_verdict(fates: dict[str, str], untrusted: str, title: str) -> None:
    shown = pull_title(make_weigh_in(fates), Context(untrusted=untrusted), None)
    assert shown.endswith(title)


def test_the_title_follows_the_verdict_until_a_person_writes_one() -> None:
    worse = make_weigh_in({"host": "fail", "pixel-4": "fail"})
    assert pull_title(worse, PLAIN, PULL) == "digits v3: nothing passed"
    assert pull_title(worse, PLAIN, replace(PULL, title="My model")) == "My model"


def test_what_people_write_around_our_part_of_the_description_stays() -> None:
    said = replace(PULL, body=f"Please look.\n\n{PULL.body}\n\nThanks!")
    again = pull_body(WEIGHED, Context(report_url="https://example.org/r.html"), said)
    assert again.startswith("Please look.\n\n")
    assert again.endswith("\n\nThanks!")
    assert again.count("weighin:begin") == 1
    assert "[Report page](https://example.org/r.html)" in again


@pytest.mark.parametrize(
    ("fate", "untrusted", "words"),
    [
        pytest.param("pass", "", "Merging releases what passed", id="pass"),
        pytest.param("fail", "", "merging releases nothing", id="fail"),
        pytest.param("pass", "a fork", "merging releases nothing", id="untrusted"),
    ],
)
def test_the_description_says_what_merging_does(fate: str, untrusted: str, words: str) -> None:
    assert words in pull_body(make_weigh_in({"host": fate}), Context(untrusted=untrusted), None)


def test_a_description_without_our_part_gets_it_once() -> None:
    first = pull_body(WEIGHED, PLAIN, replace(PULL, body="Hello"))
    assert first.startswith("Hello\n\n")
    assert pull_body(WEIGHED, PLAIN, replace(PULL, body=first)) == first


@pytest.mark.parametrize("model", [EVIL, "<!-- weighin:end -->", "a`b", "x" * 500])
def test_a_name_cannot_leave_its_place(model: str) -> None:
    weigh_in = make_weigh_in({"host": "pass"}, model=model)
    title, body = pull_title(weigh_in, PLAIN, None), pull_body(weigh_in, PLAIN, None)
    assert len(title) <= 200
    assert "\n" not in title
    assert pull_body(weigh_in, PLAIN, replace(PULL, body=body)) == body
    outside = "".join("".join(line.split("`")[::2]) for line in body.splitlines())
    assert "<script>" not in outside
    assert "@all" not in outside

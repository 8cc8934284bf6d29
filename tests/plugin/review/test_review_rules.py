"""Reviews under every kind of credential, held against GitHub's published description."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from github_openapi import DESCRIPTION, Judge, extract
from review_home import Home
from review_samples import EVIL, TOML, make_weigh_in
from review_stage import PERSON, Stage, fork_of, staged

from weighin.plugin.github.records import Conclusion
from weighin.plugin.github.simulator.people import App
from weighin.plugin.github.simulator.world import utc_now

FATES = {"host": "pass", "pixel-4": "fail"}


@pytest.fixture(scope="session")
def judge() -> Judge:
    published = Path(__file__).parents[2] / "node" / DESCRIPTION
    if not published.is_file():
        pytest.skip("tests/node has no @octokit/openapi: run npm ci there")
    return Judge(extract(published))


@pytest.fixture
def judged(home: Home, judge: Judge) -> Iterator[Stage]:
    with staged(home, judge) as made:
        yield made


def test_every_request_of_a_whole_review_keeps_githubs_rules(judged: Stage, judge: Judge) -> None:
    judged.home.keep(make_weigh_in(FATES))
    judged.review()
    evil = EVIL.replace("/", "!")
    judged.home.keep(make_weigh_in({"host": "fail", evil: "fail"}, recipes=(evil,)))
    judged.review()
    judged.review(token=PERSON)
    judged.hosted.pulls[1].state = "closed"
    judged.review(reopen=True)
    fork = fork_of(judged, toml=TOML.replace("10.0", "99.0"))
    judged.report(fork.number, fork.sha, fork.bundle)
    judged.report(fork.number, fork.sha, replace(fork.bundle, envelopes={}))
    assert judge.judged > 40
    assert judge.violations == []


def test_an_enterprises_own_server_is_reviewed_on_like_github(home: Home) -> None:
    home.keep(make_weigh_in(FATES))
    with staged(home, prefix="/api/v3") as stage:
        assert stage.review().conclusion is Conclusion.SUCCESS
        assert stage.writes(stage.review) == []


def test_an_app_writes_as_itself_and_finds_its_own_again(home: Home) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    home.keep(make_weigh_in(FATES))
    with staged(home, clock=utc_now) as stage:  # an App's key is good for minutes of real time
        stage.hub.world.add_app(
            App(
                id=42,
                slug="scales",
                public_key=public,
                installation_id=7,
                repositories=("octo/app",),
            )
        )
        stage.more = {"WEIGHIN_GITHUB_APP_ID": "42", "WEIGHIN_GITHUB_APP_KEY": private}
        assert stage.review(token="").conclusion is Conclusion.SUCCESS
        (comment,) = stage.hosted.comments.values()
        assert comment.author == "scales[bot]"
        again = stage.writes(lambda: stage.review(token=""))
        assert [call for call in again if not call.endswith("/access_tokens")] == []

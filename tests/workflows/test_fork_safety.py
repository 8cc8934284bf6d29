"""A hostile pull request sees no secret, and a workflow that let it see one would be noticed."""

from typing import Any

import pytest
from review_fork import fork_secrets_seen, seen_in_measuring

Job = dict[str, Any]


def test_a_hostile_pull_request_sees_no_secret() -> None:
    assert fork_secrets_seen() == 0


def job_variable(job: Job) -> None:
    job["env"] = {"SOMETHING": "${{ secrets.AWS_SECRET_ACCESS_KEY }}"}


def credentials_left(job: Job) -> None:
    job["steps"][0]["with"]["persist-credentials"] = True


def key_for_the_action(job: Job) -> None:
    job["steps"][2]["with"]["evidence-key"] = "${{ secrets.WEIGHIN_EVIDENCE_KEY }}"


def token_for_the_action(job: Job) -> None:
    job["steps"][2]["with"]["github-token"] = "${{ github.token }}"


@pytest.mark.parametrize(
    "leak", [job_variable, credentials_left, key_for_the_action, token_for_the_action]
)
def test_a_leak_would_be_noticed(leak: Any) -> None:
    assert seen_in_measuring(leak) > 0

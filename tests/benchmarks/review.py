"""The review: the page at its largest, what GitHub's description objects to, secrets in reach.

The page is that of 20 variants on 30 devices. Whole reviews run on the simulated GitHub, which is
held against GitHub's published OpenAPI description, requests and answers alike: new, again, with
other numbers, after the comment was deleted, with the server failing after it wrote the comment,
two at once, as a personal token, and of a fork's pull request. Each pull request may have one
comment of ours at the end. The fork's job runs hostile code that takes what it can reach.
"""

import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from figures import Figure, present
from github_openapi import DESCRIPTION, Judge, extract, openapi_violations
from review_fork import measure as fork_figures
from review_home import make_home
from review_page import page_figures
from review_samples import make_weigh_in
from review_stage import PERSON, Stage, fork_of, staged

from weighin.gates.report.markdown import marker
from weighin.plugin.github.simulator.faults import broken, dropped

NODE = Path(__file__).parents[1] / "node"
FATES, OTHERS = {"host": "pass", "pixel-4": "fail"}, {"host": "fail", "pixel-4": "undecided"}
_COMMENTS = "/issues/[0-9]+/comments"


def github_figures(folder: Path) -> Iterator[Figure]:
    """What whole reviews send, and what they leave on the pull request."""
    judge = Judge(extract(NODE / DESCRIPTION))
    with staged(make_home(folder), judge) as stage:
        reviews = _reviews(stage)
        found = _duplicates(stage)
    if not judge.judged or not stage.hosted.comments:
        raise RuntimeError("nothing was asked of GitHub, or no comment was written")
    yield Figure(
        name="openapi_violations",
        value=openapi_violations(judge),
        goal=0,
        detail=f"{judge.judged} requests and answers of {reviews} reviews; "
        f"{'; '.join(judge.violations[:3]) or 'npm @octokit/openapi'}",
    )
    yield Figure(
        name="duplicate_comments",
        value=found,
        goal=0,
        detail=f"{len(stage.hosted.pulls)} pull requests, {reviews} reviews",
    )


def _reviews(stage: Stage) -> int:
    """Every way in which a review can be run again; how many there were."""
    faults = stage.hub.world.faults
    stage.home.keep(make_weigh_in(FATES))
    stage.review()
    stage.review()
    stage.home.keep(make_weigh_in(OTHERS))
    stage.review()
    for fault in (
        broken(method="POST", path=_COMMENTS, applied=True),
        dropped(method="POST", path=_COMMENTS, applied=True),
        dropped(method="POST", path=_COMMENTS),
    ):
        stage.hosted.comments.clear()
        faults.put(fault)
        stage.review()
        stage.review()
    stage.hosted.comments.clear()
    with ThreadPoolExecutor(2) as pool:
        for done in [pool.submit(stage.review) for _ in range(2)]:
            done.result()
    stage.review()
    stage.review(token=PERSON)
    fork = fork_of(stage)
    stage.report(fork.number, fork.sha, fork.bundle)
    stage.report(fork.number, fork.sha, fork.bundle)
    return 15


def _duplicates(stage: Stage) -> int:
    """Comments of ours beyond the first, over all pull requests."""
    start = marker("digits")
    ours = [
        row.number for row in stage.hosted.comments.values() if row.body.lstrip().startswith(start)
    ]
    return len(ours) - len(set(ours))


def measure() -> Iterator[Figure]:
    """All figures of the review."""
    with tempfile.TemporaryDirectory() as folder:
        yield from page_figures(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        yield from github_figures(Path(folder))
    yield from fork_figures()


if __name__ == "__main__":
    present(measure, __doc__)

"""A review on a GitHub that this machine simulates: what it would look like, before any token.

    .weighin/rehearsal/comment.md        the comment
    .weighin/rehearsal/checks.md         the checks with their remarks
    .weighin/rehearsal/repository.git    what would be on the server, with the review's branch

What this module does not do: it records no waiver and reaches no server.
"""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from weighin.gates.report.markdown_parts import code
from weighin.plugin.github.simulator.hosted import Hosted
from weighin.plugin.github.simulator.people import workflow
from weighin.plugin.github.simulator.server import GitHubSimulator
from weighin.plugin.project import open_project
from weighin.plugin.review.connect import Wishes, open_desk, open_workplace
from weighin.plugin.review.desk import Reviewed
from weighin.plugin.review.run import review
from weighin.registry.git_plumbing import Git, at_top

FOLDER = "rehearsal"
_NAME = "you/rehearsal"
_TOKEN = "ghs_rehearsal"  # noqa: S105 - lets nobody in anywhere
_BRANCH = "main"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsed:
    """What the review did, and the files to look at."""

    reviewed: Reviewed
    files: tuple[Path, ...]


def rehearse(
    start: Path, environ: Mapping[str, str], model: str, version: str, now: datetime
) -> Rehearsed:
    """Review a version on a simulated GitHub that holds what is committed here.

    Args:
        start: A folder of the project.
        environ: The environment; its credentials are not used.
        model: Registered model name.
        version: Registered model version.
        now: The time of the review, UTC.

    Raises:
        StoreError: nothing is committed yet, or there is no weigh-in.
        WeighinError: the report cannot be read.
    """
    folder = open_project(start).state / FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    bare = folder / "repository.git"
    git, _ = at_top(start, environ)
    git("init", "--quiet", "--bare", "--initial-branch", _BRANCH, str(bare))
    git("push", "--quiet", str(bare), f"HEAD:refs/heads/{_BRANCH}")
    with GitHubSimulator() as hub:
        hub.world.add_token(workflow(_TOKEN))
        hosted = hub.world.host(_NAME, bare)
        wishes = Wishes(repository=_NAME, api=hub.url, base=_BRANCH, remote=str(bare))
        shown = _review(wishes, _visitor(git), start, (model, version), now)
    return Rehearsed(reviewed=replace(shown, url=""), files=_written(folder, hosted))


def _review(
    wishes: Wishes, environ: Mapping[str, str], start: Path, what: tuple[str, str], now: datetime
) -> Reviewed:
    opened = open_desk(wishes, environ, start, signs=False, now=now)
    return review(opened.desk, open_workplace(wishes, environ, opened), *what)


def _visitor(git: Git) -> dict[str, str]:
    """The environment of somebody whom only the simulated server knows."""
    others = {k: v for k, v in git.environ.items() if not k.startswith(("GITHUB_", "GH_"))}
    return {**others, "GITHUB_TOKEN": _TOKEN, "GITHUB_ACTIONS": "true"}


def _written(folder: Path, hosted: Hosted) -> tuple[Path, ...]:
    comment, checks = folder / "comment.md", folder / "checks.md"
    comment.write_text("\n".join(row.body for row in hosted.comments.values()), encoding="utf-8")
    checks.write_text("\n".join(_checks(hosted)), encoding="utf-8")
    return comment, checks


def _checks(hosted: Hosted) -> list[str]:
    lines: list[str] = []
    for row in hosted.checks.values():
        facts = row.facts
        lines += [f"## {code(facts['name'])}: {facts['conclusion']}", "", row.title or "", ""]
        lines += [row.summary or "", ""]
        lines += [
            f"- {code(one['path'])} line {one['start_line']}, {one['annotation_level']}: "
            f"{code(one['message'])}"
            for one in row.annotations
        ]
        lines.append("")
    return lines

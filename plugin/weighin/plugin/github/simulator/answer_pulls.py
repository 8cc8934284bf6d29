"""Answers about pull requests: list, open, change, merge.

What this module does not do: it pushes nothing; the branches come by git.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from weighin.plugin.github.simulator import shapes_pull
from weighin.plugin.github.simulator.asked import Asked, text_field
from weighin.plugin.github.simulator.gitrepo import MergeConflict
from weighin.plugin.github.simulator.hosted import Hosted, PullRow
from weighin.plugin.github.simulator.wire import Answer, invalid, paged, refused
from weighin.plugin.github.simulator.world import World

_METHODS = ("merge", "squash")


def list_pulls(asked: Asked) -> Answer:
    """``GET …/pulls``: of a state, a head ``owner:branch`` and a base branch."""
    query = asked.call.query
    rows = [row for row in asked.hosted.pulls.values() if _wanted(asked.hosted, row, query)]
    for row in rows:
        asked.hosted.follow(row, asked.now)
    state = query.get("state", "open")
    rows = [row for row in rows if state in ("all", row.state)]
    rows.sort(key=lambda row: row.number, reverse=query.get("direction", "desc") != "asc")
    return paged(
        asked.call, [shapes_pull.pull_simple(asked.hosted, row, asked.base) for row in rows]
    )


def _wanted(hosted: Hosted, row: PullRow, query: Mapping[str, str]) -> bool:
    owner = row.head_repository.owner if row.head_repository else "unknown"
    head = query.get("head", "")
    label = f"{owner}:{row.head_branch}"
    if ":" in head and head.lower() != label.lower():
        return False
    return query.get("base", row.base_branch) == row.base_branch


def get_pull(asked: Asked) -> Answer:
    """``GET …/pulls/{number}``."""
    row = pull_of(asked)
    asked.hosted.follow(row, asked.now)
    return Answer(content=shapes_pull.pull_full(asked.hosted, row, asked.base))


def pull_of(asked: Asked) -> PullRow:
    """The pull request that the path names; 404 if there is none."""
    row = asked.hosted.pulls.get(asked.number("number"))
    if row is None:
        raise refused(404, "Not Found")
    return row


def open_pull(asked: Asked) -> Answer:
    """``POST …/pulls``."""
    sent = asked.fields()
    title = text_field(sent, "PullRequest", "title", 256)
    base = str(sent.get("base", ""))
    if asked.hosted.git.head(base) is None:
        raise invalid("PullRequest", "base is invalid", field_name="base")
    source, branch = _source(asked.world, asked.hosted, str(sent.get("head", "")))
    row = PullRow(
        number=1 + max(asked.hosted.pulls, default=0),
        id=next(asked.world.ids),
        author=asked.token.login,
        title=title,
        body=sent.get("body"),
        head_repository=source,
        head_branch=branch,
        head_sha=source.git.head(branch) or "",
        base_branch=base,
        created_at=asked.now,
        updated_at=asked.now,
    )
    _check_new(asked, row)
    asked.hosted.pulls[row.number] = row
    content = shapes_pull.pull_full(asked.hosted, row, asked.base)
    return Answer(status=201, content=content)


def _source(world: World, hosted: Hosted, head: str) -> tuple[Hosted, str]:
    owner, _, branch = head.rpartition(":")
    source: Hosted | None = hosted
    if owner and owner.lower() != hosted.owner.lower():
        forks = [row for row in world.repositories.values() if row.parent is hosted]
        source = next((row for row in forks if row.owner.lower() == owner.lower()), None)
    if source is None or source.git.head(branch) is None:
        raise invalid("PullRequest", "head is invalid", field_name="head")
    return source, branch


def _check_new(asked: Asked, new: PullRow) -> None:
    for row in asked.hosted.pulls.values():
        same = (row.head_repository, row.head_branch, row.base_branch)
        asked.hosted.follow(row, asked.now)
        if row.state == "open" and same == (new.head_repository, new.head_branch, new.base_branch):
            owner = asked.hosted.owner if new.head_repository is None else new.head_repository.owner
            message = f"A pull request already exists for {owner}:{new.head_branch}."
            raise invalid("PullRequest", message)
    asked.hosted.keep(new)
    base = asked.hosted.git.head(new.base_branch)
    if base is not None and asked.hosted.git.contains(base, new.head_sha):
        message = f"No commits between {new.base_branch} and {new.head_branch}"
        raise invalid("PullRequest", message)


def edit_pull(asked: Asked) -> Answer:
    """``PATCH …/pulls/{number}``: title, body, state."""
    row, sent = pull_of(asked), asked.fields()
    asked.hosted.follow(row, asked.now)
    if "state" in sent and sent["state"] != row.state:
        _set_state(asked.hosted, row, str(sent["state"]), asked.now)
    if "title" in sent:
        row.title = text_field(sent, "PullRequest", "title", 256)
    row.body = sent.get("body", row.body)
    row.updated_at = asked.now
    return Answer(content=shapes_pull.pull_full(asked.hosted, row, asked.base))


def _set_state(hosted: Hosted, row: PullRow, state: str, now: datetime) -> None:
    if state == "closed":
        row.state, row.closed_at = "closed", now
        return
    source = row.head_repository
    head = source.git.head(row.head_branch) if source else None
    if row.merged_at is not None:
        raise invalid("PullRequest", "state cannot be changed. The pull request was merged.")
    if source is None or head is None:
        message = f"state cannot be changed. The {row.head_branch} branch has been deleted."
        raise invalid("PullRequest", message)
    if not source.git.contains(head, row.head_sha):
        message = (
            f"state cannot be changed. The {row.head_branch} branch was force-pushed or recreated."
        )
        raise invalid("PullRequest", message)
    row.state, row.closed_at = "open", None
    hosted.follow(row, now)


def merge_pull(asked: Asked) -> Answer:
    """``PUT …/pulls/{number}/merge``."""
    sent, row = asked.fields(), pull_of(asked)
    method = str(sent.get("merge_method", "merge"))
    asked.hosted.follow(row, asked.now)
    if sent.get("sha") not in (None, row.head_sha):
        raise refused(409, "Head branch was modified. Review and try the merge again.")
    sha = merge(asked.hosted, row, login=asked.token.login, now=asked.now, method=method)
    content: dict[str, Any] = {
        "sha": sha,
        "merged": True,
        "message": "Pull Request successfully merged",
    }
    return Answer(content=content)


def merge(hosted: Hosted, row: PullRow, *, login: str, now: datetime, method: str) -> str:
    """Merge in git, so that the base branch moves; returns its new commit."""
    if row.state == "closed":
        raise refused(405, "Pull Request is not mergeable")
    if method not in _METHODS:
        raise refused(405, f"{method} merges are not allowed on this repository.")
    missing = hosted.missing_checks(row.base_branch, row.head_sha)
    if missing:
        raise refused(405, f'Required status check "{missing[0]}" is expected.')
    subject = f"Merge pull request #{row.number} from {hosted.owner}/{row.head_branch}"
    squash = method == "squash"
    message = f"{row.title} (#{row.number})" if squash else f"{subject}\n\n{row.title}"
    try:
        sha = hosted.git.merge(
            row.base_branch, row.head_sha, message, squash=squash, author=login, when=now
        )
    except MergeConflict as error:
        raise refused(405, "Pull Request is not mergeable") from error
    row.state, row.merge_sha, row.merged_by = "closed", sha, login
    row.closed_at = row.merged_at = row.updated_at = now
    return sha

"""Pull requests, their comments and branches as GitHub's API describes them.

What this module does not do: it decides nothing. The field names are those of the schemas
``pull-request``, ``pull-request-simple``, ``issue-comment`` and ``branch-with-protection``.
"""

from html import escape
from typing import Any

from weighin.plugin.github.simulator.gitrepo import CommitFacts, MergeConflict
from weighin.plugin.github.simulator.hosted import CommentRow, Hosted, PullRow
from weighin.plugin.github.simulator.shapes import (
    maybe_stamp,
    maybe_user,
    node_id,
    page_of,
    repository,
    stamp,
    user,
)


def _texts(body: str | None) -> dict[str, Any]:
    plain = body or ""
    return {"body": body, "body_html": f"<p>{escape(plain)}</p>", "body_text": plain}


def _end(hosted: Hosted | None, branch: str, sha: str, base: str) -> dict[str, Any]:
    owner = hosted.owner if hosted else "unknown"
    return {
        "label": f"{owner}:{branch}",
        "ref": branch,
        "sha": sha,
        "user": user(owner, base) if hosted else None,
        "repo": repository(hosted, base) if hosted else None,
    }


def _links(hosted: Hosted, pull: PullRow, base: str) -> dict[str, str]:
    repo = f"{base}/repos/{hosted.full_name}"
    pulls, issue = f"{repo}/pulls/{pull.number}", f"{repo}/issues/{pull.number}"
    return {
        "self": pulls,
        "html": f"{page_of(base)}/{hosted.full_name}/pull/{pull.number}",
        "issue": issue,
        "comments": f"{issue}/comments",
        "review_comments": f"{pulls}/comments",
        "review_comment": f"{repo}/pulls/comments{{/number}}",
        "commits": f"{pulls}/commits",
        "statuses": f"{repo}/statuses/{pull.head_sha}",
    }


def pull_simple(hosted: Hosted, pull: PullRow, base: str) -> dict[str, Any]:
    """``pull-request-simple``, as lists have it."""
    links = _links(hosted, pull, base)
    base_sha = hosted.git.head(pull.base_branch) or "0" * 40
    return {
        "id": pull.id,
        "node_id": node_id("PullRequest", pull.id),
        "number": pull.number,
        "url": links["self"],
        "html_url": links["html"],
        "diff_url": f"{links['html']}.diff",
        "patch_url": f"{links['html']}.patch",
        **{f"{name}_url": links[name] for name in ("issue", "comments", "commits", "statuses")},
        **{f"{name}_url": links[name] for name in ("review_comment", "review_comments")},
        "_links": {name: {"href": href} for name, href in links.items()},
        "state": pull.state,
        "locked": False,
        "title": pull.title,
        **_texts(pull.body),
        "user": user(pull.author, base),
        **{name: [] for name in ("assignees", "labels", "requested_reviewers", "requested_teams")},
        **dict.fromkeys(("assignee", "milestone", "auto_merge", "active_lock_reason")),
        "draft": False,
        "author_association": "CONTRIBUTOR",
        "created_at": stamp(pull.created_at),
        "updated_at": stamp(pull.updated_at),
        "closed_at": maybe_stamp(pull.closed_at),
        "merged_at": maybe_stamp(pull.merged_at),
        "merge_commit_sha": pull.merge_sha,
        "head": _end(pull.head_repository, pull.head_branch, pull.head_sha, base),
        "base": _end(hosted, pull.base_branch, base_sha, base),
    }


def pull_full(hosted: Hosted, pull: PullRow, base: str) -> dict[str, Any]:
    """``pull-request``, with what only a single one shows."""
    mergeable = None if pull.state == "closed" else _mergeable(hosted, pull)
    commits, files, added, removed = _numbers(hosted, pull)
    talk = sum(row.number == pull.number for row in hosted.comments.values())
    return {
        **pull_simple(hosted, pull, base),
        "merged": pull.merged_at is not None,
        "mergeable": mergeable,
        "mergeable_state": {None: "unknown", True: "clean", False: "dirty"}[mergeable],
        "rebaseable": mergeable,
        "merged_by": maybe_user(pull.merged_by, base),
        "maintainer_can_modify": False,
        "comments": talk,
        "review_comments": 0,
        "commits": commits,
        "additions": added,
        "deletions": removed,
        "changed_files": files,
    }


def _mergeable(hosted: Hosted, pull: PullRow) -> bool:
    branch = hosted.git.head(pull.base_branch)
    if branch is None:
        return False
    try:
        hosted.git.merged_tree(branch, pull.head_sha)
    except MergeConflict:
        return False
    return True


def _numbers(hosted: Hosted, pull: PullRow) -> tuple[int, int, int, int]:
    branch = hosted.git.head(pull.base_branch)
    if branch is None or hosted.git.resolve(pull.head_sha) is None:
        return 0, 0, 0, 0
    return hosted.git.numbers(branch, pull.head_sha)


def comment(hosted: Hosted, row: CommentRow, base: str) -> dict[str, Any]:
    """``issue-comment``."""
    repo = f"{base}/repos/{hosted.full_name}"
    page = f"{page_of(base)}/{hosted.full_name}/pull/{row.number}"
    return {
        "id": row.id,
        "node_id": node_id("IssueComment", row.id),
        "url": f"{repo}/issues/comments/{row.id}",
        "html_url": f"{page}#issuecomment-{row.id}",
        "issue_url": f"{repo}/issues/{row.number}",
        **_texts(row.body),
        "user": maybe_user(row.author, base),
        "author_association": "CONTRIBUTOR",
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.updated_at),
    }


def branch(hosted: Hosted, name: str, facts: CommitFacts, base: str) -> dict[str, Any]:
    """``branch-with-protection``."""
    url = f"{base}/repos/{hosted.full_name}/branches/{name}"
    page = f"{page_of(base)}/{hosted.full_name}/tree/{name}"
    required = list(hosted.protected.get(name, ()))
    checks = {"enforcement_level": "everyone", "contexts": required, "checks": []}
    protected = name in hosted.protected
    return {
        "name": name,
        "commit": _commit(hosted, facts, base),
        "_links": {"self": url, "html": page},
        "protected": protected,
        "protection": {"enabled": protected, "required_status_checks": checks},
        "protection_url": f"{url}/protection",
    }


def _commit(hosted: Hosted, facts: CommitFacts, base: str) -> dict[str, Any]:
    repo, page = f"{base}/repos/{hosted.full_name}", f"{page_of(base)}/{hosted.full_name}"
    who = {"name": facts.author, "email": facts.email, "date": facts.when.isoformat()}
    return {
        "sha": facts.sha,
        "node_id": node_id("Commit", int(facts.sha[:8], 16)),
        "url": f"{repo}/commits/{facts.sha}",
        "html_url": f"{page}/commit/{facts.sha}",
        "comments_url": f"{repo}/commits/{facts.sha}/comments",
        "commit": {
            "author": who,
            "committer": who,
            "message": facts.message,
            "tree": {"sha": facts.tree, "url": f"{repo}/git/trees/{facts.tree}"},
            "url": f"{repo}/git/commits/{facts.sha}",
            "comment_count": 0,
        },
        "author": None,
        "committer": None,
        "parents": [
            {"sha": sha, "url": f"{repo}/commits/{sha}", "html_url": f"{page}/commit/{sha}"}
            for sha in facts.parents
        ],
    }

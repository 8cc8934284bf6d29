"""GitHub's JSON as records, and records as GitHub's JSON.

Only the fields that a review needs are read, so that what an older GitHub Enterprise leaves out
does no harm. What this module does not do: it sends nothing.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from weighin.plugin.github.records import (
    Annotation,
    Branch,
    CheckRun,
    Comment,
    Conclusion,
    KnownCheck,
    PullRequest,
    Status,
)

ANNOTATIONS_A_CALL = 50
_DESCRIPTION_CHARACTERS = 140
# Of an account that is gone GitHub shows this one.
_GHOST = "ghost"
_STATES = ("success", "failure", "error", "pending")


def branch_of(row: Mapping[str, Any]) -> Branch:
    """A branch."""
    protected = bool(row.get("protected", False))
    return Branch(name=row["name"], sha=row["commit"]["sha"], protected=protected)


def pull_of(row: Mapping[str, Any]) -> PullRequest:
    """A pull request, from a list or alone."""
    head, base = row["head"], row["base"]
    return PullRequest(
        number=row["number"],
        url=row["html_url"],
        title=row["title"],
        body=row["body"] or "",
        state="open" if row["state"] == "open" else "closed",
        merged=row["merged_at"] is not None,
        head_branch=head["ref"],
        head_sha=head["sha"],
        head_repository=head["repo"]["full_name"] if head["repo"] else "",
        base_branch=base["ref"],
        base_sha=base["sha"],
    )


def comment_of(row: Mapping[str, Any]) -> Comment:
    """A comment."""
    author = row["user"]
    return Comment(
        id=row["id"],
        url=row["html_url"],
        author=author["login"] if author else _GHOST,
        body=row.get("body") or "",
        created_at=datetime.fromisoformat(row["created_at"]),
        updated_at=datetime.fromisoformat(row["updated_at"]),
    )


def known_check_of(row: Mapping[str, Any], annotations: Sequence[Annotation]) -> KnownCheck | None:
    """A finished check run; ``None`` if it ended in a way that no review writes, or not yet."""
    if row["conclusion"] not in tuple(Conclusion):
        return None
    output: Mapping[str, Any] = row["output"]
    check = CheckRun(
        name=row["name"],
        conclusion=Conclusion(row["conclusion"]),
        title=output["title"] or "",
        summary=output["summary"] or "",
        annotations=tuple(annotations),
        external_id=row["external_id"] or "",
    )
    return KnownCheck(id=row["id"], check=check)


def annotation_of(row: Mapping[str, Any]) -> Annotation:
    """An annotation."""
    level = row["annotation_level"]
    return Annotation(
        path=row["path"],
        line=row["start_line"],
        title=row["title"] or "",
        message=row["message"] or "",
        level=level if level in ("notice", "warning") else "failure",
    )


def status_of(row: Mapping[str, Any]) -> Status:
    """A commit status."""
    return Status(
        context=row["context"],
        state=row["state"] if row["state"] in _STATES else "error",
        description=row["description"] or "",
        url=row["target_url"] or "",
    )


def check_fields(check: CheckRun, annotations: Sequence[Annotation]) -> dict[str, Any]:
    """What is sent of a finished check run, with some of its annotations."""
    output: dict[str, Any] = {"title": check.title, "summary": check.summary}
    if annotations:
        output["annotations"] = [_annotation_fields(row) for row in annotations]
    fields: dict[str, Any] = {
        "name": check.name,
        "status": "completed",
        "conclusion": str(check.conclusion),
        "output": output,
    }
    return fields | ({"external_id": check.external_id} if check.external_id else {})


def _annotation_fields(row: Annotation) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "path": row.path,
        "start_line": row.line,
        "end_line": row.line,
        "annotation_level": row.level,
        "message": row.message,
    }
    return fields | ({"title": row.title} if row.title else {})


def status_fields(status: Status) -> dict[str, Any]:
    """What is sent of a commit status; GitHub takes 140 characters of description."""
    text = status.description
    if len(text) > _DESCRIPTION_CHARACTERS:
        text = text[: _DESCRIPTION_CHARACTERS - 1] + "…"
    fields = {"state": status.state, "context": status.context, "description": text}
    return fields | ({"target_url": status.url} if status.url else {})

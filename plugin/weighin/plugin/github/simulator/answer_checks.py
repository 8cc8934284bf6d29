"""Answers about check runs and commit statuses.

What this module does not do: it runs nothing; what is written is kept and shown.
"""

from collections.abc import Mapping
from typing import Any

from weighin.plugin.github.simulator import shapes, shapes_checks
from weighin.plugin.github.simulator.asked import Asked, short_enough, text_field
from weighin.plugin.github.simulator.hosted import CheckRow, StatusRow
from weighin.plugin.github.simulator.wire import Answer, invalid, paged, refused

_ANNOTATIONS_A_CALL = 50
_SUMMARY_CHARACTERS = 65_535
_DESCRIPTION_CHARACTERS = 140
_STATES = ("error", "failure", "pending", "success")
_FACTS = ("name", "status", "conclusion", "external_id", "details_url")


def create_check(asked: Asked) -> Answer:
    """``POST …/check-runs``: Apps only."""
    sent = _sent_by_app(asked)
    text_field(sent, "CheckRun", "name", 255)
    sha = str(sent.get("head_sha", ""))
    if len(sha) != 40 or asked.hosted.git.resolve(sha) is None:
        raise refused(422, f"No commit found for SHA: {sha}")
    row = CheckRow(
        id=next(asked.world.ids),
        sha=sha,
        author=asked.token,
        facts={},
        started_at=asked.now,
    )
    _write(asked, row, sent)
    asked.hosted.checks[row.id] = row
    return Answer(status=201, content=shapes_checks.check(asked.hosted, row, asked.base))


def update_check(asked: Asked) -> Answer:
    """``PATCH …/check-runs/{id}``: new annotations are added to the old ones."""
    sent, row = _sent_by_app(asked), _check_of(asked)
    if row.author.app_id != asked.token.app_id:
        raise refused(403, "Invalid app_id `{}` - check run can only be modified by its creator.")
    _write(asked, row, sent)
    return Answer(content=shapes_checks.check(asked.hosted, row, asked.base))


def _sent_by_app(asked: Asked) -> dict[str, Any]:
    if asked.token.app_id is None:
        raise refused(403, "You must authenticate via a GitHub App.")
    return asked.fields()


def _write(asked: Asked, row: CheckRow, sent: Mapping[str, Any]) -> None:
    output: Mapping[str, Any] = sent.get("output") or {}
    found: list[dict[str, Any]] = output.get("annotations") or []
    _check_output(output, len(found))
    facts = row.facts | {name: sent[name] for name in _FACTS if name in sent}
    if "conclusion" in sent:
        facts["status"] = "completed"
    if facts.get("status") == "completed" and not facts.get("conclusion"):
        raise refused(422, "Invalid request.\n\nMissing required parameter: conclusion.")
    row.facts = facts
    row.title, row.summary = output.get("title", row.title), output.get("summary", row.summary)
    row.text = output.get("text", row.text)
    row.annotations += found
    row.completed_at = asked.now if facts.get("status") == "completed" else None


def _check_output(output: Mapping[str, Any], annotations: int) -> None:
    if annotations > _ANNOTATIONS_A_CALL:
        given = f"{annotations} were supplied"
        raise refused(422, f"Invalid request.\n\nNo more than 50 items are allowed; {given}.")
    if output and not {"title", "summary"} <= set(output):
        raise refused(422, "Invalid request.\n\nOutput needs a title and a summary.")
    for name in ("summary", "text"):
        short_enough(output.get(name) or "", "CheckRun", name, _SUMMARY_CHARACTERS)


def get_check(asked: Asked) -> Answer:
    """``GET …/check-runs/{id}``."""
    return Answer(content=shapes_checks.check(asked.hosted, _check_of(asked), asked.base))


def _check_of(asked: Asked) -> CheckRow:
    row = asked.hosted.checks.get(asked.number("check_run_id"))
    if row is None:
        raise refused(404, "Not Found")
    return row


def list_annotations(asked: Asked) -> Answer:
    """``GET …/check-runs/{id}/annotations``."""
    row = _check_of(asked)
    shown = [
        shapes_checks.annotation(asked.hosted, row, held, asked.base) for held in row.annotations
    ]
    return paged(asked.call, shown)


def list_checks(asked: Asked) -> Answer:
    """``GET …/commits/{ref}/check-runs``: newest first; the latest of each App and name."""
    sha, query = _commit_of(asked), asked.call.query
    rows = [row for row in asked.hosted.checks.values() if row.sha == sha]
    if query.get("filter", "latest") == "latest":
        rows = list({(row.author.app_id, row.facts["name"]): row for row in rows}.values())
    if "check_name" in query:
        rows = [row for row in rows if row.facts["name"] == query["check_name"]]
    if "app_id" in query:
        rows = [row for row in rows if str(row.author.app_id) == query["app_id"]]
    rows.sort(key=lambda row: -row.id)
    shown = [shapes_checks.check(asked.hosted, row, asked.base) for row in rows]
    return paged(asked.call, shown, key="check_runs")


def _commit_of(asked: Asked) -> str:
    ref, git = asked.parts["ref"], asked.hosted.git
    sha = git.resolve(f"refs/heads/{ref}") or git.resolve(ref)
    if sha is None:
        raise refused(422, f"No commit found for SHA: {ref}")
    return sha


def set_status(asked: Asked) -> Answer:
    """``POST …/statuses/{sha}``."""
    sent, sha = asked.fields(), asked.parts["sha"]
    if asked.hosted.git.resolve(sha) is None:
        raise refused(422, f"No commit found for SHA: {sha}")
    if sent.get("state") not in _STATES:
        raise invalid("Status", "state is not included in the list", field_name="state")
    description = sent.get("description")
    short_enough(description or "", "Status", "description", _DESCRIPTION_CHARACTERS)
    row = StatusRow(
        id=next(asked.world.ids),
        sha=sha,
        author=asked.token.login,
        state=str(sent["state"]),
        context=str(sent.get("context", "default")),
        description=description,
        target_url=sent.get("target_url"),
        created_at=asked.now,
    )
    asked.hosted.statuses.append(row)
    return Answer(status=201, content=shapes_checks.status(asked.hosted, row, asked.base))


def combined_status(asked: Asked) -> Answer:
    """``GET …/commits/{ref}/status``: the newest of each context."""
    sha, repo = _commit_of(asked), f"{asked.base}/repos/{asked.hosted.full_name}"
    latest = {row.context: row for row in asked.hosted.statuses if row.sha == sha}
    rows = [shapes_checks.simple_status(asked.hosted, row, asked.base) for row in latest.values()]
    page = paged(asked.call, rows, key="statuses")
    content: dict[str, Any] = {
        **page.content,
        "state": shapes_checks.worst([row.state for row in latest.values()]),
        "sha": sha,
        "repository": shapes.repository(asked.hosted, asked.base),
        "commit_url": f"{repo}/commits/{sha}",
        "url": f"{repo}/commits/{sha}/status",
    }
    return Answer(content=content, headers=page.headers)

"""Check runs, annotations, statuses and Apps as GitHub's API describes them.

What this module does not do: it decides nothing. The field names are those of the schemas
``check-run``, ``check-annotation``, ``status``, ``integration`` and ``installation``.
"""

from typing import Any

from weighin.plugin.github.simulator.hosted import CheckRow, Hosted, StatusRow
from weighin.plugin.github.simulator.people import App
from weighin.plugin.github.simulator.shapes import maybe_stamp, node_id, page_of, stamp, user

_BORN = "2018-07-30T09:30:17Z"


def app(number: int, slug: str, base: str) -> dict[str, Any]:
    """``integration``."""
    return {
        "id": number,
        "slug": slug,
        "node_id": node_id("App", number),
        "owner": user("github", base),
        "name": slug,
        "description": "",
        "external_url": "https://github.test/features",
        "html_url": f"{page_of(base)}/apps/{slug}",
        "created_at": _BORN,
        "updated_at": _BORN,
        "permissions": {"checks": "write", "contents": "write", "metadata": "read"},
        "events": [],
    }


def installation(held: App, owner: str, base: str) -> dict[str, Any]:
    """``installation``."""
    url = f"{base}/app/installations/{held.installation_id}"
    return {
        "id": held.installation_id,
        "account": user(owner, base),
        "app_id": held.id,
        "app_slug": held.slug,
        "target_id": user(owner, base)["id"],
        "target_type": "User",
        "repository_selection": "selected",
        "access_tokens_url": f"{url}/access_tokens",
        "repositories_url": f"{base}/installation/repositories",
        "html_url": f"{page_of(base)}/settings/installations/{held.installation_id}",
        "single_file_name": None,
        "permissions": dict(held.permissions),
        "events": [],
        "created_at": _BORN,
        "updated_at": _BORN,
        "suspended_by": None,
        "suspended_at": None,
    }


def check(hosted: Hosted, row: CheckRow, base: str) -> dict[str, Any]:
    """``check-run``."""
    url = f"{base}/repos/{hosted.full_name}/check-runs/{row.id}"
    page = f"{page_of(base)}/{hosted.full_name}/runs/{row.id}"
    writer = row.author
    return {
        "id": row.id,
        "node_id": node_id("CheckRun", row.id),
        "name": row.facts["name"],
        "head_sha": row.sha,
        "external_id": row.facts.get("external_id", ""),
        "url": url,
        "html_url": page,
        "details_url": row.facts.get("details_url", page),
        "status": row.facts.get("status", "queued"),
        "conclusion": row.facts.get("conclusion"),
        "started_at": stamp(row.started_at),
        "completed_at": maybe_stamp(row.completed_at),
        "output": {
            "title": row.title,
            "summary": row.summary,
            "text": row.text,
            "annotations_count": len(row.annotations),
            "annotations_url": f"{url}/annotations",
        },
        "check_suite": {"id": 1 + int(row.sha[:6], 16)},
        "app": app(writer.app_id or 0, writer.app_slug, base),
        "pull_requests": [],
    }


def annotation(hosted: Hosted, row: CheckRow, held: dict[str, Any], base: str) -> dict[str, Any]:
    """``check-annotation``."""
    return {
        "path": held["path"],
        "blob_href": f"{base}/repos/{hosted.full_name}/contents/{held['path']}?ref={row.sha}",
        "start_line": held["start_line"],
        "end_line": held["end_line"],
        "start_column": held.get("start_column"),
        "end_column": held.get("end_column"),
        "annotation_level": held["annotation_level"],
        "title": held.get("title"),
        "message": held["message"],
        "raw_details": held.get("raw_details"),
    }


def simple_status(hosted: Hosted, row: StatusRow, base: str) -> dict[str, Any]:
    """``simple-commit-status``, as the combined one has it."""
    return {
        "id": row.id,
        "node_id": node_id("Status", row.id),
        "url": f"{base}/repos/{hosted.full_name}/statuses/{row.sha}",
        "avatar_url": user(row.author, base)["avatar_url"],
        "state": row.state,
        "context": row.context,
        "description": row.description,
        "target_url": row.target_url,
        "created_at": stamp(row.created_at),
        "updated_at": stamp(row.created_at),
    }


def status(hosted: Hosted, row: StatusRow, base: str) -> dict[str, Any]:
    """``status``."""
    return {**simple_status(hosted, row, base), "creator": user(row.author, base)}


def worst(states: list[str]) -> str:
    """The state of all statuses together."""
    if not states or "pending" in states:
        return "pending" if not {"failure", "error"} & set(states) else "failure"
    return "failure" if {"failure", "error"} & set(states) else "success"

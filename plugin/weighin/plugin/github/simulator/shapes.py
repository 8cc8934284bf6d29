"""Accounts and repositories as GitHub's API describes them.

What this module does not do: it decides nothing. The field names are those of the schemas
``simple-user``, ``minimal-repository`` and ``full-repository`` of GitHub's OpenAPI description.
"""

import base64
import zlib
from datetime import datetime
from typing import Any

from weighin.plugin.github.simulator.hosted import Hosted

_USER_LINKS = {
    "followers_url": "/followers",
    "following_url": "/following{/other_user}",
    "gists_url": "/gists{/gist_id}",
    "starred_url": "/starred{/owner}{/repo}",
    "subscriptions_url": "/subscriptions",
    "organizations_url": "/orgs",
    "repos_url": "/repos",
    "events_url": "/events{/privacy}",
    "received_events_url": "/received_events",
}
_REPOSITORY_LINKS = {
    "archive_url": "/{archive_format}{/ref}",
    "assignees_url": "/assignees{/user}",
    "blobs_url": "/git/blobs{/sha}",
    "branches_url": "/branches{/branch}",
    "collaborators_url": "/collaborators{/collaborator}",
    "comments_url": "/comments{/number}",
    "commits_url": "/commits{/sha}",
    "compare_url": "/compare/{base}...{head}",
    "contents_url": "/contents/{+path}",
    "contributors_url": "/contributors",
    "deployments_url": "/deployments",
    "downloads_url": "/downloads",
    "events_url": "/events",
    "forks_url": "/forks",
    "git_commits_url": "/git/commits{/sha}",
    "git_refs_url": "/git/refs{/sha}",
    "git_tags_url": "/git/tags{/sha}",
    "hooks_url": "/hooks",
    "issue_comment_url": "/issues/comments{/number}",
    "issue_events_url": "/issues/events{/number}",
    "issues_url": "/issues{/number}",
    "keys_url": "/keys{/key_id}",
    "labels_url": "/labels{/name}",
    "languages_url": "/languages",
    "merges_url": "/merges",
    "milestones_url": "/milestones{/number}",
    "notifications_url": "/notifications{?since,all,participating}",
    "pulls_url": "/pulls{/number}",
    "releases_url": "/releases{/id}",
    "stargazers_url": "/stargazers",
    "statuses_url": "/statuses/{sha}",
    "subscribers_url": "/subscribers",
    "subscription_url": "/subscription",
    "tags_url": "/tags",
    "teams_url": "/teams",
    "trees_url": "/git/trees{/sha}",
}


def stamp(when: datetime) -> str:
    """A time as GitHub writes it."""
    return when.strftime("%Y-%m-%dT%H:%M:%SZ")


def maybe_stamp(when: datetime | None) -> str | None:
    """A time, or nothing."""
    return None if when is None else stamp(when)


def node_id(kind: str, number: int) -> str:
    """The opaque id that goes with a number."""
    return base64.b64encode(f"{kind}{number}".encode()).decode()


def user_id(login: str) -> int:
    """A number for an account."""
    return 1 + zlib.crc32(login.lower().encode()) % 10_000_000


def page_of(base: str) -> str:
    """Where the pages are, for an address of the API."""
    return base.removesuffix("/api/v3")


def user(login: str, base: str) -> dict[str, Any]:
    """``simple-user``."""
    number, url = user_id(login), f"{base}/users/{login}"
    links = {name: url + tail for name, tail in _USER_LINKS.items()}
    return {
        "login": login,
        "id": number,
        "node_id": node_id("User", number),
        "avatar_url": f"{page_of(base)}/avatars/{number}",
        "gravatar_id": "",
        "url": url,
        "html_url": f"{page_of(base)}/{login.removesuffix('[bot]')}",
        **links,
        "type": "Bot" if login.endswith("[bot]") else "User",
        "site_admin": False,
    }


def maybe_user(login: str | None, base: str) -> dict[str, Any] | None:
    """``nullable-simple-user``."""
    return None if login is None else user(login, base)


def public_user(login: str, base: str) -> dict[str, Any]:
    """``public-user``, what ``GET /user`` answers."""
    empty = dict.fromkeys(("bio", "blog", "company", "email", "hireable", "location", "name"))
    counts = dict.fromkeys(("followers", "following", "public_gists", "public_repos"), 0)
    times = dict.fromkeys(("created_at", "updated_at"), "2011-01-25T18:44:36Z")
    return {**user(login, base), **empty, **counts, **times}


def repository(hosted: Hosted, base: str) -> dict[str, Any]:
    """``repository``, the middle-sized one; a valid ``minimal-repository`` too."""
    url, page = f"{base}/repos/{hosted.full_name}", f"{page_of(base)}/{hosted.full_name}"
    when = stamp(hosted.created_at)
    counts = ("forks", "forks_count", "open_issues", "open_issues_count", "stargazers_count")
    return {
        "id": hosted.id,
        "node_id": node_id("Repository", hosted.id),
        "name": hosted.name,
        "full_name": hosted.full_name,
        "private": hosted.private,
        "owner": user(hosted.owner, base),
        "html_url": page,
        "description": None,
        "fork": hosted.parent is not None,
        "url": url,
        **{name: url + tail for name, tail in _REPOSITORY_LINKS.items()},
        "clone_url": f"{page}.git",
        "git_url": f"git:{page.split(':', 1)[1]}.git",
        "ssh_url": f"git@github.test:{hosted.full_name}.git",
        "svn_url": page,
        "mirror_url": None,
        "homepage": None,
        "language": None,
        "license": None,
        "default_branch": hosted.default_branch,
        **dict.fromkeys(counts, 0),
        "size": 0,
        "watchers": 0,
        "watchers_count": 0,
        **dict.fromkeys(("has_issues", "has_projects", "has_wiki", "has_downloads"), True),
        **dict.fromkeys(("has_pages", "has_discussions", "archived", "disabled"), False),
        **dict.fromkeys(("created_at", "updated_at", "pushed_at"), when),
        "visibility": "private" if hosted.private else "public",
    }


def full_repository(hosted: Hosted, base: str) -> dict[str, Any]:
    """``full-repository``."""
    shown = {**repository(hosted, base), "network_count": 0, "subscribers_count": 0}
    if hosted.parent is not None:
        shown["parent"] = shown["source"] = repository(hosted.parent, base)
    return shown

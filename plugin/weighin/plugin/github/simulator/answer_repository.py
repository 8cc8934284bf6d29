"""Answers about a repository itself: what it is, its branches, its files.

What this module does not do: it changes nothing; branches move by git alone.
"""

import base64
from typing import Any

from weighin.plugin.github.simulator import shapes, shapes_pull
from weighin.plugin.github.simulator.asked import Asked
from weighin.plugin.github.simulator.gitrepo import Entry
from weighin.plugin.github.simulator.wire import Answer, refused

_INLINE_BYTES = 1_000_000
_TYPES = {"blob": "file", "tree": "dir", "commit": "submodule"}


def repository(asked: Asked) -> Answer:
    """``GET /repos/{owner}/{repo}``."""
    return Answer(content=shapes.full_repository(asked.hosted, asked.base))


def branch(asked: Asked) -> Answer:
    """``GET …/branches/{branch}``."""
    name = asked.parts["branch"]
    sha = asked.hosted.git.head(name)
    if sha is None:
        raise refused(404, "Branch not found")
    facts = asked.hosted.git.commit(sha)
    return Answer(content=shapes_pull.branch(asked.hosted, name, facts, asked.base))


def contents(asked: Asked) -> Answer:
    """``GET …/contents/{path}``: a file in base64, or a folder's list."""
    git, path = asked.hosted.git, asked.parts["path"].strip("/")
    ref = asked.call.query.get("ref") or asked.hosted.default_branch
    sha = git.resolve(f"refs/heads/{ref}") or git.resolve(ref)
    if sha is None:
        raise refused(404, f"No commit found for the ref {ref}")
    entry = git.entry(sha, path)
    if entry is None:
        raise refused(404, "Not Found")
    if entry.kind == "tree":
        rows = [(row, f"{path}/{row.name}") for row in git.entries(entry.sha)]
        return Answer(content=[_content(asked, row, at, ref, list_only=True) for row, at in rows])
    return Answer(content=_content(asked, entry, path, ref, list_only=False))


def blob(asked: Asked) -> Answer:
    """``GET …/git/blobs/{file_sha}``: a file of up to 100 MB."""
    sha = asked.parts["file_sha"]
    data = asked.hosted.git.blob(sha)
    if data is None:
        raise refused(404, "Not Found")
    return Answer(
        content={
            "sha": sha,
            "node_id": shapes.node_id("Blob", int(sha[:8], 16)),
            "url": f"{asked.base}/repos/{asked.hosted.full_name}/git/blobs/{sha}",
            "size": len(data),
            "content": base64.encodebytes(data).decode(),
            "encoding": "base64",
        }
    )


def _content(asked: Asked, entry: Entry, path: str, ref: str, *, list_only: bool) -> dict[str, Any]:
    repo = f"{asked.base}/repos/{asked.hosted.full_name}"
    page = f"{shapes.page_of(asked.base)}/{asked.hosted.full_name}/blob/{ref}/{path}"
    url, git = f"{repo}/contents/{path}?ref={ref}", f"{repo}/git/blobs/{entry.sha}"
    data = asked.hosted.git.blob(entry.sha) if entry.kind == "blob" else None
    shown: dict[str, Any] = {
        "name": path.rsplit("/", 1)[-1],
        "path": path,
        "sha": entry.sha,
        "size": len(data or b""),
        "url": url,
        "html_url": page,
        "git_url": git,
        "download_url": page if data is not None else None,
        "type": _TYPES[entry.kind],
        "_links": {"self": url, "git": git, "html": page},
    }
    if list_only:
        return shown
    if data is None:
        return shown | {"submodule_git_url": "https://github.test/somewhere.git"}
    small = len(data) <= _INLINE_BYTES
    body = base64.encodebytes(data).decode() if small else ""
    return shown | {"content": body, "encoding": "base64" if small else "none"}

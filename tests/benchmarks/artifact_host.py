"""GitHub's artifacts on loopback: enough of the API for one bundle, and a store on another host.

As the real one does, it answers a download with a redirect to a store that must never see the
token; what it did see is remembered.
"""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, cast
from urllib.parse import urlsplit


@dataclass(slots=True, kw_only=True)
class ArtifactHost:
    """What is on GitHub: answers by path, the packed bundle, and who asked with which header.

    Attributes:
        answers: JSON answers by path, without the query.
        packed: What the store holds.
        asked: Path and Authorization header of each request to the API.
        store_saw: Authorization header of each request to the store.
        store: Where downloads are sent, in place of the store.
    """

    answers: dict[str, Any] = field(default_factory=dict[str, Any])
    packed: bytes = b""
    asked: list[tuple[str, str | None]] = field(default_factory=list[tuple[str, str | None]])
    store_saw: list[str | None] = field(default_factory=list[str | None])
    store: str = ""
    address: str = ""


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        host = cast("_Server", self.server).host
        path = urlsplit(self.path).path
        seen = self.headers.get("Authorization")
        if path == "/store":
            host.store_saw.append(seen)
            self._answer(200, host.packed)
            return
        host.asked.append((self.path, seen))
        if path.endswith("/zip"):
            self.send_response(302)
            self.send_header("Location", host.store)
            self.send_header("Content-Length", "0")
            self.end_headers()
        elif path in host.answers:
            self._answer(200, json.dumps(host.answers[path]).encode())
        else:
            self._answer(404, b'{"message": "Not Found"}')

    def _answer(self, code: int, content: bytes) -> None:
        self.send_response(code)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: Any) -> None:
        """Nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    host: ArtifactHost


@contextmanager
def artifact_host() -> Iterator[ArtifactHost]:
    """Serve until the block ends. The store is the same machine under another name."""
    server = _Server(("127.0.0.1", 0), _Handler)
    port = server.server_address[1]
    server.host = ArtifactHost(
        address=f"http://127.0.0.1:{port}", store=f"http://localhost:{port}/store"
    )
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server.host
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def one_run(
    host: ArtifactHost, sha: str, *, branch: str = "evil", number: int = 7
) -> dict[str, Any]:
    """Let the host know an open pull request of a fork and its finished run; the run's event."""
    head = {"full_name": "mallory/models", "owner": {"login": "mallory"}}
    host.answers |= {
        "/repos/octo/models/pulls": [{"number": 7, "head": {"sha": sha, "repo": head}}],
        "/repos/octo/models/actions/runs/99/artifacts": {
            "artifacts": [{"id": 5, "name": "weighin-bundle", "expired": False}]
        },
    }
    return {
        "repository": {"default_branch": "main"},
        "workflow_run": {
            "id": 99,
            "event": "pull_request",
            "head_sha": sha,
            "head_branch": branch,
            "head_repository": head,
        },
    }

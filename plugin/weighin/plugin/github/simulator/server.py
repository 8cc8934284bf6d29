"""The simulated GitHub on a free port of this machine.

What this module does not do: it knows no call; ``routes`` does.
"""

import contextlib
import socket
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self
from urllib.parse import parse_qsl, urlsplit

from weighin.plugin.github.simulator import answer_pulls
from weighin.plugin.github.simulator.faults import Fault
from weighin.plugin.github.simulator.hosted import Hosted
from weighin.plugin.github.simulator.routes import answer
from weighin.plugin.github.simulator.wire import Answer, Call, Exchange, Observer, refused
from weighin.plugin.github.simulator.world import World, utc_now


class GitHubSimulator:
    """A running server; a context manager that ends it.

    Attributes:
        world: What it knows: put repositories, tokens, Apps and faults in here.
    """

    def __init__(
        self,
        *,
        now: Callable[[], datetime] = utc_now,
        hourly_limit: int = 5000,
        prefix: str = "",
        observer: Observer | None = None,
    ) -> None:
        """Start on a free port of 127.0.0.1.

        Args:
            now: The clock, in whole seconds.
            hourly_limit: Calls that a token may make within an hour.
            prefix: ``/api/v3`` to look like GitHub Enterprise.
            observer: Told of every call and its answer, in the server's threads.
        """
        self.world = World(now=now, hourly_limit=hourly_limit)
        self.prefix = prefix
        self._observer = observer
        self._server = _Server(self)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.02,), daemon=True
        )
        self._thread.start()

    @property
    def url(self) -> str:
        """The API's address."""
        return f"http://127.0.0.1:{self._server.server_port}{self.prefix}"

    def answer(self, call: Call) -> Answer | None:
        """What is said to a call, faults included; ``None`` ends the connection."""
        fault = self.world.faults.next_for(call)
        if fault is None:
            return answer(self.world, call)
        return self._faulty(call, fault)

    def _faulty(self, call: Call, fault: Fault) -> Answer | None:
        time.sleep(fault.delay_s)
        real = answer(self.world, call) if fault.applied or fault.answer is None else None
        if fault.drops:
            return None
        return fault.answer or real

    def observe(self, exchange: Exchange) -> None:
        """Tell the observer."""
        if self._observer is not None:
            self._observer(exchange)

    def merge(
        self, hosted: Hosted, number: int, *, login: str = "octocat", method: str = "merge"
    ) -> str:
        """Merge a pull request as somebody; the base branch moves in git to what is returned."""
        with self.world.lock:
            row, now = hosted.pulls[number], self.world.now()
            hosted.follow(row, now)
            return answer_pulls.merge(hosted, row, login=login, now=now, method=method)

    def close(self) -> None:
        """End it."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """It runs already."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        self.close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def __init__(self, simulator: GitHubSimulator) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.simulator = simulator

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away is no news; anything else is."""
        import sys

        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the observer is told."""

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        call = self._call(body)
        simulator = self.server.simulator
        known = call.path.startswith(simulator.prefix)
        local = replace(call, path=call.path.removeprefix(simulator.prefix))
        said = simulator.answer(local) if known else refused(404, "Not Found").answer
        if said is None:
            self.close_connection = True
            with contextlib.suppress(OSError):
                self.connection.shutdown(socket.SHUT_RDWR)
            return
        simulator.observe(Exchange(call=local, answer=said))
        self._send(said)

    def _call(self, body: bytes) -> Call:
        split = urlsplit(self.path)
        return Call(
            method=self.command,
            path=split.path,
            query=dict(parse_qsl(split.query, keep_blank_values=True)),
            headers={name.lower(): text for name, text in self.headers.items()},
            body=body,
            base=self._base(),
        )

    def _base(self) -> str:
        # A proxy in front is named by the Host header, so that links lead through it.
        host = self.headers.get("Host") or urlsplit(self.server.simulator.url).netloc
        return f"http://{host}{self.server.simulator.prefix}"

    def _send(self, said: Answer) -> None:
        body = said.encoded()
        headers = {"Content-Type": "application/json; charset=utf-8", **said.headers}
        if not body:
            headers.pop("Content-Type")
        self.send_response_only(said.status)
        self.send_header("Date", format_datetime(self.server.simulator.world.now(), usegmt=True))
        for name, text in headers.items():
            self.send_header(name, text)
        if said.status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = _serve  # noqa: N815 - http.server's names

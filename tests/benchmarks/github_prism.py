"""Prism as a proxy in front of the simulated GitHub: what breaks the published rules is refused."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).parents[1] / "node/node_modules/@stoplight/prism-cli/dist/index.js"
_START_S = 90


@contextmanager
def proxy(node: str, description: Mapping[str, Any], upstream: str, folder: Path) -> Generator[str]:
    """Start it, and end it with all that it started; its address.

    Args:
        node: The program.
        description: GitHub's, see :func:`github_openapi.extract`.
        upstream: The simulated GitHub.
        folder: Where its rules and its log go.
    """
    rules, log = folder / "github.json", folder / "prism.log"
    rules.write_text(json.dumps(description))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [node, str(PROGRAM), "proxy", str(rules), upstream, "--errors", "-p", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "-h", "127.0.0.1"],
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={"PATH": os.environ["PATH"], "NO_COLOR": "1"},
        )
    try:
        _wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _wait_for(port: int, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.1)
    raise RuntimeError(f"prism did not start:\n{log.read_text()[-2000:]}")

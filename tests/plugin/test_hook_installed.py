"""The hook as users get it: from a built wheel, in processes that know nothing of weighin."""

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from weighin.plugin.outbox import pending, wait_for_hint

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the built wheel, installed, and nothing else."""
    wheels = tmp_path_factory.mktemp("wheels")
    target = tmp_path_factory.mktemp("installed")
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel"]
    run([*build, "--directory", str(wheels)], cwd=ROOT)
    (wheel,) = wheels.glob("weighin-*.whl")
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    run([*pip, "--no-deps", "--target", str(target), str(wheel)], cwd=target)
    return target


def run(command: list[str], *, cwd: Path, env: dict[str, str] | None = None) -> str:
    done = subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def environment(installed: Path, tmp_path: Path) -> dict[str, str]:
    return {
        **os.environ,
        "PYTHONPATH": str(installed),
        "WEIGHIN_OUTBOX": str(tmp_path / "outbox.db"),
        "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_REGISTRY_URI": f"weighin+sqlite:///{tmp_path}/mlflow.db",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }


SCHEMES = """
import importlib.metadata
for point in importlib.metadata.entry_points(group="mlflow.model_registry_store"):
    opener = point.load()
    print(point.name, opener.__module__, opener.__code__.co_filename)
"""


def test_the_wheel_offers_the_hook_for_every_kind_of_registry(
    installed: Path, environment: dict[str, str]
) -> None:
    lines = run([sys.executable, "-c", SCHEMES], cwd=installed, env=environment).splitlines()
    found = {line.split()[0]: line.split()[1:] for line in lines}
    expected = {"sqlite", "postgresql", "mysql", "mssql", "http", "https", "file", "databricks"}
    assert {f"weighin+{scheme}" for scheme in expected} | {"weighin"} <= set(found)
    for name, (module, file) in found.items():
        assert module == "weighin.plugin.hook", name
        assert Path(file).is_relative_to(installed), name


REGISTER = """
import mlflow
client = mlflow.MlflowClient()
client.create_registered_model("digits")
client.create_model_version("digits", "file:///a")
"""


def test_a_training_script_that_never_heard_of_weighin_leaves_a_hint(
    environment: dict[str, str], tmp_path: Path
) -> None:
    run([sys.executable, "-c", REGISTER], cwd=tmp_path, env=environment)
    assert [hint.label for hint in pending(tmp_path / "outbox.db")] == ["digits/1"]


@pytest.fixture
def server(environment: dict[str, str], tmp_path: Path) -> Iterator[str]:
    """`mlflow server` with the hook; yields its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    stores = [f"--backend-store-uri=sqlite:///{tmp_path}/mlflow.db"]
    stores.append(f"--registry-store-uri=weighin+sqlite:///{tmp_path}/mlflow.db")
    where = ["--host=127.0.0.1", f"--port={port}", "--workers=1"]
    command = [sys.executable, "-m", "mlflow", "server", *stores, *where]
    with (tmp_path / "server.log").open("w") as log:
        process = subprocess.Popen(
            command, cwd=tmp_path, env=environment, stdout=log, stderr=log, start_new_session=True
        )
        try:
            wait_until_up(process, f"http://127.0.0.1:{port}", tmp_path / "server.log")
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, 15)
            process.wait(timeout=60)


def wait_until_up(process: "subprocess.Popen[bytes]", address: str, log: Path) -> None:
    for _ in range(600):
        assert process.poll() is None, log.read_text()
        try:
            with urllib.request.urlopen(f"{address}/health", timeout=5):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"mlflow server did not come up:\n{log.read_text()}")


def post(address: str, path: str, **body: str) -> None:
    request = urllib.request.Request(  # noqa: S310 - loopback
        f"{address}/api/2.0/mlflow/{path}",
        data=json.dumps(body).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
        assert answer.status == 200


def test_the_server_sees_what_the_ui_and_rest_clients_register(server: str, tmp_path: Path) -> None:
    post(server, "registered-models/create", name="digits")
    post(server, "model-versions/create", name="digits", source="s3://bucket/model")
    assert wait_for_hint(tmp_path / "outbox.db", timeout_s=30)
    assert [hint.label for hint in pending(tmp_path / "outbox.db")] == ["digits/1"]

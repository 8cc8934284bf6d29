"""The demo, once, and everything that people then do with what it made."""

import json
import os
import shutil
import subprocess
import sys
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
Command = Callable[..., "subprocess.CompletedProcess[str]"]
CHECK_FIELDS = {"metric", "budget", "value", "lower", "upper", "n", "origin", "outcome", "reason"}


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory, weighin: Command) -> Path:
    """As `make demo` does it: in a folder that the repository around it ignores."""
    folder = tmp_path_factory.mktemp("demo") / "digits"
    subprocess.run(["git", "init", "-q"], cwd=folder.parent, check=True)
    (folder.parent / ".gitignore").write_text("/digits/\n")
    said = json.loads(weighin(folder.parent, "demo", "--dir", folder, "--json").stdout)
    assert {version["version"] for version in said["versions"]} == {
        "digits-torch/1",
        "digits-keras/1",
    }
    assert all(version["passed"] for version in said["versions"])
    return folder


def report_of(demo: Path, weighin: Command, model: str) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(weighin(demo, "report", f"{model}/1", "--json").stdout)
    return document


def test_a_folder_that_is_no_demo_is_never_emptied(tmp_path: Path, weighin: Command) -> None:
    (tmp_path / "train_torch.py").write_text("mine")
    assert "not a demo" in weighin(tmp_path, "demo", "--dir", ".", code=2).stderr
    assert [path.name for path in tmp_path.iterdir()] == ["train_torch.py"]


@pytest.mark.parametrize("model", ["digits-torch", "digits-keras"])
def test_every_recipe_in_every_format_is_weighed_on_every_device(
    demo: Path, weighin: Command, model: str
) -> None:
    document = report_of(demo, weighin, model)
    assert document["schema"] == "weighin/report/v1"
    assert document["failures"] == []
    labels = {(v["recipe"], v["format"]) for v in document["variants"]}
    recipes = {
        "float32",
        "fp16",
        "dynamic_int8",
        "int8",
        "prune50",
        "distill50",
        "prune50+distill+int8",
    }
    assert labels == {(r, f) for r in recipes for f in ("litert", "onnx")}
    for variant in document["variants"]:
        assert {d["device"] for d in variant["devices"]} == {
            "host",
            "pixel-4",
            "pixel-3a",
            "pixel-1",
        }
        for device in variant["devices"]:
            assert all(set(check) >= CHECK_FIELDS for check in device["checks"])


def test_the_gate_tells_the_variants_apart(demo: Path, weighin: Command) -> None:
    """The float32 file is over the size budget; something smaller passes on the host."""
    variants = report_of(demo, weighin, "digits-torch")["variants"]
    host = {v["recipe"]: v["devices"][0]["outcome"] for v in variants if v["format"] == "litert"}
    assert host["float32"] == "FAIL"
    assert "PASS" in {host["int8"], host["prune50+distill+int8"]}


def test_phone_numbers_are_labelled_as_predictions_and_have_a_band(
    demo: Path, weighin: Command
) -> None:
    for variant in report_of(demo, weighin, "digits-torch")["variants"]:
        for device in variant["devices"][1:]:
            latency = next(c for c in device["checks"] if c["metric"] == "latency_p90_ms")
            if latency["value"] is None:
                assert latency["outcome"] == "UNDECIDED"
            else:
                assert latency["origin"] == "predicted"
                assert latency["lower"] <= latency["value"] < latency["upper"]


def test_every_variant_is_versioned_by_dvc_committed_and_pushed(demo: Path) -> None:
    def git(*words: str) -> list[str]:
        done = subprocess.run(["git", *words], cwd=demo, capture_output=True, text=True, check=True)
        return done.stdout.splitlines()

    pointers = git("ls-files", "variants/*.dvc")
    assert len(pointers) == 28
    assert "dvc.yaml" in git("ls-files")
    assert not [line for line in git("ls-files") if ".weighin" in line or line.endswith(".pem")]
    remote = [path for path in (demo / ".dvc-remote").rglob("*") if path.is_file()]
    assert len(remote) == len({(demo / p.removesuffix(".dvc")).read_bytes() for p in pointers})


def test_mlflow_shows_verdict_report_and_released_variants(demo: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{demo}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    version = client.get_model_version("digits-torch", "1")
    assert version.tags["weighin.outcome"] == "passed"
    assert "int8.tflite" in str(version.description)
    files = {file.path for file in client.list_artifacts(version.tags["weighin.report"])}
    assert {"report.html", "report.md", "report.json"} <= files
    released = client.get_model_version_by_alias("digits-torch-mobile", "dev")
    assert released.tags["weighin.role"] == "variant"


def test_a_second_run_and_sync_and_promote_change_nothing(demo: Path, weighin: Command) -> None:
    before = _state(demo)
    first = report_of(demo, weighin, "digits-torch")
    again = json.loads(weighin(demo, "run", "digits-torch/1", "--json").stdout)
    assert again == first
    assert json.loads(weighin(demo, "sync", "--json").stdout) == []
    weighin(demo, "promote", "digits-torch/1")
    assert _state(demo) == before


def _state(demo: Path) -> tuple[object, ...]:
    from mlflow import MlflowClient

    uri = f"sqlite:///{demo}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    versions = sorted(
        (v.name, v.version, v.last_updated_timestamp) for v in client.search_model_versions()
    )
    head = subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=demo, capture_output=True, check=True
    ).stdout
    channel = {p.name: p.read_bytes() for p in (demo / ".weighin/channel/metadata").iterdir()}
    return versions, head, channel


def test_the_doctor_finds_nothing_missing(demo: Path, weighin: Command) -> None:
    findings = json.loads(weighin(demo, "doctor", "--json", code=None).stdout)
    assert [f["what"] for f in findings if not f["ok"] and f["what"] != "isolation"] == []


@pytest.fixture(scope="module")
def base_install(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A separate environment with the base package only, as an app's build has it."""
    home = tmp_path_factory.mktemp("base")
    venv.create(home / "venv", with_pip=True)
    python = home / "venv/bin/python"
    root = Path(__file__).parents[2]
    wheel: list[str | Path] = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        home,
        root,
    ]
    install: list[str | Path] = [
        python,
        "-m",
        "pip",
        "install",
        "-q",
        "-c",
        root / "constraints.txt",
    ]
    subprocess.run(wheel, check=True, capture_output=True)
    subprocess.run([*install, *home.glob("weighin-*.whl")], check=True, capture_output=True)
    return home / "venv/bin/weighin"


@pytest.fixture
def app(demo: Path, tmp_path: Path, base_install: Path, serve: Callable[[Path], str]) -> "App":
    channel = Path(shutil.copytree(demo / ".weighin/channel", tmp_path / "channel"))
    return App(tool=base_install, folder=tmp_path / "app", channel=channel, url=serve(channel))


class App:
    """An app's build: a folder, the base package, and a channel on a web server."""

    def __init__(self, *, tool: Path, folder: Path, channel: Path, url: str) -> None:
        self.tool, self.folder, self.channel, self.url = tool, folder, channel, url
        folder.mkdir()
        shutil.copy(channel / "root.json", folder / "root.json")

    def pull(self, *words: str, device: str = "pixel-4", model: str = "digits-torch") -> int:
        first = [model, "--device", device, "--channel", self.url, "--root", "root.json"]
        command: list[str | Path] = [self.tool, "pull", *(words or first), "--cache", ".cache"]
        done = subprocess.run(
            command,
            cwd=self.folder,
            env={**os.environ},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stderr, done.stderr
        self.said = done.stdout + done.stderr
        return done.returncode

    @property
    def model(self) -> Path:
        return self.folder / "digits-torch.tflite"


def test_the_base_install_pulls_the_best_passing_variant(demo: Path, app: App) -> None:
    assert app.pull() == 0
    lock = json.loads((app.folder / "model.lock").read_text())
    kept = demo / "variants/digits-torch/v1" / f"{lock['file']['recipe']}.tflite"
    assert app.model.read_bytes() == kept.read_bytes()
    packages = app.tool.parent.parent / "lib"
    assert not list(packages.rglob("mlflow"))
    assert not list(packages.rglob("torch"))


def test_pull_again_verify_and_frozen_agree(app: App) -> None:
    assert app.pull() == 0
    assert app.pull("--frozen") == 0
    assert "unchanged" in app.said
    app.model.unlink()
    assert app.pull("--frozen") == 0
    verify: list[str | Path] = [app.tool, "verify"]
    assert subprocess.run(verify, cwd=app.folder, check=False, capture_output=True).returncode == 0
    app.model.write_bytes(b"swapped")
    assert subprocess.run(verify, cwd=app.folder, check=False, capture_output=True).returncode == 10


def test_a_flipped_byte_in_the_model_is_refused(app: App) -> None:
    target = next(path for path in (app.channel / "targets").rglob("*.tflite") if path.is_file())
    for path in (app.channel / "targets").rglob("*.tflite"):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        path.write_bytes(content)
    assert target.exists()
    assert app.pull() == 11
    assert not app.model.exists()


def test_a_flipped_byte_in_the_metadata_is_refused(app: App) -> None:
    path = app.channel / "metadata" / "timestamp.json"
    path.write_bytes(
        path.read_bytes()
        .replace(b'"version": 1', b'"version": 9')
        .replace(b'"version":', b'"version" :', 1)
    )
    content = bytearray(path.read_bytes())
    content[content.index(b"sig") + 8] ^= 1
    path.write_bytes(content)
    assert app.pull() == 11


def test_a_channel_that_went_back_in_time_is_refused(
    demo: Path, app: App, weighin: Command
) -> None:
    from datetime import UTC, datetime

    from weighin.registry.channel import refresh_timestamp
    from weighin.registry.keys import load_dev_signers

    older = Path(shutil.copytree(app.channel, app.folder / "older"))
    refresh_timestamp(app.channel, load_dev_signers(demo / ".weighin/keys"), datetime.now(UTC))
    assert app.pull() == 0
    shutil.rmtree(app.channel)
    shutil.copytree(older, app.channel)
    shutil.rmtree(app.folder / ".cache")
    assert app.pull() == 12
    assert app.model.exists()


def test_an_expired_channel_is_refused(demo: Path, app: App) -> None:
    from datetime import UTC, datetime, timedelta

    from weighin.registry.channel import refresh_timestamp
    from weighin.registry.keys import load_dev_signers

    long_ago = datetime.now(UTC) - timedelta(days=60)
    refresh_timestamp(app.channel, load_dev_signers(demo / ".weighin/keys"), long_ago)
    assert app.pull() == 13


def test_without_network_the_lock_and_cache_still_do(app: App) -> None:
    assert app.pull() == 0
    app.model.unlink()
    app.url = "http://127.0.0.1:9"
    lock = app.folder / "model.lock"
    lock.write_text(
        lock.read_text().replace(json.loads(lock.read_text())["channel"]["location"], app.url)
    )
    assert app.pull("digits-torch") == 0
    assert app.model.exists()
    assert "cannot be reached" in app.said


def test_without_network_and_lock_there_is_nothing_to_pull(app: App) -> None:
    app.url = "http://127.0.0.1:9"
    assert app.pull() == 14


@pytest.mark.parametrize("device", ["redmi-6-pro", "pixel-3"])
def test_a_device_that_nothing_passed_on_gets_nothing(app: App, device: str) -> None:
    assert app.pull(device=device) == 15
    assert list(app.folder.glob("*.tflite")) == []


def test_edited_evidence_is_not_promoted(demo: Path, weighin: Command, tmp_path: Path) -> None:
    """Somebody turns a FAIL into a PASS by hand, in the report and in the statement."""
    project = Path(shutil.copytree(demo, tmp_path / "demo", symlinks=True))
    evidence = project / ".weighin/runs/digits-torch/v1/evidence/float32.tflite@host.json"
    envelope = json.loads(evidence.read_text())
    import base64

    payload = base64.b64decode(envelope["payload"]).replace(b'"at_most": 0.15', b'"at_most": 9.15')
    envelope["payload"] = base64.b64encode(payload).decode()
    evidence.write_text(json.dumps(envelope))
    done = weighin(project, "promote", "digits-torch/1", code=1)
    assert "bad signature" in done.stderr


def test_a_swapped_variant_file_is_not_promoted(
    demo: Path, weighin: Command, tmp_path: Path
) -> None:
    project = Path(shutil.copytree(demo, tmp_path / "demo", symlinks=True))
    variant = project / "variants/digits-torch/v1/int8.tflite"
    variant.unlink()
    variant.write_bytes(b"something else")
    done = weighin(project, "promote", "digits-torch/1", code=1)
    assert "not the one that was weighed" in done.stderr

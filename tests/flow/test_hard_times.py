"""Bad input, killed processes and hostile models: a clear error, and nothing lost."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Command = Callable[..., "subprocess.CompletedProcess[str]"]
Environment = Callable[..., dict[str, str]]
WEIGHIN = Path(sys.executable).with_name("weighin")


def test_a_version_registered_without_the_hook_is_found_and_weighed_once(
    tiny: Path, weighin: Command
) -> None:
    assert [d["version"] for d in json.loads(weighin(tiny, "sync", "--json").stdout)] == ["tiny/1"]
    assert json.loads(weighin(tiny, "sync", "--json").stdout) == []


def test_killed_in_the_middle_the_next_sync_goes_on(
    tiny: Path, weighin: Command, kept_builds: Callable[[Path], dict[Path, int]]
) -> None:
    first = subprocess.Popen(
        [WEIGHIN, "sync"],
        cwd=tiny,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    wait_for(lambda: bool(kept_builds(tiny)), first)
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    assert not (tiny / ".weighin/runs").exists()
    kept = kept_builds(tiny)
    done = json.loads(weighin(tiny, "sync", "--json").stdout)
    assert [d["version"] for d in done] == ["tiny/1"]
    assert done[0]["passed"]
    assert kept.items() <= kept_builds(tiny).items()


def test_two_syncs_at_once_weigh_everything_once(tiny: Path) -> None:
    both = [
        subprocess.Popen(
            [WEIGHIN, "sync", "--json"],
            cwd=tiny,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate()[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    weighed = [d["version"] for output in outputs for d in json.loads(output)]
    assert weighed == ["tiny/1"]


def wait_for(condition: Callable[[], bool], process: "subprocess.Popen[bytes]") -> None:
    for _ in range(1200):
        if condition():
            return
        assert process.poll() is None, "it ended before it got there"
        time.sleep(0.05)
    raise AssertionError("it never got there")


def spoil(folder: Path, **changed: np.ndarray) -> None:
    with np.load(folder) as archive:
        arrays = {name: archive[name] for name in archive.files}
    everything: dict[str, Any] = {**arrays, **changed}
    np.savez(folder, **everything)


def rows(folder: Path, name: str) -> np.ndarray:
    with np.load(folder) as archive:
        return np.asarray(archive[name])


def one_class(data: Path) -> None:
    spoil(data / "evaluation.npz", y=np.zeros(500, dtype="int64"))


def wrong_shape(data: Path) -> None:
    spoil(data / "evaluation.npz", x=rows(data / "evaluation.npz", "x").transpose(0, 2, 3, 1))


def not_a_number(data: Path) -> None:
    x = rows(data / "evaluation.npz", "x")
    x[17, 0, 0, 0] = np.nan
    spoil(data / "evaluation.npz", x=x)


def empty(data: Path) -> None:
    x, y = rows(data / "evaluation.npz", "x"), rows(data / "evaluation.npz", "y")
    spoil(data / "evaluation.npz", x=x[:0], y=y[:0])


def shared_rows(data: Path) -> None:
    x = rows(data / "calibration.npz", "x")
    x[:5] = rows(data / "evaluation.npz", "x")[:5]
    spoil(data / "calibration.npz", x=x)


def missing(data: Path) -> None:
    (data / "evaluation.npz").unlink()


@pytest.mark.parametrize(
    ("breaks", "said"),
    [
        pytest.param(one_class, "class", id="one-class"),
        pytest.param(wrong_shape, "shape", id="wrong-shape"),
        pytest.param(not_a_number, "17", id="nan"),
        pytest.param(empty, "row", id="empty"),
        pytest.param(shared_rows, "calibration", id="overlap-with-calibration"),
        pytest.param(missing, "there is no file", id="missing-file"),
    ],
)
def test_broken_data_stops_before_anything_is_spent(
    tiny: Path, weighin: Command, breaks: Callable[[Path], None], said: str
) -> None:
    breaks(tiny / "data")
    done = weighin(tiny, "run", "tiny/1", code=1)
    assert said in done.stderr
    assert not (tiny / ".weighin/work/build").exists()
    assert not (tiny / "variants").exists()


def test_the_refusal_in_mlflow_names_expectation_and_rows(tiny: Path, weighin: Command) -> None:
    weighin(tiny, "data", "freeze", "tiny")
    x = rows(tiny / "data/evaluation.npz", "x")
    x[17, 0, 0, 0] = 99
    spoil(tiny / "data/evaluation.npz", x=x)
    said = weighin(tiny, "run", "tiny/1", code=1).stderr
    line = "the highest seen' of its committed suite is broken: 1 of 500 rows break it with 99.0"
    assert f"{line} (first at rows 17)" in said
    description = str(version_of(tiny).description)
    assert f"{line} (first at rows 17)" in description
    assert "not weighed" in description
    assert version_of(tiny).tags["weighin.outcome"] == "refused"


def version_of(project: Path) -> Any:
    from mlflow import MlflowClient

    uri = f"sqlite:///{project}/mlflow.db"
    return MlflowClient(tracking_uri=uri, registry_uri=uri).get_model_version("tiny", "1")


def test_a_suite_makes_the_version_due_and_drift_is_told_from_the_release(
    weighed: Path, weighin: Command
) -> None:
    def report() -> Any:
        return json.loads(weighin(weighed, "run", "tiny/1", "--json").stdout)

    first = report()
    assert first["data_report"]["drift"] is None
    assert {one["suite_sha256"] for one in first["data_report"]["sets"]} == {""}

    weighin(weighed, "promote", "tiny/1")
    path = weighed / "data/evaluation.npz"
    keep = np.flatnonzero((rows(path, "y") > 2) | (np.arange(500) % 5 == 0))
    spoil(path, x=rows(path, "x")[keep], y=rows(path, "y")[keep])
    weighin(weighed, "data", "freeze", "tiny")
    second = report()
    assert second["plan_digest"] != first["plan_digest"]
    assert all(one["suite_expectations"] > 9 for one in second["data_report"]["sets"])
    assert "evaluation suite" in [one["role"] for one in second["data"]]
    drift = second["data_report"]["drift"]
    assert (drift["released"], drift["same"]) == ("tiny/1", False)
    assert [one["what"] for one in drift["comparisons"] if one["notable"]] == ["labels"]
    assert "! drift" in weighin(weighed, "report", "tiny/1").stdout


def test_a_wrong_configuration_is_a_usage_error(tiny: Path, weighin: Command) -> None:
    config = tiny / "weighin.toml"
    config.write_text(config.read_text().replace("size_mib = 1", "size = 1"))
    done = weighin(tiny, "run", "tiny/1", code=2)
    assert "weighin.toml: budgets.default.size: unknown budget" in done.stderr


def test_a_version_that_does_not_exist_is_named(tiny: Path, weighin: Command) -> None:
    assert "tiny" in weighin(tiny, "run", "tiny/7", code=1).stderr


def register_pickle(project: Path, harm: str, clean_environment: Environment) -> None:
    """A pickled model that does harm as soon as it is loaded."""
    code = project / "code"
    code.mkdir()
    (code / "hostile.py").write_text(
        "import os, time\n"
        "class Bomb:\n"
        "    def __reduce__(self):\n"
        f"        return (exec, ({harm!r},))\n"
    )
    script = (
        "import sys; sys.path.insert(0, 'code')\n"
        "import hostile, mlflow, torch\n"
        "from torch import nn\n"
        "model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n"
        "model.extra = hostile.Bomb()\n"
        "mlflow.pytorch.log_model(model, name='model', serialization_format='pickle',"
        " pip_requirements=['torch'], registered_model_name='hostile')\n"
    )
    env = clean_environment(MLFLOW_TRACKING_URI=f"sqlite:///{project}/mlflow.db")
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=project,
        env=env,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    config = (project / "weighin.toml").read_text().replace("[models.tiny]", "[models.hostile]")
    build = "[build]\ntime_limit_s = 20\nmemory_limit_mib = 1500\n"
    (project / "weighin.toml").write_text(build + config)


def trust(project: Path) -> None:
    config = project / "weighin.toml"
    config.write_text(config.read_text() + "trust_pickle = true\n")


def test_a_pickle_is_not_loaded_without_the_owners_word(
    tiny: Path, weighin: Command, clean_environment: Environment
) -> None:
    register_pickle(tiny, f"open({str(tiny / 'ran')!r}, 'w').close()", clean_environment)
    done = weighin(tiny, "run", "hostile/1", code=1)
    assert "trust_pickle" in done.stderr
    assert not (tiny / "ran").exists()


@pytest.mark.parametrize(
    ("harm", "said"),
    [
        pytest.param(
            "import os; os.kill(os.getpid(), 11)", "hostile/1 cannot be used", id="crashes"
        ),
        pytest.param("import time; time.sleep(600)", "timed out after 20 s", id="hangs"),
        pytest.param(
            "x = [bytearray(b'x' * 2**26) for _ in range(400)]", "memory", id="eats-memory"
        ),
    ],
)
def test_a_model_that_does_harm_when_loaded_is_a_recorded_refusal(
    tiny: Path, weighin: Command, clean_environment: Environment, harm: str, said: str
) -> None:
    register_pickle(tiny, harm, clean_environment)
    trust(tiny)
    assert said in weighin(tiny, "run", "hostile/1", code=1).stderr
    assert json.loads(weighin(tiny, "sync", "--json", code=None).stdout) == []


def test_a_trusted_pickle_without_signature_or_example_is_weighed(
    tiny: Path, weighin: Command, clean_environment: Environment
) -> None:
    """The data says what it takes. Untrained, it classifies by chance, and so do its variants."""
    register_pickle(tiny, "harmless = True", clean_environment)
    trust(tiny)
    document = json.loads(weighin(tiny, "run", "hostile/1", "--json", code=None).stdout)
    assert document["failures"] == []
    assert document["reference_accuracy"] < 0.5
    assert {v["recipe"] for v in document["variants"]} == {"float32", "int8"}


def test_a_trusted_pickle_sees_no_secret(
    tiny: Path, weighin: Command, clean_environment: Environment
) -> None:
    """It may run, but neither the environment nor the key folder tells it anything."""
    key = tiny / ".weighin/keys/evidence.pem"
    look = (
        "import os\n"
        "names = [n for n in os.environ if 'TOKEN' in n or 'MLFLOW_TRACKING' in n]\n"
        f"raise SystemExit('SEEN ' + repr(names) + str(os.path.exists({str(key)!r})))"
    )
    register_pickle(tiny, look, clean_environment)
    trust(tiny)
    env = {"GITHUB_TOKEN": "t", "MLFLOW_TRACKING_TOKEN": "t"}
    said = weighin(tiny, "run", "hostile/1", code=1, env=env).stderr
    if "SEEN []True" in said:
        pytest.skip("no user namespaces here: folders cannot be hidden from children")
    assert "SEEN []False" in said


def test_asked_to_measure_again_it_does(weighed: Path, weighin: Command) -> None:
    def measured_at(*words: str) -> set[str]:
        document = json.loads(weighin(weighed, "run", "tiny/1", "--json", *words).stdout)
        readings = [reading for v in document["variants"] for reading in v["readings"]]
        return {reading["measured_at"] for reading in readings if "value" in reading}

    before = measured_at()
    assert before
    assert measured_at() == before
    assert not measured_at("--again") & before


def test_nothing_passes_and_the_exit_code_says_so(weighed: Path, weighin: Command) -> None:
    config = weighed / "weighin.toml"
    config.write_text(config.read_text().replace("size_mib = 1", "size_mib = 0.0001"))
    done = weighin(weighed, "run", "tiny/1", code=3)
    assert "size" in done.stdout
    assert "nothing may be released" in weighin(weighed, "promote", "tiny/1", code=3).stdout


def test_no_space_left_while_publishing_leaves_the_channel_as_it_was(
    weighed: Path, weighin: Command
) -> None:
    """A real full disk: the channel's folder is a file system of 64 KiB."""
    script = (
        'mount -t tmpfs -o size=64k none "$1" || exit 77; cp -r "$2/." "$1" && '
        'head -c 200000 /dev/zero > "$1/filler" 2>/dev/null; '
        '"$3" promote tiny/1; code=$?; rm -f "$1/filler"; rm -rf "$4"; cp -r "$1" "$4"; exit $code'
    )
    channel = weighed / ".weighin/channel"
    before, after = weighed / "before", weighed / "after"
    subprocess.run(["cp", "-r", channel, before], check=True)
    command: list[str | Path] = [
        "unshare",
        "-rm",
        "sh",
        "-c",
        script,
        "sh",
        channel,
        before,
        WEIGHIN,
        after,
    ]
    done = subprocess.run(command, cwd=weighed, capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine lets nobody mount a small file system")
    assert done.returncode == 1, done.stderr
    assert "space" in done.stderr
    assert "Traceback" not in done.stderr
    kept = {p.name: p.read_bytes() for p in (after / "metadata").iterdir() if p.suffix == ".json"}
    assert kept["timestamp.json"] == (before / "metadata/timestamp.json").read_bytes()
    weighin(weighed, "promote", "tiny/1")


@pytest.mark.parametrize(
    "size",
    [
        pytest.param("40k", id="fetching"),
        pytest.param("250k", id="writing a file"),
    ],
)
def test_no_space_left_for_work_is_said_and_the_next_run_goes_on(
    tiny: Path, weighin: Command, size: str
) -> None:
    """A real full disk: work in progress is kept on a small file system."""
    work = tiny / ".weighin/work"
    work.mkdir(parents=True, exist_ok=True)
    script = f'mount -t tmpfs -o size={size} none "$1" || exit 77; "$2" run tiny/1'
    command: list[str | Path] = ["unshare", "-rm", "sh", "-c", script, "sh", work, WEIGHIN]
    done = subprocess.run(command, cwd=tiny, capture_output=True, text=True, check=False)
    if done.returncode == 77 or "unshare failed" in done.stderr:
        pytest.skip("this machine lets nobody mount a small file system")
    assert done.returncode == 1, done.stderr
    assert "No space left on device" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    weighin(tiny, "run", "tiny/1")


REGISTER_AGAIN = """
import mlflow
client = mlflow.MlflowClient()
first = client.get_model_version("tiny", "1")
client.create_model_version("tiny", first.source, first.run_id)
"""


def test_a_registration_through_the_hook_wakes_the_watching_worker(
    weighed: Path, clean_environment: Environment
) -> None:
    """And the same model registered again is not built again: it is kept by content."""
    built = {path: path.stat().st_mtime_ns for path in weighed.glob(".weighin/work/build/cache/*")}
    command: list[str | Path] = [WEIGHIN, "sync", "--watch", "--every", "3600"]
    log = weighed / "watch.log"
    with log.open("w") as sink:
        worker = subprocess.Popen(command, cwd=weighed, stdout=sink, stderr=sink)
    try:
        wait_for(lambda: "watching" in log.read_text(), worker)
        time.sleep(5)
        env = clean_environment(
            MLFLOW_TRACKING_URI=f"sqlite:///{weighed}/mlflow.db",
            MLFLOW_REGISTRY_URI=f"weighin+sqlite:///{weighed}/mlflow.db",
        )
        again = [sys.executable, "-c", REGISTER_AGAIN]
        subprocess.run(again, cwd=weighed, env=env, check=True, capture_output=True)
        wait_for(lambda: "tiny/2: passed" in log.read_text(), worker)
    finally:
        worker.terminate()
        worker.wait()
    assert {p: p.stat().st_mtime_ns for p in weighed.glob(".weighin/work/build/cache/*")} == built

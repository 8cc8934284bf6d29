"""``weighin device add`` and ``measure`` on simulated phones, through a real adb server."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from weighin.gates.devices.phone.runs_file import read_runs
from weighin.gates.devices.phone_run import Missing, PhoneRun
from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.clock import ManualClock
from weighin.gates.devices.simulator.faults import Fault, Faults
from weighin.gates.devices.simulator.phone import SimulatedPhone, simulated
from weighin.gates.devices.simulator.server import AdbSimulator
from weighin.gates.devices.simulator.tools import Tool, tool_bytes
from weighin.gates.profile import load_profile
from weighin.gates.stats import Interval
from weighin.plugin.cli import main

Start = Callable[..., AdbSimulator]
QUICK = ("--no-memory", "--threads", "4")


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts an adb server with these phones, and goes to an empty project."""
    (tmp_path / "weighin.toml").write_text('[phones]\nbenchmark_model_version = "2.3.0"\n')
    monkeypatch.chdir(tmp_path)
    with ExitStack() as stack:

        def begin(*phones: SimulatedPhone) -> AdbSimulator:
            simulator = stack.enter_context(AdbSimulator(phones, clock=ManualClock()))
            monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(simulator.port))
            return simulator

        yield begin


@pytest.fixture
def model(tmp_path: Path, tiny_tflite: Path) -> Path:
    path = tmp_path / "int8.tflite"
    path.write_bytes(tiny_tflite.read_bytes())
    return path


def phone(*names: Fault, profile: str = "pixel-4", serial: str = "A") -> SimulatedPhone:
    made = simulated(load_profile(profile), serial=serial)
    return replace(made, faults=Faults(names=frozenset(names)))


def tool(folder: Path, build: ToolBuild = ToolBuild.NEW, kind: Tool = Tool.BENCHMARK_MODEL) -> str:
    path = folder / kind.value
    path.write_bytes(tool_bytes(kind, build))
    return str(path)


def runs(folder: Path, name: str = "simulated-pixel-4") -> tuple[PhoneRun, ...]:
    return read_runs(folder / "devices", name).runs


def measure(folder: Path, *more: str) -> int:
    return main(["device", "measure", "int8.tflite", "--tool", tool(folder), *QUICK, *more])


def test_a_phone_becomes_a_profile_and_a_model_a_run(
    start: Start, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone())
    assert main(["device", "add"]) == 0
    profile = load_profile("simulated-pixel-4", tmp_path / "devices")
    assert profile.source.startswith("read over adb on 20")
    assert [(c.core, c.count, c.source) for c in profile.clusters] == [
        ("cortex-a76", 1, profile.source),
        ("cortex-a76", 3, profile.source),
        ("cortex-a55", 4, profile.source),
    ]
    power = profile.clusters[0].power
    assert power is not None
    assert "freqbench" in power.source
    assert measure(tmp_path) == 0
    (run,) = runs(tmp_path)
    assert isinstance(run.latency_ms, Interval)
    assert run.simulated
    assert (run.cores, run.processes, run.n) == ("f0", 30, 90)
    assert run.terms is not None
    assert run.runtime_version == "2.3.0"
    assert "SIMULATED: no evidence" in capsys.readouterr().out
    written = (tmp_path / "devices" / "simulated-pixel-4.runs.jsonl").read_text()
    assert '"A"' not in written


def test_the_float_model_is_interleaved(start: Start, tmp_path: Path, model: Path) -> None:
    start(phone())
    assert main(["device", "add"]) == 0
    slower = np.zeros((400, 400), np.float32)
    (tmp_path / "float32.tflite").write_bytes(_dense(slower))
    assert measure(tmp_path, "--float", "float32.tflite") == 0
    (run,) = runs(tmp_path)
    assert isinstance(run.ratio, Interval)
    assert run.ratio.upper < 1
    assert len(run.reference_sha256) == 64


def _dense(weights: np.ndarray[tuple[int, int], np.dtype[np.float32]]) -> bytes:
    """A .tflite with these weights, by way of the tests' own writer."""
    import importlib.util

    spec = importlib.util.spec_from_file_location(
        "shared", Path(__file__).parents[1] / "conftest.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    made: bytes = module.dense_tflite(weights, np.zeros(weights.shape[1], np.float32))
    return made


@pytest.mark.parametrize("fault", [Fault.DECIMAL_COMMA, Fault.SCIENTIFIC, Fault.NO_THERMAL_HAL])
def test_numbers_are_the_same_however_they_are_printed(
    start: Start, tmp_path: Path, model: Path, fault: Fault
) -> None:
    start(phone(), phone(fault, serial="B"))
    assert main(["device", "add", "--serial", "A"]) == 0
    assert main(["device", "add", "--serial", "B", "--name", "simulated-other"]) == 0
    assert measure(tmp_path, "--serial", "A", "--serial", "B") == 0
    (usual,), (other,) = runs(tmp_path), runs(tmp_path, "simulated-other")
    assert isinstance(usual.latency_ms, Interval)
    assert isinstance(other.latency_ms, Interval)
    assert other.latency_ms.value == pytest.approx(usual.latency_ms.value, rel=0.01)


@pytest.mark.parametrize("build", list(ToolBuild))
def test_tools_of_every_age_are_understood(
    start: Start, tmp_path: Path, model: Path, build: ToolBuild
) -> None:
    start(phone())
    assert main(["device", "add"]) == 0
    path = tool(tmp_path, build)
    assert main(["device", "measure", "int8.tflite", "--tool", path, *QUICK]) == 0
    assert isinstance(runs(tmp_path)[0].latency_ms, Interval)


def test_onnx_files_are_measured_with_onnx_runtimes_own_tool(start: Start, tmp_path: Path) -> None:
    from onnx import TensorProto, helper, numpy_helper, save

    weights = numpy_helper.from_array(np.ones((8, 3), np.float32), "w")
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "tiny",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 8])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 3])],
        [weights],
    )
    save(helper.make_model(graph, ir_version=10), tmp_path / "m.onnx")
    start(phone())
    assert main(["device", "add"]) == 0
    path = tool(tmp_path, kind=Tool.PERF_TEST)
    command = ["device", "measure", "m.onnx", "--tool", path, "--runtime-version", "1.31.1"]
    assert main([*command, *QUICK]) == 0
    (run,) = runs(tmp_path)
    assert isinstance(run.latency_ms, Interval)
    assert (run.format.value, run.n) == ("onnx", 90)


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.NO_SPACE, "MiB free in /data/local/tmp"),
        (Fault.OTHER_ABI, "is it the build for this phone's ABI?"),
    ],
)
def test_a_phone_that_cannot_take_the_tool_is_refused_without_a_run(
    start: Start,
    tmp_path: Path,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    fault: Fault,
    says: str,
) -> None:
    start(phone(fault))
    assert main(["device", "add"]) == 0
    assert measure(tmp_path) == 1
    assert says in capsys.readouterr().err
    assert runs(tmp_path) == ()


def test_a_tool_for_another_abi_is_refused_before_it_is_pushed(
    start: Start, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone(Fault.OTHER_ABI))
    assert main(["device", "add"]) == 0
    path = tmp_path / "benchmark_model"
    path.write_bytes(b"\x7fELF\x02\x01\x01" + bytes(11) + (183).to_bytes(2, "little"))
    assert main(["device", "measure", "int8.tflite", "--tool", str(path)]) == 1
    said = capsys.readouterr().err
    assert "is built for arm64-v8a, but phone A runs armeabi-v7a" in said


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.TOOL_CRASHES, "killed by SIGSEGV"),
        (Fault.UNRESOLVED_OPERATOR, "failed to prepare"),
    ],
)
def test_a_model_that_crashes_the_tool_is_a_run_with_the_tools_words(
    start: Start, tmp_path: Path, model: Path, fault: Fault, says: str
) -> None:
    start(phone(fault))
    assert main(["device", "add"]) == 0
    assert measure(tmp_path) == 1
    (run,) = runs(tmp_path)
    assert isinstance(run.latency_ms, Missing)
    assert says in run.latency_ms.reason


def test_a_delegate_that_falls_back_silently_gives_no_latency(
    start: Start, tmp_path: Path, model: Path
) -> None:
    start(phone(Fault.DELEGATE_FALLBACK))
    assert main(["device", "add"]) == 0
    assert measure(tmp_path) == 0
    assert measure(tmp_path, "--delegate", "gpu") == 1
    plain, asked = runs(tmp_path)
    assert isinstance(plain.latency_ms, Interval)
    assert "TfLiteXNNPackDelegate runs" in dict(plain.conditions)["partition"]
    assert isinstance(asked.latency_ms, Missing)
    assert "the gpu delegate fell back" in asked.latency_ms.reason


def test_without_taskset_the_run_says_that_nothing_was_pinned(
    start: Start, tmp_path: Path, model: Path
) -> None:
    start(phone(Fault.TASKSET_MISSING))
    assert main(["device", "add"]) == 0
    assert measure(tmp_path) == 0
    assert runs(tmp_path)[0].cores == ""


def test_a_phone_that_charges_is_timed_but_its_energy_is_refused(
    start: Start, tmp_path: Path, model: Path
) -> None:
    start(phone(Fault.CHARGING))
    assert main(["device", "add"]) == 0
    assert measure(tmp_path, "--energy") == 0
    (run,) = runs(tmp_path)
    assert isinstance(run.latency_ms, Interval)
    assert isinstance(run.energy_mj, Missing)
    assert "it is charging" in run.energy_mj.reason
    assert dict(run.conditions)["power"].startswith("AC")


def test_two_phones_with_one_name_get_two_profiles_and_are_measured_together(
    start: Start, tmp_path: Path, model: Path
) -> None:
    start(phone(serial="A"), phone(serial="B"))
    assert main(["device", "add", "--serial", "A"]) == 0
    assert main(["device", "add", "--serial", "B"]) == 0
    names = sorted(path.stem for path in (tmp_path / "devices").glob("*.toml"))
    assert len(names) == 2
    assert names[1].startswith("simulated-pixel-4-")
    assert measure(tmp_path, "--serial", "A", "--serial", "B") == 0
    first, second = (runs(tmp_path, name) for name in names)
    assert len(first) == len(second) == 1
    assert first[0].serial_sha256 != second[0].serial_sha256


def test_one_phone_that_fails_does_not_stop_the_other(
    start: Start, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone(serial="A"), phone(Fault.NO_SPACE, serial="B"))
    assert main(["device", "add", "--serial", "A"]) == 0
    assert main(["device", "add", "--serial", "B", "--name", "simulated-full"]) == 0
    assert measure(tmp_path, "--serial", "A", "--serial", "B") == 1
    assert len(runs(tmp_path)) == 1
    assert runs(tmp_path, "simulated-full") == ()
    assert "simulated-full: stopped: phone B has" in capsys.readouterr().err


def test_a_phone_that_is_unplugged_in_the_middle_and_comes_back_loses_nothing(
    start: Start, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    leaves = Faults(names=frozenset({Fault.DISCONNECTS}), at_command=55, away_s=0.2)
    start(replace(phone(), faults=leaves))
    assert main(["device", "add"]) == 0
    assert measure(tmp_path) == 0
    assert "the phone went away: waiting for it" in capsys.readouterr().err
    (run,) = runs(tmp_path)
    assert run.n == 90


def test_a_phone_that_stays_away_keeps_what_was_finished_and_resumes(
    start: Start, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "second.tflite").write_bytes(_dense(np.ones((9, 3), np.float32)))
    command = ["device", "measure", "int8.tflite", "second.tflite", "--tool", tool(tmp_path)]
    leaves = Faults(names=frozenset({Fault.DISCONNECTS}), at_command=120)
    simulator = start(replace(phone(), faults=leaves))
    assert main(["device", "add"]) == 0
    assert main([*command, *QUICK, "--away-seconds", "0"]) == 1
    assert "run the same command with --resume" in capsys.readouterr().err
    assert [run.title for run in runs(tmp_path)] == ["int8.tflite"]
    simulator.stop()
    start(phone())
    assert main([*command, *QUICK, "--resume"]) == 0
    assert "1 measured before, left out" in capsys.readouterr().out
    assert [run.title for run in runs(tmp_path)] == ["int8.tflite", "second.tflite"]


def test_a_file_of_another_phone_is_not_overwritten(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone())
    assert main(["device", "add"]) == 0
    path = tmp_path / "devices" / "simulated-pixel-4.toml"
    edited = path.read_text().replace("ram_mib = ", "ram_mib = 1")
    path.write_text(edited)
    assert main(["device", "add"]) == 1
    said = capsys.readouterr().err
    assert "--force replaces it" in said
    assert "-ram_mib = 1" in said
    assert path.read_text() == edited
    assert main(["device", "add", "--force"]) == 0
    assert path.read_text() != edited
    assert main(["device", "add"]) == 0
    assert "unchanged" in capsys.readouterr().out


def test_a_simulated_phone_cannot_pass_as_a_real_one(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone())
    assert main(["device", "add", "--name", "pixel-4"]) == 1
    assert "must begin with 'simulated-'" in capsys.readouterr().err


def test_runs_are_not_kept_under_the_name_of_another_model(
    start: Start, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone())
    assert measure(tmp_path, "--device", "redmi-8") == 1
    assert "is a Pixel 4 (flame), but profile 'redmi-8' is a Redmi 8" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "says"),
    [
        (Fault.OFFLINE, "is offline: unplug it"),
        (Fault.UNAUTHORIZED, "is unauthorized: unlock it"),
    ],
)
def test_a_phone_that_is_not_ready_says_what_to_do(
    start: Start, capsys: pytest.CaptureFixture[str], fault: Fault, says: str
) -> None:
    start(phone(fault))
    assert main(["device", "add", "--serial", "A"]) == 1
    assert says in capsys.readouterr().err


def test_no_adb_server_is_started_for_anybody(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", "1")
    monkeypatch.setenv("ADBUTILS_ADB_PATH", str(tmp_path / "trap"))
    trap = tmp_path / "trap"
    trap.write_text(f"#!/bin/sh\ntouch {tmp_path}/started\n")
    trap.chmod(0o755)
    assert main(["device", "add"]) == 1
    assert "start it with `adb start-server`" in capsys.readouterr().err
    assert not (tmp_path / "started").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["nothing.tflite"], "no file nothing.tflite"),
        (["weighin.toml"], "only .tflite and .onnx are measured"),
        (["int8.tflite"], "where is benchmark_model?"),
        (["int8.tflite", "--tool", "absent"], "no benchmark_model at absent"),
        (["int8.tflite", "--threads", "0"], "--threads: 1 to 16 is possible"),
        (["int8.tflite", "--delegate", "npu", "--tool", "weighin.toml"], "no delegate 'npu'"),
    ],
)
def test_a_mistake_on_the_command_line_says_what_is_possible(
    start: Start,
    model: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    says: str,
) -> None:
    start(phone())
    assert main(["device", "add"]) == 0
    assert main(["device", "measure", *arguments]) == 2
    assert says in capsys.readouterr().err


def test_runs_as_json(
    start: Start, tmp_path: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone())
    assert main(["device", "add"]) == 0
    capsys.readouterr()
    assert measure(tmp_path, "--json") == 0
    (document,) = json.loads(capsys.readouterr().out)
    assert document["schema"] == "weighin/phone-run/v1"
    assert document["simulated"] is True


def test_outputs_on_the_phone_are_compared_with_this_machines(
    start: Start, tmp_path: Path, model: Path
) -> None:
    rows = np.random.default_rng(3).normal(size=(80, 8)).astype(np.float32)
    np.savez(tmp_path / "rows.npz", x=rows)
    runner = tool(tmp_path, kind=Tool.RUNNER)
    start(phone())
    assert main(["device", "add"]) == 0
    assert measure(tmp_path, "--data", "rows.npz", "--runner", runner) == 0
    (run,) = runs(tmp_path)
    assert isinstance(run.disagreement_percent, Interval)
    assert run.disagreement_percent.value == 0
    assert run.disagreement_percent.upper == pytest.approx(4.6, abs=0.1)
    assert dict(run.conditions)["compared_rows"] == "64"


def test_a_runner_that_fails_is_told_in_its_own_words(
    start: Start, tmp_path: Path, model: Path
) -> None:
    np.savez(tmp_path / "rows.npz", x=np.zeros((10, 5), np.float32))
    start(phone())
    assert main(["device", "add"]) == 0
    assert measure(tmp_path, "--data", "rows.npz", "--runner", tool(tmp_path)) == 0
    (run,) = runs(tmp_path)
    assert isinstance(run.disagreement_percent, Missing)
    assert isinstance(run.latency_ms, Interval)


def test_the_tool_and_its_release_may_stand_in_weighin_toml(
    start: Start, tmp_path: Path, model: Path
) -> None:
    tool(tmp_path)
    (tmp_path / "weighin.toml").write_text(
        '[phones]\nbenchmark_model = "benchmark_model"\nbenchmark_model_version = "9.9.9"\n'
    )
    start(phone())
    assert main(["device", "add"]) == 0
    assert main(["device", "measure", "int8.tflite", *QUICK]) == 0
    assert runs(tmp_path)[0].runtime_version == "9.9.9"


def test_a_phone_of_an_unknown_chip_is_added_with_what_it_tells_and_says_what_is_missing(
    start: Start, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    start(replace(phone(), soc_id="sm9999", codename="nobody", model="Nobody's Phone"))
    assert main(["device", "add"]) == 0
    said = capsys.readouterr().out
    assert "no power figures for cortex-a76, cortex-a55" in said
    assert "tier and year are not told by a phone" in said
    profile = load_profile("simulated-nobody-s-phone", tmp_path / "devices")
    assert profile.battery is None
    assert profile.calibrations == ()


def test_cores_that_a_kernel_does_not_tell_are_those_of_the_same_chip_or_an_error(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    start(phone(Fault.ONE_CORE_CPUINFO))
    assert main(["device", "add"]) == 0
    assert "cores: of 'pixel-4', which has the same chip" in capsys.readouterr().out
    unknown = replace(phone(Fault.ONE_CORE_CPUINFO), soc_id="sm9999", codename="nobody")
    start(unknown)
    assert main(["device", "add", "--name", "simulated-other"]) == 1
    assert "does not tell the design of cores" in capsys.readouterr().err

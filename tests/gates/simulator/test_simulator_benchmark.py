"""The simulated benchmark tools print what real ones print, in all their ways of saying it."""

import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import adbutils
import numpy as np
import pytest

from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.clock import ManualClock
from weighin.gates.devices.simulator.faults import Fault, Faults
from weighin.gates.devices.simulator.loop import Load
from weighin.gates.devices.simulator.state import State
from weighin.gates.devices.simulator.tools import Tool, benchmark_tool_bytes, tool_bytes
from weighin.gates.meters.models import load_model
from weighin.gates.variant import Format

T = "/data/local/tmp"
COUNT = (
    r"count=(\d+) first=(\d+) curr=(\d+) min=(\d+) max=(\d+) avg=(\S+) std=(\S+)"
    r"(?: p5=(\d+) median=(\d+) p95=(\d+))?"
)
TIMINGS = (
    r"Inference timings in us: Init: (\d+), First inference: (\d+), "
    r"Warmup \(avg\): (\S+), Inference \(avg\): (\S+)"
)


def run(device: Any, model: Path, options: str = "", build: ToolBuild = ToolBuild.NEW) -> Any:
    device.sync.push(benchmark_tool_bytes(build), f"{T}/benchmark_model", 0o755)
    device.sync.push(model, f"{T}/m.tflite", 0o644)
    command = f"cd {T} && ./benchmark_model --graph=m.tflite {options}"
    return device.shell2(command, v2=True)


def test_a_run_tells_timings_memory_and_delegate(plug: Any, tiny_tflite: Path) -> None:
    result = run(plug(), tiny_tflite, "--num_threads=4 --num_runs=200")
    warmup, steady = re.findall(COUNT, result.stdout)
    assert int(steady[0]) >= 200
    assert float(steady[5]) == pytest.approx(2_000, rel=0.01)  # 8 ms on 4 threads
    low, p5, median, p95, high = (int(steady[n]) for n in (3, 7, 8, 9, 4))
    assert low <= p5 <= median <= p95 <= high
    found = re.search(TIMINGS, result.stdout)
    assert found is not None
    assert found.group(2) == warmup[1]
    assert found.group(4) == steady[5]
    assert "Memory footprint delta from the start of the tool (MB): init=" in result.stdout
    assert "INFO: Replacing 1 out of 1 node(s) with delegate (TfLiteXNNPackDelegate) node, yi" in (
        result.stderr
    )
    assert result.returncode == 0


@pytest.mark.parametrize(
    ("build", "has", "lacks"),
    [
        (
            ToolBuild.OLD,
            ["Peak memory footprint (MB): init=", "\nNum threads: [1]"],
            ["p95=", "O: "],
        ),
        (ToolBuild.MIDDLE, ["Memory footprint delta", "\nLoaded model"], ["p95=", "INFO: Loaded"]),
        (
            ToolBuild.NEW,
            ["Memory footprint delta", "\nINFO: Loaded model", " p95="],
            ["Peak mem"],
        ),
    ],
)
def test_each_generation_has_its_own_words(
    plug: Any, tiny_tflite: Path, build: ToolBuild, has: list[str], lacks: list[str]
) -> None:
    text = run(plug(), tiny_tflite, build=build).stdout
    assert [part for part in has if part not in text] == []
    assert [part for part in lacks if part in text] == []


def test_an_old_tool_says_no_total_of_nodes(plug: Any, tiny_tflite: Path) -> None:
    device = plug()
    assert run(device, tiny_tflite, build=ToolBuild.OLD).stderr == ""
    told = run(device, tiny_tflite, "--use_xnnpack=true", ToolBuild.OLD).stderr
    assert "Replacing 1 node(s) with delegate (TfLiteXNNPackDelegate) node" in told


def test_one_warm_up_run_has_a_current_value_only(plug: Any, tiny_tflite: Path) -> None:
    device = plug(latency_ms=lambda _model, _threads, _cores: 2_000.0)
    text = run(device, tiny_tflite, "--num_runs=2").stdout
    assert re.search(r"count=1 curr=\d+\n", text)


def test_times_above_a_second_are_scientific_as_in_c(plug: Any, tiny_tflite: Path) -> None:
    device = plug(latency_ms=lambda _model, _threads, _cores: 2_719.85)
    found = re.search(TIMINGS, run(device, tiny_tflite, "--num_runs=5").stdout)
    assert found is not None
    assert re.fullmatch(r"2\.\d{1,5}e\+06", found.group(4))


@pytest.mark.parametrize(
    ("fault", "pattern"),
    [
        (Fault.DECIMAL_COMMA, r"Inference \(avg\): \d+,\d+\n"),
        (Fault.SCIENTIFIC, r"Inference \(avg\): [78]\.\d{5}e\+03\n"),
    ],
)
def test_numbers_come_in_other_spellings(
    plug: Any, tiny_tflite: Path, fault: Fault, pattern: str
) -> None:
    assert re.search(pattern, run(plug(fault), tiny_tflite, "--min_secs=2").stdout)


@pytest.mark.parametrize(
    ("options", "least", "most"),
    [
        ("--num_runs=10 --min_secs=0", 10, 10),
        ("--num_runs=10 --min_secs=4", 480, 520),
        ("--num_runs=9999999 --max_secs=2", 240, 260),
        ("--num_runs=10 --min_secs=0 --run_frequency=5", 10, 10),
    ],
)
def test_loops_end_when_asked_to(
    plug: Any, tiny_tflite: Path, options: str, least: int, most: int
) -> None:
    steady = re.findall(COUNT, run(plug(), tiny_tflite, options).stdout)[-1]
    assert least <= int(steady[0]) <= most


@pytest.mark.parametrize("pause", ["--run_frequency=5", "--run_delay=0.192"])
def test_pauses_take_time_but_count_in_no_latency(plug: Any, tiny_tflite: Path, pause: str) -> None:
    device = plug()
    before = float(device.shell("cat /proc/uptime").split()[0])
    text = run(device, tiny_tflite, f"--num_runs=50 --min_secs=0 {pause}").stdout
    after = float(device.shell("cat /proc/uptime").split()[0])
    assert float(re.findall(COUNT, text)[-1][5]) == pytest.approx(8_000, rel=0.02)
    assert 10 < after - before < 11  # 50 runs of 200 ms with their pauses, and the warm-up


@pytest.mark.parametrize(("latency_s", "threads"), [(0.0, 1), (-1.0, 1), (float("nan"), 1), (1, 0)])
def test_a_latency_model_that_says_nonsense_is_refused(
    pixel: Any, latency_s: float, threads: int
) -> None:
    state = State(pixel, ManualClock(), 0.0)
    with pytest.raises(ValueError, match=r"must be above 0|compute nothing"):
        Load(
            state=state,
            process=state.start("x"),
            latency_s=latency_s,
            threads=threads,
            cores=(0,),
        )


def test_options_that_measure_more_cost_time(plug: Any, tiny_tflite: Path) -> None:
    device = plug(noise=0.0)
    plain = run(device, tiny_tflite)
    memory = run(device, tiny_tflite, "--report_peak_memory_footprint=true")
    profiled = run(device, tiny_tflite, "--enable_op_profiling=true")
    means = [re.search(TIMINGS, r.stdout) for r in (plain, memory, profiled)]
    values = [float(m.group(4)) for m in means if m]
    assert values[0] < values[1] < values[2]
    assert "periodic monitoring" not in plain.stdout
    assert re.search(r"via periodic monitoring: \d+", memory.stdout)
    assert "Operator-wise Profiling Info" in profiled.stdout


def test_a_fallback_shows_in_one_line_and_in_the_time(plug: Any, tiny_tflite: Path) -> None:
    good = run(plug(noise=0.0), tiny_tflite)
    bad = run(plug(Fault.DELEGATE_FALLBACK, noise=0.0), tiny_tflite)
    assert "Replacing 0 out of 1 node(s)" in bad.stderr
    assert bad.returncode == 0
    means = [float(re.findall(r"Inference \(avg\): (\S+)", r.stdout)[0]) for r in (good, bad)]
    assert means[1] > means[0]


def test_a_crash_is_a_segmentation_fault(plug: Any, tiny_tflite: Path) -> None:
    result = run(plug(Fault.TOOL_CRASHES), tiny_tflite)
    assert result.returncode == 139
    assert "Inference timings" not in result.stdout


@pytest.mark.parametrize(
    ("operator", "fails"), [("", True), ("FULLY_CONNECTED", True), ("CONV_2D", False)]
)
def test_an_unresolved_operator_stops_models_that_have_it(
    plug: Any, tiny_tflite: Path, operator: str, fails: bool
) -> None:
    wrong = Faults(names=frozenset({Fault.UNRESOLVED_OPERATOR}), operator=operator)
    result = run(plug(settings=wrong), tiny_tflite)
    assert ("ERROR: Encountered unresolved custom op" in result.stderr) == fails
    assert ("failed to prepare" in result.stderr) == fails
    assert (result.returncode == 1) == fails


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ("--graph=nothing.tflite", "ERROR: Could not open 'nothing.tflite'."),
        ("--graph=benchmark_model", "ERROR: The model is not a valid Flatbuffer buffer"),
        ("--graph=", "ERROR: Please specify the name of your TF Lite input file"),
        ("--num_runs=many", "ERROR: Failed to parse --num_runs=many"),
        ("--min_secs=x", "ERROR: Failed to parse --min_secs=x"),
        ("--max_secs=nan", "ERROR: Failed to parse --max_secs=nan"),
    ],
)
def test_a_wrong_option_fails_the_tool(
    plug: Any, tiny_tflite: Path, options: str, complaint: str
) -> None:
    result = run(plug(), tiny_tflite, options)
    assert complaint in result.stderr
    assert result.returncode == 1


def test_an_unknown_option_is_told_and_ignored(plug: Any, tiny_tflite: Path) -> None:
    result = run(plug(), tiny_tflite, "--frobnicate=1")
    assert "Unconsumed cmdline flags: --frobnicate=1" in result.stderr
    assert result.returncode == 0


def test_a_32_bit_phone_refuses_the_tool(plug: Any, tiny_tflite: Path) -> None:
    device = plug(Fault.OTHER_ABI)
    result = run(device, tiny_tflite)
    assert "/system/bin/sh: ./benchmark_model: not executable: 64-bit ELF file" in result.stderr
    assert result.returncode == 126
    assert device.getprop("ro.product.cpu.abi") == "armeabi-v7a"


def test_a_file_without_the_mark_runs_nothing(plug: Any) -> None:
    device = plug()
    device.sync.push(b"\x7fELF\x02 a real program", f"{T}/benchmark_model", 0o755)
    assert device.shell2(f"{T}/benchmark_model").returncode == 126


@pytest.mark.parametrize(
    ("option", "delegate"),
    [
        ("--use_gpu=true --gpu_backend=cl", "TfLiteGpuDelegateV2"),
        ("--use_nnapi=true", "TfLiteNnapiDelegate"),
        ("--use_xnnpack=true --xnnpack_force_fp16=true", "TfLiteXNNPackDelegate"),
    ],
)
def test_delegates_are_named(plug: Any, tiny_tflite: Path, option: str, delegate: str) -> None:
    assert f"with delegate ({delegate}) node" in run(plug(), tiny_tflite, option).stderr


def test_operators_are_profiled_into_a_file(plug: Any, tiny_tflite: Path) -> None:
    device = plug()
    options = "--use_xnnpack=false --enable_op_profiling=true --profiling_output_csv_file=p.csv"
    assert "Replacing" not in run(device, tiny_tflite, options).stderr
    assert "FULLY_CONNECTED" in device.sync.read_text(f"{T}/p.csv")


@pytest.mark.parametrize(
    ("fault", "status", "complaint"),
    [
        (Fault.TOOL_CRASHES, 139, "Segmentation fault"),
        (Fault.UNRESOLVED_OPERATOR, 1, "is not a registered function/op"),
        (Fault.OTHER_ABI, 126, "not executable: 64-bit ELF file"),
    ],
)
def test_onnxruntime_perf_test_fails_as_its_phone_does(
    plug: Any, tiny_onnx: Path, fault: Fault, status: int, complaint: str
) -> None:
    device = plug(fault)
    device.sync.push(tool_bytes(Tool.PERF_TEST), f"{T}/onnxruntime_perf_test", 0o755)
    device.sync.push(tiny_onnx, f"{T}/m.onnx", 0o644)
    result = device.shell2(f"cd {T}; ./onnxruntime_perf_test -I -m times -r 9 m.onnx", v2=True)
    assert (result.returncode, complaint in result.stderr) == (status, True)


def test_onnxruntime_perf_test_runs_for_a_duration(plug: Any, tiny_onnx: Path) -> None:
    device = plug()
    device.sync.push(tool_bytes(Tool.PERF_TEST), f"{T}/onnxruntime_perf_test", 0o755)
    device.sync.push(tiny_onnx, f"{T}/m.onnx", 0o644)
    text = device.shell(f"cd {T}; ./onnxruntime_perf_test -I -m duration -t 2 -x 1 m.onnx")
    found = re.search(r"Total inference requests: (\d+)", text)
    assert found is not None
    assert 240 <= int(found.group(1)) <= 260


def test_equal_seeds_give_equal_output(serve: Any, pixel: Any, tiny_tflite: Path) -> None:
    texts = [run(_device(serve, replace(pixel, seed=n)), tiny_tflite).stdout for n in (5, 5, 6)]
    assert texts[0] == texts[1] != texts[2]


def _device(serve: Any, phone: Any) -> Any:
    return adbutils.AdbClient(port=serve(phone).port).device(phone.serial)


def test_the_mask_of_taskset_decides_on_the_cores(
    serve: Any, pixel: Any, tiny_tflite: Path
) -> None:
    device = _device(serve, replace(pixel, latency_ms=lambda _m, _t, cores: 9.0 - max(cores)))
    run(device, tiny_tflite)
    command = f"{T}/benchmark_model --graph={T}/m.tflite"
    means = [
        float(re.findall(r"Inference \(avg\): (\S+)", device.shell(f"{mask} {command}"))[0])
        for mask in ("taskset 80", "taskset 0f", "")
    ]
    assert means == [pytest.approx(ms * 1e3, rel=0.01) for ms in (2, 6, 2)]


@pytest.mark.parametrize("build", list(ToolBuild))
def test_onnxruntime_perf_test_tells_its_latencies(
    plug: Any, tiny_onnx: Path, build: ToolBuild
) -> None:
    device = plug()
    device.sync.push(tool_bytes(Tool.PERF_TEST, build), f"{T}/onnxruntime_perf_test", 0o755)
    device.sync.push(tiny_onnx, f"{T}/m.onnx", 0o644)
    result = device.shell2(
        f"cd {T}; LD_LIBRARY_PATH=. taskset 80 ./onnxruntime_perf_test -e cpu -m times -r 200 -x 1 "
        "-I m.onnx",
        v2=True,
    )
    assert result.returncode == 0
    mean = re.search(r"Average inference time cost: (\S+) ms", result.stdout)
    assert mean is not None
    assert float(mean.group(1)) == pytest.approx(8, rel=0.01)
    word = " is" if build is ToolBuild.OLD else ":"
    found = re.findall(rf"P(?:50|90|95|99) Latency{word} (\S+) s", result.stdout)
    shares = [float(value) for value in found]
    assert len(shares) == 4
    assert shares == sorted(shares)
    assert 0.0075 < shares[0] < 0.0085
    assert re.search(r"Peak working set size: \d+ bytes", result.stdout)
    assert re.search(r"Session creation time cost: \S+ s", result.stdout)


@pytest.mark.parametrize(
    "options",
    ["-m never -I m.onnx", "-I nothing.onnx", "-Q m.onnx", "-I", "m.onnx", "-r x -I m.onnx"],
)
def test_onnxruntime_perf_test_refuses_wrong_options(
    plug: Any, tiny_onnx: Path, options: str
) -> None:
    device = plug()
    device.sync.push(tool_bytes(Tool.PERF_TEST), f"{T}/onnxruntime_perf_test", 0o755)
    device.sync.push(tiny_onnx, f"{T}/m.onnx", 0o644)
    result = device.shell2(f"cd {T}; ./onnxruntime_perf_test {options}", v2=True)
    assert result.returncode == 1
    assert result.stderr


@pytest.mark.parametrize("fmt", [Format.LITERT, Format.ONNX])
def test_the_runner_brings_back_real_outputs(
    plug: Any, tiny_tflite: Path, tiny_onnx: Path, tiny_data: Path, fmt: Format
) -> None:
    path = tiny_tflite if fmt is Format.LITERT else tiny_onnx
    with np.load(tiny_data) as archive:
        rows = archive["x"][:7]
    packed = io.BytesIO()
    np.save(packed, rows)
    device = plug()
    device.sync.push(tool_bytes(Tool.RUNNER), f"{T}/weighin_runner", 0o755)
    device.sync.push(path, f"{T}/model", 0o644)
    device.sync.push(packed.getvalue(), f"{T}/rows.npy", 0o644)
    command = f"cd {T} && ./weighin_runner --model=model --inputs=rows.npy --outputs=out.npy"
    result = device.shell2(command, v2=True)
    assert (result.returncode, result.stdout) == (0, "rows=7 outputs=out.npy\n")
    outputs = np.load(io.BytesIO(device.sync.read_bytes(f"{T}/out.npy")))
    here = load_model(str(path), fmt, 1)
    assert np.array_equal(
        outputs, np.concatenate([np.array(here(rows[n : n + 1])) for n in range(7)])
    )


def test_the_runner_tells_why_it_has_no_outputs(plug: Any, tiny_tflite: Path) -> None:
    device = plug()
    device.sync.push(tool_bytes(Tool.RUNNER), f"{T}/weighin_runner", 0o755)
    device.sync.push(b"junk", f"{T}/rows.npy", 0o644)
    run_it = f"cd {T} && ./weighin_runner"
    assert device.shell2(run_it).returncode == 2
    assert device.shell2(f"{run_it} --model=m --inputs=i --outputs=o").returncode == 1
    junk = f"{run_it} --model=rows.npy --inputs=rows.npy --outputs=o"
    assert device.shell2(junk).returncode == 1

"""ONNX Runtime's ``onnxruntime_perf_test`` as a simulated phone runs it.

What this module does not do: it runs no model, and knows the options that adb routes use only.
"""

from dataclasses import dataclass

import numpy as np

from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.loop import Load, Seconds, Until, run_loop
from weighin.gates.devices.simulator.numbers import spell
from weighin.gates.devices.simulator.shell import Call
from weighin.gates.devices.simulator.speed import count
from weighin.gates.devices.simulator.state import Process

_WITH_VALUE = ("-e", "-m", "-r", "-t", "-x", "-y", "-p", "-o")
_WITHOUT = ("-I", "-v", "-s", "-c", "-P", "-A", "-M", "-q", "-z")
_RUNTIME_BYTES = 22_000_000
_SEGFAULT = 139


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    provider: str = "cpu"
    mode: str = "duration"
    repeats: int = 1000
    seconds: float = 600.0
    threads: int = 0
    generated: bool = False
    model: str = ""


def perf_test(call: Call, build: ToolBuild, process: Process) -> int:
    """Run the tool; its exit code."""
    try:
        options = _parse(call.args)
    except ValueError as error:
        return _fail(call, f"{error}\nperf_test [options...] model_path [result_file]")
    try:
        model = call.state.files.read(call.path(options.model))
    except OSError:
        why = f"Load model from {options.model} failed:Load model {options.model} failed. "
        return _fail(call, f"{why}File doesn't exist")
    if model[4:8] == b"TFL3" or len(model) < 8:
        why = f"Load model from {options.model} failed:Protobuf parsing failed."
        return _fail(call, why)
    if not options.generated:
        return _fail(call, "there is no test data: no test_data_set_0 beside the model")
    return _run(call, build, process, options, model)


def _parse(args: tuple[str, ...]) -> _Options:
    values: dict[str, str] = {}
    rest: list[str] = []
    left = list(args)
    while left:
        arg = left.pop(0)
        if arg in _WITH_VALUE and left:
            values[arg] = left.pop(0)
        elif arg in _WITHOUT:
            values[arg] = ""
        elif arg.startswith("-"):
            raise ValueError(f"invalid option -- '{arg.lstrip('-')}'")
        else:
            rest.append(arg)
    if not rest:
        raise ValueError("model_path is missing")
    if (mode := values.get("-m", "duration")) not in ("times", "duration"):
        raise ValueError(f"-m must be times or duration, not '{mode}'")
    return _Options(
        provider=values.get("-e", "cpu"),
        mode=mode,
        repeats=int(values.get("-r", "1000")),
        seconds=float(values.get("-t", "600")),
        threads=int(values.get("-x", "0")),
        generated="-I" in values,
        model=rest[0],
    )


def _fail(call: Call, why: str) -> int:
    call.streams.err(f"{why}\n".encode())
    return 1


def _run(call: Call, build: ToolBuild, process: Process, options: _Options, model: bytes) -> int:
    phone, cost = call.state.phone, count(model)
    names = [op.name for op in cost.operators] if cost else []
    hit = not phone.faults.operator or phone.faults.operator in names
    if Fault.UNRESOLVED_OPERATOR in phone.faults and hit:
        name = phone.faults.operator or "FusedErf"
        return _fail(call, f"Fatal error: {name} is not a registered function/op")
    if Fault.TOOL_CRASHES in phone.faults and hit:
        call.streams.err(b"Segmentation fault \n")
        return _SEGFAULT
    threads = options.threads or len(call.cores)
    process.threads = threads
    least = round(cost.least_memory_mib * 2**20) if cost else len(model)
    peak_bytes = _RUNTIME_BYTES + len(model) + least
    process.use_memory(peak_bytes // 1024)
    latency_ms = call.state.latency_ms(model, threads, call.cores)
    load = Load(
        state=call.state,
        process=process,
        latency_s=latency_ms / 1e3,
        threads=threads,
        cores=call.cores,
    )
    session_s = 0.01 + len(model) / 5e8
    first = run_loop(load, Until(runs=1))
    until = Until(runs=options.repeats)
    if options.mode == "duration":
        until = Until(runs=1, min_s=options.seconds)
    took = run_loop(load, until)
    if process.signal or not len(took):
        return 1
    _report(call, build, session_s, float(first[0]), took, peak_bytes)
    return 0


def _report(
    call: Call,
    build: ToolBuild,
    session_s: float,
    first_s: float,
    took: Seconds,
    peak_bytes: int,
) -> None:
    faults = call.state.phone.faults
    total = float(took.sum())
    lines = [
        f"Session creation time cost: {spell(session_s, faults)} s",
        f"First inference time cost: {round(first_s * 1e3)} ms",
        f"Total inference time cost: {spell(total, faults)} s",
        f"Total inference requests: {len(took)}",
        f"Average inference time cost: {spell(total / len(took) * 1e3, faults)} ms",
        f"Total inference run time: {spell(total * 1.0005, faults)} s",
        f"Number of inferences per second: {spell(len(took) / total, faults)} ",
        "Avg CPU usage: 52 %",
        f"Peak working set size: {peak_bytes} bytes",
    ]
    if build is ToolBuild.OLD:
        lines = [line for line in lines if not line.startswith(("First", "Number"))]
    word, unit = (" is", "sec") if build is ToolBuild.OLD else (":", "s")
    percents = (50, 90, 95, 99, 99.9)
    found = np.percentile(took, percents, method="higher")
    names = ("Min", "Max", "P50", "P90", "P95", "P99", "P999")
    values = (took.min(), took.max(), *found)
    lines += [
        f"{n} Latency{word} {spell(v, faults)} {unit}" for n, v in zip(names, values, strict=True)
    ]
    call.say("\n".join(lines) + "\n")

"""TFLite's ``benchmark_model`` as a simulated phone runs it: options in, text and exit code out.

What this module does not do: it runs no model; the figures come from the phone's latency model.
"""

from collections.abc import Mapping

import numpy as np

from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.loop import Load, Until, run_loop
from weighin.gates.devices.simulator.shell import Call
from weighin.gates.devices.simulator.speed import count
from weighin.gates.devices.simulator.state import Process
from weighin.gates.devices.simulator.tflite_bench import (
    DEFAULTS,
    RUNTIME_KIB,
    Bench,
    check_numbers,
)
from weighin.gates.devices.simulator.tflite_text import (
    Microseconds,
    say_delegate,
    say_options,
    statistics,
    summarize,
)

_SEGFAULT = 139


def benchmark_model(call: Call, build: ToolBuild, process: Process) -> int:
    """Run the tool; its exit code."""
    options = dict(DEFAULTS)
    for arg in call.args:
        name, equals, value = arg.removeprefix("--").partition("=")
        if not arg.startswith("--") or name not in options:
            call.streams.err(f"Unconsumed cmdline flags: {arg}\n".encode())
            continue
        options[name] = value if equals else "true"
    if not options["graph"]:
        return _fail(call, "Please specify the name of your TF Lite input file with --graph")
    try:
        model = call.state.files.read(call.path(options["graph"]))
        check_numbers(options)
    except OSError:
        return _fail(call, f"Could not open '{options['graph']}'.", "Failed to mmap model")
    except ValueError as error:
        return _fail(call, str(error))
    if model[4:8] != b"TFL3":
        not_one = "The model is not a valid Flatbuffer buffer"
        return _fail(call, not_one, f"Failed to mmap model {options['graph']}")
    bench = Bench(
        call=call, build=build, process=process, options=options, model=model, cost=count(model)
    )
    return _run(bench)


def _run(bench: Bench) -> int:
    bench.process.threads = bench.threads
    say_options(bench)
    if (failed := _prepare(bench)) is not None:
        return failed
    load = _load(bench)
    init_s = 2e-3 + len(bench.model) / 1e9
    bench.call.state.clock.wait(init_s, bench.process.cancelled)
    bench.say(f"Initialized session in {bench.number(init_s * 1e3)}ms.")
    warmup_until, steady_until = _ends(bench.options)
    warmup = _measure(bench, load, warmup_until)
    if bench.process.cancelled.is_set():
        return 1
    steady = _measure(bench, load, steady_until)
    if bench.process.cancelled.is_set() or not len(steady):
        return 1
    summarize(bench, init_s, warmup, steady)
    return 0


def _load(bench: Bench) -> Load:
    call = bench.call
    latency_ms = call.state.latency_ms(bench.model, bench.threads, call.cores)
    return Load(
        state=call.state,
        process=bench.process,
        latency_s=latency_ms / 1e3 * bench.factor,
        threads=bench.threads,
        cores=call.cores,
    )


def _ends(options: Mapping[str, str]) -> tuple[Until, Until]:
    """When the warm-up ends, and when the loop that counts does."""
    frequency, max_s = float(options["run_frequency"]), float(options["max_secs"])
    warmup = Until(
        runs=int(options["warmup_runs"]), min_s=float(options["warmup_min_secs"]), max_s=max_s
    )
    steady = Until(
        runs=int(options["num_runs"]),
        min_s=float(options["min_secs"]),
        max_s=max_s,
        period_s=1 / frequency if frequency > 0 else 0.0,
        pause_s=max(float(options["run_delay"]), 0.0),
    )
    return warmup, steady


def _prepare(bench: Bench) -> int | None:
    """Load and delegate; an exit code if the model cannot be prepared."""
    bench.say(f"Loaded model {bench.options['graph']}")
    bench.process.use_memory(RUNTIME_KIB + len(bench.model) // 1024)
    if bench.concerns(Fault.UNRESOLVED_OPERATOR):
        name = bench.faults.operator or "FlexErf"
        return _fail(
            bench.call,
            f"Encountered unresolved custom op: {name}.",
            f"Node number {bench.nodes // 2} ({name}) failed to prepare.",
            "Failed to allocate tensors!",
        )
    if bench.delegate:
        say_delegate(bench)
    bench.process.use_memory(bench.peak_kib)
    size_mb = bench.number(len(bench.model) / 1e6)
    bench.say(f"The input model file size (MB): {size_mb}")
    if bench.concerns(Fault.TOOL_CRASHES):
        bench.call.streams.err(b"Segmentation fault \n")
        return _SEGFAULT
    return None


def _measure(bench: Bench, load: Load, until: Until) -> Microseconds:
    """Microseconds of every run, after they are printed."""
    bench.say(
        f"Running benchmark for at least {until.runs} iterations and at least "
        f"{bench.number(until.min_s)} seconds but terminate if exceeding "
        f"{bench.number(until.max_s)} seconds."
    )
    took = np.maximum(np.rint(run_loop(load, until) * 1e6), 1).astype(np.int64)
    if not bench.process.signal:
        bench.say(statistics(bench, took))
        bench.call.say("\n")
    return took


def _fail(call: Call, *lines: str) -> int:
    text = "".join(f"ERROR: {line}\n" for line in (*lines, "Benchmarking failed."))
    call.streams.err(text.encode())
    return 1

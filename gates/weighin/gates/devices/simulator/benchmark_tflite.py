"""TFLite's ``benchmark_model`` as a simulated phone runs it: options in, text and exit code out.

The wording follows real outputs of three generations of the tool; the figures are made up.

What this module does not do: it runs no model.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.cost import ModelCost
from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.faults import Fault, Faults
from weighin.gates.devices.simulator.loop import Load, Until, run_loop
from weighin.gates.devices.simulator.numbers import spell
from weighin.gates.devices.simulator.shell import Call
from weighin.gates.devices.simulator.speed import count
from weighin.gates.devices.simulator.state import Process

_DEFAULTS = {
    "num_threads": "1",
    "num_runs": "50",
    "min_secs": "1",
    "max_secs": "150",
    "warmup_runs": "1",
    "warmup_min_secs": "0.5",
    "run_frequency": "-1",
    "run_delay": "-1",
    "graph": "",
    "use_xnnpack": "",
    "xnnpack_force_fp16": "false",
    "use_gpu": "false",
    "gpu_backend": "",
    "gpu_precision_loss_allowed": "true",
    "use_nnapi": "false",
    "nnapi_accelerator_name": "",
    "report_peak_memory_footprint": "false",
    "memory_footprint_check_interval_ms": "50",
    "enable_op_profiling": "false",
    "profiling_output_csv_file": "",
    "verbose": "false",
}
_SHOWN = (
    ("num_runs", "Min num runs"),
    ("num_threads", "Num threads"),
    ("warmup_runs", "Min warmup runs"),
    ("graph", "Graph"),
    ("enable_op_profiling", "Enable op profiling"),
    ("report_peak_memory_footprint", "Report the peak memory footprint"),
    ("use_xnnpack", "Use xnnpack"),
    ("use_gpu", "Use gpu"),
    ("use_nnapi", "Use NNAPI"),
)
Microseconds = NDArray[Any]
_RUNTIME_KIB = 9_000
_SEGFAULT = 139


@dataclass(frozen=True, slots=True, kw_only=True)
class _Bench:
    """One run of the tool."""

    call: Call
    build: ToolBuild
    process: Process
    options: dict[str, str]
    model: bytes
    cost: ModelCost | None

    @property
    def faults(self) -> Faults:
        return self.call.state.phone.faults

    @property
    def nodes(self) -> int:
        return len(self.cost.operators) if self.cost else 31

    @property
    def threads(self) -> int:
        return max(int(self.options["num_threads"]), 1)

    def is_on(self, name: str) -> bool:
        return self.options[name] in ("true", "1")

    @property
    def delegate(self) -> str:
        """Name of the delegate in use; empty if there is none."""
        if self.is_on("use_gpu"):
            return "TfLiteGpuDelegateV2"
        if self.is_on("use_nnapi"):
            return "TfLiteNnapiDelegate"
        by_default = self.build is not ToolBuild.OLD and self.options["use_xnnpack"] == ""
        return "TfLiteXNNPackDelegate" if by_default or self.is_on("use_xnnpack") else ""

    @property
    def delegated(self) -> int:
        """How many nodes the delegate takes."""
        falls_back = Fault.DELEGATE_FALLBACK in self.faults
        return min(self.nodes * 2 // 3, self.nodes - 1) if falls_back else self.nodes

    @property
    def factor(self) -> float:
        """What options and fallback do to the time of one run."""
        share = self.delegated / self.nodes if self.delegate else 0.0
        factor = share + 1.6 * (1 - share)
        factor *= 0.6 if self.is_on("xnnpack_force_fp16") and self.delegate else 1.0
        factor *= 1.1 if self.is_on("enable_op_profiling") else 1.0
        return factor * (1.05 if self.is_on("report_peak_memory_footprint") else 1.0)

    @property
    def peak_kib(self) -> int:
        """Peak resident memory: the file, what is executed, and the tool itself."""
        least = self.cost.least_memory_mib * 1024 if self.cost else len(self.model) / 512
        return round(_RUNTIME_KIB + len(self.model) / 1024 + least)

    def concerns(self, fault: Fault) -> bool:
        """Whether the fault hits this model."""
        operator = self.faults.operator
        names = [op.name for op in self.cost.operators] if self.cost else []
        return fault in self.faults and (not operator or operator in names)

    def say(self, text: str) -> None:
        """One line of the tool's own log."""
        self.call.say(f"INFO: {text}\n" if self.build is ToolBuild.NEW else f"{text}\n")

    def runtime_says(self, text: str) -> None:
        """One line of the runtime's log, which goes to standard error."""
        self.call.streams.err(f"INFO: {text}\n".encode())

    def number(self, value: float) -> str:
        return spell(value, self.faults)


def benchmark_model(call: Call, build: ToolBuild, process: Process) -> int:
    """Run the tool; its exit code."""
    options = dict(_DEFAULTS)
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
        _check_numbers(options)
    except OSError:
        return _fail(call, f"Could not open '{options['graph']}'.", "Failed to mmap model")
    except ValueError as error:
        return _fail(call, str(error))
    if model[4:8] != b"TFL3":
        not_one = "The model is not a valid Flatbuffer buffer"
        return _fail(call, not_one, f"Failed to mmap model {options['graph']}")
    bench = _Bench(
        call=call, build=build, process=process, options=options, model=model, cost=count(model)
    )
    return _run(bench)


def _check_numbers(options: dict[str, str]) -> None:
    names = ("num_threads", "num_runs", "warmup_runs")
    if bad := [name for name in names if not options[name].lstrip("-").isdigit()]:
        raise ValueError(f"Failed to parse --{bad[0]}={options[bad[0]]}")
    for name in ("min_secs", "max_secs", "warmup_min_secs", "run_frequency", "run_delay"):
        try:
            float(options[name])
        except ValueError:
            raise ValueError(f"Failed to parse --{name}={options[name]}") from None


def _fail(call: Call, *lines: str) -> int:
    text = "".join(f"ERROR: {line}\n" for line in (*lines, "Benchmarking failed."))
    call.streams.err(text.encode())
    return 1


def _run(bench: _Bench) -> int:
    bench.process.threads = bench.threads
    _say_options(bench)
    if (failed := _prepare(bench)) is not None:
        return failed
    options, call = bench.options, bench.call
    latency_ms = call.state.latency_ms(bench.model, bench.threads, call.cores)
    load = Load(
        state=call.state,
        process=bench.process,
        latency_s=latency_ms / 1e3 * bench.factor,
        threads=bench.threads,
        cores=call.cores,
    )
    init_s = 2e-3 + len(bench.model) / 1e9
    call.state.clock.wait(init_s, bench.process.cancelled)
    bench.say(f"Initialized session in {bench.number(init_s * 1e3)}ms.")
    frequency = float(options["run_frequency"])
    period_s = 1 / frequency if frequency > 0 else max(float(options["run_delay"]), 0.0)
    warmup = _measure(
        bench,
        load,
        Until(
            runs=int(options["warmup_runs"]),
            min_s=float(options["warmup_min_secs"]),
            max_s=float(options["max_secs"]),
        ),
    )
    if call.session.gone.is_set() or bench.process.signal:
        return 1
    until = Until(
        runs=int(options["num_runs"]),
        min_s=float(options["min_secs"]),
        max_s=float(options["max_secs"]),
        period_s=period_s,
    )
    steady = _measure(bench, load, until)
    if bench.process.signal or not len(steady):
        return 1
    _summarize(bench, init_s, warmup, steady)
    return 0


def _say_options(bench: _Bench) -> None:
    bench.say("STARTING!")
    if bench.build is not ToolBuild.OLD:
        bench.say("Log parameter values verbosely: [0]")
    for name, label in _SHOWN:
        value = bench.options[name]
        changed = value != _DEFAULTS[name]
        if changed or bench.build is ToolBuild.OLD:
            bench.say(f"{label}: [{ {'true': '1', 'false': '0'}.get(value, value) }]")
    if bench.build is not ToolBuild.OLD:
        bench.say(f"#threads used for CPU inference: [{bench.options['num_threads']}]")


def _prepare(bench: _Bench) -> int | None:
    """Load and delegate; an exit code if the model cannot be prepared."""
    bench.say(f"Loaded model {bench.options['graph']}")
    bench.process.use_memory(_RUNTIME_KIB + len(bench.model) // 1024)
    if bench.concerns(Fault.UNRESOLVED_OPERATOR):
        name = bench.faults.operator or "FlexErf"
        return _fail(
            bench.call,
            f"Encountered unresolved custom op: {name}.",
            f"Node number {bench.nodes // 2} ({name}) failed to prepare.",
            "Failed to allocate tensors!",
        )
    if bench.delegate:
        _say_delegate(bench)
    bench.process.use_memory(bench.peak_kib)
    size_mb = bench.number(len(bench.model) / 1e6)
    bench.say(f"The input model file size (MB): {size_mb}")
    if bench.concerns(Fault.TOOL_CRASHES):
        bench.call.streams.err(b"Segmentation fault \n")
        return _SEGFAULT
    return None


def _say_delegate(bench: _Bench) -> None:
    created = {
        "TfLiteXNNPackDelegate": "Created TensorFlow Lite XNNPACK delegate for CPU.",
        "TfLiteGpuDelegateV2": "Created TensorFlow Lite delegate for GPU.",
        "TfLiteNnapiDelegate": "Created TensorFlow Lite delegate for NNAPI.",
    }
    bench.runtime_says(created[bench.delegate])
    taken, nodes = bench.delegated, bench.nodes
    out_of = "" if bench.build is ToolBuild.OLD else f" out of {nodes}"
    parts = 1 if taken == nodes else min(nodes - taken, 5) + 1
    where = " for subgraph 0" if bench.build is ToolBuild.NEW else ""
    bench.runtime_says(
        f"Replacing {taken}{out_of} node(s) with delegate ({bench.delegate}) node, "
        f"yielding {parts} partitions{where}."
    )


def _measure(bench: _Bench, load: Load, until: Until) -> Microseconds:
    """Microseconds of every run, after they are printed."""
    bench.say(
        f"Running benchmark for at least {until.runs} iterations and at least "
        f"{bench.number(until.min_s)} seconds but terminate if exceeding "
        f"{bench.number(until.max_s)} seconds."
    )
    took = np.maximum(np.rint(run_loop(load, until) * 1e6), 1).astype(np.int64)
    if not bench.process.signal:
        bench.say(_statistics(bench, took))
        bench.call.say("\n")
    return took


def _statistics(bench: _Bench, took: Microseconds) -> str:
    if not len(took):
        return "count=0"
    if took.min() == took.max():
        same = "" if len(took) == 1 else "(all same)"
        return f"count={len(took)} curr={took[-1]}{same}"
    text = (
        f"count={len(took)} first={took[0]} curr={took[-1]} min={took.min()} max={took.max()} "
        f"avg={bench.number(took.mean())} std={bench.number(int(took.std()))}"
    )
    if bench.build is not ToolBuild.NEW:
        return text
    p5, median, p95 = np.percentile(took, (5, 50, 95), method="higher")
    return f"{text} p5={p5} median={median} p95={p95}"


def _summarize(bench: _Bench, init_s: float, warmup: Microseconds, steady: Microseconds) -> None:
    number = bench.number
    first = warmup[0] if len(warmup) else steady[0]
    warm = number(warmup.mean()) if len(warmup) else "0"
    mean = number(steady.mean())
    bench.say(
        f"Inference timings in us: Init: {round(init_s * 1e6)}, First inference: {first}, "
        f"Warmup (avg): {warm}, Inference (avg): {mean}"
    )
    bench.say(
        "Note: as the benchmark tool itself affects memory footprint, the following is only "
        "APPROXIMATE to the actual memory footprint of the model at runtime. Take the "
        "information at your discretion."
    )
    init_mb, overall_mb = len(bench.model) / 2**20, (bench.peak_kib - _RUNTIME_KIB // 2) / 1024
    label = (
        "Peak memory footprint (MB)"
        if bench.build is ToolBuild.OLD
        else "Memory footprint delta from the start of the tool (MB)"
    )
    bench.say(f"{label}: init={number(init_mb)} overall={number(overall_mb)}")
    if bench.is_on("report_peak_memory_footprint"):
        peak_mb = number(bench.peak_kib / 1024)
        bench.say(f"Overall peak memory footprint (MB) via periodic monitoring: {peak_mb}")
    if bench.is_on("enable_op_profiling"):
        _say_profile(bench, float(steady.mean()) / 1e3, len(steady))


def _say_profile(bench: _Bench, mean_ms: float, runs: int) -> None:
    """Time by node, in equal shares: the simulator does not know better."""
    left = bench.nodes - bench.delegated if bench.delegate else bench.nodes
    names = [op.name for op in bench.cost.operators] if bench.cost else ["UNKNOWN"] * left
    rows = ([bench.delegate] if bench.delegate else []) + names[len(names) - left :]
    share_ms = mean_ms / len(rows)
    head = "\t[node type]\t[first]\t[avg ms]\t[%]\t[cdf%]\t[mem KB]\t[times called]\t[Name]\n"
    lines = "".join(
        f"\t{name}\t{share_ms:.3f}\t{share_ms:.3f}\t{100 / len(rows):.3f}%"
        f"\t{100 * (n + 1) / len(rows):.3f}%\t0.000\t1\t[{name}]:{n}\n"
        for n, name in enumerate(rows)
    )
    bench.call.say(
        "Operator-wise Profiling Info for Regular Benchmark Runs:\n"
        f"{'=' * 30} Run Order {'=' * 30}\n{head}{lines}\n"
        f"Timings (microseconds): count={runs} avg={bench.number(mean_ms * 1e3)}\n"
        f"Memory (bytes): count=0\n{len(rows)} nodes observed\n"
    )
    if bench.options["profiling_output_csv_file"]:
        path = bench.call.path(bench.options["profiling_output_csv_file"])
        csv = (head + lines).replace("\n\t", "\n").strip().replace("\t", ", ")
        bench.call.state.files.write(path, (csv + "\n").encode())

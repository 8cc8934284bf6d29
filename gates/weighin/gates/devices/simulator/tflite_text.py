"""What ``benchmark_model`` prints, in the words of three generations of the tool.

What this module does not do: it measures nothing; the figures are handed to it.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.tflite_bench import DEFAULTS, RUNTIME_KIB, Bench

Microseconds = NDArray[Any]
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


def say_options(bench: Bench) -> None:
    """The options that differ from the defaults; older builds list all."""
    bench.say("STARTING!")
    if bench.build is not ToolBuild.OLD:
        bench.say("Log parameter values verbosely: [0]")
    for name, label in _SHOWN:
        value = bench.options[name]
        changed = value != DEFAULTS[name]
        if changed or bench.build is ToolBuild.OLD:
            bench.say(f"{label}: [{ {'true': '1', 'false': '0'}.get(value, value) }]")
    if bench.build is not ToolBuild.OLD:
        bench.say(f"#threads used for CPU inference: [{bench.options['num_threads']}]")


def say_delegate(bench: Bench) -> None:
    """Which delegate took how many nodes."""
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


def statistics(bench: Bench, took: Microseconds) -> str:
    """The ``count=`` line of one loop."""
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


def summarize(bench: Bench, init_s: float, warmup: Microseconds, steady: Microseconds) -> None:
    """Timings, memory and, if asked for, operators."""
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
    init_mb, overall_mb = len(bench.model) / 2**20, (bench.peak_kib - RUNTIME_KIB // 2) / 1024
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


def _say_profile(bench: Bench, mean_ms: float, runs: int) -> None:
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

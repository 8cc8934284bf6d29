"""``weighin_runner`` on a simulated phone: a model over pushed input rows, real outputs back.

    weighin_runner --model=M.tflite --inputs=rows.npy --outputs=out.npy [--threads=N]

``rows.npy`` is [n, ...] of the model's one input; ``out.npy`` becomes [n, ...] of its one output,
row by row. The outputs are computed on this machine, in a child process, by the runtime that
the host device uses; time and power pass as on the phone.

What this module does not do: it computes nothing with the phone's own kernels, so the outputs
say nothing about how a real phone would round.
"""

import io
import tempfile
from pathlib import Path

import numpy as np

from weighin.gates.child import Limits, run_child
from weighin.gates.devices.simulator.loop import Load, Until, run_loop
from weighin.gates.devices.simulator.shell import Call
from weighin.gates.devices.simulator.state import Process
from weighin.gates.variant import Format

_LIMITS = Limits(wall_seconds=120, memory_mib=4096)
_CHILD = "weighin.gates.meters.runner"


def run_rows(call: Call, process: Process) -> int:
    """Run the tool; its exit code."""
    pairs = (arg.removeprefix("--").partition("=") for arg in call.args)
    options = {name: value for name, _, value in pairs}
    if missing := {"model", "inputs", "outputs"} - set(options):
        return call.complain(f"--{min(missing)}=FILE is missing", 2)
    try:
        model = call.state.files.read(call.path(options["model"]))
        rows = np.load(io.BytesIO(call.state.files.read(call.path(options["inputs"]))))
        threads = int(options.get("threads", "1"))
        outputs = _outputs(model, rows)
    except (OSError, ValueError) as error:
        return call.complain(str(error))
    if isinstance(outputs, str):
        return call.complain(outputs)
    process.threads = threads
    load = Load(
        state=call.state,
        process=process,
        latency_s=call.state.latency_ms(model, threads, call.cores) / 1e3,
        threads=threads,
        cores=call.cores,
    )
    run_loop(load, Until(runs=len(rows)))
    try:
        call.state.files.write(call.path(options["outputs"]), outputs)
    except OSError as error:
        return call.complain(f"{error.filename}: {error.strerror}")
    call.say(f"rows={len(rows)} outputs={options['outputs']}\n")
    return 0


def _outputs(
    model: bytes, rows: "np.ndarray[tuple[int, ...], np.dtype[np.generic]]"
) -> bytes | str:
    """Bytes of an .npy with the outputs, or why there are none."""
    fmt = Format.LITERT if model[4:8] == b"TFL3" else Format.ONNX
    with tempfile.TemporaryDirectory(prefix="weighin-simulator-") as name:
        folder = Path(name)
        path, out = folder / f"model{fmt.suffix}", folder / "out.npy"
        path.write_bytes(model)
        np.savez(folder / "data.npz", x=rows)
        np.save(folder / "rows.npy", np.arange(len(rows)))
        item = {"label": "it", "path": str(path), "format": fmt.value, "outputs": str(out)}
        job = {
            "kind": "predict",
            "data": str(folder / "data.npz"),
            "rows": str(folder / "rows.npy"),
            "threads": 1,
            "seconds_each": _LIMITS.wall_seconds,
            "variants": [item],
        }
        result = run_child(_CHILD, job, folder / "child", _LIMITS)
        if not result.ended.ok:
            return result.ended.reason
        return out.read_bytes()

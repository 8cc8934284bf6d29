"""Peak memory of a model on a phone: of fresh processes, above that of the runtime itself.

The kernel keeps a process's peak resident memory (VmHWM). It is read from outside while the tool
runs, because the tool's own monitor disturbs it; the last reading counts, which comes after many
inferences. The runtime's own floor is what the same tool takes with a model of one tiny layer.

What this module does not do: memory that a GPU or NPU driver holds is not in a process's VmHWM;
with a delegate there is no figure.
"""

import math
from datetime import UTC, datetime
from importlib import resources
from pathlib import Path

from weighin.gates.devices.phone.bench import Rig
from weighin.gates.devices.phone.latency import figure_of
from weighin.gates.devices.phone.stage import stage_model
from weighin.gates.devices.phone.storage import parse_peak_mib
from weighin.gates.devices.phone.tools import command_of, outcome
from weighin.gates.devices.phone_run import Figure, Missing
from weighin.gates.digest import sha256_of
from weighin.gates.meters.memory import peak_memory
from weighin.gates.meters.stamp import Stamp

_STEP_S = 0.1
_LEAST_READINGS = 3
_RUN_S = 1.0
_KIB = 1024
_ON_THE_CPU = frozenset({"", "xnnpack"})
_STAMP = Stamp(
    artifact_sha256="", runtime="", device="", measured_at=datetime(2026, 1, 1, tzinfo=UTC)
)


def measure_memory(rig: Rig, model: str, size_bytes: int, mean_ms: float) -> Figure:
    """Peak memory of a model that is on the phone.

    Args:
        rig: The phone.
        model: Where the model is on it.
        size_bytes: Length of the file.
        mean_ms: What one inference takes: slow models need longer.

    Raises:
        PhoneError: the phone refuses.
        PhoneGone: it went away and did not come back.
    """
    if rig.asked.delegate not in _ON_THE_CPU:
        return Missing(reason=f"memory of the {rig.asked.delegate} delegate is its driver's")
    floor = rig.patiently(lambda: stage_model(rig.link, *_tiny(rig)))
    peaks: list[tuple[int, int]] = []
    for number in range(rig.asked.memory_processes):
        rig.tick(f"memory, process {number + 1}")
        least = rig.patiently(lambda: _peak_mib(rig, floor, 0.0))
        most = rig.patiently(lambda: _peak_mib(rig, model, mean_ms))
        for found in (least, most):
            if isinstance(found, Missing):
                return found
        peaks.append((round(_sure(least) * _KIB), round(_sure(most) * _KIB)))
    return figure_of(peak_memory(peaks, size_bytes, _STAMP, rig.asked.confidence))


def _sure(found: float | Missing) -> float:
    return math.nan if isinstance(found, Missing) else found


def _tiny(rig: Rig) -> tuple[Path, str]:
    """A model of one tiny layer."""
    with resources.as_file(resources.files(__package__ or "")) as folder:
        path = folder / f"floor{rig.tool.format.suffix}"
    return path, sha256_of(path)


def _peak_mib(rig: Rig, model: str, mean_ms: float) -> float | Missing:
    """VmHWM of one process, read every tenth of a second while it runs."""
    call = rig.call(model, seconds=_RUN_S + 5 * mean_ms / 1000)
    steps = math.ceil((call.seconds + 1 + 5 * mean_ms / 1000) / _STEP_S)
    command = (
        f"{command_of(rig.tool, rig.program, call)} > {_OUTPUT} 2>&1 & p=$!; "
        f"for i in {' '.join(map(str, range(steps)))}; do "
        f"sleep {_STEP_S:g}; grep VmHWM /proc/$p/status 2>/dev/null; done; "
        f"wait $p; echo ENDED $?; cat {_OUTPUT}"
    )
    answer = rig.link.run(command, timeout_s=call.seconds * 4 + 120)
    before, ended, rest = answer.text.partition("ENDED ")
    status, _, output = rest.partition("\n")
    if not ended or not status.strip().isdigit():
        return Missing(reason="the phone did not tell how the process ended")
    done = outcome(rig.tool, int(status), output, call)
    if isinstance(done, Missing):
        return done
    readings = [parse_peak_mib(line) for line in before.split("\n") if line.strip()]
    known = [one for one in readings if one is not None]
    if len(known) < _LEAST_READINGS:
        return Missing(reason=f"the process ended after {len(known)} readings of its memory")
    return max(known)


_OUTPUT = "/data/local/tmp/weighin/output.txt"

"""The child process that runs variants: ``python -I -m weighin.gates.meters.runner job.json``.

A job says what to do (``kind``) with which files. Before each variant it hands over a line
``{"label": …, "starting": true}``, so that the parent knows whose fault a crash is.
What this module does not do: it judges nothing and reads no labels.
"""

import gc
import random
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from weighin.gates.child import append_result, read_job
from weighin.gates.meters.models import Array, Model, import_runtime, load_model
from weighin.gates.meters.rapl import read_energy_uj
from weighin.gates.variant import Format

LEAST_ROUNDS = 40
"""A 90th percentile with an interval needs 29; fewer than this are never measured."""

Say = Callable[[Mapping[str, object]], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One file to run, and where its outputs go."""

    label: str
    path: str
    format: Format
    outputs: str


def main(arguments: Sequence[str]) -> None:
    """Do the job in the file that the one argument names."""
    job, results = read_job(Path(arguments[0]))

    def say(line: Mapping[str, object]) -> None:
        append_result(results, line)

    items = [_item(fields) for fields in _list(job, "variants")]
    kinds = {
        "predict": predict,
        "cross": cross,
        "latency": latency,
        "memory": memory,
        "energy": energy,
    }
    kinds[str(job["kind"])](items, job, say)


def predict(items: Sequence[Item], job: Mapping[str, Any], say: Say) -> None:
    """Write each variant's outputs on the rows that are asked for, [n, ...], as .npy."""
    with np.load(job["data"], allow_pickle=False) as archive:
        rows = archive["x"][np.load(job["rows"], allow_pickle=False)]
    for item in items:
        model = _open(item, job, say)
        outputs = [np.array(model(rows[k : k + 1])) for k in range(len(rows))]
        np.save(item.outputs, np.concatenate(outputs))
        say({"label": item.label, "done": True})


def cross(items: Sequence[Item], job: Mapping[str, Any], say: Say) -> None:
    """Write each variant's outputs in both forms of its runtime, [2, n, ...]: the app's, plain.

    One whose kernels are wrong, on this machine at least, shows by a difference.
    """
    with np.load(job["data"], allow_pickle=False) as archive:
        rows = archive["x"][np.load(job["rows"], allow_pickle=False)]
    for item in items:
        _start(item, job, say)
        both = []
        for plain in (False, True):
            model = load_model(item.path, item.format, job["threads"], plain=plain)
            outputs = [np.array(model(rows[k : k + 1])) for k in range(len(rows))]
            both.append(np.concatenate(outputs))
        np.save(item.outputs, np.stack(both))
        say({"label": item.label, "done": True})


def latency(items: Sequence[Item], job: Mapping[str, Any], say: Say) -> None:
    """Time every variant and the reference in turn, in a new random order each round.

    The reference runs twice a round: what its two series differ by is noise.
    """
    rows = np.load(job["inputs"], allow_pickle=False)
    models = [(item.label, _warm(item, rows, job, say)) for item in items]
    twin = [(label, model) for label, model in models if label == job["reference"]]
    series: list[tuple[str, Model, list[float]]] = [
        (label, model, []) for label, model in models + twin
    ]
    order, shuffler = list(series), random.Random(job["seed"])  # noqa: S311 - no secret
    deadline = time.monotonic() + job["session_seconds"]
    signal.setitimer(signal.ITIMER_REAL, job["session_seconds"] + job["seconds_each"])
    gc.disable()
    for number in range(job["rounds"]):
        if number >= LEAST_ROUNDS and time.monotonic() > deadline:
            break
        shuffler.shuffle(order)
        for _, model, times_ms in order:
            times_ms.append(_time_ms(model, rows, number))
    gc.enable()
    for position, (label, _, times_ms) in enumerate(series):
        say({"label": label, "twin": position >= len(models), "times_ms": times_ms})


def memory(items: Sequence[Item], job: Mapping[str, Any], say: Say) -> None:
    """Peak resident memory of loading and running one variant, above the runtime's floor."""
    rows = np.load(job["inputs"], allow_pickle=False)
    (item,) = items
    _start(item, job, say)
    _forget_peak()
    floor_kib = _status_kib("VmRSS")
    model = load_model(item.path, item.format, job["threads"])
    for number in range(job["inferences"]):
        _run_one(model, rows, number)
    say({"label": item.label, "floor_kib": floor_kib, "peak_kib": _status_kib("VmHWM")})


def energy(items: Sequence[Item], job: Mapping[str, Any], say: Say) -> None:
    """Counter readings of idle and busy windows in turn, for one variant."""
    rows = np.load(job["inputs"], allow_pickle=False)
    (item,) = items
    model = _warm(item, rows, job, say)
    powercap, window = Path(job["powercap"]), float(job["window_seconds"])
    signal.setitimer(signal.ITIMER_REAL, 0)  # as long as the windows take
    for _ in range(job["repeats"]):
        idle = _window(powercap, window, lambda: time.sleep(0.01))
        busy = _window(powercap, window, lambda: _run_one(model, rows, 0))
        say({"label": item.label, "idle": idle, "busy": busy})


def _window(powercap: Path, seconds: float, work: Callable[[], None]) -> tuple[int, float, int]:
    """Microjoules, seconds and repetitions of doing something for a while."""
    before, started, count = read_energy_uj(powercap), time.monotonic(), 0
    while time.monotonic() - started < seconds:
        work()
        count += 1
    return read_energy_uj(powercap) - before, time.monotonic() - started, count


def _start(item: Item, job: Mapping[str, Any], say: Say) -> None:
    """Whatever happens from here on is this variant's fault; its time starts now.

    The kernel's alarm ends the process wherever it is, also inside a runtime that never
    comes back to Python.
    """
    import_runtime(item.format)
    say({"label": item.label, "starting": True})
    signal.setitimer(signal.ITIMER_REAL, job["seconds_each"])


def _open(item: Item, job: Mapping[str, Any], say: Say) -> Model:
    _start(item, job, say)
    return load_model(item.path, item.format, job["threads"])


def _warm(item: Item, rows: Array, job: Mapping[str, Any], say: Say) -> Model:
    model = _open(item, job, say)
    for number in range(job["warmup"]):
        _run_one(model, rows, number)
    say({"label": item.label, "ready": True})
    return model


def _run_one(model: Model, rows: Array, number: int) -> None:
    at = number % len(rows)
    model.prepare(rows[at : at + 1])
    model.run()


def _time_ms(model: Model, rows: Array, number: int) -> float:
    at = number % len(rows)
    model.prepare(rows[at : at + 1])
    started = time.perf_counter_ns()
    model.run()
    return (time.perf_counter_ns() - started) / 1e6


def _forget_peak() -> None:
    """Set the peak back to what is resident now; elsewhere than Linux there is no peak to read."""
    Path("/proc/self/clear_refs").write_text("5")


def _status_kib(name: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(f"{name}:"):
            return int(line.split()[1])
    raise OSError(f"/proc/self/status has no {name}")


def _item(fields: Mapping[str, str]) -> Item:
    return Item(
        label=fields["label"],
        path=fields["path"],
        format=Format(fields["format"]),
        outputs=fields["outputs"],
    )


def _list(job: Mapping[str, Any], name: str) -> list[dict[str, str]]:
    value: list[dict[str, str]] = job[name]
    return value


if __name__ == "__main__":
    main(sys.argv[1:])

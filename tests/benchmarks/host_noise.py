"""Does the host refuse noise, and only noise? The same model timed in quiet and beside busy loops.

    python tests/benchmarks/host_noise.py

For none, one and as many busy loops as there are cores: what the kernel's counters say, how far
the float32 reference is from itself, and whether the reading would be refused. Run it on a
machine with nothing else to do; it says so if it was not.
"""

import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from inspecting import onnx

from weighin.gates.child import Limits
from weighin.gates.devices import children
from weighin.gates.devices.bench import Bench, Candidate, HostSettings
from weighin.gates.digest import sha256_of
from weighin.gates.meters.latency import noise_of
from weighin.gates.quiet import QuietLimits
from weighin.gates.variant import Format

LOOP = "while True: pass"


@contextmanager
def loops(count: int) -> Generator[None]:
    """Busy loops beside the body, each a process of its own."""
    running = [subprocess.Popen([sys.executable, "-c", LOOP]) for _ in range(count)]
    try:
        yield
    finally:
        for one in running:
            one.kill()
            one.wait()


def bench_of(folder: Path) -> Bench:
    np.save(folder / "inputs.npy", np.ones((4, 288, 14, 14), np.float32))
    return Bench(
        workdir=folder,
        evaluation=folder,
        inputs=folder / "inputs.npy",
        limits=Limits(wall_seconds=120, memory_mib=2048),
        settings=HostSettings(quiet=QuietLimits(refuse=False), processes=3, rounds=60),
        tick=lambda what: None,
    )


def main() -> int:
    limits = QuietLimits()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = onnx(folder / "float32.onnx", blocks=2)
        one = Candidate(label="float32.onnx", path=path, format=Format.ONNX, sha256=sha256_of(path))
        for count in (0, 1, os.cpu_count() or 1):
            with loops(count):
                raw = children.time_together(bench_of(folder), [one], one)
            if one.label in raw.crashed:
                print(raw.crashed[one.label])
                return 1
            sessions = raw.found[one.label]
            noise = statistics.median(session.noise for session in sessions)
            p50 = statistics.median(statistics.median(s.times_ms) for s in sessions)
            verdict = noise_of(sessions, limits) or "kept"
            print(
                f"{count} loops: median {p50:.2f} ms, reference from itself {noise:.1%}: {verdict}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())

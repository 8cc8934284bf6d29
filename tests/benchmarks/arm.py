"""What the ARM kernels of real files do on each emulated core, and what that costs.

    python tests/benchmarks/arm.py FILE... --data EVALUATION.npz
    python tests/benchmarks/arm.py FILE.tflite --data EVALUATION.npz --emulator QEMU --cpu max

The first line of a core says whether the emulator is trusted there. With ``--cpu`` the files run
even if it is not, which is how an emulator that is wrong looks. Needs `weighin doctor --arm`.
"""

import argparse
import os
import resource
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from weighin.gates.arm.cores import CORES, I8MM, Core
from weighin.gates.arm.disagreement import compare
from weighin.gates.arm.machine import Machine, NotReady, interpreter, make_view, open_machine
from weighin.gates.arm.readings import SAMPLED_ROWS, prove_core, sample_rows
from weighin.gates.arm.trust import models_objection
from weighin.gates.child import Limits
from weighin.gates.devices.bench import Bench, Candidate, HostSettings, all_rows
from weighin.gates.devices.children import predict
from weighin.gates.digest import sha256_of
from weighin.gates.variant import Format
from weighin.plugin.arm_setup import machine_folder

LIMITS = Limits(wall_seconds=1800, memory_mib=4096)


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("files", nargs="+", type=Path)
    parser.add_argument("--data", required=True, type=Path)
    parser.add_argument("--rows", type=int, default=SAMPLED_ROWS)
    parser.add_argument("--emulator", type=Path, help="instead of the one that is set up")
    parser.add_argument("--cpu", help="instead of the i8mm core's, and of all other cores")
    args = parser.parse_args(arguments)
    machine = open_machine(machine_folder(os.environ, Path.home()))
    if isinstance(machine, NotReady):
        sys.stderr.write(machine.reason + "\n")
        return 1
    if args.emulator:
        machine = replace(machine, emulator=args.emulator.resolve())
    cores = (replace(I8MM, cpu=args.cpu),) if args.cpu else CORES
    with TemporaryDirectory() as temporary:
        work = Path(temporary)
        rows = sample_rows(args.data, work / "rows.npz", 0, args.rows)
        bench = Bench(
            workdir=work / "here",
            evaluation=rows,
            inputs=rows,
            limits=LIMITS,
            settings=HostSettings(parallel=1),
            tick=lambda _what: None,
        )
        for core in cores:
            run_core(machine, core, [candidate(path) for path in args.files], bench)
    return 0


def candidate(path: Path) -> Candidate:
    format = next(one for one in Format if path.name.endswith(one.suffix))
    return Candidate(label=path.name, path=path, format=format, sha256=sha256_of(path))


def run_core(machine: Machine, core: Core, files: Sequence[Candidate], bench: Bench) -> None:
    own = replace(bench, workdir=bench.workdir / core.cpu)
    before = cpu_seconds()
    trust = prove_core(machine, core, [one.format for one in files], own)
    words = getattr(trust, "reason", "trusted")
    print(f"{core.name} (-cpu {core.cpu}): {words}; {cpu_seconds() - before:.1f} s of CPU")
    make_view(machine, core, own.workdir / "view")
    start = interpreter(machine, core, own.workdir / "view")
    for format in sorted({one.format for one in files}) if core not in CORES else ():
        wrong = models_objection(machine, core, format, own)
        print(f"  known models of {format}, whatever the version: {wrong or 'right'}")
    for one in files:
        here = outputs(replace(bench, workdir=bench.workdir / one.label), one)
        before = cpu_seconds()
        there = outputs(replace(own, workdir=own.workdir / one.label, interpreter=start), one)
        found, seconds = compare(there, here), cpu_seconds() - before
        print(
            f"  {one.label}: {found.disagreeing} of {found.rows} rows at another class, "
            f"largest difference {found.largest:.3g}, "
            f"bit-exact {'yes' if found.bit_exact else 'no'}, {seconds:.1f} s of CPU",
            flush=True,
        )


def outputs(bench: Bench, one: Candidate) -> "np.ndarray[tuple[int, ...], np.dtype[np.float32]]":
    (raw,) = predict(bench, [one], all_rows(bench), "all")
    if one.label in raw.crashed:
        raise SystemExit(f"{one.label}: {raw.crashed[one.label]}")
    found: np.ndarray[tuple[int, ...], np.dtype[np.float32]] = np.load(raw.found[one.label])
    return found


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

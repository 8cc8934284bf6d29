"""In the emulator: executes single instructions and tells what the machine says of itself.

    python -I boot.py weighin.gates.arm.probe job.json

Each instruction runs in a process of its own, because one that the core lacks ends it. Uses the
standard library only. What this module does not do: it knows no right answer, so it cannot lie
about one by mistake.
"""

import ctypes
import mmap
import os
import resource
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weighin.gates.child import append_result, read_job

_AT_HWCAP, _AT_HWCAP2 = 16, 26


def main(job_path: Path) -> None:
    """Answer the job's trials, one line each, after a line about the machine."""
    job, results = read_job(job_path)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    append_result(results, _machine())
    trials: Any = job["trials"]
    for trial in trials:
        append_result(results, {"number": trial["number"], **_in_own_process(trial)})


def _machine() -> Mapping[str, object]:
    library = ctypes.CDLL(None)
    library.getauxval.restype, library.getauxval.argtypes = ctypes.c_ulong, [ctypes.c_ulong]
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    features = [line.partition(":")[2].strip() for line in lines if line.startswith("Features")]
    return {
        "hwcap": library.getauxval(_AT_HWCAP),
        "hwcap2": library.getauxval(_AT_HWCAP2),
        "features": features[0] if features else "",
    }


def _in_own_process(trial: Mapping[str, str]) -> Mapping[str, object]:
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, _execute(*(bytes.fromhex(trial[name]) for name in _OPERANDS)))
        os._exit(0)
    os.close(writer)
    answer = os.read(reader, 16)
    os.close(reader)
    _, status = os.waitpid(child, 0)
    return {"answer": answer.hex(), "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0}


_OPERANDS = ("code", "left", "right", "start")


def _execute(code: bytes, left: bytes, right: bytes, start: bytes) -> bytes:
    """Call the code as a function of three addresses."""
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    entry = ctypes.addressof(ctypes.c_char.from_buffer(page))
    function = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_void_p)(entry)
    accumulator = ctypes.create_string_buffer(start, 16)
    function(left, right, ctypes.addressof(accumulator))
    return accumulator.raw


if __name__ == "__main__":
    main(Path(sys.argv[1]))

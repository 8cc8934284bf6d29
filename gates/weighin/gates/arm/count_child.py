"""In the emulated machine: runs a file, and marks one inference for the counter.

    python -I boot.py weighin.gates.arm.count_child job.json

What this module does not do: it counts nothing and knows no counter. Outside the counting emulator
its marks are system calls that no kernel has, which do nothing.
"""

import ctypes
import mmap
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from weighin.gates.child import append_result, read_job

MARK = 0x7EE1
"""The system call that ``counter.c`` listens to."""


def main(job_path: Path) -> None:
    """Run the job's ``loop`` twice if it has one, then its ``files``, numbered in this order."""
    job, results = read_job(job_path)
    if job.get("loop"):
        _run_loop(bytes.fromhex(str(job["loop"])), int(str(job["buffer_bytes"])))
    files: Any = job.get("files", ())
    for number, path in enumerate(files):
        _run_litert(str(path), number, built_in=bool(job.get("built_in")))
        append_result(results, {"number": number, "done": True})


def marks(number: int) -> tuple[Callable[[], object], Callable[[], object]]:
    """What starts and what stops counting, prepared so that calling them costs little."""
    syscall = ctypes.CDLL(None).syscall
    start = (ctypes.c_long(MARK), ctypes.c_long(0), ctypes.c_long(0))
    stop = (ctypes.c_long(MARK), ctypes.c_long(1), ctypes.c_long(number))
    return partial(syscall, *start), partial(syscall, *stop)


def _run_loop(code: bytes, buffer_bytes: int) -> None:
    page = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    page.write(code)
    buffer = mmap.mmap(-1, buffer_bytes)
    entry, start = (ctypes.addressof(ctypes.c_char.from_buffer(one)) for one in (page, buffer))
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_long)(entry)
    for number in range(2):
        function(start, number)


def _run_litert(path: str, number: int, *, built_in: bool) -> None:
    """One inference on one thread, on noise, after one that packs the weights.

    Args:
        path: The file.
        number: What the counter calls it.
        built_in: Leave XNNPACK out, as files ran before it was the default.
    """
    from importlib import import_module

    litert: Any = import_module("ai_edge_litert.interpreter")
    kernels = litert.OpResolverType
    kind = kernels.BUILTIN_WITHOUT_DEFAULT_DELEGATES if built_in else kernels.AUTO
    interpreter = litert.Interpreter(path, num_threads=1, experimental_op_resolver_type=kind)
    interpreter.allocate_tensors()
    for detail in interpreter.get_input_details():
        interpreter.set_tensor(detail["index"], _noise(detail["shape"], detail["dtype"]))
    start, stop = marks(number)
    interpreter.invoke()
    start()
    interpreter.invoke()
    stop()


def _noise(shape: Any, dtype: Any) -> Any:
    import numpy as np

    values = np.random.default_rng(0).uniform(0, 1, shape)
    return (values * (100 if np.issubdtype(dtype, np.integer) else 1)).astype(dtype)


if __name__ == "__main__":
    main(Path(sys.argv[1]))

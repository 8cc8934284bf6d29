"""The programs that a simulated phone can run, as the files that are pushed to it.

They begin with an ELF header and a mark, so that a phone of the wrong kind refuses them as it
refuses real ones. A simulated phone runs these files only: it cannot run a real program.

What this module does not do: a file without the mark is never taken for a tool, whatever its name.
"""

from enum import StrEnum

from weighin.gates.devices.simulator.benchmark_onnx import perf_test
from weighin.gates.devices.simulator.benchmark_tflite import benchmark_model
from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.runner import run_rows
from weighin.gates.devices.simulator.session import SHELL
from weighin.gates.devices.simulator.shell import Call, Program
from weighin.gates.devices.simulator.state import Process

_ELF_64 = b"\x7fELF\x02\x01\x01\x00"
_MARK = b"WEIGHIN-SIMULATED-TOOL "


class Tool(StrEnum):
    """The tools, by the name that their real counterparts go by."""

    BENCHMARK_MODEL = "benchmark_model"
    PERF_TEST = "onnxruntime_perf_test"
    RUNNER = "weighin_runner"


def tool_bytes(tool: Tool, build: ToolBuild = ToolBuild.NEW) -> bytes:
    """The file to push for ``tool``.

    Args:
        tool: Which.
        build: How old it acts; the runner has one build only.
    """
    return _ELF_64 + _MARK + f"{tool} {build}\n".encode()


def benchmark_tool_bytes(build: ToolBuild = ToolBuild.NEW) -> bytes:
    """The simulated TFLite ``benchmark_model``."""
    return tool_bytes(Tool.BENCHMARK_MODEL, build)


def program_of(content: bytes) -> Program | None:
    """What a pushed file does when it is run; ``None`` if it is none of these tools."""
    if not content.startswith(_ELF_64 + _MARK):
        return _foreign if content.startswith(b"\x7fELF") else None
    names = content.removeprefix(_ELF_64 + _MARK).decode(errors="replace").split()
    if len(names) != 2 or names[0] not in list(Tool) or names[1] not in list(ToolBuild):
        return None
    return _start


def _start(call: Call, content: bytes, process: Process) -> int:
    if Fault.OTHER_ABI in call.state.phone.faults:
        return _foreign(call, content, process)
    name, build = content.removeprefix(_ELF_64 + _MARK).decode().split()
    match Tool(name):
        case Tool.BENCHMARK_MODEL:
            return benchmark_model(call, ToolBuild(build), process)
        case Tool.PERF_TEST:
            return perf_test(call, ToolBuild(build), process)
        case Tool.RUNNER:
            return run_rows(call, process)


def _foreign(call: Call, content: bytes, _process: Process) -> int:
    bits = 64 if content[4:5] == b"\x02" else 32
    text = f"{SHELL}: {call.name}: not executable: {bits}-bit ELF file\n"
    call.streams.err(text.encode())
    return 126

"""The benchmark tools of the runtimes: how they are called, and what came of a call.

What this module does not do: it ships no tool. Where to get one, docs/phones.md says.
"""

import math
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import assert_never

from weighin.gates.devices.phone.link import FOLDER, Answer, Link
from weighin.gates.devices.phone.timings import TOLD_RUNS
from weighin.gates.devices.phone.tool_output import ToolRun, failure, parse_litert, parse_onnx
from weighin.gates.devices.phone_run import Missing
from weighin.gates.digest import sha256_of
from weighin.gates.errors import ConfigError, PhoneError
from weighin.gates.variant import Format

NAMES = {Format.LITERT: "benchmark_model", Format.ONNX: "onnxruntime_perf_test"}
"""What measures a format; a format that is not here is not measured on phones."""

DELEGATES = {
    Format.LITERT: {
        "xnnpack": ("--use_xnnpack=true",),
        "gpu": ("--use_gpu=true",),
        "nnapi": ("--use_nnapi=true",),
    },
    Format.ONNX: {"xnnpack": ("xnnpack",), "nnapi": ("nnapi",), "qnn": ("qnn",)},
}
"""Delegates (execution providers) that may be asked for by name."""

WARM_UP_RUNS = 2
WARM_UP_SECONDS = 0.3
"""Before its timed runs a process runs at least this often and this long."""

ONNX_WARM_UP_SECONDS = 1.0
"""ONNX Runtime's tool takes whole seconds."""

_ELF_ABIS = {183: "arm64-v8a", 40: "armeabi-v7a", 62: "x86_64", 3: "x86"}
_LIBRARIES = "*.so*"
_TIMEOUT_S = 600.0
_CANNOT_RUN = (126, 127)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tool:
    """A benchmark tool on this machine.

    Attributes:
        format: What it runs.
        path: The program.
        libraries: What it needs beside it.
        sha256: Digest of the program.
        version: Release of the runtime that it was built from; empty if nobody says.
    """

    format: Format
    path: Path
    libraries: tuple[Path, ...]
    sha256: str
    version: str

    @property
    def name(self) -> str:
        """How people call it."""
        return NAMES[self.format]

    @property
    def abi(self) -> str | None:
        """The ABI that it is built for, by its ELF header; ``None`` if that tells none."""
        with self.path.open("rb") as stream:
            head = stream.read(20)
        if head[:4] != b"\x7fELF" or len(head) < 20:
            return None
        machine = int.from_bytes(head[18:20], "little")
        return _ELF_ABIS.get(machine)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """How a tool is called.

    Attributes:
        model: The model on the phone.
        threads: Threads of the runtime.
        mask: Cores to pin to, as a hexadecimal mask; empty for none.
        delegate: By name; empty for the runtime's default.
        runs: Timed runs at least.
        seconds: Timed runs take at least so long; 0 for exactly ``runs``.
    """

    model: str
    threads: int
    mask: str
    delegate: str = ""
    runs: int = TOLD_RUNS
    seconds: float = 0.0


def open_tool(format: Format, path: Path, version: str) -> Tool:
    """A tool of this machine, with the libraries that lie beside it.

    Raises:
        ConfigError: there is none at ``path``, or nothing measures this format.
    """
    if format not in NAMES:
        raise ConfigError(f"no tool measures {format} files on a phone; there are {_measured()}")
    if not path.is_file():
        raise ConfigError(
            f"no {NAMES[format]} at {path}; docs/phones.md says where to get one, and "
            f"`phones.{NAMES[format]}` in weighin.toml or --tool where it is"
        )
    libraries = tuple(sorted(path.parent.glob(_LIBRARIES))) if format is Format.ONNX else ()
    return Tool(
        format=format,
        path=path,
        libraries=libraries,
        sha256=sha256_of(path),
        version=version,
    )


def _measured() -> str:
    return " and ".join(f"{name} for {format}" for format, name in NAMES.items())


def command_of(tool: Tool, program: str, call: Call) -> str:
    """The command line for the phone's shell."""
    pin = f"taskset {call.mask} " if call.mask else ""
    match tool.format:
        case Format.LITERT:
            return pin + " ".join((program, *_litert_flags(call)))
        case Format.ONNX:
            start = f"LD_LIBRARY_PATH={FOLDER} {pin}{program}"
            # Its only warm-up is one run: another process before it brings the clocks up.
            warm = replace(call, seconds=ONNX_WARM_UP_SECONDS)
            before = f"{start} {' '.join(_onnx_flags(warm))} > /dev/null 2>&1; "
            return ("" if call.seconds else before) + f"{start} {' '.join(_onnx_flags(call))}"
        case Format.ORT | Format.EXECUTORCH | Format.COREML:
            raise ConfigError(f"no tool measures {tool.format} files on a phone")
        case _:
            assert_never(tool.format)


def _litert_flags(call: Call) -> tuple[str, ...]:
    return (
        f"--graph={call.model}",
        f"--num_threads={call.threads}",
        f"--warmup_runs={WARM_UP_RUNS}",
        f"--warmup_min_secs={WARM_UP_SECONDS:g}",
        f"--num_runs={call.runs}",
        f"--min_secs={call.seconds:g}",
        f"--max_secs={max(150.0, 3 * call.seconds):g}",
        *_flags_of(Format.LITERT, call.delegate),
    )


def _onnx_flags(call: Call) -> tuple[str, ...]:
    provider = _flags_of(Format.ONNX, call.delegate) or ("cpu",)
    # The tool takes a number of runs or a time, never both.
    length = (
        ("duration", "-t", math.ceil(call.seconds)) if call.seconds else ("times", "-r", call.runs)
    )
    return (
        *("-e", provider[0], "-m", *map(str, length)),
        *("-x", str(call.threads), "-I", call.model),
    )


def _flags_of(format: Format, delegate: str) -> tuple[str, ...]:
    if not delegate:
        return ()
    known = DELEGATES[format]
    if delegate not in known:
        raise ConfigError(f"no delegate '{delegate}' for {format}; there are {', '.join(known)}")
    return known[delegate]


def run_tool(link: Link, tool: Tool, program: str, call: Call) -> ToolRun | Missing:
    """Run a tool once; a crash, or output that is not understood, is a value with its words.

    Raises:
        PhoneError: the phone cannot run the tool at all.
        PhoneGone: it went away.
    """
    answer = link.run(command_of(tool, program, call) + " 2>&1", timeout_s=_TIMEOUT_S)
    if answer.code in _CANNOT_RUN:
        raise PhoneError(
            f"phone {link.serial} cannot run {tool.path}: {' '.join(answer.text.split())[:200]}; "
            "is it the build for this phone's ABI? docs/phones.md says where to get one"
        )
    return outcome(tool, answer.code, answer.text, call)


def outcome(tool: Tool, code: int, text: str, call: Call) -> ToolRun | Missing:
    """What a finished call gave."""
    if code != 0:
        return Missing(reason=failure(tool.name, code, text))
    try:
        if tool.format is Format.LITERT:
            return parse_litert(text)
        return parse_onnx(text, None if call.seconds else call.runs)
    except ValueError as error:
        return Missing(reason=str(error))


def fallback(run: ToolRun, delegate: str) -> str | None:
    """Why the delegate that was asked for does not run the whole model; ``None`` if it does."""
    if not delegate:
        return None
    taken = [part for part in run.partitions if delegate in part.delegate.lower()]
    if not taken:
        return f"nothing shows that the {delegate} delegate took anything: it fell back silently"
    broken = [part.words for part in taken if not part.whole]
    return f"the {delegate} delegate fell back: {'; '.join(broken)}" if broken else None


def failure_of(name: str, answer: Answer) -> str:
    """Why a program that left this behind failed."""
    return failure(name, answer.code, answer.text)


def check_abi(tool: Tool, abis: tuple[str, ...], serial: str) -> None:
    """Refuse a program that the phone cannot run, before anything is pushed.

    Raises:
        PhoneError: it is built for another ABI.
    """
    abi = tool.abi
    if abi is not None and abi not in abis:
        raise PhoneError(
            f"{tool.path.name} is built for {abi}, but phone {serial} runs {', '.join(abis)}; "
            "get the build for its ABI (docs/phones.md)"
        )


def parse_sha256(text: str) -> str | None:
    """The digest that ``sha256sum`` printed; ``None`` if it printed none."""
    found = re.match(r"([0-9a-f]{64})\b", text.strip())
    return found[1] if found else None

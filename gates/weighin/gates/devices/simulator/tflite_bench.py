"""One run of the simulated ``benchmark_model``: its options, model and what follows from them.

What this module does not do: it runs nothing.
"""

import math
from dataclasses import dataclass

from weighin.gates.cost import ModelCost
from weighin.gates.devices.simulator.builds import ToolBuild
from weighin.gates.devices.simulator.faults import Fault, Faults
from weighin.gates.devices.simulator.numbers import spell
from weighin.gates.devices.simulator.shell import Call
from weighin.gates.devices.simulator.state import Process

DEFAULTS = {
    "num_threads": "1",
    "num_runs": "50",
    "min_secs": "1",
    "max_secs": "150",
    "warmup_runs": "1",
    "warmup_min_secs": "0.5",
    "run_frequency": "-1",
    "run_delay": "-1",
    "graph": "",
    "use_xnnpack": "",
    "xnnpack_force_fp16": "false",
    "use_gpu": "false",
    "gpu_backend": "",
    "gpu_precision_loss_allowed": "true",
    "use_nnapi": "false",
    "nnapi_accelerator_name": "",
    "report_peak_memory_footprint": "false",
    "memory_footprint_check_interval_ms": "50",
    "enable_op_profiling": "false",
    "profiling_output_csv_file": "",
    "verbose": "false",
}
RUNTIME_KIB = 9_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """One run of the tool."""

    call: Call
    build: ToolBuild
    process: Process
    options: dict[str, str]
    model: bytes
    cost: ModelCost | None

    @property
    def faults(self) -> Faults:
        """What is wrong with the phone."""
        return self.call.state.phone.faults

    @property
    def nodes(self) -> int:
        """Operators of the graph; 31 where they cannot be counted."""
        return len(self.cost.operators) if self.cost else 31

    @property
    def threads(self) -> int:
        """Threads that compute."""
        return max(int(self.options["num_threads"]), 1)

    def is_on(self, name: str) -> bool:
        """Whether a yes-or-no option is set."""
        return self.options[name] in ("true", "1")

    @property
    def delegate(self) -> str:
        """Name of the delegate in use; empty if there is none."""
        if self.is_on("use_gpu"):
            return "TfLiteGpuDelegateV2"
        if self.is_on("use_nnapi"):
            return "TfLiteNnapiDelegate"
        by_default = self.build is not ToolBuild.OLD and self.options["use_xnnpack"] == ""
        return "TfLiteXNNPackDelegate" if by_default or self.is_on("use_xnnpack") else ""

    @property
    def delegated(self) -> int:
        """How many nodes the delegate takes."""
        falls_back = Fault.DELEGATE_FALLBACK in self.faults
        return min(self.nodes * 2 // 3, self.nodes - 1) if falls_back else self.nodes

    @property
    def factor(self) -> float:
        """What options and fallback do to the time of one run."""
        share = self.delegated / self.nodes if self.delegate else 0.0
        factor = share + 1.6 * (1 - share)
        factor *= 0.6 if self.is_on("xnnpack_force_fp16") and self.delegate else 1.0
        factor *= 1.1 if self.is_on("enable_op_profiling") else 1.0
        return factor * (1.05 if self.is_on("report_peak_memory_footprint") else 1.0)

    @property
    def peak_kib(self) -> int:
        """Peak resident memory: the file, what is executed, and the tool itself."""
        least = self.cost.least_memory_mib * 1024 if self.cost else len(self.model) / 512
        return round(RUNTIME_KIB + len(self.model) / 1024 + least)

    def concerns(self, fault: Fault) -> bool:
        """Whether the fault hits this model."""
        operator = self.faults.operator
        names = [op.name for op in self.cost.operators] if self.cost else []
        return fault in self.faults and (not operator or operator in names)

    def say(self, text: str) -> None:
        """One line of the tool's own log."""
        self.call.say(f"INFO: {text}\n" if self.build is ToolBuild.NEW else f"{text}\n")

    def runtime_says(self, text: str) -> None:
        """One line of the runtime's log, which goes to standard error."""
        self.call.streams.err(f"INFO: {text}\n".encode())

    def number(self, value: float) -> str:
        """A number as this phone prints it."""
        return spell(value, self.faults)


def check_numbers(options: dict[str, str]) -> None:
    """Refuse an option whose value is no number.

    Raises:
        ValueError: as the tool words it.
    """
    names = ("num_threads", "num_runs", "warmup_runs")
    if bad := [name for name in names if not options[name].lstrip("-").isdigit()]:
        raise ValueError(f"Failed to parse --{bad[0]}={options[bad[0]]}")
    for name in ("min_secs", "max_secs", "warmup_min_secs", "run_frequency", "run_delay"):
        try:
            is_number = not math.isnan(float(options[name]))
        except ValueError:
            is_number = False
        if not is_number:
            raise ValueError(f"Failed to parse --{name}={options[name]}")

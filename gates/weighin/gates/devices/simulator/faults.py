"""What may be wrong, or just different, with a simulated phone.

What this module does not do: it causes nothing; the rooms that a fault belongs to read it.
"""

from dataclasses import dataclass, field
from enum import StrEnum


class Fault(StrEnum):
    """One way in which real phones surprise their users; the value is the command line's name."""

    DISCONNECTS = "disconnects"
    SERVER_RESTARTS = "server-restarts"
    OFFLINE = "offline"
    UNAUTHORIZED = "unauthorized"
    SLOW_SHELL = "slow-shell"
    OVERHEATS = "overheats"
    CHARGING = "charging"
    NO_SPACE = "no-space"
    OTHER_ABI = "other-abi"
    DECIMAL_COMMA = "decimal-comma"
    SCIENTIFIC = "scientific"
    TOOL_CRASHES = "tool-crashes"
    UNRESOLVED_OPERATOR = "unresolved-operator"
    DELEGATE_FALLBACK = "delegate-fallback"
    POWER_SUPPLY_DENIED = "power-supply-denied"
    CLOCK_SKEWED = "clock-skewed"
    TASKSET_MISSING = "taskset-missing"
    ONE_CORE_CPUINFO = "one-core-cpuinfo"
    NO_THERMAL_HAL = "no-thermal-hal"

    @property
    def summary(self) -> str:
        """What happens, in one line."""
        return _SUMMARIES[self]


_SUMMARIES = {
    Fault.DISCONNECTS: "goes away at the third command, in the middle of its answer",
    Fault.SERVER_RESTARTS: "the adb server drops every connection at the third command",
    Fault.OFFLINE: "is listed as offline and answers nothing",
    Fault.UNAUTHORIZED: "is listed as unauthorized and answers nothing",
    Fault.SLOW_SHELL: "thinks half a second before each command",
    Fault.OVERHEATS: "warms up ten times as easily: throttles under load, cools slowly",
    Fault.CHARGING: "is on a charger, so its current flows the other way",
    Fault.NO_SPACE: "has 64 KiB left in /data/local/tmp",
    Fault.OTHER_ABI: "runs 32-bit programs only (armeabi-v7a)",
    Fault.DECIMAL_COMMA: "prints 12,5 where others print 12.5",
    Fault.SCIENTIFIC: "prints 2.71985e+06 where others print 2719850",
    Fault.TOOL_CRASHES: "the benchmark dies of a segmentation fault (exit 139)",
    Fault.UNRESOLVED_OPERATOR: "the benchmark does not know one operator of the model",
    Fault.DELEGATE_FALLBACK: "the delegate silently takes only a part of the graph",
    Fault.POWER_SUPPLY_DENIED: "/sys/class/power_supply may not be read",
    Fault.CLOCK_SKEWED: "its clock is wrong by 40 days",
    Fault.TASKSET_MISSING: "has no taskset command",
    Fault.ONE_CORE_CPUINFO: "/proc/cpuinfo shows one core only",
    Fault.NO_THERMAL_HAL: "dumpsys thermalservice says HAL Ready: false",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Faults:
    """The faults of one phone.

    Attributes:
        names: What is wrong.
        at_command: Disconnects and server restarts happen at this command, counted from 1 over
            all shell, exec and sync services that the phone is asked for.
        after_bytes: How much of that command's answer still gets through.
        away_s: Seconds of real time until a disconnected phone is back; ``None``: it stays away.
        slow_shell_s: Seconds of real time that a slow shell thinks.
        skew_s: Seconds that a skewed clock is ahead.
        operator: Whom the crash or the unresolved operator concerns: a model without this
            operator is unharmed. Empty: every model.
    """

    names: frozenset[Fault] = field(default_factory=frozenset[Fault])
    at_command: int = 3
    after_bytes: int = 0
    away_s: float | None = None
    slow_shell_s: float = 0.5
    skew_s: float = 40 * 86_400.0
    operator: str = ""

    def __contains__(self, fault: Fault) -> bool:
        """Whether this is wrong with the phone."""
        return fault in self.names


def faults(*names: Fault) -> Faults:
    """These faults, with the usual settings."""
    return Faults(names=frozenset(names))

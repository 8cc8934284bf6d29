"""The table of everything that a simulated phone can run.

What this module does not do: no command of its own; it puts those of the other modules together.
"""

from weighin.gates.devices.simulator.commands_files import FILE_COMMANDS
from weighin.gates.devices.simulator.commands_shell import SHELL_COMMANDS
from weighin.gates.devices.simulator.commands_system import SYSTEM_COMMANDS
from weighin.gates.devices.simulator.commands_text import TEXT_COMMANDS
from weighin.gates.devices.simulator.dumpsys import dumpsys_command
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.phone import SimulatedPhone
from weighin.gates.devices.simulator.properties import getprop_command
from weighin.gates.devices.simulator.shell import Commands
from weighin.gates.devices.simulator.tools import program_of


def commands_of(phone: SimulatedPhone) -> Commands:
    """What ``phone`` can run."""
    table = {
        **FILE_COMMANDS,
        **TEXT_COMMANDS,
        **SHELL_COMMANDS,
        **SYSTEM_COMMANDS,
        "getprop": getprop_command,
        "dumpsys": dumpsys_command,
        "cmd": dumpsys_command,
    }
    if Fault.TASKSET_MISSING in phone.faults:
        del table["taskset"]
    return Commands(builtins=table, program=program_of)

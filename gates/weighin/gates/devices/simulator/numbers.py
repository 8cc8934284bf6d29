"""How the simulated tools print numbers: like C++ streams, or as the phone's faults have it.

What this module does not do: whole numbers of C++ integer types are printed plainly always.
"""

from weighin.gates.devices.simulator.faults import Fault, Faults


def spell(value: float, faults: Faults) -> str:
    """Six significant digits, as ``std::ostream`` does by default."""
    text = f"{value:.5e}" if Fault.SCIENTIFIC in faults else f"{value:.6g}"
    return text.replace(".", ",") if Fault.DECIMAL_COMMA in faults else text

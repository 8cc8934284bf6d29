"""The simulated phone's properties: ``getprop``.

``ro.weighin.simulated=1`` is in all of them: it is how a simulated phone is told from a real one.

What this module does not do: ``setprop``.
"""

from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.phone import SimulatedPhone
from weighin.gates.devices.simulator.shell import Call

SIMULATED = "ro.weighin.simulated"
"""The property that says so."""


def properties(phone: SimulatedPhone) -> dict[str, str]:
    """All properties."""
    only_32 = Fault.OTHER_ABI in phone.faults
    abis = "armeabi-v7a,armeabi" if only_32 else "arm64-v8a,armeabi-v7a,armeabi"
    return {
        SIMULATED: "1",
        "ro.board.platform": phone.soc_id,
        "ro.build.type": "userdebug" if phone.rails else "user",
        "ro.build.version.release": str(phone.android),
        "ro.build.version.sdk": str(phone.android + 20),
        "ro.build.fingerprint": f"weighin/{phone.codename}/simulated:{phone.android}/1:user/test",
        "ro.hardware": phone.codename,
        "ro.product.brand": phone.maker.lower(),
        "ro.product.cpu.abi": abis.split(",", maxsplit=1)[0],
        "ro.product.cpu.abilist": abis,
        "ro.product.device": phone.codename,
        "ro.product.manufacturer": phone.maker,
        "ro.product.model": phone.model,
        "ro.product.name": phone.codename,
        "ro.serialno": phone.serial,
        "ro.soc.manufacturer": "QTI" if phone.soc_id.startswith(("sm", "sdm", "msm")) else "",
        "ro.soc.model": phone.soc_id.upper(),
        "sys.boot_completed": "1",
    }


def getprop_command(call: Call) -> int:
    """``getprop`` and ``getprop NAME [DEFAULT]``."""
    known = properties(call.state.phone)
    match call.args:
        case (name, *default):
            call.say(known.get(name, "".join(default[:1])) + "\n")
        case _:
            call.say("".join(f"[{name}]: [{value}]\n" for name, value in sorted(known.items())))
    return 0

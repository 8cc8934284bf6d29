"""What ``dumpsys`` tells of battery, temperatures and memory, in Android's own shape.

What this module does not do: any other service; and ``cmd battery unplug`` changes what is said
only, as on a real phone, where the charger's current goes on flowing.
"""

from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.shell import Call
from weighin.gates.devices.simulator.state import State

_CPU, _GPU, _BATTERY, _SKIN, _BCL_VOLTAGE, _BCL_CURRENT, _BCL_PERCENT, _NPU = 0, 1, 2, 3, 6, 7, 8, 9


def dumpsys_command(call: Call) -> int:
    """``dumpsys SERVICE``, and what ``cmd`` changes in words: ``battery``, ``thermalservice``."""
    state = call.state
    match call.args:
        case ("battery", "unplug"):
            state.fakes_unplugged = True
        case ("battery", "reset"):
            state.fakes_unplugged = False
        case ("battery", *_):
            call.say(battery(state))
        case ("thermalservice", "override-status", number) if number.isdigit():
            state.status_override = int(number)
        case ("thermalservice", "reset"):
            state.status_override = None
        case ("thermalservice", *_):
            call.say(thermal(state))
        case ("meminfo", who, *_):
            return _meminfo(call, who)
        case _:
            name = call.args[0] if call.args else ""
            call.streams.err(f"Can't find service: {name}\n".encode())
    return 0


def battery(state: State) -> str:
    """``dumpsys battery``: charge in microampere-hours, millivolts, tenths of degrees."""
    now = state.now_s()
    physics = state.physics
    plugged = physics.charging and not state.fakes_unplugged
    temperature = round((physics.skin_c(now) - 2) * 10)
    return (
        "Current Battery Service state:\n"
        + ("  (UPDATES STOPPED -- use 'reset' to restart)\n" if state.fakes_unplugged else "")
        + f"  AC powered: {_bool(plugged)}\n  USB powered: false\n  Wireless powered: false\n"
        f"  Max charging current: {1_500_000 if plugged else 0}\n"
        f"  Max charging voltage: {5_000_000 if plugged else 0}\n"
        f"  Charge counter: {physics.charge_uah(now)}\n  status: {2 if plugged else 3}\n"
        f"  health: 2\n  present: true\n  level: {physics.level_percent(now)}\n  scale: 100\n"
        f"  voltage: {round(state.phone.volts * 1e3)}\n  temperature: {temperature}\n"
        "  technology: Li-ion\n"
    )


def _bool(value: bool) -> str:
    return "true" if value else "false"


def thermal(state: State) -> str:
    """``dumpsys thermalservice``: the cached temperatures in it are old on purpose."""
    now = state.now_s()
    ready = Fault.NO_THERMAL_HAL not in state.phone.faults
    status = state.physics.status(now) if ready else 0
    overridden = state.status_override is not None
    told = state.status_override if overridden else status
    stale = _temperatures(state.phone.ambient_c + 1, 0) if ready else ""
    text = (
        f"IsStatusOverride: {_bool(overridden)}\n"
        "ThermalEventListeners:\n\tcallbacks: 1\n\tkilled: false\n"
        "\tbroadcasts count: -1\nThermalStatusListeners:\n\tcallbacks: 1\n\tkilled: false\n"
        f"\tbroadcasts count: -1\nThermal Status: {told}\nCached temperatures:\n{stale}"
        f"HAL Ready: {_bool(ready)}\n"
    )
    if not ready:
        return text
    current = _temperatures(state.physics.skin_c(now), status)
    return (
        f"{text}HAL connection:\n\tThermalHAL 2.0 connected: yes\n"
        f"Current temperatures from HAL:\n{current}"
        "Current cooling devices from HAL:\n"
        f"\tCoolingDevice{{mValue={status}, mType=2, mName=thermal-cpufreq-0}}\n"
    )


def _temperatures(skin_c: float, status: int) -> str:
    """Types 6 to 8 are limits of current and voltage: no degrees, though they look like some."""
    rows = (
        (skin_c + 6, _CPU, "CPU0"),
        (skin_c + 4, _GPU, "GPU0"),
        (skin_c - 2, _BATTERY, "battery"),
        (skin_c, _SKIN, "skin"),
        (3850.0, _BCL_VOLTAGE, "vbat"),
        (412.0, _BCL_CURRENT, "ibat"),
        (80.0, _BCL_PERCENT, "soc"),
        (skin_c + 3, _NPU, "NPU0"),
    )
    return "".join(
        f"\tTemperature{{mValue={value:.3f}, mType={kind}, mName={name}, "
        f"mStatus={status if kind == _SKIN else 0}}}\n"
        for value, kind, name in rows
    )


def _meminfo(call: Call, who: str) -> int:
    for process in call.state.processes():
        if who in (str(process.pid), process.name):
            pss = process.rss_kib * 9 // 10
            call.say(
                f"Applications Memory Usage (in Kilobytes):\n\n"
                f"** MEMINFO in pid {process.pid} [{process.name}] **\n"
                f"  Native Heap {pss * 6 // 10:>8}\n    GL mtrack {0:>8}\n   EGL mtrack {0:>8}\n"
                f"        TOTAL PSS: {pss:>8}            TOTAL RSS: {process.rss_kib:>8}\n"
            )
            return 0
    call.say(f"No process found for: {who}\n")
    return 0

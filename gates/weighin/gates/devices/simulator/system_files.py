"""What /proc and /sys of a simulated phone say.

What this module does not do: it keeps nothing; every text is made when it is read.
"""

import errno
import os
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from weighin.gates.core_design import CORE_DESIGNS
from weighin.gates.devices.simulator.faults import Fault
from weighin.gates.devices.simulator.phone import Cores, SimulatedPhone
from weighin.gates.devices.simulator.physics import Physics

_QUALCOMM = 0x51
_KRYO = {
    ("3", "cortex-a75"): 0x802,
    ("3", "cortex-a55"): 0x803,
    ("4", "cortex-a76"): 0x804,
    ("4", "cortex-a55"): 0x805,
    ("2", "cortex-a73"): 0x800,
    ("2", "cortex-a53"): 0x801,
}
"""Qualcomm's own numbers for semi-custom cores, by first digit of the Kryo's name and design."""

_FEATURES = "fp asimd evtstrm aes pmull sha1 sha2 crc32"
_EXTENSIONS = {
    "dotprod": "asimddp",
    "fp16": "fphp asimdhp",
    "i8mm": "i8mm",
    "bf16": "bf16",
    "sve2": "sve2",
}
_RAILS = (
    ("S2M_VDD_CPUCL2", 0.55),
    ("S3M_VDD_CPUCL1", 0.25),
    ("S4M_VDD_CPUCL0", 0.1),
    ("S1M_VDD_MIF", 0.1),
)
"""Names of Pixel 6 power rails, and the share of the whole energy that the simulator gives them."""


class Running(Protocol):
    """What /proc tells of a process."""

    pid: int
    name: str
    rss_kib: int
    peak_kib: int
    threads: int


Readers = Mapping[str, Callable[[], str]]


def system_files(
    phone: SimulatedPhone,
    physics: Physics,
    now_s: Callable[[], float],
    processes: Callable[[], Iterable[Running]],
) -> Readers:
    """Every system file there is now, by path, with what reads it."""
    return {
        "/proc/cpuinfo": lambda: cpuinfo(phone),
        "/proc/meminfo": lambda: _meminfo(phone, processes()),
        "/proc/loadavg": lambda: _loadavg(physics, now_s(), processes()),
        "/proc/uptime": lambda: f"{now_s():.2f} {now_s() * len(phone.cores):.2f}\n",
        "/proc/version": lambda: "Linux version 5.4.0-weighin-simulated\n",
        **_cpu_files(phone),
        **_power_supply(phone, physics, now_s),
        **_thermal_zones(physics, now_s),
        **(_rails(physics, now_s) if phone.rails else {}),
        **{path: reader for p in processes() for path, reader in _process_files(p).items()},
    }


def cpuinfo(phone: SimulatedPhone) -> str:
    """/proc/cpuinfo, of all cores or, with the fault, of the first only."""
    one_core = Fault.ONE_CORE_CPUINFO in phone.faults
    cores = phone.cores[:1] if one_core else phone.cores
    return "".join(_core(number, kind) for number, kind in enumerate(cores))


def _core(number: int, kind: Cores) -> str:
    implementer, part = _identity(kind)
    features = " ".join([_FEATURES, *(_EXTENSIONS[e] for e in kind.isa if e in _EXTENSIONS)])
    return (
        f"processor\t: {number}\nBogoMIPS\t: 38.40\nFeatures\t: {features}\n"
        f"CPU implementer\t: 0x{implementer:02x}\nCPU architecture: 8\nCPU variant\t: 0x1\n"
        f"CPU part\t: 0x{part:03x}\nCPU revision\t: 14\n\n"
    )


def _identity(kind: Cores) -> tuple[int, int]:
    """Implementer and part: Qualcomm's own where the maker calls its cores Kryo, else ARM's."""
    series = kind.vendor.lower().partition("kryo ")[2][:1]
    if (series, kind.design) in _KRYO:
        return _QUALCOMM, _KRYO[series, kind.design]
    if kind.design == "kryo":
        return _QUALCOMM, 0x211 if "efficiency" in kind.vendor else 0x205
    known = CORE_DESIGNS.get(kind.design)
    return known.parts[0] if known and known.parts else (0, 0)


def _cpu_files(phone: SimulatedPhone) -> Readers:
    last = len(phone.cores) - 1
    files: dict[str, Callable[[], str]] = {}
    first = 0
    for kind in reversed(phone.clusters):
        files |= _policy(first, kind)
        first += kind.count
    base = "/sys/devices/system/cpu"
    for name in ("possible", "present", "online"):
        files[f"{base}/{name}"] = lambda: f"0-{last}\n"
    return files


def _policy(first: int, kind: Cores) -> Readers:
    top = round(kind.max_ghz * 1e6)
    steps = [round(top * share / 10 / 100) * 100 for share in (3, 5, 7, 9)] + [top]
    cores = " ".join(str(first + n) for n in range(kind.count))
    values = {
        "related_cpus": cores,
        "affected_cpus": cores,
        "cpuinfo_max_freq": str(top),
        "cpuinfo_min_freq": str(steps[0]),
        "scaling_max_freq": str(top),
        "scaling_available_frequencies": " ".join(map(str, steps)) + " ",
        "scaling_governor": "schedutil",
    }
    base = f"/sys/devices/system/cpu/cpufreq/policy{first}"
    return {f"{base}/{name}": _says(f"{value}\n") for name, value in values.items()}


def _says(text: str) -> Callable[[], str]:
    return lambda: text


def _meminfo(phone: SimulatedPhone, processes: Iterable[Running]) -> str:
    total = phone.ram_mib * 1024 * 93 // 100
    used = sum(p.rss_kib for p in processes)
    free = max(total * 45 // 100 - used, 0)
    lines = (("MemTotal", total), ("MemFree", free // 4), ("MemAvailable", free), ("SwapTotal", 0))
    return "".join(f"{name + ':':<16}{kib:>8} kB\n" for name, kib in lines)


def _loadavg(physics: Physics, now_s: float, processes: Iterable[Running]) -> str:
    running = list(processes)
    busy = sum(p.threads for p in running) if physics.load_mw(now_s) else 0
    last = max((p.pid for p in running), default=1)
    return f"{0.1 + busy:.2f} {0.1 + busy * 0.7:.2f} 0.10 {1 + busy}/812 {last}\n"


def _power_supply(phone: SimulatedPhone, physics: Physics, now_s: Callable[[], float]) -> Readers:
    values: dict[str, Callable[[], object]] = {
        "current_now": lambda: physics.current_now(now_s()),
        "voltage_now": lambda: round(phone.volts * 1e6),
        "charge_counter": lambda: physics.charge_uah(now_s()),
        "capacity": lambda: physics.level_percent(now_s()),
        "status": lambda: "Charging" if physics.charging else "Discharging",
        "type": lambda: "Battery",
    }
    denied = Fault.POWER_SUPPLY_DENIED in phone.faults

    def reader(name: str) -> Callable[[], str]:
        path = f"/sys/class/power_supply/battery/{name}"
        return (lambda: _deny(path)) if denied else (lambda: f"{values[name]()}\n")

    return {f"/sys/class/power_supply/battery/{name}": reader(name) for name in values}


def _deny(path: str) -> str:
    raise OSError(errno.EACCES, os.strerror(errno.EACCES), path)


def _thermal_zones(physics: Physics, now_s: Callable[[], float]) -> Readers:
    """Types with millidegrees; a current limit among them is no temperature, as on real phones."""
    zones: tuple[tuple[str, Callable[[], int]], ...] = (
        ("cpu-0-0-usr", lambda: round((physics.skin_c(now_s()) + 6) * 1e3)),
        ("battery", lambda: round((physics.skin_c(now_s()) - 2) * 1e3)),
        ("quiet-therm-adc", lambda: round(physics.skin_c(now_s()) * 1e3)),
        ("pm8150l-bcl-lvl0", lambda: 0),
    )
    base = "/sys/class/thermal/thermal_zone"
    types = {f"{base}{n}/type": _says(f"{kind}\n") for n, (kind, _) in enumerate(zones)}
    temps = {f"{base}{n}/temp": _number(value) for n, (_, value) in enumerate(zones)}
    return {**types, **temps}


def _number(value: Callable[[], int]) -> Callable[[], str]:
    return lambda: f"{value()}\n"


def _rails(physics: Physics, now_s: Callable[[], float]) -> Readers:
    """On-device power monitor: microjoules since the start, by rail."""

    def text() -> str:
        now = now_s()
        used_uj = physics.used_mj(now) * 1e3
        ms = round(now * 1e3)
        lines = (
            f"CH{n}(T={ms})[{name}], {used_uj * share:.0f}\n"
            for n, (name, share) in enumerate(_RAILS)
        )
        return f"t={ms}\n" + "".join(lines)

    base = "/sys/bus/iio/devices/iio:device0"
    return {f"{base}/energy_value": text, f"{base}/name": _says("s2mpg10-odpm\n")}


def _process_files(process: Running) -> Readers:
    def status() -> str:
        return (
            f"Name:\t{process.name[:15]}\nState:\tR (running)\nPid:\t{process.pid}\n"
            f"VmPeak:\t{process.peak_kib + 40_000:>8} kB\n"
            f"VmSize:\t{process.rss_kib + 40_000:>8} kB\n"
            f"VmHWM:\t{process.peak_kib:>8} kB\nVmRSS:\t{process.rss_kib:>8} kB\n"
            f"Threads:\t{process.threads}\n"
        )

    def rollup() -> str:
        head = "55d0a000-7ffc2000 ---p 00000000 00:00 0    [rollup]\n"
        return f"{head}Rss:  {process.rss_kib:>12} kB\nPss:  {process.rss_kib * 9 // 10:>12} kB\n"

    base = f"/proc/{process.pid}"
    return {
        f"{base}/status": status,
        f"{base}/smaps_rollup": rollup,
        f"{base}/cmdline": lambda: f"{process.name}\0",
    }

"""What a phone says of itself: name, chip, cores, memory, battery.

What this module does not do: it fills nothing in. What a phone does not tell is ``None``, and what
it tells in a way that is not understood is an error with the words quoted.
"""

import hashlib
from dataclasses import dataclass

from weighin.gates.devices.phone.cores import (
    PhoneCluster,
    Policy,
    clusters_of,
    parse_cpuinfo,
    parse_midr,
    parse_policies,
)
from weighin.gates.devices.phone.link import Link, text_of
from weighin.gates.devices.phone.storage import parse_ram_mib
from weighin.gates.errors import PhoneError

_PROPERTIES = {
    "model": "ro.product.model",
    "codename": "ro.product.device",
    "maker": "ro.product.manufacturer",
    "soc": "ro.soc.model",
    "platform": "ro.board.platform",
    "android": "ro.build.version.release",
    "abis": "ro.product.cpu.abilist",
    "abi": "ro.product.cpu.abi",
    "simulated": "ro.weighin.simulated",
}
_POLICIES = (
    "for p in /sys/devices/system/cpu/cpufreq/policy*; do "
    "echo $p'|'$(cat $p/related_cpus)'|'$(cat $p/cpuinfo_max_freq); done"
)
_MIDR = (
    "for c in 0 1 2 3 4 5 6 7 8 9 10 11; do "
    "echo cpu$c $(cat /sys/devices/system/cpu/cpu$c/regs/identification/midr_el1 2>/dev/null); done"
)
_CHARGE_FULL = "/sys/class/power_supply/battery/charge_full_design"


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneFacts:
    """What a phone says of itself.

    Attributes:
        serial: As adb lists it.
        model: Marketing name, more or less.
        codename: What its maker calls it inside.
        maker: Who made it.
        soc: The chip as its maker numbers it; empty if not told.
        platform: The board's platform, one lower-case word.
        android: Major version.
        abis: Which programs it runs, the preferred first.
        policies: Its cores as they share clocks.
        clusters: Its cores, fastest first; empty if it does not tell all designs.
        clusters_missing: Why there are no clusters.
        ram_mib: Memory that Linux sees; a little less than what is soldered in.
        battery_mah: What its battery held when new; ``None`` if not readable.
        simulated: Whether it is a simulated phone.
    """

    serial: str
    model: str
    codename: str
    maker: str
    soc: str
    platform: str
    android: int
    abis: tuple[str, ...]
    policies: tuple[Policy, ...]
    clusters: tuple[PhoneCluster, ...]
    clusters_missing: str
    ram_mib: int
    battery_mah: float | None
    simulated: bool

    @property
    def serial_sha256(self) -> str:
        """What stands for the serial in files: who has the phone can check it, nobody else."""
        return hashlib.sha256(f"weighin phone {self.serial}".encode()).hexdigest()


def read_facts(link: Link) -> PhoneFacts:
    """Ask a phone what it is.

    Raises:
        PhoneError: it does not tell something that is needed, or not in a way we understand.
        PhoneGone: it does not answer.
    """
    said = {name: _property(link, key) for name, key in _PROPERTIES.items()}
    for name in ("model", "codename", "platform", "android"):
        if not said[name]:
            raise PhoneError(f"phone {link.serial} does not tell {_PROPERTIES[name]}")
    try:
        policies = parse_policies(text_of(link, _POLICIES))
        clusters, missing = _clusters(link, policies)
        ram_mib = parse_ram_mib(text_of(link, "cat /proc/meminfo"))
    except ValueError as error:
        raise PhoneError(f"phone {link.serial}: {error}") from error
    return PhoneFacts(
        serial=link.serial,
        model=said["model"],
        codename=said["codename"].lower(),
        maker=said["maker"],
        soc=said["soc"],
        platform=said["platform"].lower(),
        android=_major(said["android"], link.serial),
        abis=tuple(abi for abi in (said["abis"] or said["abi"]).split(",") if abi),
        policies=policies,
        clusters=clusters,
        clusters_missing=missing,
        ram_mib=ram_mib,
        battery_mah=_battery_mah(link),
        simulated=said["simulated"] == "1",
    )


def _property(link: Link, key: str) -> str:
    return text_of(link, f"getprop {key}").strip()


def _major(text: str, serial: str) -> int:
    first = text.split(".", maxsplit=1)[0]
    if not first.isdigit():
        raise PhoneError(f"phone {serial}: '{text}' is no version of Android")
    return int(first)


def _clusters(link: Link, policies: tuple[Policy, ...]) -> tuple[tuple[PhoneCluster, ...], str]:
    """The clusters, or why they cannot be told: another profile of the same chip may tell them."""
    cores = parse_cpuinfo(text_of(link, "cat /proc/cpuinfo"))
    lines = link.run(_MIDR).text.split("\n")
    told = "\n".join(line for line in lines if len(line.split()) == 2)
    try:
        return clusters_of(cores, policies, parse_midr(told)), ""
    except ValueError as error:
        return (), str(error)


def _battery_mah(link: Link) -> float | None:
    """The design charge, in microampere hours; few phones let a shell read it."""
    answer = link.run(f"cat {_CHARGE_FULL}")
    text = answer.text.strip()
    if not answer.ok or not text.isdigit():
        return None
    mah = int(text) / 1000
    return mah if 300 <= mah <= 30_000 else None

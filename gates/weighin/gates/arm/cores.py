"""Which emulated core has the instruction set that a phone's profile names. Pure.

Runtimes choose their int8 and float32 kernels by instruction set extensions: plain NEON, dot
products (``dotprod``), matrix products (``i8mm``). A core with one more or one less of them would
run other kernels than the phone, so nothing is rounded: a set that no core has gets a reason. Half
floats (``fp16``) without dot products are on no core of the emulator; such a phone gets the plain
core, and files that compute in half floats get no number on it.

What this module does not do: it looks at no microarchitecture. Two designs with the same
extensions are one core here, although a runtime may order its instructions differently for each.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from weighin.gates.profile import HOST, DeviceProfile

_BASE = "fp asimd aes pmull sha1 sha2 crc32"
_V8_2 = f"{_BASE} atomics fphp asimdhp cpuid asimdrdm"
_HALF_FLOATS = frozenset({"fp16"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """One core that the emulator knows.

    Attributes:
        name: How people call its instruction set.
        cpu: What the emulator's ``-cpu`` takes.
        isa: Extensions that it has, in the words of the profiles, sorted.
        implementer: Designer, as in ``/proc/cpuinfo``.
        variant: As in ``/proc/cpuinfo``.
        part: Design, as in ``/proc/cpuinfo``.
        revision: As in ``/proc/cpuinfo``.
        features: What ``/proc/cpuinfo`` says of it on Linux.
    """

    name: str
    cpu: str
    isa: tuple[str, ...]
    implementer: int
    variant: int
    part: int
    revision: int
    features: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fit:
    """The core that stands for a phone, and what the phone has beyond it."""

    core: Core
    missing: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NoCore:
    """No emulated core stands for this device, and this is why."""

    reason: str


NEON = Core(
    name="plain NEON",
    cpu="cortex-a53",
    isa=(),
    implementer=0x41,
    variant=0,
    part=0xD03,
    revision=4,
    features=f"{_BASE} cpuid",
)
DOTPROD = Core(
    name="dotprod",
    cpu="cortex-a76",
    isa=("dotprod", "fp16"),
    implementer=0x41,
    variant=4,
    part=0xD0B,
    revision=1,
    features=f"{_V8_2} lrcpc dcpop asimddp",
)
I8MM = Core(  # sve=off: no profile names SVE, and its kernels are others
    name="i8mm",
    cpu="neoverse-n2,sve=off",
    isa=("dotprod", "fp16", "i8mm"),
    implementer=0x41,
    variant=0,
    part=0xD49,
    revision=3,
    features=f"{_V8_2} jscvt fcma lrcpc dcpop sha3 sm3 sm4 asimddp sha512 asimdfhm dit uscat "
    "ilrcpc flagm sb paca pacg dcpodp flagm2 frint i8mm bf16 rng bti mte",
)
CORES = (NEON, DOTPROD, I8MM)


def core_of(profile: DeviceProfile) -> Fit | NoCore:
    """The core that stands for the device's fastest cores, which run the model."""
    if profile.name == HOST:
        return NoCore(reason="'host' is this machine; ARM kernels are run for phones only")
    if not profile.clusters:
        return NoCore(reason=f"profile {profile.name} does not say which cores the phone has")
    wanted = set(profile.clusters[0].isa)
    for core in CORES:
        lacking = wanted - set(core.isa)
        if set(core.isa) <= wanted and lacking <= _HALF_FLOATS:
            return Fit(core=core, missing=tuple(sorted(lacking)))
    return NoCore(
        reason=f"no emulated core has exactly the extensions of {profile.clusters[0].core} "
        f"({', '.join(sorted(wanted)) or 'none'}); there are {_those()}"
    )


def cpuinfo(core: Core, count: int) -> str:
    """``/proc/cpuinfo`` of a phone with ``count`` such cores, as Linux writes it."""
    return "".join(
        f"processor\t: {number}\n"
        f"BogoMIPS\t: 100.00\n"
        f"Features\t: {core.features}\n"
        f"CPU implementer\t: {core.implementer:#04x}\n"
        f"CPU architecture: 8\n"
        f"CPU variant\t: {core.variant:#03x}\n"
        f"CPU part\t: {core.part:#05x}\n"
        f"CPU revision\t: {core.revision}\n\n"
        for number in range(count)
    )


def sysfs(count: int) -> Mapping[str, str]:
    """Files below ``/sys/devices/system/cpu`` that runtimes count cores by."""
    cores = f"0-{count - 1}\n" if count > 1 else "0\n"
    return dict.fromkeys(("online", "possible", "present"), cores)


def _those() -> str:
    return "; ".join(f"{core.name} ({', '.join(core.isa) or 'none'})" for core in CORES)

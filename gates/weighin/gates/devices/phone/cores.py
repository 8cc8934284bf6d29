"""Which cores a phone has: from /proc/cpuinfo, the cores' own numbers, and cpufreq's policies.

Pure. A core whose design is not in the table is an error that names its number, never a guess:
cost coefficients belong to a design.

Sources: :mod:`weighin.gates.core_design` for part numbers; the kernel's
Documentation/arch/arm64/elf_hwcaps.rst for the names of features.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from weighin.gates.core_design import design_of
from weighin.gates.devices.phone.figures import quoted, whole

_CALLED = {
    (0x51, 0x201): "Kryo Silver",
    (0x51, 0x205): "Kryo Gold",
    (0x51, 0x211): "Kryo Silver",
    (0x51, 0x800): "Kryo 2xx Gold",
    (0x51, 0x801): "Kryo 2xx Silver",
    (0x51, 0x802): "Kryo 3xx Gold",
    (0x51, 0x803): "Kryo 3xx Silver",
    (0x51, 0x804): "Kryo 4xx Gold",
    (0x51, 0x805): "Kryo 4xx Silver",
}
"""What Qualcomm calls its cores of these part numbers, where a number stands for one name."""

_FLAGS = {"asimddp": "dotprod", "asimdhp": "fp16", "i8mm": "i8mm"}
"""The kernel's names of features, and the flags of :data:`weighin.gates.core_design.ISA_FLAGS`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Core:
    """What one core says of itself."""

    cpu: int
    implementer: int
    part: int
    isa: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Cores that share a clock, and how fast it may go."""

    cpus: tuple[int, ...]
    max_khz: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneCluster:
    """Cores of one kind, as the phone numbers them.

    Attributes:
        core: Core design.
        called: What the vendor calls it; ``None`` if as the design.
        cpus: Their numbers, for pinning.
        max_ghz: Their highest clock.
        isa: The extensions that matter to kernels.
    """

    core: str
    called: str | None
    cpus: tuple[int, ...]
    max_ghz: float
    isa: tuple[str, ...]


def parse_cpuinfo(text: str) -> tuple[Core, ...]:
    """Read ``/proc/cpuinfo``; some kernels print only the core that reads it.

    Raises:
        ValueError: it names no core, or a line is not understood.
    """
    cores: list[Core] = []
    for block in re.split(r"\n(?=processor\s*:)", text.replace("\r", "")):
        fields = dict(re.findall(r"^([A-Za-z ]+?)\s*: *(.*?)\s*$", block, re.MULTILINE))
        if "processor" in fields and fields["processor"].isdigit() and "CPU part" in fields:
            cores.append(_core(fields))
    if not cores:
        raise ValueError(f"/proc/cpuinfo names no core: {quoted(text)}")
    return tuple(cores)


def _core(fields: Mapping[str, str]) -> Core:
    try:
        return Core(
            cpu=whole(fields["processor"]),
            implementer=int(fields["CPU implementer"], 16),
            part=int(fields["CPU part"], 16),
            isa=_isa(fields["Features"]),
        )
    except (KeyError, ValueError) as error:
        where = f"processor {fields['processor']}"
        raise ValueError(f"/proc/cpuinfo: {where} is not understood: {error}") from error


def _isa(features: str) -> tuple[str, ...]:
    present = set(features.split())
    return tuple(flag for name, flag in _FLAGS.items() if name in present)


def parse_midr(text: str) -> dict[int, tuple[int, int]]:
    """Implementer and part by core, from lines ``cpu7 0x00000000413fd0c1``.

    Raises:
        ValueError: a line is not understood.
    """
    found: dict[int, tuple[int, int]] = {}
    for line in text.split("\n"):
        if not line.strip():
            continue
        parts = re.fullmatch(r"cpu(\d+) (0x[0-9a-fA-F]+)\s*", line)
        if not parts:
            raise ValueError(f"not a core's identification: {quoted(line)}")
        midr = int(parts[2], 16)
        found[int(parts[1])] = (midr >> 24 & 0xFF, midr >> 4 & 0xFFF)
    return found


def parse_policies(text: str) -> tuple[Policy, ...]:
    """Read lines ``NAME|cpus that share it|highest kHz``, one per cpufreq policy.

    Raises:
        ValueError: there is none, or a line is not understood.
    """
    policies: list[Policy] = []
    for line in text.split("\n"):
        if not line.strip():
            continue
        parts = re.fullmatch(r"(\S+)\|([\d\s,-]+)\|(\d+)\s*", line)
        if not parts or int(parts[3]) <= 0:
            raise ValueError(f"not a clock of the cores: {quoted(line)}")
        policies.append(Policy(cpus=_cpus(parts[2]), max_khz=int(parts[3])))
    if not policies:
        raise ValueError("the phone shows no clocks of its cores (cpufreq)")
    return tuple(policies)


def _cpus(text: str) -> tuple[int, ...]:
    """``0 1 2 3`` or ``0-3``."""
    cpus: list[int] = []
    for part in re.split(r"[\s,]+", text.strip()):
        first, _, last = part.partition("-")
        cpus.extend(range(int(first), int(last or first) + 1))
    return tuple(cpus)


def clusters_of(
    cores: Sequence[Core], policies: Sequence[Policy], midr: Mapping[int, tuple[int, int]]
) -> tuple[PhoneCluster, ...]:
    """The clusters, fastest first.

    Raises:
        ValueError: a core's design is not known, or a core is not told at all.
    """
    by_cpu = {core.cpu: core for core in cores}
    isa = _common_isa(cores)
    return tuple(
        sorted(
            (_cluster(policy, by_cpu, midr, isa) for policy in policies),
            key=lambda cluster: -cluster.max_ghz,
        )
    )


def _common_isa(cores: Sequence[Core]) -> tuple[str, ...]:
    """What all cores have: the kernel lets a program count on no more."""
    return tuple(f for f in _FLAGS.values() if all(f in core.isa for core in cores))


def _cluster(
    policy: Policy,
    by_cpu: Mapping[int, Core],
    midr: Mapping[int, tuple[int, int]],
    isa: tuple[str, ...],
) -> PhoneCluster:
    told = [by_cpu[cpu] for cpu in policy.cpus if cpu in by_cpu]
    numbers = {(core.implementer, core.part) for core in told}
    numbers |= {midr[cpu] for cpu in policy.cpus if cpu in midr}
    where = f"cores {', '.join(map(str, policy.cpus))}"
    if not numbers:
        raise ValueError(f"the phone does not tell the design of {where}")
    designs = {design_of(*number) for number in numbers}
    if len(designs) > 1 or (design := designs.pop()) is None:
        named = ", ".join(f"implementer {i:#04x} part {p:#05x}" for i, p in sorted(numbers))
        raise ValueError(f"{where}: no known core design ({named})")
    return PhoneCluster(
        core=design.name,
        called=_CALLED.get(min(numbers)),
        cpus=policy.cpus,
        max_ghz=round(policy.max_khz / 1e6, 3),
        isa=tuple(flag for flag in isa if flag in design.most_isa),
    )


def fastest_mask(policies: Sequence[Policy], threads: int) -> int:
    """The cores to pin to, as bits: whole clusters from the fastest, until there are enough."""
    mask = 0
    for policy in sorted(policies, key=lambda one: -one.max_khz):
        if mask.bit_count() >= threads:
            break
        mask |= sum(1 << cpu for cpu in policy.cpus)
    return mask

"""What is known about a phone, as records: facts, power, and what calibrates its predictions.

What this module does not do: it reads no file, it predicts nothing and it measures nothing.
"""

from dataclasses import dataclass
from enum import StrEnum

from weighin.gates.cost import Arithmetic
from weighin.gates.variant import Format

HOST = "host"
"""The profile of the machine that weighin runs on: measured, never predicted."""


class Os(StrEnum):
    """What the device runs."""

    ANDROID = "android"
    IOS = "ios"
    HOST = "host"


class Tier(StrEnum):
    """Where the device stood among the devices of its year; ``old`` is out of support."""

    HIGH = "high"
    MID = "mid"
    LOW = "low"
    OLD = "old"
    HOST = "host"


class PowerKind(StrEnum):
    """How power figures came about, the better kind first.

    ``MEASURED``: one busy core above idle, by freqbench. ``POWER_PROFILE``: the vendor's own
    ``power_profile.xml``, mA times 3.85 V; against measurements its median error is 43 %.
    """

    MEASURED = "measured"
    POWER_PROFILE = "power_profile"


@dataclass(frozen=True, slots=True, kw_only=True)
class PowerStep:
    """Power of one busy core of a cluster at one clock."""

    ghz: float
    mw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterPower:
    """Power of one busy core of a cluster by clock.

    Attributes:
        kind: How the figures came about.
        steps: At least one, by ascending clock.
        source: Where they come from.
        note: What a reader should know of them, such as why they do not rise everywhere.
    """

    kind: PowerKind
    steps: tuple[PowerStep, ...]
    source: str
    note: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Power of some busy cores, in milliwatts.

    Attributes:
        mw: Sum over the cores, each at its highest clock.
        kind: The weakest kind among the figures summed.
        source: Where they come from; several are joined by ``; ``.
    """

    mw: float
    kind: PowerKind
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Cores of one kind.

    Attributes:
        core: Core design, one of :data:`weighin.gates.core_design.CORE_DESIGNS`.
        count: How many of them.
        max_ghz: Highest clock.
        isa: Instruction set extensions that matter to kernels: ``dotprod``, ``fp16``, ``i8mm``.
        source: Where the figures come from.
        called: What the vendor calls the cores.
        power: What one busy core takes; ``None`` if nobody published it.
    """

    core: str
    count: int
    max_ghz: float
    isa: tuple[str, ...]
    source: str
    called: str | None = None
    power: ClusterPower | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """What the phone's battery holds; the voltage is the usual nominal one, an assumption."""

    mah: float
    nominal_volts: float
    source: str

    @property
    def joules(self) -> float:
        """Energy of a full battery."""
        return self.mah * 3.6 * self.nominal_volts


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """How much memory the phone has."""

    ram_mib: int
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """Somebody's published mean latency of a known network on this phone."""

    model: str
    mean_ms: float
    source: str


RUNTIMES = (*(fmt.value for fmt in Format), "ncnn")
"""Runtimes that a profile may have runs of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """What ties a cost model to this phone, for one runtime, arithmetic and thread count.

    Attributes:
        runtime: Runtime that made the runs: a format of weighin's, or ``ncnn``.
        arithmetic: ``float32`` or ``int8``.
        threads: Threads of the published runs. Runs with other thread counts are not mixed in.
        kernels: ``before_xnnpack`` or ``xnnpack``: which CPU kernels the published runs used.
        anchors: The published runs.
    """

    runtime: str
    arithmetic: Arithmetic
    threads: int
    kernels: str
    anchors: tuple[Anchor, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceProfile:
    """One phone, or the host.

    Attributes:
        name: How ``weighin.toml`` calls it.
        title: How people call it.
        os: What it runs.
        tier: Where it stood in its year, ``old``, or ``host``.
        year: Year of release; 0 for the host.
        soc: System on chip, as people call it.
        soc_id: The same as one lower-case word; empty for the host.
        source: Where title, tier, year and SoC come from.
        codename: What its maker calls it inside; on iOS the hardware identifier.
        os_release: Newest major version that its maker brought to it.
        clusters: Cores, fastest first.
        memory: Its memory, if known.
        battery: Its battery, if known.
        calibrations: What its predictions rest on; empty where nothing was published.
    """

    name: str
    title: str
    os: Os
    tier: Tier
    year: int
    soc: str
    soc_id: str
    source: str
    codename: str | None = None
    os_release: int | None = None
    clusters: tuple[Cluster, ...] = ()
    memory: Memory | None = None
    battery: Battery | None = None
    calibrations: tuple[Calibration, ...] = ()

    def calibration(
        self, runtime: str, arithmetic: Arithmetic, threads: int | None = None
    ) -> Calibration | None:
        """The published runs for this runtime and arithmetic, if there are any.

        Without ``threads``, the ones that stand first in the profile.
        """
        fitting = (
            c
            for c in self.calibrations
            if (c.runtime, c.arithmetic) == (runtime, arithmetic) and threads in (None, c.threads)
        )
        return next(fitting, None)

    def active_mw(self, threads: int) -> Power | None:
        """Power of the ``threads`` most powerful cores, all busy at their highest clock.

        ``None`` if the phone has fewer cores, or if the power of any of its cores is not known:
        the unknown ones might be the most powerful.
        """
        if threads < 1 or sum(cluster.count for cluster in self.clusters) < threads:
            return None
        known = [(c.power, c.power.steps[-1].mw, c.count) for c in self.clusters if c.power]
        if len(known) < len(self.clusters):
            return None
        known.sort(key=lambda one: one[1], reverse=True)
        busy = [(power, mw) for power, mw, count in known for _ in range(count)][:threads]
        weak = any(power.kind is PowerKind.POWER_PROFILE for power, _ in busy)
        return Power(
            mw=sum(mw for _, mw in busy),
            kind=PowerKind.POWER_PROFILE if weak else PowerKind.MEASURED,
            source="; ".join(dict.fromkeys(power.source for power, _ in busy)),
        )

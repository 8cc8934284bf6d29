"""What a simulated phone is: facts that never change while it runs.

:func:`simulated` makes one from a device profile; what the profile does not know is filled in
with plausible values, because a simulator needs some.

What this module does not do: it keeps no state (``state`` does) and claims nothing about the
real phone of the same name.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from weighin.gates.devices.simulator.faults import Faults
from weighin.gates.errors import ConfigError
from weighin.gates.profile import DeviceProfile, Os

LatencyModel = Callable[[bytes, int, tuple[int, ...]], float]
"""``latency_ms(model, threads, cores)``: the model file, threads, and the core numbers allowed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cores:
    """Cores of one kind.

    Attributes:
        design: ARM's name of the design, lower case, such as ``cortex-a76``.
        vendor: What the chip's maker calls it, or empty.
        count: How many.
        max_ghz: Highest clock.
        isa: Extensions: ``dotprod``, ``fp16``, ``i8mm``.
        active_mw: What one busy core adds at its highest clock.
    """

    design: str
    vendor: str = ""
    count: int
    max_ghz: float
    isa: tuple[str, ...] = ()
    active_mw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Gauge:
    """How the phone's fuel gauge tells current and charge.

    Attributes:
        per_ma: What ``current_now`` counts for one mA: 1000 (microamperes) or 1 (mA).
        discharging_sign: Sign of ``current_now`` while discharging: -1, or 1 on some phones.
        period_s: Seconds between updates of everything that the gauge tells.
        step_uah: Step of the charge counter.
        jitter: Standard deviation of ``current_now`` around the true mean, as a share of it; a
            new draw each period, so that a steady current changes as often as it is told.
    """

    per_ma: int = 1000
    discharging_sign: int = -1
    period_s: float = 1.0
    step_uah: int = 2800
    jitter: float = 0.004


@dataclass(frozen=True, slots=True, kw_only=True)
class SimulatedPhone:
    """One simulated phone.

    Attributes:
        serial: As adb lists it.
        seed: Of the noise in its timings.
        model: ``ro.product.model``.
        codename: ``ro.product.device``.
        maker: ``ro.product.manufacturer``.
        soc_id: ``ro.board.platform``, lower case.
        android: ``ro.build.version.release``.
        clusters: Cores, fastest first.
        ram_mib: Memory.
        battery_mah: What the battery holds when full.
        volts: Its voltage, constant here.
        level_percent: Charge at the start.
        idle_mw: Power with nothing running.
        gauge: How it tells current and charge.
        rails: Whether ODPM power rails are readable, as on rooted Pixels since Pixel 6.
        noise: Sigma of the logarithm of one run's time.
        ambient_c: Temperature around it.
        free_bytes: Space in /data/local/tmp.
        latency_ms: What one inference takes; ``None``: :mod:`.speed` works it out.
        faults: What is wrong with it.
    """

    serial: str
    seed: int
    model: str
    codename: str
    maker: str
    soc_id: str
    android: int
    clusters: tuple[Cores, ...]
    ram_mib: int
    battery_mah: float
    volts: float = 3.85
    level_percent: float = 80.0
    idle_mw: float = 120.0
    gauge: Gauge = field(default_factory=Gauge)
    rails: bool = False
    noise: float = 0.02
    ambient_c: float = 24.0
    free_bytes: int = 8 * 2**30
    latency_ms: LatencyModel | None = None
    faults: Faults = field(default_factory=Faults)

    @property
    def cores(self) -> tuple[Cores, ...]:
        """The kind of every core by number: phones number the slowest first."""
        return tuple(kind for kind in reversed(self.clusters) for _ in range(kind.count))


def simulated(profile: DeviceProfile, *, serial: str = "", seed: int = 1) -> SimulatedPhone:
    """A simulated phone with the facts of ``profile``.

    Power of cores that nobody measured is taken as 250 mW per GHz, memory as 4 GiB and the
    battery as 3000 mAh where the profile does not know them: made up, like all of its timings.

    Args:
        profile: The phone it resembles.
        serial: As adb will list it; drawn from name and seed if empty.
        seed: Of its serial and its noise.

    Raises:
        ConfigError: the profile is of no Android phone, so adb would never see it.
    """
    if profile.os is not Os.ANDROID:
        raise ConfigError(f"{profile.name} is no Android phone: choose one of os:android")
    drawn = f"SIM{random.Random(f'{profile.name} {seed}').getrandbits(36):09X}"  # noqa: S311
    return SimulatedPhone(
        serial=serial or drawn,
        seed=seed,
        model=profile.title,
        codename=profile.codename or profile.name.replace("-", ""),
        maker=_maker(profile.title),
        soc_id=profile.soc_id,
        android=profile.os_release or 13,
        clusters=tuple(
            Cores(
                design=c.core,
                vendor=c.called or "",
                count=c.count,
                max_ghz=c.max_ghz,
                isa=c.isa,
                active_mw=c.power.steps[-1].mw if c.power else 250 * c.max_ghz,
            )
            for c in profile.clusters
        ),
        ram_mib=profile.memory.ram_mib if profile.memory else 4096,
        battery_mah=profile.battery.mah if profile.battery else 3000.0,
        volts=profile.battery.nominal_volts if profile.battery else 3.85,
    )


def _maker(title: str) -> str:
    first = title.split(maxsplit=1)[0]
    return {"Pixel": "Google", "Redmi": "Xiaomi", "Galaxy": "samsung"}.get(first, first)

"""From how long an inference takes to what it takes from the battery.

Energy is the power of the busy cores times the time. Three things make it uncertain, and each
widens the interval: the power tables were measured under another load than a network's; the
phone may run at another clock than its highest; and where nobody measured, the maker's own
``power_profile.xml`` stands in. ``python tests/benchmarks/energy.py ../shared/devices`` prints
what the bands rest on.

Pure. What this module does not do: it predicts no latency, and it reads no battery.
"""

from dataclasses import dataclass, replace

from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Metric
from weighin.gates.profile_record import (
    Battery,
    Cluster,
    ClusterPower,
    DeviceProfile,
    PowerKind,
)
from weighin.gates.usage import Usage

LOAD_BAND = 2.0
"""Either way, for a load unlike the one that power was measured under: nothing public says more."""

PROFILE_BAND = (0.36, 2.13)
"""Measured over stated power of makers' own tables: 5 % and 95 % of 26 pairs of chip and figure."""

BUSY_FROM = 0.5
"""A busy core is taken to run at half of its highest clock or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BusyPower:
    """Power of some busy cores, and how far the energy of the same work may be from it.

    Attributes:
        mw: Sum over the cores, each at its highest clock.
        lower: Least energy of the same work, as a share of power at the highest clock times time.
        upper: Most of it.
        cores: Which cores, for people.
        kind: The weakest kind of figure among them.
        source: Where they come from.
    """

    mw: float
    lower: float
    upper: float
    cores: str
    kind: PowerKind
    source: str


def busy_power(profile: DeviceProfile, threads: int) -> BusyPower | str:
    """Power of ``threads`` threads on the phone's most powerful cores, or why it is not known.

    Threads fill one cluster after the other. A phone with a cluster of unknown power has none:
    that one might be the most powerful.
    """
    known = [(c, c.power) for c in profile.clusters if c.power is not None]
    if not known or len(known) < len(profile.clusters):
        return f"nobody published the power of {profile.title}'s cores"
    if not 1 <= threads <= sum(c.count for c in profile.clusters):
        return f"{profile.title} has no {threads} cores"
    known.sort(key=lambda pair: pair[1].steps[-1].mw, reverse=True)
    busy: list[_Busy] = []
    left = threads
    for cluster, power in known:
        if left:
            busy.append((cluster, power, min(left, cluster.count)))
            left -= busy[-1][2]
    return _sum(busy)


_Busy = tuple[Cluster, ClusterPower, int]


def _sum(busy: list[_Busy]) -> BusyPower:
    tops = [count * power.steps[-1].mw for _, power, count in busy]
    bands = [_band(power) for _, power, _ in busy]
    weak = any(power.kind is PowerKind.POWER_PROFILE for _, power, _ in busy)
    return BusyPower(
        mw=sum(tops),
        lower=sum(mw * low for mw, (low, _) in zip(tops, bands, strict=True)) / sum(tops),
        upper=sum(mw * high for mw, (_, high) in zip(tops, bands, strict=True)) / sum(tops),
        cores=" + ".join(f"{count} x {c.called or c.core}" for c, _, count in busy),
        kind=PowerKind.POWER_PROFILE if weak else PowerKind.MEASURED,
        source="; ".join(dict.fromkeys(power.source for _, power, _ in busy)),
    )


def _band(power: ClusterPower) -> tuple[float, float]:
    """Energy of the same work as a share of that at the highest clock: the least, and the most."""
    top = power.steps[-1]
    shares = [
        (step.mw / step.ghz) / (top.mw / top.ghz)
        for step in power.steps
        if step.ghz >= BUSY_FROM * top.ghz
    ]
    low, high = PROFILE_BAND if power.kind is PowerKind.POWER_PROFILE else (1.0, 1.0)
    return min(shares) * low / LOAD_BAND, max(shares) * high * LOAD_BAND


def predict_energy(profile: DeviceProfile, threads: int, latency: Measurement) -> Reading:
    """Energy of one inference in millijoules, from its latency.

    Args:
        profile: The phone.
        threads: Threads that were busy for all of that time.
        latency: How long one inference takes.
    """
    power = busy_power(profile, threads)
    if isinstance(power, str):
        return Unreadable(metric=Metric.ENERGY_MJ, reason=power)
    told = (
        ("power", f"{power.cores} busy at the highest clock, {power.mw:.0f} mW"),
        ("power kind", _KINDS[power.kind]),
        ("power source", power.source),
        ("power band", f"x{power.lower:.2g} to x{power.upper:.2g} of power times time"),
    )
    per_ms = power.mw / 1e3
    return _as(
        latency, Metric.ENERGY_MJ, (per_ms * power.lower, per_ms, per_ms * power.upper), told
    )


_KINDS = {
    PowerKind.MEASURED: "measured, one busy core above idle",
    PowerKind.POWER_PROFILE: "the maker's own power_profile.xml, not measured",
}


def battery_of(
    energy: Reading,
    usage: Usage | None,
    battery: Battery | None,
    *,
    latency: Reading | None = None,
) -> Reading:
    """What the model takes from the battery per hour of use, in percent of a full one.

    Args:
        energy: Of one inference, measured or predicted; its origin and its conditions are kept.
        usage: How the app uses the model; ``None`` if nobody said.
        battery: What the phone's battery holds; ``None`` if that is not known.
        latency: Of one inference: a rate that the phone cannot keep up with is refused.
    """
    metric = Metric.BATTERY_PERCENT_PER_HOUR
    if isinstance(energy, Unreadable):
        return Unreadable(metric=metric, reason=energy.reason)
    if usage is None:
        reason = "how often the app runs the model is not stated: set inferences_per_second"
        return Unreadable(metric=metric, reason=reason)
    objection = usage.objection or _too_often(usage, latency)
    if objection is not None:
        return Unreadable(metric=metric, reason=objection)
    if battery is None:
        return Unreadable(metric=metric, reason=f"the battery of {energy.device} is not known")
    factor = 100 * usage.inferences_per_second * 3600 / 1e3 / battery.joules
    found = _as(energy, metric, (factor, factor, factor), _use(usage, battery))
    return replace(found, conditions=(*found.conditions, *_per_day(usage, found)))


def _too_often(usage: Usage, latency: Reading | None) -> str | None:
    """Why the phone cannot run the model that often, even at its quickest."""
    if not isinstance(latency, Measurement) or latency.lower <= 0:
        return None
    most = 1e3 / latency.lower
    if usage.inferences_per_second <= most:
        return None
    return (
        f"{usage.inferences_per_second:g} inferences per second are more than the {most:.3g} that "
        f"{latency.device} can run: one takes {latency.lower:.3g} ms or longer"
    )


def _use(usage: Usage, battery: Battery) -> tuple[tuple[str, str], ...]:
    holds = f"{battery.mah:.0f} mAh at {battery.nominal_volts} V (nominal, assumed)"
    return (("use", usage.words), ("battery", holds), ("battery source", battery.source))


def _per_day(usage: Usage, found: Measurement) -> tuple[tuple[str, str], ...]:
    if usage.minutes_per_day is None:
        return ()
    hours = usage.minutes_per_day / 60
    lower, value, upper = (hours * end for end in (found.lower, found.value, found.upper))
    return (("percent per day", f"{value:.3g} ({lower:.3g} to {upper:.3g})"),)


def _as(
    basis: Measurement,
    metric: Metric,
    factors: tuple[float, float, float],
    conditions: tuple[tuple[str, str], ...],
) -> Measurement:
    """The same measurement in another quantity: factors of its lower end, value and upper end."""
    low, middle, high = factors
    return replace(
        basis,
        metric=metric,
        value=basis.value * middle,
        lower=basis.lower * low,
        upper=basis.upper * high,
        conditions=tuple((dict(basis.conditions) | dict(conditions)).items()),
    )

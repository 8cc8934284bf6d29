"""Energy from power and time, battery from energy and use; each with what widens it."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.devices.predict_energy import (
    LOAD_BAND,
    PROFILE_BAND,
    battery_of,
    busy_power,
    predict_energy,
)
from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import Metric, Origin
from weighin.gates.profile import load_profile
from weighin.gates.profile_record import (
    Battery,
    Cluster,
    ClusterPower,
    DeviceProfile,
    PowerKind,
    PowerStep,
)
from weighin.gates.usage import Usage

BATTERY = Battery(mah=1000, nominal_volts=4.0, source="by hand")  # 14,400 J
USE = Usage(inferences_per_second=2, minutes_per_day=30)
LATENCY = Measurement(
    metric=Metric.LATENCY_P90_MS,
    value=10.0,
    lower=8.0,
    upper=15.0,
    n=5,
    origin=Origin.PREDICTED,
    artifact_sha256="a" * 64,
    device="phone",
    runtime="r 1",
    measured_at=datetime(2026, 11, 26, tzinfo=UTC),
    conditions=(("threads", "2"),),
)
ENERGY = replace(LATENCY, metric=Metric.ENERGY_MJ, value=20.0, lower=10.0, upper=40.0)


def cluster(
    *steps: tuple[float, float], count: int = 2, kind: PowerKind = PowerKind.MEASURED
) -> Cluster:
    made = tuple(PowerStep(ghz=ghz, mw=mw) for ghz, mw in steps)
    power = ClusterPower(kind=kind, steps=made, source="table") if made else None
    return Cluster(
        core="cortex-a76", count=count, max_ghz=2.0, isa=(), source="by hand", power=power
    )


def phone(*clusters: Cluster) -> DeviceProfile:
    return replace(load_profile("pixel-4"), title="Phone", clusters=clusters, battery=BATTERY)


def number(reading: Reading) -> Measurement:
    assert isinstance(reading, Measurement), reading
    return reading


def reason(reading: Reading) -> str:
    assert isinstance(reading, Unreadable), reading
    return reading.reason


BIG = cluster((1.0, 250.0), (2.0, 1000.0), count=1)
LITTLE = cluster((0.5, 60.0), (1.0, 80.0), count=4)


@pytest.mark.parametrize(
    ("threads", "mw", "cores"),
    [
        (1, 1000.0, "1 x cortex-a76"),
        (3, 1160.0, "1 x cortex-a76 + 2 x cortex-a76"),
        (5, 1320.0, "1 x cortex-a76 + 4 x cortex-a76"),
    ],
    ids=["one", "across two clusters", "all"],
)
def test_threads_fill_the_most_powerful_cores_first(threads: int, mw: float, cores: str) -> None:
    power = busy_power(phone(LITTLE, BIG), threads)
    assert not isinstance(power, str)
    assert (power.mw, power.cores, power.kind) == (mw, cores, PowerKind.MEASURED)


@pytest.mark.parametrize(
    ("profile", "threads", "words"),
    [
        (phone(BIG, cluster()), 1, "nobody published the power"),
        (phone(), 1, "nobody published the power"),
        (phone(BIG), 2, "has no 2 cores"),
        (phone(BIG), 0, "has no 0 cores"),
    ],
    ids=["a cluster without figures", "no cluster", "too many threads", "no thread"],
)
def test_without_the_power_of_every_core_there_is_no_energy(
    profile: DeviceProfile, threads: int, words: str
) -> None:
    assert words in reason(predict_energy(profile, threads, LATENCY))


def test_energy_is_power_times_time_and_twice_as_wide_either_way() -> None:
    """A core whose energy per cycle is the same at every clock adds nothing to the band."""
    energy = number(predict_energy(phone(cluster((1.0, 400.0), (2.0, 800.0))), 1, LATENCY))
    assert (energy.metric, energy.origin, energy.device) == (
        Metric.ENERGY_MJ,
        Origin.PREDICTED,
        "phone",
    )
    assert energy.value == pytest.approx(10 * 0.8)
    assert energy.lower == pytest.approx(8 * 0.8 / LOAD_BAND)
    assert energy.upper == pytest.approx(15 * 0.8 * LOAD_BAND)
    told = dict(energy.conditions)
    assert (told["threads"], told["power source"]) == ("2", "table")
    assert "measured" in told["power kind"]


def test_a_core_that_is_thriftier_at_lower_clocks_lowers_the_lower_end_only() -> None:
    """250 mW at 1 GHz is half the energy per cycle of 1,000 mW at 2 GHz."""
    power = busy_power(phone(BIG), 1)
    assert not isinstance(power, str)
    assert (power.lower, power.upper) == pytest.approx((0.5 / LOAD_BAND, LOAD_BAND))


def test_a_core_that_wastes_at_lower_clocks_raises_the_upper_end() -> None:
    power = busy_power(phone(LITTLE), 2)
    assert not isinstance(power, str)
    assert (power.lower, power.upper) == pytest.approx((1 / LOAD_BAND, 1.5 * LOAD_BAND))


def test_a_clock_below_half_of_the_highest_is_no_clock_of_a_busy_core() -> None:
    slow = cluster((0.2, 500.0), (1.0, 400.0), (2.0, 800.0))
    power = busy_power(phone(slow), 1)
    assert not isinstance(power, str)
    assert power.upper == LOAD_BAND


def test_the_makers_own_table_is_named_and_wider() -> None:
    stated = cluster((2.0, 800.0), kind=PowerKind.POWER_PROFILE)
    energy = number(predict_energy(phone(stated), 1, LATENCY))
    assert energy.upper == pytest.approx(15 * 0.8 * LOAD_BAND * PROFILE_BAND[1])
    assert energy.lower == pytest.approx(8 * 0.8 / LOAD_BAND * PROFILE_BAND[0])
    assert "not measured" in dict(energy.conditions)["power kind"]


def test_battery_is_energy_times_use_over_what_it_holds() -> None:
    """20 mJ twice a second is 144 J an hour, which is 1 % of 14,400 J; half an hour is half."""
    battery = number(battery_of(ENERGY, USE, BATTERY))
    assert (battery.metric, battery.origin) == (
        Metric.BATTERY_PERCENT_PER_HOUR,
        ENERGY.origin,
    )
    assert (battery.lower, battery.value, battery.upper) == pytest.approx((0.5, 1.0, 2.0))
    told = dict(battery.conditions)
    assert told["percent per day"] == "0.5 (0.25 to 1)"
    assert told["use"] == "2 inferences per second, the model alone, 30 minutes per day"
    assert told["threads"] == "2"


def test_what_was_measured_on_the_phone_stays_measured() -> None:
    measured = replace(ENERGY, origin=Origin.DEVICE, conditions=(("use", "of an earlier run"),))
    battery = number(battery_of(measured, USE, BATTERY))
    assert battery.origin is Origin.DEVICE
    assert [name for name, _ in battery.conditions].count("use") == 1


def test_nothing_is_said_per_day_when_nobody_said_how_long() -> None:
    battery = number(battery_of(ENERGY, Usage(inferences_per_second=2), BATTERY))
    assert "percent per day" not in dict(battery.conditions)


@pytest.mark.parametrize(
    ("energy", "usage", "battery", "words"),
    [
        (Unreadable(metric=Metric.ENERGY_MJ, reason="unplugged"), USE, BATTERY, "unplugged"),
        (ENERGY, None, BATTERY, "inferences_per_second"),
        (ENERGY, USE, None, "battery of phone is not known"),
        (ENERGY, Usage(inferences_per_second=float("nan")), BATTERY, "no rate of use"),
        (ENERGY, Usage(inferences_per_second=float("inf")), BATTERY, "no rate of use"),
        (ENERGY, Usage(inferences_per_second=-1), BATTERY, "no rate of use"),
        (ENERGY, replace(USE, minutes_per_day=1441), BATTERY, "no time of use"),
        (ENERGY, replace(USE, minutes_per_day=float("nan")), BATTERY, "no time of use"),
    ],
    ids=[
        "no energy", "no use", "no battery", "NaN", "infinite", "negative", "25 h", "NaN minutes",
    ],
)  # fmt: skip
def test_battery_that_cannot_be_known_says_why(
    energy: Reading, usage: Usage | None, battery: Battery | None, words: str
) -> None:
    assert words in reason(battery_of(energy, usage, battery))


@pytest.mark.parametrize(("rate", "possible"), [(120.0, True), (130.0, False)], ids=str)
def test_a_rate_that_the_phone_cannot_keep_up_with_is_refused(rate: float, possible: bool) -> None:
    """8 ms at the least are 125 inferences per second at the most."""
    usage = Usage(inferences_per_second=rate)
    found = battery_of(ENERGY, usage, BATTERY, latency=LATENCY)
    assert isinstance(found, Measurement) is possible
    if not possible:
        assert "more than the 125 that phone can run" in reason(found)


@given(st.floats(0.01, 50), st.floats(1, 1440))
def test_twice_the_use_takes_twice_the_battery(rate: float, minutes: float) -> None:
    once = number(battery_of(ENERGY, Usage(inferences_per_second=rate), BATTERY))
    usage = Usage(inferences_per_second=2 * rate, minutes_per_day=minutes)
    twice = number(battery_of(ENERGY, usage, BATTERY))
    assert twice.upper == pytest.approx(2 * once.upper)
    assert twice.lower <= twice.value <= twice.upper

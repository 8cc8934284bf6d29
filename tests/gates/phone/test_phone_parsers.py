"""What phones say of heat, battery, cores and space: understood, or an error that quotes it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.devices.phone.battery import amperes, parse_battery, parse_rails, volts
from weighin.gates.devices.phone.cores import (
    Policy,
    clusters_of,
    fastest_mask,
    parse_cpuinfo,
    parse_midr,
    parse_policies,
)
from weighin.gates.devices.phone.storage import parse_free_bytes, parse_peak_mib, parse_ram_mib
from weighin.gates.devices.phone.thermal import parse_thermal_service, parse_zones

THERMAL = """\
IsStatusOverride: false
ThermalEventListeners:
Thermal Status: 0
Cached temperatures:
\tTemperature{mValue=88.8, mType=3, mName=skin, mStatus=3}
HAL Ready: true
HAL connection:
Current temperatures from HAL:
\tTemperature{mValue=41.5, mType=0, mName=CPU0, mStatus=0}
\tTemperature{mValue=31.5, mType=3, mName=skin, mStatus=0}
\tTemperature{mValue=3700.0, mType=6, mName=vbat, mStatus=0}
Current cooling devices from HAL:
\tCoolingDevice{mValue=0, mType=2, mName=cpu}
"""


def test_only_temperatures_that_are_read_now_count() -> None:
    heat = parse_thermal_service(THERMAL)
    assert heat is not None
    assert heat.objection is None
    assert heat.degrees_c == (("cpu CPU0", 41.5), ("skin skin", 31.5))
    assert heat.words == "thermal status 0, 31.5 C"


def test_decimal_commas_in_temperatures() -> None:
    heat = parse_thermal_service(THERMAL.replace("31.5", "31,5"))
    assert heat is not None
    assert ("skin skin", 31.5) in heat.degrees_c


def test_a_throttled_phone_is_refused() -> None:
    heat = parse_thermal_service(THERMAL.replace("Status: 0", "Status: 2"))
    assert heat is not None
    assert heat.objection == "thermal status 2, not 0"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "Can't find service: thermalservice",
        THERMAL.replace("HAL Ready: true", "HAL Ready: false"),
    ],
    ids=["nothing", "no service", "no hardware behind it"],
)
def test_a_status_that_no_hardware_stands_behind_is_none(text: str) -> None:
    assert parse_thermal_service(text) is None


def test_an_overridden_status_is_an_error_that_says_how_to_undo_it() -> None:
    with pytest.raises(ValueError, match="cmd thermalservice reset"):
        parse_thermal_service(THERMAL.replace("Override: false", "Override: true"))


@pytest.mark.parametrize(
    "text",
    [
        THERMAL.replace("Thermal Status: 0", "Thermal Status: none"),
        THERMAL.replace("Thermal Status: 0", "Thermal Status: 9"),
        THERMAL.replace("mValue=31.5", "mValue=warm"),
    ],
)
def test_heat_that_is_not_understood_is_an_error(text: str) -> None:
    with pytest.raises(ValueError, match=r"no status|not a temperature"):
        parse_thermal_service(text)


@pytest.mark.parametrize(
    ("text", "objection"),
    [
        ("cpu-0|45000\nbattery|31000\nbcl|0\noff|\n", None),
        ("cpu-0|45000\nquiet-therm|46000\n", "quiet-therm at 46.0 C"),
        ("battery|44\n", "battery at 44.0 C"),
        ("cpu-0|45000\n", "it tells neither a thermal status nor the temperature"),
        ("", "it tells neither a thermal status nor the temperature"),
    ],
)
def test_without_a_thermal_service_skin_and_battery_decide(
    text: str, objection: str | None
) -> None:
    found = parse_zones(text).objection
    assert found == objection or (objection and found and found.startswith(objection))


BATTERY = """\
Current Battery Service state:
  AC powered: false
  USB powered: false
  Wireless powered: false
  Max charging current: 0
  Charge counter: 2345678
  status: 3
  health: 2
  present: true
  level: 87
  scale: 100
  voltage: 4123
  temperature: 291
  technology: Li-ion
"""


def test_an_unplugged_phone_may_be_measured() -> None:
    state = parse_battery(BATTERY)
    assert state.objection is None
    assert (state.level_percent, state.charge_uah) == (87, 2345678)
    assert state.voltage_v == pytest.approx(4.123)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("USB powered: false", "USB powered: true", "charging (USB): unplug it"),
        ("status: 3", "status: 2", "charging"),
        ("state:\n", "state:\n  (UPDATES STOPPED -- use 'reset' to restart)\n", "faked"),
    ],
)
def test_a_phone_that_charges_or_pretends_not_to_is_refused(old: str, new: str, says: str) -> None:
    objection = parse_battery(BATTERY.replace(old, new)).objection
    assert objection is not None
    assert says in objection


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("  status: 3\n", ""),
        ("status: 3", "status: 12"),
        ("level: 87", "level: 870"),
        ("AC powered: false", "AC powered: perhaps"),
        ("voltage: 4123", "voltage: 41"),
    ],
)
def test_a_battery_that_is_not_understood_is_an_error(old: str, new: str) -> None:
    with pytest.raises(ValueError, match=r"battery"):
        parse_battery(BATTERY.replace(old, new))


@given(
    st.sampled_from([(1, 1e-3), (1000, 1e-6)]),
    st.sampled_from([1, -1]),
    st.lists(st.integers(100, 5000), min_size=1),
    st.integers(1, 99),
)
def test_unit_and_sign_of_the_current_are_told_by_the_busy_readings(
    unit: tuple[int, float], sign: int, busy_ma: list[int], idle_ma: int
) -> None:
    per_ma, _ = unit
    raw = [sign * per_ma * value for value in busy_ma]
    assert amperes(raw, [sign * per_ma * idle_ma]) == pytest.approx((idle_ma / 1000,))


@pytest.mark.parametrize("busy", [[], [0, 0], [300_000, -300_000]])
def test_a_current_without_a_clear_sign_is_an_error(busy: list[int]) -> None:
    with pytest.raises(ValueError, match="sign"):
        amperes(busy, [1])


@pytest.mark.parametrize(("raw", "value"), [(3850, 3.85), (4_200_000, 4.2), (8400, 8.4)])
def test_voltages_in_milli_or_microvolts(raw: int, value: float) -> None:
    assert volts(raw) == pytest.approx(value)


@pytest.mark.parametrize("raw", [0, -3850, 38, 385_000, 42_000_000])
def test_what_no_phone_battery_has_is_no_voltage(raw: int) -> None:
    with pytest.raises(ValueError, match="no voltage"):
        volts(raw)


def test_power_rails_with_their_own_clock() -> None:
    text = "t=1000\nCH0(T=1000)[S2M_VDD_CPUCL2], 500\nCH1(T=1000)[S4M_VDD_CPUCL0], 20\n"
    assert parse_rails(text) == (1000, (("S2M_VDD_CPUCL2", 500), ("S4M_VDD_CPUCL0", 20)))


@pytest.mark.parametrize("text", ["", "t=5\n", "t=5\nCH0[A], x\n", "Permission denied"])
def test_rails_that_are_not_understood_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="rail"):
        parse_rails(text)


def block(cpu: int, implementer: int, part: int, features: str) -> str:
    return (
        f"processor\t: {cpu}\nBogoMIPS\t: 38.40\nFeatures\t: fp asimd {features}\n"
        f"CPU implementer\t: {implementer:#x}\nCPU architecture: 8\nCPU part\t: {part:#x}\n\n"
    )


SD855 = "".join(
    [block(n, 0x51, 0x805, "asimdhp asimddp") for n in range(4)]
    + [block(n, 0x51, 0x804, "asimdhp asimddp") for n in range(4, 8)]
    + ["Hardware\t: Qualcomm Technologies, Inc SM8150\n"]
)
POLICIES = "p0|0 1 2 3|1785600\np4|4 5 6|2419200\np7|7|2841600\n"


def test_clusters_of_a_phone_fastest_first() -> None:
    found = clusters_of(parse_cpuinfo(SD855), parse_policies(POLICIES), {})
    assert [(one.core, one.called, one.cpus, one.max_ghz) for one in found] == [
        ("cortex-a76", "Kryo 4xx Gold", (7,), 2.842),
        ("cortex-a76", "Kryo 4xx Gold", (4, 5, 6), 2.419),
        ("cortex-a55", "Kryo 4xx Silver", (0, 1, 2, 3), 1.786),
    ]
    assert found[0].isa == ("dotprod", "fp16")


def test_cores_that_cpuinfo_leaves_out_are_told_by_their_own_numbers() -> None:
    midr = parse_midr("".join(f"cpu{n} 0x00000000411fd0d0\n" for n in range(4, 8)))
    only_first = parse_cpuinfo(block(0, 0x41, 0xD05, "asimddp"))
    found = clusters_of(only_first, parse_policies("a|0-3|1800000\nb|4-7|2840000\n"), midr)
    assert [one.core for one in found] == ["cortex-a77", "cortex-a55"]


@pytest.mark.parametrize(
    ("cpuinfo", "says"),
    [
        (block(0, 0x41, 0xD05, ""), "does not tell the design of cores 4, 5, 6"),
        (SD855.replace("0x804", "0xabc"), "no known core design (implementer 0x51 part 0xabc)"),
        (SD855.replace("part\t: 0x804", "part\t: 0x802", 1), "no known core design"),
    ],
    ids=["one core only", "unknown part", "two designs share a clock"],
)
def test_an_unknown_core_is_an_error_that_names_it(cpuinfo: str, says: str) -> None:
    with pytest.raises(ValueError, match=r"cores") as caught:
        clusters_of(parse_cpuinfo(cpuinfo), parse_policies(POLICIES), {})
    assert says in str(caught.value)


@pytest.mark.parametrize("text", ["", "x", "p|a b|5\n", "p|0 1|0\n", "p|0 1|\n"])
def test_clocks_that_are_not_understood_are_an_error(text: str) -> None:
    with pytest.raises(ValueError, match="clock"):
        parse_policies(text)


@pytest.mark.parametrize(
    ("threads", "mask"), [(1, 0x80), (2, 0xF0), (4, 0xF0), (5, 0xFF), (16, 0xFF)]
)
def test_threads_go_to_the_fastest_clusters_that_hold_them(threads: int, mask: int) -> None:
    policies = (
        Policy(cpus=(0, 1, 2, 3), max_khz=1_800_000),
        Policy(cpus=(4, 5, 6), max_khz=2_400_000),
        Policy(cpus=(7,), max_khz=2_840_000),
    )
    assert fastest_mask(policies, threads) == mask


@pytest.mark.parametrize(
    ("text", "free"),
    [
        (
            "Filesystem       1K-blocks     Used Available Use% Mounted on\n"
            "/dev/block/dm-8  111328236 33114112  78082972  30% /data/user/0\n",
            78082972 * 1024,
        ),
        (
            "Filesystem               Size     Used     Free   Blksize\n"
            "/data                   10.7G     5.2G     5.5G   4096\n",
            int(5.5 * 2**30),
        ),
    ],
    ids=["toybox", "old Android"],
)
def test_free_space_in_both_forms(text: str, free: int) -> None:
    assert parse_free_bytes(text) == free


@pytest.mark.parametrize("text", ["", "df: /x: No such file or directory", "a b c\n1 2 3\n"])
def test_space_that_is_not_understood_is_an_error_not_zero(text: str) -> None:
    with pytest.raises(ValueError, match="free space"):
        parse_free_bytes(text)


def test_memory_of_a_phone_and_of_a_process() -> None:
    assert parse_ram_mib("MemTotal:        5849980 kB\nMemFree: 1 kB\n") == 5712
    assert parse_peak_mib("Name:\tx\nVmHWM:\t   30720 kB\n") == pytest.approx(30)
    assert parse_peak_mib("") is None
    with pytest.raises(ValueError, match="MemTotal"):
        parse_ram_mib("MemTotal: 5 MB")
    with pytest.raises(ValueError, match="VmHWM"):
        parse_peak_mib("Name:\tx\n")

"""Counted instructions become a latency by the phone's own runs, or nothing with a reason."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.arm.counts import Count
from weighin.gates.cost import Arithmetic
from weighin.gates.devices import emulate_fit
from weighin.gates.devices.emulate import (
    BEYOND,
    Anchor,
    Network,
    Twin,
    emulated_latency,
    load_twin,
    ms_per_unit,
    read_counts,
)
from weighin.gates.devices.latency import Latency
from weighin.gates.devices.networks import terms_of
from weighin.gates.devices.published import Row, Setup
from weighin.gates.profile import Anchor as Run
from weighin.gates.profile import Calibration
from weighin.gates.variant import Format

PUBLISHED = Path(__file__).parents[3] / "shared" / "devices"
CPU = "cortex-a72"
ms = st.floats(min_value=0.5, max_value=500)
units = st.floats(min_value=5, max_value=5000)


def counted(millions: float, lines: int = 0) -> Count:
    kinds = dict.fromkeys(Count.__dataclass_fields__, 0)
    return Count(**kinds | {"float_mac": round(millions * 1e6), "missed_32k": lines})


def anchor(family: str, units: float, mean_ms: float) -> Anchor:
    return Anchor(family=family, units=units, mean_ms=mean_ms)


SMALL = "mobilenet_v2_0.35_96"
NETWORKS = {"mobilenet_v1_1.0_224": 200.0, "mobilenet_v2_1.0_224": 120.0, SMALL: 20.0}
TWIN = Twin(
    line=2.0,
    wait=0.5,
    band_lower=0.8,
    band_upper=1.25,
    p90_over_mean=1.1,
    counts={
        Network(cpu=CPU, kernels="xnnpack", arithmetic=Arithmetic.FLOAT32, model=name): counted(m)
        for name, m in NETWORKS.items()
    },
    runtime="ai-edge-litert 2.3.0",
)


def calibration(
    names: Sequence[str] = tuple(NETWORKS),
    kernels: str = "xnnpack",
    arithmetic: Arithmetic = Arithmetic.FLOAT32,
    threads: int = 1,
) -> Calibration:
    runs = tuple(Run(model=name, mean_ms=0.4 * NETWORKS[name], source="here") for name in names)
    shared = {"scale": 1.0} if "scale" in Calibration.__dataclass_fields__ else {}
    return Calibration(
        runtime=Format.LITERT,
        arithmetic=arithmetic,
        threads=threads,
        kernels=kernels,
        anchors=runs,
        **shared,
    )


@given(st.lists(st.tuples(units, ms), min_size=1, max_size=6), st.floats(0.1, 10))
def test_a_phone_that_takes_so_many_times_as_long_is_predicted_so_many_times_as_long(
    runs: list[tuple[float, float]], times: float
) -> None:
    plain = ms_per_unit([anchor(str(k), u, y) for k, (u, y) in enumerate(runs)])
    slower = ms_per_unit([anchor(str(k), u, y * times) for k, (u, y) in enumerate(runs)])
    assert slower == pytest.approx(times * plain, rel=1e-6)


@given(st.lists(st.tuples(units, ms), min_size=1, max_size=6))
def test_a_unit_takes_no_longer_than_with_the_slowest_anchor_and_no_shorter_than_with_the_fastest(
    runs: list[tuple[float, float]],
) -> None:
    anchors = [anchor(str(k % 2), u, y) for k, (u, y) in enumerate(runs)]
    rates = [a.mean_ms / a.units for a in anchors]
    assert min(rates) * 0.999 <= ms_per_unit(anchors) <= max(rates) * 1.001


def test_a_family_with_many_anchors_counts_no_more_than_one_with_one() -> None:
    many = [anchor("many", 100, 40)] * 9
    assert ms_per_unit([*many, anchor("one", 100, 10)]) == pytest.approx(0.2)


def test_latency_is_what_the_phones_own_runs_say_with_the_band_and_the_p90() -> None:
    found = emulated_latency(TWIN, calibration(), CPU, counted(60, lines=1_000_000), 50)
    assert isinstance(found, Latency)
    assert found.value_ms == pytest.approx(0.4 * 80)  # 60 M instructions and 20 units of lines
    assert found.lower_ms == pytest.approx(0.8 * found.value_ms)
    assert found.upper_ms == pytest.approx(1.25 * 1.1 * found.value_ms)
    assert "scaled by 3 anchors" in found.rule


def test_on_more_threads_a_file_of_more_operators_takes_longer() -> None:
    def latency(threads: int, operators: int) -> float:
        runs = calibration(threads=threads)
        found = emulated_latency(TWIN, runs, CPU, counted(60), operators)
        assert isinstance(found, Latency)
        return found.value_ms

    assert latency(1, 10) == latency(1, 100)
    assert latency(2, 10) < latency(2, 100)
    assert latency(4, 100) / latency(4, 10) > latency(2, 100) / latency(2, 10)


@pytest.mark.parametrize(
    ("runs", "cpu", "millions", "reason"),
    [
        (calibration(kernels="before_xnnpack"), CPU, 60, "(before xnnpack, float32) were counted"),
        (calibration([SMALL]), CPU, 20, "1 of the phone's published networks"),
        (calibration(), "cortex-a53", 60, "float32) were counted on cortex-a53; 2"),
        (calibration(arithmetic=Arithmetic.INT8), CPU, 60, "0 of the phone's published networks"),
        (calibration(), CPU, 200 * BEYOND + 1, "far from the phone's published networks"),
        (calibration(), CPU, 20 / BEYOND - 1, "far from the phone's published networks"),
    ],
    ids=["kernels", "one anchor", "core", "arithmetic", "too large", "too small"],
)
def test_where_the_published_runs_say_nothing_there_is_no_number(
    runs: Calibration, cpu: str, millions: float, reason: str
) -> None:
    found = emulated_latency(TWIN, runs, cpu, counted(millions), 50)
    assert isinstance(found, str)
    assert reason in found


def test_counts_of_two_runtimes_are_never_mixed() -> None:
    header = "runtime,cpu,kernels,arithmetic,model," + ",".join(Count.__dataclass_fields__)
    row = "{},cortex-a72,xnnpack,float32,net," + ",".join(["1"] * len(Count.__dataclass_fields__))
    runtime, counts = read_counts("\n".join([header, row.format("a 1")]))
    assert (runtime, len(counts)) == ("a 1", 1)
    with pytest.raises(ValueError, match="counts of 2 runtimes"):
        read_counts("\n".join([header, row.format("a 1"), row.format("a 2")]))


def test_the_shipped_counts_are_of_today_and_their_bands_hold_the_truth() -> None:
    twin = load_twin()
    assert twin.runtime.startswith("ai-edge-litert ")
    assert len(twin.counts) > 100
    assert 0.5 < twin.band_lower < 1 < twin.band_upper < 2
    assert all(count.instructions > 5e6 for count in twin.counts.values())


def miss(family: str, ratio: float) -> emulate_fit.Miss:
    terms = terms_of("mobilenet_v1_1.0_224", 4)
    assert terms is not None
    setup = Setup(device="phone", threads=1, kernels="xnnpack")
    row = Row(
        setup=setup,
        arithmetic=Arithmetic.FLOAT32,
        model="net",
        family=family,
        terms=terms,
        mean_ms=10 * ratio,
        source="here",
    )
    return emulate_fit.Miss(row=row, predicted_ms=10)


def test_a_band_that_was_made_with_the_truth_in_it_does_not_count_as_coverage() -> None:
    same = [miss("a", 1.0), miss("a", 1.1), miss("b", 1.0), miss("b", 1.1)]
    assert emulate_fit.coverage_percent(same) == 100
    apart = [miss("a", 1.0), miss("a", 1.1), miss("b", 2.0), miss("b", 2.1)]
    assert emulate_fit.coverage_percent(apart) == 0


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published tables are not here")
def test_the_shipped_figures_are_those_of_the_published_tables() -> None:
    twin = load_twin()
    runs, _ = emulate_fit.counted_rows(PUBLISHED, twin.counts)
    prices = emulate_fit.prices_of(runs, emulate_fit.by_count)
    assert twin.line == pytest.approx(prices[1] / prices[0], abs=0.0006)
    assert twin.wait == pytest.approx(prices[2] / prices[0], abs=0.0006)
    others = emulate_fit.with_all_others(runs, emulate_fit.by_count)
    found = emulate_fit.band(others)
    assert (twin.band_lower, twin.band_upper) == pytest.approx(found, abs=0.0006)


@pytest.mark.skipif(not PUBLISHED.is_dir(), reason="the published tables are not here")
def test_no_prediction_of_a_run_knew_its_family() -> None:
    twin = load_twin()
    runs, _ = emulate_fit.counted_rows(PUBLISHED, twin.counts)
    doubled = [
        replace(run, row=replace(run.row, mean_ms=2 * run.row.mean_ms))
        if run.row.family == "mobilenet_v2"
        else run
        for run in runs
    ]
    weigh = emulate_fit.by_count
    before, after = (emulate_fit.with_all_others(part, weigh) for part in (runs, doubled))
    for one, other in zip(before, after, strict=True):
        if one.row.family == "mobilenet_v2":
            assert other.predicted_ms == pytest.approx(one.predicted_ms, rel=1e-6)

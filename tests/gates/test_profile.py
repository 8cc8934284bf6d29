"""Profiles: every shipped one parses, and every figure in it cites its source."""

import dataclasses
import tomllib
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from weighin.gates.core_design import CORE_DESIGNS
from weighin.gates.cost import Arithmetic
from weighin.gates.devices.coefficients import load_coefficients
from weighin.gates.devices.networks import terms_of
from weighin.gates.errors import ConfigError
from weighin.gates.profile import (
    HOST,
    Anchor,
    Battery,
    Calibration,
    Cluster,
    ClusterPower,
    DeviceProfile,
    Memory,
    Os,
    PowerKind,
    PowerStep,
    Tier,
    all_profiles,
    load_profile,
    own_names,
    parse_profile,
    profile_names,
    render_profile,
    shipped_names,
)
from weighin.gates.variant import Format

PHONES = tuple(name for name in profile_names() if name != HOST)

GOOD = """
title = "Phone"
codename = "bird"
os = "android"
os_release = 12
tier = "mid"
year = 2020
soc = "SoC"
soc_id = "sm1"
source = "its vendor"

[[clusters]]
core = "cortex-a76"
called = "Gold"
count = 2
max_ghz = 2.2
isa = ["dotprod", "fp16"]
source = "its vendor"

[clusters.power]
kind = "measured"
steps = [[0.8, 100], [2.2, 800.5]]
source = "somebody"

[[clusters]]
core = "cortex-a55"
count = 6
max_ghz = 1.8
isa = ["dotprod", "fp16"]
source = "its vendor"

[clusters.power]
kind = "power_profile"
steps = [[1.8, 120.0]]
source = "its vendor's table"

[memory]
ram_mib = 4096
source = "its vendor"

[battery]
mah = 3000
nominal_volts = 3.85
source = "its vendor"

[[calibrations]]
runtime = "litert"
arithmetic = "int8"
threads = 2
kernels = "xnnpack"

[[calibrations.published]]
source = "somebody"

[calibrations.published.mean_ms]
"mobilenet_v1_1.0_224" = 10.0
"""


def texts() -> st.SearchStrategy[str]:
    """Any text that a TOML file can hold, quotes and control characters among them."""
    return st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)


@st.composite
def clusters(draw: st.DrawFn, max_ghz: float) -> Cluster:
    core = draw(st.sampled_from(sorted(CORE_DESIGNS)))
    clocks = draw(st.lists(st.floats(0.1, max_ghz), min_size=1, max_size=20, unique=True))
    steps = tuple(PowerStep(ghz=g, mw=draw(st.floats(0.1, 20_000))) for g in sorted(clocks))
    power = ClusterPower(
        kind=draw(st.sampled_from(PowerKind)),
        steps=steps,
        source=draw(texts()),
        note=draw(st.none() | texts()),
    )
    return Cluster(
        core=core,
        called=draw(st.none() | texts()),
        count=draw(st.integers(1, 4)),
        max_ghz=max_ghz,
        isa=CORE_DESIGNS[core].most_isa,
        source=draw(texts()),
        power=draw(st.none() | st.just(power)),
    )


def anchors() -> st.SearchStrategy[Anchor]:
    names = st.sampled_from(["a", "b", 'c"d', ""])
    sources = st.sampled_from(["one", "two"])
    return st.builds(Anchor, model=names, mean_ms=st.floats(1e-6, 1e7), source=sources)


def calibrations() -> st.SearchStrategy[Calibration]:
    return st.builds(
        Calibration,
        runtime=st.sampled_from(Format),
        arithmetic=st.sampled_from(Arithmetic),
        threads=st.integers(1, 16),
        kernels=texts(),
        anchors=st.lists(anchors(), max_size=6).map(tuple),
    )


@st.composite
def profiles(draw: st.DrawFn) -> DeviceProfile:
    clocks = sorted(draw(st.lists(st.floats(0.2, 5), max_size=4)), reverse=True)
    source = draw(texts())
    memory = st.builds(Memory, ram_mib=st.integers(128, 100_000), source=texts())
    volts = st.floats(1, 20)
    battery = st.builds(Battery, mah=st.floats(100, 9e4), nominal_volts=volts, source=texts())
    return DeviceProfile(
        name="phone",
        title=draw(texts()),
        codename=draw(st.none() | texts()),
        os=draw(st.sampled_from([Os.ANDROID, Os.IOS])),
        os_release=draw(st.none() | st.integers(1, 99)),
        tier=draw(st.sampled_from([Tier.HIGH, Tier.MID, Tier.LOW, Tier.OLD])),
        year=draw(st.integers(2007, 2099)),
        soc=draw(texts()),
        soc_id=draw(st.from_regex(r"[a-z0-9][a-z0-9_-]{0,9}", fullmatch=True)),
        source=source,
        clusters=tuple(draw(clusters(ghz)) for ghz in clocks),
        memory=draw(st.none() | memory),
        battery=draw(st.none() | battery),
        calibrations=tuple(draw(st.lists(calibrations(), max_size=2))),
    )


def text_of(name: str) -> str:
    return (resources.files("weighin.gates") / "profiles" / f"{name}.toml").read_text("utf-8")


def figures_without_source(table: dict[str, Any], sourced: bool, at: str) -> Iterator[str]:
    """Numbers neither beside or below a ``source`` nor fitted to runs that have one."""
    sourced = sourced or bool(str(table.get("source", "")).strip()) or "published" in table
    for key, value in table.items():
        for item in value if isinstance(value, list) else [value]:
            if isinstance(item, dict):
                yield from figures_without_source(item, key == "mean_ms", f"{at}.{key}")
            elif isinstance(item, int | float) and not sourced:
                yield f"{at}.{key}"


def test_there_is_the_host_and_phones_of_different_classes() -> None:
    assert HOST in profile_names()
    assert {"high", "mid", "low", "old"} <= {load_profile(name).tier for name in PHONES}


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_parses_and_sources_every_figure(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert list(figures_without_source(tomllib.loads(text_of(name)), False, name)) == []
    assert all(a.source for c in profile.calibrations for a in c.anchors)


def test_a_figure_without_a_source_is_noticed() -> None:
    table = tomllib.loads(
        GOOD.replace(
            '[battery]\nmah = 3000\nnominal_volts = 3.85\nsource = "its vendor"',
            "[battery]\nmah = 3000",
        )
    )
    assert list(figures_without_source(table, False, "x")) == ["x.battery.mah"]


@pytest.mark.parametrize("name", PHONES)
def test_every_anchor_is_a_network_whose_layout_is_known(name: str) -> None:
    for calibration in load_profile(name).calibrations:
        if calibration.runtime == "ncnn":
            prices = load_coefficients("ncnn")
            assert prices is not None
            learned = prices.of(calibration.arithmetic)
            assert learned is not None
            assert all(learned.amounts(a.model) is not None for a in calibration.anchors)
        else:
            assert calibration.kernels in {"before_xnnpack", "xnnpack"}
            assert all(terms_of(a.model, 4) is not None for a in calibration.anchors)


def test_an_unknown_name_is_refused_with_what_was_meant_and_where_to_look() -> None:
    with pytest.raises(ConfigError, match=r"did you mean pixel-4.*weighin device list"):
        load_profile("pixel4")


def test_a_name_that_climbs_out_of_the_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="no device profile"):
        load_profile("../../pyproject")


BROKEN = [
    # before, after, what the one line says
    ('title = "Phone"', "", "key 'title' is missing"),
    ('title = "Phone"', "title = 3", "title must be text"),
    ('source = "its vendor"', 'source = " "', "source must be text"),
    ('codename = "bird"', 'code_name = "bird"', "unknown key code_name (did you mean 'codename'?)"),
    ('os = "android"', "", "key 'os' is missing"),
    (
        'os = "android"',
        'os = "andriod"',
        "os: unknown 'andriod' (did you mean 'android'?)",
    ),
    ('os = "android"', 'os = "host"', "do not go together"),
    ("os_release = 12", "os_release = 12.5", "os_release must be a whole number"),
    ("os_release = 12", 'os_release = "12"', "os_release must be a number"),
    ('tier = "mid"', 'tier = "middle"', "tier: unknown 'middle'"),
    ('tier = "mid"', 'tier = "host"', "do not go together"),
    ("year = 2020", "", "key 'year' is missing"),
    ("year = 2020", "year = 20", "year must be a positive number; allowed: 2007 to 2099"),
    ("year = 2020", "year = true", "year must be a number"),
    ('soc_id = "sm1"', "", "key 'soc_id' is missing"),
    ('soc_id = "sm1"', 'soc_id = "SM 1"', "soc_id must be one lower-case word"),
    ("[memory]", "[memry]", "unknown key memry (did you mean 'memory'?)"),
    ("[memory]", "[[memory]]", "memory must be a table"),
    ('core = "cortex-a76"', 'core = "cortex-a67"', "unknown core 'cortex-a67' (did you mean"),
    ('core = "cortex-a76"', 'core = "cortex-a73"', "no cortex-a73 has dotprod"),
    ("count = 2", "count = 0", "clusters[0].count must be a positive number; allowed: 1 to 16"),
    ("count = 2", "count = -2", "clusters[0].count must be a positive number"),
    ("count = 6", "count = 15", "17 cores together; at most 16"),
    (
        "max_ghz = 2.2",
        "max_ghz = 2200",
        "max_ghz must be a positive number; allowed: 0.1",
    ),
    ("max_ghz = 2.2", "max_ghz = inf", "clusters[0].max_ghz must be a positive number"),
    ("max_ghz = 2.2", "max = 2.2", "unknown key clusters[0].max (did you mean 'max_ghz'?)"),
    ("max_ghz = 1.8", "max_ghz = 2.4", "clusters must be fastest first"),
    ('["dotprod", "fp16"]', '["dotprd"]', "'dotprd' (did you mean 'dotprod'?)"),
    ('["dotprod", "fp16"]', '["fp16", "fp16"]', "names an extension twice"),
    ('["dotprod", "fp16"]', '"dotprod"', "isa must be a list"),
    ('kind = "measured"', 'kind = "guessed"', "power.kind: unknown 'guessed'"),
    ("[0.8, 100]", "[2.3, 100]", "ascending order of GHz"),
    ("[0.8, 100]", "[2.2, 100]", "each clock once"),
    ("[0.8, 100]", "[0.8, -100]", "steps[0] mW must be a positive number"),
    ("[0.8, 100]", "[0.8, nan]", "steps[0] mW must be a positive number"),
    ("[0.8, 100]", "[0.8]", "must be a pair of GHz and mW"),
    ("[2.2, 800.5]", "[2.8, 800.5]", "above max_ghz = 2.2"),
    ("[[0.8, 100], [2.2, 800.5]]", "[]", "steps must be pairs of GHz and mW"),
    ("ram_mib = 4096", "", "key 'memory.ram_mib' is missing"),
    ("ram_mib = 4096", "ram = 4096", "unknown key memory.ram (did you mean 'ram_mib'?)"),
    ("ram_mib = 4096", "ram_mib = 4", "memory.ram_mib must be a positive number; allowed: 128"),
    ("ram_mib = 4096", "ram_mib = 0", "memory.ram_mib must be a positive number"),
    ("mah = 3000", "", "key 'battery.mah' is missing"),
    ("mah = 3000", "capacity = 3000", "unknown key battery.capacity; allowed: mah, nominal_volts"),
    ("mah = 3000", "mah = -1", "battery.mah must be a positive number"),
    ("mah = 3000", "mah = nan", "battery.mah must be a positive number"),
    ("nominal_volts = 3.85", "", "key 'battery.nominal_volts' is missing"),
    ("nominal_volts = 3.85", "nominal_volts = 3850", "battery.nominal_volts must be a positive"),
    ("threads = 2", "", "'calibrations[0].threads' is missing"),
    ('arithmetic = "int8"', 'arithmetic = "int5"', "unknown 'int5'"),
    ('runtime = "litert"', 'runtime = "tflite"', "unknown 'tflite'"),
    ('"mobilenet_v1_1.0_224" = 10.0', '"mobilenet_v1_1.0_224" = 0', "mobilenet_v1_1.0_224 must be"),
    ("[battery]", "[battery", "profile phone"),
    ("[battery]", "[memory]", "profile phone"),
]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [pytest.param(*row, id=f"{row[0]} -> {row[1] or 'nothing'}"[:60]) for row in BROKEN],
)
def test_a_broken_profile_is_one_clear_line(before: str, after: str, complaint: str) -> None:
    assert before in GOOD
    with pytest.raises(ConfigError, match="profile phone") as caught:
        parse_profile("phone", GOOD.replace(before, after, 1))
    assert complaint in str(caught.value)


@pytest.mark.parametrize("name", ["Pixel-4", "tier:low", "android>=12", "", "a b", "default", "-x"])
def test_a_name_that_would_mean_something_else_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="no name for a device profile"):
        parse_profile(name, GOOD)


@settings(max_examples=60)
@given(profiles())
def test_what_is_written_is_read_back_as_the_same_profile(profile: DeviceProfile) -> None:
    assert parse_profile(profile.name, render_profile(profile)) == profile


@pytest.mark.parametrize("name", profile_names())
def test_every_shipped_profile_survives_being_written(name: str) -> None:
    profile = load_profile(name)
    assert parse_profile(name, render_profile(profile)) == profile


def test_an_own_profile_is_found_and_hides_the_shipped_one(tmp_path: Path) -> None:
    (tmp_path / "pixel-4.toml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "phone.toml").write_text(GOOD, encoding="utf-8")
    (tmp_path / "phone.runs.jsonl").write_text("{}\n", encoding="utf-8")
    assert own_names(tmp_path) == ("phone", "pixel-4")
    assert set(profile_names(tmp_path)) == {*shipped_names(), "phone"}
    assert load_profile("pixel-4", tmp_path).title == "Phone"
    assert load_profile("pixel-4").title == "Pixel 4"
    assert {p.name for p in all_profiles(tmp_path)} == set(profile_names(tmp_path))


def test_without_a_folder_of_ones_own_the_shipped_profiles_are_all(tmp_path: Path) -> None:
    assert profile_names(tmp_path / "devices") == shipped_names()
    with pytest.raises(ConfigError, match="no device profile 'phone'"):
        load_profile("phone", tmp_path / "devices")


@pytest.mark.parametrize(
    ("file", "content", "complaint"),
    [
        pytest.param("phone.toml", b"title = 3", "phone.toml: profile phone", id="no profile"),
        pytest.param("phone.toml", b"\xff\xfe", "cannot be read", id="not text"),
        pytest.param("My Phone.toml", GOOD.encode(), "no name for a device", id="a space"),
        pytest.param("host.toml", GOOD.encode(), "rename the file", id="the host"),
    ],
)
def test_a_broken_own_profile_names_its_file(
    tmp_path: Path, file: str, content: bytes, complaint: str
) -> None:
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        all_profiles(tmp_path)
    assert complaint in str(caught.value)


def test_a_full_battery_holds_its_charge_times_its_voltage() -> None:
    profile = parse_profile("phone", GOOD)
    assert profile.battery is not None
    assert profile.battery.joules == pytest.approx(3.0 * 3600 * 3.85)


def test_power_is_of_the_most_powerful_cores() -> None:
    pixel = load_profile("pixel-4")
    one, four = pixel.active_mw(1), pixel.active_mw(4)
    assert one is not None
    assert four is not None
    assert one.mw == pytest.approx(1077.2)
    assert four.mw == pytest.approx(1077.2 + 3 * 841.7)
    assert one.kind is PowerKind.MEASURED
    assert "sm8150/new" in one.source
    assert pixel.active_mw(9) is None
    assert pixel.active_mw(0) is None


def test_power_is_called_after_its_weakest_figure() -> None:
    phone = parse_profile("phone", GOOD)
    kinds = [power.kind for n in (2, 3) if (power := phone.active_mw(n)) is not None]
    assert kinds == [PowerKind.MEASURED, PowerKind.POWER_PROFILE]


def test_power_is_unknown_where_that_of_any_core_is() -> None:
    phone = parse_profile("phone", GOOD)
    first, second = phone.clusters
    silent = dataclasses.replace(phone, clusters=(first, dataclasses.replace(second, power=None)))
    assert silent.active_mw(1) is None


def test_a_calibration_is_found_by_runtime_and_arithmetic_only() -> None:
    profile = parse_profile("phone", GOOD)
    assert profile.calibration(Format.LITERT, Arithmetic.INT8) is not None
    assert profile.calibration(Format.LITERT, Arithmetic.FLOAT32) is None
    assert profile.calibration(Format.ONNX, Arithmetic.INT8) is None

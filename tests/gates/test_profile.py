"""Profiles: every shipped one parses, and every figure in it cites its source."""

import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

import pytest

from weighin.gates.cost import Arithmetic
from weighin.gates.devices.networks import terms_of
from weighin.gates.errors import ConfigError
from weighin.gates.profile import HOST, load_profile, parse_profile, profile_names
from weighin.gates.variant import Format

PHONES = tuple(name for name in profile_names() if name != HOST)

GOOD = """
title = "Phone"
tier = "mid"
year = 2020
soc = "SoC"
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
scale = 0.1

[[calibrations.published]]
source = "somebody"

[calibrations.published.mean_ms]
"mobilenet_v1_1.0_224" = 10.0
"""


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
def test_every_phone_has_measured_power_and_a_battery(name: str) -> None:
    profile = load_profile(name)
    assert profile.battery is not None
    assert profile.memory is not None
    assert profile.active_mw(1) is not None
    assert [c.max_ghz for c in profile.clusters] == sorted(
        (c.max_ghz for c in profile.clusters), reverse=True
    )


@pytest.mark.parametrize("name", PHONES)
def test_every_anchor_is_a_network_whose_layout_is_known(name: str) -> None:
    for calibration in load_profile(name).calibrations:
        assert calibration.kernels in {"before_xnnpack", "xnnpack"}
        assert all(terms_of(a.model, 4) is not None for a in calibration.anchors)


def test_an_unknown_name_is_refused_with_what_was_meant_and_what_is_allowed() -> None:
    with pytest.raises(ConfigError, match="did you mean pixel-4") as caught:
        load_profile("pixel4")
    assert ", ".join(profile_names()) in str(caught.value)


def test_a_name_that_climbs_out_of_the_folder_is_refused() -> None:
    with pytest.raises(ConfigError, match="no device profile"):
        load_profile("../../pyproject")


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('title = "Phone"', "", "'title' is missing"),
        ('title = "Phone"', "title = 3", "title must be text"),
        ("mah = 3000", "mah = -1", "mah must be a positive number"),
        ("mah = 3000", "mah = nan", "mah must be a positive number"),
        ("threads = 2", "", "'threads' is missing"),
        ('arithmetic = "int8"', 'arithmetic = "int5"', "int5"),
        ('runtime = "litert"', 'runtime = "tflite"', "tflite"),
        ('source = "somebody"', 'source = ""', "source must be text"),
        ('"mobilenet_v1_1.0_224" = 10.0', '"mobilenet_v1_1.0_224" = 0', "mean_ms must be"),
        ("[battery]", "[battery", "phone"),
    ],
    ids=lambda value: value[:24],
)
def test_a_broken_profile_is_one_clear_line(before: str, after: str, complaint: str) -> None:
    assert before in GOOD
    with pytest.raises(ConfigError, match="profile phone") as caught:
        parse_profile("phone", GOOD.replace(before, after, 1))
    assert complaint in str(caught.value)


def test_a_full_battery_holds_its_charge_times_its_voltage() -> None:
    profile = parse_profile("phone", GOOD)
    assert profile.battery is not None
    assert profile.battery.joules == pytest.approx(3.0 * 3600 * 3.85)


def test_power_is_of_the_most_powerful_cores_and_unknown_where_any_is() -> None:
    pixel = load_profile("pixel-4")
    assert pixel.active_mw(1) == pytest.approx(1077.2)
    assert pixel.active_mw(4) == pytest.approx(1077.2 + 3 * 841.7)
    assert pixel.active_mw(9) is None
    assert parse_profile("phone", GOOD).active_mw(1) is None


def test_a_calibration_is_found_by_runtime_and_arithmetic_only() -> None:
    profile = parse_profile("phone", GOOD)
    assert profile.calibration(Format.LITERT, Arithmetic.INT8) is not None
    assert profile.calibration(Format.LITERT, Arithmetic.FLOAT32) is None
    assert profile.calibration(Format.ONNX, Arithmetic.INT8) is None

# ruff: noqa: E501 - a table reads better in one line per row
"""Devices and classes of devices in weighin.toml."""

import tomllib
from pathlib import Path

import pytest

from weighin.gates.errors import ConfigError
from weighin.gates.metric import Budget, Metric, Origin
from weighin.gates.profile import load_profile, profile_names, render_profile
from weighin.plugin.config import Config
from weighin.plugin.config_file import load_config, parse_config

MODEL = """
[models.digits]
evaluation = "e.npz"
calibration = "c.npz"
recipes = ["int8"]
devices = [%s]
"""


def parse(text: str, own: Path | None = None) -> Config:
    return parse_config(tomllib.loads(text), own=own)


def devices(text: str) -> tuple[str, ...]:
    return parse(MODEL % text).models["digits"].devices


def test_a_class_stands_for_every_phone_in_it() -> None:
    low = devices('"tier:low"')
    assert len(low) >= 5
    assert {load_profile(name).tier for name in low} == {"low"}
    assert "host" not in devices('"year>=2000"')
    assert set(devices('"year>=2000"')) | {"host"} == set(profile_names())


def test_devices_keep_their_order_and_come_once() -> None:
    found = devices('"host", "pixel-4", "soc:sm8150", "os:ios"')
    assert found == ("host", "pixel-4", "mi-9", "zenfone-6", "iphone-5s", "iphone-xs")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(MODEL % '"tier:lwo"', "models.digits.devices: class 'tier:lwo': unknown tier 'lwo' (did you mean 'low'?)", id="slip"),
        pytest.param(MODEL % '"soc:sm8151"', "models.digits.devices: class 'soc:sm8151' matches no profile (did you mean 'sm8150'?)", id="no-such-chip"),
        pytest.param(MODEL % '"android>=99"', "models.digits.devices: class 'android>=99' matches no profile", id="future"),
        pytest.param('[budgets."teir:low"]\nsize_mib = 1', "budgets.teir:low: class 'teir:low': unknown fact 'teir'", id="budget-of-no-class"),
        pytest.param('[budgets."year>=2090"]\nsize_mib = 1', "budgets.year>=2090: class 'year>=2090' matches no profile", id="budget-of-nobody"),
        pytest.param(MODEL % '"pixel4"', "unknown name 'pixel4' (did you mean 'pixel-4'?); allowed: a name from `weighin device list`, or a class such as tier:low", id="no-class"),
    ],
)  # fmt: skip
def test_a_class_that_nobody_is_in_is_one_clear_line(text: str, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def budgets(text: str, device: str) -> dict[Metric, Budget]:
    found = parse(text + MODEL % '"host", "tier:low", "pixel-4"').budgets_for("digits", device)
    return {budget.metric: budget for budget in found}


def test_a_budget_of_a_class_holds_for_its_members_only() -> None:
    text = '[budgets.default]\nsize_mib = 9\n[budgets."tier:low"]\nsize_mib = 2\n'
    assert budgets(text, "redmi-5a")[Metric.SIZE_MIB].at_most == 2
    assert budgets(text, "pixel-4")[Metric.SIZE_MIB].at_most == 9
    assert budgets(text, "host")[Metric.SIZE_MIB].at_most == 9


@pytest.mark.parametrize("turned", [False, True], ids=["as written", "turned round"])
def test_of_several_classes_the_strictest_bound_of_each_metric_holds(turned: bool) -> None:
    tables = [
        '[budgets."tier:low"]\nlatency_p90_ms = { at_most = 80, least_origin = "device" }\n'
        "size_mib = 4\nslice_drop_points = { at_most = 1, least_rows = 10 }\n"
        "latency_vs_release_percent = { at_most = 10, floor = 3 }\n",
        '[budgets."ram<4096"]\nlatency_p90_ms = 50\nenergy_mj = 7\n'
        "slice_drop_points = 2\nlatency_vs_release_percent = { at_most = 20, floor = 2 }\n",
    ]
    found = budgets("".join(reversed(tables) if turned else tables), "redmi-5a")
    assert found[Metric.LATENCY_P90_MS] == Budget(
        metric=Metric.LATENCY_P90_MS, at_most=50, least_origin=Origin.DEVICE
    )
    assert found[Metric.SIZE_MIB].at_most == 4
    assert found[Metric.ENERGY_MJ].at_most == 7
    assert (found[Metric.SLICE_DROP_POINTS].at_most, found[Metric.SLICE_DROP_POINTS].least_rows) == (1, 50)  # fmt: skip
    grows = found[Metric.LATENCY_VS_RELEASE_PERCENT]
    assert (grows.at_most, grows.floor) == (10, 2)


def test_a_table_that_names_the_device_wins_over_classes_even_if_it_is_laxer() -> None:
    text = '[budgets.redmi-5a]\nsize_mib = 6\n[budgets."tier:low"]\nsize_mib = 2\nenergy_mj = 5\n'
    found = budgets(text, "redmi-5a")
    assert found[Metric.SIZE_MIB].at_most == 6
    assert found[Metric.ENERGY_MJ].at_most == 5


def test_what_a_model_says_of_a_class_wins_over_what_all_models_are_told() -> None:
    text = '[budgets.default]\nsize_mib = 1\n[budgets."tier:low"]\nsize_mib = 2\n'
    own = '[models.digits.budgets."tier:low"]\nsize_mib = 3\n'
    config = parse(text + MODEL % '"tier:low"' + own)
    assert config.budgets_for("digits", "redmi-5a") == (
        Budget(metric=Metric.SIZE_MIB, at_most=3),
    )  # fmt: skip


def own_phone(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    text = render_profile(load_profile("redmi-5a")).replace('"Redmi 5A"', '"Our phone"')
    (folder / f"{name}.toml").write_text(text, encoding="utf-8")


def test_phones_of_ones_own_are_known_and_are_in_classes(tmp_path: Path) -> None:
    own_phone(tmp_path / "devices", "our-phone")
    (tmp_path / "weighin.toml").write_text(MODEL % '"our-phone", "soc:msm8917"', encoding="utf-8")
    config = load_config(tmp_path / "weighin.toml")
    assert config.models["digits"].devices == ("our-phone", "redmi-5a")


def test_a_broken_profile_of_ones_own_is_named_where_it_is_used(tmp_path: Path) -> None:
    own_phone(tmp_path, "our-phone")
    text = (tmp_path / "our-phone.toml").read_text(encoding="utf-8")
    (tmp_path / "our-phone.toml").write_text(text.replace("ram_mib", "ram"), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"models.digits.devices: .*our-phone.toml.*memory.ram"):
        parse(MODEL % '"our-phone"', own=tmp_path)
    with pytest.raises(ConfigError, match=r"our-phone.toml.*memory.ram"):
        parse(MODEL % '"tier:low"', own=tmp_path)
    assert parse(MODEL % '"pixel-4"', own=tmp_path).models["digits"].devices == ("pixel-4",)

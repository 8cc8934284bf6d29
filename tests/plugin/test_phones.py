"""Predictions for phones of one's own, and what of them decides a plan."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

from weighin.gates.digest import sha256_of
from weighin.gates.errors import ConfigError
from weighin.gates.measurement import Unreadable
from weighin.gates.profile import load_profile, render_profile
from weighin.gates.variant import Format
from weighin.plugin.doctor import examine
from weighin.plugin.phones import PREDICTED, Phones
from weighin.plugin.plan import Plan
from weighin.plugin.planning import plan_for
from weighin.plugin.project import open_project
from weighin.plugin.promote_policy import policy_of
from weighin.plugin.worklist import Done
from weighin.registry.promotion import fleet_objection

NOW = datetime(2026, 11, 26, tzinfo=UTC)


def own_phone(root: Path, name: str, title: str = "Our phone") -> None:
    (root / "devices").mkdir(exist_ok=True)
    text = render_profile(load_profile("redmi-5a")).replace('"Redmi 5A"', f'"{title}"')
    (root / "devices" / f"{name}.toml").write_text(text, encoding="utf-8")


def test_a_file_is_read_once_however_many_phones_ask(tmp_path: Path, tiny_tflite: Path) -> None:
    own_phone(tmp_path, "our-phone")
    file = tmp_path / "model.tflite"
    shutil.copy(tiny_tflite, file)
    phones, sha256 = Phones(tmp_path / "devices", None, NOW), sha256_of(tiny_tflite)
    first = phones.known(file, Format.LITERT, sha256, "our-phone")
    file.unlink()
    assert phones.known(file, Format.LITERT, sha256, "our-phone") == first
    other = phones.known(file, Format.LITERT, sha256, "redmi-5a")
    assert {reading.metric for reading in other} == set(PREDICTED)
    assert not any("No such file" in r.reason for r in other if isinstance(r, Unreadable))
    assert any("Our phone" in r.reason for r in first if isinstance(r, Unreadable))


def test_a_file_that_cannot_be_read_has_no_number_and_says_why(tmp_path: Path) -> None:
    found = Phones(tmp_path, None, NOW).known(
        tmp_path / "gone.tflite", Format.LITERT, "ab", "pixel-4"
    )
    assert {reading.metric for reading in found} == set(PREDICTED)
    assert all(isinstance(r, Unreadable) and "gone.tflite" in r.reason for r in found)


def test_a_phone_that_there_is_not_is_an_error(tmp_path: Path, tiny_tflite: Path) -> None:
    phones = Phones(tmp_path, None, NOW)
    with pytest.raises(ConfigError, match="no device profile 'our-phone'"):
        phones.known(tiny_tflite, Format.LITERT, "ab", "our-phone")


def plan(root: Path, devices: str, more: str = "") -> Plan:
    (root / "weighin.toml").write_text(
        f'{more}[models.m]\nevaluation = "e.npz"\ncalibration = "e.npz"\nrecipes = ["int8"]\n'
        f"devices = [{devices}]\n",
        encoding="utf-8",
    )
    return plan_for(open_project(root), "m")


def test_a_profile_of_ones_own_decides_the_plan_of_who_names_it(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=np.zeros((2, 1)), y=np.zeros(2, dtype=np.int64))
    own_phone(tmp_path, "our-phone")
    own, shipped = plan(tmp_path, '"our-phone"'), plan(tmp_path, '"redmi-5a"')
    assert "devices/our-phone.toml" in {data.path for data in own.data}
    assert not any("devices" in data.path for data in shipped.data)
    own_phone(tmp_path, "our-phone", title="Another phone")
    assert plan(tmp_path, '"our-phone"').digest != own.digest
    assert plan(tmp_path, '"redmi-5a"').digest == shipped.digest


def test_a_new_phone_in_a_class_changes_the_plan(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=np.zeros((2, 1)), y=np.zeros(2, dtype=np.int64))
    before = plan(tmp_path, '"soc:msm8917"')
    own_phone(tmp_path, "our-phone")
    after = plan(tmp_path, '"soc:msm8917"')
    assert (before.devices, after.devices) == (("redmi-5a",), ("our-phone", "redmi-5a"))
    assert after.digest != before.digest


FLEET = 'source = "Play Console"\nas_of = 2026-11-01\n[percent]\n"soc:msm8917" = 60\n'


def test_who_the_users_are_decides_the_plan(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=np.zeros((2, 1)), y=np.zeros(2, dtype=np.int64))
    (tmp_path / "fleet.toml").write_text(FLEET, encoding="utf-8")
    named = '[fleet]\nfile = "fleet.toml"\n'
    without, told = plan(tmp_path, '"host"'), plan(tmp_path, '"host"', named)
    asked = plan(tmp_path, '"host"', f"{named}at_least_percent = 60\n")
    (tmp_path / "fleet.toml").write_text(FLEET.replace("60", "50"), encoding="utf-8")
    fewer = plan(tmp_path, '"host"', named)
    assert len({one.digest for one in (without, told, asked, fewer)}) == 4
    assert without.fleet is None
    assert asked.fleet is not None
    assert asked.fleet.at_least_percent == 60
    assert [data.path for data in told.data if data.role == "fleet"] == ["fleet.toml"]
    own_phone(tmp_path, "our-phone")
    assert plan(tmp_path, '"host"', named).digest != fewer.digest


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "weighin.toml: fleet.file: cannot be read", id="missing"),
        pytest.param("[percent]", "fleet.toml: percent must name at least one", id="of nobody"),
        pytest.param(FLEET.replace("60", "160"), "allowed: 1e-06 to 100", id="too many"),
    ],
)
def test_a_fleet_file_that_is_none_is_an_error_before_anything_is_built(
    tmp_path: Path, content: str | None, said: str
) -> None:
    np.savez(tmp_path / "e.npz", x=np.zeros((2, 1)), y=np.zeros(2, dtype=np.int64))
    if content is not None:
        (tmp_path / "fleet.toml").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        plan(tmp_path, '"host"', '[fleet]\nfile = "fleet.toml"\n')
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("content", "ok", "said"),
    [
        pytest.param(FLEET, True, "60 % of users by phone or class, as of 2026-11-01", id="good"),
        pytest.param("", False, "fleet.toml: key 'percent' is missing", id="empty"),
    ],
)
def test_the_doctor_reads_the_fleet(tmp_path: Path, content: str, ok: bool, said: str) -> None:
    named = '[fleet]\nfile = "fleet.toml"\n'
    (tmp_path / "weighin.toml").write_text(named, encoding="utf-8")
    (tmp_path / "fleet.toml").write_text(content, encoding="utf-8")
    [found] = [finding for finding in examine(tmp_path) if finding.what == "fleet"]
    assert (found.ok, found.detail) == (ok, said)


def test_promotion_is_held_against_the_fleet_of_todays_plan(tmp_path: Path) -> None:
    np.savez(tmp_path / "e.npz", x=np.zeros((2, 1)), y=np.zeros(2, dtype=np.int64))
    (tmp_path / "fleet.toml").write_text(FLEET, encoding="utf-8")
    named = '[fleet]\nfile = "fleet.toml"\nat_least_percent = 60\n'
    today = plan(tmp_path, '"host"', named)
    policy = policy_of(open_project(tmp_path), today, (), None, NOW)
    assert policy.fleet is not None
    assert policy.fleet == today.fleet
    assert fleet_objection((), policy) is not None


def test_what_passed_for_too_few_users_is_no_success_of_a_sync() -> None:
    held = Done(reference="m/1", passed=("int8.tflite",), held="40 % of users are served")
    assert held.exit_code == 3
    assert held.summary == "passed: int8.tflite; may not ship: 40 % of users are served"
    assert Done(reference="m/1", passed=("int8.tflite",)).exit_code == 0

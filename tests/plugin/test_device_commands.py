"""weighin device list, show and diff: what a person at a terminal sees."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from weighin.gates.profile import all_profiles, load_profile, profile_names, render_profile
from weighin.plugin.cli import main
from weighin.plugin.device_words import WIDTH, differences, side_by_side, table

NAMES = st.sampled_from(profile_names())


@pytest.fixture(autouse=True)
def _empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def out(capsys: pytest.CaptureFixture[str], *words: str) -> str:
    assert main(["device", *words]) == 0
    return capsys.readouterr().out


def document(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    return json.loads(out(capsys, *words, "--json"))


def own_phone(folder: Path, name: str) -> None:
    (folder / "weighin.toml").write_text("", encoding="utf-8")
    (folder / "devices").mkdir(exist_ok=True)
    text = render_profile(load_profile("mi-11")).replace('"Mi 11"', '"Our phone"')
    (folder / "devices" / f"{name}.toml").write_text(text, encoding="utf-8")


def test_every_device_is_one_line_that_fits_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    lines = out(capsys, "list").splitlines()
    assert [line.split()[0] for line in lines[1:]] == list(profile_names())
    assert max(len(line) for line in lines) <= WIDTH


def test_a_long_title_is_cut_and_a_long_name_is_not(tmp_path: Path) -> None:
    own_phone(tmp_path, "a-very-long-name-for-a-phone")
    lines = list(table(all_profiles(tmp_path / "devices")))
    assert any(line.startswith("a-very-long-name-for-a-phone ") for line in lines)
    assert any("…" in line for line in lines)
    assert max(len(line) for line in lines) <= WIDTH


def test_a_list_of_a_class_counts_who_is_in_it_and_who_does_not_say(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = out(capsys, "list", "android>=13", "soc:sm8350")
    assert text.splitlines()[-1].startswith("0 in android>=13, soc:sm8350; 1 more skipped")
    assert text.splitlines()[-1].endswith("whose profile does not say: mi-11")
    assert out(capsys, "list", "soc:sm8150").splitlines()[-1] == "3 in soc:sm8150"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["list", "tier:lwo"], "did you mean 'low'?", id="slip"),
        pytest.param(["list", "soc:sm9999"], "matches no profile", id="nobody"),
        pytest.param(["list", "pixel-4"], "'pixel-4' is no class of devices", id="a name"),
        pytest.param(["diff", "pixel-4", "pixle-5"], "did you mean pixel-5", id="unknown"),
    ],
)
def test_what_there_is_not_is_one_message(
    words: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["device", *words]) == 2
    assert said in capsys.readouterr().err


def test_phones_of_ones_own_are_listed_and_said_to_hide_shipped_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    own_phone(tmp_path, "our-phone")
    own_phone(tmp_path, "pixel-4")
    text = out(capsys, "list")
    assert f"your own, in {tmp_path / 'devices'}: our-phone, pixel-4" in text
    assert "your own pixel-4 hides the one that weighin ships" in text
    assert "our-phone hides" not in text
    assert out(capsys, "show", "pixel-4").startswith("pixel-4: Our phone")
    own = {row["name"]: row["own"] for row in document(capsys, "list")}
    assert (own["our-phone"], own["pixel-4"], own["pixel-3"]) == (True, True, False)


def test_one_device_is_shown_with_the_source_of_every_figure(
    capsys: pytest.CaptureFixture[str],
) -> None:
    text = out(capsys, "show", "galaxy-s21-exynos")
    assert "3454 mW at 2.91 GHz a busy core, vendor's table" in text
    assert "note: 897 mA at the highest clock times 3.85 V" in text
    assert text.count("source:") == 1 + 3 * 2 + 1 + 1
    shown = document(capsys, "show", "pixel-4")
    assert shown["clusters"][0]["power"]["kind"] == "measured"


def test_two_devices_differ_in_what_they_do_not_have_in_common(
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = document(capsys, "diff", "mi-9", "zenfone-6")
    assert found["devices"] == ["mi-9", "zenfone-6"]
    assert [row["fact"] for row in found["differences"]] == ["device", "battery"]
    text = out(capsys, "diff", "mi-9", "zenfone-6")
    assert "3300 mAh" in text
    assert "5000 mAh" in text
    assert out(capsys, "diff", "mi-9", "mi-9") == "mi-9 and mi-9 say the same\n"


@given(NAMES, NAMES)
def test_a_comparison_turned_round_says_the_same_the_other_way(one: str, other: str) -> None:
    a, b = load_profile(one), load_profile(other)
    assert {(f, y, x) for f, x, y in differences(a, b)} == set(differences(b, a))
    assert (differences(a, b) == ()) is (a == b)
    assert all(len(line) <= WIDTH for line in side_by_side(a, b))

"""fleet.toml: what works, and one clear line per mistake."""

from datetime import date
from pathlib import Path

import pytest

from weighin.gates.errors import ConfigError
from weighin.gates.fleet import Fleet
from weighin.gates.fleet_file import parse_fleet
from weighin.gates.profile import all_profiles

PROFILES = all_profiles()
GOOD = """
source = "Play Console"
as_of = 2026-11-01

[percent]
"pixel-4" = 12.5
"redmi-5a" = 2
"tier:low" = 30
"""


def parse(text: str) -> Fleet:
    return parse_fleet("fleet.toml", text, PROFILES, 90)


def test_a_fleet_names_devices_and_classes() -> None:
    fleet = parse(GOOD)
    assert [(part.name, part.percent) for part in fleet.parts] == [
        ("pixel-4", 12.5),
        ("redmi-5a", 2),
        ("tier:low", 30),
    ]
    assert (fleet.source, fleet.as_of) == ("Play Console", date(2026, 11, 1))
    assert (fleet.at_least_percent, fleet.other_percent) == (90, 55.5)


def test_a_class_leaves_out_who_is_named_by_itself() -> None:
    by_name = {part.name: part.devices for part in parse(GOOD).parts}
    assert by_name["redmi-5a"] == ("redmi-5a",)
    assert "redmi-5a" not in by_name["tier:low"]
    assert "redmi-8" in by_name["tier:low"]


@pytest.mark.parametrize(
    ("before", "after", "complaint"),
    [
        ('source = "Play Console"', "", "key 'source' is missing"),
        ('source = "Play Console"', 'source = " "', "source must be text"),
        ("as_of = 2026-11-01", "", "key 'as_of' is missing"),
        ("as_of = 2026-11-01", 'as_of = "2026-11-01"', "as_of must be a day"),
        ("as_of = 2026-11-01", "as_of = 2026-11-01T00:00:00", "as_of must be a day"),
        ("[percent]", "[share]", "unknown key share; allowed: source, as_of, percent"),
        ('"pixel-4" = 12.5', '"pixle-4" = 12.5', "unknown device 'pixle-4' (did you mean 'pixel-4"),
        ('"tier:low" = 30', '"tier:lwo" = 30', "unknown tier 'lwo' (did you mean 'low'?)"),
        ('"tier:low" = 30', '"soc:none" = 30', "class 'soc:none' matches no profile"),
        ('"tier:low" = 30', '"soc:msm8917" = 30', "everybody in 'soc:msm8917' has a share"),
        ("= 30", "= 90", "the shares sum to 104.5; at most 100 is allowed"),
        ("= 30", "= -3", "percent.tier:low must be a positive number"),
        ("= 30", "= 0", "percent.tier:low must be a positive number"),
        ("= 30", "= nan", "percent.tier:low must be a positive number"),
        ("= 30", '= "30 %"', "percent.tier:low must be a number"),
        ("= 30", '= 30\n"year<2018" = 3', "is in both 'tier:low' and 'year<2018'"),
        ("[percent]", "[percent", "fleet.toml: "),
    ],
    ids=lambda value: value[:30],
)
def test_a_broken_fleet_is_one_clear_line(before: str, after: str, complaint: str) -> None:
    assert before in GOOD
    with pytest.raises(ConfigError, match=r"^fleet\.toml: ") as caught:
        parse(GOOD.replace(before, after, 1))
    assert complaint in str(caught.value)


def test_a_fleet_of_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="at least one device or class"):
        parse('source = "x"\nas_of = 2026-11-01\n[percent]\n')


def test_the_example_of_the_documentation_is_a_fleet() -> None:
    text = (Path(__file__).parents[2] / "docs" / "fleet.md").read_text(encoding="utf-8")
    example = next(b for b in text.split("```toml\n")[1:] if "[percent]" in b).split("```")[0]
    assert parse(example).other_percent == 12

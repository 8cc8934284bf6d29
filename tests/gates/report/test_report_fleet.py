"""Shares of users in every rendering, and what a budget on them does to the verdict."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date

import pytest

from weighin.gates.fleet import Fleet, FleetPart
from weighin.gates.judge import Outcome
from weighin.gates.report import summary
from weighin.gates.report.document import from_document, to_document
from weighin.gates.report.fleet_words import fleet_lines, fleet_report
from weighin.gates.report.html import to_html
from weighin.gates.report.markdown import summary_table, to_markdown
from weighin.gates.report.terminal import to_text
from weighin.gates.weigh_in import WeighIn

Sample = Callable[[str], WeighIn]

EVIL = '<b>x</b>|`"\x1b[31m'
PARTS = (
    FleetPart(name="host", percent=20, devices=("host",)),
    FleetPart(name="year>=2019", percent=42.5, devices=("pixel-3a", "pixel-8-pro", "pixel-9")),
    FleetPart(name="galaxy-a51", percent=12.5, devices=("galaxy-a51",)),
    FleetPart(name="mi-9", percent=5, devices=("mi-9",)),
)


def with_fleet(weigh_in: WeighIn, at_least_percent: float | None = None) -> WeighIn:
    fleet = Fleet(
        parts=PARTS,
        source="Play Console",
        as_of=date(2026, 11, 1),
        at_least_percent=at_least_percent,
    )
    return replace(weigh_in, fleet=fleet)


@pytest.fixture
def mixed(sample: Sample) -> WeighIn:
    """Something passes on every device but galaxy-a51."""
    return with_fleet(sample("mixed"), 60)


def test_enough_users_are_a_pass_in_words(mixed: WeighIn) -> None:
    assert mixed.fleet_outcome is Outcome.PASS
    assert summary.exit_code(mixed) == 0
    assert "may ship on 3 of 4 devices: 62.5 % of users are served" in summary.sentence(mixed)
    assert "at least 60 % must be" in summary.sentence(mixed)


def test_too_few_users_take_the_pass_back(mixed: WeighIn) -> None:
    few = with_fleet(mixed, 90)  # 12.5 % are open, and would not be enough
    assert few.fleet_outcome is Outcome.FAIL
    assert summary.overall_outcome(few) is Outcome.FAIL
    assert summary.exit_code(few) == summary.NOTHING_PASSED
    held = "62.5 % of users are served and 12.5 % undecided, at least 90 % must be"
    assert f"may not ship: {held}." in summary.sentence(few)
    assert summary.held_back(few) == held
    assert summary.held_back(mixed) is None


def test_what_is_open_leaves_the_budget_undecided(mixed: WeighIn) -> None:
    without = tuple(
        replace(r, verdicts=tuple(v for v in r.verdicts if v.subject.device != "pixel-3a"))
        for r in mixed.results
    )
    unsure = replace(mixed, results=without)
    assert unsure.fleet_outcome is Outcome.UNDECIDED
    assert summary.overall_outcome(unsure) is Outcome.UNDECIDED
    assert not unsure.may_ship
    assert "20 % of users are served and 55 % undecided" in summary.sentence(unsure)


def test_without_a_budget_the_share_is_only_told(sample: Sample) -> None:
    told = with_fleet(sample("mixed"))
    assert told.fleet_outcome is None
    assert summary.exit_code(told) == 0
    assert "62.5 % of users are served and 12.5 % undecided. " in summary.sentence(told)


def test_a_weigh_in_where_nothing_passed_serves_nobody(sample: Sample) -> None:
    nobody = with_fleet(sample("none-passed"), 10)
    assert not nobody.may_ship
    assert summary.held_back(nobody) is None
    report = fleet_report(nobody)
    assert report is not None
    assert report.served.passed == 0


def test_every_rendering_says_who_is_served_and_who_is_not(mixed: WeighIn) -> None:
    for text in (to_text(mixed, width=160), to_markdown(mixed), to_html(mixed)):
        assert "62.5 % of users are served" in text
        assert "12.5 % of users: " in text
        assert "5 % of users: not weighed for, so not covered" in text
        assert "20 % of users: not covered" in text
        assert "Play Console, as of 2026-11-01" in text
    for text in (to_markdown(mixed), to_html(mixed)):
        assert "42.5 % of users: served (2 of its 3 phones weighed for)" in text
    assert "62.5 % of users are served" in summary_table(mixed)


def test_the_lines_fit_the_narrowest_terminal(mixed: WeighIn) -> None:
    assert max(len(line) for line in to_text(mixed, width=60).splitlines()) <= 60


def test_the_files_are_told_the_widest_first_and_only_some(mixed: WeighIn) -> None:
    lines = dict(fleet_lines(mixed))
    assert lines["others"] == "9 files that reach no more users"
    report = fleet_report(mixed)
    assert report is not None
    reached = [share.passed for _, share in report.by_variant]
    assert reached == sorted(reached, reverse=True)
    assert reached[0] <= report.served.passed


def test_without_a_fleet_nothing_is_said_of_users(sample: Sample) -> None:
    weigh_in = sample("mixed")
    assert list(fleet_lines(weigh_in)) == []
    assert to_document(weigh_in)["fleet"] is None
    assert all("of users" not in render(weigh_in) for render in (to_text, to_markdown, to_html))


def test_a_report_with_a_fleet_is_read_back_and_summed_again(mixed: WeighIn) -> None:
    document = json.loads(json.dumps(to_document(mixed)))
    assert document["fleet"]["served"] == {
        "passed": 62.5,
        "undecided": 12.5,
        "failed": 0.0,
        "not_covered": 25.0,
    }
    document["fleet"]["served"]["passed"] = 100.0
    document["fleet"]["outcome"] = "FAIL"
    assert from_document(document) == mixed


def test_names_of_a_fleet_cannot_become_markup(mixed: WeighIn) -> None:
    part = FleetPart(name=EVIL, percent=1, devices=("host",))
    fleet = Fleet(parts=(part,), source=EVIL, as_of=date(2026, 1, 1))
    evil = replace(mixed, fleet=fleet)
    assert "<b>" not in to_html(evil)
    assert "\x1b" not in to_text(evil) + to_markdown(evil) + to_html(evil)

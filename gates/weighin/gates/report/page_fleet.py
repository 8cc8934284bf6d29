"""The users on the HTML page: which share is served, by which file, and who is not."""

from weighin.gates.report.fleet_words import (
    OTHER,
    FleetReport,
    fleet_report,
    other_words,
    part_words,
    served_words,
    share_words,
    source_words,
)
from weighin.gates.report.markup import Html, join, tag
from weighin.gates.report.page_parts import NOTHING, badge, folded, label, row, section, table
from weighin.gates.weigh_in import WeighIn


def users(weigh_in: WeighIn) -> Html:
    """The section; nothing if nobody said who the users are."""
    told = fleet_report(weigh_in)
    if told is None:
        return NOTHING
    sign = NOTHING if told.outcome is None else join(badge(told.outcome), " ")
    words = tag("p", sign, f"{served_words(told)}.")
    counted = tag("p", f"Counted by {source_words(told.fleet)}.", class_="note")
    return section("users", "What the users get", words, _parts(told), counted, _by_file(told))


def _parts(told: FleetReport) -> Html:
    rows = [row(part.name, [part_words(part, fate, n)]) for part, fate, n in told.parts]
    if told.fleet.other_percent:
        rows.append(row(OTHER, [other_words(told.fleet)]))
    return table("Users by phone", ["phone or class", "share"], rows, "reasons")


def _by_file(told: FleetReport) -> Html:
    rows = (row(label(name), [share_words(alone)]) for name, alone in told.by_variant)
    inner = table("Users served by one file alone", ["variant", "users served"], rows, "reasons")
    return folded("By one file alone", inner) if told.by_variant else NOTHING

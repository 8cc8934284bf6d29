"""The data on the HTML page: what held on each set, near duplicates, and drift."""

from weighin.gates.report.data_words import FLAG, data_lines
from weighin.gates.report.markup import Html, tag
from weighin.gates.report.page_parts import NOTHING, facts, section
from weighin.gates.weigh_in import WeighIn


def data(weigh_in: WeighIn) -> Html:
    """The section; nothing if the weigh-in knows nothing of its data."""
    if weigh_in.data_report is None:
        return NOTHING
    lines = data_lines(weigh_in.data_report)
    shown = [(tag("strong", name) if name.startswith(FLAG) else name, text) for name, text in lines]
    return section("data", "The data", facts(shown))

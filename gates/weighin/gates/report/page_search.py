"""The search on the HTML page: how far it came, and every file that it tried."""

from weighin.gates.report.markup import Html
from weighin.gates.report.page_parts import NOTHING, facts, folded, row, section, table
from weighin.gates.report.search_words import search_lines, trial_lines
from weighin.gates.weigh_in import WeighIn


def searched(weigh_in: WeighIn) -> Html:
    """The section; nothing without a search."""
    if weigh_in.search is None:
        return NOTHING
    rows = (row(trial.label, [why, fate]) for trial, why, fate in trial_lines(weigh_in.search))
    tried = table("Tried on tuning data", ["variant", "why", "what became of it"], rows, "reasons")
    return section(
        "search", "What was searched", facts(search_lines(weigh_in)), folded("All tried", tried)
    )

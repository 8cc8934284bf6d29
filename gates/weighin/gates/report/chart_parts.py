"""What all pictures share: colours, axes, budgets as lines, intervals as bars.

Colours are the light theme's; the page's style sheet replaces them by value in the dark, and
sets type and line widths by the names of the layers.
"""

from weighin.gates.judge import Outcome
from weighin.gates.report.axis import Axis
from weighin.gates.report.draw import Spec

COLOURS = {Outcome.PASS: "#0b7a4b", Outcome.FAIL: "#c2352b", Outcome.UNDECIDED: "#8a6100"}
SHAPES = {Outcome.PASS: "circle", Outcome.FAIL: "cross", Outcome.UNDECIDED: "diamond"}
INK, QUIET, GRID, ALLOWED, PAPER = "#1d2430", "#5b6472", "#dfe3e8", "#e3f3ea", "#fefefe"

SILENT: Spec = {"aria": False}
"""For every mark that is not a variant: it has no key."""


def channel(title: str | None, axis: Axis, ticks: int = 5) -> Spec:
    """A position on an axis of ours.

    Args:
        title: Beside the axis; ``None`` for none.
        axis: Where values land.
        ticks: About how many, where the axis does not say itself.
    """
    scale: Spec = {"domain": [axis.low, axis.high], "type": axis.kind, "nice": False, "zero": False}
    if axis.kind == "symlog":
        scale["constant"] = axis.constant
    shown: Spec = {"title": title, "format": ".6~g", "tickCount": ticks}
    if axis.ticks:
        shown["values"] = list(axis.ticks)
    return {"type": "quantitative", "scale": scale, "axis": shown}


def budget_line(across: str, limit: float, name: str = "budget") -> Spec:
    """A broken line at a budget, through the whole picture.

    Args:
        across: The channel that the budget bounds, ``x`` or ``y``.
        limit: The budget.
        name: The layer's; of several in one picture each needs its own.
    """
    other = "y" if across == "x" else "x"
    return {
        "name": name,
        "data": {"values": [{}]},
        "mark": {"type": "rule", "color": COLOURS[Outcome.PASS], "strokeDash": [5, 4], **SILENT},
        "encoding": {across: {"datum": limit}, other: None},
    }


def interval_layer(fields: dict[str, str], name: str) -> Spec:
    """A bar from one end of each interval to the other."""
    return {
        "name": name,
        "mark": {"type": "rule", **SILENT},
        "encoding": {
            **{channel: {"field": field} for channel, field in fields.items()},
            "color": outcome_scale(COLOURS),
        },
    }


def outcome_scale(values: dict[Outcome, str]) -> Spec:
    """Colours or shapes by outcome."""
    names = [outcome.value for outcome in values]
    return {
        "field": "outcome",
        "type": "nominal",
        "scale": {"domain": names, "range": list(values.values())},
        "legend": None,
    }


def config() -> Spec:
    """How axes and frames look."""
    return {
        "aria": True,
        "font": "sans-serif",
        "view": {"stroke": GRID},
        "axis": {
            "aria": False,
            "labelColor": QUIET,
            "titleColor": QUIET,
            "titleFontWeight": 500,
            "titleFontSize": 11,
            "labelFontSize": 11,
            "gridColor": GRID,
            "domainColor": GRID,
            "tickColor": GRID,
            "titlePadding": 8,
        },
    }

"""What running costs on one device: latency, memory and energy of every variant, side by side.

Bars start at zero and carry their interval; a broken line is the budget. Where the single runs
of a latency are known, a picture of its own shows how they are spread: the box holds the middle
half, the line goes from the 5th to the 99th percentile, ticks stand at the median, the 90th and
the 99th.

What this module does not do: it draws nothing, and it judges nothing.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from weighin.gates.judge import Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.axis import Axis, axis_for
from weighin.gates.report.chart_parts import (
    COLOURS,
    INK,
    PAPER,
    QUIET,
    SILENT,
    budget_line,
    channel,
    config,
)
from weighin.gates.report.draw import Spec
from weighin.gates.report.mark_words import reading_words
from weighin.gates.report.words import METRIC_WORDS, amount
from weighin.gates.weigh_in import WeighIn

SHOWN = (Metric.LATENCY_P90_MS, Metric.PEAK_MEMORY_MIB, Metric.ENERGY_MJ)
_LEVELS = {"p05": 0.05, "p25": 0.25, "p50": 0.5, "p75": 0.75, "p90": 0.9, "p99": 0.99}
_UNJUDGED = "none"
_WHOLE, _STEP = 318, 13
_WIDTHS = {1: (_WHOLE,), 2: (150, 150), 3: (130, 74, 74)}
"""Pixels of each panel, by how many there are: the picture is as wide as the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """One variant's reading of one metric, and what its budget says of it, if there is one."""

    number: int
    reading: Measurement
    outcome: Outcome | None

    @property
    def spread(self) -> dict[str, float]:
        """Percentiles of the single runs by name; empty if they are not known."""
        known = self.reading.quantiles
        if len(known) < 2 or not all(math.isfinite(value) for _, value in known):
            return {}
        return {name: _at(known, level) for name, level in _LEVELS.items()}

    @property
    def reach(self) -> Measurement:
        """The reading, its interval stretched to all that is drawn of it."""
        ends = (self.reading.lower, self.reading.upper, *self.spread.values())
        return replace(self.reading, lower=min(ends), upper=max(ends))


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitedAxis:
    """An axis and the budget on it, if there is one."""

    axis: Axis
    limit: float | None


def device_costs(weigh_in: WeighIn, device: str, metric: Metric) -> tuple[Cost, ...]:
    """What is known of a metric on a device, of every variant that has a finite number."""
    found: list[Cost] = []
    for number, result in enumerate(weigh_in.results, start=1):
        reading = summary.reading_on(result, device, metric)
        if isinstance(reading, Measurement) and _finite(reading):
            verdict = summary.verdict_on(result, device)
            checks = verdict.checks if verdict else ()
            outcome = next((c.outcome for c in checks if c.budget.metric is metric), None)
            found.append(Cost(number=number, reading=reading, outcome=outcome))
    return tuple(found)


def costs_spec(weigh_in: WeighIn, device: str) -> Spec | None:
    """A panel per metric that is known there and not shown run by run; ``None`` if none is."""
    known = {metric: device_costs(weigh_in, device, metric) for metric in SHOWN}
    panels = {m: costs for m, costs in known.items() if costs and not _has_spread(costs)}
    if not panels:
        return None
    rows = _rows_of(known.values())
    limits = _limits(weigh_in, device)
    widths = _WIDTHS[len(panels)]
    drawn = [
        _panel(place, costs, axis_of(costs, limits.get(metric), widths[place]), rows)
        for place, (metric, costs) in enumerate(panels.items())
    ]
    return {"background": None, "hconcat": drawn, "spacing": 10, "config": config()}


def runs_spec(weigh_in: WeighIn, device: str) -> Spec | None:
    """How the single runs are spread, in one wide panel; ``None`` if that is not known."""
    costs = device_costs(weigh_in, device, Metric.LATENCY_P90_MS)
    if not _has_spread(costs):
        return None
    axis = axis_of(costs, _limits(weigh_in, device).get(Metric.LATENCY_P90_MS), _WHOLE)
    return {"background": None, "config": config(), **_panel(0, costs, axis, _rows_of([costs]))}


def axis_of(costs: Sequence[Cost], limit: float | None, length: int) -> LimitedAxis:
    """The axis on which all of these and their budget can be seen."""
    axis = axis_for([cost.reach for cost in costs], limit, length, positive=True)
    return LimitedAxis(axis=axis, limit=limit)


def _has_spread(costs: Sequence[Cost]) -> bool:
    return any(cost.spread for cost in costs)


def _rows_of(known: Iterable[Sequence[Cost]]) -> list[str]:
    return [str(number) for number in sorted({one.number for costs in known for one in costs})]


def _limits(weigh_in: WeighIn, device: str) -> dict[Metric, float]:
    found = summary.budgets_on(weigh_in, device)
    return {metric: check.budget.at_most for metric, check in found.items()}


def costs_words(weigh_in: WeighIn, device: str) -> dict[str, str]:
    """What each bar or box says, by its key."""
    return {
        _key(cost, metric): _words(cost)
        for metric in SHOWN
        for cost in device_costs(weigh_in, device, metric)
    }


def _words(cost: Cost) -> str:
    words = reading_words(cost.reading)
    spread = cost.spread
    if not spread:
        return words
    told = (f"{name} {amount(cost.reading.metric, spread[name])}" for name in ("p50", "p99"))
    return f"{words}, {', '.join(told)}"


def _panel(place: int, costs: Sequence[Cost], shown: LimitedAxis, order: list[str]) -> Spec:
    axis, limit = shown.axis, shown.limit
    words = METRIC_WORDS[costs[0].reading.metric]
    drawn = [
        *_over([one for one in costs if not one.spread], axis, _plain_layers(place, axis)),
        *_over([one for one in costs if one.spread], axis, _spread_layers(place)),
    ]
    lines = [] if limit is None else [budget_line("x", limit, f"budget{place}")]
    side: Spec | None = {"title": None, "domain": False, "ticks": False} if place == 0 else None
    scale: Spec = {"domain": order}
    return {
        "width": axis.length,
        "height": {"step": _STEP},
        "encoding": {
            "x": channel(f"{words.name}, {words.unit}", axis, ticks=3),
            "y": {"field": "number", "type": "ordinal", "scale": scale, "axis": side},
        },
        "layer": [*drawn, *lines],
    }


def _over(costs: Sequence[Cost], axis: Axis, layers: list[Spec]) -> list[Spec]:
    """The layers with these as their data, in one; none if there are none."""
    rows: Spec = {"values": [_row(cost, axis) for cost in costs]}
    return [{"data": rows, "layer": layers}] if costs else []


def _row(cost: Cost, axis: Axis) -> dict[str, object]:
    reading = cost.reading
    return {
        "number": str(cost.number),
        "key": _key(cost, reading.metric),
        "base": axis.low,
        "value": reading.value,
        "lower": axis.clip(reading.lower),
        "upper": axis.clip(reading.upper),
        "outcome": cost.outcome.value if cost.outcome else _UNJUDGED,
        **{name: axis.clip(value) for name, value in cost.spread.items()},
    }


def _plain_layers(place: int, axis: Axis) -> list[Spec]:
    """Bars from zero, or dots where the axis has no zero; the interval on top."""
    key: Spec = {"description": {"field": "key", "type": "nominal"}, "color": _colour()}
    if axis.kind == "log":
        mark: Spec = {"type": "point", "filled": True, "size": 26, "opacity": 1}
        value: Spec = {
            "name": f"dot{place}",
            "mark": mark,
            "encoding": {"x": {"field": "value"}, **key},
        }
    else:
        ends: Spec = {"x": {"field": "base"}, "x2": {"field": "value"}}
        value = {
            "name": f"bar{place}",
            "mark": {"type": "bar", "height": 8},
            "encoding": {**ends, **key},
        }
    interval: Spec = {
        "name": f"interval{place}",
        "mark": {"type": "rule", **SILENT},
        "encoding": {"x": {"field": "lower"}, "x2": {"field": "upper"}, "color": _colour()},
    }
    return [value, interval]


def _spread_layers(place: int) -> list[Spec]:
    """A line over nearly all runs, a box over the middle half, ticks at three percentiles."""
    whisker: Spec = {"x": {"field": "p05"}, "x2": {"field": "p99"}, "color": _colour()}
    box: Spec = {
        "x": {"field": "p25"},
        "x2": {"field": "p75"},
        "color": _colour(),
        "description": {"field": "key", "type": "nominal"},
    }
    ticks = [
        _tick(f"{name}tick{place}", at, height, colour)
        for name, at, height, colour in (
            ("median", "p50", 8, PAPER),
            ("high", "p90", 9, INK),
            ("top", "p99", 5, INK),
        )
    ]
    return [
        {"name": f"whisker{place}", "mark": {"type": "rule", **SILENT}, "encoding": whisker},
        {"name": f"box{place}", "mark": {"type": "bar", "height": 8}, "encoding": box},
        *ticks,
    ]


def _tick(name: str, field: str, height: int, colour: str) -> Spec:
    mark: Spec = {"type": "tick", "color": colour, "size": height, "thickness": 1.6, "opacity": 1}
    return {"name": name, "mark": {**mark, **SILENT}, "encoding": {"x": {"field": field}}}


def _colour() -> Spec:
    names = [*(outcome.value for outcome in COLOURS), _UNJUDGED]
    scale: Spec = {"domain": names, "range": [*COLOURS.values(), QUIET]}
    return {"field": "outcome", "type": "nominal", "scale": scale, "legend": None}


def _key(cost: Cost, metric: Metric) -> str:
    """The number of the row, and a letter for the panel."""
    return f"{cost.number}{'abc'[SHOWN.index(metric)]}"


def _at(quantiles: Sequence[tuple[float, float]], level: float) -> float:
    """The value at a level, on a straight line between the two known ones around it."""
    (low, value), *rest = quantiles
    if level <= low:
        return value
    for high, above in rest:
        if level <= high:
            share = (level - low) / (high - low) if high > low else 1.0
            return min(value + share * (above - value), above)  # rounding may overshoot
        low, value = high, above
    return value


def _finite(reading: Measurement) -> bool:
    return all(math.isfinite(one) for one in (reading.lower, reading.value, reading.upper))

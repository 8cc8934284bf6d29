"""The Pareto pictures of a weigh-in: Vega-Lite specifications as plain values.

Each point carries the number of its variant in the report's tables. Colour and shape both say
the outcome, the area says the size, bars say the interval.

What this module does not do: it loads nothing and draws nothing. All data stands in the
specification.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.judge import Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.axis import Axis, axis_for
from weighin.gates.report.chart_parts import (
    ALLOWED,
    COLOURS,
    INK,
    PAPER,
    SHAPES,
    SILENT,
    budget_line,
    channel,
    config,
    interval_layer,
    outcome_scale,
)
from weighin.gates.report.draw import Spec
from weighin.gates.report.labels import place_labels
from weighin.gates.weigh_in import Result, WeighIn

_WIDTH, _HEIGHT = 300, 205
_AREA_MIN, _AREA_MAX = 40.0, 340.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """One variant in a picture: where, how sure, how big, and what became of it."""

    number: int
    x: Measurement
    y: Measurement
    size_bytes: int
    outcome: Outcome


def device_marks(weigh_in: WeighIn, device: str) -> tuple[Mark, ...]:
    """The variants whose latency and accuracy drop are known on a device."""
    return _marks(weigh_in, device, Metric.LATENCY_P90_MS)


def size_marks(weigh_in: WeighIn) -> tuple[Mark, ...]:
    """The variants whose size and accuracy drop are known, with their best outcome anywhere."""
    found: dict[int, Mark] = {}
    for device in weigh_in.devices:
        for mark in _marks(weigh_in, device, Metric.SIZE_MIB):
            best = _better(mark, found.get(mark.number))
            found[mark.number] = best
    return tuple(found[number] for number in sorted(found))


def device_spec(weigh_in: WeighIn, device: str) -> Spec:
    """Accuracy drop against latency on one device, with its budgets."""
    limits = {m: c.budget.at_most for m, c in summary.budgets_on(weigh_in, device).items()}
    return _spec(
        device_marks(weigh_in, device),
        ("latency p90, ms", limits.get(Metric.LATENCY_P90_MS)),
        ("accuracy drop, points", limits.get(Metric.ACCURACY_DROP_POINTS)),
    )


def size_spec(weigh_in: WeighIn) -> Spec:
    """Accuracy drop against file size, the same on every device, with budgets all agree on."""
    return _spec(
        size_marks(weigh_in),
        ("size, MiB", _common_limit(weigh_in, Metric.SIZE_MIB)),
        ("accuracy drop, points", _common_limit(weigh_in, Metric.ACCURACY_DROP_POINTS)),
    )


def _marks(weigh_in: WeighIn, device: str, across: Metric) -> tuple[Mark, ...]:
    marks: list[Mark] = []
    for number, result in enumerate(weigh_in.results, start=1):
        verdict = summary.verdict_on(result, device)
        x = _drawable(result, device, across)
        y = _drawable(result, device, Metric.ACCURACY_DROP_POINTS)
        if verdict is not None and x is not None and y is not None:
            size_bytes, outcome = result.variant.size_bytes, verdict.outcome
            marks.append(Mark(number=number, x=x, y=y, size_bytes=size_bytes, outcome=outcome))
    return tuple(marks)


def _drawable(result: Result, device: str, metric: Metric) -> Measurement | None:
    reading = summary.reading_on(result, device, metric)
    if not isinstance(reading, Measurement):
        return None
    ends = (reading.lower, reading.value, reading.upper)
    return reading if all(math.isfinite(end) for end in ends) else None


def _better(mark: Mark, other: Mark | None) -> Mark:
    order = (Outcome.PASS, Outcome.UNDECIDED, Outcome.FAIL)
    if other is None or order.index(mark.outcome) < order.index(other.outcome):
        return mark
    return other


def _common_limit(weigh_in: WeighIn, metric: Metric) -> float | None:
    """The budget of a metric if every device that has one has the same."""
    checks = (summary.budgets_on(weigh_in, device).get(metric) for device in weigh_in.devices)
    limits = {check.budget.at_most for check in checks if check is not None}
    return limits.pop() if len(limits) == 1 else None


def _spec(
    marks: Sequence[Mark],
    across: tuple[str, float | None],
    down: tuple[str, float | None],
) -> Spec:
    x = axis_for([mark.x for mark in marks], across[1], _WIDTH, positive=True)
    y = axis_for([mark.y for mark in marks], down[1], _HEIGHT, positive=False)
    rows = _rows(marks, x, y)
    layers = [
        *_budget_layers(across[1], down[1], x, y),
        interval_layer({"x": "left", "x2": "right", "y": "y"}, "interval0"),
        interval_layer({"x": "x", "y": "bottom", "y2": "top"}, "interval1"),
        _point_layer(),
        _number_layer(),
    ]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "background": None,
        "data": {"values": rows},
        "encoding": {"x": channel(across[0], x), "y": channel(down[0], y)},
        "layer": layers,
        "config": config(),
    }


def _rows(marks: Sequence[Mark], x: Axis, y: Axis) -> list[dict[str, object]]:
    biggest = max((mark.size_bytes for mark in marks), default=1)
    areas = [max(_AREA_MIN, _AREA_MAX * mark.size_bytes / biggest) for mark in marks]
    spots = [
        (x.pixel(mark.x.value), y.length - y.pixel(mark.y.value), math.sqrt(area) / 2)
        for mark, area in zip(marks, areas, strict=True)
    ]
    labels = place_labels(spots, x.length, y.length)
    return [
        {
            "number": str(mark.number),
            "x": mark.x.value,
            "left": x.clip(mark.x.lower),
            "right": x.clip(mark.x.upper),
            "y": mark.y.value,
            "bottom": y.clip(mark.y.lower),
            "top": y.clip(mark.y.upper),
            "outcome": mark.outcome.value,
            "area": area,
            "label_x": label[0],
            "label_y": label[1],
        }
        for mark, area, label in zip(marks, areas, labels, strict=True)
    ]


def _budget_layers(across: float | None, down: float | None, x: Axis, y: Axis) -> list[Spec]:
    """What is within both budgets, shaded, and a broken line at each."""
    corner: Spec = {
        "x": {"datum": x.low},
        "x2": {"datum": x.high if across is None else across},
        "y": {"datum": y.low},
        "y2": {"datum": y.high if down is None else down},
    }
    layers: list[Spec] = []
    if across is not None or down is not None:
        mark: Spec = {"type": "rect", "color": ALLOWED, **SILENT}
        one: Spec = {"values": [{}]}
        layers.append({"name": "within", "data": one, "mark": mark, "encoding": corner})
    for place, (side, limit) in enumerate((("x", across), ("y", down))):
        if limit is not None:
            layers.append(budget_line(side, limit, f"budget{place}"))
    return layers


def _point_layer() -> Spec:
    return {
        "name": "point",
        "mark": {"type": "point", "filled": True, "opacity": 1, "stroke": PAPER, "strokeWidth": 1},
        "encoding": {
            "x": {"field": "x"},
            "y": {"field": "y"},
            "size": {"field": "area", "type": "quantitative", "scale": None, "legend": None},
            "color": outcome_scale(COLOURS),
            "shape": outcome_scale(SHAPES),
            "description": {"field": "number", "type": "nominal"},
        },
    }


def _number_layer() -> Spec:
    """The numbers, at pixel positions that were chosen so that they do not overlap.

    The style sheet gives them a halo that keeps them readable on top of lines.
    """
    pixel: Spec = {"type": "quantitative", "scale": None, "axis": None}
    return {
        "name": "number",
        "mark": {"type": "text", "fontSize": 11, "fontWeight": 600, "color": INK, **SILENT},
        "encoding": {
            "x": {"field": "label_x", **pixel},
            "y": {"field": "label_y", **pixel},
            "text": {"field": "number", "type": "nominal"},
        },
    }

"""Pictures of a weigh-in: Vega-Lite specifications as plain values, drawn to inline SVG.

Each point carries the number of its variant in the report's tables. Colour and shape both say
the outcome, the area says the size, bars say the interval. Colours are the light theme's; the
page's style sheet replaces them by value in the dark.

What this module does not do: it loads nothing. All data stands in the specification.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.judge import Outcome
from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.axis import Axis, axis_for
from weighin.gates.report.labels import place_labels
from weighin.gates.weigh_in import Result, WeighIn

Spec = dict[str, object]

COLOURS = {Outcome.PASS: "#0b7a4b", Outcome.FAIL: "#c2352b", Outcome.UNDECIDED: "#8a6100"}
SHAPES = {Outcome.PASS: "circle", Outcome.FAIL: "cross", Outcome.UNDECIDED: "diamond"}
INK, QUIET, GRID, ALLOWED, PAPER = "#1d2430", "#5b6472", "#dfe3e8", "#e3f3ea", "#fefefe"

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


def draw(spec: Spec) -> str:
    """The picture as an ``<svg>`` element for the middle of a page, without any address in it."""
    import vl_convert

    svg = str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))
    svg = re.sub(r' (xmlns(:\w+)?|version|pointer-events|stroke-miterlimit)="[^"]*"', "", svg)
    return re.sub(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"', r"\1", svg, count=1)


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
        _interval_layer({"x": "left", "x2": "right", "y": "y"}),
        _interval_layer({"x": "x", "y": "bottom", "y2": "top"}),
        _point_layer(),
        _number_layer({"stroke": PAPER, "strokeWidth": 3, "opacity": 0.8}),
        _number_layer({"color": INK}),
    ]
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "background": None,
        "data": {"values": rows},
        "encoding": {"x": _channel(across[0], x), "y": _channel(down[0], y)},
        "layer": layers,
        "config": _config(),
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


def _channel(title: str, axis: Axis) -> Spec:
    scale: Spec = {"domain": [axis.low, axis.high], "type": axis.kind, "nice": False, "zero": False}
    if axis.kind == "symlog":
        scale["constant"] = axis.constant
    ticks: Spec = {"title": title, "format": ".6~g"}
    if axis.ticks:
        ticks["values"] = list(axis.ticks)
    return {"type": "quantitative", "scale": scale, "axis": ticks}


def _budget_layers(across: float | None, down: float | None, x: Axis, y: Axis) -> list[Spec]:
    """What is within both budgets, shaded, and a broken line at each."""
    corner: Spec = {
        "x": {"datum": x.low},
        "x2": {"datum": x.high if across is None else across},
        "y": {"datum": y.low},
        "y2": {"datum": y.high if down is None else down},
    }
    one: Spec = {"values": [{}]}
    layers: list[Spec] = []
    if across is not None or down is not None:
        layers.append({"data": one, "mark": {"type": "rect", "color": ALLOWED}, "encoding": corner})
    line: Spec = {"type": "rule", "color": COLOURS[Outcome.PASS], "strokeDash": [5, 4]}
    for channel, limit in (("x", across), ("y", down)):
        if limit is not None:
            other = {"y": None} if channel == "x" else {"x": None}
            encoding: Spec = {channel: {"datum": limit}, **other}
            layers.append({"data": one, "mark": line, "encoding": encoding})
    return layers


def _interval_layer(fields: dict[str, str]) -> Spec:
    return {
        "mark": {"type": "rule", "strokeWidth": 1.4, "opacity": 0.55},
        "encoding": {
            **{channel: {"field": field} for channel, field in fields.items()},
            "color": _outcome_scale(COLOURS),
        },
    }


def _point_layer() -> Spec:
    return {
        "mark": {
            "type": "point",
            "filled": True,
            "opacity": 0.9,
            "stroke": PAPER,
            "strokeWidth": 1,
        },
        "encoding": {
            "x": {"field": "x"},
            "y": {"field": "y"},
            "size": {"field": "area", "type": "quantitative", "scale": None, "legend": None},
            "color": _outcome_scale(COLOURS),
            "shape": _outcome_scale(SHAPES),
        },
    }


def _number_layer(style: Spec) -> Spec:
    """The numbers, at pixel positions that were chosen so that they do not overlap.

    Drawn twice: first as a halo that keeps them readable on top of lines.
    """
    pixel: Spec = {"type": "quantitative", "scale": None, "axis": None}
    return {
        "mark": {"type": "text", "fontSize": 11, "fontWeight": 600, **style},
        "encoding": {
            "x": {"field": "label_x", **pixel},
            "y": {"field": "label_y", **pixel},
            "text": {"field": "number", "type": "nominal"},
        },
    }


def _outcome_scale(values: dict[Outcome, str]) -> Spec:
    names = [outcome.value for outcome in values]
    return {
        "field": "outcome",
        "type": "nominal",
        "scale": {"domain": names, "range": list(values.values())},
        "legend": None,
    }


def _config() -> Spec:
    return {
        "aria": False,
        "font": "system-ui, sans-serif",
        "view": {"stroke": GRID},
        "axis": {
            "labelColor": QUIET,
            "titleColor": QUIET,
            "titleFontWeight": 500,
            "titleFontSize": 11,
            "labelFontSize": 11,
            "gridColor": GRID,
            "domainColor": GRID,
            "tickColor": GRID,
            "tickCount": 5,
            "titlePadding": 8,
        },
    }

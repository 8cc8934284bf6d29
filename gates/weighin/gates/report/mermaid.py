"""Accuracy against latency on one device as a Mermaid chart, for places that draw Mermaid.

``quadrantChart`` is Mermaid's one chart of free points. Its middle lines are the two budgets, so
the upper left quarter is what both allow. Each half of an axis has its own scale: linear for
accuracy within the budget, logarithmic elsewhere, and a wide empty stretch beside the budget is
drawn narrower. The ends of the axes say which numbers stand there. Colour and sign both say the
outcome over all budgets, which may be worse than the place.

A name that would lie over another one is left out; :attr:`Chart.unnamed` has it. Only letters,
digits and a few harmless signs of a name reach the diagram, since Mermaid looks for directives,
comments and entities inside its strings too.

What this module does not do: it draws no intervals, Mermaid cannot. The tables have them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.mermaid_axis import Axis, drop_axis, latency_axis
from weighin.gates.report.verdict_words import MARKS, Standing, fate_on, standing_of
from weighin.gates.report.words import amount, figure
from weighin.gates.weigh_in import Result, WeighIn

_COLOURS = {
    Standing.PASS: "#0b7a4b",
    Standing.WAIVED: "#c2352b",
    Standing.FAIL: "#c2352b",
    Standing.UNDECIDED: "#b07d00",
}
_HARMLESS = frozenset(" ._+-/")
_LONGEST_LABEL = 32
_MOST_POINTS = 30
_WIDTH, _HEIGHT = 640, 420
_LETTER, _LINE = 6.6, 15.0
_MOST_LATENCY_MS, _MOST_DROP_POINTS = 1e9, 1e6
_UNNAMED = "·"


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """One diagram, and what it could not say.

    Attributes:
        text: The diagram, without a fence.
        unnamed: Labels of variants that are drawn without their name.
        left_out: How many variants could not be drawn: a number is missing, or there are too many.
    """

    text: str
    unnamed: tuple[str, ...]
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Point:
    label: str
    latency: float
    drop: float
    standing: Standing


def quadrant_chart(weigh_in: WeighIn, device: str, context: Context = PLAIN) -> Chart | None:
    """The variants on one device; ``None`` if fewer than two can be drawn.

    Args:
        weigh_in: What is shown.
        device: One of its devices.
        context: For its waivers, and for whether the numbers may be believed.
    """
    found = _points(weigh_in, device, context)
    if len(found) < 2:
        return None
    shown = found[:_MOST_POINTS]
    budgets = summary.budgets_on(weigh_in, device)
    limits = {metric: check.budget.at_most for metric, check in budgets.items()}
    room = max(len(_label(point)) for point in shown) * _LETTER / 2 / _WIDTH + 0.02
    x = latency_axis([p.latency for p in shown], limits.get(Metric.LATENCY_P90_MS), room)
    y = drop_axis([p.drop for p in shown], limits.get(Metric.ACCURACY_DROP_POINTS))
    both = Metric.ACCURACY_DROP_POINTS in limits and limits.get(Metric.LATENCY_P90_MS, 0.0) > 0
    places = [(across, 1 - down) for across, down in zip(x.shares, y.shares, strict=True)]
    named = _named(shown, places)
    lines = [*_head(x, y), *(_QUARTERS if both else ()), *_drawn(shown, places, named)]
    return Chart(
        text="\n".join(lines),
        unnamed=tuple(p.label for p, has in zip(shown, named, strict=True) if not has),
        left_out=len(weigh_in.results) - len(shown),
    )


def harmless(text: str) -> str:
    """A name with nothing in it that Mermaid could take for its own."""
    kept = "".join(c if c.isalnum() or c in _HARMLESS else _UNNAMED for c in text)
    short = " ".join(kept.split()).replace("--", "-·")[:_LONGEST_LABEL]
    return short or _UNNAMED


_QUARTERS = (
    '    quadrant-1 "too slow"',
    '    quadrant-2 "within both budgets"',
    '    quadrant-3 "loses too much"',
    '    quadrant-4 "too slow, loses too much"',
)


def _head(x: Axis, y: Axis) -> tuple[str, ...]:
    config = f'{{"quadrantChart": {{"chartWidth": {_WIDTH}, "chartHeight": {_HEIGHT}}}}}'
    fast, slow = (amount(Metric.LATENCY_P90_MS, end) for end in (x.best, x.worst))
    least, most = (figure(end) for end in (y.best, y.worst))
    return (
        f"%%{{init: {config}}}%%",
        "quadrantChart",
        f'    x-axis "latency p90 {fast}" --> "{slow}"',
        f'    y-axis "{most} points lost" --> "{least} points lost"',
    )


def _drawn(
    points: Sequence[_Point], places: Sequence[tuple[float, float]], named: Sequence[bool]
) -> list[str]:
    return [
        f'    "{_label(point) if has else " "}": [{x:.3f}, {y:.3f}] '
        f"radius: {6 if has else 4}, color: {_COLOURS[point.standing]}"
        for point, (x, y), has in zip(points, places, named, strict=True)
    ]


def _label(point: _Point) -> str:
    return f"{MARKS[point.standing]} {harmless(point.label)}"


def _points(weigh_in: WeighIn, device: str, context: Context) -> list[_Point]:
    """Those that can be drawn, what the device gets first, then by outcome and speed."""
    first = fate_on(weigh_in, device, context).result
    order = list(Standing)
    found = [
        (result is not first, order.index(point.standing), point.latency, point)
        for result in weigh_in.results
        if (point := _point(weigh_in, result, device, context)) is not None
    ]
    return [point for *_, point in sorted(found, key=lambda one: one[:3])]


def _point(weigh_in: WeighIn, result: Result, device: str, context: Context) -> _Point | None:
    verdict = summary.verdict_on(result, device)
    latency = _number(result, device, Metric.LATENCY_P90_MS)
    drop = _number(result, device, Metric.ACCURACY_DROP_POINTS)
    if verdict is None or latency is None or drop is None:
        return None
    if not (1 / _MOST_LATENCY_MS < latency < _MOST_LATENCY_MS and abs(drop) < _MOST_DROP_POINTS):
        return None
    standing = standing_of(weigh_in, verdict, context)
    return _Point(label=result.variant.label, latency=latency, drop=drop, standing=standing)


def _number(result: Result, device: str, metric: Metric) -> float | None:
    reading = summary.reading_on(result, device, metric)
    known = isinstance(reading, Measurement) and math.isfinite(reading.value)
    return reading.value if known and isinstance(reading, Measurement) else None


def _named(points: Sequence[_Point], places: Sequence[tuple[float, float]]) -> list[bool]:
    """Which points have room for their name: the ones before others, if they touch none."""
    boxes: list[tuple[float, float, float]] = []
    named: list[bool] = []
    for point, (x, y) in zip(points, places, strict=True):
        box = (x * _WIDTH, y * _HEIGHT, len(_label(point)) * _LETTER / 2)
        free = not any(_touch(box, other) for other in boxes)
        named.append(free)
        if free:
            boxes.append(box)
    return named


def _touch(one: tuple[float, float, float], other: tuple[float, float, float]) -> bool:
    beside = abs(one[0] - other[0]) < one[2] + other[2]
    return beside and abs(one[1] - other[1]) < _LINE

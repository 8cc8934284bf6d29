"""What each device got from version to version: size, accuracy drop and latency over releases.

One line per device. Filled points are versions that were released. A version that nothing
passed for a device leaves a gap in its line.

What this module does not do: it draws nothing, and it compares nothing; numbers of two versions
may rest on different data or another machine.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.axis import axis_for
from weighin.gates.report.chart_parts import INK, QUIET, SILENT, channel, config
from weighin.gates.report.context import Context
from weighin.gates.report.draw import Spec
from weighin.gates.report.mark_words import reading_words
from weighin.gates.report.verdict_words import fate_on
from weighin.gates.report.words import METRIC_WORDS, plain
from weighin.gates.weigh_in import Result, WeighIn

SHOWN = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)
MOST_EARLIER = 11
"""So many versions before this one are shown; more would make the page heavy, and no clearer."""
MOST_LETTERS = 6
"""Lines of more devices than this carry no letters: they would cover each other."""
_LETTERS = "ABCDEF"
_WIDTH, _HEIGHT = 92, 120
_APART = 12
"""Labels nearer than this, in pixels, would touch."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What one device got, or gets, of one version.

    Attributes:
        place: The version's place in the history, from 0.
        weigh_in: The version's.
        device: One of this version's targets.
        result: Its file; ``None`` if nothing passed.
        released: Whether the version was released; ``None`` for the one that is weighed now.
    """

    place: int
    weigh_in: WeighIn
    device: str
    result: Result | None
    released: bool | None

    def reading(self, metric: Metric) -> Measurement | None:
        """The number of its file, if it is one."""
        if self.result is None:
            return None
        found = summary.reading_on(self.result, self.device, metric)
        if not isinstance(found, Measurement):
            return None
        ends = (found.lower, found.value, found.upper)
        return found if all(math.isfinite(end) for end in ends) else None


def entries(weigh_in: WeighIn, context: Context) -> tuple[Entry, ...]:
    """Oldest version first, this one last; only the newest, and devices that are a target now."""
    newest = context.history[-MOST_EARLIER:]
    told = [(one.weigh_in, one.released_at is not None, False) for one in newest]
    found: list[Entry] = []
    for place, (one, released, now) in enumerate([*told, (weigh_in, False, True)]):
        for device in weigh_in.devices:
            if device in one.devices:
                result = _got(one, device, context if now else None)
                state = None if now else released
                found.append(
                    Entry(place=place, weigh_in=one, device=device, result=result, released=state)
                )
    return tuple(found)


def history_spec(known: Sequence[Entry], devices: Sequence[str]) -> Spec | None:
    """A panel per metric; ``None`` if there are no numbers of two versions."""
    panels = [
        _panel(place, metric, known, devices)
        for place, metric in enumerate(SHOWN)
        if len({one.place for one in known if one.reading(metric)}) > 1
    ]
    if not panels:
        return None
    return {"background": None, "hconcat": panels, "spacing": 12, "config": config()}


def history_words(known: Sequence[Entry]) -> dict[str, str]:
    """What each point says, by its key."""
    return {
        _key(at, metric): f"v{plain(one.weigh_in.version)} on {plain(one.device)}: "
        f"{plain(one.result.variant.label)}, {reading_words(reading)}"
        for metric in SHOWN
        for at, one in enumerate(known)
        if one.result is not None and (reading := one.reading(metric)) is not None
    }


def letter(device: str, devices: Sequence[str]) -> str:
    """The letter at the end of a device's line; nothing if there are too many lines."""
    return _LETTERS[devices.index(device)] if len(devices) <= MOST_LETTERS else ""


def _panel(place: int, metric: Metric, known: Sequence[Entry], devices: Sequence[str]) -> Spec:
    with_reading = [(at, one, one.reading(metric)) for at, one in enumerate(known)]
    found = [(at, one, reading) for at, one, reading in with_reading if reading is not None]
    axis = axis_for([reading for _, _, reading in found], None, _HEIGHT, positive=_positive(metric))
    last = max(one.place for _, one, _ in found)
    lines = _lines(known)
    ends = [(one.device, axis.pixel(r.value)) for _, one, r in found if one.place == last]
    letters = _letters(ends, devices)
    rows = [
        {
            "key": _key(at, metric),
            "version": one.place,
            "line": lines[at],
            "value": reading.value,
            "lower": axis.clip(reading.lower),
            "upper": axis.clip(reading.upper),
            "fill": INK if one.released else "#fefefe",
            "letter": letters.get(one.device, "") if one.place == last else "",
        }
        for at, one, reading in found
    ]
    title = f"{METRIC_WORDS[metric].name}, {METRIC_WORDS[metric].unit}"
    return {
        "width": _WIDTH,
        "height": _HEIGHT,
        "title": {"text": title, "fontSize": 11, "fontWeight": 500, "color": QUIET, "aria": False},
        "data": {"values": rows},
        "encoding": {"x": _versions(known), "y": channel(None, axis, ticks=4)},
        "layer": _layers(place, 42 if len(devices) <= MOST_LETTERS else 14),
    }


def _letters(ends: Sequence[tuple[str, float]], devices: Sequence[str]) -> dict[str, str]:
    """Letters at the ends of lines, by device; lines that end together share one label."""
    found: dict[str, str] = {}
    above, first = -math.inf, ""
    for device, pixel in sorted(ends, key=lambda end: (end[1], end[0])):
        if pixel - above < _APART:
            found[first] = "".join(sorted(found[first] + letter(device, devices)))
        else:
            above, first = pixel, device
            found[device] = letter(device, devices)
    return found


def _layers(place: int, area: int) -> list[Spec]:
    value: Spec = {"y": {"field": "value"}}
    ends: Spec = {"y": {"field": "lower"}, "y2": {"field": "upper"}}
    key: Spec = {"field": "key", "type": "nominal"}
    fill: Spec = {"field": "fill", "type": "nominal", "scale": None}
    letters: Spec = {"field": "letter", "type": "nominal"}
    line: Spec = {"type": "line", "color": QUIET, **SILENT}
    point: Spec = {"type": "point", "filled": True, "size": area, "opacity": 1, "stroke": INK}
    text: Spec = {"type": "text", "align": "left", "dx": 7, "color": INK, **SILENT}
    layers: list[Spec] = [
        {
            "name": f"line{place}",
            "mark": line,
            "encoding": {**value, "detail": {"field": "line", "type": "nominal"}},
        },
        {
            "name": f"interval{place}",
            "mark": {"type": "rule", "color": QUIET, **SILENT},
            "encoding": ends,
        },
        {
            "name": f"point{place}",
            "mark": point,
            "encoding": {**value, "fill": fill, "description": key},
        },
        {"name": f"letter{place}", "mark": text, "encoding": {**value, "text": letters}},
    ]
    return layers


def _versions(known: Sequence[Entry]) -> Spec:
    """The axis of versions, by their place, so that a version may be called anything."""
    last = max(one.place for one in known)
    names = {one.place: _short(one.weigh_in.version, one.place) for one in known}
    shown = [names.get(place, "") for place in range(last + 1)]
    labels = f"{shown!r}[datum.value]"
    return {
        "field": "version",
        "type": "quantitative",
        "scale": {"domain": [-0.3, last + 0.6], "nice": False, "zero": False},
        "axis": {
            "title": "version",
            "values": list(range(last + 1)),
            "grid": False,
            "labelExpr": labels,
            "labelOverlap": True,
            "labelSeparation": 4,
        },
    }


def _short(version: str, place: int) -> str:
    """The version, or its place if it is nothing that fits below an axis."""
    fits = version.isascii() and version.isalnum() and len(version) <= 5
    return version if fits else f"#{place + 1}"


def _lines(known: Sequence[Entry]) -> list[int]:
    """For each entry the number of its line: one per device, and a new one after a gap."""
    numbers: dict[str, int] = {}
    found: list[int] = []
    for one in known:
        if one.device not in numbers or one.result is None:
            numbers[one.device] = len(found)
        found.append(numbers[one.device])
    return found


def _got(weigh_in: WeighIn, device: str, context: Context | None) -> Result | None:
    if context is None:
        return summary.smallest_pass(weigh_in, device)
    fate = fate_on(weigh_in, device, context)
    return fate.result if fate.miss is None else None


def _positive(metric: Metric) -> bool:
    return metric is not Metric.ACCURACY_DROP_POINTS


def _key(at: int, metric: Metric) -> str:
    return f"{at}{'abc'[SHOWN.index(metric)]}"

"""What a mark in a picture says when somebody points at it or comes to it by keyboard.

Plain lines of text; the page escapes them, and says before them which variant it is.
"""

from collections.abc import Sequence

from weighin.gates.measurement import Measurement
from weighin.gates.report.chart import Mark
from weighin.gates.report.words import METRIC_WORDS, amount, figure


def reading_words(reading: Measurement) -> str:
    """``latency p90 1.56 ms (1.51 to 1.6, device)``."""
    name = METRIC_WORDS[reading.metric].name
    shown = f"{name} {amount(reading.metric, reading.value)}"
    if reading.lower == reading.upper:
        return f"{shown} ({reading.origin.value})"
    ends = f"{figure(reading.lower)} to {figure(reading.upper)}"
    return f"{shown} ({ends}, {reading.origin.value})"


def point_words(marks: Sequence[Mark]) -> dict[str, str]:
    """Each point's words by its number."""
    return {str(mark.number): _point(mark) for mark in marks}


def _point(mark: Mark) -> str:
    return f"{mark.outcome.value}, {reading_words(mark.x)}, {reading_words(mark.y)}"

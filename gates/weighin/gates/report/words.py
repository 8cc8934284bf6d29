"""How numbers, units, outcomes and names that nobody vouches for are written for people.

What this module does not do: it escapes for no output format. Each renderer does that itself,
at its own edge, after :func:`plain` took out what no output should ever carry.
"""

import math
from dataclasses import dataclass

from weighin.gates.judge import Outcome
from weighin.gates.metric import Metric, Origin
from weighin.gates.plain import plain as plain  # noqa: PLC0414 - the renderers import it from here

_SIGNIFICANT_DIGITS = 3
_EXACT_DIGITS = 17
_MOST_DECIMALS = 6


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricWords:
    """What people call a metric, in full and in a narrow column, and its unit."""

    name: str
    short: str
    unit: str


METRIC_WORDS = {
    Metric.ACCURACY_DROP_POINTS: MetricWords(name="accuracy drop", short="accuracy", unit="pt"),
    Metric.SIZE_MIB: MetricWords(name="size", short="size", unit="MiB"),
    Metric.LATENCY_P90_MS: MetricWords(name="latency p90", short="latency", unit="ms"),
    Metric.PEAK_MEMORY_MIB: MetricWords(name="peak memory", short="memory", unit="MiB"),
    Metric.ENERGY_MJ: MetricWords(name="energy", short="energy", unit="mJ"),
    Metric.BATTERY_PERCENT_PER_HOUR: MetricWords(name="battery", short="battery", unit="%/h"),
    Metric.SLICE_DROP_POINTS: MetricWords(name="worst slice's drop", short="slices", unit="pt"),
    Metric.BACKEND_DISAGREEMENT_PERCENT: MetricWords(
        name="backend disagreement", short="backend", unit="%"
    ),
    Metric.ARM_DISAGREEMENT_PERCENT: MetricWords(
        name="ARM kernels' disagreement", short="ARM", unit="%"
    ),
    Metric.ACCURACY_DROP_VS_RELEASE_POINTS: MetricWords(
        name="accuracy drop vs release", short="drop+", unit="pt"
    ),
    Metric.SIZE_VS_RELEASE_PERCENT: MetricWords(name="size vs release", short="size+", unit="%"),
    Metric.LATENCY_VS_RELEASE_PERCENT: MetricWords(
        name="latency vs release", short="latency+", unit="%"
    ),
    Metric.PEAK_MEMORY_VS_RELEASE_PERCENT: MetricWords(
        name="peak memory vs release", short="memory+", unit="%"
    ),
    Metric.ENERGY_VS_RELEASE_PERCENT: MetricWords(
        name="energy vs release", short="energy+", unit="%"
    ),
}

ORIGIN_WORDS = {
    Origin.ARTIFACT: "a property of the file itself, the same on every device",
    Origin.DEVICE: "measured on that device",
    Origin.PUBLISHED: "somebody's published measurement of that model on that device",
    Origin.TRANSFERRED: "known on another device, scaled by anchors",
    Origin.EMULATED: "the real ARM kernels, run on an emulated core like that device's",
    Origin.PREDICTED: "a cost model fitted on that device's anchors",
    Origin.SCALED: "from specifications only; can never pass a budget",
}

GLYPHS = {Outcome.PASS: "✓", Outcome.FAIL: "✗", Outcome.UNDECIDED: "?"}


def figure(number: float, beside: float | None = None, *, digits: int = _SIGNIFICANT_DIGITS) -> str:
    """A number with few significant digits, or as many as keep it on its side of another.

    Args:
        number: What is shown; not finite is shown as its name.
        beside: The budget it is read against: 1.004 must not look like the 1 that it exceeds.
        digits: How many, three if not said.
    """
    if not math.isfinite(number):
        return str(number)
    for kept in range(digits, _EXACT_DIGITS):
        text = _rounded(number, kept)
        if beside is None or _order(float(text), beside) == _order(number, beside):
            return text
    return repr(number)


def amount(
    metric: Metric,
    number: float,
    beside: float | None = None,
    *,
    digits: int = _SIGNIFICANT_DIGITS,
) -> str:
    """A number with its unit."""
    return f"{figure(number, beside, digits=digits)} {METRIC_WORDS[metric].unit}"


def count(number: int, noun: str) -> str:
    """``1 variant``, ``2 variants``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _rounded(number: float, digits: int) -> str:
    magnitude = math.floor(math.log10(abs(number))) if number else 0
    decimals = max(0, digits - 1 - magnitude)
    if digits <= _SIGNIFICANT_DIGITS:
        decimals = min(decimals, _MOST_DECIMALS)
    text = f"{number:.{decimals}f}"
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text


def _order(number: float, other: float) -> int:
    return (number > other) - (number < other)

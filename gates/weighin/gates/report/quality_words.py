"""What every rendering says of a variant's mistakes: alarms, flips by class, rows looked at.

What this module does not do: it escapes nothing, and it stops nothing. An alarm is no verdict.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from weighin.gates.measurement import Measurement
from weighin.gates.metric import Metric
from weighin.gates.report.words import count, figure, plain
from weighin.gates.weigh_in import Result, WeighIn

ALARM = "alarm"
"""The condition of a reading that somebody should look at, whatever the verdict."""

USUAL_CONFIDENCE = 0.95
"""What goes without saying."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistakes:
    """What one variant gets wrong that its source gets right, and how sure of itself it is.

    Attributes:
        label: The variant.
        flips: How many rows flipped from right to wrong.
        by_class: The classes with most of them, in words.
        error_before: Calibration error of the registered model, 0 to 1.
        error_after: Calibration error of the variant.
        alarm: Whether some class has more than its share.
    """

    label: str
    flips: str
    by_class: str
    error_before: str
    error_after: str
    alarm: bool

    @property
    def calibration(self) -> str:
        """``0.012 to 0.034``."""
        return f"{self.error_before} to {self.error_after}"


def measured(result: Result) -> tuple[Measurement, ...]:
    """Everything that was measured of a variant, judged or not, each once."""
    judged = (one for v in result.verdicts for check in v.checks for one in check.readings)
    known = (one for one in (*result.readings, *judged) if isinstance(one, Measurement))
    return tuple(dict.fromkeys(known))


def alarms(weigh_in: WeighIn) -> tuple[tuple[str, str], ...]:
    """Labels with what somebody should look at there; the same of several devices once."""
    found = (
        (result.variant.label, value)
        for result in weigh_in.results
        for reading in measured(result)
        for name, value in reading.conditions
        if name == ALARM
    )
    return tuple(dict.fromkeys(found))


def mistakes(weigh_in: WeighIn) -> Iterator[Mistakes]:
    """Flips by class and calibration, of the variants of which they are known."""
    for result in weigh_in.results:
        for reading in measured(result):
            said = dict(reading.conditions)
            if reading.metric is Metric.ACCURACY_DROP_POINTS and "flips_by_class" in said:
                yield _mistakes(result.variant.label, said)
                break


def looked(reading: Measurement) -> str:
    """How many rows it took and how sure each end is, where that is not what is usual.

    ``2500 rows, stopped at look 2 of 5, each end at 99 %``; nothing if there is nothing to say.
    """
    words = []
    for name, value in reading.conditions:
        if name == "sequential":
            words.append(f"{count(reading.n, 'row')}, {plain(value.partition(',')[0])}")
    sure = confidence_words(reading)
    return ", ".join([*words, f"each end at {sure}"] if sure else words)


def confidence_words(reading: Measurement) -> str:
    """``99 %``; nothing for 95 %, and for what is exact."""
    if reading.confidence == USUAL_CONFIDENCE or reading.lower == reading.upper:
        return ""
    return percent(reading.confidence)


def percent(share: float) -> str:
    """A confidence in percent, never rounded up to certainty."""
    return f"{figure(100 * share, 100.0)} %"


def _mistakes(label: str, said: dict[str, str]) -> Mistakes:
    return Mistakes(
        label=label,
        flips=plain(said.get("flips_right_to_wrong", "?")),
        by_class=plain(said["flips_by_class"]),
        error_before=_short(said.get("reference_calibration_error")),
        error_after=_short(said.get("calibration_error")),
        alarm=ALARM in said,
    )


def _short(number: str | None) -> str:
    """A written number with few digits; what is none is shown as it is."""
    if number is None:
        return "unknown"
    try:
        return figure(float(number))
    except ValueError:
        return plain(number)

"""The record of a search: what was tried, on which grounds it was kept or fell. Pure.

Standings come from tuning data and a quick look at latency. What this module does not do: a
standing is no verdict. Nothing here is released; what a search keeps is judged by the gate, on
data that the search never saw.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from weighin.gates.variant import Format


class Standing(StrEnum):
    """How a file stands on a device after the search has looked at it."""

    SURE = "sure"
    """Every budget holds, on the tuning data too."""

    LIKELY = "likely"
    """Every budget would hold if the gate's rows, being more, showed the same."""

    OPEN = "open"
    """No budget is broken, but one cannot be said to hold."""

    FELL = "fell"
    """A budget is broken."""

    @property
    def fits(self) -> bool:
        """Whether the gate may be expected to pass it."""
        return self in (Standing.SURE, Standing.LIKELY)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceStanding:
    """One file on one device.

    Attributes:
        device: Name of the device profile.
        standing: How it stands.
        open_checks: How many budgets do not hold, of those that were looked at.
        overshoot: The largest share of a budget among those; infinite if there is none.
        latency_ms: p90 as estimated by the search, if it was.
        reason: What decided, in one line.
    """

    device: str
    standing: Standing
    open_checks: int
    overshoot: float
    latency_ms: float | None
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One recipe in one format, tried.

    Attributes:
        recipe: Its canonical name.
        format: The file's.
        size_bytes: Length of the file; ``None`` if none could be made.
        drop_points: Accuracy lost on the tuning data, in percentage points, if it was measured.
        drop_at_most: Upper end of that as the gate, with its number of rows, would see it.
        accurate: Whether it holds the accuracy budget of some device; ``None`` if it fell before
            that was measured.
        dominated: Whether the float32 file is faster, or as good on every budgeted axis.
        devices: How it stands on each; none if there is no file.
        reason: Why there is no file; empty if there is one.
    """

    recipe: str
    format: Format
    size_bytes: int | None
    drop_points: float | None
    drop_at_most: float | None
    accurate: bool | None
    dominated: bool
    devices: tuple[DeviceStanding, ...]
    reason: str

    @property
    def label(self) -> str:
        """How people call the file: ``int8.tflite``."""
        return f"{self.recipe}{self.format.suffix}"

    def on(self, device: str) -> DeviceStanding | None:
        """How it stands on one device."""
        return next((one for one in self.devices if one.device == device), None)

    def fits(self, device: str) -> bool:
        """Whether the gate may be expected to pass it there."""
        found = self.on(device)
        return found is not None and found.standing.fits


@dataclass(frozen=True, slots=True, kw_only=True)
class Round:
    """One question of the search: the recipes that were tried together, and why these.

    Attributes:
        question: Why they were tried, in words.
        recipes: Canonical names.
        trains: Whether any of them needed training.
        seconds: What the answer cost, wall time.
        trials: The answer: one per recipe and format.
    """

    question: str
    recipes: tuple[str, ...]
    trains: bool
    seconds: float
    trials: tuple[Trial, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRecord:
    """A whole search.

    Attributes:
        minutes: The time that it was given.
        rounds: What was asked, in order.
        ended: Why it asked no more.
        kept: The recipes that went to the gate, best first.
    """

    minutes: float
    rounds: tuple[Round, ...]
    ended: str
    kept: tuple[str, ...]

    @property
    def trials(self) -> tuple[Trial, ...]:
        """Everything that was tried, in order."""
        return tuple(trial for one in self.rounds for trial in one.trials)

    @property
    def seconds(self) -> float:
        """What the search took, wall time, over all runs that it was resumed in."""
        return sum(one.seconds for one in self.rounds)


def best(trials: Sequence[Trial], device: str) -> Trial | None:
    """The smallest file that fits a device; one that float32 dominates only if need be."""
    fitting = [trial for trial in trials if trial.fits(device)]
    return min(fitting, key=lambda t: (t.dominated, size_of(t), t.label), default=None)


def nearest_miss(trials: Sequence[Trial], device: str) -> Trial | None:
    """What came closest to a device that nothing fits; ``None`` if something does."""
    if any(trial.fits(device) for trial in trials):
        return None
    judged = [trial for trial in trials if trial.on(device) is not None]
    return min(judged, key=lambda trial: miss_of(trial, device), default=None)


def miss_of(trial: Trial, device: str) -> tuple[bool, int, float, int]:
    """How far a file is from fitting a device: smaller is nearer."""
    found = trial.on(device)
    if found is None:
        return True, 0, math.inf, size_of(trial)
    fell = found.standing is Standing.FELL
    return fell, found.open_checks, found.overshoot, size_of(trial)


def size_of(trial: Trial) -> int:
    """Bytes; more than any file has if there is none."""
    return trial.size_bytes if trial.size_bytes is not None else 2**62

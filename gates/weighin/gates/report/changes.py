"""What changed between two weigh-ins of a model: before and after, device by device. Pure.

A difference counts only if the intervals are apart and both numbers were obtained alike: of the
same origin, and for accuracy on the same rows. Everything else is "no difference can be told".
Intervals hold within one weigh-in. Between two, a machine's speed may have moved as well, so a
small step in a measured time is weaker than it looks.

What this module does not do: it judges nothing, and it knows no channel. Whoever calls it says
which weigh-in is the earlier one.
"""

from dataclasses import dataclass
from enum import StrEnum

from weighin.gates.measurement import Measurement
from weighin.gates.metric import MAY_BE_NEGATIVE, OF_THE_FILE, Metric
from weighin.gates.report import summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.verdict_words import Standing, fate_on
from weighin.gates.weigh_in import Result, WeighIn

SHOWN = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS, Metric.LATENCY_P90_MS)
MORE = (Metric.PEAK_MEMORY_MIB, Metric.ENERGY_MJ)


class Step(StrEnum):
    """What can be said of two numbers; less is better for every metric."""

    BETTER = "better"
    WORSE = "worse"
    SAME = "the same"
    UNCLEAR = "no difference can be told"
    UNLIKE = "obtained differently, so no difference can be told"
    ONE_SIDED = "known on one side only"


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One metric of what a device gets, before and after.

    Attributes:
        metric: Which.
        before: What the earlier file has; ``None`` if that is not known.
        after: What this one has; ``None`` if that is not known.
        step: What can be said of the two.
    """

    metric: Metric
    before: Measurement | None
    after: Measurement | None
    step: Step

    @property
    def percent(self) -> float | None:
        """By how much it grew, in percent; ``None`` where a share means nothing."""
        if self.before is None or self.after is None or self.metric in MAY_BE_NEGATIVE:
            return None
        if self.before.value <= 0:
            return None
        return 100 * (self.after.value / self.before.value - 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceChange:
    """What one device got, and what it gets now.

    Attributes:
        device: Its name.
        before: The variant that it got; ``None`` if none passed, or it was no target.
        after: The variant that it gets; ``None`` if there is none, or it is no target any more.
        was_target: Whether the earlier weigh-in looked at it.
        is_target: Whether this one does.
        by_waiver: Whether it gets its variant only by waiver.
        changes: Per metric, if it has a file on both sides.
    """

    device: str
    before: Result | None
    after: Result | None
    was_target: bool
    is_target: bool
    by_waiver: bool
    changes: tuple[Change, ...]

    @property
    def lost(self) -> bool:
        """Whether it had a file and has none now."""
        return self.before is not None and self.after is None

    @property
    def won(self) -> bool:
        """Whether it has a file and had none."""
        return self.before is None and self.after is not None

    @property
    def is_same(self) -> bool:
        """Whether it gets the very same file, or as before none at all."""
        if self.before is None or self.after is None:
            return self.before is self.after
        return self.before.variant.sha256 == self.after.variant.sha256


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """What changed between two weigh-ins.

    Attributes:
        before: The earlier weigh-in.
        after: This one.
        same_data: Whether both judged on the same evaluation rows.
        devices: Each device of either, those of this weigh-in first.
    """

    before: WeighIn
    after: WeighIn
    same_data: bool
    devices: tuple[DeviceChange, ...]


def changes_since(before: WeighIn, after: WeighIn, context: Context = PLAIN) -> Changes:
    """What each device got before and gets now.

    Args:
        before: The earlier weigh-in, such as the released one.
        after: This weigh-in.
        context: For its waivers; they speak of this weigh-in only.
    """
    same_data = _evaluated_on(before) == _evaluated_on(after)
    gone = [device for device in before.devices if device not in after.devices]
    found = (
        _device_change(before, after, device, context, same_data=same_data)
        for device in (*after.devices, *gone)
    )
    return Changes(before=before, after=after, same_data=same_data, devices=tuple(found))


def step_between(
    before: Measurement | None, after: Measurement | None, *, same_data: bool = True
) -> Step:
    """What can be said of two readings of one metric."""
    if before is None or after is None:
        return Step.ONE_SIDED
    of_rows = before.metric in OF_THE_FILE - {Metric.SIZE_MIB}
    if before.origin is not after.origin or (of_rows and not same_data):
        return Step.UNLIKE
    if after.upper < before.lower:
        return Step.BETTER
    if after.lower > before.upper:
        return Step.WORSE
    exact = before.lower == before.upper == after.lower == after.upper
    return Step.SAME if exact else Step.UNCLEAR


def _device_change(
    before: WeighIn, after: WeighIn, device: str, context: Context, *, same_data: bool
) -> DeviceChange:
    had = summary.smallest_pass(before, device)
    fate = fate_on(after, device, context)
    got = fate.result if fate.miss is None else None
    changes = (
        _change(had, got, device, metric, same_data=same_data)
        for metric in (*SHOWN, *MORE)
        if had is not None and got is not None
    )
    return DeviceChange(
        device=device,
        before=had,
        after=got,
        was_target=device in before.devices,
        is_target=device in after.devices,
        by_waiver=fate.standing is Standing.WAIVED,
        changes=tuple(one for one in changes if one.before or one.after),
    )


def _change(had: Result, got: Result, device: str, metric: Metric, *, same_data: bool) -> Change:
    earlier, later = _known(had, device, metric), _known(got, device, metric)
    step = step_between(earlier, later, same_data=same_data)
    return Change(metric=metric, before=earlier, after=later, step=step)


def _known(result: Result, device: str, metric: Metric) -> Measurement | None:
    reading = summary.reading_on(result, device, metric)
    return reading if isinstance(reading, Measurement) else None


def _evaluated_on(weigh_in: WeighIn) -> frozenset[str]:
    return frozenset(data.sha256 for data in weigh_in.data if data.role == "evaluation")

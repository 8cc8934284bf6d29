"""Which released file a new one is held against, and which budgets then apply. Pure.

For one device: the file itself if the channel offers it there; else the best of its format; else
the best of any. Where the channel offers nothing for the device, there is nothing to regress from.
"""

from collections.abc import Iterable

from weighin.gates.measurement import Measurement, Reading, Unreadable
from weighin.gates.metric import VS_RELEASE, Budget, Metric
from weighin.gates.variant import Variant
from weighin.registry.release import Release, ReleasedVariant


def baseline_of(release: Release | None, device: str, variant: Variant) -> ReleasedVariant | None:
    """The released file that a variant is compared with on a device; ``None`` if there is none."""
    if release is None:
        return None
    same = (v for v in release.variants if v.sha256 == variant.sha256 and v.approval_for(device))
    return next(same, None) or release.best_for(device, variant.format) or release.best_for(device)


def regresses(release: Release | None, device: str, variant: Variant) -> ReleasedVariant | None:
    """The released file that a variant may fall behind: none if it is offered there itself."""
    baseline = baseline_of(release, device, variant)
    return None if baseline is None or baseline.sha256 == variant.sha256 else baseline


def applied(budgets: Iterable[Budget], baseline: ReleasedVariant | None) -> tuple[Budget, ...]:
    """The budgets that hold: without a file to fall behind, none that is relative to one."""
    return tuple(b for b in budgets if baseline is not None or b.metric not in VS_RELEASE)


def believed(
    readings: Iterable[Reading],
    budgets: Iterable[Budget],
    release: Release | None,
    baseline: ReleasedVariant | None,
    again: str,
) -> tuple[Reading, ...]:
    """The readings, with a reason in place of every comparison that is not with today's release.

    Args:
        readings: What a statement says.
        budgets: The budgets that are applied.
        release: What the channel offers.
        baseline: The file of it that counts for this variant and device.
        again: The command that compares anew.
    """
    known = tuple(readings)
    if release is None or baseline is None:
        return known
    offered = f"v{release.version} {baseline.label} ({baseline.sha256[:12]})"
    checked = tuple(_checked(one, baseline.sha256, offered, again) for one in known)
    have = {reading.metric for reading in known}
    missing = (b.metric for b in budgets if b.metric in VS_RELEASE and b.metric not in have)
    return (*checked, *(_never(metric, offered, again) for metric in missing))


def _checked(reading: Reading, sha256: str, offered: str, again: str) -> Reading:
    if not isinstance(reading, Measurement) or reading.metric not in VS_RELEASE:
        return reading
    if reading.baseline is not None and reading.baseline.sha256 == sha256:
        return reading
    what = "nothing" if reading.baseline is None else reading.baseline.sha256[:12]
    reason = f"compared with {what}, but the channel offers {offered}: {again}"
    return Unreadable(metric=reading.metric, reason=reason)


def _never(metric: Metric, offered: str, again: str) -> Unreadable:
    reason = f"never compared with {offered}, which the channel offers now: {again}"
    return Unreadable(metric=metric, reason=reason)

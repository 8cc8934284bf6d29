"""A waiver: a named person lets one budget of one weigh-in go, for a while. Pure.

A waiver is no pass. The outcome of a waived check stays what its evidence says; a verdict that is
not ``PASS`` only because of waived checks may be released all the same, and every report and the
release itself say so. Numbers and gaps can be waived. Evidence that is wrong (of another file,
device, runtime or time, or at odds with itself) cannot, whoever says so.

What this module does not do: it reads no comment and checks no signature.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from weighin.gates.belief import fault_of
from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.measurement import Unreadable
from weighin.gates.metric import Metric


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiver:
    """One budget that one person let go.

    Attributes:
        model: Registered model name.
        version: Registered model version.
        plan_digest: The plan of the weigh-in that was looked at; under another plan it is void.
        metric: The budget's metric.
        device: The device it holds for; ``None``: every device.
        reason: In the person's words, one line.
        by: Their login.
        url: The comment in which they said so.
        issued_at: When they said so, UTC.
        expires_at: From when on it is void, UTC.
    """

    model: str
    version: str
    plan_digest: str
    metric: Metric
    device: str | None
    reason: str
    by: str
    url: str
    issued_at: datetime
    expires_at: datetime

    def covers(self, check: Check, now: datetime) -> bool:
        """Whether it lets this check go, at that time."""
        same = check.budget.metric is self.metric
        here = same and self.device in {None, check.subject.device}
        return here and self.holds(now) and bar_to_waiving(check) is None

    def holds(self, now: datetime) -> bool:
        """Whether it was issued and has not expired."""
        return self.issued_at <= now < self.expires_at


def bar_to_waiving(check: Check) -> str | None:
    """Why nobody may let a check go; ``None`` if a named person may.

    May be waived: a number above its budget, an interval across it, a number that is not there,
    and one from a lower origin than asked for. In all of these it is known what is not known.
    """
    if len(check.readings) > 1:
        return f"{len(check.readings)} readings contradict"
    reading = check.reading
    if isinstance(reading, Unreadable):
        return None
    return fault_of(reading, check.subject, check.moment)


def waived(
    verdict: Verdict, waivers: Iterable[Waiver], now: datetime
) -> tuple[tuple[Check, Waiver], ...]:
    """What lets a verdict through that is not ``PASS``; empty if nothing does, or needs to.

    Args:
        verdict: Of one variant on one device.
        waivers: Those of this very weigh-in.
        now: The time that they must hold at.
    """
    known = tuple(waivers)
    open_checks = [check for check in verdict.checks if check.outcome is not Outcome.PASS]
    pairs = [
        (check, waiver)
        for check in open_checks
        if (waiver := next((w for w in known if w.covers(check, now)), None)) is not None
    ]
    whole = len(pairs) == len(open_checks) < len(verdict.checks)
    return tuple(pairs) if whole else ()

"""Waivers and changed budgets in words: who let what go, until when, and whether it still holds.

What this module does not do: it escapes nothing, and it decides nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from weighin.gates.report.context import Context, PlanChange
from weighin.gates.report.verdict_words import fates, moment_of, waivers_of
from weighin.gates.report.words import METRIC_WORDS
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn


@dataclass(frozen=True, slots=True, kw_only=True)
class WaiverLine:
    """One waiver as a reader needs it.

    Attributes:
        waiver: The record.
        opens: The devices that only it, alone or with others, lets a variant through on.
        holds: Whether it holds now.
        expired: Whether it held once.
    """

    waiver: Waiver
    opens: tuple[str, ...]
    holds: bool
    expired: bool

    @property
    def budget(self) -> str:
        """``latency p90``."""
        return METRIC_WORDS[self.waiver.metric].name

    @property
    def until(self) -> str:
        """``until 2026-12-06 12:00 UTC``, or why it is void."""
        shown = f"{self.waiver.expires_at:%Y-%m-%d %H:%M} UTC"
        if self.expired:
            return f"void, expired {shown}"
        return f"until {shown}" if self.holds else "void, not issued yet"

    @property
    def where(self) -> str:
        """The device it was given for."""
        return "every device" if self.waiver.device is None else self.waiver.device

    @property
    def effect(self) -> str:
        """What it does."""
        if self.opens:
            return f"opens {', '.join(self.opens)}"
        return "opens nothing" if self.holds else "nothing any more"


def waiver_lines(weigh_in: WeighIn, context: Context) -> tuple[WaiverLine, ...]:
    """Every waiver of this weigh-in, those that open something first."""
    now = moment_of(weigh_in, context)
    opened = [
        (waiver, fate.device) for fate in fates(weigh_in, context) for _, waiver in fate.waived
    ]
    lines = [
        WaiverLine(
            waiver=waiver,
            opens=tuple(dict.fromkeys(device for one, device in opened if one == waiver)),
            holds=waiver.holds(now),
            expired=now >= waiver.expires_at,
        )
        for waiver in waivers_of(weigh_in, context)
    ]
    return tuple(sorted(lines, key=lambda line: (not line.opens, not line.holds)))


def loosened(context: Context) -> tuple[PlanChange, ...]:
    """The changed keys under which something could pass that does not pass without them."""
    return tuple(change for change in context.changes if change.looser)


def plan_lines(context: Context) -> Iterator[tuple[PlanChange, str]]:
    """Every changed key, loosened ones first, with what is done to it."""
    for change in sorted(context.changes, key=lambda one: not one.looser):
        yield change, "looser" if change.looser else "not looser"

"""Shares of users in words, the same in every rendering of a weigh-in.

What this module does not do: it escapes nothing; whoever renders does.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from weighin.gates.fleet import Fleet, FleetPart, Share, of_best, of_variant, part_outcome, share
from weighin.gates.judge import Outcome
from weighin.gates.report.words import count, figure
from weighin.gates.weigh_in import WeighIn

OTHER = "other phones"
_MOST_VARIANTS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetReport:
    """What there is to say about the users of one weigh-in.

    Attributes:
        fleet: Who they are.
        served: Their shares if each device gets what passes there.
        outcome: Of the budget on the share; ``None`` where there is none.
        by_variant: Label and shares of each variant by itself, the widest first.
        parts: Each share of the fleet with its fate and the number of its phones weighed for.
    """

    fleet: Fleet
    served: Share
    outcome: Outcome | None
    by_variant: tuple[tuple[str, Share], ...]
    parts: tuple[tuple[FleetPart, Outcome | None, int], ...]


def fleet_report(weigh_in: WeighIn) -> FleetReport | None:
    """The shares of a weigh-in; ``None`` if nobody said who the users are."""
    fleet, served = weigh_in.fleet, weigh_in.fleet_share
    if fleet is None or served is None:
        return None
    outcomes, devices = weigh_in.outcomes, weigh_in.devices
    labels = [result.variant.label for result in weigh_in.results]
    alone = ((label, share(fleet, of_variant(label, outcomes, devices))) for label in labels)
    best = of_best(outcomes, devices)
    return FleetReport(
        fleet=fleet,
        served=served,
        outcome=weigh_in.fleet_outcome,
        by_variant=tuple(sorted(alone, key=lambda one: (-one[1].passed, one[0]))),
        parts=tuple(
            (part, part_outcome(part, best), sum(device in best for device in part.devices))
            for part in fleet.parts
        ),
    )


def served_words(told: FleetReport) -> str:
    """``62 % of users are served and 31 % undecided, at least 90 % must be``."""
    least = told.fleet.at_least_percent
    words = f"{_percent(told.served.passed, least)} of users are served"
    if told.served.undecided:
        words += f" and {_percent(told.served.undecided)} undecided"
    return words if least is None else f"{words}, at least {_percent(least)} must be"


def share_words(of: Share) -> str:
    """All four shares, those of nobody left out: ``93 %, 4 % undecided, 3 % not covered``."""
    rest = (
        (of.undecided, "undecided"),
        (of.failed, "failed"),
        (of.not_covered, "not covered"),
    )
    more = [f"{_percent(percent)} {name}" for percent, name in rest if percent]
    return ", ".join([_percent(of.passed), *more])


def part_words(part: FleetPart, outcome: Outcome | None, weighed: int) -> str:
    """``12.5 % of users: undecided``, and for a class how many of its phones were weighed for."""
    fate = "not weighed for, so not covered"
    if outcome is not None:
        fate = {Outcome.PASS: "served", Outcome.FAIL: "failed"}.get(outcome, "undecided")
    of_class = ""
    if part.devices != (part.name,):
        of_class = f" ({weighed} of its {count(len(part.devices), 'phone')} weighed for)"
    return f"{_percent(part.percent)} of users: {fate}{of_class}"


def other_words(fleet: Fleet) -> str:
    """The users whom the fleet does not name."""
    return f"{_percent(fleet.other_percent)} of users: not covered"


def source_words(fleet: Fleet) -> str:
    """Who counted, and when."""
    return f"{fleet.source}, as of {fleet.as_of.isoformat()}"


def fleet_lines(weigh_in: WeighIn) -> Iterator[tuple[str, str]]:
    """The shares as names with a text each, for where there is little room."""
    told = fleet_report(weigh_in)
    if told is None:
        return
    if told.outcome is not None:
        yield "budget", f"{told.outcome.value}: {served_words(told)}"
    yield "each its best file", share_words(told.served)
    for label, alone in told.by_variant[:_MOST_VARIANTS]:
        yield label, share_words(alone)
    if (more := len(told.by_variant) - _MOST_VARIANTS) > 0:
        yield "others", f"{count(more, 'file')} that reach no more users"
    for part, outcome, weighed in told.parts:
        if outcome is not Outcome.PASS:
            yield part.name, part_words(part, outcome, weighed)
    if told.fleet.other_percent:
        yield OTHER, other_words(told.fleet)
    yield "counted by", source_words(told.fleet)


def _percent(percent: float, beside: float | None = None) -> str:
    return f"{figure(percent, beside)} %"

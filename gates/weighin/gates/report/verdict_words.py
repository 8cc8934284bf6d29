"""Where a device and the whole stand once waivers and trust count, and the headline that says so.

Outcomes come from evidence alone. A reader has to know two things more: whether a person let a
budget go, and whether the numbers may be believed at all. An untrusted weigh-in is undecided
everywhere, whatever its numbers claim.

What this module does not do: it changes no outcome, and it escapes nothing.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from weighin.gates.judge import Check, Outcome, Verdict
from weighin.gates.report import summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.words import count, plain
from weighin.gates.waiver import Waiver, waived
from weighin.gates.weigh_in import Result, WeighIn

Pairs = tuple[tuple[Check, Waiver], ...]


class Standing(StrEnum):
    """What a reader has to know of a verdict, a device or the whole."""

    PASS = "PASS"  # noqa: S105 - not a password
    WAIVED = "WAIVED"
    FAIL = "FAIL"
    UNDECIDED = "UNDECIDED"


SIGNS = {
    Standing.PASS: "✅",
    Standing.WAIVED: "🔴",
    Standing.FAIL: "❌",
    Standing.UNDECIDED: "❔",
}
MARKS = {Standing.PASS: "✓", Standing.WAIVED: "!", Standing.FAIL: "✗", Standing.UNDECIDED: "?"}
_WORST_FIRST = (Standing.FAIL, Standing.UNDECIDED, Standing.WAIVED, Standing.PASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fate:
    """What becomes of one device.

    Attributes:
        device: Its name.
        standing: Where it stands.
        result: The variant that it gets, or the one that came nearest; ``None`` without verdicts.
        miss: The check that stopped that variant; ``None`` if none did.
        waived: What let that variant through, if only waivers did.
    """

    device: str
    standing: Standing
    result: Result | None
    miss: Check | None = None
    waived: Pairs = ()


def moment_of(weigh_in: WeighIn, context: Context) -> datetime:
    """The time at which waivers must hold."""
    return weigh_in.finished_at if context.now is None else context.now


def waivers_of(weigh_in: WeighIn, context: Context) -> tuple[Waiver, ...]:
    """Those that speak of this very weigh-in, whether or not they still hold."""
    same = (weigh_in.model, weigh_in.version, weigh_in.plan_digest)
    return tuple(w for w in context.waivers if (w.model, w.version, w.plan_digest) == same)


def pairs_of(weigh_in: WeighIn, verdict: Verdict, context: Context) -> Pairs:
    """The waivers that let a verdict through; none if it needs none, or is not to be believed."""
    known = waivers_of(weigh_in, context)
    if context.untrusted or not known:
        return ()
    return waived(verdict, known, moment_of(weigh_in, context))


def standing_of(weigh_in: WeighIn, verdict: Verdict, context: Context) -> Standing:
    """Where one variant stands on one device."""
    if context.untrusted:
        return Standing.UNDECIDED
    if pairs_of(weigh_in, verdict, context):
        return Standing.WAIVED
    return Standing(verdict.outcome.value)


def fate_on(weigh_in: WeighIn, device: str, context: Context = PLAIN) -> Fate:
    """What becomes of one device: a pass, else what waivers let through, else the nearest miss."""
    best = summary.smallest_pass(weigh_in, device)
    if best is not None:
        standing = Standing.UNDECIDED if context.untrusted else Standing.PASS
        return Fate(device=device, standing=standing, result=best)
    through = _let_through(weigh_in, device, context)
    if through is not None:
        result, pairs = through
        return Fate(device=device, standing=Standing.WAIVED, result=result, waived=pairs)
    outcome = summary.device_outcome(weigh_in, device)
    standing = Standing.UNDECIDED if context.untrusted else Standing(outcome.value)
    found = summary.nearest_miss(weigh_in, device)
    if found is None:
        return Fate(device=device, standing=standing, result=None)
    return Fate(device=device, standing=standing, result=found[0], miss=found[1])


def fates(weigh_in: WeighIn, context: Context = PLAIN) -> tuple[Fate, ...]:
    """Every device's, in the plan's order."""
    return tuple(fate_on(weigh_in, device, context) for device in weigh_in.devices)


def worst_first(found: tuple[Fate, ...]) -> tuple[Fate, ...]:
    """The same, what somebody must do something about first; else in the order given."""
    return tuple(sorted(found, key=lambda fate: _WORST_FIRST.index(fate.standing)))


def only_by_waiver(weigh_in: WeighIn, context: Context) -> tuple[str, ...]:
    """The devices that nothing passed on, but that a waiver opens."""
    known = fates(weigh_in, context)
    return tuple(fate.device for fate in known if fate.standing is Standing.WAIVED)


def overall(weigh_in: WeighIn, context: Context = PLAIN) -> Standing:
    """Where the whole stands; ``WAIVED`` if nothing may ship but by waiver."""
    if context.untrusted:
        return Standing.UNDECIDED
    outcome = summary.overall_outcome(weigh_in)
    users = weigh_in.fleet_outcome in {None, Outcome.PASS}
    if outcome is not Outcome.PASS and users and only_by_waiver(weigh_in, context):
        return Standing.WAIVED
    return Standing(outcome.value)


def headline(
    weigh_in: WeighIn, context: Context = PLAIN, spell: Callable[[str], str] = plain
) -> str:
    """The verdict in words, on one line, waivers and trust counted in.

    Args:
        weigh_in: What is spoken of.
        context: What else is known.
        spell: How the output format writes a name or a text that nobody vouches for.
    """
    name = spell(f"{weigh_in.model} v{weigh_in.version}")
    if context.untrusted:
        return (
            f"{name} is undecided: {spell(context.untrusted)}. "
            "Its numbers are claims and decide nothing."
        )
    waived_on = only_by_waiver(weigh_in, context)
    named = f"{', '.join(map(spell, waived_on[:5]))}{' and more' if waived_on[5:] else ''}"
    if overall(weigh_in, context) is Standing.WAIVED:
        return f"{name} may ship only by waiver, on {named}: no variant passed by itself."
    spoken = summary.sentence(weigh_in, spell, except_for=waived_on)
    if not waived_on or not weigh_in.may_ship:
        return summary.sentence(weigh_in, spell)
    return f"{spoken} Only by waiver: {named}."


def doubt_words(weigh_in: WeighIn, context: Context) -> str:
    """How many signed statements nobody may rely on, and why; empty if all hold or none is known.

    ``4 of 56 statements cannot be relied on: 4 signed by no trusted key``.
    """
    now = moment_of(weigh_in, context)
    unsigned = sum(not one.keyid for one in context.signatures)
    expired = sum(bool(one.keyid) and one.expires_at <= now for one in context.signatures)
    told = [
        f"{number} {why}"
        for number, why in ((unsigned, "signed by no trusted key"), (expired, "expired"))
        if number
    ]
    if not told:
        return ""
    known = count(len(context.signatures), "statement")
    return f"{unsigned + expired} of {known} cannot be relied on: {', '.join(told)}"


def _let_through(weigh_in: WeighIn, device: str, context: Context) -> tuple[Result, Pairs] | None:
    """The variant that needs the fewest waivers there, the smallest of several."""
    found: list[tuple[Result, Pairs]] = []
    for result in weigh_in.results:
        verdict = summary.verdict_on(result, device)
        pairs = () if verdict is None else pairs_of(weigh_in, verdict, context)
        if pairs:
            found.append((result, pairs))
    return min(
        found,
        key=lambda one: (len(one[1]), one[0].variant.size_bytes, one[0].variant.label),
        default=None,
    )

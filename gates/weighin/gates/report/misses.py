"""Why devices get nothing: one record per budget in the way. Pure.

Other tools take these: SARIF, annotations, JUnit. A device that gets a file has no miss. One that
gets none always has at least one, even if every single budget was held by some variant: then the
budgets that the nearest variant broke. Nothing judged, no budgets, and numbers that cannot be
believed are misses too.

What this module does not do: it escapes nothing.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from weighin.gates.judge import Check, Outcome
from weighin.gates.metric import Metric
from weighin.gates.report import summary
from weighin.gates.report.context import PLAIN, Context
from weighin.gates.report.fleet_words import fleet_report, served_words
from weighin.gates.report.verdict_words import Fate, Standing, fates
from weighin.gates.report.words import count, plain
from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One budget that stands between one device and a file.

    Attributes:
        device: Its name; ``None`` for the share of users that must be served.
        metric: The budget's; ``None`` if it is no single budget.
        standing: ``FAIL``, ``UNDECIDED``, or ``WAIVED`` if a person let it go.
        why: What happened, with units.
        label: The nearest variant, or the one that was let through; empty if there is none.
        own: Whether ``why`` is in our words only; else it may hold other people's.
        waiver: Who let it go, if somebody did.
    """

    device: str | None
    metric: Metric | None
    standing: Standing
    why: str
    label: str = ""
    own: bool = False
    waiver: Waiver | None = None

    @property
    def words(self) -> str:
        """What happened, and to which variant."""
        return f"{self.why}; the nearest variant is {self.label}" if self.label else self.why

    @property
    def where(self) -> str:
        """The device, or what the budget is on."""
        return "the share of users" if self.device is None else plain(self.device)


def misses(weigh_in: WeighIn, context: Context = PLAIN) -> tuple[Miss, ...]:
    """Every miss, device by device in the plan's order."""
    found = [miss for fate in fates(weigh_in, context) for miss in of_fate(weigh_in, fate, context)]
    return (*found, *_of_users(weigh_in, context))


def of_fate(weigh_in: WeighIn, fate: Fate, context: Context = PLAIN) -> Iterator[Miss]:
    """The misses of one device; none if it gets a file by itself."""
    if context.untrusted:
        yield _whole(fate, f"not to be believed: {plain(context.untrusted)}")
    elif fate.standing is Standing.WAIVED:
        for check, waiver in fate.waived:
            yield _miss(fate, check, Standing.WAIVED, waiver)
    elif fate.standing is not Standing.PASS:
        broken = list(_broken(fate))
        for check in broken:
            yield _miss(fate, check, Standing(check.outcome.value), None)
        if not broken:
            yield _whole(fate, _nothing(weigh_in))


def _broken(fate: Fate) -> Iterator[Check]:
    """What the nearest variant broke; there may be none near."""
    verdict = None if fate.result is None else summary.verdict_on(fate.result, fate.device)
    for check in verdict.checks if verdict else ():
        if check.outcome is not Outcome.PASS:
            yield check


def _miss(fate: Fate, check: Check, standing: Standing, waiver: Waiver | None) -> Miss:
    return Miss(
        device=fate.device,
        metric=check.budget.metric,
        standing=standing,
        why=summary.why(check),
        label="" if fate.result is None else plain(fate.result.variant.label),
        own=check.objection is None and check.decided is None,
        waiver=waiver,
    )


def _whole(fate: Fate, words: str) -> Miss:
    return Miss(device=fate.device, metric=None, standing=fate.standing, why=words)


def _nothing(weigh_in: WeighIn) -> str:
    if not weigh_in.results:
        return f"no variant was built ({count(len(weigh_in.failures), 'build')} failed)"
    return "nothing was judged: no variant was held against a budget"


def _of_users(weigh_in: WeighIn, context: Context) -> Iterator[Miss]:
    told = fleet_report(weigh_in)
    if told is None or told.outcome in {None, Outcome.PASS} or context.untrusted:
        return
    standing = Standing.FAIL if told.outcome is Outcome.FAIL else Standing.UNDECIDED
    yield Miss(device=None, metric=None, standing=standing, why=served_words(told), own=True)

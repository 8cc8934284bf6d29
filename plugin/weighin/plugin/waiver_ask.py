"""From comments on a pull request to waivers of one weigh-in, or why not. Pure.

What this module does not do: it signs nothing and keeps nothing (:mod:`weighin.plugin.waivers`
does), and it fetches no comment.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from weighin.gates.judge import Check, Outcome
from weighin.gates.waiver import Waiver, bar_to_waiving
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.config import FILE_NAME, ReviewConfig
from weighin.plugin.github.records import Comment
from weighin.plugin.waiver_command import (
    RefusedAsk,
    WaiverAsk,
    parse_waiver_command,
    shortened,
)

_OUR_OWN = "<!-- weighin:"
_BOT = "[bot]"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefusedWaiver:
    """A waiver that somebody asked for in vain.

    Attributes:
        said: The command as it was written, shortened.
        why: Why it is none.
        by: Who asked.
        url: The comment.
    """

    said: str
    why: str
    by: str
    url: str

    @property
    def words(self) -> str:
        """In one line; nobody vouches for what was written, so renderers escape it."""
        return f"{shortened(self.by)} asked in vain for a waiver ({self.said}): {self.why}"


def waivers_from_comments(
    comments: Iterable[Comment], config: ReviewConfig, weigh_in: WeighIn, now: datetime
) -> tuple[Waiver | RefusedWaiver, ...]:
    """Every waiver that is asked for in comments, in order, or why it is refused.

    Args:
        comments: Of the pull request of this weigh-in.
        config: Of the branch that is merged into; a pull request's own names nobody.
        weigh_in: What the commenters looked at.
        now: The time, UTC.
    """
    return tuple(
        asked
        for comment in comments
        if not comment.body.startswith(_OUR_OWN)
        for asked in _of_comment(comment, config, weigh_in, now)
    )


def may_waive(login: str, config: ReviewConfig) -> bool:
    """Whether ``weighin.toml`` names somebody; GitHub does not tell upper from lower case."""
    named = {name.removeprefix("@").casefold() for name in config.waivers}
    return bool(login) and not login.endswith(_BOT) and login.casefold() in named


def _of_comment(
    comment: Comment, config: ReviewConfig, weigh_in: WeighIn, now: datetime
) -> Iterator[Waiver | RefusedWaiver]:
    asks = parse_waiver_command(comment.body)
    why_not = _objection(comment, config, weigh_in, now) if asks else ""
    for ask in asks:
        if isinstance(ask, RefusedAsk):
            yield _refused(ask.said, why_not or ask.why, comment)
        elif why := why_not or _no_use(ask, weigh_in):
            yield _refused(_in_words(ask), why, comment)
        else:
            yield _waiver(ask, comment, config, weigh_in)


def _objection(comment: Comment, config: ReviewConfig, weigh_in: WeighIn, now: datetime) -> str:
    """Why nothing that this comment asks for is granted; empty if it may be."""
    if not may_waive(comment.author, config):
        return f"they are not named in {FILE_NAME}, [review] waivers, of the base branch"
    if comment.edited:
        return "the comment was edited afterwards; write a new one"
    if comment.created_at > now:
        return "its time is in the future"
    if comment.created_at < weigh_in.finished_at:
        return (
            "it was written before these numbers were there "
            f"({weigh_in.finished_at:%Y-%m-%d %H:%M} UTC); look at them and write a new one"
        )
    if now >= comment.created_at + timedelta(days=config.waiver_days):
        return f"it is older than {config.waiver_days} days; write a new one"
    return ""


def _no_use(ask: WaiverAsk, weigh_in: WeighIn) -> str:
    """Why there is nothing to waive; empty if there is."""
    if ask.device is not None and ask.device not in weigh_in.devices:
        return (
            f"there is no device {shortened(ask.device)!r}; devices: {', '.join(weigh_in.devices)}"
        )
    here = [c for c in _checks(weigh_in) if ask.device in {None, c.subject.device}]
    asked = [c for c in here if c.budget.metric is ask.metric]
    if not asked:
        budgets = ", ".join(sorted({c.budget.metric for c in here})) or "none"
        return f"no budget asks for {ask.metric} there; budgets: {budgets}"
    still_open = [check for check in asked if check.outcome is not Outcome.PASS]
    if not still_open:
        return f"there is nothing to waive: every check of {ask.metric} passes there"
    bars = [bar_to_waiving(check) for check in still_open]
    return "" if None in bars else f"this cannot be waived: {bars[0]}"


def _checks(weigh_in: WeighIn) -> Iterator[Check]:
    for result in weigh_in.results:
        for verdict in result.verdicts:
            yield from verdict.checks


def _waiver(ask: WaiverAsk, comment: Comment, config: ReviewConfig, weigh_in: WeighIn) -> Waiver:
    return Waiver(
        model=weigh_in.model,
        version=weigh_in.version,
        plan_digest=weigh_in.plan_digest,
        metric=ask.metric,
        device=ask.device,
        reason=ask.reason,
        by=comment.author,
        url=comment.url,
        issued_at=comment.created_at,
        expires_at=comment.created_at + timedelta(days=config.waiver_days),
    )


def _refused(said: str, why: str, comment: Comment) -> RefusedWaiver:
    return RefusedWaiver(said=said, why=why, by=comment.author, url=comment.url)


def _in_words(ask: WaiverAsk) -> str:
    where = "" if ask.device is None else f" on {ask.device}"
    return shortened(f"weighin: waive {ask.metric}{where} {ask.reason}")

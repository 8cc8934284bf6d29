"""What of one file on one device does not hold, but was let go: now, or when it was released. Pure.

A budget that is relative to the release no longer applies once the file is the release. Whoever
promotes it again must not wash off that this budget was waived: the mark stays, with its end.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime

from weighin.gates.judge import Check, Verdict
from weighin.gates.metric import VS_RELEASE, Budget
from weighin.gates.statement import Statement
from weighin.gates.waiver import Waiver, waived
from weighin.registry.release import Release

Waivers = tuple[tuple[Check, Waiver], ...]
"""Open checks, each with what lets it go."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LetGo:
    """What was let go; nothing for what passes.

    Attributes:
        now: Open checks of today's verdict with their waivers; either all of them, or none.
        before: Metrics that were waived when this file was released, and cannot be judged again.
        before_until: When the first waiver of the release expires.
    """

    now: Waivers = ()
    before: tuple[str, ...] = ()
    before_until: datetime | None = None

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of all metrics, sorted."""
        return tuple(sorted({*(check.budget.metric.value for check, _ in self.now), *self.before}))

    @property
    def until(self) -> datetime | None:
        """When the first waiver expires, UTC; ``None`` if nothing was let go."""
        earlier = () if self.before_until is None else (self.before_until,)
        return min((*(waiver.expires_at for _, waiver in self.now), *earlier), default=None)


def let_go(
    statement: Statement,
    verdict: Verdict,
    waivers: Iterable[Waiver],
    offered: Release | None,
    budgets: Collection[Budget],
    now: datetime,
) -> LetGo:
    """What of a statement's verdict is let go.

    Waivers of another version or plan do not count. Nor does one for a reading that the signed
    statement does not hold, such as a comparison with a release that the channel no longer
    offers: nobody looked at that.

    Args:
        statement: About one file on one device.
        verdict: Today's, of that statement.
        waivers: Verified ones.
        offered: What the channel offers for the model now.
        budgets: All that are configured for the device.
        now: The time, UTC.
    """
    mine = (statement.model, statement.version, statement.plan_digest)
    own = (w for w in waivers if (w.model, w.version, w.plan_digest) == mine)
    pairs = waived(verdict, own, now)
    seen = set(statement.readings)
    before, until = _before(statement, offered, budgets)
    return LetGo(
        now=pairs if all(set(check.readings) <= seen for check, _ in pairs) else (),
        before=before,
        before_until=until,
    )


def _before(
    statement: Statement, offered: Release | None, budgets: Collection[Budget]
) -> tuple[tuple[str, ...], datetime | None]:
    """What was waived of this very file here, and no longer applies because it is offered."""
    if offered is None:
        return (), None
    variants = (v for v in offered.variants if v.sha256 == statement.variant.sha256)
    approvals = (variant.approval_for(statement.device) for variant in variants)
    relative = {b.metric.value for b in budgets if b.metric in VS_RELEASE}
    for approval in approvals:
        if approval is not None and (kept := relative & set(approval.waived)):
            return tuple(sorted(kept)), approval.waived_until
    return (), None

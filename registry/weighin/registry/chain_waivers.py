"""The link of a chain that waivers are: there only where somebody waived something. Pure.

A waiver that holds is a note. One that is not believed, or that what the channel offers still
rests on although it expired or is gone, breaks the chain: nobody vouches for that release now.
"""

from collections.abc import Iterator

from weighin.registry.chain_records import Examined, Facts, Link, State
from weighin.registry.release import Approval, ReleasedVariant


def waiver_links(evidence: tuple[Examined, ...], facts: Facts) -> tuple[Link, ...]:
    """One link, or none where there is nothing to say about waivers."""
    objections = (*facts.waiver_problems, *_unfounded(facts))
    if objections:
        return (Link(name="waivers", state=State.BROKEN, detail="; ".join(objections)),)
    said = (*_said(evidence), *_before(evidence, facts))
    return (Link(name="waivers", state=State.NOTE, detail="; ".join(said)),) if said else ()


def _said(evidence: tuple[Examined, ...]) -> Iterator[str]:
    for one in evidence:
        for check, waiver in one.waivers:
            until = f"{waiver.expires_at:%Y-%m-%d}"
            yield (
                f"{one.about}: {check.budget.metric} is {check.outcome} and waived by "
                f"{waiver.by} until {until}: {waiver.reason}"
            )


def _before(evidence: tuple[Examined, ...], facts: Facts) -> Iterator[str]:
    """What was waived at the release and cannot be judged again, since it is the release."""
    said = {one.sha256: {c.budget.metric.value for c, _ in one.waivers} for one in evidence}
    for variant, approval in _by_waiver(facts):
        rest = set(approval.waived) - said.get(approval.evidence_sha256, set())
        if rest:
            about = f"{variant.label} on {approval.device}"
            yield f"{about}: was released by a waiver of {', '.join(sorted(rest))}"


def _unfounded(facts: Facts) -> Iterator[str]:
    """What the channel offers by a waiver that does not hold any more, or is not here."""
    for variant, approval in _by_waiver(facts):
        what = f"'{facts.channel}' offers {variant.label} on {approval.device} by a waiver of "
        metrics = ", ".join(approval.waived)
        until = approval.waived_until
        if until is None or until <= facts.policy.moment.now:
            over = "without an end" if until is None else f"that expired on {until:%Y-%m-%d}"
            yield (
                f"{what}{metrics} {over}: waive it anew and promote again, or release a version "
                "that passes"
            )
        elif not all(_covered(metric, approval, facts) for metric in approval.waived):
            yield f"{what}{metrics} that is not here"


def _covered(metric: str, approval: Approval, facts: Facts) -> bool:
    """Whether a waiver of this version that holds is here."""
    return any(
        (waiver.model, waiver.version, waiver.metric) == (facts.model, facts.version, metric)
        and waiver.device in {None, approval.device}
        and waiver.holds(facts.policy.moment.now)
        for waiver in facts.policy.waivers
    )


def _by_waiver(facts: Facts) -> Iterator[tuple[ReleasedVariant, Approval]]:
    if facts.offered is None or facts.offered.version != facts.version:
        return
    for variant in facts.offered.variants:
        yield from ((variant, one) for one in variant.approvals if one.waived)

"""The link of a chain that waivers are: there only where somebody waived something. Pure.

A waiver that holds is a note. One that is not believed, or that what the channel offers still
rests on although it expired or is gone, breaks the chain: nobody vouches for that release now.
"""

from collections.abc import Iterator

from weighin.registry.chain_records import Examined, Facts, Link, State
from weighin.registry.release import Approval, ReleasedVariant


def waiver_links(evidence: tuple[Examined, ...], facts: Facts) -> tuple[Link, ...]:
    """One link, or none where there is nothing to say about waivers."""
    objections = (*facts.waiver_problems, *_unfounded(evidence, facts))
    if objections:
        return (Link(name="waivers", state=State.BROKEN, detail="; ".join(objections)),)
    said = tuple(_said(evidence))
    return (Link(name="waivers", state=State.NOTE, detail="; ".join(said)),) if said else ()


def _said(evidence: tuple[Examined, ...]) -> Iterator[str]:
    for one in evidence:
        for check, waiver in one.waivers:
            until = f"{waiver.expires_at:%Y-%m-%d}"
            yield (
                f"{one.about}: {check.budget.metric} is {check.outcome} and waived by "
                f"{waiver.by} until {until}: {waiver.reason}"
            )


def _unfounded(evidence: tuple[Examined, ...], facts: Facts) -> Iterator[str]:
    """What the channel offers by a waiver that does not hold any more, or is not here."""
    holding = {one.sha256 for one in evidence if one.waivers}
    for variant, approval in _by_waiver(facts):
        what = f"'{facts.channel}' offers {variant.label} on {approval.device} by a waiver of "
        metrics = ", ".join(approval.waived)
        if _expired(approval, facts):
            yield (
                f"{what}{metrics} that expired on {approval.waived_until:%Y-%m-%d}: waive it "
                "anew and promote again, or release a version that passes"
            )
        elif approval.evidence_sha256 not in holding:
            yield f"{what}{metrics} that is not here"


def _by_waiver(facts: Facts) -> Iterator[tuple[ReleasedVariant, Approval]]:
    if facts.offered is None or facts.offered.version != facts.version:
        return
    for variant in facts.offered.variants:
        yield from ((variant, one) for one in variant.approvals if one.waived)


def _expired(approval: Approval, facts: Facts) -> bool:
    """Whether the waiver that an approval rests on holds no more."""
    return approval.waived_until is None or approval.waived_until <= facts.policy.moment.now

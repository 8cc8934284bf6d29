"""What a report says beside the weigh-in itself: earlier versions, waivers, signatures, changes.

All of it is optional. A weigh-in without a context reads as it always did.
"""

from dataclasses import dataclass
from datetime import datetime

from weighin.gates.waiver import Waiver
from weighin.gates.weigh_in import WeighIn


@dataclass(frozen=True, slots=True, kw_only=True)
class Earlier:
    """An earlier weigh-in of the same model, and when it was released, if it was."""

    weigh_in: WeighIn
    released_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SignedFile:
    """A statement of this weigh-in whose signature was looked at.

    Attributes:
        label: The variant.
        device: The device.
        keyid: The trusted key whose signature is good; empty if no trusted key signed it.
        expires_at: From when on nobody may rely on it, UTC.
        envelope_sha256: Digest of the signed file.
    """

    label: str
    device: str
    keyid: str
    expires_at: datetime
    envelope_sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanChange:
    """What a pull request changes in what its models are judged by.

    Attributes:
        where: The key: ``models.digits.budgets.pixel-4.latency_p90_ms``.
        before: As the base branch has it; empty if it is new.
        after: As the pull request has it; empty if it is gone.
        looser: Whether something could pass under it that does not pass on the base branch.
    """

    where: str
    before: str
    after: str
    looser: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """What else is known where a weigh-in is shown.

    Attributes:
        now: The time of showing, for what expires; ``None``: when the weigh-in finished.
        history: Earlier weigh-ins of the model, oldest first, without this one.
        against: The weigh-in that changes are told against: the released one, or the one asked for.
        waivers: Those that speak of this weigh-in.
        signatures: Its statements, if they were verified.
        changes: What the pull request changes in the plan.
        report_url: Where the page is; empty if nowhere.
        untrusted: Why its numbers are not to be believed, such as a fork without a trusted
            signature; empty if they are.
    """

    now: datetime | None = None
    history: tuple[Earlier, ...] = ()
    against: WeighIn | None = None
    waivers: tuple[Waiver, ...] = ()
    signatures: tuple[SignedFile, ...] = ()
    changes: tuple[PlanChange, ...] = ()
    report_url: str = ""
    untrusted: str = ""


PLAIN = Context()
"""Nothing else is known."""
